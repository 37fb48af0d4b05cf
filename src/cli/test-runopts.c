#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "cli/args.h"
#include "cli/runopts.h"
#include "kernel/isolate.h"

static char **words(const char *line)
{
	char **v = NULL;

	assert_int_equal(strv_split(line, " ", &v), 0);
	return v;
}

static void good(const char *line, struct runopts *o)
{
	_cleanup_strv_ char **v = words(line);
	struct fail f = { 0 };

	if (runopts_parse((int)strv_len(v), v, o, &f) < 0)
		fail_msg("'%s': %s", line, f.msg);
}

static void bad(const char *line, const char *message, const char *hint)
{
	_cleanup_strv_ char **v = words(line);
	_cleanup_runopts_ struct runopts o;
	struct fail f = { 0 };
	int r = runopts_parse((int)strv_len(v), v, &o, &f);

	if (r != -EINVAL || !strstr(f.msg, message))
		fail_msg("'%s' gave %d '%s', not '%s'", line, r, f.msg, message);
	if (hint && !strstr(f.hint, hint))
		fail_msg("'%s' gave the hint '%s', not '%s'", line, f.hint, hint);
}

static const char *setting(const struct runopts *o, size_t i, const char *name, const char *value)
{
	assert_true(i < o->nsettings);
	assert_string_equal(o->settings[i].name, name);
	assert_string_equal(o->settings[i].value, value);
	return o->settings[i].where;
}

static void test_forms(void **state _unused_)
{
	_cleanup_runopts_ struct runopts o;

	good("run --net none --memory=4G -eA=1 -e B=x=y --guard !.vscode -qT --new -w /tmp --project dir --i-know "
	     "--timeout 5m make -j2 --net host", &o);
	assert_string_equal(setting(&o, 0, "network.mode", "none"), "--net");
	setting(&o, 1, "limits.memory", "4G");
	setting(&o, 2, "env", "A=1");
	setting(&o, 3, "env", "B=x=y");
	setting(&o, 4, "guard", "!.vscode");
	setting(&o, 5, "i-know", "yes");
	setting(&o, 6, "timeout", "5m");
	assert_int_equal(o.nsettings, 7);
	assert_true(o.quiet && o.fresh && o.tty == RUNOPTS_TTY_NO);
	assert_string_equal(o.workdir, "/tmp");
	assert_string_equal(o.project, "dir");
	assert_int_equal(strv_len(o.argv), 4);
	assert_string_equal(o.argv[3], "host");
}

static void test_end(void **state _unused_)
{
	_cleanup_runopts_ struct runopts a, b, c, d;

	good("run", &a);
	assert_null(a.argv);
	good("run --", &b);
	assert_null(b.argv);
	good("run -- --net none", &c);
	assert_int_equal(c.nsettings, 0);
	assert_string_equal(c.argv[0], "--net");
	good("run - x", &d);
	assert_string_equal(d.argv[0], "-");
}

static void test_pass_on(void **state _unused_)
{
	_cleanup_runopts_ struct runopts o;

	good("run -e LANG --env=FOO_*", &o);
	setting(&o, 0, "env.pass", "LANG");
	setting(&o, 1, "env.pass", "FOO_*");
}

static void test_errors(void **state _unused_)
{
	bad("run --memroy 4G", "run, '--memroy': unknown option", "--memory");
	bad("run --memroy=4G", "run, '--memroy': unknown option", "--memory");
	bad("run --xylophone", "unknown option", "claude-sandbox help run");
	bad("run -qx", "run, '-x': unknown option", NULL);
	bad("run --memory", "wants a value: SIZE", NULL);
	bad("run -w", "wants a value", NULL);
	bad("run --new=1", "takes no value", NULL);
	bad("run --memory 8X", "option, '--memory': limits.memory = 8X: not a size", NULL);
	bad("run --net lan", "no such choice", "none host");
	bad("run --project=", "empty", NULL);
	bad("run --guard=", "empty", NULL);
	bad("run --trust abc", "not a SHA-256", NULL);
	bad("run --json", "only with --dry-run", NULL);
	bad("run -q --verbose", "not with --verbose", NULL);
	bad("run -dT", "wants a command", NULL);
	bad("run -e 1A=2", "a variable's name", NULL);
	bad("run --net", "wants a value", NULL);
}

