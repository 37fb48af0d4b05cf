#include "kernel/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

#define PRIVATE	   (1UL << 18) /* MS_PRIVATE of sys/mount.h, which can't be had beside linux/mount.h */
#define DETACH	   2	       /* MNT_DETACH */

int mount_clone(int at, const char *path, bool recursive, bool nofollow)
{
	unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_NO_AUTOMOUNT;
	long r;

	if (!*path)
		flags |= AT_EMPTY_PATH;
	if (recursive)
		flags |= AT_RECURSIVE;
	if (nofollow)
		flags |= AT_SYMLINK_NOFOLLOW;
	r = syscall(SYS_open_tree, at, path, flags);
	return r < 0 ? -errno : (int)r;
}

static unsigned attrs_of(unsigned a)
{
	return (a & MOUNT_RDONLY ? MOUNT_ATTR_RDONLY : 0U) | (a & MOUNT_NOSUID ? MOUNT_ATTR_NOSUID : 0U) |
	       (a & MOUNT_NODEV ? MOUNT_ATTR_NODEV : 0U) | (a & MOUNT_NOEXEC ? MOUNT_ATTR_NOEXEC : 0U);
}

static int option(int fs, const char *o)
{
	const char *eq = strchr(o, '=');
	char key[32];

	if (!eq)
		return syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, o, NULL, 0) < 0 ? -errno : 0;
	if ((size_t)(eq - o) >= sizeof(key))
		return -EINVAL;
	memcpy(key, o, (size_t)(eq - o));
	key[eq - o] = 0;
	return syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, key, eq + 1, 0) < 0 ? -errno : 0;
}

int mount_new(const char *type, const char *const *options, unsigned attrs)
{
	_cleanup_close_ int fs = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
	long r;

	if (fs < 0)
		return -errno;
	for (; options && *options; options++) {
		int e = option(fs, *options);

		if (e < 0)
			return e;
	}
	if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	r = syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attrs_of(attrs));
	return r < 0 ? -errno : (int)r;
}

static int set(int fd, const struct mount_attr *a, bool recursive)
{
	unsigned flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);

	return syscall(SYS_mount_setattr, fd, "", flags, a, sizeof(*a)) < 0 ? -errno : 0;
}

int mount_set(int fd, unsigned attrs, bool recursive)
{
	struct mount_attr a = { .attr_set = attrs_of(attrs), .propagation = PRIVATE };

	return set(fd, &a, recursive);
}

int mount_idmap(int fd, int userns)
{
	struct mount_attr a = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns };

	return set(fd, &a, true);
}

int mount_attach(int fd, int target, const char *path)
{
	unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | (*path ? 0 : MOVE_MOUNT_T_EMPTY_PATH);

	return syscall(SYS_move_mount, fd, "", target, path, flags) < 0 ? -errno : 0;
}

int mount_pivot(int root)
{
	/* new root and old root in one place: the old one is then stacked on the new and let go (pivot_root(2)) */
	if (fchdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || syscall(SYS_umount2, ".", DETACH) < 0 ||
	    chdir("/") < 0)
		return -errno;
	return 0;
}
