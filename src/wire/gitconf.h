/* The syntax of git's configuration files (git-config(1), "CONFIGURATION FILE", "Syntax"): bytes to entries, as git
 * 2.39 reads them (config.c), and back. Includes are not followed; nothing is interpreted. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define GITCONF_MAX	(1U << 20) /* bytes in a file that is read at all */
#define GITCONF_ENTRIES 16384

struct gitconf_entry {
	char *key;   /* "section.sub.name": section and name in lower case, subsection as it is (may hold dots) */
	char *value; /* NULL: the key alone ("[core] bare"), which means true */
};

struct gitconf {
	struct gitconf_entry *entries; /* in the file's order; repeated keys repeat */
	size_t n;
};

struct gitconf *gitconf_free(struct gitconf *c);
DEFINE_CLEANUP(struct gitconf, gitconf_free)
#define _cleanup_gitconf_ _cleanup_(gitconf_free_p)

/* 0; -EBADMSG where git would call it a bad config (a NUL byte too), -EFBIG beyond the limits, -ENOMEM. */
int gitconf_parse(const void *bytes, size_t n, struct gitconf **ret);

/* The last value of the key, as git takes it; NULL where it is absent ("" where it has no value). */
const char *gitconf_get(const struct gitconf *c, const char *key);
/* A truth as git reads one (git_parse_maybe_bool): absent or nonsense gives fallback. */
bool gitconf_bool(const struct gitconf *c, const char *key, bool fallback);

/* The three parts of a key; sub is NULL where there is none. Pointers are into a copy that *ret_copy holds (caller
 * frees). -EINVAL without a dot. */
int gitconf_split(const char *key, char **ret_copy, const char **section, const char **sub, const char **name);

/* Appends the entry in a section of its own, quoted so that git reads exactly it. -EINVAL for what cannot be written. */
int gitconf_write(struct buf *b, const struct gitconf_entry *e);

/* True where the key does nothing but describe a repository: no program is run, no file read, no address rewritten
 * because of it. An allow list: unknown keys are not harmless, nor is core.worktree, which the caller must resolve. */
bool gitconf_harmless(const struct gitconf_entry *e);

/* True where url is https, ssh, git or scp-like with nothing that a transport would take for an option, a command or
 * a helper ("ext::", a leading '-'), and no local path (a push into one runs its hooks). */
bool gitconf_url_plain(const char *url);
