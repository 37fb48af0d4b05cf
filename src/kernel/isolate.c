#include "kernel/isolate.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/fd.h"
#include "kernel/landlock.h"

#define PARSER_MEMORY (256U << 20)

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZER 1
#endif
#endif

static int limit(int what, uint64_t value)
{
	struct rlimit old, r = { .rlim_cur = value, .rlim_max = value };

	if (getrlimit((__rlimit_resource_t)what, &old) < 0)
		return -errno;
	if (old.rlim_max != RLIM_INFINITY && old.rlim_max < r.rlim_max)
		r.rlim_cur = r.rlim_max = old.rlim_max;
	return setrlimit((__rlimit_resource_t)what, &r) < 0 ? -errno : 0;
}

static int limits(const struct isolate *i)
{
	int r = limit(RLIMIT_CORE, 0);

#ifndef SANITIZER /* its shadow memory is address space too */
	if (r == 0 && i->memory)
		r = limit(RLIMIT_AS, i->memory);
#endif
	if (r == 0 && i->files)
		r = limit(RLIMIT_NOFILE, i->files);
	return r;
}

static int grant(int ruleset, const char *const *paths, unsigned grants, struct fail *f)
{
	for (; paths && *paths; paths++) {
		int r = landlock_grant_path(ruleset, *paths, grants);

		if (r < 0)
			return fail_set(f, -r, "cannot keep a path for a helper, '%s'", *paths);
	}
	return 0;
}

static int landlock(const struct isolate *i, struct fail *f)
{
	_cleanup_close_ int ruleset = landlock_ruleset(true, true);
	int r;

	if (ruleset == -EOPNOTSUPP)
		return 0;
	if (ruleset < 0)
		return fail_set(f, -ruleset, "cannot make Landlock rules for a helper");
	r = grant(ruleset, i->read, LANDLOCK_READ, f);
	if (r == 0)
		r = grant(ruleset, i->write, LANDLOCK_READ | LANDLOCK_WRITE, f);
	if (r < 0)
		return r;
	r = landlock_enforce(ruleset);
	return r < 0 ? fail_set(f, -r, "cannot put Landlock rules on a helper") : 0;
}

int isolate(const struct isolate *i, struct fail *f)
{
	int r = limits(i);

	if (r < 0)
		return fail_set(f, -r, "cannot limit a helper");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail_set(f, errno, "cannot set no_new_privs on a helper");
	r = landlock(i, f);
	if (r < 0)
		return r;
	r = seccomp_helper(i->list);
	return r < 0 ? fail_set(f, -r, "cannot put a system call list on a helper") : 0;
}

int isolate_parser(void)
{
	static const struct isolate parser = { .list = SECCOMP_PARSER, .memory = PARSER_MEMORY };

	return isolate(&parser, NULL);
}

int isolate_program(const char *dir, bool write)
{
	static const char *const readable[] = { "/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/ld.so.cache", "/nix" };
	_cleanup_close_ int rules = -1;
	int r = 0;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	rules = landlock_ruleset(true, landlock_abi() >= 4);
	if (rules < 0)
		return rules;
	for (size_t i = 0; i < ARRAY_SIZE(readable); i++) {
		r = landlock_grant_path(rules, readable[i], LANDLOCK_READ | LANDLOCK_EXEC);
		if (r < 0 && r != -ENOENT)
			return r;
	}
	r = dir ? landlock_grant_path(rules, dir, LANDLOCK_READ | (write ? LANDLOCK_WRITE : 0U)) : 0;
	return r < 0 ? r : landlock_enforce(rules);
}
