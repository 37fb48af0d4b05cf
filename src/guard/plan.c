/* From what is to be guarded to operations in the order in which they can be mounted: the project's bind stands
 * already; then pins, parents first (each is a mount of its own, so whatever comes later must be resolved through it);
 * then read-only guards, of which one inside another is left out; then links over configuration files and private
 * directories, which may lie inside a read-only guard (.husky/_). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "guard/private.h"

struct build {
	struct plan *plan;
	const char *private_dir;
	char **pins, **guards, **absent, **hooks, **configs;
	char **watch;
};

static int by_path(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted so that a parent comes before what lies in it, each once. */
static void sort_unique(char **v)
{
	size_t n = strv_len(v), to = 0;

	if (n < 2)
		return;
	qsort(v, n, sizeof(*v), by_path);
	for (size_t i = 1; i < n; i++) {
		if (strcmp(v[to], v[i]) == 0)
			free(v[i]);
		else
			v[++to] = v[i];
	}
	v[to + 1] = NULL;
}

/* True where path lies in (or is) one of the directories. */
static bool in_any(char *const *dirs, const char *path, bool itself)
{
	for (; dirs && *dirs; dirs++)
		if (path_is_under(path, *dirs) && (itself || strcmp(path, *dirs)))
			return true;
	return false;
}

