#include "kernel/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/spawn.h"
#include "base/str.h"

#define MOUNT	   "/sys/fs/cgroup"
#define PREFIX	   "claude-sandbox-"
#define CPU_PERIOD 100000U /* microseconds */
#define WAIT_MS	   2000	   /* for systemd to move the process; for a group to empty */

enum { MEMORY, CPU, PIDS, CONTROLLERS };
static const char *const controller_names[CONTROLLERS] = { "memory", "cpu", "pids" };

struct cgroup {
	char *dirs[CONTROLLERS]; /* where each limit is; v2: the same three times; NULL: no limit of that kind */
	bool v2, scope;
};

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
}

static bool is_v2(void)
{
	struct statfs s;

	return statfs(MOUNT, &s) == 0 && s.f_type == CGROUP2_SUPER_MAGIC;
}

/* The path in /proc/PID/cgroup: of a v1 controller, or of v2 where controller is NULL. Caller frees. */
static char *path_of(pid_t pid, const char *controller)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_strv_ char **lines = NULL;
	char file[48];

	snprintf(file, sizeof(file), "/proc/%d/cgroup", (int)pid);
	if (fd_read_file(AT_FDCWD, file, 65536, &text, NULL) < 0 || strv_split(text, "\n", &lines) < 0)
		return NULL;
	for (char **l = lines; l && *l; l++) {
		char *list = strchr(*l, ':'), *path = list ? strchr(list + 1, ':') : NULL;
		_cleanup_strv_ char **names = NULL;

		if (!path)
			continue;
		*path++ = 0;
		if (!controller && !strcmp(list, ":"))
			return strdup(path);
		if (controller && strv_split(list + 1, ",", &names) == 0 && strv_contains(names, controller))
			return strdup(path);
	}
	return NULL;
}

/* Where a v1 controller is mounted, from /proc/self/mounts. Caller frees. */
static char *v1_mount(const char *controller)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_strv_ char **lines = NULL;

	if (fd_read_file(AT_FDCWD, "/proc/self/mounts", 1U << 20, &text, NULL) < 0 || strv_split(text, "\n", &lines) < 0)
		return NULL;
	for (char **l = lines; l && *l; l++) {
		_cleanup_strv_ char **f = NULL, **options = NULL;

		if (strv_split(*l, " ", &f) < 0 || strv_len(f) < 4 || strcmp(f[2], "cgroup"))
			continue;
		if (strv_split(f[3], ",", &options) == 0 && strv_contains(options, controller))
			return strdup(f[1]);
	}
	return NULL;
}

static int write_in(const char *dir, const char *file, const char *text)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;

	if (asprintf(&path, "%s/%s", dir, file) < 0)
		return -ENOMEM;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? -errno : write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static int write_number(const char *dir, const char *file, uint64_t v)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, v);
	return write_in(dir, file, text);
}

/* The first number in a file, or the one after key where it is given; UINT64_MAX for "max" and for no such file. */
static uint64_t read_number(const char *dir, const char *file, const char *key)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	const char *at;

	if (asprintf(&path, "%s/%s", dir, file) < 0 || fd_read_file(AT_FDCWD, path, 65536, &text, NULL) < 0)
		return UINT64_MAX;
	at = text;
	if (key) {
		at = strstr(text, key);
		if (!at)
			return UINT64_MAX;
		at += strlen(key);
	}
	while (*at == ' ')
		at++;
	return *at >= '0' && *at <= '9' ? strtoull(at, NULL, 10) : UINT64_MAX;
}

static uint64_t quota_of(const struct cgroup_limits *l)
{
	return l->cpu_milli * CPU_PERIOD / 1000;
}

static int set_memory(const struct cgroup *c, uint64_t v)
{
	const char *d = c->dirs[MEMORY];
	int r = write_number(d, c->v2 ? "memory.max" : "memory.limit_in_bytes", v);

	/* swap would double it; a kernel that doesn't account for swap has no such file */
	if (r == 0)
		(void)(c->v2 ? write_number(d, "memory.swap.max", 0) : write_number(d, "memory.memsw.limit_in_bytes", v));
	return r;
}

static int set_cpu(const struct cgroup *c, uint64_t quota)
{
	const char *d = c->dirs[CPU];
	char text[64];
	int r;

	if (!c->v2) {
		r = write_number(d, "cpu.cfs_period_us", CPU_PERIOD);
		return r < 0 ? r : write_number(d, "cpu.cfs_quota_us", quota);
	}
	snprintf(text, sizeof(text), "%" PRIu64 " %u", quota, CPU_PERIOD);
	return write_in(d, "cpu.max", text);
}

