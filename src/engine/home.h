/* The homes of sandboxes: DATA/homes/NAME is what $HOME is inside; DATA/homes/NAME.owner beside it names the projects
 * that use it, a line each. What lies in a home was written by the sandbox: nothing here follows its links. */
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

/* The projects that a home belongs to (strv_free), NULL where it is not recorded. */
char **home_owners(const char *name);

/* Held shared while a sandbox uses the home, exclusive to remove or replace it: an open descriptor with the lock, which
 * closing gives up. -EWOULDBLOCK (f filled) where it is in use. */
int home_lock(const char *name, bool exclusive, struct fail *f);