static int take_records(struct build *b, const struct buf *out)
{
	const char *p = buf_cstr(out), *end = p + out->len;

	for (; p < end; p += strlen(p) + 1) {
		char ***v = p[0] == SAY_PIN ? &b->pins : p[0] == SAY_GUARD ? &b->guards : p[0] == SAY_ABSENT ? &b->absent : NULL;

		if (v && strv_add(v, p + 1) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Guarded where they exist, but free to be created: by itself none of them makes anything run, not before a person
 * installs what obeys it. Where that is installed (a hook runs it, core.hooksPath leads to it) the survey says so, and
 * they are watched as well. */
static bool free_to_create(const char *name)
{
	static const char *const names[] = { ".husky", ".pre-commit-config.yaml", "lefthook.yml", "lefthook.yaml", ".lefthook.yml",
					     "lefthook-local.yml", ".lefthook", ".direnv", ".vim" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* husky's directory while no core.hooksPath leads into it: each file of it is guarded, but `npm install` can make its
 * own `_` there. (Where one does, the survey guards the directory whole, with a private `_`.) */
static int add_husky(struct build *b, const char *dir)
{
	DIR *d = opendir(dir);
	unsigned n = 0;
	int r = strv_add(&b->pins, dir);

	for (struct dirent *e; d && r == 0 && n < 64 && (e = readdir(d));) {
		if (e->d_type != DT_REG || strcmp(e->d_name, ".gitignore") == 0)
			continue;
		r = strv_take(&b->guards, path_join(dir, e->d_name));
		n++;
	}
	if (d)
		closedir(d);
	return r;
}

/* The list of the configuration. */
static int add_list(struct build *b, const char *project, char *const *list, const struct guard_git *g, struct fail *f)
{
	for (; list && *list; list++) {
		_cleanup_buf_ struct buf out = BUF_INIT(FINDER_OUT_MAX);
		struct finder finder = { .project = project, .out = &out };
		_cleanup_free_ char *joined = path_join(project, *list), *path = NULL;
		struct stat st;

		if (strcmp(*list, ".git") == 0 || str_startswith(*list, ".git/"))
			continue;
		path = joined ? path_normalize(joined) : NULL;
		if (!path)
			return -ENOMEM;
		if (!path_is_under(path, project) || strcmp(path, project) == 0) {
			fail_set(f, 0, "cannot guard, '%s': not a path within the project", *list);
			fail_hint(f, "guard takes paths relative to the project; remove this entry");
			return -EINVAL;
		}
		if (free_to_create(*list) && lstat(path, &st) < 0)
			continue;
		if (strcmp(*list, ".husky") == 0 && S_ISDIR(st.st_mode) && !(g && strv_contains(g->guards, path))) {
			if (add_husky(b, path) < 0)
				return -ENOMEM;
			continue;
		}
		finder_path(&finder, path, SAY_GUARD);
		if (out.error || take_records(b, &out) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int append(char ***to, char *const *from)
{
	for (; from && *from; from++)
		if (strv_add(to, *from) < 0)
			return -ENOMEM;
	return 0;
}

static int watch_all(struct build *b, char kind, char *const *paths)
{
	for (; paths && *paths; paths++)
		if (strv_addf(&b->watch, "%c%s", kind, *paths) < 0)
			return -ENOMEM;
	return 0;
}

/* The names below common/hooks that "guard = !.git/hooks" lifts. */
static void lift_hooks(struct build *b, const struct guard_git *g)
{
	for (char **d = g->gitdirs; d && *d; d++) {
		_cleanup_free_ char *hooks = path_join(*d, "hooks");

		if (!hooks)
			continue;
		strv_remove(b->guards, hooks);
		strv_remove(b->hooks, hooks);
		strv_remove(b->absent, hooks);
	}
}

/* Each HEAD with its text, so that the watcher can restore one that goes before it has looked. */
static int watch_heads(struct build *b, char *const *heads)
{
	for (; heads && *heads; heads++) {
		_cleanup_free_ char *file = path_join(*heads, "HEAD"), *text = NULL;
		struct stat st;

		if (!file)
			return -ENOMEM;
		if (lstat(file, &st) == 0 && S_ISREG(st.st_mode))
			(void)fd_read_file(AT_FDCWD, file, 4096, &text, NULL);
		if (strv_addf(&b->watch, "H%s", *heads) < 0 || strv_addf(&b->watch, "T%s", text ? text : "") < 0)
			return -ENOMEM;
	}
	return 0;
}

static int add_git(struct build *b, char *const *list, const struct guard_git *g)
{
	if (!strv_contains(list, ".git"))
		return strv_add(&b->watch, "L");
	if (!g)
		return 0;
	if (append(&b->pins, g->pins) < 0 || append(&b->guards, g->guards) < 0 || append(&b->absent, g->absent) < 0 ||
	    append(&b->hooks, g->hooks) < 0)
		return -ENOMEM;
	if (strv_contains(list, ".git/config") && append(&b->configs, g->configs) < 0)
		return -ENOMEM;
	if (!strv_contains(list, ".git/hooks"))
		lift_hooks(b, g);
	if (watch_all(b, 'g', g->gitdirs) < 0 || watch_heads(b, g->heads) < 0)
		return -ENOMEM;
	return g->common ? strv_addf(&b->watch, "C%s", g->common) : 0;
}

static int emit(struct build *b, enum plan_kind kind, unsigned flags, const char *src, const char *dst, const char *why)
{
	return plan_add(b->plan, kind, flags | PLAN_HOSTILE, src, dst, why) ? 0 : -ENOMEM;
}

static int emit_private(struct build *b, struct fail *f)
{
	int r = 0;

	for (char **c = b->configs; r == 0 && c && *c; c++) {
		_cleanup_free_ char *slot = NULL, *inside = NULL;

		r = private_config(b->private_dir, *c, &slot, f);
		if (r == -ENOENT) { /* gone since the survey */
			r = 0;
			continue;
		}
		if (r == 0 && asprintf(&inside, GUARD_INSIDE "/%s/config", slot) < 0)
			r = -ENOMEM;
		if (r == 0)
			r = emit(b, PLAN_GITCONFIG, PLAN_KEEP, inside, *c, "guard: git config, a private copy");
	}
	for (char **h = b->hooks; r == 0 && h && *h; h++) {
		_cleanup_free_ char *slot = NULL, *src = NULL;

		/* beneath the private copy: what is there when the host replaces the directory, and the keeper comes */
		r = emit(b, PLAN_GUARD, PLAN_KEEP, NULL, *h, "guard: git hooks");
		if (r == 0)
			r = private_hooks(b->private_dir, *h, &slot, f);
		if (r == -EFBIG || r == -ENOENT) {
			r = 0;
			continue;
		}
		if (r == 0 && asprintf(&src, "%s/rw/%s/hooks", b->private_dir, slot) < 0)
			r = -ENOMEM;
		if (r == 0)
			r = emit(b, PLAN_BIND, PLAN_WRITE | PLAN_IDMAP | PLAN_NOFOLLOW, src, *h, "guard: git hooks, a private copy");
	}
	return r;
}

static int emit_guards(struct build *b)
{
	int r = 0;

	sort_unique(b->pins);
	sort_unique(b->guards);
	for (char **p = b->pins; r == 0 && p && *p; p++)
		if (!in_any(b->guards, *p, true))
			r = emit(b, PLAN_GUARD, PLAN_PIN | PLAN_KEEP, NULL, *p, "guard: against renaming");
	for (char **g = b->guards; r == 0 && g && *g; g++)
		if (!in_any(b->guards, *g, false))
			r = emit(b, PLAN_GUARD, PLAN_KEEP, NULL, *g, "guard");
	return r;
}

/* Private copies are of files of the host, too: another name of one would reach the host's. */
static int check_names(const struct build *b, const char *project, struct fail *f)
{
	_cleanup_strv_ char **all = NULL;

	if (append(&all, b->guards) < 0 || append(&all, b->configs) < 0 || append(&all, b->hooks) < 0)
		return -ENOMEM;
	return names_check(project, all, f);
}

static int emit_binds(struct build *b, const struct guard_git *g, struct fail *f)
{
	_cleanup_free_ char *rw = path_join(b->private_dir, "rw");
	int r;

	if (!rw)
		return -ENOMEM;
	if (g && g->common &&
	    !plan_add(b->plan, PLAN_BIND, PLAN_WRITE | PLAN_IDMAP | PLAN_NOFOLLOW, g->common, g->common, "the main repository"))
		return -ENOMEM;
	if (!b->configs)
		return 0;
	r = path_mkdir_p(rw, 0700);
	if (r < 0)
		return fail_set(f, -r, "cannot make the directory for private copies, '%s'", rw);
	return plan_add(b->plan, PLAN_BIND, PLAN_WRITE | PLAN_IDMAP | PLAN_NOFOLLOW, rw, GUARD_INSIDE, "git's private configuration") ?
		       0 : -ENOMEM;
}

static void list_paths(const struct build *b, struct buf *text, const char *project, char *const *paths, const char *what)
{
	for (; paths && *paths; paths++) {
		const char *below = path_below(*paths, project), *shown = below ? below : *paths;
		_cleanup_free_ char *clean = str_printable(shown, strlen(shown));

		if (clean && !(paths == b->guards && in_any(b->guards, *paths, false)))
			buf_printf(text, "%-11s %s\n", what, clean);
	}
}

/* For whoever meets EROFS inside and wonders: what is guarded, and how one is lifted. */
static int emit_list(struct build *b, const char *project)
{
	_cleanup_buf_ struct buf text = BUF_INIT(256U << 10);

	buf_puts(&text, "# What the host would execute or obey in this project is guarded from inside this sandbox.\n"
			"#   read-only  a write is refused: EROFS, EBUSY\n"
			"#   absent     it must not be created: what is made there is refused or taken away\n"
			"#   private    a copy that ends with the sandbox; harmless changes of git's configuration are taken over\n"
			"#   pinned     cannot be renamed or removed\n"
			"# To lift one, on the host: claude-sandbox run --guard '!NAME', or in the configuration: guard = !NAME\n"
			"# (.git/config, .git/hooks and .git stand for all of git's).\n");
	list_paths(b, &text, project, b->guards, "read-only");
	list_paths(b, &text, project, b->absent, "absent");
	list_paths(b, &text, project, b->configs, "private");
	list_paths(b, &text, project, b->hooks, "private");
	list_paths(b, &text, project, b->pins, "pinned");
	if (text.error == -ENOMEM)
		return -ENOMEM;
	return plan_add_file(b->plan, GUARD_LIST, 0444, buf_cstr(&text), text.len, "what is guarded") ? 0 : -ENOMEM;
}

static void build_free(struct build *b)
{
	strv_free(b->pins);
	strv_free(b->guards);
	strv_free(b->absent);
	strv_free(b->hooks);
	strv_free(b->configs);
	strv_free(b->watch);
}

int guard_plan(struct plan *p, const char *project, char *const *list, const struct guard_git *g, const char *private_dir,
	       char ***ret_watch, struct fail *f)
{
	_cleanup_(build_free) struct build b = { .plan = p, .private_dir = private_dir };
	struct timespec now;
	int r = add_list(&b, project, list, g, f);

	/* the clock that files are stamped with: what is younger was made by the sandbox */
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (r == 0)
		r = strv_addf(&b.watch, "t%lld.%09ld", (long long)now.tv_sec, now.tv_nsec);
	if (r == 0)
		r = add_git(&b, list, g);
	if (r == 0)
		r = emit_binds(&b, g, f);
	if (r == 0)
		r = check_names(&b, project, f);
	if (r == 0)
		r = emit_guards(&b);
	if (r == 0)
		r = emit_private(&b, f);
	if (r == 0)
		r = emit_list(&b, project);
	if (r == 0)
		r = watch_all(&b, 'a', b.absent);
	for (char **a = b.absent; p->strict_absent && r == 0 && a && *a; a++)
		r = emit(&b, PLAN_ABSENT, 0, NULL, *a, "guard: must not come into being");
	if (r == -ENOMEM)
		return fail_set(f, ENOMEM, "cannot plan the guards");
	if (r == 0)
		*ret_watch = TAKE_PTR(b.watch);
	return r;
}
