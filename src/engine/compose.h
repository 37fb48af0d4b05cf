/* From configuration and survey to the plan: the whole sandbox as data (DESIGN §4). Composing changes nothing on the
 * machine but the private directory that guard_plan makes. */
#pragma once

#include "base/fail.h"
#include "policy/config.h"
#include "policy/plan.h"
#include "survey/survey.h"

struct compose_request {
	const char *name;	 /* of the sandbox */
	const char *home_dir;	 /* on the host: what $HOME is inside (home_prepare) */
	const char *private_dir; /* on the host: of this sandbox, for the private copies of git's configuration; NULL: no guards
				  * are composed */
	const char *copy;	 /* on the host: a copy of the project (real) that stands in for it; NULL: the project itself */
	char *const *argv;	 /* the command; NULL: a login shell */
	const char *cwd;	 /* where it starts inside; NULL, or not there inside: the project */
	char *const *env;	 /* the caller's environment, of which config env.pass names what passes */
	const char *agent;	 /* agent.install = own: its program on the host (agent_own_find); NULL: none yet */
	char *const *secrets;	 /* NAME=VALUE that `login` keeps (credentials_load), or NULL */
};

/* *ret_watch: for guard_watch_start (strv_free). Negative errno with f filled: what the plan needs is not there, or
 * configuration asks for what is refused. */
int compose_plan(const struct config *c, const struct survey *s, const struct compose_request *r, struct plan **ret,
		 char ***ret_watch, struct fail *f);

/* Where we put our own things inside. */
#define COMPOSE_INSIDE "/run/claude-sandbox"
