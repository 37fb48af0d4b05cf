#include "cli/config-write.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "base/where.h"
#include "cli/here.h"
#include "policy/config-ini.h"
#include "policy/config.h"

/* The file behind symbolic links (a dotfile repository keeps its link), its text ("" where absent) and mode. */
static int read_current(const char *file, char **ret_path, char **ret_text, size_t *ret_n, mode_t *ret_mode,
			struct fail *f)
{
	_cleanup_free_ char *path = realpath(file, NULL), *text = NULL;
	struct stat st;
	size_t n = 0;
	int r;

	if (!path && errno != ENOENT)
		return fail_set(f, errno, "config, '%s'", file);
	r = path ? fd_read_file(AT_FDCWD, path, CONFIG_FILE_MAX, &text, &n) : -ENOENT;
	if (r == -ENOENT)
		text = strdup("");
	else if (r < 0)
		return fail_set(f, -r, "config, '%s'", file);
	if (!path)
		path = strdup(file);
	if (!path || !text)
		return fail_set(f, ENOMEM, "config, '%s'", file);
	*ret_mode = stat(path, &st) == 0 ? st.st_mode & 0777 : 0600;
	*ret_path = TAKE_PTR(path);
	*ret_text = TAKE_PTR(text);
	*ret_n = n;
	return 0;
}

static int check_line(void *user, const struct config_line *l, struct fail *f)
{
	_cleanup_free_ char *where = NULL;
	const char *file = ((const char **)user)[0];
	_cleanup_config_ struct config *c = config_new();

	if (!c || asprintf(&where, "%s:%u", file, l->line) < 0)
		return fail_set(f, ENOMEM, "config, '%s'", file);
	return config_set(c, CONFIG_USER, where, l->name, l->value, f);
}

static int check_text(const char *file, const char *text, size_t n, struct fail *f)
{
	return config_ini(file, text, n, check_line, (void *)&file, f);
}

static int replace(const char *path, const char *text, size_t n, mode_t mode, struct fail *f)
{
	int r = fd_write_file(AT_FDCWD, path, text, n, mode);

	return r < 0 ? fail_set(f, -r, "config, '%s'", path) : 0;
}

/* Makes the file's directory and locks it; a descriptor. */
static int lock_for(const char *file, struct fail *f)
{
	_cleanup_free_ char *dir = path_dirname(file);
	int r = dir ? path_mkdir_p(dir, 0700) : -ENOMEM;

	if (r == 0)
		r = fd_lock_dir(dir);
	return r < 0 ? fail_set(f, -r, "config, '%s'", file) : r;
}

static bool is_project(const char *section_path, void *user)
{
	const struct config_write *w = user;

	return config_section_matches(section_path, path_home(), w->project, w->repository);
}

/* How a new section names the project: from ~ where it lies in the home. */
static char *section_name(const char *project)
{
	const char *home = path_home(), *below = home && strcmp(home, "/") ? path_below(project, home) : NULL;

	return below && *below ? path_join("~", below) : strdup(project);
}

static int check_values(const struct config_write *w, struct fail *f)
{
	_cleanup_config_ struct config *c = config_new();
	int r = c ? 0 : fail_set(f, ENOMEM, "config");

	for (char *const *v = w->values; r == 0 && v && *v; v++) {
		if (strpbrk(*v, "\n\r"))
			return fail_set(f, 0, "config, '%s': a value cannot have several lines", w->name);
		r = config_set(c, CONFIG_USER, "set", w->name, *v, f);
	}
	return r;
}

int config_write_set(const struct config_write *w, struct fail *f)
{
	_cleanup_free_ char *path = NULL, *text = NULL, *section = w->in_section ? section_name(w->project) : NULL;
	_cleanup_buf_ struct buf out = BUF_INIT(CONFIG_FILE_MAX);
	_cleanup_close_ int lock = -1;
	struct config_write copy = *w;
	const struct config_edit e = {
		.name = w->name,
		.values = w->values,
		.add = w->add,
		.project = section,
		.is_same = is_project,
		.user = &copy,
	};
	mode_t mode;
	size_t n;
	int r;

	if (w->in_section && !section)
		return fail_set(f, ENOMEM, "config");
	if (section && strpbrk(section, "\n\r"))
		return fail_set(f, 0, "config, '%s': a path with a line break cannot be written in the file",
				w->project);
	r = check_values(w, f);
	if (r == 0)
		r = lock = lock_for(w->file, f);
	if (r >= 0)
		r = read_current(w->file, &path, &text, &n, &mode, f);
	if (r == 0)
		r = config_ini_edit(path, text, n, &e, &out, f);
	if (r == 0)
		r = check_text(path, buf_cstr(&out), out.len, f);
	return r < 0 ? r : replace(path, buf_cstr(&out), out.len, mode, f);
}

