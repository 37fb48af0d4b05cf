#include "sandbox/lockdown.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>

#include "base/fd.h"
#include "base/macro.h"
#include "kernel/caps.h"
#include "kernel/landlock.h"
#include "kernel/openat2.h"
#include "kernel/seccomp.h"
#include "sandbox/gate.h"
#include "sandbox/target.h"

#ifndef CS_MUTATE_NO_LANDLOCK
static unsigned grants_of(const struct plan_op *op)
{
	switch (op->kind) {
	case PLAN_BIND:
		return (op->flags & PLAN_WRITE ? LANDLOCK_WRITE : 0U) | (op->flags & PLAN_DEVICE ? LANDLOCK_IOCTL | LANDLOCK_WRITE : 0U);
	case PLAN_TMPFS:
	case PLAN_PROC:
		return LANDLOCK_WRITE;
	case PLAN_DEV:
		return LANDLOCK_WRITE | LANDLOCK_IOCTL;
	default:
		return 0;
	}
}

static int grant(int ruleset, int root, const struct plan_op *op, struct fail *f)
{
	unsigned grants = grants_of(op);
	_cleanup_close_ int fd = -1;
	int r;

	if (!grants || !*target_relative(op->dst))
		return 0;
	fd = openat2_beneath(root, target_relative(op->dst), O_PATH | O_NOFOLLOW, 0);
	if (fd == -ENOENT && op->flags & PLAN_OPTIONAL)
		return 0;
	r = fd < 0 ? fd : landlock_grant_fd(ruleset, fd, grants);
	return r < 0 ? fail_set(f, -r, "cannot make a Landlock rule, '%s'", op->dst) : 0;
}

static int landlock(const struct plan *p, struct fail *f)
{
	bool files = !(p->relax & PLAN_RELAX_USERNS); /* Landlock refuses every mount, nested sandboxes' too */
	_cleanup_close_ int root = -1, ruleset = -1;
	int r;

	if (p->no_landlock)
		return 0;
	ruleset = landlock_ruleset(files, false);
	if (ruleset == -ENOMSG || (ruleset == -EINVAL && !files)) /* nothing to restrict below ABI 6 */
		return 0;
	if (ruleset < 0) {
		fail_set(f, -ruleset, "cannot use Landlock");
		fail_hint(f, "Linux 5.13 or later with landlock in /sys/kernel/security/lsm: `claude-sandbox doctor`");
		return ruleset;
	}
	if (files) {
		root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
		r = root < 0 ? -errno : landlock_grant_fd(ruleset, root, LANDLOCK_READ | LANDLOCK_EXEC);
		if (r < 0)
			return fail_set(f, -r, "cannot make a Landlock rule, '/'");
		for (size_t i = 0; i < p->nops; i++) {
			r = grant(ruleset, root, &p->ops[i], f);
			if (r < 0)
				return r;
		}
	}
	r = landlock_enforce(ruleset);
	return r < 0 ? fail_set(f, -r, "cannot put on Landlock rules") : 0;
}
#endif

static int filter(const struct plan *p)
{
#ifndef CS_MUTATE_NO_SECCOMP
	return seccomp_sandbox(p->relax, p->seccomp_log);
#else
	(void)p;
	return 0;
#endif
}

int lockdown(const struct plan *p, struct fail *f)
{
	int r = caps_drop();

	if (r < 0)
		return fail_set(f, -r, "cannot drop capabilities");
#ifndef CS_MUTATE_NO_NEW_PRIVS
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail_set(f, errno, "cannot set no_new_privs");
#endif
#ifndef CS_MUTATE_NO_LANDLOCK
	r = landlock(p, f);
	if (r < 0)
		return r;
#endif
	if (p->strict_absent)
		return 0;
	r = filter(p);
	return r < 0 ? fail_set(f, -r, "cannot put on the system call filter") : 0;
}

/* Names may be made only where nothing guarded can be: what is made anywhere else goes through the gate. */
static int wall(void)
{
	static const char *const free_places[] = { "/tmp", "/var/tmp", "/dev", "/run/user" };
	_cleanup_close_ int ruleset = landlock_names();
	int r = 0;

	if (ruleset < 0)
		return ruleset;
	for (size_t i = 0; i < ARRAY_SIZE(free_places); i++) {
		r = landlock_grant_path(ruleset, free_places[i], LANDLOCK_NAMES);
		if (r < 0 && r != -ENOENT)
			return r;
	}
	return landlock_enforce(ruleset);
}

int lockdown_child(const struct plan *p, int sock)
{
	int r;

	if (!p->strict_absent)
		return 0;
	r = wall();
	if (r == 0)
		r = filter(p);
	return r < 0 ? r : gate_install(sock);
}
