/* Hard links: a file with more names than were found in the project has others outside, and writing it inside writes
 * them all. Counted during the first walk, reported at its end, a few by name and the rest by number. */
#include <string.h>

#include "base/str.h"
#include "guard/sentry.h"

#define LINKS_MAX   65536U
#define LINKS_NAMED 20

struct link {
	dev_t dev;
	ino_t ino;
	nlink_t total, seen;
	char *path; /* of the first one seen; the first LINKS_NAMED * 16 only */
};

struct links {
	struct link *slot; /* open addressing, LINKS_MAX * 2 */
	size_t n;
	bool full;
};

struct links *links_new(void)
{
	return calloc(1, sizeof(struct links));
}

struct links *links_free(struct links *l)
{
	if (!l)
		return NULL;
	for (size_t i = 0; l->slot && i < 2 * LINKS_MAX; i++)
		free(l->slot[i].path);
	free(l->slot);
	free(l);
	return NULL;
}

void links_add(struct links *l, const struct stat *st, const char *path)
{
	uint64_t key[2] = { st->st_dev, st->st_ino };
	size_t i;

	if (!l || !S_ISREG(st->st_mode) || st->st_nlink < 2)
		return;
	if (!l->slot)
		l->slot = calloc((size_t)2 * LINKS_MAX, sizeof(*l->slot));
	if (!l->slot)
		return;
	for (i = str_hash(key, sizeof(key)) % (2 * LINKS_MAX); l->slot[i].total; i = (i + 1) % (2 * LINKS_MAX)) {
		if (l->slot[i].ino == st->st_ino && l->slot[i].dev == st->st_dev) {
			l->slot[i].seen++;
			return;
		}
	}
	if (l->n >= LINKS_MAX) {
		l->full = true;
		return;
	}
	l->slot[i] = (struct link){ .dev = st->st_dev, .ino = st->st_ino, .total = st->st_nlink, .seen = 1 };
	if (l->n++ < (size_t)LINKS_NAMED * 16)
		l->slot[i].path = strdup(path);
}

void links_report(struct sentry *s)
{
	struct links *l = s->links;
	size_t outside = 0;

	for (size_t i = 0; l && l->slot && i < 2 * LINKS_MAX; i++) {
		const struct link *k = &l->slot[i];

		if (!k->total || k->seen >= k->total)
			continue;
		if (k->path && outside < LINKS_NAMED)
			sentry_say(s, "hardlink", k->path, "%lu of its names outside the project", (unsigned long)(k->total - k->seen));
		outside++;
	}
	if (outside > LINKS_NAMED)
		sentry_say(s, "hardlink", s->roots[0], "%zu files have names outside the project%s", outside,
			   l->full ? ", and more were not counted" : "");
	s->links = links_free(l);
}
