/* Each stage of a helper's lock-up, tried from inside a forked child. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernel/isolate.h"
#include "kernel/landlock.h"

typedef int (*attempt)(void);

/* The wait status of a child that isolates itself and then tries. */
static int in_child(const struct isolate *i, attempt try)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (i ? isolate(i, NULL) < 0 : isolate_parser() < 0)
			_exit(100);
		_exit(try());
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static int pipe_fds[2];

static int works(void)
{
	char *p = malloc(1U << 20);

	if (!p)
		return 1;
	p[4096] = 'x';
	return write(pipe_fds[1], p + 4096, 1) == 1 ? 0 : 2;
}

static int opens(void)
{
	return open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0 ? 0 : errno;
}

static int forks(void)
{
	return fork() < 0 ? errno : 0;
}

static int sockets(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) < 0 ? errno : 0;
}

static int executable_memory(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? errno : 0;
}

static void refused(int status)
{
#if defined(__SANITIZE_ADDRESS__)
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EPERM);
#else
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
#endif
}

static void test_parser(void **state)
{
	int status;
	char c;

	(void)state;
	assert_int_equal(pipe(pipe_fds), 0);
	status = in_child(NULL, works);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(read(pipe_fds[0], &c, 1), 1);
	assert_int_equal(c, 'x');
	refused(in_child(NULL, opens));
	refused(in_child(NULL, forks));
	refused(in_child(NULL, sockets));
#if !defined(__SANITIZE_ADDRESS__)
	status = in_child(NULL, executable_memory);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EACCES);
#else
	(void)executable_memory;
#endif
}

static void test_reader(void **state)
{
	static const char *const etc[] = { "/etc", NULL }, *const usr[] = { "/usr", NULL };
	struct isolate i = { .list = SECCOMP_READER, .read = etc };
	int status;

	(void)state;
	status = in_child(&i, opens);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	i.read = usr;
	status = in_child(&i, opens);
	if (landlock_abi() > 0)
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EACCES);
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(test_parser), cmocka_unit_test(test_reader) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
