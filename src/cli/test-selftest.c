/* What cs-probe prints comes out of a sandbox: the reader takes its own form and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/selftest.h"

static void test_parse(void **state)
{
	static const char text[] = "noise\n"
				   "identity\tuid-0\tcontained\trun as root\tan ordinary uid\tuid 1000\r\n"
				   "files\tshadow\tESCAPED\tread it\trefused\tit could be read\n"
				   "files\tx\tmaybe\ttried\trefused\tseen\n"
				   "too\tfew\tcontained\n"
				   "\t\t\t\t\t\n"
				   "IPC\tshm\tskipped\ttried\trefused\t";
	_cleanup_selftest_ struct selftest t = { 0 };

	(void)state;
	assert_int_equal(selftest_parse(&t, text, "-tty"), 3);
	assert_int_equal(t.nrows, 3);
	assert_string_equal(t.rows[0].name, "uid-0-tty");
	assert_string_equal(t.rows[0].expected, "an ordinary uid");
	assert_string_equal(t.rows[0].seen, "uid 1000");
	assert_int_equal(t.rows[0].verdict, SELFTEST_CONTAINED);
	assert_int_equal(t.rows[1].verdict, SELFTEST_ESCAPED);
	assert_int_equal(t.rows[2].verdict, SELFTEST_SKIPPED);
	assert_string_equal(t.rows[2].seen, "");
	assert_int_equal(selftest_parse(&t, "", ""), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_parse) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
