#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/detachkeys.h"

/* Feeds in pieces of every size; what is passed on (with what is flushed at the end) and whether the keys were seen. */
static void check(const char *keys, const char *in, const char *want, bool detached)
{
	for (size_t piece = 1; piece <= strlen(in) + 1; piece++) {
		struct detachkeys d;
		char out[1024];
		size_t n = 0, k;
		bool seen = false;

		assert_int_equal(detachkeys_parse(keys, &d, NULL), 0);
		for (size_t at = 0; at < strlen(in) && !seen; at += piece) {
			size_t len = strlen(in) - at < piece ? strlen(in) - at : piece;

			seen = detachkeys_feed(&d, in + at, len, out + n, &k);
			n += k;
		}
		if (!seen)
			n += detachkeys_flush(&d, out + n);
		out[n] = 0;
		assert_string_equal(out, want);
		assert_int_equal(seen, detached);
	}
}

static void test_bytes(void **state)
{
	(void)state;
	check("ctrl-],d", "ls\r\x1d" "d", "ls\r", true);
	check("ctrl-],d", "ls\r\x1d" "dmore", "ls\r", true);
	check("ctrl-],d", "\x1dx", "\x1dx", false);
	check("ctrl-],d", "\x1d\x1d" "d", "\x1d", true);
	check("ctrl-],d", "\x1d", "\x1d", false);
	check("ctrl-q d", "\x11" "d", "", true);
	check("none", "\x1d" "d", "\x1d" "d", false);
	check("ctrl-a,ctrl-a,x", "\x01\x01\x01x", "\x01\x01\x01x", false);
}

static void test_protocols(void **state)
{
	(void)state;
	check("ctrl-],d", "a\x1b[93;5ud", "a", true);
	check("ctrl-],d", "\x1b[93;5:1u\x1b[93;5:3u\x1b[100;1:1u", "", true);
	check("ctrl-],d", "\x1b[93;5u\x1b[100u", "", true);
	check("ctrl-],d", "\x1b[27;5;93~d", "", true);
	check("ctrl-],d", "\x1b[A\x1b[93;6u", "\x1b[A\x1b[93;6u", false);
	check("ctrl-],d", "\x1b[93;5u\x1b[A", "\x1b[93;5u\x1b[A", false);
}

static void test_refused(void **state)
{
	struct detachkeys d;

	(void)state;
	assert_true(detachkeys_parse("ctrl-", &d, NULL) < 0 || d.n == 1);
	assert_true(detachkeys_parse("alt-x", &d, NULL) < 0);
	assert_true(detachkeys_parse("ctrl-1", &d, NULL) < 0);
	assert_true(detachkeys_parse("a,b,c,d,e,f,g,h,i", &d, NULL) < 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes), cmocka_unit_test(test_protocols), cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
