/* Reaching files that were not given: the real home, the system's secrets, devices, sockets, kernel settings. */
#include "probe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* A file of the real home by its name there. */
static enum verdict home_file(const struct attempt *a)
{
	char path[PATH_MAX];
	int r;

	(void)snprintf(path, sizeof(path), "%s/%s", probe.home, a->path);
	r = holds_token(path);
	if (r < 0)
		return refused(-1);
	say(r ? "it is the host's" : "the sandbox's own file");
	return r ? ESCAPED : CONTAINED;
}

static enum verdict account_home(const struct attempt *a)
{
	const struct attempt list = { .path = probe.account };

	(void)a;
	return try_list(&list);
}

static enum verdict outside_list(const struct attempt *a)
{
	const struct attempt list = { .path = probe.outside };

	(void)a;
	return try_list(&list);
}

/* What claude-sandbox itself keeps on the host: its control sockets, the homes of other sandboxes, its audit. */
static enum verdict our_own(const struct attempt *a)
{
	char path[PATH_MAX];
	const struct attempt list = { .path = path };

	(void)snprintf(path, sizeof(path), "%s/%s", a->nr ? probe.runtime : probe.home, a->path);
	return try_list(&list);
}

static enum verdict outside_create(const struct attempt *a)
{
	const struct attempt create = { .path = probe.outside };

	(void)a;
	return try_create(&create);
}

/* The path below a root that might be the host's. */
static enum verdict other_root(const struct attempt *a)
{
	char path[PATH_MAX];
	int fd;

	(void)snprintf(path, sizeof(path), "%s%s", a->path, probe.outside);
	fd = open(path, O_PATH | O_CLOEXEC);
	return refused(fd);
}

/* Up and up from the project, by name and with a directory descriptor. */
static enum verdict dotdot(const struct attempt *a)
{
	char up[PATH_MAX] = "";
	int fd = open(probe.project, O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)a;
	for (int i = 0; i < 64; i++)
		(void)snprintf(up + strlen(up), sizeof(up) - strlen(up), "../");
	(void)snprintf(up + strlen(up), sizeof(up) - strlen(up), "%s", probe.outside);
	return refused(openat(fd, up, O_PATH | O_CLOEXEC));
}

static enum verdict by_link(const struct attempt *a)
{
	char name[PATH_MAX];
	int fd;

	(void)a;
	(void)snprintf(name, sizeof(name), "%s/cs-probe-link", probe.project);
	(void)unlink(name);
	if (symlink(probe.outside, name) < 0)
		return refused(-1);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	(void)unlink(name);
	return refused(fd);
}

static enum verdict by_handle(const struct attempt *a)
{
	struct {
		struct file_handle h;
		unsigned char bytes[128];
	} fh = { .h.handle_bytes = 128 };
	int mount_id, fd = open(probe.project, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)a;
	(void)name_to_handle_at(fd, "", &fh.h, &mount_id, AT_EMPTY_PATH);
	return denied(open_by_handle_at(fd, &fh.h, O_RDONLY | O_CLOEXEC));
}

static enum verdict hard_link(const struct attempt *a)
{
	char name[PATH_MAX];
	int r;

	(void)snprintf(name, sizeof(name), "%s/cs-probe-hardlink", probe.project);
	r = link(a->path, name);
	if (r == 0)
		(void)unlink(name);
	return refused(r);
}

/* Walks what can be seen; stops at the first entry for which found() is true. */
struct walk {
	bool (*found)(int dir, const struct dirent *e, const char *path);
	long left;
};

