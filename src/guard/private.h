/* The room's own parts. */
#pragma once

#include <dirent.h>
#include <stdbool.h>

#include "base/buf.h"
#include "guard/guard.h"
#include "wire/gitconf.h"

/* Locks this process up for good (kernel/isolate.h): what lies beneath readable[] can be read, beneath writable[] also
 * made, renamed, removed and written; absent paths are passed over. 0 or negative errno. */
int guard_lock(char *const *readable, char *const *writable, bool watcher);

/* What the child says: records of one letter and a string, NUL-terminated. */
enum {
	SAY_GITDIR = 'D', SAY_HEAD = 'H', SAY_CONFIG = 'c', SAY_HOOKS = 'h', SAY_GUARD = 'g', SAY_PIN = 'p', SAY_ABSENT = 'a',
	SAY_NOTE = 'n',
};

/* A walk that collects what is to be guarded. Names of the project are hostile; nothing is opened but directories,
 * regular files and links. */
struct finder {
	const char *project; /* real */
	const char *common;  /* outside the project, or NULL */
	const char *gitdir;  /* the project's own git directory where it lies in common (a linked worktree), or NULL */
	const char *root;    /* a nested repository's top while it is looked at: parents above it are not pinned, because
			      * each pin is a mount that rename(2) does not cross; or NULL */
	struct buf *out;     /* records; its maximum bounds everything */
	unsigned depth;	     /* of includes and modules */
	unsigned ngitdirs;
	uint64_t deadline;   /* CLOCK_MONOTONIC ms: the walk for nested repositories ends there */
	unsigned entries;
};

#define FINDER_OUT_MAX (512U << 10)
#define FINDER_GITDIRS 96

void finder_say(struct finder *f, char kind, const char *s);
void finder_note(struct finder *f, const char *fmt, ...) _printf_(2, 3);
bool finder_inside(const struct finder *f, const char *path);
/* Guards path and pins its parents, through links that stay inside (each link is guarded too); an absent one becomes an
 * absent name. A path outside is left alone. The last part as kind says: SAY_GUARD, SAY_HOOKS or SAY_PIN. */
void finder_path(struct finder *f, const char *path, char kind);
/* The project's own repository, its submodules, nested ones. */
void finder_repository(struct finder *f);
/* What a configuration file of the host (global or a repository's) names inside the project. base: the directory that
 * relative hook and program paths count from. */
void finder_config(struct finder *f, const char *file, const struct gitconf *c, const char *base);
/* Reads and parses a file; NULL where it is absent, unreadable or bad (*ret_bad). */
struct gitconf *finder_read_config(const char *file, bool *ret_bad);

/* Reads "gitdir: PATH" of a gitfile (gitrepository-layout(5)): an absolute path, links not resolved. Caller frees;
 * NULL where the file is none. */
char *gitfile_read(const char *file);

/* The private copies (private_dir/rw/SLOT/{config,hooks}, private_dir/meta/SLOT.*). *ret: the slot's name, caller
 * frees. */
int private_config(const char *private_dir, const char *config, char **ret, struct fail *f);
int private_hooks(const char *private_dir, const char *hooks, char **ret, struct fail *f);

/* 0, or -EINVAL with f: a file among guards (or directly in a directory of them) has another name in the project that no
 * guard holds. */
int names_check(const char *project, char *const *guards, struct fail *f);
