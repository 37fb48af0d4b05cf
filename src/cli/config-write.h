/* Changes to the user's configuration file: a new text is checked whole before it replaces the old one, atomically. */
#pragma once

#include <stdbool.h>

#include "base/fail.h"

struct config_write {
	const char *file;
	const char *name;     /* a key that exists */
	char *const *values;  /* none: taken out */
	bool add;	      /* keep what is there */
	bool in_section;      /* in the project's own section */
	const char *project;
	const char *repository;
};
int config_write_set(const struct config_write *w, struct fail *f);

/* Opens a copy in the user's editor, until it is in order or given up. */
int config_write_edit(const char *file, struct fail *f);
