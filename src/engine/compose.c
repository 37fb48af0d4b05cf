/* The order of the plan:
 *
 *   1. an empty tmpfs as root, the host's /usr and its like read-only, /proc, /dev, /tmp, /run, /var, the chosen /etc
 *   2. what the user sees: the home, the project, read-only and writable extras, toolchains, the agent. They may lie
 *      inside one another in any way, so they are collected and mounted parents first.
 *   3. masks and devices, then the project's guards
 *   4. the root is sealed
 *
 * A destination below something that is writable inside was in hostile hands at the last run: it carries PLAN_HOSTILE,
 * and cs-enter resolves it without following links. */
#include "engine/compose.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/compose-private.h"
#include "guard/guard.h"

#define MIB (1ULL << 20)

int compose_add(struct compose *c, enum plan_kind kind, unsigned flags, const char *src, const char *dst, const char *why)
{
	return plan_add(c->plan, kind, flags, src, dst, why) ? 0 : -ENOMEM;
}

int compose_tmpfs(struct compose *c, const char *dst, mode_t mode, uint64_t size, const char *why)
{
	struct plan_op *op = plan_add(c->plan, PLAN_TMPFS, 0, NULL, dst, why);

	if (!op)
		return -ENOMEM;
	op->mode = mode;
	op->size = size;
	return 0;
}

int compose_dir(struct compose *c, const char *dst, mode_t mode)
{
	struct plan_op *op = plan_add(c->plan, PLAN_DIR, 0, NULL, dst, NULL);

	if (!op)
		return -ENOMEM;
	op->mode = mode;
	return 0;
}

int compose_text(struct compose *c, const char *dst, mode_t mode, const char *text, const char *why)
{
	return plan_add_file(c->plan, dst, mode, text, strlen(text), why) ? 0 : -ENOMEM;
}

/* --- 1: the root --- */

static int add_system(struct compose *c)
{
	static const char *const roots[] = { "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix", "/gnu" };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(roots) && r == 0; i++) {
		char link[256];
		ssize_t n = readlink(roots[i], link, sizeof(link) - 1);
		struct stat st;

		if (n > 0) {
			link[n] = 0;
			r = compose_add(c, PLAN_SYMLINK, 0, link, roots[i], "system");
		} else if (stat(roots[i], &st) == 0 && S_ISDIR(st.st_mode)) {
			r = compose_add(c, PLAN_BIND, 0, roots[i], roots[i], "system");
		}
	}
	return r;
}

static int add_skeleton(struct compose *c)
{
	static const struct {
		const char *dst, *text;
	} links[] = { { "/var/run", "/run" }, { "/var/lock", "/run/lock" } };
	static const struct {
		const char *dst;
		mode_t mode;
	} dirs[] = { { "/etc", 0755 },	     { "/run", 0755 },	     { "/run/lock", 0755 },	 { COMPOSE_INSIDE, 0755 },
		     { "/var", 0755 },	     { "/var/cache", 0755 }, { "/var/lib", 0755 }, { "/var/log", 0755 },
		     { "/var/empty", 0555 }, { "/home", 0755 },	     { "/mnt", 0755 },	 { "/srv", 0755 } };
	uint64_t ram = 0, share;
	char runtime[64];
	struct sysinfo si;
	int r;

	if (sysinfo(&si) == 0)
		ram = (uint64_t)si.totalram * si.mem_unit;
	share = MAX(ram / 4, 64 * MIB);
	r = compose_tmpfs(c, "/", 0755, 64 * MIB, "root");
	if (r == 0)
		r = add_system(c);
	for (size_t i = 0; i < ARRAY_SIZE(dirs) && r == 0; i++)
		r = compose_dir(c, dirs[i].dst, dirs[i].mode);
	for (size_t i = 0; i < ARRAY_SIZE(links) && r == 0; i++)
		r = compose_add(c, PLAN_SYMLINK, 0, links[i].text, links[i].dst, NULL);
	if (r == 0)
		r = compose_tmpfs(c, "/tmp", 01777, share, "temporary files");
	if (r == 0)
		r = compose_tmpfs(c, "/var/tmp", 01777, share, "temporary files");
	(void)snprintf(runtime, sizeof(runtime), "/run/user/%u", (unsigned)c->plan->uid);
	if (r == 0)
		r = compose_tmpfs(c, runtime, 0700, 64 * MIB, "runtime directory");
	if (r == 0)
		r = compose_add(c, PLAN_PROC, 0, NULL, "/proc", "processes of the sandbox");
	if (r == 0) {
		struct plan_op *op = plan_add(c->plan, PLAN_DEV, 0, NULL, "/dev", "devices");

		if (!op)
			return -ENOMEM;
		op->mode = 0755;
		op->size = share;
	}
	return r;
}

