/* Copies of projects (project-mode = copy): DATA/copies/NAME/TIME is what one sandbox of that name worked on. They are
 * kept until a person removes them; what lies in them was written by sandboxes. */
#pragma once

#include <stdbool.h>

#include "base/fail.h"

/* The directory that holds the copies of a sandbox's name; it need not exist. Caller frees. */
int copy_dir(const char *name, char **ret, struct fail *f);

/* Copies a project (a real path) for the sandbox of that name, which the caller has claimed. *ret (caller frees): the
 * copy, a path without links. Refuses, negative errno with f filled, where it would not fit, where the copies lie in the
 * project, and where the repository's own files lie outside of it. Nothing half-made is left. */
int copy_make(const char *project, const char *name, bool quiet, char **ret, struct fail *f);
