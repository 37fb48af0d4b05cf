/* From a command line to a running sandbox, or to a message that says why not. */
#pragma once

#include "base/fail.h"
#include "cli/runopts.h"
#include "policy/plan.h"

struct start_result {
	char *name, *net; /* of the sandbox; caller frees */
	int socket;	  /* to its supervisor, nothing sent */
	bool joined;	  /* it ran already */
};

/* Starts a sandbox as the options say, or, where the project's own runs and nothing contradicts, joins it. */
int start_sandbox(struct runopts *o, bool lasting, const char *project, const char *repository, struct start_result *ret,
		  struct fail *f);

/* What start_sandbox would start, for --dry-run: nothing is started, and no home made. */
int start_plan(struct runopts *o, const char *project, const char *repository, struct plan **ret, struct fail *f);
