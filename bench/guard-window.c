/* How long what should not be is there. bench/guard-window runs it:
 *
 *   bench-guard-window names HELPER PROJECT QUARANTINE PRIVATE CREATORS ROUNDS
 *       creates an absent name, and sees when cs-guard has taken it away, beside so many busy creators of other files
 *   bench-guard-window config HELPER PROJECT QUARANTINE PRIVATE CREATORS ROUNDS
 *       the same for a harmful configuration in a new repository
 *   bench-guard-window write FILE MS
 *       inside: opens FILE for writing as fast as it can; each time it can, how long it goes on doing so
 *
 * Each prints one line: count, p50, p99, max in microseconds. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "guard/guard.h"

#define ROUNDS_MAX 100000

static double now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), by_value);
	if (n)
		printf("%zu %.0f %.0f %.0f\n", n, v[n / 2], v[n * 99 / 100], v[n - 1]);
	else
		puts("0 0 0 0");
}

/* Creates and removes files of its own in the project until it is killed. */
static void creator(unsigned number)
{
	char name[64];

	if (fork())
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned i = 0;; i++) {
		(void)snprintf(name, sizeof(name), "busy-%u-%u", number, i % 64);
		fd_close(open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
		if (i % 2)
			(void)unlink(name);
	}
}

static int make(const char *name, const char *text)
{
	_cleanup_close_ int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));
}

static void rounds(const char *name, const char *text, size_t n)
{
	static double v[ROUNDS_MAX];

	for (size_t i = 0; i < n; i++) {
		struct timespec pause = { .tv_nsec = 2000000 };
		double begin;

		if (make(name, text) < 0)
			break;
		begin = now_us();
		while (access(name, F_OK) == 0)
			;
		v[i] = now_us() - begin;
		nanosleep(&pause, NULL);
	}
	print(v, n);
}

static int watched(char **argv)
{
	struct guard_git *g _cleanup_(guard_git_free_p) = NULL;
	_cleanup_plan_ struct plan *p = plan_new();
	_cleanup_strv_ char **watch = NULL, **list = NULL;
	bool config = strcmp(argv[1], "config") == 0;
	size_t n = strtoul(argv[7], NULL, 10);
	struct guard_watch w;
	struct fail f;
	char byte;
	pid_t reader;

	strv_split(".git .git/config .git/hooks .envrc .vscode .mcp.json", " ", &list);
	if (chdir(argv[3]) < 0 || guard_git_survey(argv[3], &g, &f) < 0 ||
	    guard_plan(p, argv[3], list, g, argv[5], &watch, &f) < 0 ||
	    guard_watch_start(argv[2], argv[3], watch, argv[4], -1, &w, &f) < 0) {
		fail_print(&f);
		return 125;
	}
	reader = fork();
	if (reader == 0) {
		char line[GUARD_LINE_MAX];

		while (recv(w.socket, line, sizeof(line), 0) > 0)
			;
		_exit(0);
	}
	for (unsigned i = 0; i < strtoul(argv[6], NULL, 10); i++)
		creator(i);
	sleep(1);
	if (config)
		rounds("new/.git/config", "[core]\n\tfsmonitor = x\n", MIN(n, (size_t)ROUNDS_MAX));
	else
		rounds(".envrc", "x\n", MIN(n, (size_t)ROUNDS_MAX));
	shutdown(w.socket, SHUT_WR);
	(void)recv(w.socket, &byte, 1, 0);
	waitpid(w.pid, NULL, 0);
	return 0;
}

static int write_inside(const char *file, double ms)
{
	static double v[ROUNDS_MAX];
	double end = now_us() + ms * 1000, since = 0;
	size_t n = 0;

	while (now_us() < end && n < ROUNDS_MAX) {
		int fd = open(file, O_WRONLY | O_CLOEXEC);

		if (fd >= 0) {
			fd_close(fd);
			if (since == 0)
				since = now_us();
		} else if (since > 0 && errno == EROFS) {
			v[n++] = now_us() - since;
			since = 0;
		}
	}
	print(v, n);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "write") == 0)
		return write_inside(argv[2], strtod(argv[3], NULL));
	if (argc == 8)
		return watched(argv);
	return 2;
}
