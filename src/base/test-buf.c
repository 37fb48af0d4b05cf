#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/spawn.h"

static void test_put(void **state _unused_)
{
	_cleanup_buf_ struct buf b = BUF_INIT(10);

	assert_string_equal(buf_cstr(&b), "");
	assert_int_equal(buf_puts(&b, "hello"), 0);
	assert_int_equal(buf_printf(&b, "%d", 42), 0);
	assert_string_equal(buf_cstr(&b), "hello42");
	buf_consume(&b, 5);
	assert_string_equal(buf_cstr(&b), "42");
	buf_consume(&b, 99);
	assert_int_equal(b.len, 0);
	assert_int_equal(buf_put(&b, "0123456789", 10), 0);
	assert_int_equal(buf_putc(&b, 'x'), -ENOSPC);
	assert_int_equal(buf_puts(&b, ""), -ENOSPC); /* the error stays */
	assert_string_equal(buf_cstr(&b), "0123456789");
	buf_reset(&b);
	assert_int_equal(buf_puts(&b, "again"), 0);
	assert_int_equal(buf_printf(&b, "%s", "too long for it"), -ENOSPC);
	assert_string_equal(buf_cstr(&b), "again");
}

static void test_bounds(void **state _unused_)
{
	_cleanup_buf_ struct buf none = BUF_INIT(0), large = BUF_INIT(SIZE_MAX / 2);

	assert_int_equal(buf_put(&none, NULL, 0), 0);
	assert_int_equal(buf_putc(&none, 'x'), -ENOSPC);
	for (int i = 0; i < 100000; i++)
		buf_putc(&large, 'x');
	assert_int_equal(large.error, 0);
	assert_int_equal(large.len, 100000);
	assert_int_equal(buf_put(&large, "x", SIZE_MAX), -ENOSPC);
}

static void test_messages(void **state _unused_)
{
	int s[2], fds[FD_PASS_MAX], give[FD_PASS_MAX];
	size_t n = 99;
	char text[8];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s), 0);
	for (size_t i = 0; i < FD_PASS_MAX; i++)
		give[i] = s[0];
	assert_int_equal(fd_sendmsg(s[0], "abc", 3, give, 2), 0);
	assert_int_equal(fd_recvmsg(s[1], text, sizeof(text), fds, &n), 3);
	assert_int_equal(n, 2);
	fd_close(fds[0]);
	fd_close(fds[1]);
	assert_int_equal(fd_sendmsg(s[0], "a message too long", 18, give, FD_PASS_MAX), 0);
	assert_int_equal(fd_recvmsg(s[1], text, sizeof(text), fds, &n), -EMSGSIZE);
	assert_int_equal(fd_sendmsg(s[0], "x", 1, give, FD_PASS_MAX + 1), -EINVAL);
	fd_close(s[0]);
	assert_int_equal(fd_recvmsg(s[1], text, sizeof(text), fds, &n), 0);
	assert_int_equal(fd_sendmsg(s[1], "x", 1, NULL, 0), -EPIPE);
	fd_close(s[1]);
}

static void test_memfd(void **state _unused_)
{
	_cleanup_close_ int fd = fd_memfd("x", "data", 4);
	_cleanup_free_ char *text = NULL;
	size_t n;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "y", 1), -1);
	assert_int_equal(fd_read_fd(fd, 100, &text, &n), 0);
	assert_string_equal(text, "data");
}

static int run(const char *script, const char *input, uint64_t timeout_ms, struct buf *out)
{
	char *const argv[] = { (char *)(uintptr_t)"sh", (char *)(uintptr_t)"-c", (char *)(uintptr_t)script, NULL };
	const struct spawn s = { .argv = argv, .input = input, .timeout_ms = timeout_ms, .out = out };

	return spawn_run(&s);
}

static void test_spawn(void **state _unused_)
{
	_cleanup_buf_ struct buf out = BUF_INIT(100);
	char *const missing[] = { (char *)(uintptr_t)"no-such-program-here", NULL };
	const struct spawn s = { .argv = missing };

	assert_int_equal(run("cat; exit 3", "text", 5000, &out), 3);
	assert_string_equal(buf_cstr(&out), "text");
	assert_int_equal(run("kill -9 $$", NULL, 5000, NULL), 128 + 9);
	assert_int_equal(run("exec sleep 60", NULL, 100, NULL), -ETIMEDOUT);
	buf_reset(&out);
	assert_int_equal(run("yes", NULL, 5000, &out), -EFBIG);
	assert_int_equal(spawn_run(&s), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put),   cmocka_unit_test(test_bounds), cmocka_unit_test(test_messages),
		cmocka_unit_test(test_memfd), cmocka_unit_test(test_spawn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
