/* The checks of `doctor`. Those that need privileges of a namespace run in a forked child, which says how far it came
 * by its exit status: the stage and the errno. */
#include "survey/health.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "base/where.h"
#include "kernel/cgroup.h"
#include "kernel/landlock.h"
#include "kernel/mount.h"
#include "kernel/userns.h"
#include "survey/private.h"

int health_add(struct health *h, const char *check, enum health_verdict v, char *seen, char *mend)
{
	struct health_finding *p = seen ? realloc(h->findings, (h->n + 1) * sizeof(*p)) : NULL;

	if (!p) {
		free(seen);
		free(mend);
		return -ENOMEM;
	}
	h->findings = p;
	p[h->n++] = (struct health_finding){ .check = check, .verdict = v, .seen = seen, .mend = mend };
	return 0;
}

static char *format(const char *fmt, ...) _printf_(1, 2);
static char *format(const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return n < 0 ? NULL : s;
}

/* The number in a file of /proc or /sys; -1 where it is not there. */
static long read_number(const char *path)
{
	_cleanup_free_ char *text = NULL;

	if (fd_read_file(AT_FDCWD, path, 4096, &text, NULL) < 0)
		return -1;
	if (text[0] == 'Y')
		return 1;
	return text[0] == 'N' ? 0 : strtol(text, NULL, 10);
}

/* --- kernel --- */

static int check_kernel(struct health *h)
{
	unsigned major = 0, minor = 0;
	struct utsname u;

	if (uname(&u) < 0 || sscanf(u.release, "%u.%u", &major, &minor) != 2)
		return health_add(h, "kernel", HEALTH_WARN, strdup("its version cannot be read"), NULL);
	if (major > 5 || (major == 5 && minor >= 12))
		return health_add(h, "kernel", HEALTH_OK, format("Linux %s", u.release), NULL);
	return health_add(h, "kernel", HEALTH_FAIL, format("Linux %s: 5.12 or later is needed", u.release),
			  strdup("install a newer kernel with your distribution's package manager, and reboot"));
}

/* --- user namespaces --- */

enum stage { STAGE_USERNS = 1, STAGE_MAP, STAGE_NAMESPACES, STAGE_TMPFS, STAGE_PROC, STAGE_NET };

struct outcome {
	int stage, error; /* stage 0: all went well */
};

static struct outcome report(int stage, int error)
{
	return (struct outcome){ .stage = stage, .error = error };
}

/* In pid namespace of its own: procfs, which the kernel refuses where the one that is there is partly covered. */
static struct outcome try_proc(void)
{
	struct outcome *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = shared != MAP_FAILED ? fork() : -1;

	if (pid < 0)
		return report(STAGE_PROC, errno);
	if (pid == 0) {
		if (mount("proc", "/tmp", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
			*shared = report(STAGE_PROC, errno);
		_exit(0);
	}
	(void)waitpid(pid, NULL, 0);
	return *shared;
}

static struct outcome try_namespaces(void)
{
	uid_t uid = getuid();
	gid_t gid = getgid();
	int r;

	/* root itself is never mapped; what fails for an ordinary user fails for it, too */
	if (unshare(CLONE_NEWUSER) < 0)
		return report(STAGE_USERNS, errno);
	r = userns_write_maps(0, uid ? uid : 1000, uid, gid ? gid : 1000, gid);
	if (r < 0)
		return report(STAGE_MAP, -r);
	if (unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP) < 0)
		return report(STAGE_NAMESPACES, errno);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, NULL) < 0)
		return report(STAGE_TMPFS, errno);
	if (unshare(CLONE_NEWNET) < 0)
		return report(STAGE_NET, errno);
	return try_proc();
}

/* Runs f in a child; what it found comes back through shared memory. */
static struct outcome in_child(struct outcome (*f)(void))
{
	struct outcome *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0),
		       result;
	pid_t pid;

	if (shared == MAP_FAILED)
		return report(-1, errno);
	*shared = report(-1, EIO);
	pid = fork();
	if (pid == 0) {
		alarm(20);
		*shared = f();
		_exit(0);
	}
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
	result = *shared;
	(void)munmap(shared, sizeof(*shared));
	return result;
}

static const char profile[] = CS_APPARMOR_DIR "/claude-sandbox";

