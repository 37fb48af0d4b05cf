/* The survey over made-up homes: every toolchain's layout with canary credentials beside it, dotfile links, odd project
 * names, refused directories. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "survey/survey.h"

static char *top, *home;
static char **names_made; /* by at(), freed at the test's end */

static char *at(const char *below)
{
	assert_int_equal(strv_addf(&names_made, "%s/%s", home, below), 0);
	return names_made[strv_len(names_made) - 1];
}

static void put(const char *path, const char *text)
{
	_cleanup_free_ char *dir = path_dirname(path);

	assert_int_equal(path_mkdir_p(dir, 0755), 0);
	assert_int_equal(fd_write_file(AT_FDCWD, path, text, strlen(text), 0755), 0);
}

static void mkdirs(const char *path)
{
	assert_int_equal(path_mkdir_p(path, 0755), 0);
}

static void lnk(const char *target, const char *path)
{
	_cleanup_free_ char *dir = path_dirname(path);

	assert_int_equal(path_mkdir_p(dir, 0755), 0);
	(void)unlink(path);
	assert_int_equal(symlink(target, path), 0);
}

static int set_up(void **state)
{
	char buf[] = "/var/tmp/cs-survey-XXXXXX";

	(void)state;
	top = mkdtemp(buf) ? realpath(buf, NULL) : NULL;
	assert_non_null(top);
	assert_true(asprintf(&home, "%s/home", top) > 0);
	(void)chmod(top, 0755);
	mkdirs(at("project"));
	setenv("HOME", home, 1);
	setenv("PATH", "/usr/local/bin:/usr/bin:/bin", 1);
	setenv("TERM", "xterm", 1);
	unsetenv("XDG_CONFIG_HOME");
	unsetenv("XDG_DATA_HOME");
	unsetenv("XDG_STATE_HOME");
	unsetenv("JAVA_HOME");
	unsetenv("TERMINFO");
	unsetenv("TERMINFO_DIRS");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	assert_int_equal(chdir("/"), 0);
	(void)path_remove_tree(AT_FDCWD, top);
	free(top);
	free(home);
	names_made = strv_free(names_made);
	return 0;
}

static struct survey *look(const char *project)
{
	struct survey *s = NULL;
	struct fail f = { 0 };

	if (survey_new(project, false, &s, &f) < 0)
		fail_msg("%s / %s", f.msg, f.hint);
	return s;
}

static int refused(const char *project, bool i_know, struct fail *f)
{
	struct survey *s = NULL;
	int r = survey_new(project, i_know, &s, f);

	survey_free(s);
	if (r < 0) {
		assert_true(f->msg[0]);
		assert_null(strchr(f->msg, '\n'));
	}
	return r;
}

static const char *shown(const struct survey *s, const char *dst)
{
	for (size_t i = 0; i < s->nshows; i++)
		if (strcmp(s->shows[i].dst, dst) == 0)
			return s->shows[i].src;
	return NULL;
}

static const struct survey_tool *tool(const struct survey *s, const char *name)
{
	for (size_t i = 0; i < s->ntools; i++)
		if (strcmp(s->tools[i].name, name) == 0)
			return &s->tools[i];
	return NULL;
}

/* True where the bytes of path could be read inside: shown by anything, and not masked. */
static bool readable_inside(const struct survey *s, const char *path)
{
	for (size_t i = 0; i < s->ntools; i++)
		for (char **n = s->tools[i].never; n && *n; n++)
			if (path_is_under(path, *n))
				return false;
	return survey_visible(s, path);
}

/* --- projects --- */

static void project_names(void **state)
{
	static const char *const names[] = { "with space", "two\nlines", "größe-日本", "tab\there", "-dash", "a'b\"c$d", "\xff\xfe" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_survey_ struct survey *s = NULL;

		mkdirs(at(names[i]));
		s = look(at(names[i]));
		assert_string_equal(s->project, at(names[i]));
		assert_string_equal(s->repository, s->project);
	}
}

static void project_link_and_cwd(void **state)
{
	_cleanup_survey_ struct survey *a = NULL, *b = NULL;

	(void)state;
	lnk("project", at("link"));
	a = look(at("link"));
	assert_string_equal(a->project, at("project"));
	assert_int_equal(chdir(at("link")), 0);
	b = look(NULL);
	assert_string_equal(b->project, at("project"));
	assert_false(b->project_read_only);
}

