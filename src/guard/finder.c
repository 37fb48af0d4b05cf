/* The walk over names: where a path leads, component by component, and what must be mounted so that it keeps leading
 * there. A guard holds a name only while its parents can't be renamed and no link on the way can be replaced: so
 * parents are pinned and links guarded themselves. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "guard/private.h"

#define LINKS_MAX 40

void finder_say(struct finder *f, char kind, const char *s)
{
	buf_putc(f->out, kind);
	buf_put(f->out, s, strlen(s) + 1);
}

void finder_note(struct finder *f, const char *fmt, ...)
{
	_cleanup_free_ char *s = NULL, *clean = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	clean = str_printable(s, strlen(s));
	if (clean)
		finder_say(f, SAY_NOTE, clean);
}

bool finder_inside(const struct finder *f, const char *path)
{
	return path_is_under(path, f->project) || (f->common && path_is_under(path, f->common));
}

/* The link's target as an absolute normal path; NULL where it cannot be read. */
static char *link_target(const char *link)
{
	_cleanup_free_ char *dir = path_dirname(link), *joined = NULL;
	char text[PATH_MAX];
	ssize_t n = readlink(link, text, sizeof(text) - 1);

	if (n <= 0 || !dir)
		return NULL;
	text[n] = 0;
	joined = path_join(dir, text);
	return joined ? path_normalize(joined) : NULL;
}

/* Where the components of a path stand. */
struct walk {
	char *path;  /* absolute, normal */
	size_t done; /* bytes of path that are walked and no link */
	unsigned links;
};

/* The end of the next component after done. */
static size_t next_end(const struct walk *w)
{
	size_t i = w->done + 1;

	return i + strcspn(w->path + i, "/");
}

/* Puts the target of the link that ends at end in the place of the link, and starts over. */
static int follow(struct walk *w, size_t end)
{
	_cleanup_free_ char *link = strndup(w->path, end), *target = NULL, *joined = NULL;

	target = link ? link_target(link) : NULL;
	if (!target || ++w->links > LINKS_MAX)
		return -ELOOP;
	joined = w->path[end] ? path_join(target, w->path + end + 1) : strdup(target);
	if (!joined)
		return -ENOMEM;
	free(w->path);
	w->path = path_normalize(joined);
	w->done = 0;
	return w->path ? 0 : -ENOMEM;
}

/* Where the walk to path begins: a nested repository's top, common or the project. */
static const char *root_of(const struct finder *f, const char *path)
{
	if (f->root && path_is_under(path, f->root))
		return f->root;
	if (f->common && path_is_under(path, f->common))
		return f->common;
	return path_is_under(path, f->project) ? f->project : NULL;
}

/* One component: 1 to go on, 0 at the end. */
static int step(struct finder *f, struct walk *w, char kind)
{
	_cleanup_free_ char *here = NULL;
	size_t end = next_end(w);
	struct stat st;

	here = strndup(w->path, end);
	if (!here)
		return -ENOMEM;
	if (lstat(here, &st) < 0) {
		if (errno == ENOENT)
			finder_say(f, SAY_ABSENT, w->path);
		return 0;
	}
	if (S_ISLNK(st.st_mode)) {
		finder_say(f, SAY_GUARD, here);
		return follow(w, end) < 0 ? 0 : 1;
	}
	if (!w->path[end]) {
		finder_say(f, kind == SAY_HOOKS && !S_ISDIR(st.st_mode) ? SAY_GUARD : kind, here);
		return 0;
	}
	if (!S_ISDIR(st.st_mode)) {
		/* something else stands where a directory should: as long as it stands, nothing is beneath */
		finder_say(f, SAY_GUARD, here);
		return 0;
	}
	finder_say(f, SAY_PIN, here);
	w->done = end;
	return 1;
}

void finder_path(struct finder *f, const char *path, char kind)
{
	struct walk w = { .path = path_normalize(path) };
	int r = 1;

	while (r > 0 && w.path) {
		if (!w.done) {
			const char *root = root_of(f, w.path);

			if (!root || strcmp(root, w.path) == 0)
				break;
			w.done = strlen(root);
		}
		r = step(f, &w, kind);
	}
	free(w.path);
}

char *gitfile_read(const char *file)
{
	_cleanup_free_ char *text = NULL, *dir = path_dirname(file), *joined = NULL;
	struct stat st;
	size_t n;

	if (!dir || lstat(file, &st) < 0 || !S_ISREG(st.st_mode) ||
	    fd_read_file(AT_FDCWD, file, PATH_MAX + 16, &text, &n) < 0)
		return NULL;
	if (strlen(text) != n || !str_startswith(text, "gitdir: "))
		return NULL;
	while (n && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		text[--n] = 0;
	joined = path_join(dir, text + 8);
	return joined ? path_normalize(joined) : NULL;
}

struct gitconf *finder_read_config(const char *file, bool *ret_bad)
{
	_cleanup_free_ char *text = NULL;
	struct gitconf *c = NULL;
	size_t n;
	int r = fd_read_file(AT_FDCWD, file, GITCONF_MAX, &text, &n);

	*ret_bad = r < 0 && r != -ENOENT;
	if (r < 0)
		return NULL;
	if (gitconf_parse(text, n, &c) < 0)
		*ret_bad = true;
	return c;
}
