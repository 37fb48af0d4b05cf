#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "wire/ipc.h"

static void test_round_trip(void **state _unused_)
{
	static char one[] = "one", empty[] = "", two[] = "two words";
	char *const list[] = { one, empty, two, NULL };
	_cleanup_buf_ struct buf b = BUF_INIT(IPC_MAX);
	_cleanup_strv_ char **v = NULL, **none = NULL;
	_cleanup_free_ char *s = NULL;
	struct ipc_msg m;
	size_t n;

	ipc_begin(&b, 7);
	ipc_put_u64(&b, 1, UINT64_MAX - 1);
	ipc_put_str(&b, 2, "text");
	ipc_put_str(&b, 3, NULL);
	ipc_put_bytes(&b, 4, "\0\1", 2);
	ipc_put_bytes(&b, 5, NULL, 0);
	ipc_put_strv(&b, 6, list);
	assert_int_equal(b.error, 0);
	assert_int_equal(ipc_parse(b.data, b.len, &m), 0);
	assert_int_equal(m.type, 7);
	assert_int_equal(m.nfields, 7);
	assert_true(ipc_get_u64(&m, 1, 0) == UINT64_MAX - 1);
	assert_int_equal(ipc_get_u64(&m, 2, 5), 5); /* not a number */
	assert_int_equal(ipc_get_u64(&m, 9, 5), 5);
	s = ipc_get_str(&m, 2);
	assert_string_equal(s, "text");
	assert_null(ipc_get_str(&m, 3));
	assert_null(ipc_get_str(&m, 4)); /* a NUL within */
	assert_int_equal(memcmp(ipc_get_bytes(&m, 4, &n), "\0\1", 2), 0);
	assert_int_equal(n, 2);
	assert_true(ipc_has(&m, 5));
	assert_false(ipc_has(&m, 3));
	assert_int_equal(ipc_get_strv(&m, 6, &v), 0);
	assert_int_equal(strv_len(v), 3);
	assert_string_equal(v[1], "");
	assert_string_equal(v[2], "two words");
	assert_int_equal(ipc_get_strv(&m, 9, &none), 0);
	assert_null(none);
	assert_int_equal(ipc_get_strv(&m, 4, &none), -EBADMSG);
}

static void test_bounds(void **state _unused_)
{
	_cleanup_buf_ struct buf b = BUF_INIT(64), many = BUF_INIT(1U << 20), small = BUF_INIT(4);
	struct ipc_msg m;

	ipc_put_u64(&b, 1, 1); /* without a begin */
	assert_int_equal(b.error, -EINVAL);
	ipc_begin(&b, 1);
	assert_int_equal(b.error, 0);
	for (int i = 0; i < 10; i++)
		ipc_put_u64(&b, 1, 1);
	assert_int_equal(b.error, -ENOSPC);
	ipc_begin(&many, 1);
	for (int i = 0; i < IPC_MAX_FIELDS; i++)
		ipc_put_str(&many, 1, "");
	assert_int_equal(many.error, 0);
	assert_int_equal(ipc_parse(many.data, many.len, &m), 0);
	ipc_put_str(&many, 1, "");
	assert_int_equal(many.error, -ENOSPC);
	ipc_begin(&small, 1);
	assert_int_equal(small.error, -ENOSPC);
}

static void test_malformed(void **state _unused_)
{
	_cleanup_buf_ struct buf b = BUF_INIT(IPC_MAX);
	struct ipc_msg m;
	char copy[64];

	ipc_begin(&b, 1);
	ipc_put_str(&b, 1, "abc");
	for (size_t n = 0; n < b.len; n++)
		assert_int_equal(ipc_parse(b.data, n, &m), -EBADMSG);
	memcpy(copy, b.data, b.len);
	copy[b.len] = 0;
	assert_int_equal(ipc_parse(copy, b.len + 1, &m), -EBADMSG); /* bytes left over */
	copy[3] = 2;						    /* another format */
	assert_int_equal(ipc_parse(copy, b.len, &m), -EBADMSG);
	copy[3] = 1;
	memset(copy + 12, 0xff, 4); /* a length beyond everything */
	assert_int_equal(ipc_parse(copy, b.len, &m), -EBADMSG);
	memcpy(copy, b.data, b.len);
	memset(copy + 6, 0xff, 2); /* more fields than may be */
	assert_int_equal(ipc_parse(copy, b.len, &m), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_bounds), cmocka_unit_test(test_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
