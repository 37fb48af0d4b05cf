/* Takes a name away: a rename into the quarantine, which is one system call where both lie on one file system. Else a
 * file is opened, unlinked, and copied from the descriptor; a directory is first renamed to a name that nothing obeys.
 * What the sandbox makes faster than a person could want is not kept. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "guard/sentry.h"

#define KEEP_MAX  256
#define LATE_MS	  200
#define COPY_MAX  (64U << 20) /* bytes of one file */
#define COPY_TREE 4096	      /* entries of a directory */

static int copy_bytes(int in, int out)
{
	char chunk[65536];
	size_t total = 0;

	for (;;) {
		ssize_t n = read(in, chunk, sizeof(chunk));

		if (n <= 0)
			return n < 0 ? -errno : 0;
		total += (size_t)n;
		if (total > COPY_MAX)
			return -EFBIG;
		if (fd_write_all(out, chunk, (size_t)n) < 0)
			return -EIO;
	}
}

static int copy_file(int from, const char *name, int to, const char *as)
{
	_cleanup_close_ int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), out = -1;

	if (in < 0)
		return -errno;
	out = openat(to, as, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return out < 0 ? -errno : copy_bytes(in, out);
}

/* Unlinked at once, copied a little later: whoever has just created it is about to write it. */
static int unlink_file(struct sentry *s, int from, const char *name, const char *as)
{
	_cleanup_close_ int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct late *l = &s->late[s->nlate % ARRAY_SIZE(s->late)];

	if (unlinkat(from, name, 0) < 0)
		return -errno;
	if (in < 0)
		return 0;
	if (l->fd > 0)
		take_late(s, l);
	l->fd = TAKE_FD(in);
	l->due = sentry_now_ms() + LATE_MS;
	(void)snprintf(l->as, sizeof(l->as), "%s", as);
	s->nlate++;
	return 0;
}

void take_late(struct sentry *s, struct late *l)
{
	_cleanup_close_ int out = openat(s->quarantine_fd, l->as, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (out >= 0)
		(void)copy_bytes(l->fd, out);
	l->fd = fd_close(l->fd);
}

int take_late_due(struct sentry *s, bool all)
{
	int64_t now = sentry_now_ms(), next = -1;

	for (size_t i = 0; i < ARRAY_SIZE(s->late); i++) {
		struct late *l = &s->late[i];

		if (l->fd <= 0)
			continue;
		if (all || now >= l->due)
			take_late(s, l);
		else if (next < 0 || l->due - now < next)
			next = l->due - now;
	}
	return (int)next;
}

static int copy_link(int from, const char *name, int to, const char *as)
{
	char text[PATH_MAX];
	ssize_t n = readlinkat(from, name, text, sizeof(text) - 1);

	if (n < 0)
		return -errno;
	text[n] = 0;
	return symlinkat(text, to, as) < 0 ? -errno : 0;
}

/* Copies a directory, as far as it goes; what is neither file, link nor directory is left out. */
static void copy_tree(int from, const char *name, int to, const char *as, unsigned *count, unsigned depth)
{
	_cleanup_close_ int in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), out = -1;
	DIR *d;

	if (in < 0 || mkdirat(to, as, 0700) < 0)
		return;
	out = openat(to, as, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	d = out < 0 ? NULL : fdopendir(in);
	if (!d)
		return;
	(void)TAKE_FD(in);
	for (struct dirent *e; (e = readdir(d)) && ++*count < COPY_TREE;) {
		struct stat st;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISDIR(st.st_mode) && depth < 64)
			copy_tree(dirfd(d), e->d_name, out, e->d_name, count, depth + 1);
		else if (S_ISREG(st.st_mode))
			(void)copy_file(dirfd(d), e->d_name, out, e->d_name);
		else if (S_ISLNK(st.st_mode))
			(void)copy_link(dirfd(d), e->d_name, out, e->d_name);
	}
	closedir(d);
}

static int take_across(struct sentry *s, int dir, const char *name, const char *as, const struct stat *st)
{
	char aside[64];
	unsigned count = 0;
	int r;

	if (S_ISREG(st->st_mode))
		return unlink_file(s, dir, name, as);
	if (S_ISLNK(st->st_mode)) {
		r = copy_link(dir, name, s->quarantine_fd, as);
		return unlinkat(dir, name, 0) < 0 ? -errno : r;
	}
	if (!S_ISDIR(st->st_mode))
		return unlinkat(dir, name, 0) < 0 ? -errno : 0;
	(void)snprintf(aside, sizeof(aside), TAKE_ASIDE "%d-%u", (int)getpid(), s->seq);
	if (renameat2(dir, name, dir, aside, RENAME_NOREPLACE) < 0)
		return -errno;
	copy_tree(dir, aside, s->quarantine_fd, as, &count, 0);
	return path_remove_tree(dir, aside);
}

/* The directory, or the one that is to go, may have been made unwritable to keep us out. */
static int make_writable(int dir, const char *name)
{
	_cleanup_close_ int sub = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	const int fds[] = { dir, sub };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[i]);
		if (fds[i] >= 0 && fchmodat(AT_FDCWD, path, 0755, 0) < 0)
			r = -errno;
	}
	return r;
}

static bool after_end(const struct sentry *s, int dir, const char *name)
{
	struct stat st;

	if (!s->end.tv_sec || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	return st.st_ctim.tv_sec > s->end.tv_sec ||
	       (st.st_ctim.tv_sec == s->end.tv_sec && st.st_ctim.tv_nsec >= s->end.tv_nsec);
}

void take(struct sentry *s, int root, const char *dir, const char *name, const char *why)
{
	_cleanup_close_ int fd = sentry_open_dir(s, root, dir, O_PATH);
	_cleanup_free_ char *rel = sentry_join(dir, name), *path = rel ? sentry_absolute(s, root, rel) : NULL;
	bool keep = s->kept < KEEP_MAX;
	char as[320];
	struct stat st;
	int r = 0;

	(void)snprintf(as, sizeof(as), "%s-%04u-%.200s", s->session, ++s->seq, name);
	if (fd < 0 || after_end(s, fd, name))
		return;
	if (renameat2(fd, name, s->quarantine_fd, as, RENAME_NOREPLACE) < 0)
		r = -errno;
	if (r == -EACCES || r == -EPERM) {
		(void)make_writable(fd, name);
		r = renameat2(fd, name, s->quarantine_fd, as, RENAME_NOREPLACE) < 0 ? -errno : 0;
	}
	if (r == -EXDEV && fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		r = take_across(s, fd, name, as, &st);
	if (r == -ENOENT || !path)
		return;
	if (r < 0) {
		sentry_say(s, "failed", path, "cannot take it away (%s): %s", why, strerror(-r));
		return;
	}
	if (!keep) {
		(void)path_remove_tree(s->quarantine_fd, as);
		sentry_say(s, "refused", path, "%s", why);
		return;
	}
	s->kept++;
	sentry_say(s, "quarantined", path, "%s/%s (%s)", s->quarantine, as, why);
}

void take_leftover(struct sentry *s, int root, const char *dir, const char *name)
{
	_cleanup_close_ int fd = sentry_open_dir(s, root, dir, O_PATH);

	if (fd >= 0)
		(void)path_remove_tree(fd, name);
}
