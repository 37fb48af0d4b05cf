/* cs-probe: tries to break out of the sandbox it runs in, and reports. Static, libc only, so that it runs anywhere.
 *
 * usage: cs-probe [--list] [--only NAME] [--category NAME] [KEY=VALUE]...
 * One line an attempt: category, name, verdict, what was tried, what was expected, what was seen; tabs between. The
 * exit status is 0 where nothing escaped. The token is given reversed: a process's arguments are themselves a place
 * where it may not be seen. */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <dirent.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECONDS_MAX 20

struct probe probe = {
	.project = "/nonexistent",
	.home = "/nonexistent",
	.account = "/nonexistent",
	.outside = "/nonexistent",
	.runtime = "/nonexistent",
	.socket = "/nonexistent",
	.abstract = "cs-probe-nobody",
	.shm = "/nonexistent",
	.token = "cs-probe-no-token",
	.patience = 2000,
};

static const struct category *const categories[] = {
	&identity_category, &files_category, &guard_category, &process_category, &syscall_category,
	&terminal_category, &network_category, &ipc_category, &limits_category,
};

/* Shared with the attempt's process. */
static struct {
	char seen[256];
} *report;

void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(report->seen, sizeof(report->seen), fmt, ap);
	va_end(ap);
}

static const char *error_name(int e)
{
	const char *name = strerrorname_np(e);

	return name ? name : "an unknown error";
}

enum verdict refused(long r)
{
	if (r < 0) {
		say("%s", error_name(errno));
		return CONTAINED;
	}
	say("it worked (%ld)", r);
	return ESCAPED;
}

enum verdict denied(long r)
{
	if (r >= 0 || errno == EPERM || errno == EACCES || errno == ENOSYS || errno == EROFS)
		return refused(r);
	say("not filtered: the kernel answered %s", error_name(errno));
	return ESCAPED;
}

enum verdict try_read(const struct attempt *a)
{
	char byte[16];
	int fd = open(a->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n;

	if (fd < 0)
		return refused(fd);
	n = read(fd, byte, sizeof(byte));
	close(fd);
	if (n > 0) {
		say("it could be read");
		return ESCAPED;
	}
	say(n == 0 ? "an empty file stands there" : "%s", error_name(errno));
	return CONTAINED;
}

enum verdict try_write(const struct attempt *a)
{
	int fd = open(a->path, O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_APPEND);

	if (fd >= 0)
		close(fd);
	return refused(fd < 0 ? -1 : 0);
}

enum verdict try_create(const struct attempt *a)
{
	char path[4096];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/cs-probe", a->path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0) {
		close(fd);
		(void)unlink(path);
	}
	return refused(fd < 0 ? -1 : 0);
}

enum verdict try_list(const struct attempt *a)
{
	DIR *d = opendir(a->path);

	if (!d)
		return refused(-1);
	for (const struct dirent *e; (e = readdir(d));) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		say("it shows '%s'", e->d_name);
		closedir(d);
		return ESCAPED;
	}
	closedir(d);
	say("an empty directory stands there");
	return CONTAINED;
}

enum verdict try_connect(const struct attempt *a)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r;

	if (fd < 0)
		return refused(fd);
	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", a->path);
	r = connect(fd, (const struct sockaddr *)&sa, sizeof(sa));
	if (r < 0 && (errno == EPROTOTYPE || errno == EAGAIN)) {
		say("a socket of the host's answered");
		return ESCAPED;
	}
	return refused(r);
}

enum verdict try_syscall(const struct attempt *a)
{
	return denied(syscall(a->nr, a->args[0], a->args[1], a->args[2], a->args[3], a->args[4], a->args[5]));
}

bool bytes_hold_token(const char *bytes, size_t n)
{
	return memmem(bytes, n, probe.token, strlen(probe.token)) != NULL;
}

int holds_token(const char *path)
{
	char bytes[65536];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, bytes, sizeof(bytes));
	close(fd);
	return n > 0 && bytes_hold_token(bytes, (size_t)n);
}

