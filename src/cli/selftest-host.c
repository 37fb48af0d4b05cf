#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "base/where.h"
#include "cli/selftest.h"

extern char **environ;

/* Canaries of the made-up home; each holds the token. */
static const char *const home_files[] = {
	".ssh/id_ed25519",
	".ssh/config",
	".gnupg/private-keys-v1.d/key.key",
	".aws/credentials",
	".netrc",
	".git-credentials",
	".config/gh/hosts.yml",
	".kube/config",
	".docker/config.json",
	".npmrc",
	".bash_history",
	".config/google-chrome/Default/Cookies",
	".password-store/bank.gpg",
	".claude/.credentials.json",
	"Documents/cs-canary.txt",
};

/* What the project holds, and must hold afterwards. */
static const struct {
	const char *path, *text;
} project_files[] = {
	{ ".git/HEAD", "ref: refs/heads/main\n" },
	{ ".git/config", "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n" },
	{ ".git/objects/info/packs", "" },
	{ ".git/refs/heads/.keep", "" },
	{ ".git/hooks/pre-commit.sample", "#!/bin/sh\n" },
	{ ".envrc", "echo host\n" },
	{ ".vscode/tasks.json", "{}\n" },
	{ ".claude/settings.json", "{}\n" },
	{ ".husky/pre-commit", "true\n" },
	{ "README", "selftest\n" },
};

/* What must not be there afterwards. */
static const char *const absent[] = {
	".git/hooks/pre-commit",
	".git/hooks/cs-probe",
	".git/commondir",
	".git/config.worktree",
	".vscode/cs-probe",
	".claude/settings.local.json",
	".claude/hooks/start.sh",
	".claude/commands/run.md",
	".mcp.json",
	".idea/workspace.xml",
	".cursor/mcp.json",
	".devcontainer/devcontainer.json",
	"mise.toml",
	".nvim.lua",
	".claude-sandbox.conf",
	"cs-probe-moved",
	"cs-probe-setuid",
};

enum { TCP, TCP6, UDP, ABSTRACT, ABSTRACT_DGRAM, UNIX, NSOCKETS };

static const char *const socket_names[NSOCKETS] = {
	"the server on 127.0.0.1", "the server on ::1", "the UDP server on 127.0.0.1", "the abstract socket",
	"the abstract datagram socket", "the socket in a directory of the host's",
};

struct selftest_host {
	char *base, *home, *project, *outside, *run, *shm;
	char token[33], abstract[32];
	int sockets[NSOCKETS];
	uint16_t port, udp_port;
	int shmid;
	key_t shmkey;
	pid_t pid;
	char **env, **arguments;
	struct timespec planted;
};

/* --- rows --- */

void selftest_done(struct selftest *t)
{
	for (size_t i = 0; i < t->nrows; i++) {
		struct selftest_row *r = &t->rows[i];

		free(r->category);
		free(r->name);
		free(r->tried);
		free(r->expected);
		free(r->seen);
	}
	free(t->rows);
	*t = (struct selftest){ 0 };
}

int selftest_add(struct selftest *t, const char *category, const char *name, enum selftest_verdict v, const char *tried,
		 const char *expected, const char *seen)
{
	struct selftest_row *rows = realloc(t->rows, (t->nrows + 1) * sizeof(*rows)), *r;

	if (!rows)
		return -ENOMEM;
	t->rows = rows;
	r = &rows[t->nrows++];
	*r = (struct selftest_row){
		.category = strdup(category),
		.name = strdup(name),
		.tried = strdup(tried),
		.expected = strdup(expected),
		.seen = strdup(seen),
		.verdict = v,
	};
	return r->category && r->name && r->tried && r->expected && r->seen ? 0 : -ENOMEM;
}

static int add_line(struct selftest *t, char *line, const char *suffix)
{
	static const char *const words[] = { "contained", "ESCAPED", "skipped" };
	_cleanup_free_ char *name = NULL;
	char *fields[6];

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		fields[i] = strsep(&line, "\t");
		if (!fields[i])
			return 0;
	}
	if (asprintf(&name, "%s%s", fields[1], suffix) < 0)
		return -ENOMEM;
	for (size_t v = 0; v < ARRAY_SIZE(words); v++) {
		if (strcmp(fields[2], words[v]) != 0)
			continue;
		return selftest_add(t, fields[0], name, (enum selftest_verdict)v, fields[3], fields[4], fields[5]) < 0
			       ? -ENOMEM
			       : 1;
	}
	return 0;
}

