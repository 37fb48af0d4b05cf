/* The homes of sandboxes: list, take out, bring in, remove. What is in them was written by sandboxes; archives come from
 * anywhere: both are read by tar behind Landlock, which can touch nothing but the one directory. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "cli/args.h"
#include "cli/ctl.h"
#include "cli/disk.h"
#include "cli/here.h"
#include "engine/home.h"
#include "kernel/isolate.h"
#include "report/json.h"
#include "report/table.h"
#include "supervisor/name.h"

enum { HOME_JSON, HOME_NAME, HOME_YES };

static const struct cmd_option options[] = {
	[HOME_JSON] = { "json", 0, NULL, "ls: as JSON." },
	[HOME_NAME] = { "name", 0, "NAME", "import: the home's name; without it, the file's." },
	[HOME_YES] = { "yes", 'y', NULL, "rm: does not ask." },
	{ 0 },
};

struct home_args {
	bool json, yes;
	const char *name;
	const char *words[4];
	int n;
};

/* The running sandbox that uses a home, or NULL. Caller frees. */
static char *used_by(const char *home, struct fail *f)
{
	_cleanup_strv_ char **names = NULL;

	if (name_list(&names, f) < 0)
		return NULL;
	for (char **n = names; n && *n; n++) {
		_cleanup_json_ struct json_object *info = NULL;

		if (ctl_info(*n, &info, NULL) == 0 && str_eq(json_get_str(info, "home"), home))
			return strdup(*n);
	}
	return NULL;
}

static int list(const struct home_args *a, struct fail *f)
{
	_cleanup_table_ struct table *t = table_new((const char *const[]){ "NAME", "SIZE", "USED BY", "OF", NULL });
	_cleanup_json_ struct json_object *array = json_object_new_array();
	_cleanup_strv_ char **names = NULL;
	int r = home_list(&names, f);

	if (r < 0)
		return r;
	if (!t || !array)
		return fail_set(f, ENOMEM, "home ls");
	table_flexible(t, 3);
	for (char **n = names; n && *n; n++) {
		_cleanup_free_ char *path = NULL, *owner = home_owner(*n), *user = used_by(*n, f), *size = NULL;
		uint64_t bytes;

		r = home_path(*n, &path, f);
		if (r < 0)
			return r;
		bytes = disk_usage(path);
		size = report_bytes(bytes);
		if (a->json) {
			struct json_object *o = json_object_new_object();

			if (!o || json_put_str(o, "name", *n) < 0 || json_put_str(o, "path", path) < 0 || json_put_u64(o, "bytes", bytes) < 0 ||
			    json_put_str(o, "used_by", user) < 0 || json_put_str(o, "owner", owner) < 0)
				return fail_set(f, ENOMEM, "home ls");
			json_push(array, o);
		} else if (table_add(t, *n, size, user, owner) < 0) {
			return fail_set(f, ENOMEM, "home ls");
		}
	}
	if (a->json)
		return json_print(array, true, stdout);
	return table_rows(t) ? table_print(t, stdout) : 0;
}

/* --- tar, that can reach dir alone --- */

static int lock_up(const char *dir, bool write)
{
	return prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ? -errno : isolate_program(dir, write);
}

static _Noreturn void child(const char *dir, char *const *argv, int in, int out, bool write)
{
	char *env[] = { (char *)(uintptr_t)"PATH=/usr/bin:/bin", (char *)(uintptr_t)"LC_ALL=C", NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (dup2(in >= 0 ? in : null, 0) < 0 || dup2(out >= 0 ? out : null, 1) < 0 || chdir(dir) < 0)
		_exit(125);
	close_range(3, ~0U, 0);
	if (lock_up(dir, write) < 0)
		_exit(125);
	execvpe(argv[0], argv, env);
	_exit(127);
}

/* Runs tar in dir. in and out may be -1. */
static int run_tar(const char *dir, char *const *argv, int in, int out, bool write, struct fail *f)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		child(dir, argv, in, out, write);
	if (pid < 0)
		return fail_set(f, errno, "tar");
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return fail_set(f, errno, "tar");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	(void)fail_set(f, 0, WIFEXITED(status) && WEXITSTATUS(status) == 127 ? "tar is not on this machine" : "tar failed");
	fail_hint(f, "what it says stands above");
	return -EIO;
}

