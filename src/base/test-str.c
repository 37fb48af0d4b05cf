#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/str.h"

static void test_strv(void **state _unused_)
{
	_cleanup_strv_ char **v = NULL;

	assert_int_equal(strv_len(NULL), 0);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(strv_addf(&v, "%d", i % 10), 0);
		assert_int_equal(strv_len(v), i + 1);
	}
	strv_remove(v, "3");
	assert_int_equal(strv_len(v), 90);
	assert_false(strv_contains(v, "3"));
	for (int i = 0; i < 10; i++) {
		char digit[2] = { (char)('0' + i), 0 };

		strv_remove(v, digit);
	}
	assert_int_equal(strv_len(v), 0);
	for (int i = 0; i < 40; i++)
		assert_int_equal(strv_add(&v, "x"), 0);
	assert_int_equal(strv_len(v), 40);
	assert_int_equal(strv_take(&v, NULL), -ENOMEM);
}

static void test_split(void **state _unused_)
{
	_cleanup_strv_ char **v = NULL, **none = NULL, **whole = NULL;

	assert_int_equal(strv_split("  a b\t\tc ", " \t", &v), 0);
	assert_int_equal(strv_len(v), 3);
	assert_string_equal(v[2], "c");
	assert_int_equal(strv_split("   ", " ", &none), 0);
	assert_null(none);
	assert_int_equal(strv_split("a b", "", &whole), 0);
	assert_string_equal(whole[0], "a b");
}

static void test_env(void **state _unused_)
{
	_cleanup_strv_ char **env = NULL;

	assert_int_equal(env_set(&env, "A", "1"), 0);
	assert_int_equal(env_set(&env, "AB", "2"), 0);
	assert_int_equal(env_set(&env, "A", "3"), 0);
	assert_int_equal(strv_len(env), 2);
	assert_string_equal(env_get(env, "A"), "3");
	assert_string_equal(env_get(env, "AB"), "2");
	assert_null(env_get(env, "B"));
	assert_int_equal(env_set(&env, "A", NULL), 0);
	assert_null(env_get(env, "A"));
}

static void test_numbers(void **state _unused_)
{
	static const struct {
		const char *text;
		int r;
		uint64_t v;
	} sizes[] = {
		{ "512", 0, 512 }, { "64K", 0, 65536 }, { "4G", 0, 4ULL << 30 }, { "1.5GiB", 0, 3ULL << 29 }, { "0", 0, 0 },
		{ "", -EINVAL, 0 }, { "K", -EINVAL, 0 }, { "-1", -EINVAL, 0 }, { "+1", -EINVAL, 0 }, { " 1", -EINVAL, 0 },
		{ "1 K", -EINVAL, 0 }, { "1.2.3K", -EINVAL, 0 }, { "1e3", -EINVAL, 0 }, { "0x10", -EINVAL, 0 }, { ".5G", -EINVAL, 0 },
		{ "99999999T", -ERANGE, 0 }, { "9999999999999999999999", -ERANGE, 0 },
	}, durations[] = {
		{ "30", 0, 30000 }, { "500ms", 0, 500 }, { "1.5s", 0, 1500 }, { "5m", 0, 300000 }, { "2h", 0, 7200000 },
		{ "1d", 0, 86400000 }, { "1w", -EINVAL, 0 }, { "", -EINVAL, 0 },
	}, plain[] = {
		{ "0", 0, 0 }, { "18446744073709551615", 0, UINT64_MAX }, { "18446744073709551616", -ERANGE, 0 }, { "1x", -EINVAL, 0 },
		{ "", -EINVAL, 0 }, { "-1", -EINVAL, 0 },
	};
	uint64_t v;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		v = 0;
		assert_int_equal(str_to_size(sizes[i].text, &v), sizes[i].r);
		assert_int_equal(v, sizes[i].v);
	}
	for (size_t i = 0; i < ARRAY_SIZE(durations); i++) {
		v = 0;
		assert_int_equal(str_to_duration(durations[i].text, &v), durations[i].r);
		assert_int_equal(v, durations[i].v);
	}
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
		v = 0;
		assert_int_equal(str_to_u64(plain[i].text, &v), plain[i].r);
		assert_int_equal(v, plain[i].v);
	}
}