int selftest_parse(struct selftest *t, const char *text, const char *suffix)
{
	_cleanup_free_ char *copy = strdup(text);
	char *rest = copy, *line;
	int n = 0;

	if (!copy)
		return -ENOMEM;
	while ((line = strsep(&rest, "\n"))) {
		int r;

		line[strcspn(line, "\r")] = 0;
		r = add_line(t, line, suffix);
		if (r < 0)
			return r;
		n += r;
	}
	return n;
}

/* --- planting --- */

static int write_at(const char *dir, const char *name, const char *text, mode_t mode)
{
	_cleanup_free_ char *path = path_join(dir, name), *parent = path ? path_dirname(path) : NULL;
	_cleanup_close_ int fd = -1;
	int r;

	if (!parent)
		return -ENOMEM;
	r = path_mkdir_p(parent, 0755);
	if (r < 0)
		return r;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	return fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));
}

static int plant_files(struct selftest_host *h)
{
	_cleanup_free_ char *helper = NULL, *bytes = NULL, *probe = path_join(h->project, "cs-probe");
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(home_files); i++)
		r = write_at(h->home, home_files[i], h->token, 0600);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(project_files); i++)
		r = write_at(h->project, project_files[i].path, project_files[i].text, 0644);
	if (r == 0)
		r = write_at(h->outside, "cs-canary", h->token, 0644);
	if (r == 0)
		r = where_helper("cs-probe", &helper);
	if (r == 0)
		r = fd_read_file(AT_FDCWD, helper, 64U << 20, &bytes, &n);
	if (r == 0)
		r = probe ? fd_write_file(AT_FDCWD, probe, bytes, n, 0755) : -ENOMEM;
	if (r == 0) {
		if (asprintf(&h->shm, "/dev/shm/cs-canary-%.8s", h->abstract + 12) < 0) {
			h->shm = NULL;
			return -ENOMEM;
		}
		r = write_at("/dev/shm", path_basename(h->shm), h->token, 0600);
	}
	clock_gettime(CLOCK_REALTIME, &h->planted);
	return r;
}

static int listen_on(int family, int type, const void *address, socklen_t n)
{
	_cleanup_close_ int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, address, n) < 0 || (type == SOCK_STREAM && listen(fd, 8) < 0))
		return -errno;
	return TAKE_FD(fd);
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in sa = { 0 };
	socklen_t n = sizeof(sa);

	return getsockname(fd, (struct sockaddr *)&sa, &n) == 0 ? ntohs(sa.sin_port) : 0;
}

static int listen_abstract(const char *name, int type)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int n = snprintf(sa.sun_path + 1, sizeof(sa.sun_path) - 1, "%s", name);

	return listen_on(AF_UNIX, type, &sa, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n));
}

static int plant_sockets(struct selftest_host *h)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char dgram[48];

	h->sockets[TCP] = listen_on(AF_INET, SOCK_STREAM, &v4, sizeof(v4));
	h->sockets[UDP] = listen_on(AF_INET, SOCK_DGRAM, &v4, sizeof(v4));
	if (h->sockets[TCP] < 0 || h->sockets[UDP] < 0)
		return MIN(h->sockets[TCP], h->sockets[UDP]);
	h->port = port_of(h->sockets[TCP]);
	h->udp_port = port_of(h->sockets[UDP]);
	v6.sin6_port = htons(h->port);
	h->sockets[TCP6] = listen_on(AF_INET6, SOCK_STREAM, &v6, sizeof(v6)); /* a machine without IPv6 has none */
	(void)snprintf(dgram, sizeof(dgram), "%s-dgram", h->abstract);
	h->sockets[ABSTRACT] = listen_abstract(h->abstract, SOCK_STREAM);
	h->sockets[ABSTRACT_DGRAM] = listen_abstract(dgram, SOCK_DGRAM);
	if (snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/cs-canary.sock", h->outside) >= (int)sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	h->sockets[UNIX] = listen_on(AF_UNIX, SOCK_STREAM, &sa, sizeof(sa));
	return MIN(MIN(h->sockets[ABSTRACT], h->sockets[ABSTRACT_DGRAM]), MIN(h->sockets[UNIX], 0));
}

