/* Guarded paths: the names in a project that the host would later execute or obey. The room finds them (a locked-up
 * child reads the repository), puts them into the plan, watches what no mount can hold (cs-guard), and settles the
 * private copies of .git/config at the end. ARCHITECTURE.md, "Guarded paths". */
#pragma once

#include <stdbool.h>

#include "base/fail.h"
#include "policy/plan.h"

/* What git on the host would read for this project, found by a locked-up child (the project's files are hostile). All
 * paths are absolute and normal, beneath the project or common. */
struct guard_git {
	char **gitdirs; /* the project's own first, then submodules' and nested repositories' */
	char **heads;	/* git directories whose HEAD is restored when it goes or stops being one */
	char *common;	/* a git directory outside the project that comes along writable: the main repository's .git of a
			 * linked worktree, or a submodule's in its superproject; NULL: none */
	char **configs; /* regular files that get a private copy (PLAN_GITCONFIG) */
	char **hooks;	/* directories that get a private copy (a bind of it) */
	char **guards;	/* files, links and directories to guard read-only, present */
	char **pins;	/* directories to bind onto themselves, parents first */
	char **absent;	/* names that must not come into being */
	char **notes;	/* one line each for the person: "core.hooksPath is 'hooks' in the project: guarded" */
};
struct guard_git *guard_git_free(struct guard_git *g);
DEFINE_CLEANUP(struct guard_git, guard_git_free)

/* project: absolute, real. 0 also where the project is no repository (everything empty then). Negative errno with f:
 * the child failed or what it said does not fit the project. */
int guard_git_survey(const char *project, struct guard_git **ret, struct fail *f);

/* Adds to the plan, after the project's bind: the bind of g->common, the bind of the private copies (private_dir/rw at
 * GUARD_INSIDE), and the guards of the list (config "guard": each entry relative to the project, "!" entries taken out
 * already) and of the repository, in the order in which they must be mounted. The
 * entries ".git", ".git/config" and ".git/hooks" stand for the repository's guards: without ".git" there are none.
 * g may be NULL (no repository). private_dir: a directory of this sandbox's own on the host, made here, 0700; call
 * guard_settle for it first. *ret_watch (caller frees with strv_free) is for guard_watch_start alone: one letter and
 * an absolute path each. */
#define GUARD_INSIDE "/run/claude-sandbox/git"
#define GUARD_LIST   "/run/claude-sandbox/guards" /* a text inside: what is guarded, how to lift it */
int guard_plan(struct plan *p, const char *project, char *const *list, const struct guard_git *g, const char *private_dir,
	       char ***ret_watch, struct fail *f);

/* The watcher: a process of its own on the host (cs-guard), child of the caller. It takes away absent names that come
 * into being (moved into quarantine_dir, which is made here, 0700, and should lie on the project's file system), vets
 * new git directories, restores .git/HEAD, and reports nested repositories and hard links. It ends by itself after
 * one last look once the process of pid1_fd (a pidfd of pid 1 or of the launcher; -1: when the socket closes or is shut
 * down for writing) is dead. Where the socket ends without "done" the watcher was killed: the caller starts another (its
 * first look covers the gap) or ends the sandbox. */
struct guard_watch {
	pid_t pid;
	int socket; /* SOCK_SEQPACKET, each message one line "kind\tpath\tdetail" (no newline, at most GUARD_LINE_MAX):
		     * ready; quarantined (detail: where to); refused (taken away and not kept); failed (could not be
		     * taken away); restored; hardlink; nested (a repository that is not guarded by mounts); changed (a
		     * file that the host may execute); limit (what is not watched); done; and synced,
		     * which answers the messages "sync" and "last"
		     * (after which what is made is not taken away any more): what had happened by then is dealt with (but for what a
		     * walk over a large project has yet to find) */
};
#define GUARD_LINE_MAX 8192
int guard_watch_start(const char *helper, const char *project, char *const *watch, const char *quarantine_dir, int pid1_fd,
		      struct guard_watch *ret, struct fail *f);

/* Before the survey: the last look for a session whose watcher was killed with everything else. What came into being at
 * a name that was absent when that session began is moved into the quarantine. *ret_lines (or NULL): as of
 * guard_watch's socket, for the person. Takes a millisecond where there is nothing to do. */
int guard_recover(const char *helper, const char *quarantine_dir, char ***ret_lines, struct fail *f);

/* At the end, and at the next start for what a killed session left: compares each private copy with what it was copied
 * from. Where apply (guard.git-config = apply-safe), takes over the keys that cannot execute anything nor lead a push
 * elsewhere (an upstream that a branch had not, in a remote that was there; a new remote's url and fetch;
 * submodule.NAME.url and active); the rest stays in the private copy. *ret_lines: one
 * line each for the receipt, or NULL. An absent private_dir is no error. */
int guard_settle(const char *private_dir, bool apply, char ***ret_lines, struct fail *f);