static char *apparmor_mend(void)
{
	_cleanup_free_ char *shipped = NULL;

	if (access(profile, F_OK) == 0)
		return format("sudo apparmor_parser -r %s", profile);
	if (where_data("apparmor/claude-sandbox", &shipped) == 0)
		return format("sudo install -m 644 %s %s && sudo apparmor_parser -r %s", shipped, profile, profile);
	return strdup(
		"sudo make install   (it installs the AppArmor profile; a program run from the build tree has none), "
		"or: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0");
}

/* The command that most likely mends a refused namespace. */
static char *namespace_mend(const struct outcome *o)
{
	if (getenv("CLAUDE_SANDBOX"))
		return strdup("this is the inside of a sandbox, where none can be made: ask outside");
	if (read_number("/proc/sys/kernel/unprivileged_userns_clone") == 0)
		return strdup(
			"sudo sysctl -w kernel.unprivileged_userns_clone=1   (to keep it: echo "
			"kernel.unprivileged_userns_clone=1 | sudo tee /etc/sysctl.d/60-userns.conf)");
	if (read_number("/proc/sys/user/max_user_namespaces") == 0)
		return strdup(
			"sudo sysctl -w user.max_user_namespaces=15000   (to keep it: echo "
			"user.max_user_namespaces=15000 | sudo tee /etc/sysctl.d/60-userns.conf)");
	if (read_number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1)
		return apparmor_mend();
	if (o->stage == STAGE_PROC)
		return strdup("this looks like a container whose /proc is partly covered: start the container with "
			      "--security-opt systempaths=unconfined (docker) or --security-opt unmask=ALL (podman)");
	if (o->error == ENOSPC)
		return strdup("too many namespaces here: sudo sysctl -w user.max_user_namespaces=15000");
	return strdup(
		"a seccomp filter or a security module of this machine (or the container this runs in) refuses it: run "
		"claude-sandbox outside of that, or start the container with --security-opt seccomp=unconfined");
}

static int check_namespaces(struct health *h)
{
	static const char *const what[] = {
		[STAGE_USERNS] = "making a user namespace", [STAGE_MAP] = "mapping an id into it",
		[STAGE_NAMESPACES] = "making the others",   [STAGE_TMPFS] = "mounting in it",
		[STAGE_PROC] = "mounting /proc in it",	    [STAGE_NET] = "making a network namespace",
	};
	struct outcome o = in_child(try_namespaces);

	if (o.stage == 0)
		return health_add(h, "user-namespaces", HEALTH_OK,
				  strdup("made, mapped, mounted in, with pid, net, ipc, uts and cgroup"), NULL);
	return health_add(h, "user-namespaces", HEALTH_FAIL,
			  format("%s fails: %s", o.stage > 0 ? what[o.stage] : "trying them", strerror(o.error)),
			  namespace_mend(&o));
}

static int check_sysctls(struct health *h)
{
	long max = read_number("/proc/sys/user/max_user_namespaces");
	long unprivileged = read_number("/proc/sys/kernel/unprivileged_userns_clone");

	if (unprivileged == 0)
		return health_add(h, "sysctls", geteuid() == 0 ? HEALTH_WARN : HEALTH_FAIL,
				  strdup("kernel.unprivileged_userns_clone is 0"),
				  namespace_mend(&(struct outcome){ 0 }));
	if (max >= 0 && max < 256)
		return health_add(h, "sysctls", max == 0 ? HEALTH_FAIL : HEALTH_WARN,
				  format("user.max_user_namespaces is %ld", max),
				  max == 0 ? namespace_mend(&(struct outcome){ 0 }) :
					     strdup("sudo sysctl -w user.max_user_namespaces=15000"));
	return health_add(h, "sysctls", HEALTH_OK, format("user.max_user_namespaces is %ld", max), NULL);
}

static int check_apparmor(struct health *h)
{
	_cleanup_free_ char *label = NULL;
	bool restricted = read_number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1;

	if (read_number("/sys/module/apparmor/parameters/enabled") != 1)
		return health_add(h, "apparmor", HEALTH_OK, strdup("not active"), NULL);
	if (!restricted)
		return health_add(h, "apparmor", HEALTH_OK, strdup("active; it does not restrict user namespaces"),
				  NULL);
	if (fd_read_file(AT_FDCWD, "/proc/self/attr/current", 4096, &label, NULL) == 0 &&
	    str_startswith(label, "claude-sandbox"))
		return health_add(h, "apparmor", HEALTH_OK, strdup("restricts user namespaces; our profile is loaded"),
				  NULL);
	return health_add(h, "apparmor", geteuid() == 0 ? HEALTH_WARN : HEALTH_FAIL,
			  format("restricts user namespaces, and our profile is %s",
				 access(profile, F_OK) == 0 ? "not loaded" : "not installed"),
			  apparmor_mend());
}

