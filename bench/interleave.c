/* bench-interleave ROUNDS NAME COMMAND [ARG...] [::: NAME COMMAND [ARG...]]...: times commands side by side. Each round runs
 * each command once, beginning with another one each time, so that what the machine does meanwhile falls on all alike.
 * Prints a line per command: name, median, lower and upper quartile (ms, until the command's own status was known), and
 * the medians until every process that it left was gone too (this process adopts them, PR_SET_CHILD_SUBREAPER), and of
 * the processor's time that all of them took together. A
 * command that fails ends it all with status 1. An argument "@fd:PATH" becomes the number of a descriptor that reads the
 * file. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_COMMANDS 16

struct command {
	const char *name;
	char **argv;
	double *status_ms, *gone_ms, *cpu_ms;
};

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Of all children that have been waited for, and theirs. */
static double cpu_ms(void)
{
	struct rusage u;

	getrusage(RUSAGE_CHILDREN, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* The pth hundredth of n sorted values. */
static double percentile(const double *v, int n, int p)
{
	return v[(n - 1) * p / 100];
}

/* In the child, before exec. */
static void open_files(char **argv)
{
	for (; *argv; argv++) {
		char number[16];
		int fd;

		if (strncmp(*argv, "@fd:", 4) != 0)
			continue;
		fd = open(*argv + 4, O_RDONLY); /* the command inherits it */
		snprintf(number, sizeof(number), "%d", fd);
		*argv = strdup(number);
	}
}

static bool run_once(const struct command *c, int null, int at)
{
	double cpu = cpu_ms(), start = now_ms();
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		dup2(null, 0);
		dup2(null, 1);
		open_files(c->argv);
		execvp(c->argv[0], c->argv);
		perror(c->argv[0]);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return false;
	c->status_ms[at] = now_ms() - start;
	while (wait(NULL) > 0 || errno == EINTR)
		;
	c->gone_ms[at] = now_ms() - start;
	c->cpu_ms[at] = cpu_ms() - cpu;
	if (status != 0)
		fprintf(stderr, "bench-interleave: %s: wait status 0x%x\n", c->name, (unsigned)status);
	return status == 0;
}

int main(int argc, char **argv)
{
	struct command commands[MAX_COMMANDS];
	int n = 0, rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 0;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int i = 2; i < argc && n < MAX_COMMANDS; n++) {
		commands[n] = (struct command){ .name = argv[i], .argv = &argv[i + 1],
						.status_ms = calloc((size_t)rounds + 1, sizeof(double)),
						.gone_ms = calloc((size_t)rounds + 1, sizeof(double)),
						.cpu_ms = calloc((size_t)rounds + 1, sizeof(double)) };
		while (i < argc && strcmp(argv[i], ":::") != 0)
			i++;
		if (i < argc)
			argv[i++] = NULL;
	}
	if (rounds < 1 || n == 0 || null < 0) {
		fputs("usage: bench-interleave ROUNDS NAME COMMAND [ARG...] [::: NAME COMMAND [ARG...]]...\n", stderr);
		return 2;
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	/* round 0 warms the caches and is not counted */
	for (int r = 0; r <= rounds; r++)
		for (int k = 0; k < n; k++) {
			const struct command *c = &commands[(r + k) % n];
			int at = r ? r - 1 : 0;

			if (!run_once(c, null, at))
				return 1;
		}
	for (int k = 0; k < n; k++) {
		struct command *c = &commands[k];

		qsort(c->status_ms, (size_t)rounds, sizeof(double), compare);
		qsort(c->gone_ms, (size_t)rounds, sizeof(double), compare);
		qsort(c->cpu_ms, (size_t)rounds, sizeof(double), compare);
		printf("%s\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\n", c->name, percentile(c->status_ms, rounds, 50),
		       percentile(c->status_ms, rounds, 25), percentile(c->status_ms, rounds, 75),
		       percentile(c->gone_ms, rounds, 50),
		       percentile(c->cpu_ms, rounds, 50));
	}
	return 0;
}
