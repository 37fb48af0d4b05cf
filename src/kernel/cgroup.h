/* Limits on everything in the sandbox together (cgroups(7)). Three ways, the first that this machine has:
 *   - systemd: a transient scope of the user's manager (the system's for root), asked through busctl(1);
 *   - cgroup v2 where our own group, or the one above it, is ours to write (delegated; root anyway);
 *   - cgroup v1 as root: a group below our own in each controller.
 * What was set is read back: a limit that is not in force is an error, never a warning. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/fail.h"
#include "base/macro.h"

struct cgroup_limits {
	uint64_t memory;    /* bytes; 0: no limit */
	uint64_t cpu_milli; /* thousandths of a processor; 0: no limit */
	uint64_t pids;	    /* 0: no limit */
};

struct cgroup;

/* Puts the process (pid 1 of the sandbox: after INNER_READY, before the first INNER_SPAWN) into a group of its own.
 * name: the sandbox's. With no limit at all *ret is NULL. 0 or negative errno with f filled. */
int cgroup_apply(const struct cgroup_limits *l, pid_t pid, const char *name, struct cgroup **ret, struct fail *f);
/* How many processes the kernel has killed for want of memory in it; 0 where that can't be told. */
uint64_t cgroup_oom_kills(const struct cgroup *c);
/* Frees and removes the group; call when its processes are gone (a scope goes by itself). NULL is fine. Returns NULL. */
struct cgroup *cgroup_release(struct cgroup *c);
DEFINE_CLEANUP(struct cgroup, cgroup_release)