static int export_to(const char *dir, const char *file, struct fail *f)
{
	char *argv[] = { (char *)(uintptr_t)"tar", (char *)(uintptr_t)"-czf", (char *)(uintptr_t)"-", (char *)(uintptr_t)"--sort=name",
			 (char *)(uintptr_t)".", NULL };
	_cleanup_free_ char *tmp = NULL;
	_cleanup_close_ int fd = -1;
	int r;

	if (strcmp(file, "-") == 0)
		return run_tar(dir, argv, -1, STDOUT_FILENO, false, f);
	if (asprintf(&tmp, "%s.part-%ld", file, (long)getpid()) < 0)
		return fail_set(f, ENOMEM, "home export");
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail_set(f, errno, "home export, '%s'", file);
	r = run_tar(dir, argv, -1, fd, false, f);
	if (r == 0 && (fsync(fd) < 0 || rename(tmp, file) < 0))
		r = fail_set(f, errno, "home export, '%s'", file);
	if (r < 0)
		(void)unlink(tmp);
	return r;
}

static int export(const struct home_args *a, struct fail *f)
{
	_cleanup_free_ char *dir = NULL, *file = NULL;
	int r = home_path(a->words[1], &dir, f);

	if (r < 0)
		return r;
	if (access(dir, F_OK) < 0) {
		r = fail_set(f, errno, "home, '%s'", a->words[1]);
		fail_hint(f, "claude-sandbox home ls lists them");
		return r;
	}
	if (a->n > 2)
		file = strdup(a->words[2]);
	else if (!isatty(STDOUT_FILENO))
		file = strdup("-");
	else if (asprintf(&file, "%s.tar.gz", a->words[1]) < 0)
		file = NULL;
	if (!file)
		return fail_set(f, ENOMEM, "home export");
	r = export_to(dir, file, f);
	if (r == 0 && strcmp(file, "-"))
		(void)fprintf(stderr, "Wrote %s. It may hold what the agent keeps: tokens, history.\n", file);
	return r;
}

/* "backup/api.tar.gz" is the home "api". Caller frees. */
static char *name_of_file(const char *file)
{
	static const char *const ends[] = { ".tar.gz", ".tgz", ".tar.xz", ".tar.zst", ".tar" };
	const char *base = path_basename(file);

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (str_endswith(base, ends[i]))
			return strndup(base, strlen(base) - strlen(ends[i]));
	return strdup(base);
}

static int unpack(const char *file, const char *dir, struct fail *f)
{
	char *argv[] = { (char *)(uintptr_t)"tar", (char *)(uintptr_t)"-xf", (char *)(uintptr_t)"-", (char *)(uintptr_t)"-z",
			 (char *)(uintptr_t)"--no-same-owner", (char *)(uintptr_t)"--no-same-permissions", NULL };
	_cleanup_close_ int fd = strcmp(file, "-") ? open(file, O_RDONLY | O_CLOEXEC) : dup(STDIN_FILENO);

	if (fd < 0)
		return fail_set(f, errno, "home import, '%s'", file);
	return run_tar(dir, argv, fd, -1, true, f);
}

static int import(const struct home_args *a, struct fail *f)
{
	_cleanup_free_ char *name = a->name ? strdup(a->name) : name_of_file(a->words[1]), *dir = NULL, *tmp = NULL;
	int r = name ? home_path(name, &dir, f) : fail_set(f, ENOMEM, "home import");

	if (r < 0) {
		if (!a->name)
			fail_hint(f, "say which home it becomes: --name NAME");
		return r;
	}
	if (access(dir, F_OK) == 0) {
		(void)fail_set(f, EEXIST, "home, '%s'", name);
		fail_hint(f, "another name: --name NAME; or first claude-sandbox home rm %s", name);
		return -EEXIST;
	}
	if (asprintf(&tmp, "%s.new-XXXXXX", dir) < 0)
		return fail_set(f, ENOMEM, "home import");
	if (!mkdtemp(tmp))
		return fail_set(f, errno, "home import, '%s'", dir);
	r = unpack(a->words[1], tmp, f);
	if (r == 0 && (chmod(tmp, 0700) < 0 || rename(tmp, dir) < 0))
		r = fail_set(f, errno, "home import, '%s'", dir);
	if (r < 0)
		(void)path_remove_tree(AT_FDCWD, tmp);
	else
		(void)fprintf(stderr, "The home '%s' is there: claude-sandbox run --home %s\n", name, name);
	return r;
}

