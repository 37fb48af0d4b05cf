/* From a command line to a running sandbox, or to a message that says why not. */
#pragma once

#include "base/fail.h"
#include "cli/runopts.h"
#include "policy/plan.h"

/* Starts a sandbox as the options say, or, where the project's own runs and nothing contradicts, joins it.
 * *ret_socket: to its supervisor, nothing sent; *ret_name: caller frees; *ret_joined: it ran already. 0 or -errno. */
int start_sandbox(struct runopts *o, bool lasting, const char *project, const char *repository, char **ret_name,
		  int *ret_socket, bool *ret_joined, struct fail *f);

/* What start_sandbox would start, for --dry-run: nothing is started, and no home made. */
int start_plan(struct runopts *o, const char *project, const char *repository, struct plan **ret, struct fail *f);