static bool walk(struct walk *w, int dir, const char *path, int depth)
{
	DIR *d = fdopendir(dir);
	bool hit = false;

	if (!d) {
		close(dir);
		return false;
	}
	for (const struct dirent *e; !hit && w->left > 0 && (e = readdir(d));) {
		char below[PATH_MAX];
		int sub;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		w->left--;
		(void)snprintf(below, sizeof(below), "%.*s/%s", PATH_MAX - 300, path, e->d_name);
		hit = w->found(dirfd(d), e, below);
		if (hit || depth <= 0 || (e->d_type != DT_DIR && e->d_type != DT_UNKNOWN))
			continue;
		if (strcmp(below, "/proc") == 0 || strcmp(below, "/usr") == 0 || strcmp(below, "/nix") == 0)
			continue;
		sub = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub >= 0)
			hit = walk(w, sub, below, depth - 1);
	}
	closedir(d);
	return hit;
}

static bool is_canary(int dir, const struct dirent *e, const char *path)
{
	(void)dir;
	if (strncmp(e->d_name, "cs-canary", 9) != 0)
		return false;
	say("'%s' is in sight", path);
	return true;
}

static enum verdict search(const struct attempt *a)
{
	struct walk w = { .found = is_canary, .left = 300000 };

	(void)a;
	if (walk(&w, open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), "", 12))
		return ESCAPED;
	say("no canary in sight");
	return CONTAINED;
}

static bool is_writable(int dir, const struct dirent *e, const char *path)
{
	struct stat st;
	int fd;

	if (fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return false;
	fd = openat(dir, e->d_name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return false;
	close(fd);
	say("'%s' opens for writing", path);
	return true;
}

static enum verdict walk_writable(const struct attempt *a)
{
	struct walk w = { .found = is_writable, .left = 50000 };
	int dir = open(a->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return refused(dir);
	if (walk(&w, dir, a->path, 10))
		return ESCAPED;
	say("nothing of it opens for writing");
	return CONTAINED;
}

/* A node that would be the kernel's memory, or the first disk. */
static enum verdict make_node(const struct attempt *a)
{
	char name[PATH_MAX];
	int r;

	(void)snprintf(name, sizeof(name), "%s/cs-probe-node", a->path ? a->path : probe.project);
	r = mknod(name, (mode_t)(a->args[0] | 0600), makedev((unsigned)a->args[1], (unsigned)a->args[2]));
	if (r == 0)
		(void)unlink(name);
	return refused(r);
}

static bool is_strange_device(int dir, const struct dirent *e, const char *path)
{
	static const char *const known[] = { "null", "zero", "full", "random", "urandom", "tty", "ptmx", "console" };
	struct stat st;

	if (fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode)))
		return false;
	if (strncmp(path, "/dev/pts/", 9) == 0)
		return false;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(e->d_name, known[i]) == 0)
			return false;
	say("'%s' is there", path);
	return true;
}

static enum verdict devices(const struct attempt *a)
{
	struct walk w = { .found = is_strange_device, .left = 10000 };
	int dir = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)a;
	if (dir < 0)
		return refused(dir);
	if (walk(&w, dir, "/dev", 4))
		return ESCAPED;
	say("only the harmless ones");
	return CONTAINED;
}

static enum verdict machine_id(const struct attempt *a)
{
	char text[64] = "";
	int fd = open("/etc/machine-id", O_RDONLY | O_CLOEXEC);

	(void)a;
	if (!probe.machine) {
		say("the host has none");
		return SKIPPED;
	}
	if (fd < 0)
		return refused(fd);
	if (read(fd, text, sizeof(text) - 1) < 0)
		return refused(-1);
	close(fd);
	if (strncmp(text, probe.machine, strlen(probe.machine)) == 0) {
		say("it is the host's");
		return ESCAPED;
	}
	say("not the host's");
	return CONTAINED;
}

static bool is_answering(int dir, const struct dirent *e, const char *path)
{
	const struct attempt there = { .path = path };
	struct stat st;

	if (fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISSOCK(st.st_mode) ||
	    try_connect(&there) == CONTAINED)
		return false;
	say("'%s' answers", path);
	return true;
}

static enum verdict sockets(const struct attempt *a)
{
	static const char *const dirs[] = { "/run", "/tmp" };

