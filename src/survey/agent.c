/* The coding agent as the host has it: the first `claude` on PATH (or where its installers put it), its links
 * followed, and what must be shown for it to run. Nothing is executed to find out. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "survey/private.h"

#define MANIFEST_MAX (256U << 10)

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* True where a path lies in a project that has, or had, a sandbox: what is there may be what one put there. Such a
 * `claude` on PATH (an activated venv, node_modules/.bin) is not the machine's. DATA/homes/NAME.owner names them. */
static bool in_a_project(const struct survey *s, const char *path)
{
	_cleanup_free_ char *data = NULL, *homes = NULL, *real = realpath(path, NULL);
	struct dirent *e;
	bool found = false;
	DIR *d;

	if (!real || (s->project && path_is_under(real, s->project)))
		return true;
	if (survey_is_system(real) || path_xdg(PATH_DATA, &data) < 0 || !(homes = path_join(data, "homes")) || !(d = opendir(homes)))
		return false;
	while (!found && (e = readdir(d))) {
		_cleanup_free_ char *owner = NULL;

		found = str_endswith(e->d_name, ".owner") && fd_read_file(dirfd(d), e->d_name, PATH_MAX, &owner, NULL) == 0 &&
			path_is_absolute(owner) && path_is_under(real, owner);
	}
	closedir(d);
	return found;
}

static char *look(const struct survey *s, const char *path)
{
	static const char *const usual[] = { ".local/bin", ".claude/local", ".npm-global/bin", ".bun/bin" };
	_cleanup_strv_ char **dirs = NULL;

	if (strv_split(path, ":", &dirs) < 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(usual); i++)
		if (strv_take(&dirs, path_join(s->home, usual[i])) < 0)
			return NULL;
	for (char **d = dirs; d && *d; d++) {
		_cleanup_free_ char *p = path_join(*d, "claude");

		/* one of ours is inside a sandbox: not the host's */
		if (p && path_is_absolute(p) && !path_is_under(p, "/run/claude-sandbox") && is_program(p) && !in_a_project(s, p))
			return TAKE_PTR(p);
	}
	return NULL;
}

/* The directory of node_modules that holds the package (its scope, where it has one: platform packages lie beside). */
static char *package_dir(const char *real)
{
	const char *p = NULL;
	size_t n;

	for (const char *c = real; (c = strstr(c, "/node_modules/")); c++)
		p = p ? p : c;
	if (!p)
		return NULL;
	p += strlen("/node_modules/");
	n = strcspn(p, "/");
	return p[n] ? strndup(real, (size_t)(p - real) + n) : NULL;
}

static char *manifest_version(const char *dir)
{
	_cleanup_free_ char *p = path_join(dir, "package.json"), *text = NULL, *version = NULL;
	struct json_object *o, *v;

	if (!p || fd_read_file(AT_FDCWD, p, MANIFEST_MAX, &text, NULL) < 0)
		return NULL;
	o = json_tokener_parse(text);
	if (o && json_object_object_get_ex(o, "version", &v) && json_object_is_type(v, json_type_string))
		version = strdup(json_object_get_string(v));
	json_object_put(o);
	return TAKE_PTR(version);
}

/* From ".../versions/2.1.197", or the manifest of the package that real is in. */
static char *version_of(const char *real, const char *package)
{
	_cleanup_free_ char *dir = path_dirname(real), *main = NULL;
	const char *base = path_basename(real);

	if (!dir)
		return NULL;
	if (strcmp(path_basename(dir), "versions") == 0 && isdigit((unsigned char)base[0]))
		return strdup(base);
	if (!package)
		return NULL;
	main = path_basename(package)[0] == '@' ? path_join(package, "claude-code") : strdup(package);
	return main ? manifest_version(main) : NULL;
}

int survey_find_agent(struct survey *s, const char *path)
{
	struct survey_agent *a = &s->agent;
	_cleanup_free_ char *package = NULL, *bins = NULL;

	a->path = look(s, path);
	if (!a->path)
		return 0;
	a->real = realpath(a->path, NULL);
	if (!a->real)
		return -errno;
	package = package_dir(a->real);
	a->version = version_of(a->real, package);
	if (survey_is_system(a->real))
		return 0;
	if (package)
		return strv_take(&a->mounts, TAKE_PTR(package));
	/* the old local installation: a script that runs node_modules/.bin/claude beside it */
	if (str_endswith(a->real, "/.claude/local/claude")) {
		_cleanup_free_ char *dir = path_dirname(a->real);

		bins = dir ? path_join(dir, "node_modules") : NULL;
		if (!bins)
			return -ENOMEM;
		if (access(bins, R_OK) == 0 && strv_add(&a->mounts, bins) < 0)
			return -ENOMEM;
		a->version = manifest_version(dir);
	}
	return strv_add(&a->mounts, a->real);
}