static int set_limits(const struct cgroup *c, const struct cgroup_limits *l, struct fail *f)
{
	int r;

	r = l->memory ? set_memory(c, l->memory) : 0;
	if (r < 0)
		return fail_set(f, -r, "cannot limit memory, '%s'", c->dirs[MEMORY]);
	r = l->cpu_milli ? set_cpu(c, quota_of(l)) : 0;
	if (r < 0)
		return fail_set(f, -r, "cannot limit processors, '%s'", c->dirs[CPU]);
	r = l->pids ? write_number(c->dirs[PIDS], "pids.max", l->pids) : 0;
	return r < 0 ? fail_set(f, -r, "cannot limit processes, '%s'", c->dirs[PIDS]) : 0;
}

static int not_enforced(const char *what, struct fail *f)
{
	fail_set(f, 0, "cannot enforce the limit, '%s': the group does not have it", what);
	fail_hint(f, "`claude-sandbox doctor` says what this machine's cgroups lack; or run without the limit");
	return -EOPNOTSUPP;
}

/* Is it in force? The kernel rounds memory down to pages; systemd chooses the processor period. */
static int check_limits(const struct cgroup *c, const struct cgroup_limits *l, struct fail *f)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), v, period;

	if (l->memory) {
		v = read_number(c->dirs[MEMORY], c->v2 ? "memory.max" : "memory.limit_in_bytes", NULL);
		if (v > l->memory || v + page < l->memory)
			return not_enforced("memory", f);
	}
	if (l->pids && read_number(c->dirs[PIDS], "pids.max", NULL) != l->pids)
		return not_enforced("pids", f);
	if (l->cpu_milli) {
		v = read_number(c->dirs[CPU], c->v2 ? "cpu.max" : "cpu.cfs_quota_us", NULL);
		period = read_number(c->dirs[CPU], c->v2 ? "cpu.max" : "cpu.cfs_period_us", c->v2 ? " " : NULL);
		if (v == UINT64_MAX || period == UINT64_MAX || !period || v * 1000 > l->cpu_milli * period + period)
			return not_enforced("cpus", f);
	}
	return 0;
}

static bool wanted(const struct cgroup_limits *l, int controller)
{
	return controller == MEMORY ? l->memory : controller == CPU ? l->cpu_milli : l->pids;
}