/* Waits for the attempt, which its alarm bounds. A death by signal is containment: seccomp may kill. */
static enum verdict await(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return ESCAPED;
	if (WIFEXITED(status) && WEXITSTATUS(status) >= CONTAINED && WEXITSTATUS(status) <= SKIPPED)
		return (enum verdict)WEXITSTATUS(status);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) {
		say("killed by SIGSYS");
		return CONTAINED;
	}
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
		say("no answer in %d seconds", SECONDS_MAX);
		return ESCAPED; /* what hung was not refused */
	}
	say("the attempt ended with status %#x", (unsigned)status);
	return ESCAPED;
}

static enum verdict run(const struct attempt *a)
{
	pid_t pid;

	report->seen[0] = 0;
	pid = fork();
	if (pid < 0) {
		say("cannot fork: %s", error_name(errno));
		return SKIPPED;
	}
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(SECONDS_MAX);
		_exit((int)a->run(a));
	}
	return await(pid);
}

static char *reverse(const char *s)
{
	size_t n = strlen(s);
	char *out = calloc(1, n + 1);

	for (size_t i = 0; out && i < n; i++)
		out[i] = s[n - 1 - i];
	return out;
}

static bool set(const char *arg)
{
	static const struct {
		const char *key;
		const char **text;
		long *number;
	} keys[] = {
		{ "project", &probe.project, NULL },   { "home", &probe.home, NULL },
		{ "account", &probe.account, NULL },   { "outside", &probe.outside, NULL },
		{ "socket", &probe.socket, NULL },     { "abstract", &probe.abstract, NULL },
		{ "shm", &probe.shm, NULL },	       { "pid", NULL, &probe.pid },
		{ "tcp", NULL, &probe.tcp },	       { "runtime", &probe.runtime, NULL },
		{ "udp", NULL, &probe.udp },	       { "shmkey", NULL, &probe.shmkey },
		{ "patience", NULL, &probe.patience },
	};
	const char *value = strchr(arg, '=');

	if (!value++)
		return false;
	if (strncmp(arg, "enihcam=", 8) == 0) {
		probe.machine = reverse(value);
		return probe.machine != NULL;
	}
	if (strncmp(arg, "nekot=", 6) == 0) {
		probe.token = reverse(value);
		return probe.token != NULL;
	}
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (strncmp(arg, keys[i].key, strlen(keys[i].key)) || arg[strlen(keys[i].key)] != '=')
			continue;
		if (keys[i].text)
			*keys[i].text = value;
		else
			*keys[i].number = strtol(value, NULL, 10);
		return true;
	}
	return false;
}

static void print(const struct category *c, const struct attempt *a, enum verdict v)
{
	static const char *const words[] = { [CONTAINED] = "contained", [ESCAPED] = "ESCAPED", [SKIPPED] = "skipped" };

	for (char *s = report->seen; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
	printf("%s\t%s\t%s\t%s\t%s\t%s\n", c->name, a->name, words[v], a->tried, a->expected ? a->expected : "refused",
	       report->seen);
	(void)fflush(stdout);
}

struct request {
	const char *only, *category;
	bool list;
};

static bool read_arguments(int argc, char **argv, struct request *q)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--list") == 0) {
			q->list = true;
		} else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc) {
			q->only = argv[++i];
		} else if (strcmp(argv[i], "--category") == 0 && i + 1 < argc) {
			q->category = argv[++i];
		} else if (!set(argv[i])) {
			(void)fprintf(stderr, "cs-probe: unknown argument '%s'\n", argv[i]);
			return false;
		}
	}
	return true;
}

int main(int argc, char **argv)
{
	struct request q = { 0 };
	bool escaped = false;

	report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (report == MAP_FAILED || !read_arguments(argc, argv, &q))
		return 2;
	(void)signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof(categories) / sizeof(categories[0]); i++) {
		for (const struct attempt *a = categories[i]->attempts; a->name; a++) {
			enum verdict v;

			if ((q.only && strcmp(q.only, a->name) != 0) ||
			    (q.category && strcmp(q.category, categories[i]->name) != 0))
				continue;
			if (q.list) {
				printf("%s\t%s\t%s\n", categories[i]->name, a->name, a->tried);
				continue;
			}
			v = run(a);
			escaped = escaped || v == ESCAPED;
			print(categories[i], a, v);
		}
	}
	return escaped ? 1 : 0;
}
