/* The native engine: cs-enter, started with nothing but a plan and a socket. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/where.h"
#include "engine/engine.h"
#include "kernel/pidfd.h"
#include "kernel/userns.h"

/* Above what the child's own descriptors are moved to. */
#define HIGH 16

static int plan_fd(const struct plan *p, struct fail *f)
{
	_cleanup_buf_ struct buf b = BUF_INIT(PLAN_MAX);
	_cleanup_close_ int fd = -1;
	int r = plan_encode(p, &b), high;

	if (r == 0)
		r = fd = fd_memfd("plan", b.data, b.len);
	if (r < 0)
		return fail_set(f, -r, "cannot write the plan");
	high = fcntl(fd, F_DUPFD_CLOEXEC, HIGH);
	return high < 0 ? fail_set(f, errno, "cannot write the plan") : high;
}

/* vfork and exec, with default signals; posix_spawn does it without copying our pages. */
static int start(const char *helper, int plan, int sock, pid_t *ret)
{
	char *argv[] = { (char *)(uintptr_t)"cs-enter", NULL }, *env[] = { NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int r;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	r = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
	if (!r)
		r = posix_spawn_file_actions_adddup2(&actions, 0, 1);
	if (!r)
		r = posix_spawn_file_actions_adddup2(&actions, 0, 2);
	if (!r)
		r = posix_spawn_file_actions_adddup2(&actions, plan, 3);
	if (!r)
		r = posix_spawn_file_actions_adddup2(&actions, sock, 4);
	if (!r)
		r = posix_spawnattr_setsigmask(&attr, &none);
	if (!r)
		r = posix_spawnattr_setsigdefault(&attr, &all);
	if (!r)
		r = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	if (!r)
		r = posix_spawn(ret, helper, &actions, &attr, argv, env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

int engine_native_start(const struct plan *p, struct engine_instance *ret, struct fail *f)
{
	_cleanup_free_ char *helper = NULL;
	_cleanup_close_ int plan = -1, ours = -1, theirs = -1, high = -1, pidfd = -1;
	int pair[2], r;
	pid_t pid;

	r = where_helper("cs-enter", &helper);
	if (r < 0) {
		r = fail_set(f, -r, "cannot find a part of the program, 'cs-enter'");
		fail_hint(f, "reinstall claude-sandbox");
		return r;
	}
	plan = plan_fd(p, f);
	if (plan < 0)
		return plan;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return fail_set(f, errno, "cannot start the sandbox");
	ours = pair[0];
	theirs = pair[1];
	high = fcntl(theirs, F_DUPFD_CLOEXEC, HIGH);
	if (high < 0)
		return fail_set(f, errno, "cannot start the sandbox");
	r = start(helper, plan, high, &pid);
	if (r < 0)
		return fail_set(f, -r, "cannot start a part of the program, '%s'", helper);
	pidfd = pidfd_open(pid); /* our child, not waited for: the number is still its own */
	if (pidfd < 0) {
		r = fail_set(f, -pidfd, "cannot start the sandbox");
		kill(pid, SIGKILL);
		return r;
	}
	*ret = (struct engine_instance){ .launcher = pid, .launcher_fd = TAKE_FD(pidfd), .socket = TAKE_FD(ours) };
	return 0;
}

int engine_write_maps(const struct plan *p, pid_t pid, struct fail *f)
{
	int r = userns_write_maps(pid, p->uid, p->host_uid, p->gid, p->host_gid);

	return r < 0 ? fail_set(f, -r, "cannot write the id maps of the sandbox") : 0;
}