static void test_words(void **state _unused_)
{
	bool b;
	int n;

	assert_int_equal(str_to_bool("Yes", &b), 0);
	assert_true(b);
	assert_int_equal(str_to_bool("off", &b), 0);
	assert_false(b);
	assert_int_equal(str_to_bool("", &b), -EINVAL);
	assert_int_equal(str_to_signal("TERM", &n), 0);
	assert_int_equal(n, SIGTERM);
	assert_int_equal(str_to_signal("sigkill", &n), 0);
	assert_int_equal(n, SIGKILL);
	assert_int_equal(str_to_signal("15", &n), 0);
	assert_int_equal(n, 15);
	assert_int_equal(str_to_signal("0", &n), -ERANGE);
	assert_int_equal(str_to_signal("9999999999", &n), -ERANGE);
	assert_int_equal(str_to_signal("NOPE", &n), -EINVAL);
}

static void printable_is(const char *s, size_t n, const char *want)
{
	_cleanup_free_ char *p = str_printable(s, n);

	assert_string_equal(p, want);
}

static void test_printable(void **state _unused_)
{
	printable_is("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", 14, "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
	printable_is("a\x1b[31m\n\t\x7f", 9, "a\\x1b[31m\\x0a\\x09\\x7f");
	printable_is("\0x", 2, "\\x00x");
	printable_is("\xc2\x9b", 2, "\\xc2\\x9b");	      /* CSI, C1 */
	printable_is("\xe2\x80\xae", 3, "\\xe2\\x80\\xae");   /* U+202E */
	printable_is("\xd8\x9c", 2, "\\xd8\\x9c");	      /* U+061C */
	printable_is("\xc0\xaf", 2, "\\xc0\\xaf");	      /* overlong */
	printable_is("\xed\xa0\x80", 3, "\\xed\\xa0\\x80");   /* surrogate */
	printable_is("\xe2\x82", 2, "\\xe2\\x82");	      /* cut off */
	printable_is("\xf4\x90\x80\x80", 4, "\\xf4\\x90\\x80\\x80");
	printable_is("", 0, "");
}

static void quote_is(const char *s, const char *want)
{
	_cleanup_free_ char *q = str_shell_quote(s);

	assert_string_equal(q, want);
}

static void test_quote(void **state _unused_)
{
	quote_is("plain/path-1.x", "plain/path-1.x");
	quote_is("", "''");
	quote_is("a b", "'a b'");
	quote_is("it's", "'it'\\''s'");
	quote_is("''''", "''\\'''\\'''\\'''\\'''");
	quote_is("~", "'~'");
	quote_is("$(x)", "'$(x)'");
}

static void test_nearest(void **state _unused_)
{
	static const char *const names[] = {
		"ls", "run", "inspect", "attach", "config", "a-very-long-name-of-something"
	};
	size_t n = ARRAY_SIZE(names);
	char longest[200];

	assert_string_equal(str_nearest("sl", names, n), "ls");
	assert_string_equal(str_nearest("atach", names, n), "attach");
	assert_string_equal(str_nearest("confgi", names, n), "config");
	assert_string_equal(str_nearest("a-very-lnog-naem-of-somethign", names, n), "a-very-long-name-of-something");
	assert_null(str_nearest("vi", names, n));
	assert_null(str_nearest("git", names, n));
	assert_null(str_nearest("", names, 0));
	memset(longest, 'a', sizeof(longest));
	longest[199] = 0;
	assert_null(str_nearest(longest, names, n));
}

static void test_fail(void **state _unused_)
{
	struct fail f;

	assert_int_equal(fail_set(&f, ENOENT, "open, '%s'", "a\nb\x1b"), -ENOENT);
	assert_string_equal(f.msg, "open, 'a?b?': No such file or directory");
	fail_hint(&f, "do %s", "this");
	assert_int_equal(fail_set(&f, 0, "again: %s", f.msg), -EINVAL);
	assert_string_equal(f.msg, "again: open, 'a?b?': No such file or directory");
	assert_string_equal(f.hint, "");
	assert_int_equal(fail_set(NULL, EPERM, "x"), -EPERM);
	fail_hint(NULL, "x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strv),	  cmocka_unit_test(test_split), cmocka_unit_test(test_env),
		cmocka_unit_test(test_numbers),	  cmocka_unit_test(test_words), cmocka_unit_test(test_printable),
		cmocka_unit_test(test_quote),	  cmocka_unit_test(test_nearest), cmocka_unit_test(test_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
