/* What was there before the sandbox is left alone, and what is new is vetted. rename(2) renews the ctime of what is
 * renamed, but of nothing that lies in it: a directory that an earlier session filled becomes a git directory by one
 * rename. So a thing is old where nothing on the way to it is new. Everyday work renews the directories on the way too:
 * the answer is found when a thing is first seen, and holds for that inode. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "guard/sentry.h"

#define AGES_MAX 4096

bool age_before(const struct sentry *s, const struct stat *st)
{
	const struct timespec *t = &st->st_ctim;

	return t->tv_sec < s->begin.tv_sec || (t->tv_sec == s->begin.tv_sec && t->tv_nsec < s->begin.tv_nsec);
}

/* rel and every directory between it and the root. */
static bool way_is_old(const struct sentry *s, int root, const char *rel)
{
	for (const char *p = rel; *p;) {
		size_t n = strcspn(p, "/");
		_cleanup_free_ char *part = strndup(rel, (size_t)(p - rel) + n);
		struct stat st;

		if (!part || sentry_stat(s, root, part, &st) < 0 || !age_before(s, &st))
			return false;
		p += n + (p[n] == '/');
	}
	return true;
}

static bool judge(struct sentry *s, int root, const char *rel, bool may_be_old)
{
	struct age *v;
	struct stat st;

	if (sentry_stat(s, root, rel, &st) < 0)
		return false;
	for (size_t i = 0; i < s->nages; i++)
		if (s->ages[i].root == root && strcmp(s->ages[i].path, rel) == 0)
			return s->ages[i].old && s->ages[i].dev == st.st_dev && s->ages[i].ino == st.st_ino;
	if (s->nages >= AGES_MAX)
		return false;
	v = realloc(s->ages, (s->nages + 1) * sizeof(*v));
	if (!v)
		return false;
	s->ages = v;
	v[s->nages] = (struct age){ .path = strdup(rel), .root = root, .dev = st.st_dev, .ino = st.st_ino,
				    .old = may_be_old && way_is_old(s, root, rel) };
	if (!v[s->nages].path)
		return false;
	return v[s->nages++].old;
}

bool age_is_old(struct sentry *s, int root, const char *rel)
{
	return judge(s, root, rel, true);
}

void age_set_new(struct sentry *s, int root, const char *rel)
{
	(void)judge(s, root, rel, false);
}
