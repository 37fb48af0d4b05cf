/* Toolchains below the home: a file of data/toolchains (or of the user's own ~/.config/claude-sandbox/toolchains)
 * says by which PATH entry one is known and which of its directories are shown read-only. Only what is named is
 * shown; credentials that a tool keeps inside a shown directory are named too, and masked.
 *
 *   when = GLOB      a PATH entry that makes it match; "@" below is that entry's parent directory
 *   show = GLOB      directories and files to show
 *   follow = GLOB    a directory of links: the files below the home that they lead to are shown as well
 *   never = GLOB     masked where present
 *   env = NAME=VALUE to set inside
 *   keep = NAME...   variables taken from the host where they are a path that will be there inside
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <glob.h>
#include <ini.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "base/where.h"
#include "survey/private.h"

#define FOLLOW_MAX 200 /* links of one directory */
#define PATHS_MAX 64   /* that one toolchain may show */

struct rules {
	char **when, **show, **follow, **never, **env, **keep;
};

static void rules_free(struct rules *r)
{
	strv_free(r->when);
	strv_free(r->show);
	strv_free(r->follow);
	strv_free(r->never);
	strv_free(r->env);
	strv_free(r->keep);
}

static int on_line(void *user, const char *section, const char *name, const char *value)
{
	struct rules *r = user;
	const struct {
		const char *name;
		char ***list;
	} keys[] = {
		{ "when", &r->when },	{ "show", &r->show }, { "follow", &r->follow },
		{ "never", &r->never }, { "env", &r->env },   { "keep", &r->keep },
	};

	(void)section;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strcmp(name, keys[i].name) == 0)
			return strv_add(keys[i].list, value) == 0;
	return 0;
}

/* A pattern with "~" for the home and "@" for base at its start. */
static char *expand(const struct survey *s, const char *base, const char *pattern)
{
	if (pattern[0] == '@')
		return path_join(base, pattern[1] == '/' ? pattern + 2 : "");
	if (pattern[0] == '~')
		return path_join(s->home, pattern[1] == '/' ? pattern + 2 : "");
	return strdup(pattern);
}

static int add_matches(const struct survey *s, const char *base, const char *pattern, char ***list)
{
	_cleanup_free_ char *p = expand(s, base, pattern);
	glob_t g = { 0 };
	int r = 0;

	if (!p)
		return -ENOMEM;
	if (glob(p, GLOB_BRACE, NULL, &g))
		return 0;
	for (size_t i = 0; i < g.gl_pathc && r == 0 && strv_len(*list) < PATHS_MAX; i++)
		if (!strv_contains(*list, g.gl_pathv[i]))
			r = strv_add(list, g.gl_pathv[i]);
	globfree(&g);
	return r;
}

/* One path for a toolchain to show, unless it leads to something sensitive or is there already. */
static int show(const struct survey *s, struct survey_tool *t, const char *path)
{
	_cleanup_free_ char *real = realpath(path, NULL);
	const char *what, *why;

	if (!real || access(real, R_OK) < 0 || survey_is_system(path) || path_is_under(s->home_real, real))
		return 0;
	if (!survey_is_system(real) && survey_judge(real, s->home_real, &what, &why) != SURVEY_HARMLESS)
		return 0;
	for (char **p = t->paths; p && *p; p++)
		if (path_is_under(path, *p))
			return 0;
	return strv_add(&t->paths, path);
}

static int follow_links(const struct survey *s, struct survey_tool *t, const char *dir)
{
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	unsigned count = 0;
	int r = 0;

	if (!d)
		return 0;
	fd = -1;
	for (struct dirent *e; r == 0 && count < FOLLOW_MAX && (e = readdir(d));) {
		_cleanup_free_ char *link = NULL, *target = NULL;
		struct stat st;

		if (e->d_type != DT_LNK)
			continue;
		count++;
		link = path_join(dir, e->d_name);
		target = link ? realpath(link, NULL) : NULL;
		/* programs only: not what else somebody may have linked there */
		if (!target || stat(target, &st) < 0 || !S_ISREG(st.st_mode) || !(st.st_mode & 0111))
			continue;
		if (!survey_visible(s, target) && path_is_under(target, s->home_real))
			r = show(s, t, target);
	}
	closedir(d);
	return r;
}

static int apply_base(const struct survey *s, const struct rules *rules, struct survey_tool *t, const char *base)
{
	_cleanup_strv_ char **shown = NULL, **follow = NULL;
	int r = 0;

	for (char **p = rules->show; p && *p && r == 0; p++)
		r = add_matches(s, base, *p, &shown);
	for (char **p = shown; p && *p && r == 0; p++)
		r = show(s, t, *p);
	for (char **p = rules->follow; p && *p && r == 0; p++)
		r = add_matches(s, base, *p, &follow);
	for (char **p = follow; p && *p && r == 0; p++)
		r = follow_links(s, t, *p);
	for (char **p = rules->never; p && *p && r == 0; p++)
		r = add_matches(s, base, *p, &t->never);
	for (char **p = rules->env; p && *p && r == 0; p++) {
		const char *eq = strchr(*p, '=');
		_cleanup_free_ char *name = eq ? strndup(*p, (size_t)(eq - *p)) : NULL;
		_cleanup_free_ char *value = eq ? expand(s, base, eq + 1) : NULL;

		if (name && value && !env_get(t->env, name))
			r = env_set(&t->env, name, value);
	}
	return r;
}