/* --- the other walls --- */

static int check_landlock(struct health *h)
{
	int abi = landlock_abi();

	if (abi == 0)
		return health_add(
			h, "landlock", HEALTH_FAIL, strdup("this kernel has none, or it is not switched on"),
			strdup("add landlock to the lsm= list of the kernel's command line (as in "
			       "lsm=landlock,yama,apparmor,bpf), update-grub, reboot"));
	if (abi < 6)
		return health_add(h, "landlock", HEALTH_WARN,
				  format("ABI %d: --net host needs 6 (Linux 6.12), which scopes abstract sockets", abi),
				  strdup("a kernel of 6.12 or later, where --net host is wanted"));
	return health_add(h, "landlock", HEALTH_OK, format("ABI %d", abi), NULL);
}

static int check_seccomp(struct health *h)
{
	unsigned action = SECCOMP_RET_ERRNO;

	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0U, &action) == 0)
		return health_add(h, "seccomp", HEALTH_OK, strdup("filters are there"), NULL);
	return health_add(h, "seccomp", HEALTH_FAIL, format("filters are refused: %s", strerror(errno)),
			  strdup("a kernel with CONFIG_SECCOMP_FILTER=y"));
}

/* Whether the file system that path lies on takes an idmapped mount. */
static int try_idmap(const char *path)
{
	_cleanup_close_ int tree = -1, ns = -1;

	tree = mount_clone(AT_FDCWD, path, false, false);
	if (tree < 0)
		return tree;
	ns = userns_for_idmap(0, 100000, 0, 100000);
	return ns < 0 ? ns : mount_idmap(tree, ns);
}

static int check_idmap(struct health *h, const char *project, const char *data)
{
	const char *const paths[] = { project, data };

	if (geteuid() != 0)
		return health_add(h, "idmapped-mounts", HEALTH_OK, strdup("only needed when root starts a sandbox"),
				  NULL);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		int r = try_idmap(paths[i]);

		if (r < 0 &&
		    health_add(
			    h, "idmapped-mounts", HEALTH_FAIL,
			    format("the file system of '%s' does not take them: %s", paths[i], strerror(-r)),
			    strdup("run claude-sandbox as an ordinary user, or keep it on ext4, xfs, btrfs or tmpfs "
				   "(Linux 6.3)")) <
			    0)
			return -ENOMEM;
		if (r < 0)
			return 0;
	}
	return health_add(h, "idmapped-mounts", HEALTH_OK, strdup("project and homes can be mapped"), NULL);
}

/* --- limits --- */

/* Sets the limit on a child that sleeps. */
static int try_limit(const struct cgroup_limits *l, struct fail *f)
{
	_cleanup_(cgroup_release_p) struct cgroup *c = NULL;
	pid_t pid = fork();
	int r;

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	r = cgroup_apply(l, pid, "doctor", &c, f);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	return r;
}

static int check_limits(struct health *h)
{
	static const struct {
		const char *name;
		struct cgroup_limits l;
	} limits[] = {
		{ "memory", { .memory = 64U << 20 } }, { "cpus", { .cpu_milli = 1000 } }, { "pids", { .pids = 64 } },
	};
	_cleanup_buf_ struct buf good = BUF_INIT(256), bad = BUF_INIT(256);
	struct fail f = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		/* where there is no group, RLIMIT_NPROC inside the namespace counts processes */
		struct buf *b = limits[i].l.pids || try_limit(&limits[i].l, &f) == 0 ? &good : &bad;

		buf_printf(b, "%s%s", b->len ? ", " : "", limits[i].name);
	}
	if (!bad.len)
		return health_add(h, "limits", HEALTH_OK, format("%s can be enforced", buf_cstr(&good)), NULL);
	return health_add(h, "limits", HEALTH_WARN,
			  format("%s cannot be enforced%s%s (%s)", buf_cstr(&bad), good.len ? "; what can: " : "",
				 buf_cstr(&good), f.msg),
			  f.hint[0] ? strdup(f.hint)
				    : strdup("log in through systemd, with the controllers delegated to users"));
}

/* --- places --- */

