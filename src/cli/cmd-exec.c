/* One more command in a running sandbox. */
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/args.h"
#include "cli/ctl.h"
#include "cli/env.h"
#include "cli/session.h"
#include "policy/option.h"
#include "report/json.h"
#include "supervisor/name.h"

enum { EXEC_TTY, EXEC_NO_TTY, EXEC_ENV, EXEC_WORKDIR, EXEC_DETACH, EXEC_QUIET };

static const struct cmd_option options[] = {
	[EXEC_TTY] = { "tty", 't', NULL, "Gives the command a terminal of its own." },
	[EXEC_NO_TTY] = { "no-tty", 'T', NULL, "Gives it none. Without either: one where input and output are terminals." },
	[EXEC_ENV] = { "env", 'e', "NAME[=VALUE]", "A variable for the command; NAME alone passes on the caller's." },
	[EXEC_WORKDIR] = { "workdir", 'w', "DIR", "Where it starts inside. Without it, here, where this directory is in the project." },
	[EXEC_DETACH] = { "detach", 'd', NULL, "Starts it and returns." },
	[EXEC_QUIET] = { "quiet", 'q', NULL, "Says nothing of its own." },
	{ 0 },
};

struct exec {
	struct session_request rq;
	char **settings, **env;
	char *name, *cwd;
};

static void exec_done(struct exec *e)
{
	strv_free(e->settings);
	strv_free(e->env);
	free(e->name);
	free(e->cwd);
}

static int read_options(struct exec *e, struct args *a, struct fail *f)
{
	struct session_request *rq = &e->rq;
	int r;

	rq->tty = isatty(0) == 1 && isatty(1) == 1;
	while ((r = args_next(a, f)) != ARGS_END) {
		if (r < 0)
			return r;
		if (r == EXEC_TTY)
			rq->tty = true;
		else if (r == EXEC_NO_TTY)
			rq->tty = false;
		else if (r == EXEC_ENV && strv_add(&e->settings, a->value) < 0)
			return -1;
		else if (r == EXEC_WORKDIR)
			rq->cwd = a->value;
		else if (r == EXEC_DETACH)
			rq->detach = true;
		else if (r == EXEC_QUIET)
			rq->quiet = true;
	}
	rq->tty = rq->tty || rq->detach;
	return 0;
}

/* exec [NAME] -- COMMAND, or exec NAME COMMAND. */
static int read_words(struct exec *e, const struct args *a, const char **ret_name, struct fail *f)
{
	char **words = a->argv + a->next;
	bool dashes = a->next > 1 && strcmp(a->argv[a->next - 1], "--") == 0;

	*ret_name = NULL;
	if (!dashes && words[0]) {
		*ret_name = words[0];
		words++;
		if (words[0] && strcmp(words[0], "--") == 0)
			words++;
	}
	if (!words[0]) {
		(void)fail_set(f, 0, "exec: which command?");
		fail_hint(f, "claude-sandbox exec [NAME] -- COMMAND [ARG...]");
		return -1;
	}
	e->rq.argv = words;
	return 0;
}

static int prepare(struct exec *e, int argc, char **argv, struct fail *f)
{
	struct args a = ARGS_INIT(argc, argv, options);
	_cleanup_json_ struct json_object *info = NULL;
	const char *name, *project;
	int r;

	a.stop = true;
	r = read_options(e, &a, f);
	if (r == 0)
		r = read_words(e, &a, &name, f);
	if (r == 0)
		r = ctl_resolve(name, &e->name, f);
	if (r == 0)
		r = env_of_session(e->settings, &e->env, f);
	if (r < 0)
		return r;
	if (!e->rq.cwd) {
		r = ctl_info(e->name, &info, f);
		if (r < 0)
			return r;
		project = json_get_str(info, "project");
		e->cwd = project ? env_cwd(project) : NULL;
		e->rq.cwd = e->cwd;
	}
	e->rq.env = e->env;
	e->rq.name = e->name;
	e->rq.kind = 2;
	e->rq.detach_keys = option_table[OPT_DETACH_KEYS].def;
	return name_connect(e->name, &e->rq.socket, f);
}

static int cmd_exec_run(int argc, char **argv)
{
	_cleanup_(exec_done) struct exec e = { 0 };
	struct fail f = { 0 };

	env_standard_descriptors();
	if (prepare(&e, argc, argv, &f) >= 0)
		return session_run(&e.rq);
	fail_print(&f);
	return EXIT_SANDBOX;
}

extern const struct cmd cmd_exec;
const struct cmd cmd_exec = {
	.name = "exec", .args = "[OPTIONS] [NAME] -- COMMAND [ARG...]", .section = "sandboxes", .sandboxes = true,
	.summary = "run one more command in a running sandbox",
	.help = "The command shares everything with what runs there. It does not keep the sandbox: that ends with its last shell or "
		"main command. Exit statuses as with run.",
	.options = options, .run = cmd_exec_run,
};
