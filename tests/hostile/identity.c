/* Becoming somebody else: user and group ids, capabilities, namespaces. */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static enum verdict is_root(const struct attempt *a)
{
	uid_t r, e, s;

	(void)a;
	if (getresuid(&r, &e, &s) < 0 || r == 0 || e == 0 || s == 0 || getgid() == 0) {
		say("uid or gid 0");
		return ESCAPED;
	}
	say("uid %u", (unsigned)e);
	return CONTAINED;
}

/* The value of a line of /proc/self/status. */
static uint64_t status_value(const char *name, int base, bool *ret_found)
{
	char line[256];
	uint64_t v = 0;
	FILE *f = fopen("/proc/self/status", "re");

	*ret_found = false;
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':') {
			v = strtoull(line + strlen(name) + 1, NULL, base);
			*ret_found = true;
		}
	}
	if (f)
		(void)fclose(f);
	return v;
}

static enum verdict has_caps(const struct attempt *a)
{
	static const char *const sets[] = { "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb" };
	bool found;

	(void)a;
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		uint64_t v = status_value(sets[i], 16, &found);

		if (!found || v) {
			say("%s is %#llx", sets[i], (unsigned long long)v);
			return ESCAPED;
		}
	}
	say("all five sets are empty");
	return CONTAINED;
}

static enum verdict has_nnp(const struct attempt *a)
{
	(void)a;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) {
		say("it is set");
		return CONTAINED;
	}
	say("it is not set");
	return ESCAPED;
}

static enum verdict has_seccomp(const struct attempt *a)
{
	bool found;
	uint64_t v = status_value("Seccomp", 10, &found);

	(void)a;
	say("mode %llu", (unsigned long long)v);
	return found && v == 2 ? CONTAINED : ESCAPED;
}

static enum verdict set_uid(const struct attempt *a)
{
	(void)a;
	return refused(setresuid(0, 0, 0));
}

static enum verdict set_other_uid(const struct attempt *a)
{
	(void)a;
	return refused(setresuid((uid_t)-1, getuid() + 1, (uid_t)-1));
}

static enum verdict set_gid(const struct attempt *a)
{
	(void)a;
	return refused(setresgid(0, 0, 0));
}

static enum verdict set_groups(const struct attempt *a)
{
	gid_t g = 0;

	(void)a;
	return refused(setgroups(1, &g));
}

static enum verdict raise_caps(const struct attempt *a)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = { { ~0U, ~0U, ~0U }, { 0x1ff, 0x1ff, 0x1ff } };

	(void)a;
	return refused(syscall(SYS_capset, &h, d));
}

static enum verdict raise_ambient(const struct attempt *a)
{
	(void)a;
	return refused(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_ADMIN, 0, 0));
}

/* A program with the set-user-id bit of the host's: the mount must take the bit away. */
static enum verdict setuid_mounts(const struct attempt *a)
{
	static const char *const dirs[] = { "/usr", "/bin", "/opt", "/", "/tmp", "/etc" };
	struct statvfs sv;
	const char *all[8];
	size_t n = 0;

	(void)a;
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		all[n++] = dirs[i];
	all[n++] = probe.project;
	all[n++] = probe.home;
	for (size_t i = 0; i < n; i++) {
		if (statvfs(all[i], &sv) == 0 && !(sv.f_flag & ST_NOSUID)) {
			say("'%s' is mounted without nosuid", all[i]);
			return ESCAPED;
		}
	}
	say("every mount is nosuid");
	return CONTAINED;
}

static enum verdict new_ns(const struct attempt *a)
{
	return refused(unshare((int)a->nr));
}

static enum verdict clone_user(const struct attempt *a)
{
	long r = syscall(SYS_clone, (unsigned long)(CLONE_NEWUSER | SIGCHLD), 0, 0, 0, 0);

	(void)a;
	if (r == 0)
		_exit(0);
	if (r > 0)
		(void)waitpid((pid_t)r, NULL, 0);
	return refused(r);
}

static enum verdict clone3_ns(const struct attempt *a)
{
	struct clone_args args = { .flags = (uint64_t)a->nr, .exit_signal = SIGCHLD };
	long r = syscall(SYS_clone3, &args, sizeof(args));

	if (r == 0)
		_exit(0);
	if (r > 0)
		(void)waitpid((pid_t)r, NULL, 0);
	return refused(r);
}