static void project_missing(void **state)
{
	struct fail f = { 0 };

	(void)state;
	assert_int_equal(refused(at("nowhere"), false, &f), -ENOENT);
	assert_non_null(strstr(f.hint, "--project"));
	put(at("file"), "");
	assert_int_equal(refused(at("file"), false, &f), -ENOTDIR);
	mkdirs(at("gone"));
	assert_int_equal(chdir(at("gone")), 0);
	assert_int_equal(rmdir(at("gone")), 0);
	assert_int_equal(refused(NULL, false, &f), -ENOENT);
	lnk("loop", at("loop"));
	assert_int_equal(refused(at("loop"), false, &f), -ELOOP);
}

static void project_unreadable(void **state)
{
	struct fail f = { 0 };
	bool root = geteuid() == 0;

	(void)state;
	mkdirs(at("locked"));
	assert_int_equal(chmod(at("locked"), 0), 0);
	if (root)
		assert_int_equal(seteuid(21003), 0);
	assert_int_equal(refused(at("locked"), false, &f), -EACCES);
	if (root)
		assert_int_equal(seteuid(0), 0);
	assert_non_null(strstr(f.msg, "locked"));
	assert_true(f.hint[0]);
}

static void project_refused(void **state)
{
	static const struct {
		const char *path;
		bool never;
	} cases[] = {
		{ "/", true }, { "~", true }, { "~/..", true }, { "~/link-home", true }, { "/proc", true }, { "/sys", true },
		{ "/dev", true }, { "/dev/shm", true }, { "~/.local/share/claude-sandbox/homes", true }, { "/etc", false },
		{ "/usr", false }, { "/usr/share", false }, { "/boot", false }, { "/run", false }, { "/tmp", false }, { "/var", true },
		{ "~/.ssh", false }, { "~/.ssh/keys", false }, { "~/.gnupg", false }, { "~/.aws", false }, { "~/.azure", false },
		{ "~/.config/gcloud", false }, { "~/.config", false }, { "~/.kube", false }, { "~/.docker", false },
		{ "~/.password-store", false }, { "~/.password-store/mail", false }, { "~/.local/share/keyrings", false },
		{ "~/.local", true }, { "~/.mozilla", false }, { "~/.mozilla/firefox/x.default", false },
		{ "~/.config/google-chrome", false }, { "~/.config/google-chrome-beta/Default", false }, { "~/link-ssh", false },
		{ "~/.claude", false }, { "~/.config/BraveSoftware/Brave", false }, { "~/.config/gh", false },
	};

	(void)state;
	lnk(home, at("link-home"));
	lnk(".ssh", at("link-ssh"));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *p = cases[i].path[0] == '~' ? at(cases[i].path + 1) : cases[i].path;
		struct fail f = { 0 };

		if (cases[i].path[0] == '~' && access(p, F_OK) < 0)
			mkdirs(p);
		if (refused(p, false, &f) != -EPERM)
			fail_msg("%s was not refused: %s", p, f.msg);
		assert_true(f.hint[0]);
		if (refused(p, true, &f) != (cases[i].never ? -EPERM : 0))
			fail_msg("%s with --i-know: %s", p, f.msg);
	}
}

static void project_allowed(void **state)
{
	static const char *const paths[] = { ".claude/skills/mine", "work/.ssh-tools", ".sshd", "go/src/x", ".config/nvim" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct fail f = { 0 };

		mkdirs(at(paths[i]));
		if (refused(at(paths[i]), false, &f) != 0)
			fail_msg("%s: %s", paths[i], f.msg);
	}
}

static void worktree_repository(void **state)
{
	_cleanup_survey_ struct survey *good = NULL, *forged = NULL, *huge = NULL;
	_cleanup_free_ char *link = NULL, *back = NULL, *long_text = NULL;

	(void)state;
	mkdirs(at("main/.git/worktrees/wt"));
	put(at("main/.git/worktrees/wt/commondir"), "../..\n");
	assert_true(asprintf(&back, "%s/wt/.git\n", home) > 0);
	put(at("main/.git/worktrees/wt/gitdir"), back);
	assert_true(asprintf(&link, "gitdir: %s/main/.git/worktrees/wt\n", home) > 0);
	put(at("wt/.git"), link);
	good = look(at("wt"));
	assert_string_equal(good->repository, at("main"));
	/* a project that names a repository which does not know it */
	put(at("evil/.git"), link);
	forged = look(at("evil"));
	assert_string_equal(forged->repository, at("evil"));
	long_text = calloc(1, 100001);
	memset(long_text, 'x', 100000);
	put(at("huge/.git"), long_text);
	huge = look(at("huge"));
	assert_string_equal(huge->repository, at("huge"));
}