/* --- 2: what the user sees --- */

struct item {
	unsigned flags;
	char *src, *dst;
	char *why;
	unsigned rank; /* of two with one dst the higher one stands */
};

struct items {
	struct item *v;
	size_t n;
};

static void items_free(struct items *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->v[i].src);
		free(l->v[i].dst);
		free(l->v[i].why);
	}
	free(l->v);
}

/* Where a path that the user names lies inside: the home may be named through a link, and is mounted where it really
 * is. Caller frees. */
static char *inside_path(const struct compose *c, const char *path)
{
	const char *below = path_below(path, c->survey->home);

	return below ? path_join(c->survey->home_real, below) : strdup(path);
}

/* Root as caller: what only root may read (a ~/.gitconfig of mode 0600) is idmapped, so that the user inside may. */
static unsigned reading_flags(const struct compose *c, const char *src)
{
	struct stat st;

	if (!c->plan->map_id || stat(src, &st) < 0)
		return 0;
	return (st.st_mode & (S_ISDIR(st.st_mode) ? 05 : 04)) == (S_ISDIR(st.st_mode) ? 05 : 04) ? 0 : PLAN_IDMAP;
}

/* Where a host path is mounted from: with a copy of the project, nothing comes from the project. Caller frees. */
static char *mounted_from(const struct compose *c, const char *src)
{
	const char *below = c->request->copy ? path_below(src, c->survey->project) : NULL;

	if (!below)
		return strdup(src);
	return *below ? path_join(c->request->copy, below) : strdup(c->request->copy);
}

/* src: a real path, as it was judged. What is mounted is that, and no link that came in between. */
static int item_add(struct compose *c, struct items *l, unsigned rank, unsigned flags, const char *src, const char *dst,
		    const char *why)
{
	struct item it = {
		.flags = PLAN_NOFOLLOW | (flags & PLAN_WRITE ? flags : flags | reading_flags(c, src)),
		.rank = rank, .src = mounted_from(c, src), .dst = inside_path(c, dst), .why = strdup(why),
	};
	struct item *p = realloc(l->v, sizeof(*p) * (l->n + 1));

	if (p)
		l->v = p;
	if (!p || !it.src || !it.dst || !it.why) {
		free(it.src);
		free(it.dst);
		free(it.why);
		return -ENOMEM;
	}
	l->v[l->n++] = it;
	return 0;
}

/* Parents first; of one dst the highest rank first. Components are compared, so that "a-b" does not fall between "a" and
 * "a/c". */
static int item_order(const void *va, const void *vb)
{
	const struct item *ia = va, *ib = vb;
	const unsigned char *a = (const unsigned char *)ia->dst, *b = (const unsigned char *)ib->dst;

	while (*a && *a == *b) {
		a++;
		b++;
	}
	if (*a != *b) {
		int ka = *a == '/' ? 1 : *a ? *a + 1 : 0, kb = *b == '/' ? 1 : *b ? *b + 1 : 0;

		return ka - kb;
	}
	return ia->rank < ib->rank ? 1 : ia->rank > ib->rank ? -1 : 0;
}

#define RANK_FOUND 1 /* found by the survey, not asked for */

/* True where another item shows the very same thing at the same place already: read-only too, or what was not asked
 * for (a project of dotfiles stays writable although ~/.vimrc leads into it). */
static bool item_covered(const struct items *l, const struct item *it)
{
	const struct item *nearest = NULL;
	const char *below;

	for (size_t i = 0; &l->v[i] != it; i++)
		if (path_is_under(it->dst, l->v[i].dst))
			nearest = &l->v[i];
	if (!nearest)
		return false;
	below = path_below(it->dst, nearest->dst);
	if (!*below)
		return true;
	if (((nearest->flags | it->flags) & PLAN_WRITE) && it->rank != RANK_FOUND)
		return false;
	return str_eq(path_below(it->src, nearest->src), below);
}

