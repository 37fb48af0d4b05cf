/* The lock file decides everything: a name belongs to whom holds flock(2) on RUNTIME/NAME/lock, where that path
 * still leads to the locked file. Sockets are bound and reached through /proc/self/fd/DIR/control, so that the length
 * of a runtime path (unix(7): 108 bytes) never matters. */
#include "supervisor/name.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

#define SLUG_MAX 40U

bool name_is_valid(const char *name)
{
	size_t n = strlen(name);

	if (!n || n > NAME_MAX_LEN || name[0] == '.' || name[0] == '-' || name[0] == '_')
		return false;
	return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == n;
}

/* The last component in the letters of a host name; never empty. */
static void slug(const char *project, char out[SLUG_MAX + 1])
{
	size_t n = 0;

	for (const char *s = path_basename(project); *s && n < SLUG_MAX; s++) {
		char c = *s;

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')))
			c = c == '_' ? '_' : '-';
		if ((c == '-' || c == '_') && (!n || out[n - 1] == '-'))
			continue;
		out[n++] = c;
	}
	while (n && (out[n - 1] == '-' || out[n - 1] == '_'))
		n--;
	out[n] = 0;
	if (!n)
		(void)snprintf(out, SLUG_MAX + 1, "sandbox");
}

/* Whether project owns name: 0 it does, 1 another does, -ENOENT nobody. */
static int look(int homes, const char *name, const char *project)
{
	_cleanup_free_ char *record = NULL, *owner = NULL;
	int r;

	if (asprintf(&record, "%s.owner", name) < 0)
		return -ENOMEM;
	r = fd_read_file(homes, record, 65536, &owner, NULL);
	if (r < 0)
		return r;
	return strcmp(owner, project) == 0 ? 0 : 1;
}

/* Makes project the owner of name, unless it has one. link(2) makes the record whole or not at all. */
static int own(int homes, const char *name, const char *project)
{
	_cleanup_free_ char *record = NULL, *tmp = NULL;
	int r = look(homes, name, project);

	if (r != -ENOENT)
		return r;
	if (asprintf(&record, "%s.owner", name) < 0 || asprintf(&tmp, ".%s.owner.%ld", name, (long)getpid()) < 0)
		return -ENOMEM;
	r = fd_write_file(homes, tmp, project, strlen(project), 0600);
	if (r < 0)
		return r;
	r = linkat(homes, tmp, homes, record, 0) < 0 ? -errno : 0;
	(void)unlinkat(homes, tmp, 0);
	return r == -EEXIST ? look(homes, name, project) : r;
}

/* The names that a project may have, in order; NULL: out of memory. Caller frees. */
static char *candidate(const char *project, unsigned i)
{
	uint64_t h = str_hash(project, strlen(project));
	char base[SLUG_MAX + 1], *name;

	slug(project, base);
	if (!i)
		return strdup(base);
	return asprintf(&name, "%s-%04x", base, (unsigned)(h >> (i * 7)) & 0xffff) < 0 ? NULL : name;
}

static int find_name(int homes, const char *project, int (*try)(int, const char *, const char *), char **ret)
{
	for (unsigned i = 0; i < 8; i++) {
		_cleanup_free_ char *name = candidate(project, i);
		int r = name ? try(homes, name, project) : -ENOMEM;

		if (r < 0)
			return r;
		if (r == 0) {
			*ret = TAKE_PTR(name);
			return 0;
		}
	}
	return -EEXIST;
}

static int homes_open(bool make, char **ret_path)
{
	_cleanup_free_ char *data = NULL, *dir = NULL;
	int r = path_xdg(PATH_DATA, &data), fd;

	if (r < 0)
		return r;
	dir = path_join(data, "homes");
	if (!dir)
		return -ENOMEM;
	r = make ? path_mkdir_p(dir, 0700) : 0;
	if (r == 0) {
		fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r = fd < 0 ? -errno : fd;
	}
	*ret_path = TAKE_PTR(dir);
	return r;
}

static int no_homes(const char *dir, int error, struct fail *f)
{
	(void)fail_set(f, -error, "cannot make the directory of homes, '%s'", dir ? dir : "?");
	fail_hint(f, "set HOME or XDG_DATA_HOME to a directory of yours that you can write");
	return error;
}

int name_for_project(const char *project, char **ret, struct fail *f)
{
	_cleanup_free_ char *dir = NULL;
	_cleanup_close_ int homes = homes_open(true, &dir);
	int r;

	if (homes < 0)
		return no_homes(dir, homes, f);
	r = find_name(homes, project, own, ret);
	return r < 0 ? fail_set(f, -r, "cannot record in '%s' whose home it is", dir) : 0;
}

