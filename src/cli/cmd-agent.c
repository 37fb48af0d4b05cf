/* The agent as sandboxes get it: the machine's, or a copy of their own. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/str.h"
#include "cli/args.h"
#include "cli/here.h"
#include "cli/runopts.h"
#include "engine/agent-own.h"
#include "report/json.h"
#include "report/table.h"
#include "survey/survey.h"

enum { AGENT_JSON, AGENT_BACKGROUND };

static const struct cmd_option options[] = {
	[AGENT_JSON] = { "json", 0, NULL, "status: as JSON." },
	[AGENT_BACKGROUND] = { "background", 0, NULL, "update: says nothing, and leaves it where another refresh runs." },
	{ 0 },
};

static const char *const words[] = { "status", "update", NULL };

struct agent_status {
	char *install; /* config agent.install here */
	struct survey_agent *host;
	char *version, *program; /* the own copy */
	int64_t checked;	 /* seconds, 0: never */
};

static int print_json(const struct agent_status *s)
{
	_cleanup_json_ struct json_object *o = json_object_new_object();
	struct json_object *host = json_object_new_object(), *own = json_object_new_object();

	if (!o || !host || !own || json_put_str(host, "path", s->host->path) < 0 || json_put_str(host, "real", s->host->real) < 0 ||
	    json_put_str(host, "version", s->host->version) < 0 || json_put_str(own, "path", s->program) < 0 ||
	    json_put_str(own, "version", s->version) < 0 || json_put_int(own, "checked", s->checked * 1000) < 0 ||
	    json_put_str(o, "install", s->install) < 0) {
		json_object_put(host);
		json_object_put(own);
		return -ENOMEM;
	}
	json_put(o, "host", host);
	json_put(o, "own", own);
	return json_print(o, true, stdout);
}

static int print_text(const struct agent_status *s)
{
	_cleanup_free_ char *when = s->checked ? report_time(s->checked * 1000) : NULL;

	(void)printf("agent.install  %s\n", s->install);
	(void)printf("host           %s", s->host->path ? s->host->path : "none on PATH");
	if (s->host->version)
		(void)printf(" (%s)", s->host->version);
	(void)printf("\nown copy       %s", s->program ? s->program : "none");
	if (s->version)
		(void)printf(" (%s)", s->version);
	(void)printf("\nlast looked    %s\n", when ? when : "never");
	return 0;
}

static int status(bool json, struct fail *f)
{
	_cleanup_free_ char *project = NULL, *repository = NULL;
	_cleanup_runopts_ struct runopts o = { 0 };
	_cleanup_survey_ struct survey *found = NULL;
	char *argv[] = { (char *)(uintptr_t)"run", NULL };
	struct agent_status s = { 0 };
	int r = runopts_parse(1, argv, &o, f);

	if (r == 0)
		r = here_project(NULL, &project, &repository, f);
	if (r == 0)
		r = runopts_load(&o, project, repository, f);
	if (r == 0)
		r = survey_agent(&found, f);
	if (r < 0)
		return r;
	s.install = strdup(config_str(o.config, OPT_AGENT_INSTALL));
	s.host = &found->agent;
	s.checked = agent_own_checked();
	(void)agent_own_find(&s.version, &s.program);
	r = !s.install ? -ENOMEM : json ? print_json(&s) : print_text(&s);
	free(s.install);
	free(s.version);
	free(s.program);
	return r;
}

/* npm and its node are taken from the system and from toolchains: a project on PATH (an activated venv, node_modules/.bin)
 * was in a sandbox's hands. */
static int narrow_path(struct fail *f)
{
	_cleanup_survey_ struct survey *s = NULL;
	_cleanup_buf_ struct buf b = BUF_INIT(65536);
	int r = survey_agent(&s, f);

	if (r < 0)
		return r;
	for (char **p = s->path; p && *p; p++)
		buf_printf(&b, "%s%s", b.len ? ":" : "", *p);
	if (b.error || setenv("PATH", buf_cstr(&b), 1) < 0)
		return fail_set(f, ENOMEM, "agent");
	return 0;
}

static int update(bool background, struct fail *f)
{
	_cleanup_free_ char *version = NULL;
	int r = narrow_path(f);

	if (r < 0)
		return r;
	if (!background && isatty(STDERR_FILENO))
		(void)fprintf(stderr, "Asking the registry that npm is configured for...\n");
	r = agent_own_update(!background, &version, f);
	if (r >= 0 && !background)
		(void)fprintf(stderr, r ? "The sandboxes' own agent is now %s; running sandboxes keep theirs.\n" :
					  "The sandboxes' own agent is %s, the newest.\n",
			      version);
	return r < 0 ? r : 0;
}

static int agent(int argc, char **argv, struct fail *f)
{
	struct args a = ARGS_INIT(argc, argv, options);
	bool on[ARRAY_SIZE(options)] = { false };
	const char *what = NULL;
	int r;

	while ((r = args_next(&a, f)) != ARGS_END) {
		if (r < 0)
			return r;
		if (r == ARGS_WORD && what)
			return fail_set(f, 0, "agent, '%s': one word too many", a.value);
		if (r == ARGS_WORD)
			what = a.value;
		else
			on[r] = true;
	}
	if (!what || strcmp(what, "status") == 0)
		return status(on[AGENT_JSON], f);
	if (strcmp(what, "update") == 0)
		return update(on[AGENT_BACKGROUND], f);
	(void)fail_set(f, 0, "agent, '%s': not one of status, update", what);
	fail_hint(f, "claude-sandbox agent status");
	return -EINVAL;
}

static int cmd_agent_run(int argc, char **argv)
{
	struct fail f = { 0 };

	if (agent(argc, argv, &f) >= 0)
		return 0;
	fail_print(&f);
	return EXIT_SANDBOX;
}

extern const struct cmd cmd_agent;
const struct cmd cmd_agent = {
	.name = "agent", .args = "[status | update]", .summary = "the coding agent that sandboxes get", .section = "set-up",
	.help = "status: which agent the machine has, and the sandboxes' own copy of it. update: fetches the newest agent from the "
		"registry that npm is configured for into the sandboxes' own copy, checked against the registry's SHA-512. With "
		"agent.install = own this happens by itself, in the background, at most once a day.",
	.options = options, .words = words, .run = cmd_agent_run,
};
