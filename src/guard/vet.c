/* Judges git directories that come into being while the sandbox runs, by what the host's git would take from them:
 * configuration with keys that are not known to be harmless, hooks, pointers that lead elsewhere. The harmless ones that
 * `git init`, `clone`, `worktree add` and `submodule update` make stay; the offending file alone is taken away. */
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
#include "wire/gitconf.h"

#define SNAPSHOTS   256
#define ADOPTED_MAX 1024

/* Is path COMMON/worktrees/NAME? Then *ret_common is the length of COMMON. */
static bool is_worktree(const char *path, size_t *ret_common)
{
	const char *name = strrchr(path, '/');
	size_t n = name ? (size_t)(name - path) : 0;

	if (n < 11 || memcmp(path + n - 10, "/worktrees", 10) != 0)
		return false;
	*ret_common = n - 10;
	return true;
}

unsigned vet_adopted(const struct sentry *s, int root, const char *rel)
{
	_cleanup_free_ char *path = s->adopted ? sentry_absolute(s, root, rel) : NULL;
	size_t n;

	if (!path || !strv_contains(s->adopted, path))
		return 0;
	return is_worktree(path, &n) ? NODE_GITDIR | NODE_WORKTREE : NODE_GITDIR;
}

bool vet_is_known(const struct sentry *s, int root, const char *rel)
{
	_cleanup_free_ char *path = sentry_absolute(s, root, rel);

	return path && strv_contains(s->gitdirs, path);
}

/* A small file beneath dir, no links: 0 or negative errno; -ELOOP for a link or anything else that is no file. */
static int read_small(const struct sentry *s, int root, const char *dir, const char *name, size_t max, char **ret, size_t *ret_len,
		      struct stat *st)
{
	_cleanup_close_ int at = sentry_open_dir(s, root, dir, O_PATH), fd = -1;

	if (at < 0)
		return at;
	fd = openat(at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, st) < 0 || !S_ISREG(st->st_mode))
		return -ELOOP;
	return fd_read_fd(fd, max, ret, ret_len);
}

/* Is what st describes, of this git directory, older than the sandbox? */
static bool before(struct sentry *s, int root, const char *gitdir, const struct stat *st)
{
	return age_before(s, st) && (vet_is_known(s, root, gitdir) || age_is_old(s, root, gitdir));
}

/* core.worktree must stay in the project. */
static bool worktree_inside(const struct sentry *s, int root, const char *gitdir, const char *value)
{
	_cleanup_free_ char *base = sentry_absolute(s, root, gitdir), *joined = base ? path_join(base, value) : NULL,
			    *path = joined ? path_normalize(joined) : NULL;
	const char *rel;

	return path && sentry_root_of(s, path, &rel) >= 0;
}

static bool entry_known(const struct gitconf *c, const struct gitconf_entry *e)
{
	for (size_t i = 0; c && i < c->n; i++)
		if (strcmp(c->entries[i].key, e->key) == 0 && str_eq(c->entries[i].value, e->value))
			return true;
	return false;
}

static bool entry_allowed(const struct sentry *s, int root, const char *gitdir, const struct gitconf_entry *e,
			  const struct gitconf *old)
{
	if (strcmp(e->key, "core.worktree") == 0 && e->value && worktree_inside(s, root, gitdir, e->value))
		return true;
	return entry_known(old, e) || gitconf_harmless(e);
}

/* The first key that is not harmless and was not there before; NULL: none. c is NULL for what is no configuration. */
static const char *first_offence(const struct sentry *s, int root, const char *gitdir, const struct gitconf *c,
				 const struct gitconf *old)
{
	for (size_t i = 0; c && i < c->n; i++)
		if (!entry_allowed(s, root, gitdir, &c->entries[i], old))
			return c->entries[i].key;
	return c ? NULL : "not a file in git's syntax";
}

static struct old_config *find_old(struct sentry *s, int root, const char *path)
{
	for (size_t i = 0; i < s->nolds; i++)
		if (s->olds[i].root == root && strcmp(s->olds[i].path, path) == 0)
			return &s->olds[i];
	return NULL;
}

static void remember_old(struct sentry *s, int root, const char *path, char *text, size_t n)
{
	struct old_config *o = find_old(s, root, path), *p;

	if (o || s->nolds >= SNAPSHOTS || n > 65536)
		return;
	p = realloc(s->olds, (s->nolds + 1) * sizeof(*p));
	if (!p)
		return;
	s->olds = p;
	s->olds[s->nolds++] = (struct old_config){ .path = strdup(path), .text = strndup(text, n), .root = root, .len = n };
}

