/* What git on the host reads and runs for this project: its git directory, those of its submodules and worktrees, the
 * configuration files with their includes, hook directories, and the programs that configuration names inside the
 * project (gitrepository-layout(5), git-config(1), githooks(5)). Runs in the locked-up child. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "guard/private.h"

#define INCLUDES_MAX 8
#define MODULES_DEPTH 8
#define WORKTREES_MAX 16
#define WALK_DEPTH 6
#define WALK_ENTRIES 20000

static bool is_kind(const char *path, mode_t kind)
{
	struct stat st;

	return lstat(path, &st) == 0 && (st.st_mode & S_IFMT) == kind;
}

/* A git directory as git's is_git_directory sees it, without looking into HEAD. */
static bool is_gitdir(const char *path)
{
	_cleanup_free_ char *head = path_join(path, "HEAD"), *objects = path_join(path, "objects"),
			    *refs = path_join(path, "refs"), *commondir = path_join(path, "commondir");
	struct stat st;

	if (!head || !objects || !refs || !commondir || lstat(head, &st) < 0)
		return false;
	return lstat(commondir, &st) == 0 || (stat(objects, &st) == 0 && stat(refs, &st) == 0);
}

static void guard_below(struct finder *f, const char *dir, const char *name, char kind)
{
	_cleanup_free_ char *path = path_join(dir, name);

	if (path)
		finder_path(f, path, kind);
}

