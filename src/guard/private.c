/* The private copies of a repository's configuration and hooks. private_dir/rw is what the sandbox sees and may do
 * anything to; private_dir/meta says, for each slot in rw, which file of the host it is a copy of and how that file
 * looked. A slot is named by the hash of the host's path, so that the next session finds the same one. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "guard/private.h"

#define HOOKS_MAX 256
#define HOOK_BYTES (1U << 20)

static int slot_dirs(const char *private_dir, const char *host, char **ret_slot, char **ret_dir, struct fail *f)
{
	_cleanup_free_ char *rw = path_join(private_dir, "rw"), *meta = path_join(private_dir, "meta"), *slot = NULL, *dir = NULL;
	int r;

	if (!rw || !meta || asprintf(&slot, "%016llx", (unsigned long long)str_hash(host, strlen(host))) < 0)
		return -ENOMEM;
	dir = path_join(rw, slot);
	if (!dir)
		return -ENOMEM;
	r = path_mkdir_p(private_dir, 0700);
	if (r == 0 && mkdir(rw, 0700) < 0 && errno != EEXIST)
		r = -errno;
	if (r == 0 && mkdir(meta, 0700) < 0 && errno != EEXIST)
		r = -errno;
	if (r < 0)
		return fail_set(f, -r, "cannot make the directory for private copies, '%s'", private_dir);
	*ret_slot = TAKE_PTR(slot);
	*ret_dir = TAKE_PTR(dir);
	return 0;
}

/* meta/SLOT.NAME */
static int put_meta(const char *private_dir, const char *slot, const char *name, const char *data, size_t n)
{
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "%s/meta/%s.%s", private_dir, slot, name) < 0)
		return -ENOMEM;
	return fd_put_file(AT_FDCWD, path, data, n, 0600);
}

static int fresh_dir(const char *dir)
{
	int r = path_remove_tree(AT_FDCWD, dir);

	return r < 0 ? r : mkdir(dir, 0700) < 0 ? -errno : 0;
}

/* What an earlier session left in the private copy and guard_settle kept: meta/SLOT.kept, entries to append. */
static int append_kept(const char *private_dir, const char *slot, struct buf *b)
{
	_cleanup_free_ char *path = NULL, *kept = NULL;
	size_t n;
	int r;

	if (asprintf(&path, "%s/meta/%s.kept", private_dir, slot) < 0)
		return -ENOMEM;
	r = fd_read_file(AT_FDCWD, path, GITCONF_MAX / 2, &kept, &n);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (b->len && b->data[b->len - 1] != '\n')
		buf_putc(b, '\n');
	return buf_put(b, kept, n);
}

int private_config(const char *private_dir, const char *config, char **ret, struct fail *f)
{
	_cleanup_free_ char *slot = NULL, *dir = NULL, *data = NULL, *file = NULL;
	_cleanup_buf_ struct buf b = BUF_INIT(2 * GITCONF_MAX);
	size_t n;
	int r = slot_dirs(private_dir, config, &slot, &dir, f);

	if (r < 0)
		return r;
	r = fd_read_file(AT_FDCWD, config, GITCONF_MAX, &data, &n);
	if (r < 0)
		return fail_set(f, -r, "cannot read git's configuration, '%s'", config);
	buf_put(&b, data, n);
	r = append_kept(private_dir, slot, &b);
	if (r == 0)
		r = b.error;
	file = path_join(dir, "config");
	if (r == 0 && !file)
		r = -ENOMEM;
	if (r == 0)
		r = fresh_dir(dir);
	if (r == 0)
		r = put_meta(private_dir, slot, "base", data, n);
	if (r == 0)
		r = put_meta(private_dir, slot, "path", config, strlen(config));
	if (r == 0)
		r = fd_put_file(AT_FDCWD, file, buf_cstr(&b), b.len, 0600);
	if (r < 0)
		return fail_set(f, -r, "cannot make a private copy of '%s'", config);
	*ret = TAKE_PTR(slot);
	return 0;
}

static int copy_hook(int from, int to, const char *name)
{
	_cleanup_free_ char *data = NULL;
	char link[4096];
	struct stat st;
	size_t len;
	ssize_t n;
	int r;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode)) {
		n = readlinkat(from, name, link, sizeof(link) - 1);
		if (n < 0)
			return -errno;
		link[n] = 0;
		return symlinkat(link, to, name) < 0 ? -errno : 0;
	}
	if (!S_ISREG(st.st_mode))
		return 0;
	r = fd_read_file(from, name, HOOK_BYTES, &data, &len);
	if (r == -EFBIG || r == -EACCES)
		return 0;
	return r < 0 ? r : fd_put_file(to, name, data, len, st.st_mode & 0755);
}

static int copy_hooks(const char *hooks, const char *dir)
{
	_cleanup_close_ int from = open(hooks, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_close_ int to = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	unsigned count = 0;
	int r = 0;
	DIR *d;

	if (from < 0 || to < 0)
		return -errno;
	d = fdopendir(dup(from));
	if (!d)
		return -errno;
	for (struct dirent *e; r == 0 && (e = readdir(d));) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || str_endswith(e->d_name, ".sample"))
			continue;
		r = ++count > HOOKS_MAX ? -EFBIG : copy_hook(from, to, e->d_name);
	}
	closedir(d);
	return r;
}

int private_hooks(const char *private_dir, const char *hooks, char **ret, struct fail *f)
{
	_cleanup_free_ char *slot = NULL, *dir = NULL, *copy = NULL;
	int r = slot_dirs(private_dir, hooks, &slot, &dir, f);

	if (r < 0)
		return r;
	r = fresh_dir(dir);
	copy = path_join(dir, "hooks");
	if (r == 0 && (!copy || mkdir(copy, 0700) < 0))
		r = copy ? -errno : -ENOMEM;
	if (r == 0)
		r = copy_hooks(hooks, copy);
	if (r == 0)
		r = put_meta(private_dir, slot, "path", hooks, strlen(hooks));
	if (r == -EFBIG)
		return r;
	if (r < 0)
		return fail_set(f, -r, "cannot make a private copy of '%s'", hooks);
	*ret = TAKE_PTR(slot);
	return 0;
}
