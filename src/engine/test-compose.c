/* The composed plan, as data: order, what is hostile, what passes of the environment, identity as root. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/compose.h"
#include "engine/home.h"

static char *top, *home;
static struct config *config;
static struct survey *survey;
static char **names_made;

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

static int set_up(void **state)
{
	char buf[] = "/var/tmp/cs-compose-XXXXXX";
	struct fail f = { 0 };

	(void)state;
	top = mkdtemp(buf) ? realpath(buf, NULL) : NULL;
	assert_non_null(top);
	assert_true(asprintf(&home, "%s/home", top) > 0);
	assert_int_equal(path_mkdir_p(at("work/project"), 0755), 0);
	put(at(".cargo/bin/cargo"), "x");
	put(at(".gitconfig"), "[user]\n\tname = T\n");
	put(at(".pyenv/versions/3/pip.conf"), "canary");
	put(at(".pyenv/shims/python"), "x");
	setenv("HOME", home, 1);
	setenv("PATH", at(".cargo/bin:/usr/bin:/bin"), 1);
	setenv("TERM", "xterm", 1);
	unsetenv("XDG_CONFIG_HOME");
	unsetenv("XDG_DATA_HOME");
	unsetenv("XDG_STATE_HOME");
	config = config_new();
	assert_non_null(config);
	if (survey_new(at("work/project"), false, &survey, &f) < 0)
		fail_msg("%s", f.msg);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	survey = survey_free(survey);
	config = config_free(config);
	(void)path_remove_tree(AT_FDCWD, top);
	free(top);
	free(home);
	names_made = strv_free(names_made);
	return 0;
}

static void set(const char *name, const char *value)
{
	struct fail f = { 0 };

	if (config_set(config, CONFIG_COMMAND, "--test", name, value, &f) < 0)
		fail_msg("%s", f.msg);
}

static int try(char *const *env, struct plan **ret, struct fail *f)
{
	struct compose_request q = { .name = "test", .home_dir = top, .private_dir = at("private"), .env = env };
	char **watch = NULL;
	int r = compose_plan(config, survey, &q, ret, &watch, f);

	strv_free(watch);
	return r;
}

static struct plan *compose(char *const *env)
{
	struct plan *p = NULL;
	struct fail f = { 0 };

	if (try(env, &p, &f) < 0)
		fail_msg("%s", f.msg);
	return p;
}

/* The last operation of a kind on dst; NULL where there is none. */
static const struct plan_op *op(const struct plan *p, enum plan_kind kind, const char *dst)
{
	const struct plan_op *found = NULL;

	for (size_t i = 0; i < p->nops; i++)
		if (p->ops[i].kind == kind && strcmp(p->ops[i].dst, dst) == 0)
			found = &p->ops[i];
	return found;
}

static const struct plan_op *must(const struct plan *p, enum plan_kind kind, const char *dst)
{
	const struct plan_op *o = op(p, kind, dst);

	if (!o)
		fail_msg("no %s on %s", plan_kind_name(kind), dst);
	return o;
}

static void shape(void **state)
{
	_cleanup_plan_ struct plan *p = compose(NULL);
	const struct plan_op *h, *project, *cargo;

	(void)state;
	assert_int_equal(p->ops[0].kind, PLAN_TMPFS);
	assert_string_equal(p->ops[0].dst, "/");
	assert_int_equal(p->ops[p->nops - 1].kind, PLAN_SEAL);
	h = must(p, PLAN_BIND, home);
	project = must(p, PLAN_BIND, at("work/project"));
	cargo = must(p, PLAN_BIND, at(".cargo/bin"));
	assert_true(h < project && h < cargo);
	assert_string_equal(h->src, top);
	assert_true(h->flags & PLAN_WRITE);
	assert_false(h->flags & PLAN_HOSTILE);
	assert_true(project->flags & PLAN_WRITE);
	assert_true(project->flags & PLAN_HOSTILE);
	assert_int_equal(cargo->flags & (PLAN_WRITE | PLAN_HOSTILE), PLAN_HOSTILE);
	assert_int_equal(must(p, PLAN_BIND, "/usr")->flags & PLAN_WRITE, 0);
	assert_null(op(p, PLAN_BIND, "/etc"));
	assert_null(op(p, PLAN_BIND, "/sys"));
	assert_null(op(p, PLAN_BIND, "/run"));
	for (size_t i = 0; i < p->nops; i++) {
		const struct plan_op *o = &p->ops[i];

		/* nothing of the host is writable but the project and the home */
		if (o->kind == PLAN_BIND && (o->flags & PLAN_WRITE) && o != h && o != project && !path_is_under(o->dst, "/run/claude-sandbox/git"))
			fail_msg("%s is writable", o->dst);
		/* a parent never comes after what lies in it */
		for (size_t k = i + 1; k < p->nops; k++)
			if (o->kind == PLAN_BIND && p->ops[k].kind == PLAN_BIND && strcmp(o->dst, p->ops[k].dst) &&
			    path_is_under(o->dst, p->ops[k].dst))
				fail_msg("%s is covered by %s", o->dst, p->ops[k].dst);
	}
}

