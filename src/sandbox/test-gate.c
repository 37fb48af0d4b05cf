/* The gate with a real child: what it may make is made as if the kernel had done so, guarded names are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "sandbox/gate.h"

/* Each step runs in the gated child, in the project; it returns 0 or the errno it met. */
typedef int (*step)(void);

static char project[] = "/tmp/cs-gate-XXXXXX";

static int err(int r)
{
	return r < 0 ? errno : 0;
}

static int create(const char *p, int flags)
{
	int fd = open(p, O_CREAT | O_WRONLY | flags, 0666);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int run_gated(step s)
{
	_cleanup_strv_ char **absent = NULL;
	int sock[2], listener, status;
	pid_t pid;

	strv_addf(&absent, "%s/.envrc", project);
	strv_addf(&absent, "%s/.claude/settings.json", project);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		umask(027);
		if (chdir(project) < 0 || gate_install(sock[1]) < 0)
			_exit(255);
		_exit(s());
	}
	close(sock[1]);
	listener = gate_receive(sock[0]);
	assert_true(listener >= 0);
	for (;;) {
		struct pollfd p = { .fd = listener, .events = POLLIN };

		assert_true(poll(&p, 1, 5000) > 0);
		if (p.revents & POLLIN)
			(void)gate_serve(listener, absent);
		else
			break; /* hung up: the last user of the filter has gone */
	}
	close(listener);
	close(sock[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int s_plain(void)
{
	return create("a", 0);
}
static int s_excl(void)
{
	return create("a", O_EXCL);
}
static int s_guarded(void)
{
	return create(".envrc", 0);
}
static int s_guarded_path(void)
{
	return create("./../../tmp/./" , 0) == EISDIR ? create("sub/../.envrc", 0) : 1;
}
static int s_symlink_to_guarded(void)
{
	return symlink(".envrc", "innocent") < 0 ? 1 : create("innocent", 0);
}
static int s_rename_to_guarded(void)
{
	return create("b", 0) ? 1 : err(rename("b", ".envrc"));
}
static int s_rename(void)
{
	return create("b", 0) ? 1 : err(rename("b", "c"));
}
static int s_link_to_guarded(void)
{
	return create("b", 0) ? 1 : err(link("b", ".envrc"));
}
static int s_dir_with_contents(void)
{
	if (mkdir("x", 0777) < 0 || create("x/settings.json", 0))
		return 1;
	return err(rename("x", ".claude"));
}
static int s_ancestor_link(void)
{
	return err(symlink("x", ".claude"));
}
static int s_ancestor_dir(void)
{
	if (mkdir(".claude", 0777) < 0)
		return 1;
	return create(".claude/settings.json", 0);
}
static int s_fifo(void)
{
	return err(mkfifo(".envrc", 0666));
}
static int s_null(void)
{
	return create("/dev/null", O_TRUNC);
}
static int s_self_fd(void)
{
	/* "self" must be the caller: descriptor 200 is open there and not in the server */
	int fd = open("a", O_RDONLY);

	if (fd < 0 || dup2(fd, 200) < 0)
		return 1;
	return create("/proc/self/fd/200", O_TRUNC);
}
static int s_dirfd(void)
{
	int d, fd;

	if (mkdir("deep", 0777) < 0)
		return 1;
	d = open("deep", O_RDONLY | O_DIRECTORY);
	fd = openat(d, "f", O_CREAT | O_RDWR, 0666);
	return fd < 0 ? errno : write(fd, "x", 1) == 1 ? 0 : 2;
}
static int s_openat2(void)
{
	char how[24] = { 0 };

	return err((int)syscall(SYS_openat2, AT_FDCWD, "a", how, sizeof(how)));
}
static int s_long(void)
{
	char p[5000];

	memset(p, 'x', sizeof(p) - 1);
	p[sizeof(p) - 1] = 0;
	return create(p, 0);
}
static int s_wild_pointer(void)
{
	return err((int)syscall(SYS_openat, AT_FDCWD, (void *)8, O_CREAT | O_WRONLY, 0666));
}

static void absent(const char *name)
{
	char p[256];

	(void)snprintf(p, sizeof(p), "%s/%s", project, name);
	assert_int_equal(access(p, F_OK), -1);
}

static void test_allowed(void **state)
{
	char p[256];
	struct stat st;

	(void)state;
	assert_int_equal(run_gated(s_plain), 0);
	(void)snprintf(p, sizeof(p), "%s/a", project);
	assert_int_equal(stat(p, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640); /* the child's umask */
	assert_int_equal(run_gated(s_plain), 0);
	assert_int_equal(run_gated(s_excl), EEXIST);
	assert_int_equal(run_gated(s_rename), 0);
	assert_int_equal(run_gated(s_dirfd), 0);
	assert_int_equal(run_gated(s_null), 0);
	assert_int_equal(run_gated(s_self_fd), 0);
}

static void test_refused(void **state)
{
	static const step steps[] = { s_guarded, s_guarded_path, s_symlink_to_guarded, s_rename_to_guarded,
				      s_link_to_guarded, s_dir_with_contents, s_ancestor_link, s_fifo, s_ancestor_dir };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		if (steps[i] == s_guarded_path) {
			char p[256];

			(void)snprintf(p, sizeof(p), "%s/sub", project);
			assert_int_equal(mkdir(p, 0755), 0);
		}
		if (run_gated(steps[i]) != EACCES)
			fail_msg("step %zu was not refused", i);
		absent(".envrc");
		absent(".claude/settings.json");
	}
}

static void test_odd(void **state)
{
	(void)state;
	assert_int_equal(run_gated(s_openat2), ENOSYS);
	assert_int_equal(run_gated(s_long), ENAMETOOLONG);
	assert_int_equal(run_gated(s_wild_pointer), EFAULT);
}

static void test_rules(void **state)
{
	char *list[] = { (char *)(uintptr_t)"/p/.claude/settings.json", NULL };

	(void)state;
	assert_true(gate_refuses(list, "/p/.claude/settings.json", false));
	assert_false(gate_refuses(list, "/p/.claude", false));
	assert_true(gate_refuses(list, "/p/.claude", true));
	assert_false(gate_refuses(list, "/p/.claude/settings.jsonx", true));
	assert_false(gate_refuses(NULL, "/p", true));
}

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(project) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return path_remove_tree(AT_FDCWD, project);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_allowed),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_odd),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