static int plant_process(struct selftest_host *h)
{
	h->pid = fork();
	if (h->pid < 0)
		return -errno;
	if (h->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)prctl(PR_SET_NAME, "cs-canary");
		close_range(3, ~0U, 0);
		for (;;)
			pause();
	}
	return 0;
}

static int plant_memory(struct selftest_host *h)
{
	char *p;

	h->shmid = -1;
	for (int i = 0; i < 16 && h->shmid < 0; i++) {
		if (getrandom(&h->shmkey, sizeof(h->shmkey), 0) < 0)
			return -errno;
		h->shmkey = (h->shmkey & 0x7fffffff) | 1;
		h->shmid = shmget(h->shmkey, 4096, IPC_CREAT | IPC_EXCL | 0600);
	}
	p = h->shmid < 0 ? (void *)-1 : shmat(h->shmid, NULL, 0);
	if (p == (void *)-1)
		return -errno;
	(void)snprintf(p, 4096, "%s", h->token);
	(void)shmdt(p);
	return 0;
}

static int reversed(char ***v, const char *key, const char *s)
{
	_cleanup_free_ char *r = strdup(s);
	size_t n = strlen(s);

	if (!r)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		r[i] = s[n - 1 - i];
	return strv_addf(v, "%s=%s", key, r);
}

static int make_arguments(struct selftest_host *h)
{
	const struct passwd *pw = getpwuid(getuid());
	const char *account =
		pw && path_is_absolute(pw->pw_dir) && strcmp(pw->pw_dir, "/") != 0 ? pw->pw_dir : "/nonexistent";
	_cleanup_free_ char *machine = NULL;
	char ***v = &h->arguments;
	int r;

	r = strv_addf(v, "project=%s", h->project);
	r = r < 0 ? r : strv_addf(v, "home=%s", h->home);
	r = r < 0 ? r : strv_addf(v, "account=%s", account);
	r = r < 0 ? r : strv_addf(v, "outside=%s", h->outside);
	r = r < 0 ? r : strv_addf(v, "runtime=%s", h->run);
	r = r < 0 ? r : strv_addf(v, "socket=%s/cs-canary.sock", h->outside);
	r = r < 0 ? r : strv_addf(v, "abstract=%s", h->abstract);
	r = r < 0 ? r : strv_addf(v, "shm=%s", h->shm);
	r = r < 0 ? r : strv_addf(v, "shmkey=%ld", (long)h->shmkey);
	r = r < 0 ? r : strv_addf(v, "pid=%ld", (long)h->pid);
	r = r < 0 ? r : strv_addf(v, "tcp=%u", (unsigned)h->port);
	r = r < 0 ? r : strv_addf(v, "udp=%u", (unsigned)h->udp_port);
	r = r < 0 ? r : reversed(v, "nekot", h->token);
	if (r == 0 && fd_read_file(AT_FDCWD, "/etc/machine-id", 64, &machine, NULL) == 0 && strlen(machine) >= 32) {
		machine[32] = 0;
		r = reversed(v, "enihcam", machine);
	}
	return r;
}

static int make_env(struct selftest_host *h)
{
	static const char *const gone[] = { "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME",
					    "CLAUDE_SANDBOX",  "GIT_DIR",	"GIT_WORK_TREE",  "GIT_CONFIG_GLOBAL" };
	int r;

	h->env = strv_copy(environ);
	r = env_set(&h->env, "HOME", h->home);
	r = r < 0 ? r : env_set(&h->env, "XDG_RUNTIME_DIR", h->run);
	r = r < 0 ? r : env_set(&h->env, "CS_SELFTEST_SECRET", h->token);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(gone); i++)
		r = env_set(&h->env, gone[i], NULL);
	return r;
}

