/* The order matters: the name is claimed before anything is made, and everything that can be refused is refused before
 * the supervisor is forked. Nothing is written to the audit here; the command is on its way before that (FACTS 15). */
#include "cli/start.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "base/where.h"
#include "cli/copy.h"
#include "cli/ctl.h"
#include "cli/verbose.h"
#include "engine/agent-own.h"
#include "engine/compose.h"
#include "engine/credentials.h"
#include "engine/home.h"
#include "guard/guard.h"
#include "report/json.h"
#include "supervisor/supervisor.h"
#include "survey/survey.h"

#define END_MS 60000U /* how long a sandbox of the wanted name may take to end */
#define TRY_MS 50U

extern char **environ;

struct start {
	struct runopts *o;
	const char *project;
	char *base;	    /* the project's own name, and its home's */
	bool own;	    /* a sandbox of its own, whatever runs */
	struct name_claim *claim;
	struct survey *survey;
	struct plan *plan;
	char *home_dir, *git_private, *quarantine, *guard_helper, *receipt, *cwd, *agent, *copy;
	char **watch, **secrets;
};

static void start_done(struct start *s)
{
	free(s->base);
	name_claim_free(s->claim);
	survey_free(s->survey);
	plan_free(s->plan);
	free(s->home_dir);
	free(s->git_private);
	free(s->quarantine);
	free(s->guard_helper);
	free(s->receipt);
	free(s->cwd);
	free(s->agent);
	free(s->copy);
	strv_free(s->watch);
	strv_free(s->secrets);
}