static enum verdict enter_ns(const struct attempt *a)
{
	int fd = open(a->path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? refused(fd) : refused(setns(fd, 0));
}

static enum verdict enter_own_user(const struct attempt *a)
{
	int fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);

	(void)a;
	return fd < 0 ? refused(fd) : denied(setns(fd, CLONE_NEWNS));
}

static enum verdict enter_pidfd(const struct attempt *a)
{
	int fd = (int)syscall(SYS_pidfd_open, 1, 0);

	(void)a;
	return fd < 0 ? refused(fd) : refused(setns(fd, CLONE_NEWNS | CLONE_NEWNET));
}

/* It can always be opened; the kernel refuses the second writing. */
static enum verdict rewrite_map(const struct attempt *a)
{
	int fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);

	(void)a;
	return fd < 0 ? refused(fd) : refused(write(fd, "0 0 1\n", 6));
}

static const struct attempt attempts[] = {
	{ .name = "uid-0", .expected = "an ordinary uid", .tried = "run as uid or gid 0", .run = is_root },
	{ .name = "capabilities",
	  .expected = "five empty sets",
	  .tried = "hold a capability in any set",
	  .run = has_caps },
	{ .name = "no-new-privs", .expected = "it is set", .tried = "run without no_new_privs", .run = has_nnp },
	{ .name = "seccomp-filter", .expected = "mode 2", .tried = "run without a seccomp filter", .run = has_seccomp },
	{ .name = "setuid-0", .tried = "setresuid(0)", .run = set_uid },
	{ .name = "setuid-other", .tried = "seteuid to a neighbour's uid", .run = set_other_uid },
	{ .name = "setgid-0", .tried = "setresgid(0)", .run = set_gid },
	{ .name = "setgroups", .tried = "setgroups to group 0", .run = set_groups },
	{ .name = "capset", .tried = "raise every capability", .run = raise_caps },
	{ .name = "ambient", .tried = "raise an ambient capability", .run = raise_ambient },
	{ .name = "setuid-programs",
	  .expected = "every mount is nosuid",
	  .tried = "find a mount that honours set-user-id bits",
	  .run = setuid_mounts },
	{ .name = "unshare-user", .tried = "unshare a user namespace", .run = new_ns, .nr = CLONE_NEWUSER },
	{ .name = "unshare-mount", .tried = "unshare a mount namespace", .run = new_ns, .nr = CLONE_NEWNS },
	{ .name = "unshare-net", .tried = "unshare a network namespace", .run = new_ns, .nr = CLONE_NEWNET },
	{ .name = "unshare-pid", .tried = "unshare a pid namespace", .run = new_ns, .nr = CLONE_NEWPID },
	{ .name = "unshare-uts", .tried = "unshare a UTS namespace", .run = new_ns, .nr = CLONE_NEWUTS },
	{ .name = "unshare-ipc", .tried = "unshare an IPC namespace", .run = new_ns, .nr = CLONE_NEWIPC },
	{ .name = "unshare-cgroup", .tried = "unshare a cgroup namespace", .run = new_ns, .nr = CLONE_NEWCGROUP },
	{ .name = "clone-user", .tried = "clone into a user namespace", .run = clone_user },
	{ .name = "clone3-user", .tried = "clone3 into a user namespace", .run = clone3_ns, .nr = CLONE_NEWUSER },
	{ .name = "clone3-user-mount",
	  .tried = "clone3 into user and mount namespaces",
	  .run = clone3_ns,
	  .nr = CLONE_NEWUSER | CLONE_NEWNS },
	{ .name = "setns-mount", .tried = "enter pid 1's mount namespace", .run = enter_ns, .path = "/proc/1/ns/mnt" },
	{ .name = "setns-user", .tried = "enter pid 1's user namespace", .run = enter_ns, .path = "/proc/1/ns/user" },
	{ .name = "setns-own", .tried = "setns to the own mount namespace", .run = enter_own_user },
	{ .name = "setns-pidfd", .tried = "setns through a pidfd of pid 1", .run = enter_pidfd },
	{ .name = "userns-limit",
	  .tried = "allow user namespaces again",
	  .run = try_write,
	  .path = "/proc/sys/user/max_user_namespaces" },
	{ .name = "uid-map", .tried = "rewrite the uid map", .run = rewrite_map },
	{ 0 },
};

const struct category identity_category = { "identity", attempts };
