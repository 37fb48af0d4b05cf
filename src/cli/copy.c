/* A copy is made under another name and renamed into place: it is there whole or not at all. cp(1) copies: it follows no
 * link (-a), shares the blocks where the file system can (--reflink), and knows about sparse files, hard links, extended
 * attributes. No sandbox has run in a copy while it is made, so nothing of it is hostile yet. */
#include "cli/copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/path.h"
#include "base/spawn.h"
#include "base/str.h"
#include "cli/disk.h"
#include "report/table.h"
#include "supervisor/name.h"

#define TELL_FROM (256ULL << 20) /* bytes: copying that many takes a while */
#define TRIES	  100		 /* copies made within one second */

int copy_dir(const char *name, char **ret, struct fail *f)
{
	_cleanup_free_ char *data = NULL;
	int r;

	if (!name_is_valid(name)) {
		(void)fail_set(f, 0, "copies, '%s': not the name of a sandbox", name);
		fail_hint(f, "claude-sandbox df lists what is kept");
		return -EINVAL;
	}
	r = path_xdg(PATH_DATA, &data);
	if (r < 0)
		return fail_set(f, -r, "cannot tell the data directory");
	return asprintf(ret, "%s/copies/%s", data, name) < 0 ? fail_set(f, ENOMEM, "copies") : 0;
}

/* Made, and without links in its path: what lies in it is mounted. Caller frees. */
static int make_dir(const char *name, char **ret, struct fail *f)
{
	_cleanup_free_ char *dir = NULL;
	int r = copy_dir(name, &dir, f);

	if (r < 0)
		return r;
	r = path_mkdir_p(dir, 0700);
	if (r == 0 && !(*ret = realpath(dir, NULL)))
		r = -errno;
	if (r < 0) {
		(void)fail_set(f, -r, "copies, '%s'", dir);
		fail_hint(f, "copies of projects are kept there: make it writable, or set XDG_DATA_HOME");
	}
	return r;
}

static int refuse(const char *project, const char *dir, struct fail *f)
{
	_cleanup_free_ char *git = path_join(project, ".git");
	struct stat st;

	if (!git)
		return fail_set(f, ENOMEM, "project");
	if (path_is_under(dir, project)) {
		(void)fail_set(f, 0, "project-mode copy, '%s': the copies would lie in the project", project);
		fail_hint(f, "set XDG_DATA_HOME to a directory outside of it");
		return -EINVAL;
	}
	if (lstat(git, &st) == 0 && !S_ISDIR(st.st_mode)) {
		(void)fail_set(f, 0, "project-mode copy, '%s': its repository lies outside of it, and would not be copied", project);
		fail_hint(f, "git clone it and start there, or use --project-mode ro");
		return -ENOTSUP;
	}
	return 0;
}

static int refuse_size(const char *project, const char *dir, bool quiet, struct fail *f)
{
	uint64_t need = disk_usage(project), room;
	_cleanup_free_ char *needed = report_bytes(need), *free_room = NULL;
	struct statvfs fs;

	if (statvfs(dir, &fs) < 0)
		return fail_set(f, errno, "copies, '%s'", dir);
	room = (uint64_t)fs.f_bavail * fs.f_frsize;
	free_room = report_bytes(room);
	if (!needed || !free_room)
		return fail_set(f, ENOMEM, "copies");
	if (need > room) {
		(void)fail_set(f, 0, "project-mode copy, '%s': it takes %s, and %s are free where copies are kept", project, needed,
			       free_room);
		fail_hint(f, "claude-sandbox df shows what is kept, claude-sandbox rm --copies NAME makes room");
		return -ENOSPC;
	}
	if (need >= TELL_FROM && !quiet)
		(void)fprintf(stderr, "claude-sandbox: copying the project: %s\n", needed);
	return 0;
}

/* What an interrupted start of this name left. */
static void clear_unfinished(const char *dir)
{
	DIR *d = opendir(dir);

	for (struct dirent *e; d && (e = readdir(d));)
		if (str_startswith(e->d_name, ".new-"))
			(void)path_remove_tree(dirfd(d), e->d_name);
	if (d)
		closedir(d);
}

static int run_cp(const char *project, const char *to, struct fail *f)
{
	_cleanup_free_ char *from = NULL;
	int r;

	if (asprintf(&from, "%s/.", project) < 0)
		return fail_set(f, ENOMEM, "project-mode copy");
	{
		char *argv[] = { (char *)(uintptr_t)"cp", (char *)(uintptr_t)"-a", (char *)(uintptr_t)"--reflink=auto",
				 (char *)(uintptr_t)"--", from, (char *)(uintptr_t)to, NULL };

		r = spawn_run(&(struct spawn){ .argv = argv, .cwd = "/", .keep_stderr = true });
	}
	if (r == 0)
		return 0;
	(void)fail_set(f, r < 0 ? -r : 0, "project-mode copy, '%s': it could not be copied whole", project);
	fail_hint(f, "what cp says stands above; nothing is left of the copy");
	return r < 0 ? r : -EIO;
}

/* Gives a finished copy its name: when it was made. */
static int name_it(const char *tmp, const char *dir, char **ret)
{
	time_t now = time(NULL);
	char stamp[32];
	struct tm tm;

	if (!localtime_r(&now, &tm) || !strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", &tm))
		return -EINVAL;
	for (int i = 1; i <= TRIES; i++) {
		_cleanup_free_ char *path = NULL;

		if ((i == 1 ? asprintf(&path, "%s/%s", dir, stamp) : asprintf(&path, "%s/%s-%d", dir, stamp, i)) < 0)
			return -ENOMEM;
		if (renameat2(AT_FDCWD, tmp, AT_FDCWD, path, RENAME_NOREPLACE) == 0) {
			*ret = TAKE_PTR(path);
			return 0;
		}
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

int copy_make(const char *project, const char *name, bool quiet, char **ret, struct fail *f)
{
	_cleanup_free_ char *dir = NULL, *tmp = NULL;
	int r = make_dir(name, &dir, f);

	if (r < 0)
		return r;
	clear_unfinished(dir);
	r = refuse(project, dir, f);
	if (r == 0)
		r = refuse_size(project, dir, quiet, f);
	if (r < 0) {
		(void)rmdir(dir); /* where it is empty */
		return r;
	}
	tmp = path_join(dir, ".new-XXXXXX");
	if (!tmp || !mkdtemp(tmp))
		return fail_set(f, tmp ? errno : ENOMEM, "copies, '%s'", dir);
	r = run_cp(project, tmp, f);
	if (r == 0) {
		r = name_it(tmp, dir, ret);
		if (r < 0)
			(void)fail_set(f, -r, "copies, '%s'", dir);
	}
	if (r < 0) {
		(void)path_remove_tree(AT_FDCWD, tmp);
		(void)rmdir(dir);
	}
	return r;
}
