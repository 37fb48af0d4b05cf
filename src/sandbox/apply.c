#include "sandbox/apply.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "kernel/landlock.h"
#include "kernel/mount.h"
#include "kernel/openat2.h"
#include "kernel/userns.h"
#include "sandbox/say.h"

#define TRIES	   1000
#define HIDDEN	   "proc" /* a directory of the root that a mount covers later */
#define EMPTY_DIR  HIDDEN "/empty.d"
#define EMPTY_FILE HIDDEN "/empty"

int apply_init(struct apply *a, const struct plan *p, int sock, struct fail *f)
{
	*a = (struct apply){
		.plan = p, .target = { .root = -1, .sock = sock, .dir_fd = -1 }, .link = -1, .empty_dir = -1, .empty_file = -1,
		.sources = calloc(p->nops + 1, sizeof(int)), .links = calloc(p->nops + 1, sizeof(int)),
		.covered = calloc(p->nops + 1, sizeof(bool)),
	};
	if (!a->sources || !a->links || !a->covered)
		return fail_set(f, ENOMEM, "cannot start the sandbox");
	for (size_t i = 0; i < p->nops; i++)
		a->sources[i] = a->links[i] = SOURCE_NONE;
	return 0;
}

static bool absent(int error)
{
	return error == -ENOENT || error == -ENOTDIR;
}

/* With PLAN_NOFOLLOW no component may be a link: the path was resolved and judged, and what another sandbox has put in
 * its way since then is not what was judged. */