/* A fresh directory; one of the same name is of a process that had our pid, and empty. */
static int make_dir(const char *dir)
{
	if (mkdir(dir, 0755) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	if (rmdir(dir) < 0)
		return -errno;
	return mkdir(dir, 0755) < 0 ? -errno : 0;
}

/* Is this the name of a group of ours whose supervisor is no more? */
static bool stale(const char *name)
{
	const char *dash = strrchr(name, '-');
	uint64_t pid;

	return str_startswith(name, PREFIX) && str_to_u64(dash + 1, &pid) == 0 && pid && pid < INT32_MAX &&
	       kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

/* Removes what killed supervisors left beside dir; a group in which anything runs is EBUSY. */
static void sweep(const char *dir)
{
	_cleanup_free_ char *parent = path_dirname(dir);
	DIR *d = parent ? opendir(parent) : NULL;
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (stale(e->d_name))
			(void)unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR);
	if (d)
		closedir(d);
}

static int move(const struct cgroup *c, pid_t pid, struct fail *f)
{
	for (int i = 0; i < CONTROLLERS; i++) {
		int r = c->dirs[i] ? write_number(c->dirs[i], "cgroup.procs", (uint64_t)pid) : 0;

		if (r < 0)
			return fail_set(f, -r, "cannot move the sandbox into its control group, '%s'", c->dirs[i]);
	}
	return 0;
}

static int v1_make(struct cgroup *c, const struct cgroup_limits *l, const char *group, struct fail *f)
{
	for (int i = 0; i < CONTROLLERS; i++) {
		_cleanup_free_ char *mount = NULL, *own = NULL, *dir = NULL;
		int r;

		if (!wanted(l, i))
			continue;
		mount = v1_mount(controller_names[i]);
		if (!mount)
			return not_enforced(controller_names[i], f);
		own = path_of(getpid(), controller_names[i]);
		if (asprintf(&dir, "%s%s/%s", mount, own && own[1] ? own : "", group) < 0)
			return -ENOMEM;
		r = make_dir(dir);
		if (r == -ENOENT) { /* our own path is as another cgroup namespace sees it */
			free(dir);
			if (asprintf(&dir, "%s/%s", mount, group) < 0)
				return -ENOMEM;
			r = make_dir(dir);
		}
		if (r < 0)
			return fail_set(f, -r, "cannot make a control group, '%s'", dir);
		sweep(dir);
		c->dirs[i] = TAKE_PTR(dir);
	}
	return 0;
}

/* Does the group have the files of every wanted limit? */
static bool v2_fits(const char *dir, const struct cgroup_limits *l)
{
	static const char *const files[CONTROLLERS] = { "memory.max", "cpu.max", "pids.max" };

	for (int i = 0; i < CONTROLLERS; i++) {
		_cleanup_free_ char *path = NULL;

		if (wanted(l, i) && (asprintf(&path, "%s/%s", dir, files[i]) < 0 || access(path, W_OK) < 0))
			return false;
	}
	return true;
}

/* Tries our own group, then those above it, as parent; each must let its children have the controllers. */
static int v2_make(struct cgroup *c, const struct cgroup_limits *l, const char *group, struct fail *f)
{
	_cleanup_free_ char *own = path_of(getpid(), NULL), *parent = NULL;

	if (!own || asprintf(&parent, MOUNT "%s", own) < 0)
		return not_enforced("cgroup", f);
	while (strlen(parent) >= strlen(MOUNT)) {
		_cleanup_free_ char *dir = NULL;

		if (parent[strlen(parent) - 1] == '/')
			parent[strlen(parent) - 1] = 0;
		if (asprintf(&dir, "%s/%s", parent, group) < 0)
			return -ENOMEM;
		for (int i = 0; i < CONTROLLERS; i++) {
			char enable[16];

			snprintf(enable, sizeof(enable), "+%s", controller_names[i]);
			if (wanted(l, i))
				(void)write_in(parent, "cgroup.subtree_control", enable);
		}
		if (make_dir(dir) == 0) {
			if (v2_fits(dir, l)) {
				sweep(dir);
				for (int i = 0; i < CONTROLLERS; i++)
					if (wanted(l, i) && !(c->dirs[i] = strdup(dir)))
						return -ENOMEM;
				return 0;
			}
			(void)rmdir(dir);
		}
		*strrchr(parent, '/') = 0;
	}
	fail_set(f, 0, "cannot limit the sandbox: no control group is ours to make");
	fail_hint(f, "log in through systemd (a user session), or run without --memory, --cpus and --pids");
	return -EOPNOTSUPP;
}

static bool have_systemd(void)
{
	return access("/run/systemd/system", F_OK) == 0;
}

/* StartTransientUnit's words for busctl (org.freedesktop.systemd1(5)); caller frees. */
static char **scope_call(const struct cgroup_limits *l, pid_t pid, const char *unit)
{
	_cleanup_strv_ char **v = NULL;
	unsigned n = 3 + (l->memory ? 2U : 0U) + (l->cpu_milli ? 1U : 0U) + (l->pids ? 1U : 0U);
	int r = strv_split(geteuid() ? "busctl --user" : "busctl --system", " ", &v);

	r |= strv_add(&v, "--timeout=5") | strv_add(&v, "--quiet") | strv_add(&v, "call");
	r |= strv_add(&v, "org.freedesktop.systemd1") | strv_add(&v, "/org/freedesktop/systemd1");
	r |= strv_add(&v, "org.freedesktop.systemd1.Manager") | strv_add(&v, "StartTransientUnit");
	r |= strv_add(&v, "ssa(sv)a(sa(sv))");
	r |= strv_add(&v, unit) | strv_add(&v, "fail");
	r |= strv_addf(&v, "%u", n);
	r |= strv_add(&v, "PIDs") | strv_add(&v, "au") | strv_add(&v, "1") | strv_addf(&v, "%d", (int)pid);
	r |= strv_add(&v, "Description") | strv_add(&v, "s") | strv_add(&v, "claude-sandbox");
	r |= strv_add(&v, "CollectMode") | strv_add(&v, "s") | strv_add(&v, "inactive-or-failed");
	if (l->memory) {
		r |= strv_add(&v, "MemoryMax") | strv_add(&v, "t") | strv_addf(&v, "%" PRIu64, l->memory);
		r |= strv_add(&v, "MemorySwapMax") | strv_add(&v, "t") | strv_add(&v, "0");
	}
	if (l->cpu_milli)
		r |= strv_add(&v, "CPUQuotaPerSecUSec") | strv_add(&v, "t") | strv_addf(&v, "%" PRIu64, l->cpu_milli * 1000);
	if (l->pids)
		r |= strv_add(&v, "TasksMax") | strv_add(&v, "t") | strv_addf(&v, "%" PRIu64, l->pids);
	r |= strv_add(&v, "0"); /* auxiliary units */
	return r ? NULL : TAKE_PTR(v);
}

/* The job runs in the background: the process is in the scope when its cgroup says so. */
static int scope_wait(struct cgroup *c, const struct cgroup_limits *l, pid_t pid, const char *unit)
{
	for (int i = 0; i < WAIT_MS / 5; i++, nap()) {
		_cleanup_free_ char *path = path_of(pid, c->v2 ? NULL : controller_names[MEMORY]);

		if (!path || !str_endswith(path, unit))
			continue;
		for (int k = 0; k < CONTROLLERS; k++) {
			_cleanup_free_ char *own = NULL, *mount = NULL;

			if (!wanted(l, k))
				continue;
			own = path_of(pid, c->v2 ? NULL : controller_names[k]);
			mount = c->v2 ? strdup(MOUNT) : v1_mount(controller_names[k]);
			if (!own || !mount || asprintf(&c->dirs[k], "%s%s", mount, own) < 0)
				return -ENOMEM;
		}
		return 0;
	}
	return -ETIMEDOUT;
}

static int scope_make(struct cgroup *c, const struct cgroup_limits *l, pid_t pid, const char *group)
{
	_cleanup_free_ char *unit = NULL;
	_cleanup_strv_ char **argv = NULL;
	struct spawn s = { .timeout_ms = 6000 };
	int r;

	if (asprintf(&unit, "%s.scope", group) < 0)
		return -ENOMEM;
	argv = scope_call(l, pid, unit);
	if (!argv)
		return -ENOMEM;
	s.argv = argv;
	r = spawn_run(&s);
	if (r != 0)
		return r < 0 ? r : -EIO;
	return scope_wait(c, l, pid, unit);
}

/* "claude-sandbox-UID-NAME-PID" with our pid, in letters that both systemd and file names take. Caller frees. */
static char *group_name(const char *name)
{
	char *s;

	if (asprintf(&s, PREFIX "%u-%s-%d", (unsigned)geteuid(), name, (int)getpid()) < 0)
		return NULL;
	for (char *p = s; *p; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || strchr("-_.", *p)))
			*p = '_';
	return s;
}

