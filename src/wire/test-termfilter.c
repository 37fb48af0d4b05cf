#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/macro.h"
#include "wire/termfilter.h"

static void check(const char *in, const char *want, bool replay)
{
	/* However the input is cut into pieces, the output is the same. */
	for (size_t piece = 1; piece <= strlen(in) + 1; piece++) {
		char out[4096];
		struct termfilter t;
		size_t n = 0;

		termfilter_init(&t);
		t.replay = replay;
		for (size_t at = 0; at < strlen(in); at += piece)
			n += termfilter_run(&t, in + at, MIN(piece, strlen(in) - at), out + n);
		out[n] = 0;
		assert_string_equal(out, want);
	}
}

static void passes(const char *in)
{
	check(in, in, false);
}

static void drops(const char *in)
{
	char framed[512], want[] = "<>";

	snprintf(framed, sizeof(framed), "<%s>", in);
	check(framed, want, false);
}

static void test_text(void **state _unused_)
{
	passes("hello\r\n\tworld\b \a");
	passes("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
	check("a\x9b" "5nb", "a?5nb", false);		/* raw C1 CSI */
	check("a\xc2\x9b" "5nb", "a?5nb", false);	/* the same, encoded */
	check("\xc3(\xe2\x82(", "?(?(", false);		/* cut short */
	check("\xe0\x82\x9b.", "?" "?.", false);	/* overlong */
	check("a\x05" "b\x7f" "c", "abc", false);	/* answerback, DEL */
}

static void test_sequences(void **state _unused_)
{
	passes("\x1b[1;31mred\x1b[0m\x1b[2J\x1b[H\x1b[10;20r\x1b[?25l\x1b[?1049h\x1b[>4;2m\x1b[>1u\x1b[<u\x1b[2 q\x1b[!p");
	passes("\x1b(0\x1b(B\x1b=\x1b>\x1b" "7\x1b" "8\x1b" "M\x1b#8\x0e\x0f");
	passes("\x1b[38:2::1:2:3m\x1b[4:3m");
	passes("\x1b[22;0t\x1b[23;0t\x1b[18t");
	drops("\x1b[21t");
	drops("\x1b[8;40;100t");
	drops("\x1b[1t");
	drops("\x1b[5i");
	drops("\x1b[?5i");
	drops("\x1b[1;1;1;1;10;10*y");
	drops("\x1b[12;2]");
	drops("\x1b%@");
	drops("\x1b F");
	/* a control within a sequence acts at once; an escape begins anew */
	check("\x1b[1\n;2m", "\n\x1b[1;2m", false);
	check("\x1b[1;\x1b[2m", "\x1b[2m", false);
	check("\x1b[1;\x18x", "x", false);
}

static void test_strings(void **state _unused_)
{
	passes("\x1b]0;title\a\x1b]2;title\x1b\\");
	passes("\x1b]8;;https://example.org/\x1b\\link\x1b]8;;\x1b\\");
	passes("\x1b]11;?\x1b\\\x1b]4;1;rgb:ff/00/00\a\x1b]104\a");
	passes("\x1b]9;done\a\x1b]9;4;1;50\a\x1b]777;notify;a;b\a");
	passes("\x1bPq#0;2;0;0;0~~\x1b\\\x1bP$qm\x1b\\\x1bP+q544e\x1b\\\x1bP=1s\x1b\\");
	drops("\x1b]52;c;?\a");
	drops("\x1b]52;c;aGVsbG8=\x1b\\");
	drops("\x1b]052;c;aGVsbG8=\x1b\\");
	drops("\x1b]50;?\a");
	drops("\x1b]1337;File=name=YQ==:YQ==\a");
	drops("\x1b]9;6;\"macro\"\a");
	drops("\x1b]51;E\"x\"\a");
	drops("\x1b]Pffffff\a");
	drops("\x1b]\a");
	drops("\x1b_Gt=f;L2V0Yy9wYXNzd2Q=\x1b\\");
	drops("\x1b^private\x1b\\");
	drops("\x1bXsos\x1b\\");
	/* a pass-through is cut off by the first escape within; its end alone does nothing */
	check("\x1bPtmux;\x1b\x1b]52;c;?\a\x1b\\", "\x1b\\", false);
	check("\x1bP\x1b]52;c;?\a\x1b\\", "\x1b\\", false);
	drops("\x1bP1$r0m\x1b\\");
	check("\x1b]0;\xc3\xa4\x9d" "52;\xc2\x9d" "52;x\a", "\x1b]0;\xc3\xa4" "52;52;x\a", false);
	/* what passes within a string ends before anything else begins */
	check("\x1b]0;ti\x1b]52;c;?\atle", "\x1b]0;ti\x1b\\tle", false);
	check("\x1b]0;t\x05i\n\a", "\x1b]0;ti\a", false);
}

static void test_replay(void **state _unused_)
{
	check("a\x1b[c\x1b[5n\x1b[>0q\x1b[?u\x1b[?2026$p\x1bZ\x1bP+q544e\x1b\\b", "ab", true);
	check("\x1b]11;?\a", "\x1b]11;\a", true);
	check("\x1b[31mx", "\x1b[31mx", true);
}

static void test_restore(void **state _unused_)
{
	static const char on[] = "\x1b[?1049;2004;1006h\x1b[?25l\x1b[>1u\x1b]0;unfinished";
	char out[4096], restore[TERMFILTER_RESTORE_MAX + 1];
	struct termfilter t;
	size_t n;

	termfilter_init(&t);
	(void)termfilter_run(&t, on, strlen(on), out);
	n = termfilter_assert(&t, restore);
	restore[n] = 0;
	assert_non_null(strstr(restore, "\x1b[?1049h"));
	assert_non_null(strstr(restore, "\x1b[?25l"));
	n = termfilter_restore(&t, restore);
	restore[n] = 0;
	assert_true(strncmp(restore, "\x1b\\", 2) == 0);
	assert_non_null(strstr(restore, "\x1b[?1049l"));
	assert_non_null(strstr(restore, "\x1b[?2004l"));
	assert_non_null(strstr(restore, "\x1b[?1006l"));
	assert_non_null(strstr(restore, "\x1b[?25h"));
	assert_non_null(strstr(restore, "\x1b[<u"));
	n = termfilter_restore(&t, restore);
	restore[n] = 0;
	assert_string_equal(restore, "\x1b[0m");
}

static void test_questions(void **state _unused_)
{
	struct termfilter t;

	termfilter_init(&t);
	termfilter_track(&t, "\x1b[c\x1b]10;?\a\x1b[6n", 14);
	assert_int_equal(t.questions, 3);
	termfilter_track(&t, "\x1b]52;c;?\a", 9);
	assert_int_equal(t.questions, 3);
	assert_int_equal(t.refused, 1);
}

static void test_everything_on(void **state _unused_)
{
	static const char all[] = "\x1b[>1u\x1b[>4;2m\x1b=\x0e\x1b[1r\x1b]4;1;x\a\x1b[2 q";
	char out[TERMFILTER_ROOM(64)], restore[TERMFILTER_RESTORE_MAX];
	struct termfilter t;

	termfilter_init(&t);
	for (unsigned mode = 0; mode < 10000; mode++) {
		char s[32];
		int n = snprintf(s, sizeof(s), "\x1b[?%u%c", mode, mode == 7 || mode == 25 ? 'l' : 'h');

		(void)termfilter_run(&t, s, (size_t)n, out);
	}
	for (int i = 0; i < 300; i++)
		(void)termfilter_run(&t, all, sizeof(all) - 1, out);
	assert_in_range(termfilter_restore(&t, restore), 100, TERMFILTER_RESTORE_MAX - 20);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),	 cmocka_unit_test(test_sequences), cmocka_unit_test(test_strings),
		cmocka_unit_test(test_replay),	 cmocka_unit_test(test_restore),   cmocka_unit_test(test_questions),
		cmocka_unit_test(test_everything_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