/* A file of hooks: which program's configuration in the project does it obey? */
static void armed_by(struct finder *f, const char *text)
{
	static const struct {
		const char *word, *names[6];
	} armed[] = {
		{ "pre-commit", { ".pre-commit-config.yaml" } },
		{ "lefthook", { "lefthook.yml", "lefthook.yaml", ".lefthook.yml", "lefthook-local.yml", ".lefthook" } },
		{ "husky", { ".husky" } },
		{ "overcommit", { ".overcommit.yml", ".git-hooks" } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(armed); i++) {
		if (!strstr(text, armed[i].word))
			continue;
		for (size_t k = 0; k < ARRAY_SIZE(armed[i].names) && armed[i].names[k]; k++)
			guard_below(f, f->project, armed[i].names[k], SAY_GUARD);
	}
}

/* Hooks that are links lead to files that must be guarded as well. */
static void look_at_hooks(struct finder *f, const char *dir)
{
	DIR *d = opendir(dir);
	unsigned n = 0;

	for (struct dirent *e; d && n < 256 && (e = readdir(d)); n++) {
		_cleanup_free_ char *path = NULL, *text = NULL;
		struct stat st;

		if (e->d_name[0] == '.' || str_endswith(e->d_name, ".sample"))
			continue;
		path = path_join(dir, e->d_name);
		if (!path || lstat(path, &st) < 0)
			continue;
		if (S_ISLNK(st.st_mode))
			finder_path(f, path, SAY_GUARD);
		if (fd_read_file(AT_FDCWD, path, 65536, &text, NULL) == 0)
			armed_by(f, text);
	}
	if (d)
		closedir(d);
}

/* Guards the program that a command names, where it lies in the project: each word that looks like a path. */
static void guard_command(struct finder *f, const char *key, const char *value, const char *base)
{
	_cleanup_strv_ char **words = NULL;

	if (strv_split(value, " \t\n\"'!;&|()", &words) < 0)
		return;
	for (char **w = words; w && *w; w++) {
		_cleanup_free_ char *joined = NULL, *path = NULL;

		/* "sh tool.sh": what has no slash and comes first is looked for in PATH */
		if ((!strchr(*w, '/') && (w == words || !strchr(*w, '.'))) || (*w)[0] == '-' || (*w)[0] == '~')
			continue;
		joined = path_join(base, *w);
		path = joined ? path_normalize(joined) : NULL;
		if (!path || !finder_inside(f, path) || strcmp(path, f->project) == 0 || !is_kind(path, S_IFREG))
			continue;
		finder_note(f, "%s runs '%s' in the project: guarded", key, *w);
		finder_path(f, path, SAY_GUARD);
	}
}

/* Keys whose value is a program or holds one (git-config(1)). */
static bool runs_programs(const char *section, const char *name)
{
	static const char *const names[] = { "fsmonitor", "sshcommand", "editor", "pager", "askpass", "gitproxy", "program",
					     "clean", "smudge", "process", "command", "textconv", "driver", "helper", "cmd",
					     "uploadpack", "receivepack", "packobjectshook", "difftool", "external", "sendmailcmd",
					     "alternaterefscommand", "update", "tocmd", "cccmd" };

	if (strcmp(section, "alias") == 0 || strcmp(section, "pager") == 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static void hooks_path(struct finder *f, const char *value, const char *base)
{
	_cleanup_free_ char *joined = NULL, *path = NULL, *parent = NULL;
	bool generated;

	if (value[0] == '~' || str_startswith(value, "%(prefix)"))
		return;
	joined = path_join(base, value);
	path = joined ? path_normalize(joined) : NULL;
	if (!path || !finder_inside(f, path) || strcmp(path, f->project) == 0)
		return;
	/* husky's own: `_` is written anew by each npm install and holds nothing of the user's; the hooks lie above */
	generated = strcmp(path_basename(path), "_") == 0;
	finder_note(f, "core.hooksPath is '%s' in the project: guarded", value);
	parent = path_dirname(path);
	if (generated && parent && strcmp(parent, f->project))
		finder_path(f, parent, SAY_GUARD);
	finder_path(f, path, generated ? SAY_HOOKS : SAY_GUARD);
	look_at_hooks(f, path);
}

static void include(struct finder *f, const char *file, const char *value, const char *base)
{
	_cleanup_free_ char *dir = path_dirname(file), *joined = NULL, *path = NULL;
	_cleanup_gitconf_ struct gitconf *c = NULL;
	bool bad;

	if (!dir || value[0] == '~' || f->depth >= INCLUDES_MAX)
		return;
	joined = path_join(dir, value);
	path = joined ? path_normalize(joined) : NULL;
	if (!path)
		return;
	if (finder_inside(f, path)) {
		finder_note(f, "include.path is '%s' in the project: guarded", value);
		finder_path(f, path, SAY_GUARD);
	}
	c = finder_read_config(path, &bad);
	if (!c)
		return;
	f->depth++;
	finder_config(f, path, c, base);
	f->depth--;
}

void finder_config(struct finder *f, const char *file, const struct gitconf *c, const char *base)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct gitconf_entry *e = &c->entries[i];
		_cleanup_free_ char *copy = NULL;
		const char *section, *sub, *name;

		if (!e->value || gitconf_split(e->key, &copy, &section, &sub, &name) < 0)
			continue;
		if (strcmp(e->key, "core.hookspath") == 0)
			hooks_path(f, e->value, base);
		else if (strcmp(name, "path") == 0 && (strcmp(section, "include") == 0 || strcmp(section, "includeif") == 0))
			include(f, file, e->value, base);
		else if (runs_programs(section, name))
			guard_command(f, e->key, e->value, base);
	}
}

/* One configuration file of a git directory: a private copy of a regular one, a guard on a link. */
static void config_file(struct finder *f, const char *file, const char *base, bool *ret_worktrees)
{
	_cleanup_gitconf_ struct gitconf *c = NULL;
	bool bad;

	if (is_kind(file, S_IFREG))
		finder_say(f, SAY_CONFIG, file);
	else
		finder_path(f, file, SAY_GUARD);
	c = finder_read_config(file, &bad);
	if (bad)
		finder_note(f, "cannot read '%s': what it includes is not guarded", file);
	if (!c)
		return;
	*ret_worktrees = gitconf_bool(c, "extensions.worktreeconfig", false);
	finder_config(f, file, c, base);
}

/* The files that say where things are: a wrong commondir makes git read another configuration. */
static void guard_pointers(struct finder *f, const char *gitdir)
{
	guard_below(f, gitdir, "commondir", SAY_GUARD);
}

/* A git directory with everything of its own. base: the worktree's top. main: it is the project's own. */
static void gitdir(struct finder *f, const char *path, const char *base, bool main)
{
	_cleanup_free_ char *config = path_join(path, "config"), *wtconfig = path_join(path, "config.worktree"),
			    *hooks = path_join(path, "hooks"), *objects = path_join(path, "objects"),
			    *refs = path_join(path, "refs");
	const char *outer = f->root;
	bool worktrees = false;

	if (!config || !wtconfig || !hooks || !objects || !refs)
		return;
	if (++f->ngitdirs > FINDER_GITDIRS) {
		finder_note(f, "more than %d git directories in the project: '%s' is only watched", FINDER_GITDIRS, path);
		return;
	}
	finder_say(f, SAY_GITDIR, path);
	if (strcmp(base, f->project)) {
		finder_say(f, SAY_PIN, base);
		f->root = base;
	}
	finder_path(f, path, SAY_PIN);
	guard_pointers(f, path);
	config_file(f, config, base, &worktrees);
	if (worktrees) {
		bool ignored;

		config_file(f, wtconfig, base, &ignored);
	}
	finder_path(f, hooks, main ? SAY_HOOKS : SAY_GUARD);
	look_at_hooks(f, hooks);
	if (main && is_kind(objects, S_IFDIR))
		finder_path(f, objects, SAY_PIN);
	if (main && is_kind(refs, S_IFDIR))
		finder_path(f, refs, SAY_PIN);
	f->root = outer;
}

/* .git/modules/NAME (NAME may have slashes): each git directory, and the gitfile of its worktree. */
static void modules(struct finder *f, const char *dir, unsigned depth)
{
	DIR *d = depth < MODULES_DEPTH ? opendir(dir) : NULL;

	for (struct dirent *e; d && (e = readdir(d));) {
		_cleanup_free_ char *path = path_join(dir, e->d_name), *sub = NULL, *config = NULL, *top = NULL, *joined = NULL,
				    *gitfile = NULL;
		_cleanup_gitconf_ struct gitconf *c = NULL;
		const char *worktree;
		bool bad;

		if (e->d_name[0] == '.' || !path || !is_kind(path, S_IFDIR))
			continue;
		if (!is_gitdir(path)) {
			modules(f, path, depth + 1);
			continue;
		}
		config = path_join(path, "config");
		c = config ? finder_read_config(config, &bad) : NULL;
		worktree = c ? gitconf_get(c, "core.worktree") : NULL;
		joined = worktree ? path_join(path, worktree) : NULL;
		top = joined ? path_normalize(joined) : NULL;
		gitdir(f, path, top && finder_inside(f, top) ? top : path, false);
		gitfile = top ? path_join(top, ".git") : NULL;
		if (gitfile && finder_inside(f, gitfile) && is_kind(gitfile, S_IFREG)) {
			finder_say(f, SAY_PIN, top);
			finder_say(f, SAY_GUARD, gitfile);
		}
		sub = path_join(path, "modules");
		if (sub)
			modules(f, sub, depth + 1);
	}
	if (d)
		closedir(d);
}

/* Another worktree of the same repository, outside the project: its files are not here, so `git worktree prune` takes
 * it for gone. What it cannot live without is guarded; its reflogs must stay writable, or gc fails. */
static void other_worktree(struct finder *f, const char *path, bool whole)
{
	static const char *const names[] = { "HEAD", "commondir", "gitdir", "index", "config.worktree" };

	if (whole) {
		finder_path(f, path, SAY_GUARD);
		return;
	}
	finder_path(f, path, SAY_PIN);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		guard_below(f, path, names[i], SAY_GUARD);
}

/* .git/worktrees/NAME. Our own, and those that lie in the project, are ours to write: there only what points elsewhere
 * is guarded, or watched (cs-guard). */
static void worktrees(struct finder *f, const char *common)
{
	_cleanup_free_ char *dir = path_join(common, "worktrees");
	DIR *d = dir ? opendir(dir) : NULL;
	unsigned others = 0;

	if (d)
		finder_path(f, dir, SAY_PIN);
	for (struct dirent *e; d && (e = readdir(d));) {
		_cleanup_free_ char *path = path_join(dir, e->d_name), *back = NULL, *text = NULL;

		if (e->d_name[0] == '.' || !path || !is_kind(path, S_IFDIR))
			continue;
		back = path_join(path, "gitdir");
		if (f->gitdir && strcmp(path, f->gitdir) == 0) {
			finder_say(f, SAY_GITDIR, path);
			finder_path(f, path, SAY_PIN);
			guard_pointers(f, path);
			finder_path(f, back, SAY_GUARD);
			guard_below(f, path, "config.worktree", SAY_GUARD);
			continue;
		}
		if (back && fd_read_file(AT_FDCWD, back, PATH_MAX, &text, NULL) == 0 && text[0] == '/' &&
		    path_is_under(text, f->project))
			continue;
		other_worktree(f, path, ++others > WORKTREES_MAX);
	}
	if (d)
		closedir(d);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* A nested repository at top: .git is a directory, a link or a gitfile. */
static void nested(struct finder *f, const char *top)
{
	_cleanup_free_ char *dot = path_join(top, ".git"), *target = NULL;

	if (!dot)
		return;
	if (is_kind(dot, S_IFDIR)) {
		gitdir(f, dot, top, false);
		return;
	}
	if (is_kind(dot, S_IFLNK)) {
		finder_path(f, dot, SAY_GUARD);
		return;
	}
	target = gitfile_read(dot);
	if (!target || !finder_inside(f, target))
		finder_path(f, dot, SAY_GUARD);
	else if (!strstr(target, "/worktrees/") && !strstr(target, "/modules/"))
		gitdir(f, target, top, false);
}

static bool walk_skips(const char *name)
{
	static const char *const names[] = { ".", "..", ".git", "node_modules", ".venv", "venv", "__pycache__", ".tox", ".cache" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* Repositories beneath the project, as far as a short walk finds them; cs-guard's goes on without a bound on time. */
static bool walk(struct finder *f, const char *dir, unsigned depth)
{
	bool git = false, head = false, objects = false, refs = false, whole = true;
	_cleanup_strv_ char **subs = NULL;
	DIR *d = opendir(dir);

	for (struct dirent *e; d && (e = readdir(d));) {
		const char *n = e->d_name;

		if (++f->entries > WALK_ENTRIES || ((f->entries & 255) == 0 && now_ms() > f->deadline)) {
			closedir(d);
			return false;
		}
		git |= strcmp(n, ".git") == 0;
		head |= strcmp(n, "HEAD") == 0;
		objects |= strcmp(n, "objects") == 0;
		refs |= strcmp(n, "refs") == 0;
		if ((e->d_type == DT_DIR || e->d_type == DT_UNKNOWN) && depth < WALK_DEPTH && !walk_skips(n))
			strv_take(&subs, path_join(dir, n));
	}
	if (d)
		closedir(d);
	if (depth && git)
		nested(f, dir);
	if (head && objects && refs) {
		finder_note(f, "'%s' is a bare repository", dir);
		gitdir(f, dir, dir, false);
		return true;
	}
	for (char **s = subs; whole && s && *s; s++)
		if (is_kind(*s, S_IFDIR))
			whole = walk(f, *s, depth + 1);
	return whole;
}

void finder_repository(struct finder *f)
{
	_cleanup_free_ char *dot = path_join(f->project, ".git"), *target = NULL, *mod = NULL;
	const char *own = NULL;

	if (!dot)
		return;
	f->deadline = now_ms() + 20;
	if (is_kind(dot, S_IFDIR)) {
		own = dot;
	} else if (f->common) {
		finder_path(f, dot, SAY_GUARD);
		own = f->common;
	} else if (is_kind(dot, S_IFREG) || is_kind(dot, S_IFLNK)) {
		finder_path(f, dot, SAY_GUARD);
		target = is_kind(dot, S_IFREG) ? gitfile_read(dot) : realpath(dot, NULL);
		if (target && finder_inside(f, target))
			own = target;
	}
	if (own) {
		gitdir(f, own, f->project, true);
		if (own == dot)
			finder_say(f, SAY_HEAD, own);
		mod = path_join(own, "modules");
		if (mod && is_kind(mod, S_IFDIR)) {
			finder_path(f, mod, SAY_PIN);
			modules(f, mod, 0);
		}
		worktrees(f, own);
	}
	if (!walk(f, f->project, 0))
		finder_note(f, "the project is large: nested repositories deep in it are only watched");
}
