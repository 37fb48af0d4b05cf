/* The homes of sandboxes: DATA/homes/NAME is what $HOME is inside; DATA/homes/NAME.owner beside it names the
 * project whose it is. What lies in a home was written by the sandbox: nothing here follows its links. */
#pragma once

#include "base/fail.h"
#include "policy/config.h"
#include "survey/survey.h"

/* The home for a sandbox of that name (config home names another): made and seeded on first use, never changed after.
 * *ret (caller frees): its path on the host. Negative errno with f filled, and nothing half-made left. */
int home_prepare(const struct config *c, const struct survey *s, const char *name, char **ret, struct fail *f);

/* The host path of a home; -EINVAL for what is no name. Caller frees. It need not exist. */
int home_path(const char *name, char **ret, struct fail *f);

/* The names of all homes, sorted; NULL where there are none. Caller frees with strv_free. */
int home_list(char ***ret, struct fail *f);

/* Whose it is: the project's path, or "shared" for one that config home named first; NULL where that is not recorded.
 * supervisor/name.c records projects. Caller frees. */
char *home_owner(const char *name);

/* Takes a home away: out of its name at once, then removed, with its record. -ENOENT (f filled) where there is none. */
int home_remove(const char *name, struct fail *f);
