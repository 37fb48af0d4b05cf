/* What is on this machine and in this project: everything the plan is composed from that configuration does not
 * say. Reads, never writes. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/fail.h"
#include "base/macro.h"

/* A directory or file of the real home (or anywhere) that is shown read-only inside. */
struct survey_show {
	char *src; /* on the host, real */
	char *dst; /* where it stands inside: as the user names it, which may lead there through links */
};

struct survey_tool {
	char *name;	/* "nvm": the file in data/toolchains */
	char **paths;	/* host directories or files to show read-only, absolute, at the same path inside */
	char **never;	/* absolute paths below them that are masked: they may hold credentials */
	char **env;	/* NAME=VALUE to set inside */
	char **entries; /* the PATH entries that made it match */
};

struct survey_agent {
	char *path;    /* what `claude` on PATH is, absolute; NULL: none found */
	char *real;    /* path after its links */
	char *version; /* where it can be told without running it; or NULL */
	char **mounts; /* host paths that must be there for it to run, when outside /usr */
};

struct survey {
	char *user;	  /* the account's name */
	char *group;	  /* its group's name, or NULL */
	char *home;	  /* the real home, as the user names it */
	char *home_real;  /* and after its links */
	char *shell;	  /* login shell that exists on the machine */
	uid_t uid;
	gid_t gid;
	char *project;	  /* real path */
	bool project_read_only; /* it lies on a read-only file system */
	char *repository; /* main repository's top (equals project where it is not a linked worktree) */
	char **etc;	  /* the chosen files of /etc that exist, absolute: directories are bound, files copied */
	struct survey_show *shows; /* read-only from the real home: git's and the editor's configuration, the agent's... */
	size_t nshows;
	char *terminfo;	  /* a directory that knows this terminal, where none of the usual ones does; or NULL */
	char **path;	  /* PATH entries that will exist inside, in order */
	char **path_home; /* entries of PATH below the home that no toolchain claims: not inside */
	struct survey_tool *tools;
	size_t ntools;
	struct survey_agent agent;
};

/* project: any path, or NULL for the working directory. Refuses (negative errno, f with reason and hint) $HOME, /, a
 * parent of $HOME, sensitive directories (i_know lifts that one), what is unreadable. */
int survey_new(const char *project, bool i_know, struct survey **ret, struct fail *f);
/* Only account, toolchains and agent, wherever the caller stands; path holds no project's directory. */
int survey_agent(struct survey **ret, struct fail *f);
struct survey *survey_free(struct survey *s);
DEFINE_CLEANUP(struct survey, survey_free)
#define _cleanup_survey_ _cleanup_(survey_free_p)

/* The top of the main repository, where the project (a real path) is a linked worktree of it; else the project itself.
 * Caller frees; NULL: out of memory. */
char *survey_repository(const char *project);

/* What a path would open up if it were mounted. `why` is a phrase: "holds keys of ssh". */
enum survey_danger {
	SURVEY_HARMLESS,
	SURVEY_SENSITIVE, /* refused without --i-know */
	SURVEY_NEVER,	  /* refused */
};

/* Judges a host path, real and absolute, for home (real, absolute): what it is, what it lies under, what it holds.
 * *ret_what (static or owned by the table) and *ret_why are set unless harmless. */
enum survey_danger survey_judge(const char *path, const char *home, const char **ret_what, const char **ret_why);

/* For --ro, --rw and --device: resolves path (which must exist) into *ret (caller frees) and refuses the sensitive
 * and sockets of daemons and agents. option is the option's name for the message. */
int survey_mount(const char *path, const char *home, bool i_know, const char *option, char **ret, struct fail *f);

/* Adds what a terminal of this kind needs to be known inside, where its entry lies outside /usr and /etc. */
int survey_terminfo(struct survey *s, const char *term);

/* True where path (real or not) will be there inside: below /usr and the like, shown, or of a toolchain. */
bool survey_visible(const struct survey *s, const char *path);
/* Below what is bound whole from the host: /usr, /opt, /nix... */
bool survey_is_system(const char *path);
