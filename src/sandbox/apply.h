/* The one loop that turns a plan into mounts. Everything is done on descriptors: sources are detached copies
 * (open_tree), places are opened beneath the new root (target.h), and the two are joined by move_mount. */
#pragma once

#include <stdbool.h>

#include "base/fail.h"
#include "policy/plan.h"
#include "sandbox/target.h"

struct apply {
	const struct plan *plan;
	struct target target;
	int link;     /* pid 1: the procfs of its pid namespace comes from there */
	int *sources; /* one an operation: a detached copy made ahead, SOURCE_NONE or SOURCE_ABSENT */
	int *links;   /* one an operation: PLAN_GITCONFIG's symbolic link, or -1 */
	bool *covered; /* one an operation: there was something to cover, and it was */
	int empty_dir, empty_file; /* what masks show */
};
#define SOURCE_NONE   (-100000) /* neither is an errno */
#define SOURCE_ABSENT (-100001)

/* Allocates; root and link are set by the caller later. */
int apply_init(struct apply *a, const struct plan *p, int sock, struct fail *f);
/* Root as caller, still with all of root's power and in the host's namespaces: copies every bind's source and maps
 * ids on those that the plan says (PLAN_IDMAP). */
int apply_sources(struct apply *a, struct fail *f);
/* Mounts the new root over the old and applies all operations. */
int apply_plan(struct apply *a, struct fail *f);
/* PLAN_GUARD, PLAN_GITCONFIG and PLAN_MASK, for the keeper too: mounts operation i. APPLY_NOTHING where there is nothing
 * of that name; -ENOENT, f filled, where it went away under us (a rename on the host). */
#define APPLY_NOTHING 1
int apply_cover(const struct apply *a, size_t i, struct fail *f);

/* procdev.c */
/* For pid 1: mounts its procfs over the host's /proc and restricts it there. */
int apply_proc_make(int proc, struct fail *f);
int apply_proc(const struct apply *a, const struct plan_op *op, struct fail *f);
int apply_dev(const struct apply *a, const struct plan_op *op, struct fail *f);

/* Build-time only: what a mutation build leaves out (tests/mutation.sh). Never a switch of the program. */
#ifdef CS_MUTATE_NO_MASK
#define apply_mutated(what) (!strcmp((what), CS_MUTATE_NO_MASK))
#else
#define apply_mutated(what) false
#endif