int name_known(const char *project, char **ret)
{
	_cleanup_free_ char *dir = NULL;
	_cleanup_close_ int homes = homes_open(false, &dir);

	return homes < 0 ? homes : find_name(homes, project, look, ret);
}

static int runtime_open(bool make, struct fail *f)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r = path_xdg(PATH_RUNTIME, &path);

	if (r < 0)
		return fail_set(f, -r, "cannot tell the runtime directory");
	if (make) {
		r = path_mkdir_p(path, 0700);
		if (r < 0) {
			(void)fail_set(f, -r, "cannot make the runtime directory '%s'", path);
			fail_hint(f, "set XDG_RUNTIME_DIR to a directory of yours with mode 0700, or unset it");
			return r;
		}
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return fail_set(f, errno, "cannot open the runtime directory '%s'", path);
	if (st.st_uid != geteuid() || (st.st_mode & 077)) {
		(void)fail_set(f, EPERM, "the runtime directory '%s' is open to others", path);
		fail_hint(f, "it must be yours with mode 0700: chmod 700 '%s'", path);
		return -EPERM;
	}
	return TAKE_FD(fd);
}

struct name_claim *name_claim_free(struct name_claim *c)
{
	if (!c)
		return NULL;
	free(c->name);
	fd_close(c->control);
	fd_close(c->dir);
	fd_close(c->root);
	fd_close(c->lock);
	free(c);
	return NULL;
}

static void remove_dir(int root, int dir, const char *name)
{
	static const char *const files[] = { "control", "log", "lock" };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		(void)unlinkat(dir, files[i], 0);
	(void)unlinkat(root, name, AT_REMOVEDIR);
}

void name_claim_remove(const struct name_claim *c)
{
	remove_dir(c->root, c->dir, c->name);
}