static void encodes(void **state)
{
	_cleanup_plan_ struct plan *p = compose(NULL), *q = NULL;
	_cleanup_buf_ struct buf b = BUF_INIT(PLAN_MAX);

	(void)state;
	assert_int_equal(plan_encode(p, &b), 0);
	assert_int_equal(plan_decode(b.data, b.len, &q), 0);
	assert_int_equal(q->nops, p->nops);
}

static void identity(void **state)
{
	_cleanup_plan_ struct plan *p = compose(NULL);
	const struct plan_op *passwd = must(p, PLAN_FILE, "/etc/passwd");

	(void)state;
	assert_true(p->uid != 0 && p->gid != 0);
	if (getuid() == 0) {
		assert_true(p->map_id);
		assert_int_equal(p->uid, 1000);
		assert_true(p->host_uid > 1000);
		assert_true(must(p, PLAN_BIND, home)->flags & PLAN_IDMAP);
		assert_non_null(strstr(passwd->data, "\nsandbox:x:1000:"));
	} else {
		assert_false(p->map_id);
		assert_int_equal(p->uid, getuid());
		assert_int_equal(p->host_uid, getuid());
	}
}

static void environment(void **state)
{
	char *env[] = { (char *)(uintptr_t)"TERM=xterm-256color", (char *)(uintptr_t)"AWS_SECRET_ACCESS_KEY=canary",
			(char *)(uintptr_t)"LC_TIME=C", (char *)(uintptr_t)"SSH_AUTH_SOCK=/tmp/canary", (char *)(uintptr_t)"LD_PRELOAD=canary",
			(char *)(uintptr_t)"SSL_CERT_FILE=/nonexistent/canary", (char *)(uintptr_t)"DBUS_SESSION_BUS_ADDRESS=canary", NULL };
	_cleanup_plan_ struct plan *p = NULL;

	(void)state;
	set("env", "MINE=1");
	set("env", "TERM=vt100");
	p = compose(env);
	assert_string_equal(env_get(p->env, "TERM"), "vt100");
	assert_string_equal(env_get(p->env, "LC_TIME"), "C");
	assert_string_equal(env_get(p->env, "MINE"), "1");
	assert_string_equal(env_get(p->env, "HOME"), home);
	assert_string_equal(env_get(p->env, "CLAUDE_SANDBOX"), "test");
	assert_string_equal(env_get(p->env, "DISABLE_AUTOUPDATER"), "1");
	assert_true(str_startswith(env_get(p->env, "PATH"), "/run/claude-sandbox/bin:"));
	for (char **e = p->env; *e; e++)
		if (strstr(*e, "canary"))
			fail_msg("%s", *e);
}

static void certificates(void **state)
{
	char line[4200];
	char *env[] = { line, NULL };
	_cleanup_plan_ struct plan *p = NULL, *q = NULL;

	(void)state;
	put(at("corp/ca.pem"), "x");
	(void)snprintf(line, sizeof(line), "NODE_EXTRA_CA_CERTS=%s", at("corp/ca.pem"));
	p = compose(env);
	assert_string_equal(env_get(p->env, "NODE_EXTRA_CA_CERTS"), at("corp/ca.pem"));
	assert_false(must(p, PLAN_BIND, at("corp/ca.pem"))->flags & PLAN_WRITE);
	put(at(".ssh/id"), "x");
	(void)snprintf(line, sizeof(line), "NODE_EXTRA_CA_CERTS=%s", at(".ssh/id"));
	q = compose(env);
	assert_null(env_get(q->env, "NODE_EXTRA_CA_CERTS"));
	assert_null(op(q, PLAN_BIND, at(".ssh/id")));
}

static void extras(void **state)
{
	_cleanup_plan_ struct plan *p = NULL;
	const struct plan_op *work, *project;
	struct fail f = { 0 };

	(void)state;
	put(at("protos/x"), "x");
	put(at("work/project/vendor/x"), "x");
	set("read-only", at("protos"));
	set("read-only", at("work/project/vendor"));
	set("read-write", at("work"));
	set("mask", ".env");
	set("device", "/dev/null");
	p = compose(NULL);
	work = must(p, PLAN_BIND, at("work"));
	project = must(p, PLAN_BIND, at("work/project"));
	assert_true(work < project);
	assert_true(project < must(p, PLAN_BIND, at("work/project/vendor")));
	assert_false(must(p, PLAN_BIND, at("work/project/vendor"))->flags & PLAN_WRITE);
	assert_false(must(p, PLAN_BIND, at("protos"))->flags & PLAN_WRITE);
	assert_true(must(p, PLAN_MASK, at("work/project/.env"))->flags & PLAN_HOSTILE);
	assert_true(must(p, PLAN_BIND, "/dev/null")->flags & PLAN_DEVICE);
	put(at(".ssh/id"), "x");
	set("read-only", at(".ssh"));
	p = plan_free(p);
	assert_int_equal(try(NULL, &p, &f), -EPERM);
	assert_non_null(strstr(f.msg, ".ssh"));
	set("i-know", "yes");
	p = compose(NULL);
	must(p, PLAN_BIND, at(".ssh"));
}

