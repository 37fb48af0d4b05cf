/* Starts cs-guard. What to watch goes through a sealed memfd as descriptor 3 (argv is for everybody to see), the
 * socket is 4, pid 1's pidfd 5. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "guard/private.h"

#define SPEC_MAX (1U << 20)

/* In the child: the descriptors to 3, 4, 5 and nothing else. */
static _Noreturn void run(const char *helper, int spec, int sock, int pid1)
{
	char *const argv[] = { (char *)(uintptr_t) "cs-guard", NULL };
	char *const env[] = { NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int high[3] = { fcntl(spec, F_DUPFD_CLOEXEC, 10), fcntl(sock, F_DUPFD_CLOEXEC, 10),
			pid1 >= 0 ? fcntl(pid1, F_DUPFD_CLOEXEC, 10) : -1 };
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (null < 0 || high[0] < 0 || high[1] < 0 || (pid1 >= 0 && high[2] < 0))
		_exit(125);
	for (int i = 0; i < 3; i++)
		if (dup2(null, i) < 0)
			_exit(125);
	if (dup2(high[0], 3) < 0 || dup2(high[1], 4) < 0)
		_exit(125);
	if (high[2] >= 0 && dup2(high[2], 5) < 0)
		_exit(125);
	close_range(high[2] >= 0 ? 6 : 5, ~0U, 0);
	execve(helper, argv, env);
	_exit(127);
}

int guard_watch_start(const char *helper, const char *project, char *const *watch, const char *quarantine_dir, int pid1_fd,
		      struct guard_watch *ret, struct fail *f)
{
	_cleanup_buf_ struct buf b = BUF_INIT(SPEC_MAX);
	_cleanup_close_ int spec = -1, ours = -1, theirs = -1;
	int pair[2], r = path_mkdir_p(quarantine_dir, 0700);
	pid_t pid;

	if (r < 0)
		return fail_set(f, -r, "cannot make the quarantine, '%s'", quarantine_dir);
	if (access(helper, X_OK) < 0)
		return fail_set(f, errno, "cannot start the watcher, '%s'", helper);
	buf_putc(&b, 'P');
	buf_put(&b, project, strlen(project) + 1);
	buf_putc(&b, 'Q');
	buf_put(&b, quarantine_dir, strlen(quarantine_dir) + 1);
	for (; watch && *watch; watch++)
		buf_put(&b, *watch, strlen(*watch) + 1);
	if (b.error)
		return fail_set(f, E2BIG, "too many guarded names in the project, '%s'", project);
	spec = fd_memfd("guard", b.data, b.len);
	if (spec < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return fail_set(f, errno, "cannot start the watcher");
	ours = pair[0];
	theirs = pair[1];
	pid = fork();
	if (pid < 0)
		return fail_set(f, errno, "cannot start the watcher");
	if (pid == 0)
		run(helper, spec, theirs, pid1_fd);
	ret->pid = pid;
	ret->socket = TAKE_FD(ours);
	return 0;
}
