/* The bytes of a configuration file as settings. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/fail.h"

#define CONFIG_FILE_MAX (1U << 20)

struct config_line {
	unsigned line;	     /* from 1 */
	const char *project; /* within [project "..."]: its path as written; else NULL */
	const char *name;    /* the full name: "network.mode" */
	const char *value;   /* blanks at both ends are gone; may be empty */
};

/* Calls fn for each setting of text, in order; stops at its first negative result. file is for messages only.
 * -EINVAL with file:line in f: a line that is no setting, an overlong one, a control character, an unknown section;
 * whether a key exists is fn's to say. */
int config_ini(const char *file, const char *text, size_t len,
	       int (*fn)(void *user, const struct config_line *l, struct fail *f), void *user, struct fail *f);

/* A change of one setting. */
struct config_edit {
	const char *name;     /* full */
	char *const *values;  /* what it becomes at this place: a line each; NULL or empty: it is taken out */
	bool add;	      /* the lines that are there stay, values come after them */
	const char *project;  /* the path of its [project "..."] section, as a new one is written; NULL: general */
	bool (*is_same)(const char *section_path, void *user); /* whether a section's path is that project */
	void *user;
};

/* Puts a copy of text with the change into out; comments and order stay. */
int config_ini_edit(const char *file, const char *text, size_t len, const struct config_edit *e, struct buf *out,
		    struct fail *f);
