/* Within the room: what a struct config is made of. */
#pragma once

#include "policy/config.h"

struct config_entry {
	char *text; /* expanded */
	char *where;
	enum config_layer layer;
};

struct config_value {
	bool set; /* scalars: has a value */
	char *text; /* scalars: as it was written, paths expanded */
	uint64_t num; /* numbers; bools: 0, 1 */
	struct config_entry *entries;
	size_t nentries;
	char **list; /* the entries' texts, NULL-terminated; borrowed */
	enum config_layer layer; /* of the last change */
	char *where;
};

struct config {
	struct config_value v[OPT__COUNT];
	char *home; /* for ~; NULL: path_home() */
	char **sources;
};

struct config *config_copy(const struct config *c);
/* Whether result would give the sandbox more than base by what the option's .tighten says. */
bool config_loosens(const struct config *base, const struct config *result, enum option_id id);

/* The trust store: a directory with one file per main repository, named by the SHA-256 of its path. Its first line
 * is that path (percent-encoded), each further one "HASH SECONDS": content that is trusted, and since when. */
char *trust_sha256(const void *p, size_t n); /* hex; caller frees */
int trust_has(const char *dir, const char *repository, const char *hash); /* 1, 0, negative errno */
