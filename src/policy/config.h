/* Configuration in layers (DESIGN: built in < system < user < config.d < [project] section < the project's own file,
 * which may only tighten until trusted < command line). A struct config is the merged result, each value with the
 * layer, file and line it came from. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fail.h"
#include "policy/option.h"

enum config_layer {
	CONFIG_BUILTIN, CONFIG_SYSTEM, CONFIG_USER, CONFIG_DROPIN, CONFIG_SECTION, CONFIG_PROJECT, CONFIG_COMMAND,
};

struct config;
struct config *config_new(void); /* every option at its default; NULL: out of memory */
struct config *config_free(struct config *c);
DEFINE_CLEANUP(struct config, config_free)
#define _cleanup_config_ _cleanup_(config_free_p)

struct config_files {
	const char *system;  /* /etc/claude-sandbox/config; an absent file is an empty one */
	const char *user;    /* ~/.config/claude-sandbox/config, or --config FILE (then it must exist) */
	bool user_required;
	const char *dropins; /* ~/.config/claude-sandbox/config.d */
	const char *project; /* the project's real path: for [project "..."] sections and .claude-sandbox.conf */
	const char *repository; /* the main repository's path (worktrees share trust); NULL: project */
	const char *trust_dir;	/* where trusted hashes are kept */
	const char *trust_hash; /* --trust HASH: accept exactly this content, or NULL */
	const char *home;	/* for ~ and $XDG_*; NULL: path_home() */
	/* Locks up the child that reads the project's file (kernel/isolate.h's isolate_parser; a parameter because the
	 * two rooms stand on one floor). NULL only in tests. */
	int (*isolate)(void);
};

/* Reads all layers. An unknown key, a wrong type, an overlong line: -EINVAL, f says file:line and the nearest key.
 * The project's file is hostile: it is read by a locked-up child. What it would loosen untrusted makes config_load
 * fail with -EPERM and a hint that names `claude-sandbox trust`. */
int config_load(struct config *c, const struct config_files *files, struct fail *f);

/* One setting; where is "file:line" or "--option". Layer CONFIG_COMMAND for the command line. */
int config_set(struct config *c, enum config_layer layer, const char *where, const char *name, const char *value,
	       struct fail *f);

/* Getters: the option's type must fit (asserted). */
bool config_is_set(const struct config *c, enum option_id id); /* has a value at all */
const char *config_str(const struct config *c, enum option_id id); /* string and enum; NULL when unset */
uint64_t config_num(const struct config *c, enum option_id id);	   /* int, size (bytes), duration (ms), milli; unset: 0 */
bool config_bool(const struct config *c, enum option_id id);
char *const *config_list(const struct config *c, enum option_id id); /* may be NULL; owned by c */
enum config_layer config_origin(const struct config *c, enum option_id id, const char **ret_where);
const char *config_entry_where(const struct config *c, enum option_id id, size_t i); /* of list entry i */
enum config_layer config_entry_origin(const struct config *c, enum option_id id, size_t i, const char **ret_where);
const char *config_text(const struct config *c, enum option_id id); /* any scalar as text; NULL when unset */
const char *config_layer_name(enum config_layer l);
char *const *config_sources(const struct config *c); /* real paths of the files that were read, but the project's own */

/* The name of the project's own file. */
#define CONFIG_PROJECT_FILE ".claude-sandbox.conf"

/* SHA-256 in hex of the project's own file (what sha256sum prints), for --trust; NULL where there is none. Trust is
 * kept per main repository and content. Caller frees. */
char *config_trust_hash(const struct config_files *files);

/* What the project's own file would change, for the person who is to trust it. As config_load, but nothing is
 * refused for want of trust. */
struct config_review {
	char *hash;	 /* NULL: there is no such file */
	bool trusted;	 /* in the trust directory, or by trust_hash */
	char **loosens;	 /* "network.mode: none -> host", "read-only: + /srv"; NULL: nothing */
	char **tightens; /* likewise; needs no trust */
};
int config_review(const struct config_files *files, struct config_review *ret, struct fail *f);
void config_review_done(struct config_review *r);
#define _cleanup_review_ _cleanup_(config_review_done)

/* The trust directory. Add: trusts this content (hex SHA-256) in the repository from now on. Remove: trusts nothing
 * of the repository any more; 1 where it did, else 0. */
int config_trust_add(const char *dir, const char *repository, const char *hash, struct fail *f);
int config_trust_remove(const char *dir, const char *repository, struct fail *f);
/* Calls fn for each trusted content; when: seconds since the epoch. */
int config_trust_list(const char *dir, int (*fn)(void *user, const char *repository, const char *hash, int64_t when),
		      void *user, struct fail *f);

/* Whether a [project "PATH"] section's path means this project or repository (may be NULL). */
bool config_section_matches(const char *section_path, const char *home, const char *project, const char *repository);
