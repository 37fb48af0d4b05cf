/* A plan survives its encoding; whatever is cut off or bent is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "policy/plan.h"

static struct plan *sample(void)
{
	struct plan *p = plan_new();
	struct plan_op *op;

	assert_non_null(p);
	p->name = strdup("box");
	p->cwd = strdup("/p");
	assert_int_equal(strv_add(&p->argv, "/bin/sh"), 0);
	assert_int_equal(strv_add(&p->env, "A=b"), 0);
	p->uid = 1000;
	p->host_uid = 100000;
	p->map_id = true;
	p->net = PLAN_NET_HOST;
	p->relax = PLAN_RELAX_KEYCTL;
	p->rlimit_nproc = 512;
	assert_non_null(plan_add(p, PLAN_BIND, PLAN_WRITE | PLAN_NOFOLLOW, "/src", "/dst", "why"));
	op = plan_add_file(p, "/etc/x", 0640, "a\0b", 3, NULL);
	assert_non_null(op);
	op->size = UINT64_C(1) << 40;
	return p;
}

static void test_round_trip(void **state)
{
	_cleanup_plan_ struct plan *p = sample(), *q = NULL;
	_cleanup_buf_ struct buf b = BUF_INIT(PLAN_MAX), c = BUF_INIT(PLAN_MAX);

	(void)state;
	assert_int_equal(plan_encode(p, &b), 0);
	assert_int_equal(plan_decode(b.data, b.len, &q), 0);
	assert_string_equal(q->name, "box");
	assert_null(q->project);
	assert_string_equal(q->argv[0], "/bin/sh");
	assert_int_equal(q->host_uid, 100000);
	assert_true(q->map_id);
	assert_false(q->no_landlock);
	assert_int_equal(q->nops, 2);
	assert_string_equal(q->ops[0].why, "why");
	assert_int_equal(q->ops[1].len, 3);
	assert_memory_equal(q->ops[1].data, "a\0b", 3);
	assert_true(q->rlimit_as == PLAN_RLIMIT_UNSET);
	assert_int_equal(plan_encode(q, &c), 0);
	assert_int_equal(b.len, c.len);
	assert_memory_equal(b.data, c.data, b.len);
}

static void test_borrow(void **state)
{
	_cleanup_plan_ struct plan *p = sample(), *q = NULL;
	_cleanup_buf_ struct buf b = BUF_INIT(PLAN_MAX), c = BUF_INIT(PLAN_MAX);

	(void)state;
	assert_int_equal(plan_encode(p, &b), 0);
	assert_int_equal(plan_decode_borrow(b.data, b.len, &q), 0);
	assert_true(q->name > b.data && q->name < b.data + b.len);
	assert_string_equal(q->ops[0].dst, "/dst");
	assert_int_equal(plan_encode(q, &c), 0);
	assert_memory_equal(b.data, c.data, b.len);
}

static void test_cut(void **state)
{
	_cleanup_plan_ struct plan *p = sample(), *q = NULL;
	_cleanup_buf_ struct buf b = BUF_INIT(PLAN_MAX);

	(void)state;
	assert_int_equal(plan_encode(p, &b), 0);
	for (size_t n = 0; n < b.len; n++)
		assert_int_equal(plan_decode(b.data, n, &q), -EBADMSG);
	assert_int_equal(buf_putc(&b, 0), 0);
	assert_int_equal(plan_decode(b.data, b.len, &q), -EBADMSG);
	assert_null(q);
}

static void test_bent(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT(PLAN_MAX);
	_cleanup_plan_ struct plan *p = sample();
	struct plan *q = NULL;

	(void)state;
	p->ops[0].kind = (enum plan_kind)99;
	assert_int_equal(plan_encode(p, &b), 0);
	assert_int_equal(plan_decode(b.data, b.len, &q), -EBADMSG);
	p->ops[0].kind = PLAN_BIND;
	p->ops[0].flags = 1U << 31;
	assert_int_equal(plan_encode(p, &b), 0);
	assert_int_equal(plan_decode(b.data, b.len, &q), -EBADMSG);
	p->ops[0].flags = 0;
	p->ops[0].dst[0] = 'x';
	assert_int_equal(plan_encode(p, &b), 0);
	assert_int_equal(plan_decode(b.data, b.len, &q), -EBADMSG);
	p->ops[0].dst[0] = '/';
	p->relax = 1U << 20;
	assert_int_equal(plan_encode(p, &b), 0);
	assert_int_equal(plan_decode(b.data, b.len, &q), -EBADMSG);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_borrow), cmocka_unit_test(test_cut), cmocka_unit_test(test_bent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
