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
	/* the directory that the last friendly place lay in: neighbours share it */
	const char *dir; /* the path of something in it; NULL: nothing is remembered */
	size_t dir_len;	 /* the directory's own part of that */
	int dir_fd;	 /* -1: none */
};

/* Opens (O_PATH) what is at dst, without making anything; a last component that is a link is opened itself. -ENOENT
 * where it is absent, f untouched; other errors fill f. */
int target_find(const struct target *t, const char *dst, struct fail *f);
/* Opens (O_PATH) the directory or file at dst; makes it, with mode, and its parents where absent. hostile: heal. */
int target_make(const struct target *t, const char *dst, bool dir, mode_t mode, bool hostile, struct fail *f);
/* The directory that dst lies in, made where absent: a descriptor that is t's until the next call. *ret_name points into
 * dst, which must outlive t. */
int target_parent(struct target *t, const char *dst, bool hostile, const char **ret_name, struct fail *f);
/* The same where something is to be made at dst: in a hostile place what stands there is renamed aside. */
int target_free(struct target *t, const char *dst, bool hostile, const char **ret_name, struct fail *f);
/* The same where something is to be mounted on dst: a directory or a file, which is made where absent. */
int target_place(struct target *t, const char *dst, bool dir, mode_t mode, const char **ret_name, struct fail *f);
/* Something was mounted at dst: what is remembered of below it is no longer what is seen there. */
void target_mounted(struct target *t, const char *dst);
/* dst without its leading slashes. */
const char *target_relative(const char *dst);
