/* /proc and /dev. The procfs is made by pid 1, whose pid namespace it shows, beside the launcher's work: mounted over
 * the host's /proc, where what of it speaks for the whole machine is made read-only or covered (FACTS kernel 1; the
 * list is podman's and more). The launcher then moves all of it to its place. hidepid is not used: pid 1 is undumpable, everything else belongs to the sandbox, and ps and pstree want to see pid 1. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "kernel/mount.h"
#include "sandbox/apply.h"

static const char *const proc_read_only[] = { "sys", "irq", "bus", "fs", "asound", "driver", NULL };
static const char *const proc_masked_dirs[] = { "acpi", "scsi", NULL };
static const char *const proc_masked_files[] = {
	"sysrq-trigger", "kcore", "keys", "key-users", "timer_list", "timer_stats", "sched_debug", "latency_stats", "kmsg",
	"kallsyms", "kpagecount", "kpageflags", "kpagecgroup", "vmallocinfo", "slabinfo", "mtrr", NULL,
};

/* Takes fd, restricts it and mounts it at name. A name that is not there is fine, and asked for only then. */
static int put(int fd, unsigned attrs, int dir, const char *name, const char *dst, struct fail *f)
{
	_cleanup_close_ int mine = fd;
	int r = fd;

	if (r == -ENOENT)
		return 0;
	if (r >= 0)
		r = mount_set(mine, attrs, false);
	if (r >= 0)
		r = mount_attach(mine, dir, name);
	if (r == -ENOENT && faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return 0;
	return r < 0 ? fail_set(f, -r, "cannot protect '%s/%s' inside", dst, name) : 0;
}

/* stash: an attached tmpfs with an empty file and an empty directory, which masks are copies of. */
static int restrict_proc(int proc, int stash, struct fail *f)
{
	unsigned ro = MOUNT_RDONLY | MOUNT_NOSUID | MOUNT_NODEV | MOUNT_NOEXEC;
	int r = 0;

	for (const char *const *s = proc_read_only; *s && r == 0; s++)
		if (!apply_mutated(*s))
			r = put(mount_clone(proc, *s, false, true), ro, proc, *s, "/proc", f);
	for (const char *const *s = proc_masked_dirs; *s && r == 0; s++)
		if (!apply_mutated(*s))
			r = put(mount_clone(stash, "dir", false, true), ro, proc, *s, "/proc", f);
	for (const char *const *s = proc_masked_files; *s && r == 0; s++)
		if (!apply_mutated(*s))
			r = put(mount_clone(stash, "file", false, true), ro, proc, *s, "/proc", f);
	return r;
}

int apply_proc_make(int proc, struct fail *f)
{
	static const char *const options[] = { "mode=0755", "size=16k", NULL };
	_cleanup_close_ int stash = mount_new("tmpfs", options, MOUNT_NOSUID | MOUNT_NODEV | MOUNT_NOEXEC), file = -1;
	int r = stash < 0 ? stash : mount_attach(stash, AT_FDCWD, "/proc");

	if (r < 0)
		return fail_set(f, -r, "cannot prepare what masks show");
	file = openat(stash, "file", O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	if (file < 0 || mkdirat(stash, "dir", 0555) < 0)
		return fail_set(f, errno, "cannot prepare what masks show");
	r = mount_attach(proc, AT_FDCWD, "/proc");
	return r < 0 ? fail_set(f, -r, "cannot mount a new /proc") : restrict_proc(proc, stash, f);
}

int apply_proc(const struct apply *a, const struct plan_op *op, struct fail *f)
{
	_cleanup_close_ int target = target_make(&a->target, op->dst, true, 0555, false, f), proc = -1;
	int fds[FD_PASS_MAX], r;
	size_t nfds = 0;
	char c;

	if (target < 0)
		return target;
	if (fd_recvmsg(a->link, &c, 1, fds, &nfds) != 1 || nfds != 1)
		return fail_set(f, 0, "cannot mount /proc: pid 1 gave none");
	proc = fds[0];
	r = mount_attach(proc, target, "");
	return r < 0 ? fail_set(f, -r, "cannot mount inside the sandbox, '%s'", op->dst) : 0;
}

static int dev_nodes(int dev, struct fail *f)
{
	static const char *const nodes[] = { "null", "zero", "full", "random", "urandom", "tty", NULL };

	for (const char *const *s = nodes; *s; s++) {
		char host[32];
		int fd, r;

		fd = openat(dev, *s, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		if (fd < 0)
			return fail_set(f, errno, "cannot make '/dev/%s' inside", *s);
		fd_close(fd);
		snprintf(host, sizeof(host), "/dev/%s", *s);
		fd = mount_clone(AT_FDCWD, host, false, false);
		if (fd < 0)
			return fail_set(f, -fd, "cannot mount into the sandbox, '%s'", host);
		r = put(fd, MOUNT_RDONLY | MOUNT_NOSUID | MOUNT_NOEXEC, dev, *s, "/dev", f);
		if (r < 0)
			return r;
	}
	return 0;
}

static int dev_links(int dev, struct fail *f)
{
	static const struct {
		const char *name, *text;
	} links[] = {
		{ "fd", "/proc/self/fd" }, { "stdin", "/proc/self/fd/0" }, { "stdout", "/proc/self/fd/1" },
		{ "stderr", "/proc/self/fd/2" }, { "ptmx", "pts/ptmx" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		if (symlinkat(links[i].text, dev, links[i].name) < 0)
			return fail_set(f, errno, "cannot make '/dev/%s' inside", links[i].name);
	return 0;
}

static int dev_mount(int dev, const char *name, const char *type, const char *const *options, unsigned attrs, struct fail *f)
{
	_cleanup_close_ int fd = -1;
	int r;

	if (mkdirat(dev, name, 0755) < 0)
		return fail_set(f, errno, "cannot make '/dev/%s' inside", name);
	fd = mount_new(type, options, attrs);
	r = fd < 0 ? fd : mount_attach(fd, dev, name);
	return r < 0 ? fail_set(f, -r, "cannot mount '/dev/%s' inside", name) : 0;
}

int apply_dev(const struct apply *a, const struct plan_op *op, struct fail *f)
{
	static const char *const root[] = { "mode=0755", "size=64k", NULL };
	static const char *const pts[] = { "newinstance", "ptmxmode=0666", "mode=0620", NULL };
	_cleanup_close_ int target = target_make(&a->target, op->dst, true, 0755, false, f), dev = -1;
	char size[40];
	const char *shm[] = { "mode=1777", op->size ? size : NULL, NULL };
	int r;

	if (target < 0)
		return target;
	snprintf(size, sizeof(size), "size=%llu", (unsigned long long)op->size);
	dev = mount_new("tmpfs", root, MOUNT_NOSUID | MOUNT_NODEV | MOUNT_NOEXEC);
	r = dev < 0 ? dev : mount_attach(dev, target, "");
	if (r < 0)
		return fail_set(f, -r, "cannot mount inside the sandbox, '%s'", op->dst);
	r = dev_nodes(dev, f);
	if (r == 0)
		r = dev_links(dev, f);
	if (r == 0)
		r = dev_mount(dev, "pts", "devpts", pts, MOUNT_NOSUID | MOUNT_NOEXEC, f);
	if (r == 0)
		r = dev_mount(dev, "shm", "tmpfs", shm, MOUNT_NOSUID | MOUNT_NODEV, f);
	return r;
}
