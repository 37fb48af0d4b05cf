/* The environment inside: nothing of the caller's but what config env.pass names, then what the sandbox sets, then
 * what -e and config env say. Variables that name a file of certificates bring the file along. */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/compose-private.h"

#define PATH_BYTES 65536

bool compose_visible(const struct compose *c, const char *path)
{
	static const enum option_id lists[] = { OPT_READ_ONLY, OPT_READ_WRITE };

	if (survey_visible(c->survey, path))
		return true;
	for (char **p = c->survey->etc; p && *p; p++)
		if (path_is_under(path, *p))
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		for (char *const *p = config_list(c->config, lists[i]); p && *p; p++)
			if (path_is_under(path, *p))
				return true;
	return false;
}

/* Variables whose value is a file or directory of certificates: passed on only where that can be shown. */
static bool names_certificates(const char *name)
{
	static const char *const names[] = {
		"SSL_CERT_FILE",    "SSL_CERT_DIR",   "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
		"GIT_SSL_CAINFO",   "GIT_SSL_CAPATH", "AWS_CA_BUNDLE",	     "PIP_CERT",	   "CARGO_HTTP_CAINFO",
		"NIX_SSL_CERT_FILE", "DENO_CERT",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* Shows a certificate file outside what is there already. Positive 1: it cannot be, and the variable is left out. */
static int bring_certificates(struct compose *c, const char *path)
{
	const char *what, *why;
	_cleanup_free_ char *real = NULL;

	if (!path_is_absolute(path))
		return 1;
	real = realpath(path, NULL);
	if (!real || access(real, R_OK) < 0)
		return 1;
	if (compose_visible(c, path))
		return 0;
	if (survey_judge(real, c->survey->home_real, &what, &why) != SURVEY_HARMLESS && !path_is_under(real, "/etc"))
		return 1;
	if (path_is_under(c->survey->home_real, real) || path_is_under(real, "/etc/ssl/private") ||
	    path_is_under(real, "/etc/pki/tls/private"))
		return 1;
	return compose_add(c, PLAN_BIND, PLAN_NOFOLLOW | (path_is_under(path, c->survey->home) ? PLAN_HOSTILE : 0U), real, path, "certificates");
}

static bool passes(const struct compose *c, const char *name)
{
#ifdef CS_MUTATE_NO_ENVLIST
	return true;
#endif
	for (char *const *p = config_list(c->config, OPT_ENV_PASS); p && *p; p++)
		if (fnmatch(*p, name, FNM_NOESCAPE) == 0)
			return true;
	return false;
}

static int pass_on(struct compose *c)
{
	for (char *const *e = c->request->env; e && *e; e++) {
		const char *eq = strchr(*e, '=');
		_cleanup_free_ char *name = eq ? strndup(*e, (size_t)(eq - *e)) : NULL;
		int r = 0;

		if (!name || !passes(c, name))
			continue;
		if (names_certificates(name))
			r = bring_certificates(c, eq + 1);
		if (r < 0)
			return r;
		if (r == 0 && env_set(&c->plan->env, name, eq + 1) < 0)
			return -ENOMEM;
	}
	return 0;
}

static char *path_value(const struct compose *c)
{
	_cleanup_buf_ struct buf b = BUF_INIT(PATH_BYTES);
	char *const *path = c->survey->path;

	buf_printf(&b, "%s/bin:%s/.claude-sandbox/bin", COMPOSE_INSIDE, c->plan->home);
	for (; path && *path; path++)
		buf_printf(&b, ":%s", *path);
	/* what config shows besides the toolchains, where PATH named it */
	for (path = c->survey->path_home; path && *path; path++)
		if (compose_visible(c, *path))
			buf_printf(&b, ":%s", *path);
	return b.error ? NULL : TAKE_PTR(b.data);
}

static int set_own(struct compose *c)
{
	_cleanup_free_ char *path = path_value(c);
	char runtime[64];
	const struct {
		const char *name, *value;
	} vars[] = {
		{ "HOME", c->plan->home },
		{ "USER", compose_user(c) },
		{ "LOGNAME", compose_user(c) },
		{ "SHELL", config_is_set(c->config, OPT_SHELL) ? config_str(c->config, OPT_SHELL) : c->survey->shell },
		{ "PATH", path },
		{ "XDG_RUNTIME_DIR", runtime },
		{ "CLAUDE_SANDBOX", c->plan->name },
		{ "DISABLE_AUTOUPDATER", "1" },
		{ "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1" },
		{ "CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL", "1" },
	};

	(void)snprintf(runtime, sizeof(runtime), "/run/user/%u", (unsigned)c->plan->uid);
	if (!path)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(vars); i++)
		if (env_set(&c->plan->env, vars[i].name, vars[i].value) < 0)
			return -ENOMEM;
	/* an empty entry stands for the usual ones (ncurses(3X), TERMINFO_DIRS) */
	if (c->survey->terminfo) {
		_cleanup_free_ char *dirs = NULL;

		if (asprintf(&dirs, "%s:", c->survey->terminfo) < 0 || env_set(&c->plan->env, "TERMINFO_DIRS", dirs) < 0)
			return -ENOMEM;
	}
	if (!env_get(c->plan->env, "LANG") && !env_get(c->plan->env, "LC_ALL"))
		return env_set(&c->plan->env, "LANG", "C.UTF-8");
	return 0;
}

static int set_list(struct compose *c, char *const *list)
{
	for (; list && *list; list++) {
		const char *eq = strchr(*list, '=');
		_cleanup_free_ char *name = eq ? strndup(*list, (size_t)(eq - *list)) : NULL;

		if (!name || env_set(&c->plan->env, name, eq + 1) < 0)
			return -ENOMEM;
	}
	return 0;
}

int compose_env(struct compose *c)
{
	const struct survey *s = c->survey;
	int r = pass_on(c);

	for (size_t i = 0; i < s->ntools && r == 0; i++)
		r = set_list(c, s->tools[i].env);
	if (r == 0)
		r = set_own(c);
	if (r == 0 && config_bool(c->config, OPT_AGENT_LOGIN) && !str_eq(config_str(c->config, OPT_PROFILE), "none"))
		r = set_list(c, c->request->secrets);
	if (r == 0)
		r = set_list(c, config_list(c->config, OPT_ENV));
	return r;
}