	(void)a;
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		struct walk w = { .found = is_answering, .left = 20000 };
		int dir = open(dirs[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (dir >= 0 && walk(&w, dir, dirs[i], 6))
			return ESCAPED;
	}
	say("none answers");
	return CONTAINED;
}

/* Standard input is a file of the host's that was opened for reading only. */
static enum verdict reopen_stdin(const struct attempt *a)
{
	int fd = open("/proc/self/fd/0", O_RDWR | O_CLOEXEC);
	struct stat st;

	(void)a;
	if (fd < 0)
		return refused(fd);
	if (fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode))) {
		say("it is a pipe or a device, not the file");
		return CONTAINED;
	}
	say("it opens for writing");
	return ESCAPED;
}

static enum verdict leaked_fds(const struct attempt *a)
{
	struct stat st;

	(void)a;
	for (int fd = 0; fd < 1024; fd++) {
		if (fstat(fd, &st) < 0)
			continue;
		if (fd > 2) {
			say("descriptor %d is open", fd);
			return ESCAPED;
		}
		if (S_ISDIR(st.st_mode) || S_ISBLK(st.st_mode) || S_ISREG(st.st_mode)) {
			say("descriptor %d is a file or directory of the host's", fd);
			return ESCAPED;
		}
	}
	say("only the three standard ones, none a file");
	return CONTAINED;
}

/* The mount table: what can be written there is what was given. */
static enum verdict mounts(const struct attempt *a)
{
	char line[4096], at[PATH_MAX], options[256];
	FILE *f = fopen("/proc/self/mountinfo", "re");

	(void)a;
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*s %*s %*s %*s %4095s %255s", at, options) != 2)
			continue;
		if (strncmp(options, "rw", 2) == 0 && (strcmp(at, "/usr") == 0 || strcmp(at, "/etc") == 0 ||
						       strcmp(at, "/opt") == 0 || strncmp(at, "/proc/sys", 9) == 0)) {
			say("'%s' is mounted writable", at);
			(void)fclose(f);
			return ESCAPED;
		}
	}
	if (f)
		(void)fclose(f);
	say("system mounts are read-only");
	return CONTAINED;
}

/* A set-user-id copy in the project would be the host user's own program for everybody on the host. */
static enum verdict plant_setuid(const struct attempt *a)
{
	char name[PATH_MAX];
	int fd, r;

	(void)snprintf(name, sizeof(name), "%s/cs-probe-setuid", probe.project);
	(void)unlink(name);
	if (a->nr) {
		fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 04755);
		r = fd;
	} else {
		fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
		r = fd < 0 ? fd : fchmod(fd, 04755);
	}
	if (r >= 0) {
		struct stat st;

		if (fstat(fd, &st) == 0 && !(st.st_mode & 04000)) {
			errno = EPERM;
			r = -1;
		}
	}
	if (fd >= 0)
		close(fd);
	(void)unlink(name);
	return refused(r < 0 ? -1 : 0);
}

static enum verdict file_caps(const struct attempt *a)
{
	static const unsigned char caps[20] = { 1, 0, 0, 2, 0xff, 0xff, 0xff, 0xff };
	char name[PATH_MAX];
	int fd, r;

	(void)a;
	(void)snprintf(name, sizeof(name), "%s/cs-probe-caps", probe.project);
	fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	r = (int)syscall(SYS_fsetxattr, fd, "security.capability", caps, sizeof(caps), 0);
	(void)unlink(name);
	return refused(r);
}

#define HOME(n, p) { .name = n, .tried = "read the real ~/" p, .run = home_file, .path = p }
#define READ(n, p) { .name = n, .tried = "read " p, .run = try_read, .path = p }
#define WRITE(n, p) { .name = n, .tried = "open " p " for writing", .run = try_write, .path = p }
#define CREATE(n, p) { .name = n, .tried = "make a file in " p, .run = try_create, .path = p }
#define CONNECT(n, p) { .name = n, .tried = "connect to " p, .run = try_connect, .path = p }

