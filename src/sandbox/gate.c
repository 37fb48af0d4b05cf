/* See gate.h. How a call is judged: its path is read from the caller's memory once, its parent directory is opened
 * by us without following magic links, and the name is made relative to that descriptor; so nothing that the caller
 * changes afterwards matters. Directories of procfs are left to the kernel: "self" there would be us. */
#include "sandbox/gate.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#ifndef SECCOMP_ADDFD_FLAG_SEND
#define SECCOMP_ADDFD_FLAG_SEND (1UL << 1)
#endif

#define LINKS_MAX 40

enum verb { VERB_OPEN, VERB_CREAT, VERB_MKDIR, VERB_SYMLINK, VERB_LINK, VERB_RENAME, VERB_MKNOD };

/* Which argument holds what; -1: it has none (then AT_FDCWD, or 0). */
struct gated {
	int nr;
	enum verb verb;
	signed char dirfd, path, flags, mode, dirfd2, path2;
};

static const struct gated table[] = {
	{ SYS_openat, VERB_OPEN, 0, 1, 2, 3, -1, -1 },
	{ SYS_mkdirat, VERB_MKDIR, 0, 1, -1, 2, -1, -1 },
	{ SYS_symlinkat, VERB_SYMLINK, 1, 2, -1, -1, -1, 0 },
	{ SYS_linkat, VERB_LINK, 2, 3, 4, -1, 0, 1 },
	{ SYS_renameat2, VERB_RENAME, 2, 3, 4, -1, 0, 1 },
	{ SYS_mknodat, VERB_MKNOD, 0, 1, -1, 2, -1, -1 },
#ifdef SYS_renameat
	{ SYS_renameat, VERB_RENAME, 2, 3, -1, -1, 0, 1 },
#endif
#ifdef SYS_open
	{ SYS_open, VERB_OPEN, -1, 0, 1, 2, -1, -1 },
	{ SYS_creat, VERB_CREAT, -1, 0, -1, 1, -1, -1 },
	{ SYS_mkdir, VERB_MKDIR, -1, 0, -1, 1, -1, -1 },
	{ SYS_symlink, VERB_SYMLINK, -1, 1, -1, -1, -1, 0 },
	{ SYS_link, VERB_LINK, -1, 1, -1, -1, -1, 0 },
	{ SYS_rename, VERB_RENAME, -1, 1, -1, -1, -1, 0 },
	{ SYS_mknod, VERB_MKNOD, -1, 0, -1, 1, -1, -1 },
#endif
};

/* The filter: the number picks a verdict; the opens look at O_CREAT. openat2 takes its flags from memory, which no
 * filter can read: it is absent (callers fall back to openat). The main filter has checked the architecture. */
static size_t build_filter(struct sock_filter *f)
{
	size_t n = 0;

	f[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1);
	f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		bool open = table[i].verb == VERB_OPEN;
		uint32_t flags = (uint32_t)(offsetof(struct seccomp_data, args) + 8U * (unsigned)MAX(table[i].flags, 0));

		f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)table[i].nr, 0, open ? 4 : 1);
		if (open) {
			f[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, flags);
			f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_CREAT, 1, 0);
			f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
		}
		f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
	}
	f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	return n;
}

int gate_install(int sock)
{
	struct sock_filter filter[ARRAY_SIZE(table) * 5 + 4];
	struct sock_fprog prog = { .filter = filter };
	_cleanup_close_ int listener = -1;
	char byte = 0;

	prog.len = (unsigned short)build_filter(filter);
	listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
				SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &prog);
	if (listener < 0)
		return -errno;
	return fd_sendmsg(sock, &byte, 1, &listener, 1);
}

int gate_receive(int sock)
{
	int fds[FD_PASS_MAX];
	size_t nfds = 0;
	char byte;
	ssize_t n = fd_recvmsg(sock, &byte, 1, fds, &nfds);

	if (n < 0)
		return (int)n;
	if (n == 1 && nfds == 1)
		return fds[0];
	while (nfds)
		fd_close(fds[--nfds]);
	return -EPROTO;
}