static int make_places(struct selftest_host *h)
{
	const char *tmp = getenv("TMPDIR");

	if (asprintf(&h->base, "%s/cs-selftest-XXXXXX", path_is_absolute(tmp) ? tmp : "/var/tmp") < 0) {
		h->base = NULL;
		return -ENOMEM;
	}
	if (!mkdtemp(h->base)) {
		int e = errno;

		free(h->base);
		h->base = NULL;
		return -e;
	}
	h->home = path_join(h->base, "home");
	h->project = path_join(h->base, "home/project");
	h->outside = path_join(h->base, "outside");
	h->run = path_join(h->base, "run");
	if (!h->home || !h->project || !h->outside || !h->run)
		return -ENOMEM;
	return mkdir(h->home, 0700) < 0 || mkdir(h->project, 0755) < 0 || mkdir(h->outside, 0755) < 0 ||
			       mkdir(h->run, 0700) < 0
		       ? -errno
		       : 0;
}

int selftest_plant(struct selftest_host **ret, struct fail *f)
{
	_cleanup_(selftest_remove_p) struct selftest_host *h = calloc(1, sizeof(*h));
	unsigned char random[16];
	int r;

	if (!h)
		return fail_set(f, ENOMEM, "selftest");
	h->shmid = -1;
	for (size_t i = 0; i < NSOCKETS; i++)
		h->sockets[i] = -1;
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return fail_set(f, errno, "selftest");
	for (size_t i = 0; i < sizeof(random); i++)
		(void)snprintf(h->token + 2 * i, 3, "%02x", random[i]);
	(void)snprintf(h->abstract, sizeof(h->abstract), "cs-selftest-%02x%02x%02x%02x", random[3], random[5],
		       random[7], random[9]);
	r = make_places(h);
	r = r < 0 ? r : plant_files(h);
	r = r < 0 ? r : plant_sockets(h);
	r = r < 0 ? r : plant_memory(h);
	r = r < 0 ? r : plant_process(h);
	r = r < 0 ? r : make_arguments(h);
	r = r < 0 ? r : make_env(h);
	if (r < 0)
		return fail_set(f, -r, "cannot set the selftest up in '%s'", h->base ? h->base : "/var/tmp");
	*ret = TAKE_PTR(h);
	return 0;
}

struct selftest_host *selftest_remove(struct selftest_host *h)
{
	if (!h)
		return NULL;
	if (h->pid > 0) {
		(void)kill(h->pid, SIGKILL);
		(void)waitpid(h->pid, NULL, 0);
	}
	for (size_t i = 0; i < NSOCKETS; i++)
		if (h->sockets[i] >= 0)
			fd_close(h->sockets[i]);
	if (h->shmid >= 0)
		(void)shmctl(h->shmid, IPC_RMID, NULL);
	if (h->shm)
		(void)unlink(h->shm);
	if (h->base)
		(void)path_remove_tree(AT_FDCWD, h->base);
	free(h->base);
	free(h->home);
	free(h->project);
	free(h->outside);
	free(h->run);
	free(h->shm);
	strv_free(h->env);
	strv_free(h->arguments);
	free(h);
	return NULL;
}

const char *selftest_project(const struct selftest_host *h)
{
	return h->project;
}

char *const *selftest_env(const struct selftest_host *h)
{
	return h->env;
}

char *const *selftest_arguments(const struct selftest_host *h)
{
	return h->arguments;
}

/* --- the look afterwards --- */

static int row(struct selftest *t, const char *name, bool good, const char *tried, const char *expected,
	       const char *seen)
{
	return selftest_add(t, "host", name, good ? SELFTEST_CONTAINED : SELFTEST_ESCAPED, tried, expected, seen);
}

/* Whether the file is there with exactly this text; *ret_why is what is wrong. */
static bool same(const char *dir, const char *name, const char *text, char why[160])
{
	_cleanup_free_ char *path = path_join(dir, name), *now = NULL;
	struct stat st;
	size_t n = 0;

	why[0] = 0;
	if (!path || lstat(path, &st) < 0 || !S_ISREG(st.st_mode) || fd_read_file(AT_FDCWD, path, 65536, &now, &n) < 0)
		(void)snprintf(why, 160, "'%s' is gone", name);
	else if (n != strlen(text) || memcmp(now, text, n) != 0)
		(void)snprintf(why, 160, "'%s' was changed", name);
	else if (st.st_mode & 07111)
		(void)snprintf(why, 160, "'%s' has another mode", name);
	return !why[0];
}