/* --- edit --- */

/* Runs the editor on the terminal; its exit status, or negative errno. */
static int run_editor(const char *file)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	const char *editor = getenv("VISUAL");
	struct sigaction interrupt, quit;
	int status, r = 0;
	pid_t pid;

	if (str_empty(editor))
		editor = getenv("EDITOR");
	if (str_empty(editor))
		editor = "vi";
	/* keys that signal are the editor's, as with system(3) */
	(void)sigaction(SIGINT, &ignore, &interrupt);
	(void)sigaction(SIGQUIT, &ignore, &quit);
	pid = fork();
	if (pid == 0) {
		_cleanup_free_ char *script = NULL;

		(void)sigaction(SIGINT, &interrupt, NULL);
		(void)sigaction(SIGQUIT, &quit, NULL);
		/* as git does: the variable may hold arguments */
		if (asprintf(&script, "exec %s \"$@\"", editor) >= 0)
			execl("/bin/sh", "sh", "-c", script, editor, file, (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		r = -errno;
	(void)sigaction(SIGINT, &interrupt, NULL);
	(void)sigaction(SIGQUIT, &quit, NULL);
	if (r < 0)
		return r;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* A new file begins as the commented example. */
static int write_copy(int fd, const char *text, size_t n)
{
	_cleanup_free_ char *path = NULL, *example = NULL;

	if (!n && where_data("default.conf", &path) == 0 &&
	    fd_read_file(AT_FDCWD, path, CONFIG_FILE_MAX, &example, &n) == 0)
		text = example;
	return fd_write_all(fd, text, n);
}

/* One round: 1 the copy is in order, 0 edit again, -ECANCELED: given up, the copy is to stay; other errors. */
static int edit_round(const char *copy, char **ret_text, size_t *ret_n, struct fail *f)
{
	_cleanup_free_ char *text = NULL;
	size_t n;
	int r = run_editor(copy);

	if (r)
		return fail_set(f, 0, "config, 'edit': the editor ended with status %d; nothing is changed", r);
	r = fd_read_file(AT_FDCWD, copy, CONFIG_FILE_MAX, &text, &n);
	if (r < 0)
		return fail_set(f, -r, "config, '%s'", copy);
	r = check_text(copy, text, n, f);
	if (r == 0) {
		*ret_text = TAKE_PTR(text);
		*ret_n = n;
		return 1;
	}
	fail_print(f);
	if (here_ask("Edit again?") > 0)
		return 0;
	fail_set(f, 0, "config, 'edit': given up; nothing is changed");
	fail_hint(f, "your text is kept in %s", copy);
	return -ECANCELED;
}

static int edit_copy(const char *path, const char *copy, const char *before, size_t before_n, mode_t mode,
		     struct fail *f)
{
	_cleanup_free_ char *text = NULL, *now = NULL, *now_path = NULL;
	_cleanup_close_ int lock = -1;
	size_t n = 0, now_n;
	mode_t now_mode;
	int r;

	do
		r = edit_round(copy, &text, &n, f);
	while (r == 0);
	if (r < 0)
		return r;
	r = lock = lock_for(path, f);
	if (r >= 0)
		r = read_current(path, &now_path, &now, &now_n, &now_mode, f);
	if (r < 0)
		return r;
	if (now_n != before_n || memcmp(now, before, now_n)) {
		fail_set(f, 0, "config, '%s': changed by someone else meanwhile; nothing is written", path);
		return -EBUSY;
	}
	return replace(path, text, n, mode, f);
}

int config_write_edit(const char *file, struct fail *f)
{
	_cleanup_free_ char *path = NULL, *text = NULL, *dir = NULL, *copy = NULL;
	mode_t mode;
	size_t n;
	int fd, r;

	r = read_current(file, &path, &text, &n, &mode, f);
	if (r < 0)
		return r;
	dir = path_dirname(path);
	if (!dir || asprintf(&copy, "%s/edit-XXXXXX.conf", dir) < 0)
		return fail_set(f, ENOMEM, "config, 'edit'");
	r = path_mkdir_p(dir, 0700);
	fd = r == 0 ? mkostemps(copy, 5, O_CLOEXEC) : -1;
	if (fd < 0)
		return fail_set(f, r ? -r : errno, "config, '%s'", dir);
	r = write_copy(fd, text, n);
	fd_close(fd);
	r = r < 0 ? fail_set(f, -r, "config, '%s'", copy) : edit_copy(path, copy, text, n, mode, f);
	if (r != -ECANCELED)
		(void)unlink(copy);
	return r;
}
