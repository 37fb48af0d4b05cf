/* Where an operation of the plan lands: a path below the new root, opened component by component without links, made
 * where it is absent. In a hostile place (the home, the project: written by an earlier sandbox) what stands in the way
 * is renamed aside and reported. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/fail.h"

struct target {
	int root; /* the new root's directory */
	int sock; /* for events */
};

/* Opens (O_PATH) what is at dst, without making anything; a last component that is a link is opened itself. -ENOENT
 * where it is absent, f untouched; other errors fill f. */
int target_find(const struct target *t, const char *dst, struct fail *f);
/* Opens (O_PATH) the directory or file at dst; makes it, with mode, and its parents where absent. hostile: heal. */
int target_make(const struct target *t, const char *dst, bool dir, mode_t mode, bool hostile, struct fail *f);
/* Opens the directory that dst lies in, made where absent; *ret_name points into dst. Where hostile, anything that
 * stands at dst already is renamed aside. */
int target_parent(const struct target *t, const char *dst, bool hostile, const char **ret_name, struct fail *f);
/* dst without its leading slashes. */
const char *target_relative(const char *dst);
