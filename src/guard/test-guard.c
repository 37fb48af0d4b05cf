/* The survey on repositories made by git, the order of the plan, and what settling takes over. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/spawn.h"
#include "base/str.h"
#include "guard/guard.h"

static char *top, *project, *private_dir;

static void sh(const char *script)
{
	char *const argv[] = { (char *)(uintptr_t) "sh", (char *)(uintptr_t) "-ec", (char *)(uintptr_t)script, NULL };

	assert_int_equal(spawn_run(&(struct spawn){ .argv = argv, .cwd = project, .timeout_ms = 30000, .keep_stderr = true }), 0);
}

static int set_up(void **state)
{
	char dir[] = "/var/tmp/test-guard.XXXXXX", *real;

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	real = realpath(dir, NULL);
	top = real;
	project = path_join(top, "p");
	private_dir = path_join(top, "private");
	setenv("HOME", top, 1);
	unsetenv("XDG_CONFIG_HOME");
	if (mkdir(project, 0755) < 0)
		return -1;
	sh("git init -q; git config user.name x; git config user.email x@example.org; git commit -q --allow-empty -m x");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	(void)path_remove_tree(AT_FDCWD, top);
	free(private_dir);
	free(project);
	free(top);
	return 0;
}

static bool has(char *const *v, const char *below)
{
	_cleanup_free_ char *path = path_join(project, below);

	return strv_contains(v, path);
}

static struct guard_git *survey(void)
{
	struct guard_git *g = NULL;
	struct fail f = { 0 };

	if (guard_git_survey(project, &g, &f) < 0)
		fail_msg("%s", f.msg);
	return g;
}

static void test_survey(void **state)
{
	struct guard_git *g _cleanup_(guard_git_free_p) = NULL;

	(void)state;
	sh("mkdir hooks sub; git config core.hooksPath hooks; git config include.path ../later.conf; git init -q sub/nested\n"
	   "git worktree add -q ../wt; printf '#!/bin/sh\\nexec lefthook run\\n' >.git/hooks/pre-push");
	g = survey();
	assert_true(has(g->gitdirs, ".git"));
	assert_true(has(g->gitdirs, "sub/nested/.git"));
	assert_true(has(g->configs, ".git/config"));
	assert_true(has(g->configs, "sub/nested/.git/config"));
	assert_true(has(g->hooks, ".git/hooks"));
	assert_true(has(g->guards, "hooks"));
	assert_true(has(g->guards, ".git/worktrees/wt/commondir"));
	assert_true(has(g->pins, ".git"));
	assert_true(has(g->pins, "sub/nested"));
	assert_false(has(g->pins, "sub"));
	assert_true(has(g->absent, "later.conf"));
	assert_true(has(g->absent, ".git/commondir"));
	assert_true(has(g->absent, "lefthook.yml"));
	assert_null(g->common);
}

static void test_worktree(void **state)
{
	struct guard_git *g _cleanup_(guard_git_free_p) = NULL;
	_cleanup_free_ char *main_git = path_join(project, ".git"), *wt = path_join(top, "wt");
	struct fail f = { 0 };

	(void)state;
	sh("git worktree add -q ../wt");
	assert_int_equal(guard_git_survey(wt, &g, &f), 0);
	assert_string_equal(g->common, main_git);
	assert_true(has(g->configs, ".git/config"));
	assert_true(has(g->guards, ".git/worktrees/wt/commondir"));
}

static void test_no_pointer_back(void **state)
{
	struct guard_git *g _cleanup_(guard_git_free_p) = NULL;
	_cleanup_free_ char *evil = path_join(top, "evil");
	struct fail f = { 0 };

	(void)state;
	sh("mkdir ../evil; echo \"gitdir: $PWD/.git\" >../evil/.git");
	assert_int_equal(guard_git_survey(evil, &g, &f), 0);
	assert_null(g->common);
	assert_non_null(g->notes);
}

static int index_of(const struct plan *p, enum plan_kind kind, const char *below)
{
	_cleanup_free_ char *path = path_join(project, below);

	for (size_t i = 0; i < p->nops; i++)
		if (p->ops[i].kind == kind && strcmp(p->ops[i].dst, path) == 0)
			return (int)i;
	return -1;
}

static void test_plan(void **state)
{
	const char *const words[] = { ".git", ".git/config", ".git/hooks", ".vscode", ".claude/settings.json", ".envrc" };
	struct guard_git *g _cleanup_(guard_git_free_p) = NULL;
	_cleanup_strv_ char **list = NULL, **watch = NULL;
	_cleanup_plan_ struct plan *p = plan_new();
	_cleanup_free_ char *absent = NULL;
	struct fail f = { 0 };

	(void)state;
	sh("mkdir .vscode .claude; echo {} >.claude/settings.json");
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		strv_add(&list, words[i]);
	g = survey();
	assert_int_equal(guard_plan(p, project, list, g, private_dir, &watch, &f), 0);
	assert_true(index_of(p, PLAN_GUARD, ".git") >= 0);
	assert_true(index_of(p, PLAN_GUARD, ".git") < index_of(p, PLAN_GUARD, ".git/objects"));
	assert_true(index_of(p, PLAN_GUARD, ".git") < index_of(p, PLAN_GITCONFIG, ".git/config"));
	assert_true(index_of(p, PLAN_GUARD, ".git/hooks") < index_of(p, PLAN_BIND, ".git/hooks"));
	assert_true(index_of(p, PLAN_GUARD, ".claude") < index_of(p, PLAN_GUARD, ".claude/settings.json"));
	assert_true(p->ops[index_of(p, PLAN_GUARD, ".claude")].flags & PLAN_PIN);
	assert_false(p->ops[index_of(p, PLAN_GUARD, ".vscode")].flags & PLAN_PIN);
	assert_true(asprintf(&absent, "a%s/.envrc", project) > 0);
	assert_true(strv_contains(watch, absent));
}

static bool config_has(const char *key)
{
	char *const argv[] = { (char *)(uintptr_t) "git", (char *)(uintptr_t) "config", (char *)(uintptr_t)key, NULL };

	return spawn_run(&(struct spawn){ .argv = argv, .cwd = project, .timeout_ms = 30000 }) == 0;
}

static void test_settle(void **state)
{
	struct guard_git *g _cleanup_(guard_git_free_p) = NULL;
	_cleanup_strv_ char **list = NULL, **watch = NULL, **lines = NULL;
	_cleanup_plan_ struct plan *p = plan_new();
	_cleanup_free_ char *all = NULL;
	_cleanup_buf_ struct buf b = BUF_INIT(65536);
	struct fail f = { 0 };

	(void)state;
	sh("git config remote.old.url https://example.org/old.git");
	strv_add(&list, ".git");
	strv_add(&list, ".git/config");
	strv_add(&list, ".git/hooks");
	g = survey();
	assert_int_equal(guard_plan(p, project, list, g, private_dir, &watch, &f), 0);
	sh("cd ../private/rw/*/; while [ ! -e config ]; do cd ..; for d in */; do [ ! -e $d/config ] || cd $d; done; done\n"
	   "c() { git config --file config \"$@\"; }\n"
	   "c remote.new.url https://example.org/x.git; c remote.new.fetch '+refs/heads/*:refs/remotes/new/*'\n"
	   "c remote.wide.url https://example.org/x.git; c remote.wide.fetch '+refs/heads/*:refs/heads/*'\n"
	   "c remote.path.url /tmp/x; c remote.ext.url 'ext::sh -c x'; c remote.old.url https://example.org/evil.git\n"
	   "c branch.main.remote new; c branch.main.merge refs/heads/main; c branch.dev.remote old; c branch.x.remote 'ext::x'; c branch.y.mergeoptions x\n"
	   "c core.fsmonitor x; c alias.st '!x'; c submodule.s.update '!x'; c submodule.s.url https://example.org/s.git; c user.email a@b");
	assert_int_equal(guard_settle(private_dir, true, &lines, &f), 0);
	for (char **l = lines; l && *l; l++)
		buf_printf(&b, "%s\n", *l);
	assert_true(config_has("remote.new.url"));
	assert_true(config_has("remote.new.fetch"));
	assert_false(config_has("branch.main.remote")); /* a remote of the sandbox's making */
	assert_true(config_has("branch.dev.remote"));
	assert_true(config_has("branch.main.merge"));
	assert_true(config_has("submodule.s.url"));
	assert_false(config_has("remote.wide.fetch"));
	assert_false(config_has("remote.path.url"));
	assert_false(config_has("remote.ext.url"));
	assert_false(config_has("branch.x.remote"));
	assert_false(config_has("branch.y.mergeoptions"));
	assert_false(config_has("core.fsmonitor"));
	assert_false(config_has("alias.st"));
	assert_false(config_has("submodule.s.update"));
	assert_non_null(strstr(buf_cstr(&b), "kept inside: core.fsmonitor = x"));
	assert_non_null(strstr(buf_cstr(&b), "kept inside: remote.old.url = https://example.org/evil.git"));
	assert_non_null(strstr(buf_cstr(&b), "taken over: remote.new.url"));
	sh("[ $(git config remote.old.url) = https://example.org/old.git ]");
	/* what was kept is in the next copy, and said once more */
	lines = strv_free(lines);
	assert_int_equal(guard_settle(private_dir, true, &lines, &f), 0);
	assert_null(lines);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_survey, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_worktree, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_pointer_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_plan, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_settle, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