static int verify_files(struct selftest_host *h, struct selftest *t)
{
	char why[160];
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(home_files); i++)
		if (!same(h->home, home_files[i], h->token, why))
			r = row(t, "home", false, "change a file of the real home", "untouched", why);
	if (r == 0)
		r = row(t, "home-all", true, "change the real home", "untouched",
			"every canary not reported above is as it was");
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(project_files); i++) {
		_cleanup_free_ char *tried = NULL;
		bool good = same(h->project, project_files[i].path, project_files[i].text, why);

		if (asprintf(&tried, "change %s on the host", project_files[i].path) < 0)
			return -ENOMEM;
		r = row(t, project_files[i].path, good, tried, "untouched", good ? "it is as it was" : why);
	}
	if (r == 0)
		r = row(t, "outside", same(h->outside, "cs-canary", h->token, why), "change a directory of the host's",
			"untouched", why[0] ? why : "it is as it was");
	return r < 0 ? r
		     : row(t, "dev-shm", same("/dev/shm", path_basename(h->shm), h->token, why),
			   "change the host's /dev/shm", "untouched", why[0] ? why : "it is as it was");
}

static int verify_absent(struct selftest_host *h, struct selftest *t)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(absent); i++) {
		_cleanup_free_ char *path = path_join(h->project, absent[i]), *tried = NULL;
		struct stat st;
		bool there;

		if (!path || asprintf(&tried, "leave %s on the host", absent[i]) < 0)
			return -ENOMEM;
		there = lstat(path, &st) == 0;
		r = row(t, absent[i], !there, tried, "not there", there ? "it is there" : "not there");
	}
	return r;
}

static int verify_sockets(struct selftest_host *h, struct selftest *t)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < NSOCKETS; i++) {
		struct pollfd p = { .fd = h->sockets[i], .events = POLLIN };
		_cleanup_free_ char *tried = NULL;
		bool heard;

		if (h->sockets[i] < 0)
			continue;
		if (asprintf(&tried, "reach %s", socket_names[i]) < 0)
			return -ENOMEM;
		heard = poll(&p, 1, 0) != 0;
		r = row(t, socket_names[i], !heard, tried, "silence", heard ? "something came" : "nothing came");
	}
	return r;
}

static int verify_process(struct selftest_host *h, struct selftest *t)
{
	int status = 0;
	pid_t r = waitpid(h->pid, &status, WNOHANG | WUNTRACED);

	if (r == h->pid && !WIFSTOPPED(status))
		h->pid = -1;
	return row(t, "process", r == 0, "signal a process of the host's", "unharmed",
		   r == 0 ? "it lives" : "it was killed or stopped");
}

static int verify_memory(struct selftest_host *h, struct selftest *t)
{
	char *p = shmat(h->shmid, NULL, SHM_RDONLY);
	bool good = p != (void *)-1 && strcmp(p, h->token) == 0;

	if (p != (void *)-1)
		(void)shmdt(p);
	return row(t, "shared-memory", good, "change a shared memory segment of the host's", "untouched",
		   good ? "it is as it was" : "changed");
}

/* The teardown goes on behind the client's back; then the runtime directory is empty. */
static int verify_gone(struct selftest_host *h, struct selftest *t)
{
	_cleanup_free_ char *dir = path_join(h->run, "claude-sandbox");
	const struct timespec pause = { .tv_nsec = 50000000 };
	size_t left = 0;

	if (!dir)
		return -ENOMEM;
	for (int i = 0; i < 200; i++) {
		DIR *d = opendir(dir);

		left = 0;
		for (const struct dirent *e; d && (e = readdir(d));)
			left += e->d_name[0] != '.';
		if (d)
			closedir(d);
		if (!left)
			break;
		nanosleep(&pause, NULL);
	}
	return row(t, "runtime-directory", left == 0, "stay behind after the end", "nothing is left",
		   left ? "a sandbox is left" : "nothing is left");
}

int selftest_verify(struct selftest_host *h, struct selftest *t)
{
	int r = verify_gone(h, t);

	r = r < 0 ? r : verify_files(h, t);
	r = r < 0 ? r : verify_absent(h, t);
	r = r < 0 ? r : verify_sockets(h, t);
	r = r < 0 ? r : verify_process(h, t);
	return r < 0 ? r : verify_memory(h, t);
}
