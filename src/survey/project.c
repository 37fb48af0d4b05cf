/* The project: where it really is, whether a sandbox may have it, and which repository it belongs to.
 *
 * Nothing in the project is trusted: the one file read here, a linked worktree's .git, is bounded, and believed only
 * where the main repository points back (gitrepository-layout(5), gitdir). */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "survey/private.h"

static int resolve(const char *project, char **ret, struct fail *f)
{
	_cleanup_free_ char *real = realpath(project, NULL);
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (!real) {
		int e = errno;

		(void)fail_set(f, e, "project, '%s'", project);
		if (e == ENOENT && strcmp(project, ".") == 0)
			fail_hint(f, "this directory has been removed: cd to one that exists");
		else if (e == ENOENT)
			fail_hint(f, "cd into the project, or name it with --project DIR");
		return -e;
	}
	if (stat(real, &st) < 0)
		return fail_set(f, errno, "project, '%s'", real);
	if (!S_ISDIR(st.st_mode)) {
		_cleanup_free_ char *dir = path_dirname(real);

		(void)fail_set(f, ENOTDIR, "project, '%s'", real);
		fail_hint(f, "a project is a directory: --project %s", dir ? dir : "DIR");
		return -ENOTDIR;
	}
	fd = open(real, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || faccessat(AT_FDCWD, real, R_OK | X_OK, AT_EACCESS) < 0) {
		int e = errno;

		(void)fail_set(f, e, "project, '%s'", real);
		fail_hint(f, "you must be able to list and enter it: ls -ld shows its mode and owner");
		return -e;
	}
	*ret = TAKE_PTR(real);
	return 0;
}

static int refuse_never(const char *home, struct fail *f)
{
	fail_hint(f, "make a directory for the project and start there: mkdir -p '%s/project' && cd '%s/project'", home, home);
	return -EPERM;
}

/* One home at a time: $HOME, and the account's where that is another. */
static int judge(const char *project, const char *home, const char *shown_home, bool i_know, struct fail *f)
{
	const char *what = "", *why = "";
	enum survey_danger d;

	if (strcmp(project, "/") == 0) {
		(void)fail_set(f, 0, "project, '/': refused, it is the whole file system");
		return refuse_never(shown_home, f);
	}
	if (path_is_under(home, project)) {
		(void)fail_set(f, 0, "project, '%s': refused, it is %syour home directory: all in it would be the agent's", project,
			       strcmp(project, home) ? "a parent of " : "");
		return refuse_never(shown_home, f);
	}
	d = survey_judge(project, home, &what, &why);
	if (d == SURVEY_HARMLESS || (d == SURVEY_SENSITIVE && i_know))
		return 0;
	(void)fail_set(f, 0, "project, '%s': refused, '%s' %s", project, what, why);
	if (d == SURVEY_NEVER)
		return refuse_never(shown_home, f);
	fail_hint(f, "start in the project's own directory; where you mean this one, add --i-know");
	return -EPERM;
}

/* The first line of a small file of git's, without its line end; NULL where it is not that. */
static char *first_line(const char *dir, const char *name)
{
	_cleanup_free_ char *p = path_join(dir, name), *text = NULL;
	size_t len = 0;

	if (!p || fd_read_file(AT_FDCWD, p, PATH_MAX + 64, &text, &len) < 0 || strlen(text) != len)
		return NULL;
	text[strcspn(text, "\r\n")] = 0;
	return text[0] ? TAKE_PTR(text) : NULL;
}

static char *real_from(const char *dir, const char *path)
{
	_cleanup_free_ char *p = path_join(dir, path);

	return p ? realpath(p, NULL) : NULL;
}

/* The top of the main repository, where the project is a linked worktree of it that it knows; else NULL. */
static char *main_repository(const char *project)
{
	_cleanup_free_ char *link = NULL, *gitdir = NULL, *back = NULL, *back_real = NULL, *own = NULL, *common_text = NULL,
			    *common = NULL;

	link = first_line(project, ".git");
	if (!link || !str_startswith(link, "gitdir: "))
		return NULL;
	gitdir = real_from(project, link + 8);
	common_text = gitdir ? first_line(gitdir, "commondir") : NULL;
	back = gitdir ? first_line(gitdir, "gitdir") : NULL;
	if (!common_text || !back)
		return NULL;
	common = real_from(gitdir, common_text);
	back_real = real_from(gitdir, back);
	own = path_join(project, ".git");
	/* DIR/worktrees/NAME of that very repository, and it names this project: not only the other way round */
	if (!common || !own || !str_eq(back_real, own) || !path_is_under(gitdir, common))
		return NULL;
	return strcmp(path_basename(common), ".git") ? TAKE_PTR(common) : path_dirname(common);
}

char *survey_repository(const char *project)
{
	char *top = main_repository(project);

	return top ? top : strdup(project);
}

int survey_find_project(struct survey *s, const char *project, bool i_know, struct fail *f)
{
	const struct passwd *pw = getpwuid(getuid());
	_cleanup_free_ char *account_home = NULL;
	struct statvfs vfs;
	int r;

	r = resolve(str_empty(project) ? "." : project, &s->project, f);
	if (r < 0)
		return r;
	r = judge(s->project, s->home_real, s->home, i_know, f);
	if (r < 0)
		return r;
	account_home = pw ? realpath(pw->pw_dir, NULL) : NULL;
	if (account_home && strcmp(account_home, "/") && strcmp(account_home, s->home_real)) {
		r = judge(s->project, account_home, s->home, i_know, f);
		if (r < 0)
			return r;
	}
	s->project_read_only = statvfs(s->project, &vfs) == 0 && (vfs.f_flag & ST_RDONLY);
	s->repository = survey_repository(s->project);
	return s->repository ? 0 : -ENOMEM;
}
