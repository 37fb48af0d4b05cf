#include "base/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

bool path_is_absolute(const char *p)
{
	return p && p[0] == '/';
}

const char *path_below(const char *p, const char *dir)
{
	size_t n = strlen(dir);

	if (strcmp(dir, "/") == 0)
		return p[0] == '/' ? p + 1 : NULL;
	if (strncmp(p, dir, n) || (p[n] && p[n] != '/'))
		return NULL;
	return p[n] ? p + n + 1 : p + n;
}

bool path_is_under(const char *p, const char *dir)
{
	return path_below(p, dir) != NULL;
}

const char *path_basename(const char *p)
{
	const char *s = strrchr(p, '/');

	return s ? s + 1 : p;
}

char *path_join(const char *a, const char *b)
{
	char *p;

	if (path_is_absolute(b) || str_empty(a))
		return strdup(b);
	if (str_empty(b))
		return strdup(a);
	if (asprintf(&p, "%s%s%s", a, str_endswith(a, "/") ? "" : "/", b) < 0)
		return NULL;
	return p;
}

char *path_dirname(const char *p)
{
	const char *s = strrchr(p, '/');

	if (!s)
		return strdup(".");
	return s == p ? strdup("/") : strndup(p, (size_t)(s - p));
}

char *path_normalize(const char *p)
{
	bool absolute = path_is_absolute(p);
	char *out = malloc(strlen(p) + 2);
	size_t n = 0;

	if (!out)
		return NULL;
	while (*p) {
		size_t k = strcspn(p, "/");

		if (k == 2 && p[0] == '.' && p[1] == '.' && (absolute || n)) {
			while (n && out[--n] != '/')
				;
		} else if (k && !(k == 1 && p[0] == '.')) {
			if (absolute || n)
				out[n++] = '/';
			memcpy(out + n, p, k);
			n += k;
		}
		p += k;
		p += strspn(p, "/");
	}
	if (!n)
		out[n++] = absolute ? '/' : '.';
	out[n] = 0;
	return out;
}

const char *path_home(void)
{
	const char *home = getenv("HOME");
	const struct passwd *pw;

	if (path_is_absolute(home))
		return home;
	pw = getpwuid(getuid());
	return pw && path_is_absolute(pw->pw_dir) ? pw->pw_dir : NULL;
}

int path_expand(const char *p, const char *home, char **ret)
{
	static const struct {
		const char *name, *fallback;
	} vars[] = {
		{ "$XDG_CONFIG_HOME", ".config" }, { "$XDG_DATA_HOME", ".local/share" },
		{ "$XDG_STATE_HOME", ".local/state" }, { "$XDG_RUNTIME_DIR", NULL }, { "$HOME", "" },
		{ "~", "" },
	};

	if (p[0] != '$' && p[0] != '~') {
		*ret = strdup(p);
		return *ret ? 0 : -ENOMEM;
	}
	for (size_t i = 0; i < ARRAY_SIZE(vars); i++) {
		size_t n = strlen(vars[i].name);
		_cleanup_free_ char *base = NULL;
		const char *value = NULL;

		if (strncmp(p, vars[i].name, n) || (p[n] && p[n] != '/'))
			continue;
		if (vars[i].name[0] == '$' && strcmp(vars[i].name, "$HOME"))
			value = getenv(vars[i].name + 1);
		if (path_is_absolute(value))
			base = strdup(value);
		else if (vars[i].fallback)
			base = path_join(home, vars[i].fallback);
		else
			return -EINVAL;
		if (!base)
			return -ENOMEM;
		*ret = path_join(base, p[n] ? p + n + 1 : "");
		return *ret ? 0 : -ENOMEM;
	}
	return -EINVAL;
}

int path_mkdir_p(const char *p, mode_t mode)
{
	_cleanup_free_ char *copy = strdup(p);
	struct stat st;

	if (!copy)
		return -ENOMEM;
	for (char *s = copy + 1; *copy; s++) {
		char c = *s;

		if (c && c != '/')
			continue;
		*s = 0;
		if (mkdir(copy, mode) < 0 && errno != EEXIST) {
			int e = errno;

			if (stat(copy, &st) < 0 || !S_ISDIR(st.st_mode))
				return -e;
		}
		*s = c;
		if (!c)
			break;
	}
	if (stat(p, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

static int remove_below(int fd, dev_t dev)
{
	DIR *d = fdopendir(fd);
	int r = 0;

	if (!d) {
		r = -errno;
		fd_close(fd);
		return r;
	}
	for (struct dirent *e; (e = readdir(d));) {
		struct stat st;
		int sub, k;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (unlinkat(fd, e->d_name, 0) == 0)
			continue;
		if (errno != EISDIR && errno != EPERM) {
			r = r ? r : -errno;
			continue;
		}
		sub = openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub < 0 && errno == EACCES && fchmodat(fd, e->d_name, 0700, 0) == 0)
			sub = openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub < 0) {
			r = r ? r : -errno;
			continue;
		}
		if (fstat(sub, &st) < 0 || st.st_dev != dev) {
			fd_close(sub);
			r = r ? r : -EXDEV;
			continue;
		}
		if (!(st.st_mode & S_IWUSR))
			(void)fchmod(sub, 0700);
		k = remove_below(sub, dev);
		if (k == 0 && unlinkat(fd, e->d_name, AT_REMOVEDIR) < 0)
			k = -errno;
		r = r ? r : k;
	}
	closedir(d);
	return r;
}

int path_remove_tree(int at, const char *p)
{
	struct stat st;
	int fd, r;

	if (unlinkat(at, p, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	fd = openat(at, p, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0) {
		r = -errno;
		fd_close(fd);
		return r;
	}
	r = remove_below(fd, st.st_dev);
	if (r == 0 && unlinkat(at, p, AT_REMOVEDIR) < 0)
		r = -errno;
	return r;
}

static int runtime_dir(const char *home, char **ret)
{
	const char *env = getenv("XDG_RUNTIME_DIR");
	_cleanup_free_ char *run = NULL;
	struct stat st;

	if (path_is_absolute(env)) {
		*ret = path_join(env, "claude-sandbox");
		return *ret ? 0 : -ENOMEM;
	}
	if (asprintf(&run, "/run/user/%u", (unsigned)getuid()) < 0)
		return -ENOMEM;
	if (lstat(run, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == getuid() && (st.st_mode & 077) == 0)
		*ret = path_join(run, "claude-sandbox");
	else
		*ret = path_join(home, ".local/state/claude-sandbox/run");
	return *ret ? 0 : -ENOMEM;
}

int path_xdg(enum path_xdg kind, char **ret)
{
	static const char *const spec[] = {
		[PATH_CONFIG] = "$XDG_CONFIG_HOME/claude-sandbox",
		[PATH_DATA] = "$XDG_DATA_HOME/claude-sandbox",
		[PATH_STATE] = "$XDG_STATE_HOME/claude-sandbox",
	};
	const char *home = path_home();

	if (!home)
		return -ENOENT;
	if (kind == PATH_RUNTIME)
		return runtime_dir(home, ret);
	return path_expand(spec[kind], home, ret);
}
