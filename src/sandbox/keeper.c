#include "sandbox/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/stat.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "kernel/caps.h"
#include "kernel/openat2.h"
#include "kernel/pidfd.h"
#include "kernel/seccomp.h"
#include "sandbox/say.h"

#define SPIN	   200 /* looks in a row at a name that is gone: a rename is at work */
#define TRIM_MS	   2000 /* after the start, what it needed of memory is given back */
#define RETRY_MS   250 /* and then this often, beside inotify on its directory */

static bool kept(const struct plan_op *op)
{
	return op->flags & PLAN_KEEP &&
	       (op->kind == PLAN_GUARD || op->kind == PLAN_GITCONFIG || op->kind == PLAN_MASK);
}

bool keeper_needed(const struct plan *p)
{
	for (size_t i = 0; i < p->nops; i++)
		if (kept(&p->ops[i]))
			return true;
	return false;
}

/* Is there still a mount at dst? 1, 0, or -ENOENT where the name is gone. */
static int covered(const struct keeper *k, const struct plan_op *op)
{
	_cleanup_close_ int fd = target_find(&k->apply->target, op->dst, NULL);
	struct statx sx;

	if (fd < 0)
		return -ENOENT;
	if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, 0, &sx) < 0)
		return -ENOENT;
	return (sx.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

/* Watches the nearest directory above dst that is there, for the name's return. */
static void watch(const struct keeper *k, const struct plan_op *op, int inotify)
{
	_cleanup_free_ char *dir = strdup(op->dst);
	char *slash;

	while (dir && (slash = strrchr(dir, '/')) && slash != dir) {
		_cleanup_close_ int fd = -1;

		*slash = 0;
		fd = openat2_beneath(k->apply->target.root, target_relative(dir), O_RDONLY | O_DIRECTORY, 0);
		if (fd < 0)
			continue;
		if (fchdir(fd) == 0)
			(void)inotify_add_watch(inotify, ".", IN_CREATE | IN_MOVED_TO | IN_ONLYDIR | IN_ONESHOT);
		break;
	}
	if (chdir("/") < 0) /* hold no directory of the project */
		return;
}

/* Looks at everything that is to be kept, parents first as in the plan. False: a name is gone, look again later. */
static bool look(const struct keeper *k, bool *lost, int inotify)
{
	const struct plan *p = k->apply->plan;
	bool all = true;

	for (size_t i = 0; lost && i < p->nops; i++) {
		const struct plan_op *op = &p->ops[i];
		struct fail f = { 0 };
		int r;

		if (!kept(op) || !k->apply->covered[i]) /* what was absent is cs-guard's */
			continue;
		for (unsigned n = 0; n < SPIN; n++) {
			r = covered(k, op);
			if (r == 1)
				break;
			if (r == 0 && apply_cover(k->apply, i, &f) == 0) {
				say_event(k->sock, "guard-remounted", op->dst, "the host replaced it");
				r = 1;
				break;
			}
		}
		if (r != 1) {
			all = false;
			watch(k, op, inotify);
			if (!lost[i])
				say_event(k->sock, "guard-lost", op->dst, "the host removed it");
		}
		lost[i] = r != 1;
	}
	return all;
}

static int lock_up(bool mounts, struct fail *f)
{
	uint64_t caps = mounts ? UINT64_C(1) << CAP_SYS_ADMIN | UINT64_C(1) << CAP_DAC_OVERRIDE : 0;
	int r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail_set(f, errno, "cannot set no_new_privs on the keeper");
	r = caps_keep(caps);
	if (r == 0)
		r = seccomp_helper(SECCOMP_KEEPER);
	return r < 0 ? fail_set(f, -r, "cannot lock up the keeper") : 0;
}

static int ended(const struct keeper *k)
{
	(void)k;
	while (waitpid(-1, NULL, 0) < 0 && errno == EINTR)
		;
	return 0;
}

static int keep(struct keeper *k, bool *lost, int inotify)
{
	bool all = true, trimmed = false;

	for (;;) {
		int timeout = !all ? RETRY_MS : trimmed ? -1 : TRIM_MS, n;
		struct pollfd p[] = {
			{ .fd = k->pid1, .events = POLLIN }, { .fd = k->sock }, { .fd = k->mountinfo, .events = POLLPRI },
			{ .fd = inotify, .events = POLLIN },
		};
		char events[1024];

		n = poll(p, ARRAY_SIZE(p), timeout);
		if (n < 0 && errno != EINTR)
			return 1;
		if (n == 0 && !trimmed) {
			mem_trim();
			trimmed = true;
		}
		if (p[0].revents)
			return ended(k);
		if (p[1].revents & (POLLHUP | POLLERR)) {
			(void)pidfd_signal(k->pid1, SIGKILL);
			return ended(k);
		}
		if (k->mountinfo < 0)
			continue;
		if (p[3].revents)
			while (read(inotify, events, sizeof(events)) > 0)
				;
		all = look(k, lost, inotify);
	}
}

int keeper_main(struct keeper *k)
{
	_cleanup_free_ bool *lost = calloc(k->apply->plan->nops + 1, sizeof(*lost));
	_cleanup_close_ int inotify = -1;
	struct fail f = { 0 };
	int r = 0;

	if (k->mountinfo >= 0) {
		inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
		if (inotify < 0)
			r = fail_set(&f, errno, "cannot watch guarded paths");
	}
	if (!lost)
		r = fail_set(&f, ENOMEM, "cannot watch guarded paths");
	if (r == 0)
		r = lock_up(k->mountinfo >= 0, &f);
	if (r < 0) {
		say_failed(k->sock, &f);
		return 1;
	}
	if (k->mountinfo >= 0)
		(void)look(k, lost, inotify); /* what happened while we were not looking */
	return keep(k, lost, inotify);
}
