/* A guard holds one name of a file. Where the file has another name in the project (a hard link, which an earlier session
 * may have made before there was a reason to guard), it could be written through that one: such a project is refused.
 * Files with several names are rare among what is guarded, so that the walk for the others rarely happens. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "guard/private.h"

#define FILES_MAX   256
#define ENTRIES_MAX 1000000

struct file {
	dev_t dev;
	ino_t ino;
	char *path;
};

struct names {
	struct file files[FILES_MAX];
	size_t n;
	char *const *guards; /* what lies in one of these is held by it */
	unsigned entries;
};

static int add(struct names *v, const char *path, const struct stat *st)
{
	if (!S_ISREG(st->st_mode) || st->st_nlink < 2)
		return 0;
	if (v->n == FILES_MAX)
		return -E2BIG;
	v->files[v->n] = (struct file){ .dev = st->st_dev, .ino = st->st_ino, .path = strdup(path) };
	return v->files[v->n++].path ? 0 : -ENOMEM;
}

/* A file, or the files of a directory. */
static int add_path(struct names *v, const char *path)
{
	struct stat st;
	int r = 0;
	DIR *d;

	if (lstat(path, &st) < 0)
		return 0;
	if (!S_ISDIR(st.st_mode))
		return add(v, path, &st);
	d = opendir(path);
	for (struct dirent *e; d && r == 0 && (e = readdir(d));) {
		_cleanup_free_ char *sub = path_join(path, e->d_name);

		if (sub && fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			r = add(v, sub, &st);
	}
	if (d)
		closedir(d);
	return r;
}

static bool held(const struct names *v, const char *path)
{
	for (char *const *g = v->guards; g && *g; g++)
		if (path_is_under(path, *g))
			return true;
	return false;
}

/* 1: *ret_name is another name of *ret_file. */
static int find(struct names *v, const char *dir, char **ret_name, const char **ret_file)
{
	DIR *d = opendir(dir);
	int r = 0;

	for (struct dirent *e; d && r == 0 && (e = readdir(d));) {
		_cleanup_free_ char *path = NULL;
		struct stat st;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (++v->entries > ENTRIES_MAX || !(path = path_join(dir, e->d_name))) {
			r = v->entries > ENTRIES_MAX ? -E2BIG : -ENOMEM;
			break;
		}
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISDIR(st.st_mode)) {
			r = find(v, path, ret_name, ret_file);
			continue;
		}
		for (size_t i = 0; i < v->n && st.st_nlink > 1; i++) {
			if (st.st_ino != v->files[i].ino || st.st_dev != v->files[i].dev || held(v, path))
				continue;
			*ret_file = v->files[i].path;
			*ret_name = TAKE_PTR(path);
			r = 1;
			break;
		}
	}
	if (d)
		closedir(d);
	return r;
}

int names_check(const char *project, char *const *guards, struct fail *f)
{
	struct names v = { .guards = guards };
	_cleanup_free_ char *other = NULL;
	const char *file = NULL;
	int r = 0;

	for (char *const *g = guards; r == 0 && g && *g; g++)
		r = add_path(&v, *g);
	if (r == 0 && v.n)
		r = find(&v, project, &other, &file);
	if (r == 1) {
		_cleanup_free_ char *quoted = str_shell_quote(file);

		r = fail_set(f, 0, "cannot guard, '%s': it is also '%s' (a hard link), and could be written there", file, other);
		fail_hint(f, "give it an inode of its own: cp -p %s %s.new && mv %s.new %s", quoted, quoted, quoted, quoted);
	} else if (r == -E2BIG) {
		fail_set(f, 0, "cannot guard, '%s': too many files with several names to be sure of them", project);
		fail_hint(f, "guard = !PATH lifts the guard of a directory with hard links in it");
	}
	for (size_t i = 0; i < v.n; i++)
		free(v.files[i].path);
	return r;
}
