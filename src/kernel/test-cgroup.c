/* Limits that are in force, tried on a child of ours. Where no way is to be had, the refusal says so. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/spawn.h"
#include "kernel/cgroup.h"

/* Waits for a byte, then does as told: 'm' uses 64 MiB, 'f' forks 50. */
static int worker(int fd)
{
	char c = 0;
	int n = 0;

	if (read(fd, &c, 1) != 1)
		return 9;
	if (c == 'm') {
		char *p = mmap(NULL, 64U << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		memset(p, 1, 64U << 20);
		return 0;
	}
	for (int i = 0; i < 50; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			usleep(300000);
			_exit(0);
		}
		n += pid > 0;
	}
	while (wait(NULL) > 0)
		;
	return n;
}

/* The worker's wait status under the limits; -1: refused. */
static int under(const struct cgroup_limits *l, char what, struct fail *f, uint64_t *ret_oom)
{
	_cleanup_(cgroup_release_p) struct cgroup *c = NULL;
	int p[2], status, r;
	pid_t pid;
	char name[32];

	snprintf(name, sizeof(name), "test-%d-%c", (int)getpid(), what);
	assert_int_equal(pipe(p), 0);
	pid = fork();
	if (pid == 0)
		_exit(worker(p[0]));
	r = cgroup_apply(l, pid, name, &c, f);
	if (r < 0)
		kill(pid, SIGKILL);
	else
		assert_int_equal(write(p[1], &what, 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	*ret_oom = cgroup_oom_kills(c);
	close(p[0]);
	close(p[1]);
	return r < 0 ? -1 : status;
}

static void test_limits(void **state)
{
	struct cgroup_limits memory = { .memory = 16U << 20, .cpu_milli = 500 }, pids = { .pids = 10 };
	struct fail f = { 0 };
	uint64_t oom;
	int status = under(&memory, 'm', &f, &oom);

	(void)state;
	if (status == -1) {
		assert_true(*f.msg && *f.hint);
		fprintf(stderr, "no cgroup to be had here: %s\n", f.msg);
		skip();
	}
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_true(oom >= 1);
	status = under(&pids, 'f', &f, &oom);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 9);
}

static void test_none(void **state)
{
	struct cgroup_limits none = { 0 };
	struct cgroup *c = (struct cgroup *)1;

	(void)state;
	assert_int_equal(cgroup_apply(&none, getpid(), "none", &c, NULL), 0);
	assert_null(c);
}

/* How many groups there are of what was process pid. */
static int groups_of(pid_t pid)
{
	char words[80];
	struct buf b = BUF_INIT(4096);
	char *argv[] = { (char *)(uintptr_t)"find", (char *)(uintptr_t)"/sys/fs/cgroup/memory", (char *)(uintptr_t)"-name", words, NULL };
	int n = 0;

	snprintf(words, sizeof(words), "claude-sandbox-*-left-%d", (int)pid);
	(void)spawn_run(&(const struct spawn){ .argv = argv, .out = &b });
	for (size_t i = 0; i < b.len; i++)
		n += b.data[i] == '\n';
	buf_free(&b);
	return n;
}

/* What a killed supervisor left goes when the next sandbox starts. */
static void test_sweep(void **state)
{
	struct cgroup_limits l = { .memory = 64U << 20 };
	struct cgroup *c = NULL;
	struct fail f = { 0 };
	uint64_t oom;
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(cgroup_apply(&l, getpid(), "left", &c, &f) < 0 ? 1 : 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status || access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0)
		skip(); /* none to be had, or systemd's to remove */
	assert_int_not_equal(groups_of(pid), 0);
	(void)under(&l, 'f', &f, &oom);
	assert_int_equal(groups_of(pid), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(test_limits), cmocka_unit_test(test_none), cmocka_unit_test(test_sweep) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
