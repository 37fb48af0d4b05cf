/* Planting what the host would execute later: the guarded names of the project. Those that are there must be refused;
 * those that are absent may be refused, or must be gone again within two seconds (the quarantine). */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void in_project(char path[PATH_MAX], const char *name)
{
	(void)snprintf(path, PATH_MAX, "%s/%s", probe.project, name);
}

static enum verdict overwrite(const struct attempt *a)
{
	char path[PATH_MAX];
	int fd;

	in_project(path, a->path);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	return refused(fd);
}

static enum verdict create_in(const struct attempt *a)
{
	struct attempt there = *a;
	char path[PATH_MAX];

	in_project(path, a->path);
	there.path = path;
	return try_create(&there);
}

static enum verdict move(const struct attempt *a)
{
	char from[PATH_MAX], to[PATH_MAX];
	int r;

	in_project(from, a->path);
	in_project(to, "cs-probe-moved");
	r = rename(from, to);
	if (r == 0)
		(void)rename(to, from);
	return refused(r);
}

static enum verdict replace(const struct attempt *a)
{
	char from[PATH_MAX], to[PATH_MAX];
	int fd, r;

	in_project(from, "cs-probe-new");
	in_project(to, a->path);
	fd = open(from, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	if (fd < 0)
		return refused(fd);
	close(fd);
	r = (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, (unsigned)a->nr);
	if (r < 0) {
		int e = errno;

		(void)unlink(from);
		errno = e;
	}
	return refused(r);
}

static enum verdict drop(const struct attempt *a)
{
	char path[PATH_MAX];

	in_project(path, a->path);
	return refused(unlink(path));
}

static enum verdict make_executable(const struct attempt *a)
{
	char path[PATH_MAX];

	in_project(path, a->path);
	return refused(chmod(path, 0777));
}

/* Hooks are a private copy inside: what is planted there, the host never sees, which the host's side verifies. */
static enum verdict plant_hook(const struct attempt *a)
{
	char path[PATH_MAX];
	int fd;

	in_project(path, a->path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	if (fd < 0)
		return refused(fd);
	close(fd);
	say("written to a private copy; the host's side tells");
	return CONTAINED;
}

/* The same for .git/config: git inside must be able to write it. */
static enum verdict plant_config(const struct attempt *a)
{
	static const char text[] = "[core]\n\tfsmonitor = touch /tmp/cs-probe-ran; false\n";
	char path[PATH_MAX];
	int fd;

	in_project(path, a->path);
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd < 0 || write(fd, text, sizeof(text) - 1) < 0)
		return refused(-1);
	close(fd);
	say("written to a private copy; the host's side tells");
	return CONTAINED;
}

/* What the host needs is put back: a moment without it is bearable, a second is not. */
static enum verdict drop_for_good(const struct attempt *a)
{
	const struct timespec pause = { .tv_nsec = 20000000 };
	char path[PATH_MAX];
	struct stat st;

	in_project(path, a->path);
	if (unlink(path) < 0)
		return refused(-1);
	for (int i = 0; i < probe.patience / 20; i++) {
		if (lstat(path, &st) == 0) {
			say("put back after about %d ms", i * 20);
			return CONTAINED;
		}
		nanosleep(&pause, NULL);
	}
	say("it stays away");
	return ESCAPED;
}

/* Makes the parents, the last of which a host program will look into. */
static void make_parents(const char *path)
{
	char copy[PATH_MAX];

	(void)snprintf(copy, sizeof(copy), "%s", path);
	for (char *s = copy + strlen(probe.project) + 1; (s = strchr(s, '/')); s++) {
		*s = 0;
		(void)mkdir(copy, 0755);
		*s = '/';
	}
}

static enum verdict plant(const struct attempt *a)
{
	static const char text[] = "cs-probe was here\n";
	const struct timespec pause = { .tv_nsec = 20000000 };
	char path[PATH_MAX];
	struct stat st;
	int fd;

	in_project(path, a->path);
	make_parents(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	if (fd < 0)
		return refused(fd);
	if (write(fd, text, sizeof(text) - 1) < 0)
		say("%s", strerrorname_np(errno));
	close(fd);
	for (int i = 0; i < probe.patience / 20; i++) {
		if (lstat(path, &st) < 0) {
			say("taken away again after about %d ms", i * 20);
			return CONTAINED;
		}
		nanosleep(&pause, NULL);
	}
	say("it stays");
	return ESCAPED;
}

/* The same by a link, which is another way for a name to come into being. */
static enum verdict plant_link(const struct attempt *a)
{
	const struct timespec pause = { .tv_nsec = 20000000 };
	char path[PATH_MAX];
	struct stat st;

