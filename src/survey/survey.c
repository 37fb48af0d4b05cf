/* Puts the survey together: account, project, /etc, home, toolchains, agent. */
#include "survey/survey.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "survey/private.h"

bool survey_is_system(const char *path)
{
	static const char *const roots[] = { "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix" };

	for (size_t i = 0; i < ARRAY_SIZE(roots); i++)
		if (path_is_under(path, roots[i]))
			return true;
	return false;
}

bool survey_visible(const struct survey *s, const char *path)
{
	if (survey_is_system(path) || (s->project && path_is_under(path, s->project)))
		return true;
	for (size_t i = 0; i < s->nshows; i++)
		if (path_is_under(path, s->shows[i].dst))
			return true;
	for (size_t i = 0; i < s->ntools; i++)
		for (char **p = s->tools[i].paths; p && *p; p++)
			if (path_is_under(path, *p))
				return true;
	return false;
}

/* The login shell, where the system's directories have it: one below the home would not be there inside. */
static char *login_shell(const struct passwd *pw)
{
	const char *env = getenv("SHELL");
	const char *const candidates[] = { env, pw ? pw->pw_shell : NULL, "/bin/bash", "/bin/sh" };

	for (size_t i = 0; i < ARRAY_SIZE(candidates); i++) {
		const char *sh = candidates[i];

		if (!path_is_absolute(sh) || !survey_is_system(sh) || access(sh, X_OK) < 0)
			continue;
		if (str_endswith(sh, "/nologin") || str_endswith(sh, "/false") || str_endswith(sh, "/git-shell"))
			continue;
		return strdup(sh);
	}
	return strdup("/bin/sh");
}

static int find_account(struct survey *s, struct fail *f)
{
	const struct passwd *pw = getpwuid(getuid());
	const char *home = path_home();
	const struct group *gr;

	s->uid = getuid();
	s->gid = getgid();
	if (!home) {
		(void)fail_set(f, ENOENT, "home directory of uid %u", (unsigned)s->uid);
		fail_hint(f, "set HOME to a directory of yours");
		return -ENOENT;
	}
	s->home = path_normalize(home);
	s->shell = login_shell(pw);
	if (!s->home || !s->shell)
		return -ENOMEM;
	if (strcmp(s->home, "/") == 0) {
		(void)fail_set(f, 0, "home directory, '/': refused, it is the whole file system");
		fail_hint(f, "set HOME to a directory of yours");
		return -EPERM;
	}
	s->home_real = realpath(s->home, NULL);
	if (!s->home_real)
		s->home_real = strdup(s->home);
	s->user = pw && pw->pw_name[0] ? strdup(pw->pw_name) : strdup("user");
	gr = getgrgid(s->gid);
	s->group = gr ? strdup(gr->gr_name) : NULL;
	return s->user && s->home_real ? 0 : -ENOMEM;
}

int survey_new(const char *project, bool i_know, struct survey **ret, struct fail *f)
{
	_cleanup_survey_ struct survey *s = calloc(1, sizeof(*s));
	const char *path = getenv("PATH");
	int r;

	if (!s)
		return fail_set(f, ENOMEM, "survey");
	if (str_empty(path))
		path = "/usr/local/bin:/usr/bin:/bin";
	f->msg[0] = 0;
	r = find_account(s, f);
	if (r == 0)
		r = survey_find_project(s, project, i_know, f);
	if (r == 0)
		r = survey_find_etc(s);
	if (r == 0)
		r = survey_find_homefiles(s);
	if (r == 0)
		r = survey_terminfo(s, getenv("TERM"));
	if (r == 0)
		r = survey_find_tools(s, path, f);
	if (r == 0)
		r = survey_find_agent(s, path);
	if (r < 0)
		return f->msg[0] ? r : fail_set(f, -r, "survey of '%s'", s->project ? s->project : "this machine");
	*ret = TAKE_PTR(s);
	return 0;
}

int survey_agent(struct survey **ret, struct fail *f)
{
	_cleanup_survey_ struct survey *s = calloc(1, sizeof(*s));
	const char *path = getenv("PATH");
	int r;

	if (!s)
		return fail_set(f, ENOMEM, "survey");
	r = find_account(s, f);
	if (r == 0)
		r = survey_find_tools(s, path ? path : "", f);
	if (r == 0)
		r = survey_find_agent(s, path ? path : "");
	if (r < 0)
		return r == -ENOMEM ? fail_set(f, ENOMEM, "survey") : r;
	*ret = TAKE_PTR(s);
	return 0;
}

struct survey *survey_free(struct survey *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < s->ntools; i++) {
		free(s->tools[i].name);
		strv_free(s->tools[i].paths);
		strv_free(s->tools[i].never);
		strv_free(s->tools[i].env);
		strv_free(s->tools[i].entries);
	}
	for (size_t i = 0; i < s->nshows; i++) {
		free(s->shows[i].src);
		free(s->shows[i].dst);
	}
	free(s->tools);
	free(s->shows);
	free(s->user);
	free(s->group);
	free(s->home);
	free(s->home_real);
	free(s->shell);
	free(s->project);
	free(s->repository);
	free(s->terminfo);
	strv_free(s->etc);
	strv_free(s->path);
	strv_free(s->path_home);
	free(s->agent.path);
	free(s->agent.real);
	free(s->agent.version);
	strv_free(s->agent.mounts);
	free(s);
	return NULL;
}