static bool item_hostile(const struct items *l, const struct item *it)
{
	for (size_t i = 0; &l->v[i] != it; i++)
		if ((l->v[i].flags & PLAN_WRITE) && path_is_under(it->dst, l->v[i].dst))
			return true;
	return false;
}

static int items_emit(struct compose *c, struct items *l)
{
	int r = 0;

	qsort(l->v, l->n, sizeof(*l->v), item_order);
	for (size_t i = 0; i < l->n && r == 0; i++) {
		const struct item *it = &l->v[i];

		if (!item_covered(l, it))
			r = compose_add(c, PLAN_BIND, it->flags | (item_hostile(l, it) ? PLAN_HOSTILE : 0), it->src, it->dst, it->why);
	}
	return r;
}

static bool tool_wanted(const struct compose *c, const char *name)
{
	char *const *list = config_list(c->config, OPT_TOOLCHAINS);

	return strv_contains(list, "auto") || strv_contains(list, name);
}

static bool show_wanted(const struct compose *c, const struct survey_show *show)
{
	_cleanup_free_ char *claude = path_join(c->survey->home, ".claude");

	return !str_eq(config_str(c->config, OPT_PROFILE), "none") || !claude || !path_is_under(show->dst, claude);
}

/* A toolchain's path is named as PATH has it, and may lead through the user's own links: judged again where it ends. */
static int add_tool_path(struct compose *c, struct items *l, const char *path, const char *why)
{
	_cleanup_free_ char *real = realpath(path, NULL);
	const char *what, *reason;

	if (!real)
		return 0;
	if (!survey_is_system(real) && survey_judge(real, c->survey->home_real, &what, &reason) != SURVEY_HARMLESS)
		return 0;
	return item_add(c, l, RANK_FOUND, 0, real, path, why);
}

static int add_from_home(struct compose *c, struct items *l)
{
	const struct survey *s = c->survey;
	int r = 0;

	for (size_t i = 0; i < s->nshows && r == 0; i++)
		if (show_wanted(c, &s->shows[i]))
			r = item_add(c, l, RANK_FOUND, 0, s->shows[i].src, s->shows[i].dst, "of your home");
	for (size_t i = 0; i < s->ntools && r == 0; i++) {
		char why[128];

		if (!tool_wanted(c, s->tools[i].name))
			continue;
		(void)snprintf(why, sizeof(why), "toolchain %s", s->tools[i].name);
		for (char **p = s->tools[i].paths; p && *p && r == 0; p++)
			r = add_tool_path(c, l, *p, why);
	}
	return r;
}