	in_project(path, a->path);
	if (symlink("/tmp/cs-probe-target", path) < 0)
		return refused(-1);
	for (int i = 0; i < probe.patience / 20; i++) {
		if (lstat(path, &st) < 0) {
			say("taken away again after about %d ms", i * 20);
			return CONTAINED;
		}
		nanosleep(&pause, NULL);
	}
	say("it stays");
	return ESCAPED;
}

#define PLANT(n, p) { .name = n, .expected = "refused, or taken away", .tried = "make " p, .run = plant, .path = p }

static const struct attempt attempts[] = {
	{ .name = "hook-create",
	  .expected = "not on the host",
	  .tried = "make a git hook",
	  .run = plant_hook,
	  .path = ".git/hooks/pre-commit" },
	{ .name = "hooks-move", .tried = "move .git/hooks away", .run = move, .path = ".git/hooks" },
	{ .name = "git-move", .tried = "move .git away", .run = move, .path = ".git" },
	{ .name = "git-config-write",
	  .expected = "not on the host",
	  .tried = "have the host's git run a program (core.fsmonitor)",
	  .run = plant_config,
	  .path = ".git/config" },
	{ .name = "git-config-drop", .tried = "remove .git/config", .run = drop, .path = ".git/config" },
	{ .name = "git-config-replace",
	  .tried = "rename a file over .git/config",
	  .run = replace,
	  .path = ".git/config" },
	{ .name = "git-head-drop",
	  .expected = "put back",
	  .tried = "remove .git/HEAD",
	  .run = drop_for_good,
	  .path = ".git/HEAD" },
	PLANT("git-commondir", ".git/commondir"),
	PLANT("git-config-worktree", ".git/config.worktree"),
	{ .name = "envrc-write", .tried = "write .envrc", .run = overwrite, .path = ".envrc" },
	{ .name = "envrc-replace", .tried = "rename a file over .envrc", .run = replace, .path = ".envrc" },
	{ .name = "envrc-exchange",
	  .tried = "exchange .envrc with another file",
	  .run = replace,
	  .path = ".envrc",
	  .nr = 2 /* RENAME_EXCHANGE */ },
	{ .name = "envrc-drop", .tried = "remove .envrc", .run = drop, .path = ".envrc" },
	{ .name = "envrc-chmod", .tried = "change the mode of .envrc", .run = make_executable, .path = ".envrc" },
	{ .name = "vscode-write", .tried = "write .vscode/tasks.json", .run = overwrite, .path = ".vscode/tasks.json" },
	{ .name = "vscode-create", .tried = "make a file in .vscode", .run = create_in, .path = ".vscode" },
	{ .name = "husky-write", .tried = "write .husky/pre-commit", .run = overwrite, .path = ".husky/pre-commit" },
	{ .name = "vscode-move", .tried = "move .vscode away", .run = move, .path = ".vscode" },
	{ .name = "settings-write",
	  .tried = "write .claude/settings.json",
	  .run = overwrite,
	  .path = ".claude/settings.json" },
	{ .name = "claude-move", .tried = "move .claude away", .run = move, .path = ".claude" },
	PLANT("settings-local", ".claude/settings.local.json"),
	PLANT("claude-hook", ".claude/hooks/start.sh"),
	PLANT("claude-command", ".claude/commands/run.md"),
	PLANT("mcp-json", ".mcp.json"),
	PLANT("idea", ".idea/workspace.xml"),
	PLANT("cursor", ".cursor/mcp.json"),
	PLANT("devcontainer", ".devcontainer/devcontainer.json"),
	PLANT("mise", "mise.toml"),
	PLANT("exrc", ".nvim.lua"),
	PLANT("own-config", ".claude-sandbox.conf"),
	{ .name = "mcp-link", .tried = "make .mcp.json as a symbolic link", .run = plant_link, .path = ".mcp.json" },
	{ 0 },
};

const struct category guard_category = { "guarded paths", attempts };