/* Locks RUNTIME/name: 0 with both descriptors, 1 where somebody has it, -ENOENT where it is absent and !make. */
static int lock_dir(int root, const char *name, bool make, int *ret_dir, int *ret_lock)
{
	for (int tries = 0; tries < 1000; tries++) {
		_cleanup_close_ int dir = -1, lock = -1;
		struct stat a, b;

		if (make && mkdirat(root, name, 0700) < 0 && errno != EEXIST)
			return -errno;
		dir = openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (dir < 0) {
			if (errno == ENOENT && make)
				continue;
			return -errno;
		}
		lock = openat(dir, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (lock < 0) {
			int r = -errno;

			if (r == -ENOENT && make)
				continue;
			(void)unlinkat(root, name, AT_REMOVEDIR); /* where we have made it in vain */
			return r;
		}
		if (flock(lock, LOCK_EX | LOCK_NB) < 0)
			return errno == EWOULDBLOCK ? 1 : -errno;
		/* Between open and lock its last owner may have removed it. */
		if (fstat(lock, &a) < 0 || fstatat(dir, "lock", &b, AT_SYMLINK_NOFOLLOW) < 0 || a.st_ino != b.st_ino ||
		    fstat(dir, &a) < 0 || fstatat(root, name, &b, AT_SYMLINK_NOFOLLOW) < 0 || a.st_ino != b.st_ino)
			continue;
		*ret_dir = TAKE_FD(dir);
		*ret_lock = TAKE_FD(lock);
		return 0;
	}
	return -EBUSY;
}

static void control_address(int dir, struct sockaddr_un *sa)
{
	*sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
	(void)snprintf(sa->sun_path, sizeof(sa->sun_path), "/proc/self/fd/%d/control", dir);
}

static int control_listen(int dir)
{
	_cleanup_close_ int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un sa;
	mode_t mask;
	int r;

	if (s < 0)
		return -errno;
	control_address(dir, &sa);
	mask = umask(0177);
	r = bind(s, (struct sockaddr *)&sa, sizeof(sa)) < 0 ? -errno : 0;
	umask(mask);
	if (r < 0)
		return r;
	return listen(s, 64) < 0 ? -errno : TAKE_FD(s);
}

static int claim(int root, const char *name, struct name_claim **ret)
{
	_cleanup_claim_ struct name_claim *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	*c = (struct name_claim){ .root = -1, .dir = -1, .lock = -1, .control = -1 };
	r = lock_dir(root, name, true, &c->dir, &c->lock);
	if (r != 0)
		return r;
	(void)unlinkat(c->dir, "control", 0);
	(void)unlinkat(c->dir, "log", 0);
	c->name = strdup(name);
	c->root = fcntl(root, F_DUPFD_CLOEXEC, 3);
	c->control = control_listen(c->dir);
	if (!c->name || c->root < 0 || c->control < 0) {
		r = c->control < 0 ? c->control : -ENOMEM;
		remove_dir(root, c->dir, name);
		return r;
	}
	*ret = TAKE_PTR(c);
	return 0;
}

/* True where a project owns the name as its own: another's numbered sandbox does not take it. */
static bool is_owned(const char *name)
{
	_cleanup_free_ char *data = NULL, *p = NULL;

	if (path_xdg(PATH_DATA, &data) < 0 || asprintf(&p, "%s/homes/%s.owner", data, name) < 0)
		return false;
	return access(p, F_OK) == 0;
}

int name_claim_new(const char *base, bool next, struct name_claim **ret, struct fail *f)
{
	_cleanup_close_ int root = runtime_open(true, f);
	int r;

	if (root < 0)
		return root;
	if (!next) {
		r = claim(root, base, ret);
		return r < 0 ? fail_set(f, -r, "cannot claim the sandbox name '%s'", base) : r;
	}
	for (unsigned i = 2; i < 10000; i++) {
		char name[NAME_MAX_LEN + 16];

		(void)snprintf(name, sizeof(name), "%s-%u", base, i);
		if (!name_is_valid(name))
			break;
		if (is_owned(name))
			continue;
		r = claim(root, name, ret);
		if (r < 0)
			return fail_set(f, -r, "cannot claim the sandbox name '%s'", name);
		if (r == 0)
			return 0;
	}
	return fail_set(f, 0, "no free number after the sandbox name '%s'", base);
}

static int compare(const void *a, const void *b)
{
	return strverscmp(*(char *const *)a, *(char *const *)b);
}

int name_list(char ***ret, struct fail *f)
{
	_cleanup_strv_ char **v = NULL;
	_cleanup_close_ int root = runtime_open(false, f);
	DIR *d;
	int r = 0;

	if (root == -ENOENT) {
		*ret = NULL;
		return 0;
	}
	if (root < 0)
		return root;
	d = fdopendir(fcntl(root, F_DUPFD_CLOEXEC, 3));
	if (!d)
		return fail_set(f, errno, "cannot read the runtime directory");
	for (struct dirent *e; r >= 0 && (e = readdir(d));) {
		int dir = -1, lock = -1, k;

		if (!name_is_valid(e->d_name))
			continue;
		k = lock_dir(root, e->d_name, false, &dir, &lock);
		if (k == 0)
			remove_dir(root, dir, e->d_name);
		else if (k == 1)
			r = strv_add(&v, e->d_name);
		fd_close(dir);
		fd_close(lock);
	}
	closedir(d);
	if (r < 0)
		return r;
	if (v)
		qsort(v, strv_len(v), sizeof(*v), compare);
	*ret = TAKE_PTR(v);
	return 0;
}

static int no_such(const char *name, struct fail *f)
{
	(void)fail_set(f, 0, "no sandbox '%s' is running", name);
	fail_hint(f, "claude-sandbox ls");
	return -ESRCH;
}

int name_connect(const char *name, int *ret_socket, struct fail *f)
{
	_cleanup_close_ int root = -1, dir = -1, s = -1;
	struct sockaddr_un sa;

	if (!name_is_valid(name))
		return no_such(name, f);
	root = runtime_open(false, f);
	if (root == -ENOENT)
		return no_such(name, f);
	if (root < 0)
		return root;
	dir = openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return no_such(name, f);
	s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (s < 0)
		return fail_set(f, errno, "cannot make a socket");
	control_address(dir, &sa);
	if (connect(s, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		if (errno == ENOENT || errno == ECONNREFUSED)
			return no_such(name, f);
		return fail_set(f, errno, "cannot reach the sandbox '%s'", name);
	}
	*ret_socket = TAKE_FD(s);
	return 0;
}

int name_await_end(const char *name, unsigned timeout_ms)
{
	_cleanup_close_ int root = name_is_valid(name) ? runtime_open(false, NULL) : -ENOENT;

	for (unsigned waited = 0; root >= 0; waited += 10) {
		_cleanup_close_ int dir = -1, lock = -1;
		int r = lock_dir(root, name, false, &dir, &lock);

		if (r == 0)
			remove_dir(root, dir, name);
		if (r != 1)
			return waited ? 0 : 1;
		if (waited >= timeout_ms)
			return -ETIMEDOUT;
		(void)usleep(10000);
	}
	return 1;
}
