#include "base/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
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
	size_t n, k;
	char *p;

	if (path_is_absolute(b) || str_empty(a))
		return strdup(b);
	if (str_empty(b))
		return strdup(a);
	n = strlen(a);
	k = strlen(b);
	p = malloc(n + k + 2);
	if (!p)
		return NULL;
	memcpy(p, a, n);
	if (a[n - 1] != '/')
		p[n++] = '/';
	memcpy(p + n, b, k + 1);
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
	size_t n = 0, depth = 0; /* components that a ".." can take back */

	if (!out)
		return NULL;
	while (*p) {
		size_t k = strcspn(p, "/");
		bool up = k == 2 && p[0] == '.' && p[1] == '.';

		if (up && depth) {
			while (n && out[--n] != '/')
				;
			depth--;
		} else if (k && !(k == 1 && p[0] == '.') && !(up && absolute)) {
			if (absolute || n)
				out[n++] = '/';
			memcpy(out + n, p, k);
			n += k;
			depth += !up;
		}
		p += k;
		p += strspn(p, "/");
	}
	if (!n)
		out[n++] = absolute ? '/' : '.';
	out[n] = 0;
	return out;
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
		p += n;
		*ret = path_join(base, p + strspn(p, "/"));
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
	if (stat(p, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
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

/* A directory to remove, with the rights that takes: it is ours, but what ran inside chose its mode. */
static int open_doomed(int at, const char *name, dev_t *ret_dev)
{
	_cleanup_close_ int fd = openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char proc[40];
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if ((st.st_mode & 0700) != 0700) {
		/* never chmod by name: that would follow a link put there meanwhile */
		(void)snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
		if (chmod(proc, 0700) < 0)
			return -errno;
	}
	r = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r < 0)
		return -errno;
	*ret_dev = st.st_dev;
	return r;
}

struct doomed {
	int top;      /* the tree's own directory */
	dev_t dev;
	unsigned moved; /* directories that were too deep, now in top */
};

#define DEPTH_MAX 64 /* each level holds a descriptor and a stack frame: a deeper directory is moved up instead */

static int remove_below(struct doomed *t, int fd, unsigned depth);

static int remove_directory(struct doomed *t, int fd, const char *name, unsigned depth)
{
	char up[40];
	dev_t dev;
	int sub, r;

	if (depth >= DEPTH_MAX) {
		(void)snprintf(up, sizeof(up), ".removed-%ld-%u", (long)getpid(), t->moved++);
		return renameat(fd, name, t->top, up) < 0 ? -errno : 0;
	}
	sub = open_doomed(fd, name, &dev);
	if (sub < 0)
		return sub;
	if (dev != t->dev) {
		fd_close(sub);
		return -EXDEV;
	}
	r = remove_below(t, sub, depth + 1);
	if (r == 0 && unlinkat(fd, name, AT_REMOVEDIR) < 0)
		r = -errno;
	return r;
}

/* Empties the directory fd, which it closes. The first error is told, the rest is removed nevertheless. */
static int remove_below(struct doomed *t, int fd, unsigned depth)
{
	DIR *d = fdopendir(fd);
	int r = 0;

	if (!d) {
		r = -errno;
		fd_close(fd);
		return r;
	}
	for (struct dirent *e; (e = readdir(d));) {
		int k = 0;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (unlinkat(fd, e->d_name, 0) == 0)
			continue;
		if (errno == EISDIR || errno == EPERM)
			k = remove_directory(t, fd, e->d_name, depth);
		else if (errno != ENOENT)
			k = -errno;
		r = r ? r : k;
	}
	closedir(d);
	return r;
}

int path_remove_tree(int at, const char *p)
{
	_cleanup_close_ int top = -1;
	struct doomed t;
	unsigned before;
	int r;

	if (unlinkat(at, p, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	t = (struct doomed){ 0 };
	top = open_doomed(at, p, &t.dev);
	if (top < 0)
		return top;
	t.top = top;
	do {
		int fd = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		before = t.moved;
		r = fd < 0 ? -errno : remove_below(&t, fd, 0);
	} while (r == 0 && t.moved != before);
	if (r == 0 && unlinkat(at, p, AT_REMOVEDIR) < 0)
		r = -errno;
	return r;
}
