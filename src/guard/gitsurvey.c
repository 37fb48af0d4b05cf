/* The survey's two halves. The parent looks only at what decides what may be read at all: a gitfile that leads out of
 * the project must be answered by a pointer back (a worktree's "gitdir", a submodule's core.worktree), else a project
 * could have any directory mounted. Then a child locks itself up, reads the rest, and says what it found; what it says
 * is checked again, because the child may have been taken over by what it read. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "guard/private.h"

struct guard_git *guard_git_free(struct guard_git *g)
{
	if (!g)
		return NULL;
	strv_free(g->gitdirs);
	strv_free(g->heads);
	free(g->common);
	strv_free(g->configs);
	strv_free(g->hooks);
	strv_free(g->guards);
	strv_free(g->pins);
	strv_free(g->absent);
	strv_free(g->notes);
	free(g);
	return NULL;
}

static char *real_line(const char *dir, const char *name, const char *prefix)
{
	_cleanup_free_ char *file = path_join(dir, name), *text = NULL, *joined = NULL;
	size_t n;

	if (!file || fd_read_file(AT_FDCWD, file, PATH_MAX, &text, &n) < 0)
		return NULL;
	text[strcspn(text, "\r\n")] = 0;
	if (!str_startswith(text, prefix))
		return NULL;
	joined = path_join(dir, text + strlen(prefix));
	return joined ? realpath(joined, NULL) : NULL;
}

static bool has(const char *dir, const char *name)
{
	_cleanup_free_ char *path = path_join(dir, name);

	return path && access(path, F_OK) == 0;
}

/* A linked worktree: gitdir is COMMON/worktrees/NAME and its "gitdir" file names our .git. */
static char *common_of_worktree(const char *dot, const char *gitdir)
{
	_cleanup_free_ char *common = real_line(gitdir, "commondir", ""), *back = real_line(gitdir, "gitdir", ""),
			    *parent = path_dirname(gitdir), *expected = NULL;

	if (!common || !back || !parent || strcmp(back, dot))
		return NULL;
	expected = path_join(common, "worktrees");
	if (!expected || strcmp(parent, expected) || !has(common, "HEAD") || !has(common, "objects") || !has(common, "refs"))
		return NULL;
	return TAKE_PTR(common);
}

/* A submodule: gitdir's config says that its files are here. */
static char *common_of_submodule(const char *project, const char *gitdir)
{
	_cleanup_free_ char *config = path_join(gitdir, "config"), *joined = NULL, *top = NULL;
	_cleanup_gitconf_ struct gitconf *c = NULL;
	const char *worktree;
	bool bad;

	if (has(gitdir, "commondir") || !has(gitdir, "HEAD") || !has(gitdir, "objects") || !has(gitdir, "refs"))
		return NULL;
	c = config ? finder_read_config(config, &bad) : NULL;
	worktree = c ? gitconf_get(c, "core.worktree") : NULL;
	joined = worktree ? path_join(gitdir, worktree) : NULL;
	top = joined ? realpath(joined, NULL) : NULL;
	return str_eq(top, project) ? strdup(gitdir) : NULL;
}

/* Where .git leads out of the project: *ret_common and *ret_gitdir, or a note that git will not work inside. */
static void find_common(const char *project, struct guard_git *g, char **ret_gitdir)
{
	_cleanup_free_ char *dot = path_join(project, ".git"), *gitdir = NULL;
	struct stat st;

	if (!dot || lstat(dot, &st) < 0 || S_ISDIR(st.st_mode))
		return;
	gitdir = S_ISLNK(st.st_mode) ? realpath(dot, NULL) : S_ISREG(st.st_mode) ? real_line(project, ".git", "gitdir: ") : NULL;
	if (!gitdir || path_is_under(gitdir, project))
		return;
	if (S_ISREG(st.st_mode)) {
		g->common = common_of_worktree(dot, gitdir);
		if (g->common) {
			*ret_gitdir = TAKE_PTR(gitdir);
			return;
		}
		g->common = common_of_submodule(project, gitdir);
	}
	if (!g->common)
		strv_addf(&g->notes, "'.git' leads to '%s', which does not point back: not mounted, git does not work inside", gitdir);
}

