/* cs-guard's inside: the watcher on the host. sentry.c is the loop and the tree of watched directories, take.c moves
 * things into quarantine, vet.c judges git directories, links.c counts hard links. Everything is addressed by paths
 * relative to one of two roots and opened beneath it without following links: the tree changes under our feet. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "base/buf.h"

#define SENTRY_NODES   16384
#define SENTRY_BUCKETS 4096

enum node_flag {
	NODE_GITDIR = 1,    /* a git directory to be vetted */
	NODE_KNOWN = 2,	    /* guarded by mounts: only what is new in it is vetted */
	NODE_HOOKS = 4,	    /* hooks of a git directory that is not known */
	NODE_MODULES = 8,   /* modules of one: git directories at any depth */
	NODE_WORKTREES = 16,
	NODE_WORKTREE = 32, /* worktrees/NAME */
	NODE_LINKS = 64,    /* of the queue alone: not watched, hard links are counted */
	NODE_WITHIN = 128,  /* within a git directory: refs, logs and what git puts beside them */
	NODE_LEAF = 256,    /* its directories are not watched (objects) */
};

struct node {
	char *path; /* relative to its root, "" for the root itself */
	int root;   /* 0: the project, 1: common */
	int wd;
	int next; /* in the bucket, -1 */
	unsigned flags;
};

struct old_config { /* how a pre-existing nested repository's config looked */
	char *path, *text;
	int root;
	size_t len;
};

struct queue {
	char **v; /* "<root digit><flags, 4 hex digits><path>" */
	size_t head, len, cap;
};

struct age { /* how old something was when it was first seen */
	char *path;
	int root;
	dev_t dev;
	ino_t ino;
	bool old;
};

struct late { /* an unlinked file on its way to a quarantine on another file system */
	int fd; /* 0 or -1: none */
	int64_t due;
	char as[320];
};

struct links;

struct sentry {
	char *roots[2]; /* absolute; roots[1] may be NULL */
	int root_fds[2];
	char *quarantine, *record; /* record: the name in quarantine of what we were started with */
	char session[32];	   /* begins the names in quarantine: several sandboxes share it */
	int quarantine_fd;
	int socket, pid1, inotify;
	bool socket_open; /* for reading */
	struct timespec end;   /* what is not older was not made by the sandbox; 0: it lives */
	struct timespec begin; /* what was born before was there before the sandbox */

	char **absent;	 /* absolute */
	char **gitdirs;	 /* absolute, known */
	char **heads;	 /* absolute git directories */
	char **head_texts; /* beside heads: the last good HEAD, or "" */

	struct node *nodes; /* nnodes used; free ones have wd -1 */
	int nnodes, cap;
	int bucket[SENTRY_BUCKETS];

	struct queue fresh, slow; /* directories to scan: those that just appeared, and those of a walk */
	bool walking;		  /* what is found now belongs to a walk */
	enum { WALK_TREE, WALK_LINKS, WALK_DONE } walk; /* all directories watched; then all hard links counted */
	bool git_lifted; /* guard = !.git */

	struct old_config *olds;
	size_t nolds;
	struct links *links;
	struct age *ages;
	size_t nages;

	struct late late[16];
	size_t nlate;		  /* all there were */
	unsigned seq, kept;	  /* of the quarantine */
	unsigned said, dropped;	  /* lines */
	bool limit_said, overflow;
	bool again; /* a queue was full: everything is walked once more */
	char **adopted;		  /* git directories that are watched and not known, absolute */
	char **targets;		  /* where gitfiles lead, absolute */
	char **indexes;		  /* git's, to be looked at: a root digit and a path each */
	int64_t index_due;	  /* CLOCK_MONOTONIC ms; 0: no term is set */
	char **changed;		  /* paths reported as changed */
};

/* sentry.c */
void sentry_say(struct sentry *s, const char *kind, const char *path, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* Opens a directory beneath a root, no links followed; flags O_PATH or O_RDONLY. Negative errno. */
int sentry_open_dir(const struct sentry *s, int root, const char *rel, int flags);
int sentry_stat(const struct sentry *s, int root, const char *rel, struct stat *st);
char *sentry_absolute(const struct sentry *s, int root, const char *rel); /* caller frees */
/* Which root holds the absolute normal path, and the rest; -1: none. */
int sentry_root_of(const struct sentry *s, const char *path, const char **ret_rel);
void sentry_enqueue(struct sentry *s, int root, const char *rel, unsigned flags);
int64_t sentry_now_ms(void); /* CLOCK_MONOTONIC */
char *sentry_join(const char *dir, const char *name);
/* Watches the directories that exist on the way to dir, and itself. */
void sentry_watch_way(struct sentry *s, int root, const char *dir);
void sentry_run(struct sentry *s); /* until pid 1 is dead */

/* take.c: away with a name. */
void take(struct sentry *s, int root, const char *dir, const char *name, const char *why);
/* Copies what is due (or all); ms until the next is, -1: there is none. */
int take_late_due(struct sentry *s, bool all);
void take_late(struct sentry *s, struct late *l);
/* A directory on its way across file systems, which a killed watcher left. */
#define TAKE_ASIDE ".claude-sandbox.aside-"
void take_leftover(struct sentry *s, int root, const char *dir, const char *name);

/* age.c: older than the sandbox? The first by its stamp alone; the second by that of every directory on the way too,
 * as they were when it was first asked. */
bool age_before(const struct sentry *s, const struct stat *st);
bool age_is_old(struct sentry *s, int root, const char *rel);
/* What was not seen before counts as new, whatever its stamps. */
void age_set_new(struct sentry *s, int root, const char *rel);

/* inside.c: names in a git directory. Indexes are collected, and looked at when a sequence of git's commands is over. */
void inside_link(struct sentry *s, int root, const char *dir, unsigned flags, const char *name);
void inside_index(struct sentry *s, int root, const char *dir, const char *name);
void inside_check_indexes(struct sentry *s);

/* vet.c */
/* Something stands on the way to where a gitfile leads, or there. True where it was taken; *ret_watch: a directory that
 * must be watched whatever its name. */
bool vet_way(struct sentry *s, int root, const char *dir, const char *name, const char *path, bool *ret_watch);
unsigned vet_adopted(const struct sentry *s, int root, const char *rel); /* its node_flags; 0: it is not adopted */
bool vet_is_known(const struct sentry *s, int root, const char *rel);
void vet_dotgit(struct sentry *s, int root, const char *dir);	  /* dir/.git came into being or changed */
void vet_layout(struct sentry *s, int root, const char *dir);	  /* HEAD, objects, refs, commondir in dir */
void vet_in_gitdir(struct sentry *s, int root, const char *dir, unsigned flags, const char *name);
void vet_whole(struct sentry *s, int root, const char *dir, unsigned flags);
void vet_head(struct sentry *s, const char *gitdir);

/* links.c */
struct links *links_new(void);
struct links *links_free(struct links *l);
void links_add(struct links *l, const struct stat *st, const char *path);
void links_report(struct sentry *s);
