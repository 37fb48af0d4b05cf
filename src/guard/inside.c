/* What the host's git writes through and to when a git directory was prepared for it: links (a reflog is appended to
 * where .git/logs/HEAD leads, a commit's message is written where .git/COMMIT_EDITMSG leads), FIFOs, and indexes with
 * names that git itself would never put there. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "guard/sentry.h"
#include "wire/gitconf.h"
#include "wire/gitindex.h"

#define INDEX_BYTES (128U << 20)
#define INDEXES	    64

/* What `git init` makes for a moment, to see whether there are links at all: tXXXXXX -> testing. */
static bool is_probe(const struct sentry *s, int root, const char *dir, const char *name)
{
	_cleanup_close_ int at = name[0] == 't' && strlen(name) == 7 ? sentry_open_dir(s, root, dir, O_PATH) : -1;
	char text[16];

	return at >= 0 && readlinkat(at, name, text, sizeof(text)) == 7 && memcmp(text, "testing", 7) == 0;
}

void inside_link(struct sentry *s, int root, const char *dir, unsigned flags, const char *name)
{
	_cleanup_free_ char *rel = sentry_join(dir, name);
	struct stat st;

	if (!rel || sentry_stat(s, root, rel, &st) < 0 || !(S_ISLNK(st.st_mode) || S_ISFIFO(st.st_mode)))
		return;
	if (S_ISLNK(st.st_mode) && is_probe(s, root, dir, name))
		return;
	if (age_before(s, &st) && ((flags & NODE_KNOWN) || age_is_old(s, root, dir)))
		return;
	take(s, root, dir, name, S_ISLNK(st.st_mode) ? "a link in a git directory: git would write through it" : "a FIFO in a git directory");
}

static bool is_index(const char *name)
{
	return strcmp(name, "index") == 0 || str_startswith(name, "sharedindex.");
}

void inside_index(struct sentry *s, int root, const char *dir, const char *name)
{
	_cleanup_free_ char *entry = NULL;

	if (!is_index(name) || asprintf(&entry, "%c%s%s%s", '0' + root, dir, *dir ? "/" : "", name) < 0 ||
	    strv_contains(s->indexes, entry))
		return;
	if (strv_len(s->indexes) >= INDEXES)
		inside_check_indexes(s);
	(void)strv_add(&s->indexes, entry);
}

/* 32 where the repository's objects have SHA-256 names. dir: a git directory, maybe a worktree's. */
static size_t hash_size(const struct sentry *s, int root, const char *dir)
{
	static const char *const places[] = { "config", "../../config" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		_cleanup_free_ char *joined = sentry_join(dir, places[i]), *rel = joined ? path_normalize(joined) : NULL,
				    *parent = rel ? path_dirname(rel) : NULL, *text = NULL;
		_cleanup_close_ int at = parent ? sentry_open_dir(s, root, strchr(rel, '/') ? parent : "", O_PATH) : -1, fd = -1;
		_cleanup_gitconf_ struct gitconf *c = NULL;
		const char *format;
		size_t n;

		fd = at < 0 ? -1 : openat(at, "config", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0 || fd_read_fd(fd, GITCONF_MAX, &text, &n) < 0 || gitconf_parse(text, n, &c) < 0)
			continue;
		format = gitconf_get(c, "extensions.objectformat");
		return format && strcasecmp(format, "sha256") == 0 ? 32 : 20;
	}
	return 20;
}

/* 0 fine or not to be judged, else *ret_why. */
static int judge(struct sentry *s, int root, const char *dir, const char *name, char **ret_why)
{
	_cleanup_close_ int at = sentry_open_dir(s, root, dir, O_PATH), fd = -1;
	_cleanup_free_ char *bytes = NULL, *bad = NULL;
	struct stat st;
	size_t n = 0;
	int r;

	fd = at < 0 ? -1 : openat(at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || age_before(s, &st) || !S_ISREG(st.st_mode) || !st.st_size)
		return 0;
	r = fd_read_fd(fd, INDEX_BYTES, &bytes, &n);
	if (r == 0)
		r = gitindex_check(bytes, n, hash_size(s, root, dir), &bad);
	if (r == 0 || r == -ENOENT)
		return 0;
	if (r == 1)
		r = asprintf(ret_why, "an index with the name '%s'", bad);
	else
		r = asprintf(ret_why, "an index that git did not write: git reset makes it anew");
	return r < 0 ? 0 : 1;
}

void inside_check_indexes(struct sentry *s)
{
	char **v = s->indexes;

	s->indexes = NULL;
	for (char **p = v; p && *p; p++) {
		const char *rel = *p + 1, *name = path_basename(rel);
		_cleanup_free_ char *dir = name == rel ? strdup("") : strndup(rel, (size_t)(name - rel) - 1), *why = NULL;

		if (dir && judge(s, **p - '0', dir, name, &why))
			take(s, **p - '0', dir, name, why);
	}
	strv_free(v);
}
