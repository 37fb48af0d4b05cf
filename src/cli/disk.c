#include "cli/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/path.h"
#include "base/str.h"
#include "engine/home.h"

const char *disk_kind_name(enum disk_kind k)
{
	static const char *const names[] = {
		[DISK_HOME] = "home",	    [DISK_COPY] = "copy",	      [DISK_AGENT] = "agent",	      [DISK_IMAGE] = "image",
		[DISK_GIT] = "git",	    [DISK_QUARANTINE] = "quarantine", [DISK_AUDIT] = "audit",
		[DISK_RUNTIME] = "runtime", [DISK_OTHER] = "other",
	};

	return names[k];
}

uint64_t disk_usage(const char *path)
{
	char *roots[] = { (char *)(uintptr_t)path, NULL };
	FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
	uint64_t total = 0;

	if (!fts)
		return 0;
	for (FTSENT *e; (e = fts_read(fts));) {
		if (e->fts_info == FTS_DP || e->fts_info == FTS_NS || e->fts_info == FTS_ERR || e->fts_info == FTS_DNR)
			continue;
		/* a file of several names counts once over all of them */
		total += (uint64_t)e->fts_statp->st_blocks * 512 /
			 (S_ISDIR(e->fts_statp->st_mode) || !e->fts_statp->st_nlink ? 1 : e->fts_statp->st_nlink);
	}
	fts_close(fts);
	return total;
}

static int add(struct disk *d, enum disk_kind kind, const char *dir, const char *name)
{
	struct disk_item *items = realloc(d->items, (d->nitems + 1) * sizeof(*items));
	struct disk_item *i;
	struct stat st;

	if (!items)
		return -ENOMEM;
	d->items = items;
	i = &items[d->nitems];
	*i = (struct disk_item){ .kind = kind, .name = strdup(name), .path = path_join(dir, name) };
	d->nitems++;
	if (!i->name || !i->path)
		return -ENOMEM;
	if (lstat(i->path, &st) == 0)
		i->newest = (int64_t)MAX(st.st_ctim.tv_sec, st.st_mtim.tv_sec) * 1000;
	i->bytes = disk_usage(i->path);
	if (kind == DISK_HOME)
		i->owner = home_owner(name);
	return 0;
}

/* Every entry of dir but those that skip() wants passed over. An absent directory has none. */
static int add_entries(struct disk *d, enum disk_kind kind, const char *top, const char *below)
{
	_cleanup_free_ char *dir = path_join(top, below);
	DIR *dp;
	int r = 0;

	if (!dir)
		return -ENOMEM;
	dp = opendir(dir);
	if (!dp)
		return errno == ENOENT ? 0 : -errno;
	for (const struct dirent *e; r == 0 && (e = readdir(dp));) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (kind == DISK_HOME && str_endswith(e->d_name, ".owner"))
			continue;
		r = add(d, kind, dir, e->d_name);
	}
	closedir(dp);
	return r;
}

struct place {
	const char *name;
	enum disk_kind kind;
};

/* The entries of a directory of ours by what they are: a known directory's own entries, or the entry itself. */
static int add_top(struct disk *d, enum path_xdg which, const struct place *known)
{
	_cleanup_free_ char *top = NULL;
	DIR *dp;
	int r = path_xdg(which, &top);

	if (r < 0)
		return r;
	dp = opendir(top);
	if (!dp)
		return errno == ENOENT ? 0 : -errno;
	for (const struct dirent *e; r == 0 && (e = readdir(dp));) {
		const struct place *p = known;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		while (p->name && strcmp(p->name, e->d_name) != 0)
			p++;
		if (p->name)
			r = add_entries(d, p->kind, top, p->name);
		else
			r = add(d,
				str_startswith(e->d_name, "audit.db") ? DISK_AUDIT
				: which == PATH_RUNTIME		      ? DISK_RUNTIME
								      : DISK_OTHER,
				top, e->d_name);
	}
	closedir(dp);
	return r;
}

static int compare(const void *a, const void *b)
{
	const struct disk_item *x = a, *y = b;

	return x->kind != y->kind ? (int)x->kind - (int)y->kind : strcmp(x->path, y->path);
}

int disk_survey(struct disk *ret, struct fail *f)
{
	static const struct place data[] = {
		{ "homes", DISK_HOME }, { "copies", DISK_COPY }, { "agent", DISK_AGENT }, { "images", DISK_IMAGE }, { 0 }
	};
	static const struct place state[] = {
		{ "git", DISK_GIT }, { "quarantine", DISK_QUARANTINE }, { "run", DISK_RUNTIME }, { 0 }
	};
	static const struct place runtime[] = { { 0 } };
	struct disk d = { 0 };
	int r = add_top(&d, PATH_DATA, data);

	if (r == 0)
		r = add_top(&d, PATH_STATE, state);
	if (r == 0)
		r = add_top(&d, PATH_RUNTIME, runtime);
	if (r < 0) {
		disk_done(&d);
		return fail_set(f, -r, "cannot look at claude-sandbox's own directories");
	}
	if (d.nitems)
		qsort(d.items, d.nitems, sizeof(*d.items), compare);
	/* the runtime directory lies in the state directory where there is no XDG_RUNTIME_DIR: met twice */
	for (size_t i = 1; i < d.nitems;) {
		if (strcmp(d.items[i].path, d.items[i - 1].path) != 0) {
			i++;
			continue;
		}
		free(d.items[i].name);
		free(d.items[i].path);
		free(d.items[i].owner);
		memmove(&d.items[i], &d.items[i + 1], (d.nitems - i - 1) * sizeof(*d.items));
		d.nitems--;
	}
	*ret = d;
	return 0;
}

void disk_done(struct disk *d)
{
	for (size_t i = 0; i < d->nitems; i++) {
		free(d->items[i].name);
		free(d->items[i].path);
		free(d->items[i].owner);
	}
	free(d->items);
	*d = (struct disk){ 0 };
}