static void put_back(struct sentry *s, int root, const char *dir, const char *name, const char *text, size_t n, const char *what)
{
	_cleanup_close_ int at = sentry_open_dir(s, root, dir, O_PATH), fd = -1;
	_cleanup_free_ char *rel = sentry_join(dir, name), *path = rel ? sentry_absolute(s, root, rel) : NULL;

	if (at < 0 || !path)
		return;
	fd = openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd >= 0 && fd_write_all(fd, text, n) == 0)
		sentry_say(s, "restored", path, "%s", what);
}

/* In the place of a configuration that was taken away: the snapshot where there is one, else what was harmless in it. */
static void replace_config(struct sentry *s, int root, const char *dir, const char *name, const struct gitconf *c,
			   const struct old_config *o)
{
	_cleanup_buf_ struct buf b = BUF_INIT(GITCONF_MAX);

	if (o) {
		if (o->text)
			put_back(s, root, dir, name, o->text, o->len, "as it was before the session");
		return;
	}
	for (size_t i = 0; c && i < c->n; i++)
		if (entry_allowed(s, root, dir, &c->entries[i], NULL))
			(void)gitconf_write(&b, &c->entries[i]);
	if (b.len && !b.error)
		put_back(s, root, dir, name, b.data, b.len, "without what could run something");
}

static void vet_config(struct sentry *s, int root, const char *dir, const char *name)
{
	_cleanup_free_ char *rel = sentry_join(dir, name), *text = NULL, *why = NULL;
	_cleanup_gitconf_ struct gitconf *old = NULL, *c = NULL;
	const struct old_config *o;
	const char *offence;
	struct stat st;
	size_t n = 0;
	int r = rel ? read_small(s, root, dir, name, GITCONF_MAX, &text, &n, &st) : -ENOMEM;

	if (r == -ENOENT || r == -ENOTDIR || r == -ENOMEM)
		return;
	o = find_old(s, root, rel);
	if (r == 0 && !o && before(s, root, dir, &st)) {
		remember_old(s, root, rel, text, n);
		return;
	}
	if (o)
		(void)gitconf_parse(o->text, o->len, &old);
	if (r == 0)
		(void)gitconf_parse(text, n, &c);
	offence = first_offence(s, root, dir, c, old);
	if (!offence || asprintf(&why, "git configuration: %s", offence) < 0)
		return;
	take(s, root, dir, name, why);
	replace_config(s, root, dir, name, c, o);
}

