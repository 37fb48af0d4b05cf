/* Starving the host: processes, descriptors, memory files, priorities. Each attempt is bounded itself. */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#define FORKS_MAX 6000 /* well over the default limit, well under what would starve the machine where there is none */
#define FILES_MAX 1100000

static enum verdict fork_bomb(const struct attempt *a)
{
	int n = 0;
	pid_t pid = 0;

	(void)a;
	(void)setpgid(0, 0);
	while (n < FORKS_MAX) {
		pid = fork();
		if (pid < 0)
			break;
		if (pid == 0)
			_exit(0);
		n++; /* a zombie counts as a process until it is waited for */
	}
	for (int left = n; left > 0 && waitpid(-1, NULL, 0) > 0; left--)
		; /* all of them, now: who inherits them may not */
	if (pid < 0) {
		say("refused after %d processes: %s", n, strerrorname_np(errno));
		return CONTAINED;
	}
	say("%d processes, and no end", n);
	return ESCAPED;
}

static enum verdict open_files(const struct attempt *a)
{
	int n = 0;

	(void)a;
	while (n < FILES_MAX && open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0)
		n++;
	if (n < FILES_MAX) {
		say("refused after %d descriptors: %s", n, strerrorname_np(errno));
		return CONTAINED;
	}
	say("%d descriptors, and no end", n);
	return ESCAPED;
}

static enum verdict raise_limit(const struct attempt *a)
{
	struct rlimit r;

	if (getrlimit((__rlimit_resource_t)a->nr, &r) < 0)
		return refused(-1);
	if (r.rlim_max == RLIM_INFINITY) {
		say("there is none");
		return a->args[0] ? ESCAPED : SKIPPED;
	}
	r.rlim_cur = r.rlim_max = r.rlim_max + 1;
	return refused(setrlimit((__rlimit_resource_t)a->nr, &r));
}

static enum verdict real_time(const struct attempt *a)
{
	const struct sched_param p = { .sched_priority = 1 };

	(void)a;
	return refused(sched_setscheduler(0, SCHED_FIFO, &p));
}

static enum verdict priority(const struct attempt *a)
{
	(void)a;
	errno = 0;
	return refused(setpriority(PRIO_PROCESS, 0, -20));
}

static enum verdict oom_score(const struct attempt *a)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	(void)a;
	return fd < 0 ? refused(fd) : refused(write(fd, "-1000", 5));
}

/* A tmpfs of ours must not be able to take all of the machine's memory. */
static enum verdict tmpfs_size(const struct attempt *a)
{
	struct statvfs sv;
	struct sysinfo si;

	if (statvfs(a->path, &sv) < 0)
		return refused(-1);
	if (sysinfo(&si) < 0)
		return SKIPPED;
	say("%llu MiB of %llu MiB of memory", (unsigned long long)sv.f_blocks * sv.f_frsize >> 20,
	    (unsigned long long)si.totalram * si.mem_unit >> 20);
	return sv.f_blocks == 0 || (unsigned long long)sv.f_blocks * sv.f_frsize >
					   (unsigned long long)si.totalram * si.mem_unit
		       ? ESCAPED
		       : CONTAINED;
}

static const struct attempt attempts[] = {
	{ .name = "fork-bomb", .expected = "refused before that", .tried = "make 6,000 processes", .run = fork_bomb },
	{ .name = "open-files",
	  .expected = "refused before that",
	  .tried = "open 1,100,000 descriptors",
	  .run = open_files },
	{ .name = "raise-nproc",
	  .tried = "raise the hard limit of processes",
	  .run = raise_limit,
	  .nr = RLIMIT_NPROC,
	  .args = { 1 } },
	{ .name = "raise-nofile",
	  .tried = "raise the hard limit of open files",
	  .run = raise_limit,
	  .nr = RLIMIT_NOFILE,
	  .args = { 1 } },
	{ .name = "raise-core", .tried = "raise the hard limit of core dumps", .run = raise_limit, .nr = RLIMIT_CORE },
	{ .name = "real-time", .tried = "become a real-time process", .run = real_time },
	{ .name = "priority", .tried = "raise the priority", .run = priority },
	{ .name = "oom-score", .tried = "hide from the out-of-memory killer", .run = oom_score },
	{ .name = "tmp-size",
	  .expected = "less",
	  .tried = "find /tmp larger than memory",
	  .run = tmpfs_size,
	  .path = "/tmp" },
	{ .name = "shm-size",
	  .expected = "less",
	  .tried = "find /dev/shm larger than memory",
	  .run = tmpfs_size,
	  .path = "/dev/shm" },
	{ 0 },
};

const struct category limits_category = { "limits", attempts };