static int check_runtime(struct health *h)
{
	const char *env = getenv("XDG_RUNTIME_DIR");
	_cleanup_free_ char *dir = NULL;
	struct stat st;

	if (path_xdg(PATH_RUNTIME, &dir) < 0)
		return health_add(h, "runtime-directory", HEALTH_FAIL,
				  strdup("there is neither XDG_RUNTIME_DIR nor a home directory"),
				  strdup("export HOME=..."));
	if (!env)
		return health_add(h, "runtime-directory", HEALTH_OK, format("no XDG_RUNTIME_DIR; '%s' serves", dir),
				  NULL);
	if (stat(env, &st) < 0)
		return health_add(h, "runtime-directory", HEALTH_FAIL,
				  format("XDG_RUNTIME_DIR, '%s': %s", env, strerror(errno)),
				  strdup("unset XDG_RUNTIME_DIR, or log in afresh"));
	if (st.st_uid != geteuid() || (st.st_mode & 077))
		return health_add(
			h, "runtime-directory", HEALTH_FAIL, format("XDG_RUNTIME_DIR, '%s', is not yours alone", env),
			st.st_uid == geteuid() ? format("chmod 700 '%s'", env) : strdup("unset XDG_RUNTIME_DIR"));
	return health_add(h, "runtime-directory", HEALTH_OK, format("'%s'", dir), NULL);
}

/* The nearest directory above path that exists. Caller frees. */
static char *existing(const char *path)
{
	char *p = strdup(path);

	while (p && access(p, F_OK) < 0 && strcmp(p, "/") != 0 && strcmp(p, ".") != 0) {
		char *up = path_dirname(p);

		free(p);
		p = up;
	}
	return p;
}

static int check_space(struct health *h, const char *check, enum path_xdg which)
{
	_cleanup_free_ char *dir = NULL, *at = NULL;
	unsigned long long room;
	struct statvfs sv;

	if (path_xdg(which, &dir) < 0)
		return 0;
	at = existing(dir);
	if (!at || statvfs(at, &sv) < 0)
		return health_add(h, check, HEALTH_FAIL, format("'%s': %s", dir, strerror(errno)), NULL);
	room = (unsigned long long)sv.f_bavail * sv.f_frsize;
	if (sv.f_flag & ST_RDONLY)
		return health_add(h, check, HEALTH_FAIL, format("'%s' is on a read-only file system", dir),
				  strdup("set XDG_DATA_HOME and XDG_STATE_HOME to a place that can be written"));
	if (access(at, W_OK) < 0)
		return health_add(h, check, HEALTH_FAIL, format("'%s' cannot be written: %s", at, strerror(errno)),
				  format("ls -ld '%s'", at));
	if (room < 10U << 20 || (sv.f_files && sv.f_favail < 1000))
		return health_add(h, check, HEALTH_FAIL,
				  format("'%s': %llu MiB and %llu files are left", at, room >> 20,
					 (unsigned long long)sv.f_favail),
				  strdup("claude-sandbox df; claude-sandbox prune"));
	return health_add(h, check, room < 500U << 20 ? HEALTH_WARN : HEALTH_OK,
			  format("'%s': %llu MiB free", dir, room >> 20),
			  room < 500U << 20 ? strdup("claude-sandbox df; claude-sandbox prune") : NULL);
}

static int check_filesystem(struct health *h, const char *data)
{
	static const struct {
		long magic;
		const char *name;
	} odd[] = {
		{ 0x6969, "NFS" },    { 0xff534d42, "CIFS" }, { 0xfe534d42, "SMB" },  { 0x517b, "SMB" },
		{ 0x01021997, "9p" }, { 0x65735546, "FUSE" }, { 0xf15f, "ecryptfs" }, { 0x5346414f, "AFS" },
	};
	struct statfs sf;

	if (statfs(data, &sf) < 0)
		return health_add(h, "home-filesystem", HEALTH_WARN, format("'%s': %s", data, strerror(errno)), NULL);
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++)
		if ((long)sf.f_type == odd[i].magic)
			return health_add(h, "home-filesystem", HEALTH_WARN,
					  format("homes and audit lie on %s ('%s'): slow, and locks may not work",
						 odd[i].name, data),
					  strdup("set XDG_DATA_HOME and XDG_STATE_HOME to a local disk"));
	return health_add(h, "home-filesystem", HEALTH_OK, format("of type %#lx", (long)sf.f_type), NULL);
}

/* --- programs --- */