/* dir/hooks/name: anything that git could run. */
static void vet_hook(struct sentry *s, int root, const char *hooks, const char *name)
{
	_cleanup_close_ int at = sentry_open_dir(s, root, hooks, O_PATH);
	_cleanup_free_ char *gitdir = strchr(hooks, '/') ? path_dirname(hooks) : strdup("");
	struct stat st, all;

	if (at < 0 || !gitdir || fstat(at, &all) < 0 || name[0] == '.' || str_endswith(name, ".sample") ||
	    fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	/* the directory may have been renamed to be this one, with old files in it */
	if (S_ISDIR(st.st_mode) || (age_before(s, &all) && before(s, root, gitdir, &st)))
		return;
	take(s, root, hooks, name, "a git hook in a new repository");
}

static void each_name(struct sentry *s, int root, const char *dir, void (*fn)(struct sentry *, int, const char *, const char *))
{
	int fd = sentry_open_dir(s, root, dir, O_RDONLY);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	unsigned n = 0;

	if (!d) {
		fd_close(fd);
		return;
	}
	for (struct dirent *e; (e = readdir(d)) && ++n < 4096;)
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			fn(s, root, dir, e->d_name);
	closedir(d);
}

static void vet_hooks(struct sentry *s, int root, const char *gitdir)
{
	_cleanup_free_ char *hooks = sentry_join(gitdir, "hooks");
	struct stat st;

	if (!hooks || sentry_stat(s, root, hooks, &st) < 0)
		return;
	if (!S_ISDIR(st.st_mode)) {
		if (!before(s, root, gitdir, &st))
			take(s, root, gitdir, "hooks", "git hooks that are no directory");
		return;
	}
	each_name(s, root, hooks, vet_hook);
	sentry_enqueue(s, root, hooks, NODE_HOOKS);
}

/* A pointer to where the configuration is: right in worktrees/NAME alone, and only "../..". */
static void vet_commondir(struct sentry *s, int root, const char *dir, unsigned flags)
{
	_cleanup_free_ char *text = NULL;
	struct stat st;
	size_t n = 0;
	int r = read_small(s, root, dir, "commondir", 4096, &text, &n, &st);

	if (r == -ENOENT || (r == 0 && before(s, root, dir, &st)))
		return;
	if (r == 0 && (flags & NODE_WORKTREE) && (strcmp(text, "../..\n") == 0 || strcmp(text, "../..") == 0 || n == 0))
		return;
	take(s, root, dir, "commondir", "makes git read another configuration");
}

void vet_in_gitdir(struct sentry *s, int root, const char *dir, unsigned flags, const char *name)
{
	if (flags & NODE_HOOKS) {
		vet_hook(s, root, dir, name);
		return;
	}
	inside_link(s, root, dir, flags, name);
	if (flags & NODE_WITHIN)
		return;
	inside_index(s, root, dir, name);
	if (strcmp(name, "config.worktree") == 0)
		vet_config(s, root, dir, name);
	if (!(flags & NODE_KNOWN)) {
		if (strcmp(name, "config") == 0)
			vet_config(s, root, dir, name);
		else if (strcmp(name, "commondir") == 0)
			vet_commondir(s, root, dir, flags);
		else if (strcmp(name, "hooks") == 0)
			vet_hooks(s, root, dir);
	}
	if (strcmp(name, "modules") == 0 || strcmp(name, "worktrees") == 0) {
		_cleanup_free_ char *sub = sentry_join(dir, name);

		if (sub)
			sentry_enqueue(s, root, sub, strcmp(name, "modules") == 0 ? NODE_MODULES : NODE_WORKTREES);
	}
}

void vet_whole(struct sentry *s, int root, const char *dir, unsigned flags)
{
	static const char *const names[] = { "commondir", "config", "config.worktree", "hooks", "index", "modules", "worktrees" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		vet_in_gitdir(s, root, dir, flags, names[i]);
}

/* A git directory that is not known: watched from now on. what: as it is reported, once; NULL: not at all. */
static void adopt(struct sentry *s, int root, const char *dir, const char *what)
{
	_cleanup_free_ char *path = sentry_absolute(s, root, dir), *common = NULL;
	unsigned flags = 0;
	const char *rel;
	size_t n;

	if (!path || strv_contains(s->gitdirs, path))
		return;
	if (is_worktree(path, &n)) {
		flags = NODE_WORKTREE;
		common = strndup(path, n);
	}
	if (!strv_contains(s->adopted, path)) {
		if (strv_len(s->adopted) < ADOPTED_MAX)
			strv_add(&s->adopted, path);
		if (what)
			sentry_say(s, "nested", path, "%s", what);
		/* where its configuration is, whatever that directory looks like */
		if (common && sentry_root_of(s, common, &rel) == root)
			adopt(s, root, rel, NULL);
	}
	vet_whole(s, root, dir, flags);
	sentry_enqueue(s, root, dir, NODE_GITDIR | flags);
}

/* What a gitfile or a link says, absolute and normal. NULL: nothing (yet) that git would follow, or *ret_why: a gitfile
 * such as git does not write (its path is read to the end of the file, newlines and all). */
static char *dotgit_target(struct sentry *s, int root, const char *dir, const struct stat *st, const char **ret_why)
{
	_cleanup_close_ int at = sentry_open_dir(s, root, dir, O_PATH);
	_cleanup_free_ char *text = NULL, *base = sentry_absolute(s, root, dir), *joined = NULL;
	char link[PATH_MAX];
	struct stat ignored;
	size_t n = 0;
	ssize_t k;
	int r;

	if (at < 0 || !base)
		return NULL;
	if (S_ISLNK(st->st_mode)) {
		k = readlinkat(at, ".git", link, sizeof(link) - 1);
		if (k <= 0)
			return NULL;
		link[k] = 0;
		joined = path_join(base, link);
		return joined ? path_normalize(joined) : NULL;
	}
	r = read_small(s, root, dir, ".git", 8192, &text, &n, &ignored);
	if (r == -EFBIG)
		*ret_why = "a gitfile such as git does not write";
	if (r < 0 || !str_startswith(text, "gitdir: "))
		return NULL;
	while (n && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		text[--n] = 0;
	if (strlen(text) != n || strpbrk(text, "\r\n")) {
		*ret_why = "a gitfile such as git does not write";
		return NULL;
	}
	joined = path_join(base, text + 8);
	return joined ? path_normalize(joined) : NULL;
}

/* Where git goes from here must be seen whatever happens to the directories on the way, and hold no link. */
static const char *follow(struct sentry *s, const char *target)
{
	const char *rel;
	struct stat st;
	int root = sentry_root_of(s, target, &rel);
	_cleanup_close_ int fd = root < 0 ? -1 : sentry_open_dir(s, root, rel, O_PATH);

	if (root < 0)
		return "leads git out of the project";
	if (fd == -ELOOP || (fd < 0 && sentry_stat(s, root, rel, &st) == 0))
		return "leads git through a link";
	if (!strv_contains(s->gitdirs, target) && !strv_contains(s->targets, target)) {
		if (strv_len(s->targets) >= ADOPTED_MAX)
			return "one gitfile too many";
		strv_add(&s->targets, target);
		sentry_watch_way(s, root, rel);
		age_set_new(s, root, rel);
	}
	adopt(s, root, rel, NULL);
	return NULL;
}

void vet_dotgit(struct sentry *s, int root, const char *dir)
{
	_cleanup_free_ char *dot = sentry_join(dir, ".git"), *target = NULL, *path = dot ? sentry_absolute(s, root, dot) : NULL;
	const char *why = NULL;
	struct stat st;

	if (!path || s->git_lifted || sentry_stat(s, root, dot, &st) < 0 || strv_contains(s->gitdirs, path))
		return;
	if (S_ISDIR(st.st_mode)) {
		adopt(s, root, dot, "a repository");
		return;
	}
	if (age_before(s, &st) && age_is_old(s, root, dot))
		return;
	target = dotgit_target(s, root, dir, &st, &why);
	if (target)
		why = follow(s, target);
	if (why)
		take(s, root, dir, ".git", why);
}

bool vet_way(struct sentry *s, int root, const char *dir, const char *name, const char *path, bool *ret_watch)
{
	_cleanup_free_ char *rel = NULL;
	struct stat st;

	for (char **t = s->targets; t && *t; t++) {
		const char *below = path_below(*t, path);

		if (!below)
			continue;
		rel = rel ? rel : sentry_join(dir, name);
		if (!rel || sentry_stat(s, root, rel, &st) < 0)
			return false;
		if (S_ISLNK(st.st_mode) || (!*below && !S_ISDIR(st.st_mode) && strcmp(name, ".git") != 0)) {
			take(s, root, dir, name, "stands where a gitfile leads");
			return true;
		}
		*ret_watch = S_ISDIR(st.st_mode);
	}
	return false;
}

static bool exists(const struct sentry *s, int root, const char *dir, const char *name)
{
	_cleanup_free_ char *rel = sentry_join(dir, name);
	struct stat st;

	return rel && sentry_stat(s, root, rel, &st) == 0;
}

void vet_layout(struct sentry *s, int root, const char *dir)
{
	_cleanup_free_ char *path = sentry_absolute(s, root, dir);

	if (!path || s->git_lifted || strv_contains(s->gitdirs, path) || !exists(s, root, dir, "HEAD"))
		return;
	if (!exists(s, root, dir, "commondir") && !(exists(s, root, dir, "objects") && exists(s, root, dir, "refs")))
		return;
	if (!*dir && strv_len(s->heads)) {
		/* the project's top beside a .git: git looks here as soon as that is broken */
		take(s, root, dir, "HEAD", "makes the project's top a bare repository");
		return;
	}
	if (!strv_contains(s->adopted, path))
		adopt(s, root, dir, "a bare repository");
}

static bool head_good(const char *text, size_t n)
{
	size_t k = strspn(text, "0123456789abcdef");

	if (strlen(text) != n)
		return false;
	return str_startswith(text, "ref: refs/") || ((k == 40 || k == 64) && (!text[k] || text[k] == '\n'));
}

/* HEAD of the project's own git directory must stay a HEAD: without it git looks for a repository elsewhere. */
void vet_head(struct sentry *s, const char *gitdir)
{
	_cleanup_close_ int at = -1, fd = -1;
	_cleanup_free_ char *text = NULL;
	const char *rel;
	int root = sentry_root_of(s, gitdir, &rel), r;
	struct stat st;
	size_t i, n = 0;

	for (i = 0; s->heads && s->heads[i] && strcmp(s->heads[i], gitdir); i++)
		;
	if (root < 0 || !s->heads || !s->heads[i])
		return;
	r = read_small(s, root, rel, "HEAD", 4096, &text, &n, &st);
	if (r == 0 && head_good(text, n)) {
		free(s->head_texts[i]);
		s->head_texts[i] = TAKE_PTR(text);
		return;
	}
	if (!head_good(s->head_texts[i], strlen(s->head_texts[i])))
		return;
	if (r != -ENOENT)
		take(s, root, rel, "HEAD", "not a HEAD that git accepts");
	at = sentry_open_dir(s, root, rel, O_PATH);
	fd = at < 0 ? -1 : openat(at, "HEAD", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd >= 0 && fd_write_all(fd, s->head_texts[i], strlen(s->head_texts[i])) == 0)
		sentry_say(s, "restored", gitdir, "HEAD");
}