/* Every option of the table can be found again by its flag, and no flag or letter is there twice. */
static void test_table(void **state _unused_)
{
	const struct cmd_option *t = runopts_table();
	size_t n = 0;

	for (; t[n].name; n++) {
		assert_non_null(t[n].help);
		for (size_t k = 0; k < n; k++) {
			assert_string_not_equal(t[k].name, t[n].name);
			assert_true(!t[n].letter || t[k].letter != t[n].letter);
		}
	}
	assert_true(n > 20);
}

static void test_load(void **state _unused_)
{
	char dir[] = "/tmp/test-runopts-XXXXXX";
	_cleanup_runopts_ struct runopts o, other, rw;
	_cleanup_free_ char *file = NULL, *own = NULL;
	struct fail f = { 0 };
	const char *where;
	FILE *out;

	assert_non_null(mkdtemp(dir));
	setenv("HOME", dir, 1);
	unsetenv("XDG_CONFIG_HOME");
	unsetenv("XDG_STATE_HOME");
	file = path_join(dir, "config");
	own = path_join(dir, CONFIG_PROJECT_FILE);
	out = fopen(file, "we");
	assert_true(fputs("limits.pids = 100\nread-only = /a\n", out) > 0);
	assert_int_equal(fclose(out), 0);
	good("run --pids 50 --ro /b", &o);
	o.config_file = strdup(file);
	assert_int_equal(runopts_load(&o, dir, NULL, &f), 0);
	assert_int_equal(config_num(o.config, OPT_LIMITS_PIDS), 50);
	assert_int_equal(config_origin(o.config, OPT_LIMITS_PIDS, &where), CONFIG_COMMAND);
	assert_string_equal(where, "--pids");
	assert_int_equal(strv_len(config_list(o.config, OPT_READ_ONLY)), 2);
	/* the project's file stands below the command line, and is read by a child that is really locked up */
	out = fopen(own, "we");
	assert_true(fputs("limits.pids = 20\nlimits.files = 30\n", out) > 0);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(runopts_load(&o, dir, NULL, &f), 0);
	assert_int_equal(config_num(o.config, OPT_LIMITS_PIDS), 50);
	assert_int_equal(config_num(o.config, OPT_LIMITS_FILES), 30);
	/* lying in the project, the configuration itself is guarded; in a read-write mount it is refused */
	assert_true(strv_contains(config_list(o.config, OPT_GUARD), "config"));
	good("run --pids 40", &rw);
	rw.config_file = strdup(file);
	free(rw.settings[0].name);
	free(rw.settings[0].value);
	rw.settings[0].name = strdup("read-write");
	rw.settings[0].value = strdup(dir);
	assert_int_equal(runopts_load(&rw, "/elsewhere", NULL, &f), -EPERM);
	assert_non_null(strstr(f.msg, "the configuration"));
	good("run --config /nowhere/at/all", &other);
	assert_int_equal(runopts_load(&other, dir, NULL, &f), -ENOENT);
	assert_null(other.config);
	assert_int_equal(path_remove_tree(AT_FDCWD, dir), 0);
}

/* The reader of the project's file is never left unlocked. */
static void test_files(void **state _unused_)
{
	_cleanup_runopts_files_ struct runopts_files files = { 0 };
	struct fail f;

	assert_int_equal(runopts_files("/p", NULL, &files, &f), 0);
	assert_ptr_equal(files.files.isolate, isolate_parser);
	assert_string_equal(files.files.system, "/etc/claude-sandbox/config");
}

static void test_words(void **state _unused_)
{
	_cleanup_strv_ char **v = words("ls one two"), **w = words("ls -- -x"), **x = words("ls -x");
	const char *got[2] = { NULL };
	struct fail f;

	assert_int_equal(args_words(3, v, got, 2, &f), 2);
	assert_string_equal(got[1], "two");
	assert_int_equal(args_words(3, v, got, 1, &f), -EINVAL);
	assert_non_null(strstr(f.msg, "ls, 'two'"));
	assert_int_equal(args_words(3, w, got, 1, &f), 1);
	assert_string_equal(got[0], "-x");
	assert_int_equal(args_words(2, x, got, 1, &f), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),  cmocka_unit_test(test_end),   cmocka_unit_test(test_pass_on),
		cmocka_unit_test(test_errors), cmocka_unit_test(test_table), cmocka_unit_test(test_load),
		cmocka_unit_test(test_files),  cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
