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

struct links;

struct sentry {
	char *roots[2]; /* absolute; roots[1] may be NULL */
	int root_fds[2];
	char *quarantine, *record; /* record: the name in quarantine of what we were started with */
	char session[32];	   /* begins the names in quarantine: several sandboxes share it */
	int quarantine_fd;
	int socket, pid1, inotify;
	bool socket_open;
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

	unsigned seq, kept;	  /* of the quarantine */
	unsigned said, dropped;	  /* lines */
	bool limit_said, overflow;
	char **adopted;		  /* git directories that are watched and not known, absolute */
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
char *sentry_join(const char *dir, const char *name);
void sentry_run(struct sentry *s); /* until pid 1 is dead */

/* take.c: away with a name. */
void take(struct sentry *s, int root, const char *dir, const char *name, const char *why);

/* vet.c */
bool vet_is_adopted(const struct sentry *s, int root, const char *rel);
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