/* The options that say how a session is run, not what the sandbox is: they may differ from one session to the next. */
static bool is_session_setting(const char *name)
{
	static const char *const names[] = { "name", "env", "detach-keys" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* Waits a little for a sandbox that is on its way out, or has a name and no socket yet: -ESRCH, for another try. */
static int await(const char *name)
{
	int r = name_await_end(name, TRY_MS);

	return r < 0 && r != -ETIMEDOUT ? r : -ESRCH;
}

/* Joins the sandbox of that name, unless the command line asks for another kind of sandbox. */
static int join(const struct start *s, const char *name, struct start_result *ret, struct fail *f)
{
	_cleanup_json_ struct json_object *info = NULL;
	const char *project, *net, *state;
	int r = ctl_info(name, &info, f);

	if (r < 0)
		return r == -ESRCH ? await(name) : r;
	project = json_get_str(info, "project");
	net = json_get_str(info, "net");
	state = json_get_str(info, "state");
	if (str_eq(state, "stopping") || str_eq(state, "ending"))
		return await(name);
	if (s->own) {
		(void)fail_set(f, 0, "the name '%s' is taken by a running sandbox", name);
		fail_hint(f, "leave --name out and it gets a name of its own");
		return -EEXIST;
	}
	if (!str_eq(project, s->project)) {
		(void)fail_set(f, 0, "a sandbox '%s' of the project '%s' is running", name, project ? project : "?");
		fail_hint(f, "give this one another name: --name NAME");
		return -EEXIST;
	}
	for (size_t i = 0; i < s->o->nsettings; i++) {
		const struct runopts_setting *set = &s->o->settings[i];

		if (is_session_setting(set->name) || (strcmp(set->name, "network.mode") == 0 && str_eq(set->value, net)))
			continue;
		(void)fail_set(f, 0, "option, '%s': the sandbox '%s' is running, with its own settings", set->where, name);
		fail_hint(f, "claude-sandbox stop %s, or --new for a second sandbox", name);
		return -EBUSY;
	}
	ret->net = net ? strdup(net) : NULL;
	ret->name = strdup(name);
	ret->joined = true;
	return ret->name ? name_connect(name, &ret->socket, f) : -ENOMEM;
}

/* Claims a name: 0, or positive 1 where the sandbox runs and is joined. */
static int claim(struct start *s, struct start_result *ret, struct fail *f)
{
	const char *wanted = config_str(s->o->config, OPT_NAME);
	const char *name = wanted ? wanted : s->base;

	for (unsigned waited = 0; waited < END_MS; waited += TRY_MS) {
		int r = name_claim_new(name, s->own && !wanted, &s->claim, f);

		if (r <= 0)
			return r;
		r = join(s, name, ret, f);
		if (r != -ESRCH)
			return r < 0 ? r : 1;
	}
	return fail_set(f, EBUSY, "the sandbox name '%s'", name);
}

/* Where the command starts inside: -w, or where the user stands. */
static int working_directory(struct start *s, struct fail *f)
{
	char cwd[PATH_MAX];

	if (s->o->workdir) {
		s->cwd = path_join(s->project, s->o->workdir);
		return s->cwd ? 0 : -ENOMEM;
	}
	if (realpath(".", cwd) && path_is_under(cwd, s->project))
		s->cwd = strdup(cwd);
	(void)f;
	return 0;
}

static bool wants_copy(const struct start *s)
{
	return str_eq(config_str(s->o->config, OPT_PROJECT_MODE), "copy");
}

/* The state directory, made, without links in its path: what lies in it is mounted. Caller frees. */
static int state_dir(char **ret, struct fail *f)
{
	_cleanup_free_ char *state = NULL;
	int r = path_xdg(PATH_STATE, &state);

	if (r < 0)
		return fail_set(f, -r, "cannot tell the state directory");
	r = path_mkdir_p(state, 0700);
	if (r < 0)
		return fail_set(f, -r, "cannot make the state directory '%s'", state);
	*ret = realpath(state, NULL);
	return *ret ? 0 : fail_set(f, errno, "state directory, '%s'", state);
}

static int places(struct start *s, struct fail *f)
{
	_cleanup_free_ char *state = NULL, *runtime = NULL;
	const char *receipt = config_str(s->o->config, OPT_RECEIPT);
	char cwd[PATH_MAX];
	int r = state_dir(&state, f);

	if (r < 0)
		return r;
	r = path_xdg(PATH_RUNTIME, &runtime);
	if (r < 0)
		return fail_set(f, -r, "cannot tell the runtime directory");
	/* A name is unique within a runtime directory; logins without one have another. */
	if (asprintf(&s->git_private, "%s/git/%s.%04x%s", state, s->claim->name,
		     (unsigned)str_hash(runtime, strlen(runtime)) & 0xffff, wants_copy(s) ? ".copy" : "") < 0 ||
	    asprintf(&s->quarantine, "%s/quarantine/%s", state, s->base) < 0)
		return -ENOMEM;
	r = where_helper("cs-guard", &s->guard_helper);
	if (r < 0)
		return fail_set(f, -r, "helper, 'cs-guard'");
	if (receipt) {
		s->receipt = getcwd(cwd, sizeof(cwd)) ? path_join(cwd, receipt) : NULL;
		if (!s->receipt)
			return fail_set(f, errno, "receipt, '%s'", receipt);
	}
	return 0;
}

/* With --verbose: what the user has on PATH and the sandbox has not. */
static void tell_path(const struct start *s)
{
	if (!s->o->verbose)
		return;
	for (char **p = s->survey->path_home; p && *p; p++) {
		_cleanup_free_ char *shown = str_printable(*p, strlen(*p));

		(void)fprintf(stderr, "claude-sandbox: PATH: %s is not inside (--ro shows it)\n", shown ? shown : "?");
	}
}

/* The agent's own copy, where one is asked for (refreshed in the background), and what `login` keeps. */
static int agent(struct start *s, bool refresh, struct compose_request *rq, struct fail *f)
{
	const struct config *c = s->o->config;
	_cleanup_free_ char *version = NULL;

	if (str_eq(config_str(c, OPT_PROFILE), "none"))
		return 0;
	if (str_eq(config_str(c, OPT_AGENT_INSTALL), "own")) {
		if (agent_own_find(&version, &s->agent) == 0)
			rq->agent = s->agent;
		if (refresh)
			agent_own_refresh();
	}
	if (!config_bool(c, OPT_AGENT_LOGIN))
		return 0;
	if (credentials_load(&s->secrets, f) < 0)
		return -EPERM;
	rq->secrets = s->secrets;
	return 0;
}

static bool git_apply(const struct start *s)
{
	return str_eq(config_str(s->o->config, OPT_GUARD_GIT_CONFIG), "apply-safe");
}

static int compose(struct start *s, struct fail *f)
{
	struct compose_request rq = {
		.name = s->claim->name, .private_dir = s->git_private, .argv = s->o->argv, .cwd = s->cwd, .env = environ,
	};
	_cleanup_strv_ char **lines = NULL, **found = NULL;
	int r = home_prepare(s->o->config, s->survey, s->base, &s->home_dir, f);

	if (r == 0)
		r = agent(s, true, &rq, f);
	if (r < 0)
		return r;
	tell_path(s);
	rq.home_dir = s->home_dir;
	/* What a killed sandbox of this name left. */
	r = guard_recover(s->guard_helper, s->quarantine, &found, f);
	if (r == 0)
		r = guard_settle(s->git_private, git_apply(s), &lines, f);
	if (r < 0)
		return r;
	for (char **l = found; l && *l && !s->o->quiet; l++)
		(void)fprintf(stderr, "claude-sandbox: left by a killed sandbox: %s\n", *l);
	for (char **l = lines; l && *l && !s->o->quiet; l++)
		(void)fprintf(stderr, "claude-sandbox: left by a killed sandbox: %s\n", *l);
	if (wants_copy(s)) {
		r = copy_make(s->project, s->claim->name, s->o->quiet, &s->copy, f);
		if (r < 0)
			return r;
		rq.copy = s->copy;
	}
	r = compose_plan(s->o->config, s->survey, &rq, &s->plan, &s->watch, f);
	if (r < 0 && s->copy)
		(void)path_remove_tree(AT_FDCWD, s->copy);
	if (r == 0 && s->o->verbose)
		verbose_start(s->o, s->survey, s->plan, s->home_dir);
	return r;
}

static struct supervisor_spec spec_of(const struct start *s, bool lasting)
{
	const struct config *c = s->o->config;

	return (struct supervisor_spec){
		.claim = s->claim, .plan = s->plan, .project = s->project, .copy = s->copy,
		.home_name = config_str(c, OPT_HOME) ? config_str(c, OPT_HOME) : s->base,
		.guard_helper = s->guard_helper, .guard_watch = s->watch, .git_private = s->git_private, .git_apply = git_apply(s),
		/* the next start has another copy, and no use for the private files of this one */
		.lasting = lasting && !s->copy, .quarantine = s->quarantine, .receipt_file = s->receipt,
		.memory = config_num(c, OPT_LIMITS_MEMORY), .pids = config_num(c, OPT_LIMITS_PIDS),
		.cpus_milli = config_num(c, OPT_LIMITS_CPUS), .timeout_ms = config_num(c, OPT_TIMEOUT),
		.idle_stop_ms = config_num(c, OPT_IDLE_STOP), .stop_grace_ms = config_num(c, OPT_STOP_GRACE),
		.audit_keep_days = (unsigned)config_num(c, OPT_AUDIT_KEEP),
	};
}

int start_sandbox(struct runopts *o, bool lasting, const char *project, const char *repository, struct start_result *ret,
		  struct fail *f)
{
	_cleanup_(start_done) struct start s = { .o = o, .project = project, .own = o->fresh || !lasting };
	struct supervisor_spec spec;
	int r = runopts_load(o, project, repository, f);

	if (r == 0)
		r = survey_new(project, config_bool(o->config, OPT_I_KNOW), &s.survey, f);
	if (r == 0)
		r = name_for_project(project, &s.base, f);
	if (r == 0)
		r = claim(&s, ret, f);
	if (r != 0)
		return r < 0 ? r : 0;
	r = working_directory(&s, f);
	if (r == 0)
		r = places(&s, f);
	if (r == 0)
		r = compose(&s, f);
	if (r < 0) {
		name_claim_remove(s.claim);
		return r;
	}
	spec = spec_of(&s, lasting);
	ret->name = strdup(s.claim->name);
	ret->net = strdup(config_str(o->config, OPT_NETWORK_MODE));
	ret->joined = false;
	return ret->name && ret->net ? supervisor_fork(&spec, &ret->socket, f) : -ENOMEM;
}

int start_plan(struct runopts *o, const char *project, const char *repository, struct plan **ret, struct fail *f)
{
	_cleanup_(start_done) struct start s = { .o = o, .project = project };
	struct compose_request rq = { .argv = o->argv, .env = environ };
	_cleanup_free_ char *state = NULL;
	int r = runopts_load(o, project, repository, f);

	if (r == 0)
		r = survey_new(project, config_bool(o->config, OPT_I_KNOW), &s.survey, f);
	if (r == 0)
		r = name_for_project(project, &s.base, f);
	if (r == 0)
		r = working_directory(&s, f);
	if (r == 0)
		r = home_path(config_str(o->config, OPT_HOME) ? config_str(o->config, OPT_HOME) : s.base, &s.home_dir, f);
	if (r == 0)
		r = agent(&s, false, &rq, f);
	if (r < 0)
		return r;
	r = state_dir(&state, f);
	if (r < 0)
		return r;
	if (asprintf(&s.git_private, "%s/plan-%ld", state, (long)getpid()) < 0)
		return fail_set(f, ENOMEM, "state directory");
	rq.name = config_str(o->config, OPT_NAME) ? config_str(o->config, OPT_NAME) : s.base;
	rq.cwd = s.cwd;
	rq.home_dir = s.home_dir;
	rq.private_dir = s.git_private;
	if (wants_copy(&s)) {
		_cleanup_free_ char *dir = NULL;

		r = copy_dir(rq.name, &dir, f);
		if (r < 0 || !(s.copy = path_join(dir, "NEW")))
			return r < 0 ? r : -ENOMEM;
		rq.copy = s.copy;
	}
	r = compose_plan(o->config, s.survey, &rq, ret, &s.watch, f);
	(void)path_remove_tree(AT_FDCWD, s.git_private);
	return r;
}
