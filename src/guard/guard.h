/* Guarded paths: the names in a project that the host would later execute or obey. The room finds them (layout.c),
 * watches for those that are absent (cs-guard), and settles the private copies of .git/config at the end. */
#pragma once

#include <stdbool.h>

#include "base/fail.h"
#include "policy/plan.h"

/* What git on the host would read for this project, found by a locked-up child (the project's files are hostile). */
struct guard_git {
	char **gitdirs;	    /* absolute git directories: the project's own first, then submodules' under modules/ */
	char *common;	    /* a linked worktree: the main repository's .git outside the project, to be mounted writable */
	char **configs;	    /* config files that get a private copy (PLAN_GITCONFIG) */
	char **guards;	    /* files and directories to guard read-only, absolute, present */
	char **pins;	    /* directories to bind onto themselves, absolute, parents first */
	char **absent;	    /* absolute names that must not come into being */
	char **notes;	    /* one line each for the person: "core.hooksPath points to ./hooks: guarded" */
};
struct guard_git *guard_git_free(struct guard_git *g);
DEFINE_CLEANUP(struct guard_git, guard_git_free)
int guard_git_survey(const char *project, struct guard_git **ret, struct fail *f);

/* Adds to the plan, after the project's bind, the guards of the list (config "guard", each entry relative to the
 * project, "!" entries taken out already) and of the repository. private_dir is the host directory for the private
 * copies of git's configs (made, 0700), bound at /run/claude-sandbox/git inside. ret_absent collects what
 * cs-guard must watch. */
int guard_plan(struct plan *p, const char *project, char *const *list, const struct guard_git *g, const char *private_dir,
	       char ***ret_absent, struct fail *f);

/* The watcher: a process of its own on the host (cs-guard), child of the caller; socket speaks PROTOCOL.control's
 * guard messages: each is one line of text "kind\tpath\tdetail". It ends by itself when the socket closes, after one
 * last look once pid1_fd (a pidfd) is dead. */
struct guard_watch {
	pid_t pid;
	int socket; /* SOCK_SEQPACKET: lines "quarantined\tPATH\tWHERE", "hardlink\t..", "nested\t..", "done" */
};
int guard_watch_start(const char *helper, const char *project, char *const *absent, const char *quarantine_dir, int pid1_fd,
		      struct guard_watch *ret, struct fail *f);

/* At the end (and at the next start, for what a killed session left): compares each private copy with what it was
 * copied from, takes over the keys that cannot execute anything (branch.*, remote.*.url/fetch...), keeps the rest.
 * ret_lines: one line each for the receipt. */
int guard_settle(const char *private_dir, char ***ret_lines, struct fail *f);
