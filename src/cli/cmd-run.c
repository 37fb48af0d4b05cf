/* The default command: a sandbox for this directory, and a command or a login shell in it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/env.h"
#include "cli/here.h"
#include "cli/relay.h"
#include "cli/runopts.h"
#include "cli/session.h"
#include "cli/start.h"
#include "report/json.h"
#include "report/plan-text.h"

static bool want_tty(const struct runopts *o)
{
	/* What runs detached has a terminal in any case: `logs` and `attach` show it. */
	if (o->tty != RUNOPTS_TTY_AUTO)
		return o->tty == RUNOPTS_TTY_YES || o->detach;
	return o->detach || (isatty(0) == 1 && isatty(1) == 1);
}

static int dry_run(struct runopts *o, const char *project, const char *repository, struct fail *f)
{
	_cleanup_plan_ struct plan *p = NULL;
	_cleanup_json_ struct json_object *json = NULL;
	int r = start_plan(o, project, repository, &p, f);

	if (r < 0)
		return r;
	if (!o->json)
		return plan_text_print(p, stdout);
	json = plan_text_json(p);
	return json ? json_print(json, true, stdout) : fail_set(f, ENOMEM, "plan");
}

static void start_result_done(struct start_result *r)
{
	free(r->name);
	free(r->net);
}

static int run(struct runopts *o, struct fail *f)
{
	_cleanup_free_ char *project = NULL, *repository = NULL, *cwd = NULL;
	_cleanup_(start_result_done) struct start_result started = { .socket = -1 };
	_cleanup_strv_ char **env = NULL;
	bool tty = want_tty(o);
	struct session_request rq = { .argv = o->argv, .tty = tty, .detach = o->detach, .quiet = o->quiet };
	int r = tty ? 0 : relay_check(f);

	if (r == 0)
		r = here_project(o->project, &project, &repository, f);
	if (r == 0 && o->dry_run)
		return dry_run(o, project, repository, f);
	if (r == 0)
		r = start_sandbox(o, tty && o->tty != RUNOPTS_TTY_NO, project, repository, &started, f);
	if (r < 0)
		return r;
	rq.socket = started.socket;
	rq.name = started.name;
	rq.net = started.net;
	rq.detach_keys = config_str(o->config, OPT_DETACH_KEYS);
	rq.kind = started.joined ? 1 : 0;
	if (started.joined) {
		r = env_of_session(config_list(o->config, OPT_ENV), &env, f);
		if (r < 0)
			return r;
		cwd = o->workdir ? path_join(project, o->workdir) : env_cwd(project);
		rq.env = env;
		rq.cwd = cwd;
	}
	if (rq.net && strcmp(rq.net, "host") == 0 && !o->quiet && !started.joined)
		(void)fprintf(stderr, "claude-sandbox: network: host: everything inside can reach this machine's network, "
				      "its local services and whatever they can reach\n");
	r = session_run(&rq);
	if (r == 0 && o->detach)
		(void)puts(started.name);
	return r;
}

static int cmd_run_run(int argc, char **argv)
{
	_cleanup_runopts_ struct runopts o = { 0 };
	struct fail f = { 0 };
	int r;

	env_standard_descriptors();
	r = runopts_parse(argc, argv, &o, &f);
	if (r == 0)
		r = run(&o, &f);
	if (r >= 0)
		return r;
	if (!f.msg[0])
		(void)fail_set(&f, -r, "cannot start a sandbox");
	fail_print(&f);
	return EXIT_SANDBOX;
}

extern const struct cmd cmd_run;
const struct cmd cmd_run = {
	.name = "run", .args = "[OPTIONS] [-- COMMAND [ARG...]]", .section = "sandboxes",
	.summary = "a sandbox for this directory, with a login shell or a command in it",
	.help = "Without a command, opens a login shell. On a terminal (or with -t) the session has a terminal of its own: it outlives "
		"yours, the detach keys leave it running, and where this project's sandbox runs already another shell opens in it. "
		"Without one (or with -T) the command's input and output are yours alone, and it runs in a sandbox of its own that "
		"ends with it.\n\n"
		"The exit status is the command's; 124: --timeout ended it, 125: the sandbox itself failed, 126: it cannot be "
		"executed, 127: it was not found, 128+N: signal N ended it.",
	.run = cmd_run_run,
};
