#include "sandbox/target.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "kernel/openat2.h"
#include "sandbox/say.h"

#define TRIES 8

const char *target_relative(const char *dst)
{
	while (*dst == '/')
		dst++;
	return dst;
}

int target_find(const struct target *t, const char *dst, struct fail *f)
{
	int fd = openat2_beneath(t->root, target_relative(dst), O_PATH | O_NOFOLLOW, 0);

	if (fd == -ENOENT || fd == -ENOTDIR)
		return -ENOENT;
	if (fd < 0)
		return fail_set(f, -fd, "cannot open a path inside the sandbox, '%s'", dst);
	return fd;
}

/* Renames name aside: name.displaced-1, -2, ... */
static int displace(const struct target *t, int parent, const char *name, const char *dst)
{
	char aside[NAME_MAX + 1];

	for (unsigned n = 1; n < 1000; n++) {
		if (snprintf(aside, sizeof(aside), "%.200s.displaced-%u", name, n) >= (int)sizeof(aside))
			return -ENAMETOOLONG;
		if (renameat2(parent, name, parent, aside, RENAME_NOREPLACE) == 0) {
			say_event(t->sock, "displaced", dst, aside);
			return 0;
		}
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

static bool right_type(const struct stat *st, bool dir)
{
	return dir ? S_ISDIR(st->st_mode) : !S_ISDIR(st->st_mode) && !S_ISLNK(st->st_mode);
}

static bool fits(int fd, bool dir)
{
	struct stat st;

	return fstat(fd, &st) == 0 && right_type(&st, dir);
}

static int make(int parent, const char *name, bool dir, mode_t mode)
{
	int fd;

	if (dir)
		return mkdirat(parent, name, mode) < 0 ? -errno : 0;
	fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;
	fd_close(fd);
	return 0;
}

/* One component below parent, as wanted: found, made, or what is there moved aside. */
static int step(const struct target *t, int parent, const char *name, bool dir, mode_t mode, bool hostile, const char *dst)
{
	for (int i = 0; i < TRIES; i++) {
		int r, fd = openat2_beneath(parent, name, O_PATH | O_NOFOLLOW, 0);

		if (fd >= 0 && fits(fd, dir))
			return fd;
		if (fd >= 0) {
			fd_close(fd);
			r = hostile ? displace(t, parent, name, dst) : dir ? -ENOTDIR : -EISDIR;
		} else {
			r = fd == -ENOENT ? make(parent, name, dir, mode) : fd;
		}
		if (r < 0 && r != -EEXIST && r != -ENOENT)
			return r;
	}
	return -EBUSY;
}

static int explain(int error, const char *dst, struct fail *f)
{
	int r = fail_set(f, -error, "cannot make a mount point inside the sandbox, '%s'", dst);

	if (error == -EROFS)
		fail_hint(f, "it lies in something that is read-only inside; make the path on the host first");
	else if (error == -EACCES || error == -EPERM)
		fail_hint(f, "a directory above it cannot be written; make the path on the host first");
	return r;
}

/* Walks all components; the last is of the wanted type and mode, those above it directories of 0755. */
static int walk(const struct target *t, const char *dst, bool dir, mode_t mode, bool hostile, struct fail *f)
{
	_cleanup_close_ int at = fcntl(t->root, F_DUPFD_CLOEXEC, 0);
	const char *c = target_relative(dst);

	if (at < 0)
		return explain(-errno, dst, f);
	while (*c) {
		size_t n = strcspn(c, "/");
		const char *next = target_relative(c + n);
		char name[NAME_MAX + 1];
		int fd;

		if (n > NAME_MAX)
			return explain(-ENAMETOOLONG, dst, f);
		memcpy(name, c, n);
		name[n] = 0;
		fd = step(t, at, name, *next ? true : dir, *next ? 0755 : mode, hostile, dst);
		if (fd < 0)
			return explain(fd, dst, f);
		fd_close(at);
		at = fd;
		c = next;
	}
	return TAKE_FD(at);
}

int target_make(const struct target *t, const char *dst, bool dir, mode_t mode, bool hostile, struct fail *f)
{
	int fd = openat2_beneath(t->root, target_relative(dst), O_PATH | O_NOFOLLOW, 0);

	if (fd >= 0 && fits(fd, dir))
		return fd;
	fd_close(fd);
	return walk(t, dst, dir, mode, hostile, f);
}

static void forget(struct target *t)
{
	t->dir = NULL;
	t->dir_fd = fd_close(t->dir_fd);
}

int target_parent(struct target *t, const char *dst, bool hostile, const char **ret_name, struct fail *f)
{
	const char *name = strrchr(dst, '/') + 1;
	size_t n = (size_t)(name - dst);
	_cleanup_free_ char *parent = NULL;

	if (!*name)
		return fail_set(f, EINVAL, "cannot make '%s'", dst);
	*ret_name = name;
	if (!hostile && t->dir && t->dir_len == n && !memcmp(t->dir, dst, n))
		return t->dir_fd;
	forget(t);
	parent = strndup(dst, n);
	if (!parent)
		return fail_set(f, ENOMEM, "cannot make '%s'", dst);
	t->dir_fd = target_make(t, parent, true, 0755, hostile, f);
	if (t->dir_fd >= 0 && !hostile) {
		t->dir = dst;
		t->dir_len = n;
	}
	return t->dir_fd;
}

int target_free(struct target *t, const char *dst, bool hostile, const char **ret_name, struct fail *f)
{
	int fd = target_parent(t, dst, hostile, ret_name, f), r;
	struct stat st;

	if (fd < 0 || !hostile || fstatat(fd, *ret_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fd;
	r = displace(t, fd, *ret_name, dst);
	return r < 0 ? explain(r, dst, f) : fd;
}

int target_place(struct target *t, const char *dst, bool dir, mode_t mode, const char **ret_name, struct fail *f)
{
	int fd = target_parent(t, dst, false, ret_name, f), r;
	struct stat st;

	if (fd < 0)
		return fd;
	r = make(fd, *ret_name, dir, mode);
	if (r == -EEXIST) {
		r = fstatat(fd, *ret_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
		if (r == 0 && !right_type(&st, dir))
			r = dir ? -ENOTDIR : -EISDIR;
	}
	return r < 0 ? explain(r, dst, f) : fd;
}

void target_mounted(struct target *t, const char *dst)
{
	size_t n = strlen(dst);

	while (n > 1 && dst[n - 1] == '/')
		n--;
	if (t->dir && t->dir_len > n && !memcmp(t->dir, dst, n) && (n == 1 || t->dir[n] == '/'))
		forget(t);
}