/* The configuration files of the person and the machine: trusted, and so read by the child with their includes. */
static int global_files(char ***ret)
{
	const char *home = path_home(), *xdg = getenv("XDG_CONFIG_HOME"), *set = getenv("GIT_CONFIG_GLOBAL");
	_cleanup_strv_ char **v = NULL;
	int r = strv_add(&v, "/etc/gitconfig");

	if (r == 0 && path_is_absolute(set))
		r = strv_add(&v, set);
	if (r == 0 && home)
		r = strv_take(&v, path_join(home, ".gitconfig"));
	if (r == 0 && path_is_absolute(xdg))
		r = strv_take(&v, path_join(xdg, "git/config"));
	else if (r == 0 && home)
		r = strv_take(&v, path_join(home, ".config/git/config"));
	if (r == 0)
		*ret = TAKE_PTR(v);
	return r;
}

static _Noreturn void child(const char *project, const struct guard_git *g, const char *own, char **globals, int out)
{
	struct buf b = BUF_INIT(FINDER_OUT_MAX);
	struct finder f = { .project = project, .common = g->common, .gitdir = own, .out = &b };
	char **readable = strv_copy(globals);

	if (strv_add(&readable, project) < 0 || (g->common && strv_add(&readable, g->common) < 0))
		_exit(1);
	if (guard_lock(readable, NULL, false) < 0)
		_exit(2);
	for (char **p = globals; p && *p; p++) {
		bool bad;
		struct gitconf *c = finder_read_config(*p, &bad);

		if (c)
			finder_config(&f, *p, c, project);
	}
	finder_repository(&f);
	if (b.error || fd_write_all(out, buf_cstr(&b), b.len) < 0)
		_exit(3);
	_exit(0);
}

static bool beneath(const struct guard_git *g, const char *project, const char *path)
{
	_cleanup_free_ char *normal = path_is_absolute(path) ? path_normalize(path) : NULL;

	if (!normal || strcmp(normal, path) || strlen(path) >= PATH_MAX)
		return false;
	return path_is_under(path, project) || (g->common && path_is_under(path, g->common));
}

static char ***field(struct guard_git *g, char kind)
{
	switch (kind) {
	case SAY_GITDIR:
		return &g->gitdirs;
	case SAY_HEAD:
		return &g->heads;
	case SAY_CONFIG:
		return &g->configs;
	case SAY_HOOKS:
		return &g->hooks;
	case SAY_GUARD:
		return &g->guards;
	case SAY_PIN:
		return &g->pins;
	case SAY_ABSENT:
		return &g->absent;
	default:
		return NULL;
	}
}

static int take_records(struct guard_git *g, const char *project, const char *data, size_t n)
{
	while (n) {
		size_t len = strnlen(data, n);
		char ***v = field(g, data[0]);
		int r = 0;

		if (len == n || len < 2)
			return -EBADMSG;
		if (data[0] == SAY_NOTE)
			r = strv_take(&g->notes, str_printable(data + 1, len - 1));
		else if (!v || !beneath(g, project, data + 1))
			return -EBADMSG;
		else if (!strv_contains(*v, data + 1))
			r = strv_add(v, data + 1);
		if (r < 0)
			return r;
		data += len + 1;
		n -= len + 1;
	}
	return 0;
}

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return WIFEXITED(status) && WEXITSTATUS(status) == 3 ? -EFBIG : -EBADMSG;
}

int guard_git_survey(const char *project, struct guard_git **ret, struct fail *f)
{
	struct guard_git *g _cleanup_(guard_git_free_p) = calloc(1, sizeof(*g));
	_cleanup_strv_ char **globals = NULL;
	_cleanup_free_ char *own = NULL, *data = NULL;
	_cleanup_close_ int in = -1, out = -1;
	size_t n = 0;
	int p[2], r, k;
	pid_t pid;

	if (!g || global_files(&globals) < 0)
		return fail_set(f, ENOMEM, "cannot look at the repository");
	find_common(project, g, &own);
	if (pipe2(p, O_CLOEXEC) < 0)
		return fail_set(f, errno, "cannot look at the repository");
	in = p[0];
	out = p[1];
	pid = fork();
	if (pid < 0)
		return fail_set(f, errno, "cannot look at the repository");
	if (pid == 0)
		child(project, g, own, globals, out);
	out = fd_close(out);
	r = fd_read_fd(in, FINDER_OUT_MAX, &data, &n);
	in = fd_close(in);
	k = wait_for(pid);
	r = r < 0 ? r : k;
	if (r == 0)
		r = take_records(g, project, data, n);
	if (r < 0) {
		fail_set(f, -r, "cannot look at the repository, '%s'", project);
		fail_hint(f, r == -EFBIG ? "it has more submodules or worktrees than can be guarded" :
					   "a file in .git may be damaged: git fsck");
		return r;
	}
	*ret = TAKE_PTR(g);
	return 0;
}