static int keep_env(const struct survey *s, const struct rules *rules, struct survey_tool *t)
{
	for (char **line = rules->keep; line && *line; line++) {
		_cleanup_strv_ char **names = NULL;
		int r = strv_split(*line, " \t,", &names);

		for (char **n = names; n && *n && r == 0; n++) {
			const char *value = getenv(*n);
			bool there = path_is_absolute(value) && survey_is_system(value);

			/* the directory itself, or one above what is shown: PYENV_ROOT */
			for (char **p = t->paths; p && *p && path_is_absolute(value) && !there; p++)
				there = path_is_under(value, *p) || path_is_under(*p, value);
			if (there && !path_is_under(s->home, value))
				r = env_set(&t->env, *n, value);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* The real directories of PATH entries may be named through links: both spellings may match. */
static bool matches(const char *pattern, const char *entry)
{
	return fnmatch(pattern, entry, FNM_PATHNAME) == 0;
}

static void tool_free(struct survey_tool *t)
{
	free(t->name);
	strv_free(t->paths);
	strv_free(t->never);
	strv_free(t->env);
	strv_free(t->entries);
}

static int apply(struct survey *s, const struct rules *rules, const char *name, char *const *entries)
{
	struct survey_tool t = { 0 }, *p;
	int r = 0;

	for (char *const *e = entries; e && *e && r == 0; e++) {
		for (char **w = rules->when; w && *w && r == 0; w++) {
			_cleanup_free_ char *pattern = expand(s, "/", *w), *base = path_dirname(*e);

			if (!pattern || !base)
				r = -ENOMEM;
			else if (!strv_contains(t.entries, *e) && matches(pattern, *e) && (r = strv_add(&t.entries, *e)) == 0)
				r = apply_base(s, rules, &t, base);
		}
	}
	if (r == 0 && t.entries)
		r = keep_env(s, rules, &t);
	p = r == 0 && t.paths ? realloc(s->tools, sizeof(*p) * (s->ntools + 1)) : NULL;
	if (p) {
		t.name = strdup(name);
		s->tools = p;
	}
	if (!p || !t.name) {
		bool failed = r == 0 && t.paths;

		tool_free(&t);
		return failed ? -ENOMEM : r;
	}
	s->tools[s->ntools++] = t;
	return 0;
}

static int read_rules(const char *path, struct rules *rules, struct fail *f)
{
	FILE *file = fopen(path, "re");
	int line;

	if (!file)
		return fail_set(f, errno, "toolchain file, '%s'", path);
	line = ini_parse_file(file, on_line, rules);
	(void)fclose(file);
	if (line) {
		(void)fail_set(f, 0, "toolchain file, '%s:%d': not one of when, show, follow, never, env, keep", path, line);
		fail_hint(f, "correct that line, or move the file away");
		return -EINVAL;
	}
	return 0;
}

static int is_conf(const struct dirent *e)
{
	return e->d_name[0] != '.' && str_endswith(e->d_name, ".conf");
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_dir(struct survey *s, const char *dir, char *const *entries, struct fail *f)
{
	struct dirent **files = NULL;
	int n = scandir(dir, &files, is_conf, by_name), r = 0;

	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *path = path_join(dir, files[i]->d_name);
		_cleanup_free_ char *name = strndup(files[i]->d_name, strlen(files[i]->d_name) - 5);
		struct rules rules = { 0 };

		if (r == 0)
			r = path && name ? read_rules(path, &rules, f) : -ENOMEM;
		if (r == 0)
			r = apply(s, &rules, name, entries);
		rules_free(&rules);
		free(files[i]);
	}
	free(files);
	return r;
}

static bool claimed(const struct survey *s, const char *entry)
{
	for (size_t i = 0; i < s->ntools; i++)
		if (strv_contains(s->tools[i].entries, entry))
			return true;
	return false;
}

/* Which PATH entries will be there inside, in their order and once. */
static int choose_path(struct survey *s, char *const *entries)
{
	static const char *const always[] = { "/usr/local/bin", "/usr/bin", "/bin" };
	int r = 0;

	for (char *const *e = entries; e && *e && r == 0; e++) {
		_cleanup_free_ char *normal = path_normalize(*e);

		if (!normal)
			return -ENOMEM;
		if (!path_is_absolute(normal) || strchr(normal, '\n') || strv_contains(s->path, normal))
			continue;
		if (survey_visible(s, normal) || claimed(s, *e))
			r = strv_add(&s->path, normal);
		else if (path_is_under(normal, s->home) && access(normal, F_OK) == 0)
			r = strv_add(&s->path_home, normal);
	}
	for (size_t i = 0; i < ARRAY_SIZE(always) && r == 0; i++)
		if (!strv_contains(s->path, always[i]))
			r = strv_add(&s->path, always[i]);
	return r;
}

int survey_find_tools(struct survey *s, const char *path, struct fail *f)
{
	_cleanup_free_ char *data = NULL, *config = NULL, *own = NULL;
	_cleanup_strv_ char **entries = NULL;
	int r = strv_split(path, ":", &entries);

	if (r < 0)
		return r;
	r = where_data("toolchains", &data);
	if (r < 0) {
		(void)fail_set(f, -r, "toolchain files, 'toolchains'");
		fail_hint(f, "the installation is incomplete: make install");
		return r;
	}
	r = read_dir(s, data, entries, f);
	if (r == 0 && path_xdg(PATH_CONFIG, &config) == 0 && (own = path_join(config, "toolchains")))
		r = read_dir(s, own, entries, f);
	return r == 0 ? choose_path(s, entries) : r;
}
