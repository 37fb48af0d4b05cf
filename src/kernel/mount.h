/* The mount API on descriptors (open_tree(2), move_mount(2), mount_setattr(2), fsopen(2)). All return 0, a descriptor,
 * or negative errno. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum mount_flag {
	MOUNT_RDONLY = 1, MOUNT_NOSUID = 2, MOUNT_NODEV = 4, MOUNT_NOEXEC = 8,
};

/* A detached copy of the mount tree at path below at ("" with a descriptor: itself); recursive: with its submounts.
 * The last component is not followed where nofollow. */
int mount_clone(int at, const char *path, bool recursive, bool nofollow);
/* A new detached file system of this type; options are "key=value" or "flag", NULL-terminated, may be NULL. */
int mount_new(const char *type, const char *const *options, unsigned attrs);
/* Adds attributes to the mount (its submounts too where recursive) and makes it private. */
int mount_set(int fd, unsigned attrs, bool recursive);
/* Maps ids through the user namespace (idmap.h) on a detached mount and its submounts. -EINVAL where the file system
 * can't. */
int mount_idmap(int fd, int userns);
/* Attaches what fd stands for at the place that target stands for (O_PATH), or at path below target. */
int mount_attach(int fd, int target, const char *path);
/* Makes root (an attached mount's descriptor) the root of this mount namespace and lets go of the old one. */
int mount_pivot(int root);
