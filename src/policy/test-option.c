#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <string.h>

#include "base/str.h"
#include "policy/option.h"

/* The table is whole, and each entry is one that every reader of it can use. */
static void test_table(void **state _unused_)
{
	for (size_t i = 0; i < OPT__COUNT; i++) {
		const struct option_def *o = &option_table[i];

		assert_non_null(o->name);
		assert_non_null(o->help);
		assert_true(strlen(o->help) > 20);
		assert_true(str_endswith(o->help, "."));
		assert_ptr_equal(option_find(o->name, NULL), o);
		for (const char *c = o->name; *c; c++)
			assert_true(islower((unsigned char)*c) || *c == '-' || *c == '.');
		if (o->type == OPTION_ENUM || o->type == OPTION_BOOL)
			assert_true(o->choices && o->def);
		if (o->tighten == TIGHTEN_RANK)
			assert_non_null(o->choices);
		if (o->tighten == TIGHTEN_ADD || o->tighten == TIGHTEN_REMOVE)
			assert_true(option_is_list(o));
		if (o->tighten == TIGHTEN_LOWER)
			assert_true(o->type == OPTION_INT || o->type == OPTION_SIZE || o->type == OPTION_DURATION ||
				    o->type == OPTION_MILLI);
		if (o->flag)
			assert_true(o->type == OPTION_BOOL ? !o->arg : o->arg != NULL);
		if (o->letter)
			assert_non_null(o->flag);
	}
}

static void test_find(void **state _unused_)
{
	enum option_id id;

	assert_non_null(option_find("network.mode", &id));
	assert_int_equal(id, OPT_NETWORK_MODE);
	assert_null(option_find("network.mod", NULL));
	assert_null(option_find("", NULL));
}

static void test_nearest(void **state _unused_)
{
	assert_string_equal(option_nearest("netwrk.mode"), "network.mode");
	assert_string_equal(option_nearest("memory"), "limits.memory");
	assert_string_equal(option_nearest("network.memory"), "limits.memory");
	assert_string_equal(option_nearest("ro"), "read-only");
	assert_string_equal(option_nearest("gaurd"), "guard");
	assert_null(option_nearest("xylophone-concerto"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table), cmocka_unit_test(test_find), cmocka_unit_test(test_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