static int direct(struct cgroup *c, const struct cgroup_limits *l, pid_t pid, const char *group, struct fail *f)
{
	int r;

	if (!c->v2 && geteuid()) {
		fail_set(f, 0, "cannot limit the sandbox: this machine's control groups (v1) are root's");
		fail_hint(f, "boot with cgroup v2 and systemd, or run without --memory, --cpus and --pids");
		return -EOPNOTSUPP;
	}
	r = c->v2 ? v2_make(c, l, group, f) : v1_make(c, l, group, f);
	if (r == 0)
		r = set_limits(c, l, f);
	return r < 0 ? r : move(c, pid, f);
}

int cgroup_apply(const struct cgroup_limits *l, pid_t pid, const char *name, struct cgroup **ret, struct fail *f)
{
	_cleanup_(cgroup_release_p) struct cgroup *c = NULL;
	_cleanup_free_ char *group = group_name(name);
	int r;

	if (!l->memory && !l->cpu_milli && !l->pids) {
		*ret = NULL;
		return 0;
	}
	c = calloc(1, sizeof(*c));
	if (!c || !group)
		return fail_set(f, ENOMEM, "cannot limit the sandbox");
	c->v2 = is_v2();
	c->scope = have_systemd() && scope_make(c, l, pid, group) == 0;
	if (!c->scope) {
		r = direct(c, l, pid, group, f);
		if (r < 0)
			return r;
	}
	r = check_limits(c, l, f);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(c);
	return 0;
}

uint64_t cgroup_oom_kills(const struct cgroup *c)
{
	uint64_t v;

	if (!c || !c->dirs[MEMORY])
		return 0;
	v = read_number(c->dirs[MEMORY], c->v2 ? "memory.events" : "memory.oom_control", "oom_kill ");
	return v == UINT64_MAX ? 0 : v;
}

static void remove_dir(const char *dir)
{
	/* the last processes may still be on their way out */
	for (int i = 0; i < WAIT_MS / 5 && rmdir(dir) < 0 && errno == EBUSY; i++)
		nap();
}

struct cgroup *cgroup_release(struct cgroup *c)
{
	if (!c)
		return NULL;
	for (int i = 0; i < CONTROLLERS; i++) {
		bool last = true;

		for (int k = i + 1; k < CONTROLLERS; k++)
			if (c->dirs[i] && c->dirs[k] && !strcmp(c->dirs[i], c->dirs[k]))
				last = false;
		if (c->dirs[i] && last && !c->scope)
			remove_dir(c->dirs[i]);
	}
	for (int i = 0; i < CONTROLLERS; i++)
		free(c->dirs[i]);
	free(c);
	return NULL;
}