static void project_of_dotfiles(void **state)
{
	struct fail f = { 0 };

	(void)state;
	put(at("work/project/vimrc"), "x");
	put(at("work/project/nvim/init.lua"), "x");
	assert_int_equal(symlink("work/project/vimrc", at(".vimrc")), 0);
	assert_int_equal(path_mkdir_p(at(".config/nvim"), 0755), 0);
	assert_int_equal(symlink("../../work/project/nvim/init.lua", at(".config/nvim/init.lua")), 0);
	survey = survey_free(survey);
	assert_int_equal(survey_new(at("work/project"), false, &survey, &f), 0);
	{
		_cleanup_plan_ struct plan *p = compose(NULL);

		assert_string_equal(must(p, PLAN_BIND, at(".vimrc"))->src, at("work/project/vimrc"));
		/* the project itself stays as writable as it was */
		assert_null(op(p, PLAN_BIND, at("work/project/nvim/init.lua")));
	}
}

static void modes(void **state)
{
	_cleanup_plan_ struct plan *p = NULL, *none = NULL;

	(void)state;
	set("project-mode", "ro");
	set("network.mode", "host");
	set("toolchains", "");
	p = compose(NULL);
	assert_false(must(p, PLAN_BIND, at("work/project"))->flags & PLAN_WRITE);
	assert_int_equal(p->net, PLAN_NET_HOST);
	assert_null(op(p, PLAN_BIND, at(".cargo/bin")));
	set("agent.install", "none");
	none = compose(NULL);
	assert_null(op(none, PLAN_FILE, "/run/claude-sandbox/bin/claude"));
}

static void agent_wrapper(void **state)
{
	_cleanup_plan_ struct plan *missing = compose(NULL), *there = NULL;
	struct fail f = { 0 };

	(void)state;
	put(at(".local/share/claude/versions/9.9"), "x");
	assert_int_equal(path_mkdir_p(at(".local/bin"), 0755), 0);
	assert_int_equal(symlink(at(".local/share/claude/versions/9.9"), at(".local/bin/claude")), 0);
	setenv("PATH", at(".local/bin:/usr/bin"), 1);
	survey = survey_free(survey);
	assert_int_equal(survey_new(at("work/project"), false, &survey, &f), 0);
	set("agent.args", "--model it's");
	there = compose(NULL);
	assert_non_null(strstr(must(there, PLAN_FILE, "/run/claude-sandbox/bin/claude")->data, "versions/9.9 --model 'it'\\''s' \"$@\""));
	assert_null(op(there, PLAN_FILE, "/run/claude-sandbox/notice"));
	if (op(missing, PLAN_FILE, "/run/claude-sandbox/notice"))
		assert_non_null(strstr(must(missing, PLAN_FILE, "/run/claude-sandbox/bin/claude")->data, "hint"));
}

static void homes(void **state)
{
	_cleanup_free_ char *a = NULL, *again = NULL, *text = NULL, *rc = NULL, *shared = NULL, *owner = NULL;
	struct fail f = { 0 };
	struct stat st;

	(void)state;
	assert_int_equal(home_prepare(config, survey, "one", &a, &f), 0);
	assert_int_equal(stat(a, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	rc = path_join(a, ".bashrc");
	assert_int_equal(fd_read_file(AT_FDCWD, rc, 65536, &text, NULL), 0);
	assert_non_null(strstr(text, "/run/claude-sandbox/bashrc"));
	/* never written again, not even through a link that the sandbox left */
	assert_int_equal(unlink(rc), 0);
	put(at("victim"), "mine");
	assert_int_equal(symlink(at("victim"), rc), 0);
	assert_int_equal(home_prepare(config, survey, "one", &again, &f), 0);
	text = (free(text), NULL);
	assert_int_equal(fd_read_file(AT_FDCWD, at("victim"), 100, &text, NULL), 0);
	assert_string_equal(text, "mine");
	set("home", "default");
	assert_int_equal(home_prepare(config, survey, "two", &shared, &f), 0);
	assert_true(str_endswith(shared, "/homes/default"));
	owner = home_owner("default");
	assert_string_equal(owner, "shared");
	assert_int_equal(home_remove("one", &f), 0);
	assert_int_equal(access(a, F_OK), -1);
	assert_int_equal(home_remove("one", &f), -ENOENT);
	assert_int_equal(home_path("../x", &owner, &f), -EINVAL);
	/* a link where a home should be */
	assert_int_equal(symlink(at("work"), a), 0);
	set("home", "one");
	assert_int_equal(home_prepare(config, survey, "one", &owner, &f), -ENOTDIR);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(shape), T(encodes), T(identity), T(environment), T(certificates), T(extras), T(project_of_dotfiles), T(modes),
		T(agent_wrapper), T(homes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