static int remove_home(const struct home_args *a, struct fail *f)
{
	const char *name = a->words[1];
	_cleanup_free_ char *dir = NULL, *user = NULL, *question = NULL;
	int r = home_path(name, &dir, f);

	if (r < 0)
		return r;
	if (access(dir, F_OK) < 0)
		return home_remove(name, f);
	user = used_by(name, f);
	if (user) {
		(void)fail_set(f, EBUSY, "home, '%s': the sandbox '%s' uses it", name, user);
		fail_hint(f, "claude-sandbox stop %s", user);
		return -EBUSY;
	}
	if (!a->yes) {
		if (asprintf(&question, "Remove the home '%s' and all that is in it?", name) < 0)
			return fail_set(f, ENOMEM, "home rm");
		r = here_ask(question);
		if (r == -ENOTTY) {
			(void)fail_set(f, 0, "home rm, '%s': no terminal to ask on", name);
			fail_hint(f, "claude-sandbox home rm --yes %s", name);
		}
		if (r <= 0)
			return r < 0 ? r : 1;
	}
	return home_remove(name, f);
}

static const struct {
	const char *name;
	int least, most; /* words after it */
	int (*run)(const struct home_args *a, struct fail *f);
} subs[] = {
	{ "ls", 0, 0, list },
	{ "export", 1, 2, export },
	{ "import", 1, 1, import },
	{ "rm", 1, 1, remove_home },
};

static const char *const sub_names[] = { "ls", "export", "import", "rm", NULL };

static int home(int argc, char **argv, struct fail *f)
{
	struct args a = ARGS_INIT(argc, argv, options);
	struct home_args h = { 0 };
	int r;

	while ((r = args_next(&a, f)) != ARGS_END) {
		if (r < 0)
			return r;
		if (r == ARGS_WORD && h.n == (int)ARRAY_SIZE(h.words))
			return fail_set(f, 0, "home, '%s': one word too many", a.value);
		if (r == ARGS_WORD)
			h.words[h.n++] = a.value;
		else if (r == HOME_NAME)
			h.name = a.value;
		else
			*(r == HOME_JSON ? &h.json : &h.yes) = true;
	}
	if (!h.n)
		h.words[h.n++] = "ls";
	for (size_t i = 0; i < ARRAY_SIZE(subs); i++) {
		if (strcmp(subs[i].name, h.words[0]))
			continue;
		if (h.n - 1 >= subs[i].least && h.n - 1 <= subs[i].most)
			return subs[i].run(&h, f);
		(void)fail_set(f, 0, "home %s: %s", subs[i].name, h.n - 1 < subs[i].least ? "a word is missing" : "a word too many");
		fail_hint(f, "claude-sandbox help home");
		return -EINVAL;
	}
	(void)fail_set(f, 0, "home, '%s': not one of ls, export, import, rm", h.words[0]);
	fail_hint(f, "claude-sandbox home ls");
	return -EINVAL;
}

static int cmd_home_run(int argc, char **argv)
{
	struct fail f = { 0 };
	int r = home(argc, argv, &f);

	if (r >= 0)
		return r;
	fail_print(&f);
	return EXIT_SANDBOX;
}

extern const struct cmd cmd_home;
const struct cmd cmd_home = {
	.name = "home", .args = "ls | export NAME [FILE] | import FILE | rm NAME", .summary = "the home directories of sandboxes",
	.section = "set-up",
	.help = "Each project's sandbox has a home of its own, which stays when the sandbox ends. ls: the homes, their sizes, and whose "
		"they are. export: writes one as a tar.gz (NAME.tar.gz, or standard output where that is no terminal). import: makes "
		"one of such a file ('-': standard input). rm: removes one; never while a sandbox uses it.",
	.options = options, .words = sub_names, .run = cmd_home_run,
};