static int add_extras(struct compose *c, struct items *l)
{
	static const struct {
		enum option_id id;
		const char *name;
		unsigned flags, rank;
	} lists[] = {
		{ OPT_READ_ONLY, "read-only", 0, 3 },
		{ OPT_READ_WRITE, "read-write", PLAN_WRITE | PLAN_IDMAP, 2 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		char *const *list = config_list(c->config, lists[i].id);

		for (size_t k = 0; list && list[k]; k++) {
			_cleanup_free_ char *real = NULL, *named = path_normalize(list[k]);
			int r = named ? survey_mount(named, c->survey->home, config_bool(c->config, OPT_I_KNOW), lists[i].name, &real,
						     c->fail) : -ENOMEM;

			if (r == 0 && survey_is_system(real) && !lists[i].flags)
				continue;
			if (r == 0)
				r = item_add(c, l, lists[i].rank, lists[i].flags, real, named, lists[i].name);
			if (r < 0 && c->fail && !c->fail->hint[0])
				fail_hint(c->fail, "it is asked for at %s", config_entry_where(c->config, lists[i].id, k));
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int add_agent_mounts(struct compose *c, struct items *l)
{
	const struct survey_agent *a = &c->survey->agent;
	int r = 0;

	if (str_eq(config_str(c->config, OPT_PROFILE), "none") || !str_eq(config_str(c->config, OPT_AGENT_INSTALL), "host"))
		return 0;
	for (char **p = a->mounts; p && *p && r == 0; p++)
		r = item_add(c, l, RANK_FOUND, 0, *p, *p, "agent");
	return r;
}

static int add_project(struct compose *c, struct items *l)
{
	const struct survey *s = c->survey;
	const char *mode = config_str(c->config, OPT_PROJECT_MODE);
	bool writable = !str_eq(mode, "ro");

	if (str_eq(mode, "rw") && s->project_read_only) {
		(void)fail_set(c->fail, EROFS, "project, '%s'", s->project);
		fail_hint(c->fail, "its file system is mounted read-only: claude-sandbox run --project-mode ro");
		return -EROFS;
	}
	return item_add(c, l, 4, PLAN_IDMAP | (writable ? PLAN_WRITE : 0U), s->project, s->project,
			str_eq(mode, "copy") ? "copy of the project" : "project");
}

static int add_seen(struct compose *c)
{
	const struct survey *s = c->survey;
	/* for --dry-run it need not exist yet */
	_cleanup_free_ char *home = realpath(c->request->home_dir, NULL);
	struct items l = { 0 };
	int r = item_add(c, &l, 5, PLAN_WRITE | PLAN_IDMAP, home ? home : c->request->home_dir, s->home, "home of the sandbox");

	if (r == 0)
		r = add_project(c, &l);
	if (r == 0)
		r = add_extras(c, &l);
	if (r == 0)
		r = add_from_home(c, &l);
	if (r == 0)
		r = add_agent_mounts(c, &l);
	if (r == 0)
		r = items_emit(c, &l);
	items_free(&l);
	if (r == 0 && strcmp(s->home, s->home_real))
		r = compose_add(c, PLAN_SYMLINK, 0, s->home_real, s->home, "your home by its other name");
	return r;
}

/* --- 3: masks, devices, guards --- */

static int add_masks(struct compose *c)
{
	const struct survey *s = c->survey;
	int r = 0;

	for (size_t i = 0; i < s->ntools && r == 0; i++)
		for (char **p = s->tools[i].never; p && *p && r == 0 && tool_wanted(c, s->tools[i].name); p++) {
			_cleanup_free_ char *dst = inside_path(c, *p);

			r = dst ? compose_add(c, PLAN_MASK, 0, NULL, dst, "may hold credentials") : -ENOMEM;
		}
	for (char *const *m = config_list(c->config, OPT_MASK); m && *m && r == 0; m++) {
		_cleanup_free_ char *named = path_join(s->project, *m), *dst = named ? inside_path(c, named) : NULL;

		r = dst ? compose_add(c, PLAN_MASK, PLAN_HOSTILE, NULL, dst, "mask") : -ENOMEM;
	}
	return r;
}

/* npm's global configuration is there with /usr; one with a token in it is not. */
static int add_system_masks(struct compose *c)
{
	static const char *const files[] = { "/usr/etc/npmrc", "/usr/local/etc/npmrc" };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(files) && r == 0; i++) {
		_cleanup_free_ char *text = NULL;

		if (fd_read_file(AT_FDCWD, files[i], MIB, &text, NULL) == 0 && (strstr(text, "_auth") || strstr(text, "_password")))
			r = compose_add(c, PLAN_MASK, 0, NULL, files[i], "holds a registry's token");
	}
	return r;
}

static int add_devices(struct compose *c)
{
	for (char *const *d = config_list(c->config, OPT_DEVICE); d && *d; d++) {
		_cleanup_free_ char *real = NULL;
		struct stat st;
		int r = survey_mount(*d, c->survey->home, config_bool(c->config, OPT_I_KNOW), "device", &real, c->fail);

		if (r < 0)
			return r;
		if (stat(real, &st) < 0)
			return fail_set(c->fail, errno, "device, '%s'", *d);
		if (!S_ISCHR(st.st_mode) && !(S_ISBLK(st.st_mode) && config_bool(c->config, OPT_I_KNOW))) {
			(void)fail_set(c->fail, 0, "device, '%s': %s", *d,
				       S_ISBLK(st.st_mode) ? "a disk: whoever writes it owns what is on it" : "not a device");
			fail_hint(c->fail, S_ISBLK(st.st_mode) ? "where you mean it, add --i-know" : "for a file or directory use --ro or --rw");
			return -EPERM;
		}
		r = compose_add(c, PLAN_BIND, PLAN_WRITE | PLAN_DEVICE, real, *d, "device");
		if (r < 0)
			return r;
	}
	return 0;
}

/* The guards of a copy are found in the copy, and stand where it is mounted. */
static int move_guards(struct compose *c, size_t from)
{
	for (size_t i = from; i < c->plan->nops; i++) {
		struct plan_op *op = &c->plan->ops[i];
		const char *below = path_below(op->dst, c->request->copy);
		char *dst;

		if (!below)
			continue;
		dst = path_join(c->survey->project, below);
		if (!dst)
			return -ENOMEM;
		free(op->dst);
		op->dst = dst;
	}
	return 0;
}

static int add_copy_guards(struct compose *c, const struct guard_git *g, char ***ret_watch)
{
	size_t from = c->plan->nops;
	int r;

	if (g->common) {
		(void)fail_set(c->fail, 0, "project-mode copy, '%s': its repository lies outside of it, and is not copied",
			       c->survey->project);
		fail_hint(c->fail, "git clone it and start there, or use --project-mode ro");
		return -ENOTSUP;
	}
	r = guard_plan(c->plan, c->request->copy, config_list(c->config, OPT_GUARD), g, c->request->private_dir, ret_watch, c->fail);
	return r == 0 ? move_guards(c, from) : r;
}

static int add_guards(struct compose *c, char ***ret_watch)
{
	/* for --dry-run the copy is not made, and what is guarded in the project is what would be in the copy */
	bool copy = c->request->copy && access(c->request->copy, F_OK) == 0;
	struct guard_git *g = NULL;
	char *const *list = config_list(c->config, OPT_GUARD);
	int r;

	if (!c->request->private_dir)
		return 0;
	r = guard_git_survey(copy ? c->request->copy : c->survey->project, &g, c->fail);
	if (r == 0 && copy) {
		r = add_copy_guards(c, g, ret_watch);
	} else if (r == 0 && str_eq(config_str(c->config, OPT_PROJECT_MODE), "ro")) {
		/* nothing to guard, but a linked worktree's history is needed to read it */
		if (g->common)
			r = compose_add(c, PLAN_BIND, 0, g->common, g->common, "repository of this worktree");
	} else if (r == 0) {
		r = guard_plan(c->plan, c->survey->project, list, g, c->request->private_dir, ret_watch, c->fail);
	}
	guard_git_free(g);
	return r;
}

/* --- who, where, how much --- */

/* Root as caller: a host id that nobody has, of this sandbox's own. From the range above all that systemd hands out
 * (systemd's UIDS-GIDS.md), or where this machine is a container itself, from the top of what it has. */
static int unused_id(const char *name, uid_t *ret)
{
	_cleanup_free_ char *map = NULL;
	unsigned long best_start = 0, best_len = 0;
	uint64_t h = str_hash(name, strlen(name));
	int r = fd_read_file(AT_FDCWD, "/proc/self/uid_map", 65536, &map, NULL);

	if (r < 0)
		return r;
	for (char *line = map; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		unsigned long start, host, len;

		if (sscanf(line, "%lu %lu %lu", &start, &host, &len) == 3 && len > best_len) {
			best_start = start;
			best_len = len;
		}
	}
	if (best_start == 0 && best_len > 2100000000UL) {
		*ret = (uid_t)(2000000000UL + h % 100000000UL);
		return 0;
	}
	for (unsigned long id = best_start + best_len - 2, left = 4096; left && id > MAX(best_start, 1000UL); id--, left--) {
		if (id == 65534 || getpwuid((uid_t)id) || getgrgid((gid_t)id))
			continue;
		*ret = (uid_t)id;
		return 0;
	}
	return -ENOENT;
}

static int set_identity(struct compose *c)
{
	struct plan *p = c->plan;
	int r;

	p->uid = p->host_uid = c->survey->uid;
	p->gid = p->host_gid = c->survey->gid;
	if (p->uid != 0)
		return 0;
	r = unused_id(c->request->name, &p->host_uid);
	if (r < 0) {
		(void)fail_set(c->fail, 0, "started by root, and no unused user id is left for the sandbox");
		fail_hint(c->fail, "start it as an ordinary user");
		return r;
	}
	p->host_gid = p->host_uid;
	p->uid = p->gid = 1000;
	p->map_id = true;
	return 0;
}

static uint64_t limit(const struct config *config, enum option_id id)
{
	return config_is_set(config, id) ? config_num(config, id) : PLAN_RLIMIT_UNSET;
}

/* Our own default bends to what the caller may have; what was asked for does not. */
static int set_files(struct compose *c)
{
	struct plan *p = c->plan;
	struct rlimit rl;

	p->rlimit_nofile = limit(c->config, OPT_LIMITS_FILES);
	if (p->rlimit_nofile == PLAN_RLIMIT_UNSET || getrlimit(RLIMIT_NOFILE, &rl) < 0 || p->rlimit_nofile <= rl.rlim_max)
		return 0;
	if (config_origin(c->config, OPT_LIMITS_FILES, NULL) == CONFIG_BUILTIN) {
		p->rlimit_nofile = (uint64_t)rl.rlim_max;
		return 0;
	}
	(void)fail_set(c->fail, 0, "limits.files, '%llu': over the hard limit of this session, %llu",
		       (unsigned long long)p->rlimit_nofile, (unsigned long long)rl.rlim_max);
	fail_hint(c->fail, "set it to %llu or less, or raise the session's: ulimit -Hn, /etc/security/limits.conf",
		  (unsigned long long)rl.rlim_max);
	return -EPERM;
}

static int set_limits(struct compose *c)
{
	struct plan *p = c->plan;

	p->rlimit_nproc = limit(c->config, OPT_LIMITS_PIDS);
	p->rlimit_core = limit(c->config, OPT_LIMITS_CORE);
	p->rlimit_fsize = limit(c->config, OPT_LIMITS_FILE_SIZE);
	p->rlimit_as = PLAN_RLIMIT_UNSET;
	return set_files(c);
}

static void set_walls(struct compose *c)
{
	static const struct {
		const char *name;
		enum plan_relax bit;
	} relax[] = {
		{ "userns", PLAN_RELAX_USERNS }, { "io_uring", PLAN_RELAX_IOURING }, { "ptrace", PLAN_RELAX_PTRACE },
		{ "perf", PLAN_RELAX_PERF },	 { "keyctl", PLAN_RELAX_KEYCTL },
	};
	struct plan *p = c->plan;

	p->net = str_eq(config_str(c->config, OPT_NETWORK_MODE), "host") ? PLAN_NET_HOST : PLAN_NET_NONE;
	for (size_t i = 0; i < ARRAY_SIZE(relax); i++)
		if (strv_contains(config_list(c->config, OPT_SECCOMP_RELAX), relax[i].name))
			p->relax |= relax[i].bit;
	p->seccomp_log = config_bool(c->config, OPT_SECCOMP_LOG);
	p->strict_absent = str_eq(config_str(c->config, OPT_GUARD_ABSENT), "strict");
}

static int set_strings(struct compose *c)
{
	const struct compose_request *q = c->request;
	const char *shell = config_is_set(c->config, OPT_SHELL) ? config_str(c->config, OPT_SHELL) : c->survey->shell;
	const char *cwd = q->cwd && compose_visible(c, q->cwd) ? q->cwd : c->survey->project;
	struct plan *p = c->plan;

	p->name = strdup(q->name);
	p->project = strdup(c->survey->project);
	p->home = strdup(c->survey->home);
	p->cwd = strdup(cwd);
	if (q->argv)
		p->argv = strv_copy(q->argv);
	else if (strv_add(&p->argv, shell) < 0 || strv_add(&p->argv, "-l") < 0)
		return -ENOMEM;
	return p->name && p->project && p->home && p->cwd && p->argv ? 0 : -ENOMEM;
}

int compose_plan(const struct config *config, const struct survey *s, const struct compose_request *q, struct plan **ret,
		 char ***ret_watch, struct fail *f)
{
	_cleanup_strv_ char **watch = NULL;
	_cleanup_plan_ struct plan *p = plan_new();
	struct compose c = { .config = config, .survey = s, .request = q, .plan = p, .fail = f };
	int (*const steps[])(struct compose *) = { set_identity, set_strings,  add_skeleton,     compose_etc, add_seen,   compose_env,
						   compose_run,	 compose_agent, add_system_masks, add_masks,   add_devices };
	int r = 0;

	f->msg[0] = 0;
	if (!p)
		return fail_set(f, ENOMEM, "plan");
	r = set_limits(&c);
	set_walls(&c);
	for (size_t i = 0; i < ARRAY_SIZE(steps) && r == 0; i++)
		r = steps[i](&c);
	if (r == 0)
		r = add_guards(&c, &watch);
	if (r == 0)
		r = compose_add(&c, PLAN_SEAL, 0, NULL, "/", "root");
	if (r < 0)
		return f->msg[0] ? r : fail_set(f, -r, "plan");
	*ret = TAKE_PTR(p);
	*ret_watch = TAKE_PTR(watch);
	return 0;
}
