/* The parts of compose.c, a file each. Every part appends to the plan in the order of its calls. */
#pragma once

#include "engine/compose.h"

struct compose {
	const struct config *config;
	const struct survey *survey;
	const struct compose_request *request;
	struct plan *plan;
	struct fail *fail;
};

/* Appends; -ENOMEM where the plan cannot grow. */
int compose_add(struct compose *c, enum plan_kind kind, unsigned flags, const char *src, const char *dst, const char *why);
int compose_tmpfs(struct compose *c, const char *dst, mode_t mode, uint64_t size, const char *why);
int compose_dir(struct compose *c, const char *dst, mode_t mode);
int compose_text(struct compose *c, const char *dst, mode_t mode, const char *text, const char *why);

/* compose-etc.c: the chosen /etc and the files written for the sandbox; the account that the user is inside. */
const char *compose_user(const struct compose *c);
int compose_etc(struct compose *c);

/* compose-env.c: the environment. Fills plan->env. */
int compose_env(struct compose *c);
/* True where a host path will be there inside, at the same place. */
bool compose_visible(const struct compose *c, const char *path);

/* compose-run.c: /run/claude-sandbox: the shells' start-up, the agent and its wrapper. */
int compose_run(struct compose *c);
int compose_agent(struct compose *c);