bool gate_refuses(char *const *absent, const char *path, bool whole)
{
	for (; absent && *absent; absent++)
		if (strcmp(*absent, path) == 0 || (whole && path_is_under(*absent, path)))
			return true;
	return false;
}

/* One call under judgement. */
struct call {
	const struct seccomp_notif *req;
	const struct gated *g;
	int listener;
	char *const *absent;
};

/* What becomes of it: an errno or 0 as the call's result, or that the kernel shall go on with it. */
enum { GO_ON = INT_MIN };

/* A name: its parent directory, opened, and its last component. */
struct name {
	int parent;
	char last[NAME_MAX + 1];
	char full[PATH_MAX + NAME_MAX + 2]; /* as seen inside */
};

static void name_close(struct name *n)
{
	n->parent = fd_close(n->parent);
}
#define _cleanup_name_ _cleanup_(name_close)

static uint64_t arg(const struct call *c, int i)
{
	return i < 0 ? 0 : c->req->data.args[i];
}

/* A string in the caller's memory, page by page, since it may end just before an unmapped one. */
static int read_string(const struct call *c, uint64_t at, char out[PATH_MAX])
{
	const size_t page = 4096;
	size_t n = 0;

	while (n < PATH_MAX) {
		size_t want = MIN(page - (size_t)((at + n) & (page - 1)), PATH_MAX - n);
		struct iovec local = { out + n, want };
		struct iovec remote = { (void *)(uintptr_t)(at + n), want };
		ssize_t k = process_vm_readv((pid_t)c->req->pid, &local, 1, &remote, 1, 0);

		if (k <= 0)
			return k < 0 ? -errno : -EFAULT;
		if (memchr(out + n, 0, (size_t)k))
			return 0;
		n += (size_t)k;
	}
	return -ENAMETOOLONG;
}