static const struct attempt attempts[] = {
	HOME("ssh-key", ".ssh/id_ed25519"),
	HOME("ssh-config", ".ssh/config"),
	HOME("gnupg", ".gnupg/private-keys-v1.d/key.key"),
	HOME("aws", ".aws/credentials"),
	HOME("netrc", ".netrc"),
	HOME("git-credentials", ".git-credentials"),
	HOME("gh-token", ".config/gh/hosts.yml"),
	HOME("kube", ".kube/config"),
	HOME("docker-config", ".docker/config.json"),
	HOME("npmrc", ".npmrc"),
	HOME("history", ".bash_history"),
	HOME("browser", ".config/google-chrome/Default/Cookies"),
	HOME("password-store", ".password-store/bank.gpg"),
	HOME("agent-credentials", ".claude/.credentials.json"),
	HOME("home-file", "Documents/cs-canary.txt"),
	{ .name = "account-home", .tried = "list the account's home directory", .run = account_home },
	{ .name = "search",
	  .expected = "none in sight",
	  .tried = "find a canary anywhere in the file system",
	  .run = search },
	{ .name = "outside-list", .tried = "list a directory of the host's", .run = outside_list },
	{ .name = "own-control",
	  .tried = "see our own control sockets",
	  .run = our_own,
	  .nr = 1,
	  .path = "claude-sandbox" },
	{ .name = "own-homes",
	  .tried = "see the homes of other sandboxes",
	  .run = our_own,
	  .path = ".local/share/claude-sandbox/homes" },
	{ .name = "own-state",
	  .tried = "see the audit and the quarantine",
	  .run = our_own,
	  .path = ".local/state/claude-sandbox" },
	{ .name = "outside-create", .tried = "make a file in a directory of the host's", .run = outside_create },
	{ .name = "pid1-root",
	  .tried = "reach the host through /proc/1/root",
	  .run = other_root,
	  .path = "/proc/1/root" },
	{ .name = "pid1-cwd",
	  .tried = "reach the host through /proc/1/cwd",
	  .run = other_root,
	  .path = "/proc/1/cwd/../.." },
	{ .name = "self-root",
	  .tried = "reach the host through /proc/self/root",
	  .run = other_root,
	  .path = "/proc/self/root" },
	{ .name = "dotdot", .tried = "climb out of the project with ..", .run = dotdot },
	{ .name = "symlink", .tried = "follow a symbolic link out of the project", .run = by_link },
	{ .name = "handle", .tried = "open_by_handle_at", .run = by_handle },
	{ .name = "hardlink-passwd",
	  .tried = "hard-link /etc/passwd into the project",
	  .run = hard_link,
	  .path = "/etc/passwd" },
	READ("shadow", "/etc/shadow"),
	READ("gshadow", "/etc/gshadow"),
	READ("sudoers", "/etc/sudoers"),
	READ("ssh-host-key", "/etc/ssh/ssh_host_ed25519_key"),
	{ .name = "machine-id",
	  .expected = "another, or none",
	  .tried = "learn the host's machine-id",
	  .run = machine_id },
	READ("kcore", "/proc/kcore"),
	READ("kmsg", "/proc/kmsg"),
	READ("dev-kmsg", "/dev/kmsg"),
	READ("keys", "/proc/keys"),
	READ("timer-list", "/proc/timer_list"),
	READ("sched-debug", "/proc/sched_debug"),
	WRITE("passwd-write", "/etc/passwd"),
	WRITE("hosts-write", "/etc/hosts"),
	WRITE("shell-write", "/bin/sh"),
	WRITE("sysrq", "/proc/sysrq-trigger"),
	WRITE("core-pattern", "/proc/sys/kernel/core_pattern"),
	WRITE("modprobe-path", "/proc/sys/kernel/modprobe"),
	WRITE("binfmt", "/proc/sys/fs/binfmt_misc/register"),
	WRITE("uevent-helper", "/sys/kernel/uevent_helper"),
	WRITE("release-agent", "/sys/fs/cgroup/release_agent"),
	WRITE("release-agent-v1", "/sys/fs/cgroup/memory/release_agent"),
	WRITE("cgroup-procs", "/sys/fs/cgroup/cgroup.procs"),
	WRITE("power-state", "/sys/power/state"),
	{ .name = "proc-sys-walk",
	  .expected = "none opens",
	  .tried = "open anything below /proc/sys for writing",
	  .run = walk_writable,
	  .path = "/proc/sys" },
	{ .name = "proc-irq-walk",
	  .expected = "none opens",
	  .tried = "open anything below /proc/irq for writing",
	  .run = walk_writable,
	  .path = "/proc/irq" },
	{ .name = "sys-list", .tried = "list /sys", .run = try_list, .path = "/sys" },
	{ .name = "boot-list", .tried = "list /boot", .run = try_list, .path = "/boot" },
	{ .name = "var-lib-list", .tried = "list /var/lib", .run = try_list, .path = "/var/lib" },
	{ .name = "root-list", .tried = "list /root", .run = try_list, .path = "/root" },
	CREATE("usr-create", "/usr/bin"),
	CREATE("etc-create", "/etc"),
	CREATE("profile-create", "/etc/profile.d"),
	CREATE("root-create", "/"),
	CREATE("run-create", "/run/claude-sandbox"),
	CREATE("cron-create", "/var/spool/cron"),
	{ .name = "mount-table",
	  .expected = "all read-only",
	  .tried = "find a system mount that is writable",
	  .run = mounts },
	{ .name = "mknod-mem",
	  .tried = "make a node of the kernel's memory in the project",
	  .run = make_node,
	  .args = { S_IFCHR, 1, 1 } },
	{ .name = "mknod-disk",
	  .tried = "make a node of a disk in /tmp",
	  .run = make_node,
	  .path = "/tmp",
	  .args = { S_IFBLK, 8, 0 } },
	{ .name = "devices",
	  .expected = "none",
	  .tried = "find a device node beyond the harmless ones",
	  .run = devices },
	READ("dev-mem", "/dev/mem"),
	READ("dev-disk", "/dev/sda"),
	READ("dev-vda", "/dev/vda"),
	READ("dev-nvme", "/dev/nvme0n1"),
	WRITE("dev-kvm", "/dev/kvm"),
	WRITE("dev-fuse", "/dev/fuse"),
	WRITE("dev-tun", "/dev/net/tun"),
	WRITE("dev-loop", "/dev/loop-control"),
	WRITE("dev-uinput", "/dev/uinput"),
	CONNECT("docker-socket", "/var/run/docker.sock"),
	CONNECT("podman-socket", "/run/podman/podman.sock"),
	CONNECT("containerd-socket", "/run/containerd/containerd.sock"),
	CONNECT("system-bus", "/run/dbus/system_bus_socket"),
	CONNECT("systemd-private", "/run/systemd/private"),
	CONNECT("x11-socket", "/tmp/.X11-unix/X0"),
	{ .name = "run-user",
	  .expected = "none",
	  .tried = "find a socket below /run or /tmp that answers",
	  .run = sockets },
	{ .name = "stdin-reopen", .tried = "open the read-only standard input for writing", .run = reopen_stdin },
	{ .name = "leaked-fds", .expected = "none", .tried = "find an inherited descriptor", .run = leaked_fds },
	{ .name = "plant-setuid", .tried = "leave a set-user-id file in the project (fchmod)", .run = plant_setuid },
	{ .name = "plant-setuid-open",
	  .tried = "leave a set-user-id file in the project (open)",
	  .run = plant_setuid,
	  .nr = 1 },
	{ .name = "plant-caps", .tried = "leave a file with capabilities in the project", .run = file_caps },
	{ 0 },
};

const struct category files_category = { "files", attempts };
