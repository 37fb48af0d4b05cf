#include "base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

extern char **environ;

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* The entries of PATH that lie in the system's directories, after their links. Caller frees; NULL: out of memory. */
static char *system_path(void)
{
	static const char *const roots[] = { "/usr", "/bin", "/sbin", "/opt", "/nix", "/gnu", "/snap", "/run/current-system",
					     "/run/wrappers", "/home/linuxbrew/.linuxbrew" };
	_cleanup_buf_ struct buf b = BUF_INIT(65536);
	_cleanup_strv_ char **entries = NULL;
	const char *path = getenv("PATH");

	if (path && strv_split(path, ":", &entries) < 0)
		return NULL;
	for (char **e = entries; e && *e; e++) {
		_cleanup_free_ char *real = path_is_absolute(*e) ? realpath(*e, NULL) : NULL;

		for (size_t i = 0; real && i < ARRAY_SIZE(roots); i++)
			if (path_is_under(real, roots[i]))
				buf_printf(&b, "%s:", real);
	}
	buf_puts(&b, "/usr/local/bin:/usr/bin:/bin");
	return b.error ? NULL : TAKE_PTR(b.data);
}

static _Noreturn void child(const struct spawn *s, const char *path, char *const *env, int in, int out)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (null < 0 || dup2(in >= 0 ? in : null, 0) < 0 || dup2(out >= 0 ? out : null, 1) < 0)
		_exit(127);
	if (!s->keep_stderr && dup2(null, 2) < 0)
		_exit(127);
	close_range(3, ~0U, 0);
	if (s->cwd && chdir(s->cwd) < 0)
		_exit(127);
	/* execvpe(3) searches the PATH of this process */
	if (path && setenv("PATH", path, 1) < 0)
		_exit(127);
	execvpe(s->argv[0], s->argv, env);
	_exit(errno == ENOENT ? 127 : 126);
}

/* Reads until end of file, the deadline or a full buffer. */
static int collect(int fd, struct buf *out, uint64_t deadline)
{
	char chunk[4096];

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		uint64_t now = now_ms();
		ssize_t n;
		int r;

		if (deadline && now >= deadline)
			return -ETIMEDOUT;
		r = poll(&p, 1, deadline ? (int)MIN(deadline - now, (uint64_t)60000) : -1);
		if (r == 0 || (r < 0 && errno == EINTR))
			continue;
		if (r < 0)
			return -errno;
		n = read(fd, chunk, sizeof(chunk));
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		if (buf_put(out, chunk, (size_t)n) < 0)
			return out->error == -ENOSPC ? -EFBIG : out->error;
	}
}

/* Waits for the process, bounded where there is a deadline. */
static int reap(pid_t pid, int pidfd, uint64_t deadline, int *ret_status)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	uint64_t now = now_ms();
	int r = poll(&p, 1, !deadline ? -1 : deadline > now ? (int)MIN(deadline - now, (uint64_t)INT32_MAX) : 0);

	if (r == 0)
		return -ETIMEDOUT;
	while (waitpid(pid, ret_status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int finish(pid_t pid, int pidfd, int r, uint64_t deadline)
{
	int status = 0, k;

	if (r == 0)
		r = reap(pid, pidfd, deadline, &status);
	if (r < 0) {
		kill(pid, SIGTERM);
		k = reap(pid, pidfd, now_ms() + 1000, &status);
		if (k < 0) {
			kill(pid, SIGKILL);
			(void)reap(pid, pidfd, 0, &status);
		}
		return r;
	}
	if (WIFSIGNALED(status))
		return 128 + WTERMSIG(status);
	return WEXITSTATUS(status);
}

int spawn_run(const struct spawn *s)
{
	_cleanup_close_ int in = -1, out_r = -1, out_w = -1, pidfd = -1;
	uint64_t deadline = s->timeout_ms ? now_ms() + s->timeout_ms : 0;
	_cleanup_free_ char *path = s->any_path ? NULL : system_path();
	_cleanup_strv_ char **env = strv_copy(s->env ? s->env : environ);
	int p[2], r = 0;
	pid_t pid;

	if (!s->any_path && (!path || env_set(&env, "PATH", path) < 0))
		return -ENOMEM;
	if (s->input) {
		in = fd_memfd("stdin", s->input, strlen(s->input));
		if (in < 0)
			return in;
	}
	if (s->out) {
		if (pipe2(p, O_CLOEXEC) < 0)
			return -errno;
		out_r = p[0];
		out_w = p[1];
	}
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		child(s, path, env, in, out_w);
	out_w = fd_close(out_w);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		r = -errno;
	if (r == 0 && s->out)
		r = collect(out_r, s->out, deadline);
	r = finish(pid, pidfd, r, deadline);
	return r == 127 ? -ENOENT : r;
}