static int clone_source(const struct plan_op *op)
{
	_cleanup_close_ int root = -1, fd = -1;

	if (!(op->flags & PLAN_NOFOLLOW))
		return mount_clone(AT_FDCWD, op->src, !(op->flags & PLAN_FLAT), false);
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	fd = openat2_beneath(root, op->src + strspn(op->src, "/"), O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
	return fd < 0 ? fd : mount_clone(fd, "", !(op->flags & PLAN_FLAT), true);
}

/* A detached copy of a bind's source; SOURCE_ABSENT where it may be. */
static int open_source(const struct plan_op *op, struct fail *f)
{
	_cleanup_close_ int fd = clone_source(op);
	struct stat st;

	if (absent(fd) && op->flags & PLAN_OPTIONAL)
		return SOURCE_ABSENT;
	if (fd == -EINVAL && op->flags & PLAN_FLAT)
		return fail_set(f, 0, "cannot show a directory without what is mounted below it, '%s'", op->src);
	if (fd < 0) {
		int r = fail_set(f, -fd, "cannot mount into the sandbox, '%s'", op->src);

		if (fd == -EPERM)
			fail_hint(f, "mounts are refused in this user namespace: `claude-sandbox doctor`");
		if (fd == -ELOOP)
			fail_hint(f, "a symbolic link has been put in its way since the start was asked for: look who did");
		return r;
	}
	if (op->flags & PLAN_NOFOLLOW && (fstat(fd, &st) < 0 || S_ISLNK(st.st_mode)))
		return fail_set(f, ELOOP, "cannot mount into the sandbox, '%s'", op->src);
	return TAKE_FD(fd);
}

static unsigned attrs_of(const struct plan_op *op)
{
	return MOUNT_NOSUID | (op->flags & PLAN_WRITE ? 0U : MOUNT_RDONLY) | (op->flags & PLAN_DEVICE ? 0U : MOUNT_NODEV) |
	       (op->flags & PLAN_NOEXEC ? MOUNT_NOEXEC : 0U);
}

static int map_source(int fd, int userns, const struct plan_op *op, struct fail *f)
{
	int r = mount_idmap(fd, userns);

	if (r == 0)
		return 0;
	fail_set(f, -r, "cannot map file ownership (idmapped mount), '%s'", op->src);
	if (r == -EINVAL)
		fail_hint(f, "its file system, or one mounted below it, has no idmapped mounts: run claude-sandbox as an "
			     "ordinary user, or keep the path on ext4, xfs, btrfs or tmpfs");
	else if (r == -EPERM)
		fail_hint(f, "root inside a container's user namespace has no power over the file system: run claude-sandbox as an "
			     "ordinary user");
	return r;
}

int apply_sources(struct apply *a, struct fail *f)
{
	const struct plan *p = a->plan;
	_cleanup_close_ int userns = -1;

	for (size_t i = 0; i < p->nops; i++) {
		const struct plan_op *op = &p->ops[i];
		int r;

		if (op->kind != PLAN_BIND)
			continue;
		a->sources[i] = open_source(op, f);
		if (a->sources[i] == SOURCE_ABSENT)
			continue;
		if (a->sources[i] < 0)
			return a->sources[i];
		r = mount_set(a->sources[i], attrs_of(op), true);
		if (r < 0)
			return fail_set(f, -r, "cannot restrict a mount, '%s'", op->src);
		if (!(op->flags & PLAN_IDMAP))
			continue;
		if (userns < 0)
			userns = userns_for_idmap(geteuid(), p->host_uid, getegid(), p->host_gid);
		if (userns < 0)
			return fail_set(f, -userns, "cannot make a user namespace for idmapped mounts");
		r = map_source(a->sources[i], userns, op, f);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Mounts fd where the operation says, which is made where absent. */
static int attach(struct apply *a, int fd, bool dir, mode_t mode, const struct plan_op *op, struct fail *f)
{
	bool hostile = op->flags & PLAN_HOSTILE;
	_cleanup_close_ int mine = -1;
	const char *name = "";
	int at, r;

	if (hostile)
		at = mine = target_make(&a->target, op->dst, dir, mode, true, f);
	else
		at = target_place(&a->target, op->dst, dir, mode, &name, f);
	if (at < 0)
		return at;
	r = mount_attach(fd, at, name);
	return r < 0 ? fail_set(f, -r, "cannot mount inside the sandbox, '%s'", op->dst) : 0;
}

static int apply_bind(struct apply *a, size_t i, struct fail *f)
{
	const struct plan_op *op = &a->plan->ops[i];
	_cleanup_close_ int fd = -1;
	bool ahead = a->sources[i] != SOURCE_NONE;
	struct stat st;
	int r;

	if (a->sources[i] == SOURCE_ABSENT)
		return 0;
	fd = ahead ? TAKE_FD(a->sources[i]) : open_source(op, f);
	if (fd == SOURCE_ABSENT)
		return 0;
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return fail_set(f, errno, "cannot mount into the sandbox, '%s'", op->src);
	if (!ahead) {
		r = mount_set(fd, attrs_of(op), true);
		if (r < 0)
			return fail_set(f, -r, "cannot restrict a mount, '%s'", op->src);
	}
	return attach(a, fd, S_ISDIR(st.st_mode), S_ISDIR(st.st_mode) ? 0755 : 0600, op, f);
}

static int apply_tmpfs(struct apply *a, const struct plan_op *op, struct fail *f)
{
	_cleanup_close_ int fd = -1;
	char mode[32], size[40];
	const char *options[] = { mode, op->size ? size : NULL, NULL };

	snprintf(mode, sizeof(mode), "mode=%o", op->mode ? op->mode : 0755U);
	snprintf(size, sizeof(size), "size=%llu", (unsigned long long)op->size);
	if (!*target_relative(op->dst)) /* the root is there already */
		return fchmodat(a->target.root, ".", op->mode ? op->mode : 0755U, 0) < 0 ? fail_set(f, errno, "cannot make '/'") : 0;
	fd = mount_new("tmpfs", options, MOUNT_NOSUID | MOUNT_NODEV | (op->flags & PLAN_NOEXEC ? MOUNT_NOEXEC : 0U));
	if (fd < 0)
		return fail_set(f, -fd, "cannot make a tmpfs for '%s'", op->dst);
	return attach(a, fd, true, 0755, op, f);
}

static int apply_dir(struct apply *a, const struct plan_op *op, struct fail *f)
{
	mode_t mode = op->mode ? op->mode : 0755;
	_cleanup_close_ int fd = target_make(&a->target, op->dst, true, mode, op->flags & PLAN_HOSTILE, f), real = -1;
	struct stat st;

	if (fd < 0)
		return fd;
	if (op->flags & PLAN_HOSTILE || (fstat(fd, &st) == 0 && (st.st_mode & 07777) == mode))
		return 0;
	real = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (real < 0 || fchmod(real, mode) < 0)
		return fail_set(f, errno, "cannot set the mode of '%s'", op->dst);
	return 0;
}

static int apply_symlink(struct apply *a, const struct plan_op *op, struct fail *f)
{
	const char *name;
	int fd = target_free(&a->target, op->dst, op->flags & PLAN_HOSTILE, &name, f);

	if (fd < 0)
		return fd;
	return symlinkat(op->src, fd, name) < 0 ? fail_set(f, errno, "cannot make a link inside, '%s'", op->dst) : 0;
}

static int apply_file(struct apply *a, const struct plan_op *op, struct fail *f)
{
	const char *name;
	int fd = target_free(&a->target, op->dst, op->flags & PLAN_HOSTILE, &name, f), r;
	_cleanup_close_ int file = -1;

	if (fd < 0)
		return fd;
	file = openat(fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, op->mode ? op->mode : 0644);
	r = file < 0 ? -errno : fd_write_all(file, op->data, op->len);
	return r < 0 ? fail_set(f, -r, "cannot write a file inside, '%s'", op->dst) : 0;
}

static int apply_seal(struct apply *a, const struct plan_op *op, struct fail *f)
{
	_cleanup_close_ int fd = target_find(&a->target, op->dst, f);
	int r = fd < 0 ? fd : mount_set(fd, MOUNT_RDONLY, false);

	return r < 0 ? fail_set(f, -r, "cannot make read-only inside, '%s'", op->dst) : 0;
}

/* The copy that covers operation i's place: itself, an empty thing, or a symbolic link. */
static int cover(const struct apply *a, size_t i, int target)
{
	const struct plan_op *op = &a->plan->ops[i];
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	if (op->kind == PLAN_GITCONFIG) {
		fd = mount_clone(a->links[i], "", false, true);
	} else if (op->kind == PLAN_MASK) {
		if (fstat(target, &st) < 0)
			return -errno;
		fd = mount_clone(S_ISDIR(st.st_mode) ? a->empty_dir : a->empty_file, "", false, true);
	} else {
		fd = mount_clone(target, "", true, true);
	}
	if (fd < 0)
		return fd;
	r = mount_set(fd, op->flags & PLAN_PIN ? MOUNT_NOSUID : MOUNT_NOSUID | MOUNT_RDONLY, true);
	return r < 0 ? r : TAKE_FD(fd);
}

int apply_cover(const struct apply *a, size_t i, struct fail *f)
{
	const struct plan_op *op = &a->plan->ops[i];
	_cleanup_close_ int target = target_find(&a->target, op->dst, f), fd = -1;
	int r;

	if (target == -ENOENT)
		return APPLY_NOTHING;
	if (target < 0) {
		if (target == -ELOOP)
			fail_hint(f, "a guarded path goes through a symbolic link; guard what it points to, or lift it with "
				     "guard = !NAME");
		return target;
	}
	fd = cover(a, i, target);
	r = fd < 0 ? fd : mount_attach(fd, target, "");
	return r < 0 ? fail_set(f, -r, "cannot protect a path inside, '%s'", op->dst) : 0;
}

/* An absent name is passed over; one that the host replaces at this moment is tried again. */
static int cover_if_present(struct apply *a, size_t i, struct fail *f)
{
	int r = -ENOENT;

	for (unsigned n = 0; r == -ENOENT && n < TRIES; n++)
		r = apply_cover(a, i, f);
	a->covered[i] = r == 0;
	return r == APPLY_NOTHING ? 0 : r;
}

static int apply_op(struct apply *a, size_t i, struct fail *f)
{
	const struct plan_op *op = &a->plan->ops[i];

	if (apply_mutated(op->dst))
		return 0;
	switch (op->kind) {
	case PLAN_DIR:
		return apply_dir(a, op, f);
	case PLAN_TMPFS:
		return apply_tmpfs(a, op, f);
	case PLAN_BIND:
		return apply_bind(a, i, f);
	case PLAN_SYMLINK:
		return apply_symlink(a, op, f);
	case PLAN_FILE:
		return apply_file(a, op, f);
	case PLAN_PROC:
		return apply_proc(a, op, f);
	case PLAN_DEV:
		return apply_dev(a, op, f);
	case PLAN_MASK:
	case PLAN_GUARD:
	case PLAN_GITCONFIG:
		return cover_if_present(a, i, f);
	case PLAN_ABSENT:
		return 0; /* nothing to mount: the gate keeps it */
	case PLAN_SEAL:
		return apply_seal(a, op, f);
	}
	return fail_set(f, EINVAL, "unknown operation in the plan, '%s'", op->dst);
}

/* What masks show and git's links: made where /proc will cover them, so that their names are never seen inside and the
 * keeper can still mount them (an unlinked file can be cloned, but not attached: move_mount gives ENOENT). */
static int prepare(struct apply *a, struct fail *f)
{
	int root = a->target.root, fd;

	if (mkdirat(root, HIDDEN, 0755) < 0)
		return fail_set(f, errno, "cannot prepare the new root");
	fd = openat(root, EMPTY_FILE, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	if (fd < 0 || mkdirat(root, EMPTY_DIR, 0555) < 0)
		return fail_set(f, errno, "cannot prepare the new root");
	fd_close(fd);
	a->empty_file = openat2_beneath(root, EMPTY_FILE, O_PATH, 0);
	a->empty_dir = openat2_beneath(root, EMPTY_DIR, O_PATH, 0);
	if (a->empty_file < 0 || a->empty_dir < 0)
		return fail_set(f, errno, "cannot prepare the new root");
	for (size_t i = 0; i < a->plan->nops; i++) {
		char name[64];

		if (a->plan->ops[i].kind != PLAN_GITCONFIG)
			continue;
		(void)snprintf(name, sizeof(name), HIDDEN "/link.%zu", i);
		if (symlinkat(a->plan->ops[i].src, root, name) < 0)
			return fail_set(f, errno, "cannot prepare git's configuration");
		a->links[i] = openat2_beneath(root, name, O_PATH | O_NOFOLLOW, 0);
		if (a->links[i] < 0)
			return fail_set(f, -a->links[i], "cannot prepare git's configuration");
	}
	return 0;
}

static bool mounts(enum plan_kind k)
{
	return k != PLAN_DIR && k != PLAN_SYMLINK && k != PLAN_FILE;
}

static int apply_one(struct apply *a, size_t i, struct fail *f)
{
	int r = apply_op(a, i, f);

	if (mounts(a->plan->ops[i].kind))
		target_mounted(&a->target, a->plan->ops[i].dst);
	return r;
}

/* Must /proc be there before this operation? */
static bool needs_proc(const struct plan_op *op, const struct plan_op *proc)
{
	size_t n = strlen(proc->dst);

	return op->kind == PLAN_SEAL || op->kind == PLAN_PROC || !strncmp(op->dst, proc->dst, n);
}

/* In the plan's order, but for /proc, which pid 1 is still making: it is waited for as late as can be. */
static int apply_all(struct apply *a, struct fail *f)
{
	size_t n = a->plan->nops, proc = n;
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		const struct plan_op *op = &a->plan->ops[i];

		if (proc < n && needs_proc(op, &a->plan->ops[proc])) {
			r = apply_one(a, proc, f);
			proc = n;
		}
		if (op->kind == PLAN_PROC)
			proc = i;
		else if (r == 0)
			r = apply_one(a, i, f);
	}
	return r == 0 && proc < n ? apply_one(a, proc, f) : r;
}

int apply_plan(struct apply *a, struct fail *f)
{
	static const char *const options[] = { "mode=0755", NULL };
	int r;

	a->target.root = mount_new("tmpfs", options, MOUNT_NOSUID | MOUNT_NODEV);
	if (a->target.root < 0) {
		r = fail_set(f, -a->target.root, "cannot make the sandbox's root");
		fail_hint(f, "this user namespace may not mount (AppArmor restricts it on Ubuntu 23.10 and later): "
			     "`claude-sandbox doctor` names the mend");
		return r;
	}
	r = mount_attach(a->target.root, AT_FDCWD, "/");
	if (r < 0)
		return fail_set(f, -r, "cannot mount the sandbox's root");
	r = prepare(a, f);
	return r < 0 ? r : apply_all(a, f);
}
