/* Starts cs-guard. What to watch is written to a record in the quarantine, which the watcher gets as descriptor 3, keeps
 * locked (flock(2)) while it lives, and removes when it has had its last look. A record that nobody holds is of a session
 * in which everything was killed at once: the next start has that last look. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "guard/private.h"

#define SPEC_MAX (1U << 20)
#define RECORD	 ".watch-"

/* In the child: the descriptors to 3 and 4, and nothing else. */
static _Noreturn void run(const char *helper, int spec, int sock)
{
	char *const argv[] = { (char *)(uintptr_t) "cs-guard", NULL };
	char *const env[] = { NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int high[2] = { fcntl(spec, F_DUPFD_CLOEXEC, 10), fcntl(sock, F_DUPFD_CLOEXEC, 10) };
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (null < 0 || high[0] < 0 || high[1] < 0)
		_exit(125);
	for (int i = 0; i < 3; i++)
		if (dup2(null, i) < 0)
			_exit(125);
	if (dup2(high[0], 3) < 0 || dup2(high[1], 4) < 0)
		_exit(125);
	close_range(5, ~0U, 0);
	execve(helper, argv, env);
	_exit(127);
}

/* Starts the watcher on a record that is locked already. */
static int start(const char *helper, int record, int pid1_fd, struct guard_watch *ret, struct fail *f)
{
	_cleanup_close_ int ours = -1, theirs = -1;
	int pair[2];
	pid_t pid;

	if (access(helper, X_OK) < 0)
		return fail_set(f, errno, "cannot start the watcher, '%s'", helper);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return fail_set(f, errno, "cannot start the watcher");
	ours = pair[0];
	theirs = pair[1];
	pid = fork();
	if (pid < 0)
		return fail_set(f, errno, "cannot start the watcher");
	if (pid == 0)
		run(helper, record, theirs);
	ret->pid = pid;
	ret->socket = TAKE_FD(ours);
	/* by message, so that descriptors 3 and 4 are all it is born with; it is read before anything else there */
	return pid1_fd < 0 ? 0 : fd_sendmsg(ret->socket, "pid1", 4, &pid1_fd, 1);
}

int guard_watch_start(const char *helper, const char *project, char *const *watch, const char *quarantine_dir, int pid1_fd,
		      struct guard_watch *ret, struct fail *f)
{
	_cleanup_buf_ struct buf b = BUF_INIT(SPEC_MAX);
	_cleanup_close_ int record = -1;
	_cleanup_free_ char *path = NULL;
	int r = path_mkdir_p(quarantine_dir, 0700);

	/* named by the caller, so that its next watcher takes over the record of one that was killed */
	if (r < 0 || asprintf(&path, "%s/" RECORD "%d", quarantine_dir, (int)getpid()) < 0)
		return fail_set(f, r < 0 ? -r : ENOMEM, "cannot make the quarantine, '%s'", quarantine_dir);
	record = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (record < 0 || flock(record, LOCK_EX) < 0 || ftruncate(record, 0) < 0)
		return fail_set(f, errno, "cannot write in the quarantine, '%s'", quarantine_dir);
	buf_printf(&b, "P%s%cQ%s%cR%s%c", project, 0, quarantine_dir, 0, path_basename(path), 0);
	for (; watch && *watch; watch++)
		buf_put(&b, *watch, strlen(*watch) + 1);
	r = b.error ? -E2BIG : fd_write_all(record, b.data, b.len);
	if (r == 0 && lseek(record, 0, SEEK_SET) < 0)
		r = -errno;
	if (r < 0)
		fail_set(f, -r, r == -E2BIG ? "too many guarded names in the project, '%s'" : "cannot write down what to watch, '%s'",
			 r == -E2BIG ? project : path);
	else
		r = start(helper, record, pid1_fd, ret, f);
	if (r < 0)
		(void)unlink(path);
	return r;
}

/* Reads the watcher's lines until it ends. */
static int collect(struct guard_watch *w, char ***lines)
{
	char text[GUARD_LINE_MAX + 1];
	ssize_t n;
	int r = 0;

	shutdown(w->socket, SHUT_WR);
	while ((n = recv(w->socket, text, GUARD_LINE_MAX, 0)) > 0) {
		text[n] = 0;
		if (r == 0 && (str_startswith(text, "quarantined\t") || str_startswith(text, "failed\t")))
			r = strv_add(lines, text);
	}
	w->socket = fd_close(w->socket);
	while (waitpid(w->pid, NULL, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return r;
}

int guard_recover(const char *helper, const char *quarantine_dir, char ***ret_lines, struct fail *f)
{
	_cleanup_strv_ char **records = NULL, **lines = NULL;
	DIR *d = opendir(quarantine_dir);
	int r = 0;

	if (!d)
		return errno == ENOENT ? 0 : fail_set(f, errno, "cannot read the quarantine, '%s'", quarantine_dir);
	for (struct dirent *e; (e = readdir(d));)
		if (str_startswith(e->d_name, RECORD))
			strv_take(&records, path_join(quarantine_dir, e->d_name));
	closedir(d);
	for (char **p = records; r == 0 && p && *p; p++) {
		_cleanup_close_ int record = open(*p, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		struct guard_watch w;

		/* locked: its watcher lives */
		if (record < 0 || flock(record, LOCK_EX | LOCK_NB) < 0)
			continue;
		r = start(helper, record, -1, &w, f);
		record = fd_close(record);
		if (r == 0)
			r = collect(&w, &lines);
		(void)unlink(*p);
	}
	if (r < 0)
		return r;
	*ret_lines = TAKE_PTR(lines);
	return 0;
}