/* The directory that a relative path starts from; where there is no directory argument, the caller's own. */
static int open_base(const struct call *c, int dirfd_arg)
{
	int dirfd = dirfd_arg < 0 ? AT_FDCWD : (int)arg(c, dirfd_arg);
	char proc[64];

	if (dirfd == AT_FDCWD)
		(void)snprintf(proc, sizeof(proc), "/proc/%u/cwd", c->req->pid);
	else
		(void)snprintf(proc, sizeof(proc), "/proc/%u/fd/%d", c->req->pid, dirfd);
	return open(proc, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* Opens path's parent below base. Anything odd is an error, which leaves the call to the kernel. */
static int name_resolve(int base, char *path, struct name *ret)
{
	struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS };
	_cleanup_close_ int parent = -1;
	char proc[64], *last;
	struct statfs fs;
	size_t len = strlen(path);
	ssize_t n;

	while (len > 1 && path[len - 1] == '/')
		path[--len] = 0;
	last = strrchr(path, '/');
	last = last ? last + 1 : path;
	if (!*last || strcmp(last, ".") == 0 || strcmp(last, "..") == 0 || strlen(last) > NAME_MAX)
		return -EINVAL;
	(void)snprintf(ret->last, sizeof(ret->last), "%s", last);
	*last = 0;
	parent = (int)syscall(SYS_openat2, base, *path ? path : ".", &how, sizeof(how));
	if (parent < 0)
		return -errno;
	if (fstatfs(parent, &fs) < 0 || fs.f_type == PROC_SUPER_MAGIC)
		return -EINVAL;
	(void)snprintf(proc, sizeof(proc), "/proc/self/fd/%d", parent);
	n = readlink(proc, ret->full, PATH_MAX);
	if (n <= 0 || n >= PATH_MAX)
		return -ENAMETOOLONG;
	if (ret->full[n - 1] == '/')
		n--;
	(void)snprintf(ret->full + n, sizeof(ret->full) - (size_t)n, "/%s", ret->last);
	ret->parent = TAKE_FD(parent);
	return 0;
}

static int name_read(const struct call *c, int dirfd_arg, int path_arg, struct name *ret)
{
	_cleanup_close_ int base = -1;
	char path[PATH_MAX];
	int r = read_string(c, arg(c, path_arg), path);

	if (r < 0)
		return r;
	base = open_base(c, dirfd_arg);
	if (base < 0)
		return -errno;
	/* the caller may have died and its number been taken: then what was read is not its */
	if (ioctl(c->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &c->req->id) < 0)
		return -errno;
	return name_resolve(base, path, ret);
}

/* The caller's umask (proc(5), "Umask:"), so that what we make has the mode it would have had. */
static int caller_umask(const struct call *c, mode_t *ret)
{
	char proc[64], text[512], *line;
	_cleanup_close_ int fd = -1;
	ssize_t n;

	(void)snprintf(proc, sizeof(proc), "/proc/%u/status", c->req->pid);
	fd = open(proc, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = fd_read_full(fd, text, sizeof(text) - 1);
	if (n < 0)
		return (int)n;
	text[n] = 0;
	line = strstr(text, "\nUmask:");
	if (!line)
		return -EINVAL;
	*ret = (mode_t)strtoul(line + 7, NULL, 8) & 0777;
	return 0;
}

static int made(int r)
{
	return r < 0 ? errno : 0;
}

/* Gives fd to the caller as the call's result, in one step (seccomp_unotify(2), SECCOMP_ADDFD_FLAG_SEND). */
static int hand_over(const struct call *c, int fd, int flags)
{
	struct seccomp_notif_addfd add = {
		.id = c->req->id,
		.flags = SECCOMP_ADDFD_FLAG_SEND,
		.srcfd = (uint32_t)fd,
		.newfd_flags = (uint32_t)(flags & O_CLOEXEC),
	};

	return ioctl(c->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0 ? -errno : -EALREADY;
}

/* Follows the symbolic links that name ends in, to the name that O_CREAT would make. 0 with name moved on, or
 * GO_ON where something is there already. */
static int follow(struct name *name, int flags)
{
	for (int i = 0; i < LINKS_MAX; i++) {
		char target[PATH_MAX];
		_cleanup_close_ int base = -1;
		struct stat st;
		ssize_t n;

		if (fstatat(name->parent, name->last, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return errno == ENOENT ? 0 : GO_ON;
		if (flags & O_EXCL)
			return 0; /* EEXIST, unless it goes away meanwhile: openat tells */
		if (!S_ISLNK(st.st_mode) || (flags & O_NOFOLLOW))
			return GO_ON;
		n = readlinkat(name->parent, name->last, target, sizeof(target) - 1);
		if (n <= 0 || (size_t)n >= sizeof(target) - 1)
			return GO_ON;
		target[n] = 0;
		base = TAKE_FD(name->parent);
		if (name_resolve(base, target, name) < 0)
			return GO_ON;
	}
	return GO_ON;
}

static int serve_open(const struct call *c, int flags)
{
	_cleanup_name_ struct name name = { .parent = -1 };
	_cleanup_close_ int fd = -1;
	mode_t mask = 0;
	int r;

	if (name_read(c, c->g->dirfd, c->g->path, &name) < 0)
		return GO_ON;
	r = follow(&name, flags);
	if (r == GO_ON || caller_umask(c, &mask) < 0)
		return GO_ON;
	if (gate_refuses(c->absent, name.full, false))
		return EACCES;
	fd = openat(name.parent, name.last, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY,
		    (mode_t)arg(c, c->g->mode) & 01777 & ~mask);
	if (fd < 0)
		return errno;
	if (!(flags & O_NONBLOCK) && fd_set_nonblock(fd, false) < 0)
		return EIO;
	r = hand_over(c, fd, flags);
	return r == -EALREADY ? r : -r;
}

static int serve_mkdir(const struct call *c)
{
	_cleanup_name_ struct name name = { .parent = -1 };
	mode_t mask;

	if (name_read(c, c->g->dirfd, c->g->path, &name) < 0 || caller_umask(c, &mask) < 0)
		return GO_ON;
	if (gate_refuses(c->absent, name.full, false))
		return EACCES;
	return made(mkdirat(name.parent, name.last, (mode_t)arg(c, c->g->mode) & 01777 & ~mask));
}

static int serve_mknod(const struct call *c)
{
	_cleanup_name_ struct name name = { .parent = -1 };
	mode_t mode = (mode_t)arg(c, c->g->mode), mask;

	if (!S_ISREG(mode) && !S_ISFIFO(mode) && (mode & S_IFMT))
		return GO_ON;
	if (name_read(c, c->g->dirfd, c->g->path, &name) < 0 || caller_umask(c, &mask) < 0)
		return GO_ON;
	if (gate_refuses(c->absent, name.full, false))
		return EACCES;
	return made(mknodat(name.parent, name.last, mode & (S_IFMT | (01777 & ~mask)), 0));
}

static int serve_symlink(const struct call *c)
{
	_cleanup_name_ struct name name = { .parent = -1 };
	char target[PATH_MAX];

	if (read_string(c, arg(c, c->g->path2), target) < 0 || name_read(c, c->g->dirfd, c->g->path, &name) < 0)
		return GO_ON;
	if (gate_refuses(c->absent, name.full, true))
		return EACCES;
	return made(symlinkat(target, name.parent, name.last));
}

static int serve_two(const struct call *c)
{
	_cleanup_name_ struct name from = { .parent = -1 }, to = { .parent = -1 };
	unsigned flags = (unsigned)arg(c, c->g->flags);
	bool both = c->g->verb == VERB_RENAME && (flags & RENAME_EXCHANGE);

	/* a link to a descriptor (AT_EMPTY_PATH, or AT_SYMLINK_FOLLOW and /proc/self/fd/N) is not for us to follow */
	if (c->g->verb == VERB_LINK && flags)
		return GO_ON;
	if (name_read(c, c->g->dirfd2, c->g->path2, &from) < 0 || name_read(c, c->g->dirfd, c->g->path, &to) < 0)
		return GO_ON;
	if (gate_refuses(c->absent, to.full, true) || (both && gate_refuses(c->absent, from.full, true)))
		return EACCES;
	if (c->g->verb == VERB_LINK)
		return made(linkat(from.parent, from.last, to.parent, to.last, 0));
	return made((int)syscall(SYS_renameat2, from.parent, from.last, to.parent, to.last, flags));
}

static int judge(const struct call *c)
{
	switch (c->g->verb) {
	case VERB_OPEN:
		return serve_open(c, (int)arg(c, c->g->flags));
	case VERB_CREAT:
		return serve_open(c, O_CREAT | O_WRONLY | O_TRUNC);
	case VERB_MKDIR:
		return serve_mkdir(c);
	case VERB_MKNOD:
		return serve_mknod(c);
	case VERB_SYMLINK:
		return serve_symlink(c);
	case VERB_LINK:
	case VERB_RENAME:
		return serve_two(c);
	}
	return EACCES;
}

static const struct gated *gated_find(int nr)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].nr == nr)
			return &table[i];
	return NULL;
}

int gate_serve(int listener, char *const *absent)
{
	/* the kernel may know larger structures than our headers (SECCOMP_GET_NOTIF_SIZES) and insists on zeros */
	union {
		struct seccomp_notif n;
		char room[512];
	} req = { .room = { 0 } };
	union {
		struct seccomp_notif_resp r;
		char room[512];
	} resp = { .room = { 0 } };
	struct call c = { .req = &req.n, .listener = listener, .absent = absent };
	mode_t saved;
	int r;

	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &req) < 0)
		return -errno;
	c.g = gated_find(req.n.data.nr);
	saved = umask(0);
	r = c.g ? judge(&c) : EACCES;
	umask(saved);
	if (r == -EALREADY)
		return 0;
	resp.r.id = req.n.id;
	if (r == GO_ON)
		resp.r.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	else
		resp.r.error = -r;
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &resp) < 0 ? -errno : 0;
}
