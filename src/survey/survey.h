/* What is on this machine and in this project: everything the plan is composed from that configuration does not
 * say. Reads, never writes. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/fail.h"

struct survey_tool {
	char *name;   /* "nvm": the file in data/toolchains */
	char **paths; /* host directories or files to show read-only, absolute */
	char **env;   /* NAME=VALUE to set inside */
};

struct survey_agent {
	char *path;	/* what `claude` on PATH is, absolute; NULL: none found */
	char *version;	/* where it can be told without running it; or NULL */
	char **mounts;	/* host paths that must be there for it to run, when outside /usr */
};

struct survey {
	char *user;	  /* the account's name */
	char *home;	  /* the real home */
	char *shell;	  /* login shell that exists on the machine */
	uid_t uid;
	gid_t gid;
	char *project;	  /* real path */
	char *repository; /* main repository's top (equals project where it is not a linked worktree) */
	char **etc;	  /* the chosen files of /etc that exist */
	char **home_ro;	  /* read-only from the real home: absolute paths, after symlinks */
	char **path;	  /* PATH entries that will exist inside, in order */
	struct survey_tool *tools;
	size_t ntools;
	struct survey_agent agent;
};

/* project: any path, or NULL for the working directory. Refuses (negative errno, f with reason and hint) $HOME, /, a
 * parent of $HOME, sensitive directories, what is unreadable. */
int survey_new(const char *project, bool i_know, struct survey **ret, struct fail *f);
struct survey *survey_free(struct survey *s);
DEFINE_CLEANUP(struct survey, survey_free)