/* --- mounts --- */

static int mount_of(const char *path, bool i_know, const char *option, struct fail *f)
{
	char *real = NULL;
	int r = survey_mount(path, home, i_know, option, &real, f);

	free(real);
	return r;
}

static void mounts(void **state)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	_cleanup_close_ int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct fail f = { 0 };

	(void)state;
	mkdirs(at(".ssh"));
	mkdirs(at("docs"));
	lnk("../.ssh", at("docs/innocent"));
	assert_int_equal(mount_of(at("docs"), false, "read-only", &f), 0);
	assert_int_equal(mount_of("/usr/share", false, "read-only", &f), 0);
	assert_int_equal(mount_of("/usr/share", false, "read-write", &f), -EPERM);
	assert_int_equal(mount_of(at(".ssh"), false, "read-only", &f), -EPERM);
	assert_non_null(strstr(f.hint, "--i-know"));
	assert_int_equal(mount_of(at(".ssh"), true, "read-only", &f), 0);
	assert_int_equal(mount_of(at("docs/innocent"), false, "read-only", &f), -EPERM);
	assert_int_equal(mount_of(home, true, "read-only", &f), -EPERM);
	assert_int_equal(mount_of(top, true, "read-write", &f), -EPERM);
	assert_int_equal(mount_of("/", true, "read-only", &f), -EPERM);
	assert_int_equal(mount_of("/proc", true, "read-only", &f), -EPERM);
	assert_int_equal(mount_of("/dev/null", false, "device", &f), 0);
	assert_int_equal(mount_of("/dev/null", false, "read-write", &f), -EPERM);
	assert_int_equal(mount_of("docs", false, "read-only", &f), -EINVAL);
	assert_int_equal(mount_of(at("nowhere"), false, "read-only", &f), -ENOENT);

	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/docker.sock", top);
	assert_int_equal(bind(sock, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(mount_of(sa.sun_path, false, "read-only", &f), -EPERM);
	assert_non_null(strstr(f.msg, "Docker"));
	assert_int_equal(mount_of(sa.sun_path, false, "device", &f), -EPERM);
}

/* --- toolchains --- */

static void add_path(const char *below)
{
	_cleanup_free_ char *p = NULL;

	assert_true(asprintf(&p, "%s:%s", below[0] == '/' ? below : at(below), getenv("PATH")) > 0);
	setenv("PATH", p, 1);
}

static void toolchains(void **state)
{
	static const struct {
		const char *name, *entry, *program;
		const char *canaries[8];
	} cases[] = {
		{ "nvm", ".nvm/versions/node/v20.1.0/bin", ".nvm/versions/node/v20.1.0/lib/node_modules/npm/bin/npm-cli.js",
		  { ".nvm/versions/node/v20.1.0/etc/npmrc", ".npmrc", ".nvm/versions/node/v20.1.0/lib/node_modules/npm/npmrc", ".nvm/.npmrc" } },
		{ "fnm", ".local/share/fnm/node-versions/v20.1.0/installation/bin",
		  ".local/share/fnm/node-versions/v20.1.0/installation/lib/node_modules/x.js",
		  { ".local/share/fnm/node-versions/v20.1.0/installation/etc/npmrc" } },
		{ "volta", ".volta/bin", ".volta/tools/image/node/20/bin/node", { ".volta/tools/image/node/20/etc/npmrc" } },
		{ "npm-global", ".npm-global/bin", ".npm-global/lib/node_modules/x/cli.js", { ".npm-global/etc/npmrc", ".npm/_cacache/t" } },
		{ "cargo", ".cargo/bin", ".rustup/toolchains/stable/bin/rustc",
		  { ".cargo/credentials", ".cargo/credentials.toml", ".cargo/config.toml", ".cargo/registry/x" } },
		{ "pyenv", ".pyenv/shims", ".pyenv/versions/3.11/bin/python",
		  { ".pyenv/versions/3.11/pip.conf", ".pypirc", ".config/pip/pip.conf", ".pip/pip.conf" } },
		{ "rbenv", ".rbenv/shims", ".rbenv/versions/3.2/bin/ruby", { ".gem/credentials", ".rbenv/versions/3.2/etc/gemrc", ".bundle/config" } },
		{ "gem", ".gem/ruby/3.1.0/bin", ".gem/ruby/3.1.0/gems/x/x.rb", { ".gem/credentials" } },
		{ "local-bin", ".local/bin", ".local/share/uv/tools/ruff/bin/ruff",
		  { ".local/share/uv/credentials/credentials.toml", ".local/share/uv/tools/ruff/pip.conf", ".config/uv/uv.toml",
		    ".local/share/keyrings/login.keyring", ".local/share/pipx/venvs/x/pip.conf", ".netrc" } },
		{ "uv", ".local/share/uv/python/cpython-3.12/bin", ".local/share/uv/python/cpython-3.12/lib/libpython.so",
		  { ".local/share/uv/credentials/credentials.toml" } },
		{ "go", "sdk/go1.22/bin", "sdk/go1.22/src/fmt/print.go", { ".config/go/env" } },
		{ "gopath", "go/bin", "go/bin/gopls", { ".config/go/env", ".netrc", "go/pkg/mod/cache/vcs/x", "go/src/corp/x.go" } },
		{ "fnm-shell", ".local/state/fnm_multishells/1_2/bin", ".local/state/fnm_multishells/1_2/lib/x.js",
		  { ".local/state/fnm_multishells/1_2/etc/npmrc" } },
		{ "pnpm", ".local/share/pnpm", ".local/share/pnpm/pnpm", { ".local/share/pnpm/rc", ".config/pnpm/rc", ".config/pnpm/auth.ini" } },
		{ "yarn", ".yarn/bin", ".yarn/lib/cli.js", { ".yarnrc.yml", ".yarnrc" } },
		{ "bun", ".bun/bin", ".bun/install/global/node_modules/x.js", { ".bunfig.toml", ".bun/install/global/bunfig.toml", ".bun/install/cache/x" } },
		{ "deno", ".deno/bin", ".deno/bin/deno", { ".deno/credentials.json" } },
		{ "sdkman", ".sdkman/candidates/java/current/bin", ".sdkman/candidates/java/current/lib/modules",
		  { ".m2/settings.xml", ".m2/settings-security.xml", ".gradle/gradle.properties", ".sdkman/candidates/maven/3/conf/settings.xml",
		    ".sdkman/etc/config" } },
		{ "asdf", ".asdf/shims", ".asdf/installs/python/3.12/bin/python", { ".asdf/installs/nodejs/20/etc/npmrc", ".asdfrc" } },
		{ "mise", ".local/share/mise/shims", ".local/share/mise/installs/node/20/bin/node",
		  { ".local/share/mise/installs/node/20/etc/npmrc", ".config/mise/config.toml" } },
		{ "conda", "miniconda3/bin", "miniconda3/lib/libpython.so", { ".condarc", "miniconda3/.condarc", "miniconda3/envs/x/.condarc" } },
		{ "dotnet", ".dotnet", ".dotnet/sdk/8/dotnet.dll", { ".nuget/NuGet/NuGet.Config", ".dotnet/corefx/cryptography/x" } },
		{ "composer", ".composer/vendor/bin", ".composer/vendor/autoload.php", { ".composer/auth.json", ".config/composer/auth.json" } },
		{ "opam", ".opam/default/bin", ".opam/default/lib/x.cma", { ".opam/config" } },
		{ "ghcup", ".ghcup/bin", ".ghcup/ghc/9/bin/ghc", { ".cabal/config" } },
		{ "luarocks", ".luarocks/bin", ".luarocks/share/x.lua", { ".luarocks/upload_config.lua" } },
		{ "rvm", ".rvm/bin", ".rvm/rubies/r/bin/ruby", { ".rvm/user/db" } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		mkdirs(at(cases[i].entry));
		add_path(cases[i].entry);
		put(at(cases[i].program), "#!/bin/sh\n");
		for (const char *const *c = cases[i].canaries; *c; c++)
			put(at(*c), "canary-secret\n");
	}
	_cleanup_survey_ struct survey *s = look(at("project"));

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (!tool(s, cases[i].name))
			fail_msg("toolchain %s was not found", cases[i].name);
		if (!readable_inside(s, at(cases[i].program)))
			fail_msg("%s: %s is not there inside", cases[i].name, cases[i].program);
		if (!strv_contains(s->path, at(cases[i].entry)))
			fail_msg("%s: %s is not on PATH inside", cases[i].name, cases[i].entry);
		for (const char *const *c = cases[i].canaries; *c; c++)
			if (readable_inside(s, at(*c)))
				fail_msg("%s: the credential %s can be read inside", cases[i].name, *c);
	}
	assert_string_equal(env_get(tool(s, "nvm")->env, "NVM_DIR"), at(".nvm"));
	assert_string_equal(env_get(tool(s, "pyenv")->env, "PYENV_ROOT"), at(".pyenv"));
}

static void toolchains_absent(void **state)
{
	_cleanup_survey_ struct survey *s = NULL;

	(void)state;
	/* there, but not on PATH; and an entry that no toolchain claims */
	mkdirs(at(".cargo/bin"));
	mkdirs(at("scripts"));
	add_path("scripts");
	add_path("/nonexistent/bin");
	add_path("relative/bin");
	s = look(at("project"));
	assert_null(tool(s, "cargo"));
	assert_false(strv_contains(s->path, at("scripts")));
	assert_true(strv_contains(s->path_home, at("scripts")));
	assert_true(strv_contains(s->path, "/usr/bin"));
	for (char **p = s->path; *p; p++)
		assert_true((*p)[0] == '/');
}

static void local_bin_links(void **state)
{
	_cleanup_survey_ struct survey *s = NULL;

	(void)state;
	put(at("src/tool/run.sh"), "#!/bin/sh\n");
	put(at("src/tool/secret.txt"), "canary");
	put(at(".ssh/id_ed25519"), "canary");
	lnk("../../src/tool/run.sh", at(".local/bin/run"));
	lnk("../../.ssh/id_ed25519", at(".local/bin/key"));
	put(at("Documents/notes"), "canary");
	assert_int_equal(chmod(at("Documents/notes"), 0644), 0);
	lnk("../../Documents/notes", at(".local/bin/notes"));
	lnk(home, at(".local/bin/everything"));
	add_path(".local/bin");
	s = look(at("project"));
	assert_true(survey_visible(s, at("src/tool/run.sh")));
	assert_false(survey_visible(s, at("src/tool/secret.txt")));
	assert_false(survey_visible(s, at(".ssh/id_ed25519")));
	assert_false(survey_visible(s, at("Documents/notes")));
	assert_false(survey_visible(s, at("anything")));
}

static void toolchain_files(void **state)
{
	struct fail f = { 0 };

	(void)state;
	put(at(".config/claude-sandbox/toolchains/mine.conf"), "# mine\nwhen = ~/mine/bin\nshow = @/bin\nenv = MINE=@/bin\n");
	mkdirs(at("mine/bin"));
	add_path("mine/bin");
	{
		_cleanup_survey_ struct survey *s = look(at("project"));

		assert_non_null(tool(s, "mine"));
		assert_string_equal(env_get(tool(s, "mine")->env, "MINE"), at("mine/bin"));
	}
	put(at(".config/claude-sandbox/toolchains/mine.conf"), "when = ~/mine/bin\nshwo = x\n");
	assert_int_equal(refused(at("project"), false, &f), -EINVAL);
	assert_non_null(strstr(f.msg, "mine.conf:2"));
}

/* --- the home's files --- */

static void git_includes(void **state)
{
	_cleanup_survey_ struct survey *s = NULL;

	(void)state;
	put(at("dotfiles/gitconfig"), "[user]\n\tname = X\n[include]\n\tpath = ~/dotfiles/git-aliases\n\tpath = work.inc\n\tpath = ~/.ssh/id\n"
				      "[includeIf \"gitdir:~/work/\"]\n\tpath = /etc/gitconfig\n\tpath = ~/w/deep\n[IncludeIf \"onbranch:x\"]\n"
				      "\tpath = ~/branch\n");
	put(at("dotfiles/git-aliases"), "[alias]\n\tx = y\n");
	put(at("work.inc"), "[include]\n\tpath = deeper.inc\n");
	put(at("deeper.inc"), "[include]\n\tpath = deeper.inc\n");
	put(at("w/deep"), "[a]\n");
	put(at("branch"), "[a]\n");
	put(at(".ssh/id"), "canary");
	put(at(".config/git/ignore"), "*.o\n");
	put(at(".config/git/credentials"), "canary");
	put(at(".git-credentials"), "canary");
	lnk("dotfiles/gitconfig", at(".gitconfig"));
	s = look(at("project"));
	assert_string_equal(shown(s, at(".gitconfig")), at("dotfiles/gitconfig"));
	assert_non_null(shown(s, at("dotfiles/git-aliases")));
	assert_non_null(shown(s, at("work.inc")));
	assert_non_null(shown(s, at("deeper.inc")));
	assert_non_null(shown(s, at("w/deep")));
	assert_non_null(shown(s, at("branch")));
	assert_non_null(shown(s, at(".config/git/ignore")));
	assert_false(survey_visible(s, at(".ssh/id")));
	assert_false(survey_visible(s, at(".config/git/credentials")));
	assert_false(survey_visible(s, at(".git-credentials")));
	assert_false(survey_visible(s, at("dotfiles/other")));
}

static void dotfile_links(void **state)
{
	_cleanup_survey_ struct survey *s = NULL;

	(void)state;
	/* stow: the directory itself is a link; chezmoi and others: files in it are */
	put(at("dot/nvim/init.lua"), "x");
	put(at("dot/shared/opts.lua"), "x");
	put(at("dot/private.txt"), "canary");
	lnk("../../shared/opts.lua", at("dot/nvim/lua/opts.lua"));
	lnk("../dot/nvim", at(".config/nvim"));
	put(at("dot/claude/CLAUDE.md"), "x");
	lnk("../dot/claude/CLAUDE.md", at(".claude/CLAUDE.md"));
	put(at("skills/mine/SKILL.md"), "x");
	lnk("../../skills/mine", at(".claude/skills/mine"));
	put(at(".claude/.credentials.json"), "canary");
	put(at(".claude/settings.json"), "{}");
	put(at(".claude/projects/x"), "canary");
	put(at(".claude/agents/a.md"), "x");
	s = look(at("project"));
	assert_string_equal(shown(s, at(".config/nvim")), at("dot/nvim"));
	/* "../../shared/opts.lua" from ~/.config/nvim/lua */
	assert_string_equal(shown(s, at(".config/shared/opts.lua")), at("dot/shared/opts.lua"));
	assert_string_equal(shown(s, at(".claude/CLAUDE.md")), at("dot/claude/CLAUDE.md"));
	assert_non_null(shown(s, at(".claude/skills")));
	assert_string_equal(shown(s, at("skills/mine")), at("skills/mine"));
	assert_non_null(shown(s, at(".claude/agents")));
	assert_false(survey_visible(s, at("dot/private.txt")));
	assert_false(survey_visible(s, at(".claude/.credentials.json")));
	assert_false(survey_visible(s, at(".claude/settings.json")));
	assert_false(survey_visible(s, at(".claude/projects/x")));
}

static void shows_of_keys(void **state)
{
	_cleanup_survey_ struct survey *s = NULL;

	(void)state;
	/* what is shown by default never leads to keys or the whole home, whatever links say */
	mkdirs(at(".ssh"));
	lnk("../.ssh", at(".config/nvim"));
	lnk(home, at(".vim"));
	lnk("/proc", at(".terminfo"));
	s = look(at("project"));
	assert_null(shown(s, at(".config/nvim")));
	assert_null(shown(s, at(".vim")));
	assert_null(shown(s, at(".terminfo")));
}

static void terminfo(void **state)
{
	_cleanup_survey_ struct survey *s = NULL, *none = NULL;

	(void)state;
	put(at(".local/kitty.app/lib/kitty/terminfo/x/xterm-of-mine"), "x");
	setenv("TERM", "xterm-of-mine", 1);
	s = look(at("project"));
	assert_string_equal(s->terminfo, at(".local/kitty.app/lib/kitty/terminfo"));
	assert_non_null(shown(s, s->terminfo));
	setenv("TERM", "../../etc/x", 1);
	none = look(at("project"));
	assert_null(none->terminfo);
	put(at("res/78/xterm-other"), "x");
	setenv("TERMINFO", at("res"), 1);
	setenv("TERM", "xterm-other", 1);
	{
		_cleanup_survey_ struct survey *e = look(at("project"));

		assert_string_equal(e->terminfo, at("res"));
	}
}

/* --- the agent --- */

static void agent_native(void **state)
{
	_cleanup_survey_ struct survey *s = NULL;

	(void)state;
	put(at(".local/share/claude/versions/2.1.197"), "x");
	lnk(at(".local/share/claude/versions/2.1.197"), at(".local/bin/claude"));
	setenv("PATH", "/nonexistent", 1);
	s = look(at("project"));
	assert_string_equal(s->agent.path, at(".local/bin/claude"));
	assert_string_equal(s->agent.real, at(".local/share/claude/versions/2.1.197"));
	assert_string_equal(s->agent.version, "2.1.197");
	assert_true(strv_contains(s->agent.mounts, s->agent.real));
}

static void agent_npm(void **state)
{
	static const char *const prefixes[] = { ".npm-global", ".nvm/versions/node/v20/", "odd place" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		char pkg[512], bin[512], path[PATH_MAX];

		(void)snprintf(pkg, sizeof(pkg), "%s/lib/node_modules/@anthropic-ai/claude-code", prefixes[i]);
		(void)snprintf(bin, sizeof(bin), "%s/bin/claude", prefixes[i]);
		(void)snprintf(path, sizeof(path), "%s/package.json", pkg);
		put(at(path), "{\"name\":\"@anthropic-ai/claude-code\",\"version\":\"2.1.197\"}");
		(void)snprintf(path, sizeof(path), "%s/cli.js", pkg);
		put(at(path), "#!/usr/bin/env node\n");
		lnk("../lib/node_modules/@anthropic-ai/claude-code/cli.js", at(bin));
		(void)snprintf(path, sizeof(path), "%s/bin", at(prefixes[i]));
		setenv("PATH", path, 1);

		_cleanup_survey_ struct survey *s = look(at("project"));

		assert_string_equal(s->agent.version, "2.1.197");
		assert_int_equal(strv_len(s->agent.mounts), 1);
		assert_true(str_endswith(s->agent.mounts[0], "/lib/node_modules/@anthropic-ai"));
	}
}

static void agent_of_a_project(void **state)
{
	_cleanup_survey_ struct survey *a = NULL, *b = NULL, *c = NULL;

	(void)state;
	/* planted in this project, and in another one that has a sandbox; both on PATH */
	put(at("project/.venv/bin/claude"), "x");
	put(at("other/node_modules/.bin/claude"), "x");
	put(at(".local/share/claude-sandbox/homes/other.owner"), at("other"));
	setenv("PATH", at("project/.venv/bin"), 1);
	add_path("other/node_modules/.bin");
	a = look(at("project"));
	assert_null(a->agent.path);
	put(at("odd/bin/claude"), "x");
	add_path("odd/bin");
	b = look(at("project"));
	assert_string_equal(b->agent.path, at("odd/bin/claude"));
	/* nor by a link from elsewhere */
	lnk(at("other/node_modules/.bin/claude"), at("early/claude"));
	add_path("early");
	c = look(at("project"));
	assert_string_equal(c->agent.path, at("odd/bin/claude"));
}

static void agent_none(void **state)
{
	_cleanup_survey_ struct survey *s = NULL;

	(void)state;
	setenv("PATH", "/nonexistent", 1);
	mkdirs(at(".local/bin/claude"));
	s = look(at("project"));
	assert_null(s->agent.path);
}

static void etc_is_readable_by_all(void **state)
{
	_cleanup_survey_ struct survey *s = look(at("project"));

	(void)state;
	assert_true(strv_len(s->etc) > 5);
	for (char **p = s->etc; *p; p++) {
		struct stat st;

		assert_int_equal(stat(*p, &st), 0);
		assert_true(st.st_mode & 04);
		assert_false(path_is_under("/etc/shadow", *p));
		assert_false(path_is_under("/etc/passwd", *p));
		assert_false(path_is_under("/etc/ssl/private", *p));
		assert_false(path_is_under("/etc/ssh", *p));
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(project_names), T(project_link_and_cwd), T(project_missing), T(project_unreadable), T(project_refused),
		T(project_allowed), T(worktree_repository), T(mounts), T(toolchains), T(toolchains_absent), T(local_bin_links),
		T(toolchain_files), T(git_includes), T(dotfile_links), T(shows_of_keys), T(terminfo), T(agent_native), T(agent_npm),
		T(agent_of_a_project), T(agent_none), T(etc_is_readable_by_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
