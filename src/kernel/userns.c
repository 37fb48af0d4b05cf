#include "kernel/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "kernel/pidfd.h"

static int proc_dir(pid_t pid)
{
	char path[32] = "/proc/self";
	int fd;

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int write_at(int dir, const char *name, const char *text)
{
	_cleanup_close_ int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static int write_map(int dir, const char *name, unsigned in, unsigned out)
{
	char line[64];

	snprintf(line, sizeof(line), "%u %u 1", in, out);
	return write_at(dir, name, line);
}

int userns_write_maps(pid_t pid, uid_t in_uid, uid_t out_uid, gid_t in_gid, gid_t out_gid)
{
	_cleanup_close_ int dir = proc_dir(pid);
	int r;

	if (dir < 0)
		return dir;
	r = write_at(dir, "setgroups", "deny");
	if (r == 0)
		r = write_map(dir, "gid_map", in_gid, out_gid);
	if (r == 0)
		r = write_map(dir, "uid_map", in_uid, out_uid);
	return r;
}

int userns_for_idmap(uid_t from_uid, uid_t to_uid, gid_t from_gid, gid_t to_gid)
{
	_cleanup_close_ int pidfd = -1, dir = -1;
	pid_t pid = pidfd_fork(CLONE_NEWUSER, &pidfd);
	int r, fd = -1;

	if (pid < 0)
		return pid;
	if (pid == 0)
		for (;;)
			pause();
	r = userns_write_maps(pid, from_uid, to_uid, from_gid, to_gid);
	dir = proc_dir(pid);
	if (r == 0 && dir < 0)
		r = dir;
	if (r == 0) {
		fd = openat(dir, "ns/user", O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			r = -errno;
	}
	(void)pidfd_signal(pidfd, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	return r < 0 ? r : fd;
}
