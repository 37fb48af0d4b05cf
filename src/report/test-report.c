#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <locale.h>
#include <pty.h>
#include <string.h>
#include <unistd.h>

#include "report/json.h"
#include "report/table.h"

/* What a table prints into a pipe, or on a terminal of so many columns. */
static char *printed(const struct table *t, unsigned short columns)
{
	static char text[65536];
	struct winsize ws = { .ws_row = 24, .ws_col = columns };
	size_t got = 0;
	int a, b, p[2];
	FILE *out;
	ssize_t n;

	if (columns) {
		assert_int_equal(openpty(&a, &b, NULL, NULL, &ws), 0);
	} else {
		assert_int_equal(pipe(p), 0);
		a = p[0];
		b = p[1];
	}
	out = fdopen(b, "w");
	assert_int_equal(table_print(t, out), 0);
	assert_int_equal(fclose(out), 0);
	/* a terminal gives what it has in pieces, then EIO */
	while ((n = read(a, text + got, sizeof(text) - 1 - got)) > 0)
		got += (size_t)n;
	text[got] = 0;
	close(a);
	return text;
}

static void test_plain(void **state _unused_)
{
	_cleanup_table_ struct table *t = table_new((const char *const[]){ "NAME", "PIDS", "PROJECT", NULL });

	table_align_right(t, 1);
	table_add(t, "a", "1", "/x");
	table_add(t, "longer", "1000", NULL);
	assert_int_equal(table_rows(t), 2);
	assert_string_equal(printed(t, 0), "NAME    PIDS  PROJECT\n"
					   "a          1  /x\n"
					   "longer  1000  -\n");
}

static void test_hostile(void **state _unused_)
{
	_cleanup_table_ struct table *t = table_new((const char *const[]){ "A", "B", NULL });

	table_add(t, "\033]0;x\a", "a\nb");
	assert_string_equal(printed(t, 0), "A             B\n\\x1b]0;x\\x07  a\\x0ab\n");
}

static void test_narrow(void **state _unused_)
{
	_cleanup_table_ struct table *t = table_new((const char *const[]){ "NAME", "PROJECT", "X", NULL });
	char *s;

	setenv("NO_COLOR", "1", 1);
	unsetenv("COLUMNS");
	table_flexible(t, 1);
	table_add(t, "box", "/home/user/work/a-long-name-of-a-project", "end");
	s = printed(t, 30);
	if (!strstr(s, "box   /home/us...-project  end"))
		fail_msg("%s", s);
	for (char *line = strtok_r(s, "\r\n", &s); line; line = strtok_r(NULL, "\r\n", &s))
		assert_true(report_columns(line) <= 30);
}

static void test_color(void **state _unused_)
{
	_cleanup_table_ struct table *t = table_new((const char *const[]){ "NAME", NULL });

	setenv("TERM", "xterm", 1);
	unsetenv("NO_COLOR");
	assert_non_null(strstr(printed(t, 80), "\033[1m"));
	assert_null(strstr(printed(t, 0), "\033"));
	setenv("NO_COLOR", "1", 1);
	assert_null(strstr(printed(t, 80), "\033"));
	unsetenv("NO_COLOR");
	setenv("TERM", "dumb", 1);
	assert_null(strstr(printed(t, 80), "\033"));
}

static void test_wide(void **state _unused_)
{
	_cleanup_table_ struct table *t = table_new((const char *const[]){ "A", "B", NULL });

	setenv("LC_ALL", "C.UTF-8", 1);
	if (!setlocale(LC_CTYPE, ""))
		skip();
	assert_int_equal(report_columns("caf\xc3\xa9"), 4);
	assert_int_equal(report_columns("\xe6\x97\xa5\xe6\x9c\xac"), 4);
	table_add(t, "\xe6\x97\xa5\xe6\x9c\xac", "x");
	assert_string_equal(printed(t, 0), "A     B\n\xe6\x97\xa5\xe6\x9c\xac  x\n");
	setenv("LC_ALL", "C", 1);
	setlocale(LC_CTYPE, "");
	assert_int_equal(report_columns("caf\xc3\xa9"), 4);
}

static void formats(char *got, const char *want)
{
	assert_string_equal(got, want);
	free(got);
}

static void test_formats(void **state _unused_)
{
	setenv("TZ", "UTC", 1);
	formats(report_bytes(0), "0 B");
	formats(report_bytes(1023), "1023 B");
	formats(report_bytes(1536), "1.5 KiB");
	formats(report_bytes(UINT64_MAX), "16.0 EiB");
	formats(report_span(0), "0ms");
	formats(report_span(59999), "59s");
	formats(report_span(185000), "3m 5s");
	formats(report_span(7800000), "2h 10m");
	formats(report_span(4 * 86400000ULL + 3 * 3600000ULL), "4d 3h");
	formats(report_time(0), "1970-01-01 00:00:00");
	formats(report_time_iso(1700000000123), "2023-11-14T22:13:20.123Z");
}

static void test_json(void **state _unused_)
{
	static char a[] = "a", bad[] = "b\xff\xc3(\xed\xa0\x80";
	char *const list[] = { a, bad, NULL };
	_cleanup_json_ struct json_object *o = json_object_new_object();

	assert_int_equal(json_put_str(o, "s", "/x\n\"\xc3\xa9"), 0);
	assert_int_equal(json_put_str(o, "null", NULL), 0);
	assert_int_equal(json_put_u64(o, "big", UINT64_MAX), 0);
	assert_int_equal(json_put_int(o, "int", -1), 0);
	assert_int_equal(json_put_bool(o, "yes", true), 0);
	assert_int_equal(json_put_strv(o, "list", list), 0);
	assert_int_equal(json_put_strv(o, "none", NULL), 0);
	assert_string_equal(
		json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
		"{\"s\":\"/x\\n\\\"\xc3\xa9\",\"null\":null,\"big\":18446744073709551615,\"int\":-1,\"yes\":true,"
		"\"list\":[\"a\",\"b\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"],\"none\":[]}");
	assert_string_equal(json_get_str(o, "s"), "/x\n\"\xc3\xa9");
	assert_null(json_get_str(o, "int"));
	assert_null(json_get_str(o, "absent"));
	assert_int_equal(json_get_int(o, "int", 5), -1);
	assert_int_equal(json_get_int(o, "s", 5), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain), cmocka_unit_test(test_hostile), cmocka_unit_test(test_narrow),
		cmocka_unit_test(test_color), cmocka_unit_test(test_wide),    cmocka_unit_test(test_formats),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