static int check_helpers(struct health *h)
{
	static const char *const helpers[] = { "cs-enter", "cs-guard" };

	for (size_t i = 0; i < ARRAY_SIZE(helpers); i++) {
		_cleanup_free_ char *path = NULL;
		int r = where_helper(helpers[i], &path);

		if (r < 0 || access(path, X_OK) < 0)
			return health_add(h, "helpers", HEALTH_FAIL, format("'%s' is missing", helpers[i]),
					  strdup("make build, or make install"));
	}
	return health_add(h, "helpers", HEALTH_OK, strdup("cs-enter and cs-guard are in their place"), NULL);
}

static bool on_path(const char *name)
{
	const char *path = getenv("PATH");
	_cleanup_strv_ char **dirs = NULL;

	if (!path || strv_split(path, ":", &dirs) < 0)
		return false;
	for (char **d = dirs; d && *d; d++) {
		_cleanup_free_ char *p = path_join(*d, name);

		if (p && access(p, X_OK) == 0)
			return true;
	}
	return false;
}

static int check_programs(struct health *h)
{
	static const struct {
		const char *name, *why;
	} programs[] = {
		{ "git", "without it no repository's guards are needed, and none are made" },
		{ "tmux", "not needed; detach and attach work without it" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		bool there = on_path(programs[i].name);

		if (health_add(h, programs[i].name, there || i ? HEALTH_OK : HEALTH_WARN,
			       format("%s%s%s", there ? "found" : "not found", there ? "" : ": ",
				      there ? "" : programs[i].why),
			       there || i ? NULL
					  : format("install %s with your distribution's package manager",
						   programs[i].name)) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int check_agent(struct health *h)
{
	struct survey *s = calloc(1, sizeof(*s));
	const char *home = path_home(), *path = getenv("PATH");
	int r = -ENOMEM;

	if (s && home)
		s->home = realpath(home, NULL);
	if (s && s->home) {
		r = survey_find_agent(s, path ? path : "/usr/local/bin:/usr/bin:/bin");
		if (r == 0 && s->agent.path)
			r = health_add(h, "agent", HEALTH_OK,
				       format("Claude Code%s%s, '%s'", s->agent.version ? " " : "",
					      s->agent.version ? s->agent.version : "", s->agent.path),
				       NULL);
		else
			r = health_add(
				h, "agent", HEALTH_WARN,
				strdup("no claude on PATH: the sandbox's shell opens without it"),
				strdup("npm install -g @anthropic-ai/claude-code, or: claude-sandbox config set "
				       "agent.install own"));
	}
	survey_free(s);
	return r;
}

int health_check(const char *project, struct health *ret)
{
	_cleanup_free_ char *data = NULL, *at = NULL;
	struct health h = { 0 };
	int r;

	if (path_xdg(PATH_DATA, &data) == 0)
		at = existing(data);
	r = check_kernel(&h);
	r = r < 0 ? r : check_namespaces(&h);
	r = r < 0 ? r : check_sysctls(&h);
	r = r < 0 ? r : check_apparmor(&h);
	r = r < 0 ? r : check_landlock(&h);
	r = r < 0 ? r : check_seccomp(&h);
	r = r < 0 ? r : check_idmap(&h, project, at ? at : "/");
	r = r < 0 ? r : check_limits(&h);
	r = r < 0 ? r : check_runtime(&h);
	r = r < 0 ? r : check_space(&h, "data-space", PATH_DATA);
	r = r < 0 ? r : check_space(&h, "state-space", PATH_STATE);
	r = r < 0 ? r : check_filesystem(&h, at ? at : "/");
	r = r < 0 ? r : check_helpers(&h);
	r = r < 0 ? r : check_agent(&h);
	r = r < 0 ? r : check_programs(&h);
	if (r < 0) {
		health_done(&h);
		return r;
	}
	*ret = h;
	return 0;
}

void health_done(struct health *h)
{
	for (size_t i = 0; i < h->n; i++) {
		free(h->findings[i].seen);
		free(h->findings[i].mend);
	}
	free(h->findings);
	*h = (struct health){ 0 };
}

bool health_failed(const struct health *h)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->findings[i].verdict == HEALTH_FAIL)
			return true;
	return false;
}

const char *health_verdict_name(enum health_verdict v)
{
	static const char *const names[] = { [HEALTH_OK] = "ok", [HEALTH_WARN] = "warn", [HEALTH_FAIL] = "FAIL" };

	return names[v];
}
