#include "engine/agent-own.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <limits.h>
#include <sha512.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/spawn.h"
#include "base/str.h"
#include "kernel/isolate.h"

#define PACKAGE	    "@anthropic-ai/claude-code"
#define PROGRAM_MAX (1ULL << 30) /* bytes, unpacked */
#define ANSWER_MAX  (1U << 20)
#define KEPT	    2 /* versions: a running sandbox has its own mounted, and keeps it though it is removed here */

static int agents_dir(char **ret)
{
	_cleanup_free_ char *data = NULL;
	int r = path_xdg(PATH_DATA, &data);

	if (r < 0)
		return r;
	*ret = path_join(data, "agents/claude");
	return *ret ? 0 : -ENOMEM;
}

/* A version is a directory's name: no slash, no leading dot. */
static bool version_is_sane(const char *v)
{
	if (!isdigit((unsigned char)v[0]) || strlen(v) > 64)
		return false;
	for (; *v; v++)
		if (!isalnum((unsigned char)*v) && !strchr(".-+_", *v))
			return false;
	return true;
}

static int find_in(const char *dir, char **ret_version, char **ret_program)
{
	_cleanup_free_ char *link = path_join(dir, "current"), *version = NULL, *program = NULL;
	char text[80];
	ssize_t n;

	if (!link)
		return -ENOMEM;
	n = readlink(link, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = 0;
	if (!version_is_sane(text))
		return -ENOENT;
	if (asprintf(&program, "%s/%s/claude", dir, text) < 0)
		return -ENOMEM;
	if (access(program, X_OK) < 0)
		return -ENOENT;
	version = strdup(text);
	if (!version)
		return -ENOMEM;
	*ret_version = TAKE_PTR(version);
	*ret_program = TAKE_PTR(program);
	return 0;
}

int agent_own_find(char **ret_version, char **ret_program)
{
	_cleanup_free_ char *dir = NULL;
	int r = agents_dir(&dir);

	return r < 0 ? r : find_in(dir, ret_version, ret_program);
}

int64_t agent_own_checked(void)
{
	_cleanup_free_ char *dir = NULL, *p = NULL;
	struct stat st;

	if (agents_dir(&dir) < 0 || !(p = path_join(dir, "checked")) || stat(p, &st) < 0)
		return 0;
	return st.st_mtime;
}

/* --- the registry, by npm --- */

/* npm's name for this machine's package. */
static int platform_package(char **ret, struct fail *f)
{
	struct utsname u;
	const char *arch;
	bool musl;

	if (uname(&u) < 0)
		return fail_set(f, errno, "machine's kind");
	arch = strcmp(u.machine, "x86_64") == 0 ? "x64" : strcmp(u.machine, "aarch64") == 0 ? "arm64" : NULL;
	if (!arch) {
		(void)fail_set(f, 0, "agent, 'claude': there is no build of it for %s", u.machine);
		return -ENOTSUP;
	}
	musl = access("/lib/ld-musl-x86_64.so.1", F_OK) == 0 || access("/lib/ld-musl-aarch64.so.1", F_OK) == 0;
	return asprintf(ret, PACKAGE "-linux-%s%s", arch, musl ? "-musl" : "") < 0 ? -ENOMEM : 0;
}

/* Runs npm where no project's .npmrc is in the way, and parses what it prints. Caller puts the object. */
static int npm(const char *cwd, char *const *argv, uint64_t timeout_ms, struct json_object **ret, struct fail *f)
{
	_cleanup_buf_ struct buf out = BUF_INIT(ANSWER_MAX);
	/* npm may be one of nvm's: the command has put a PATH together that no project is on */
	const struct spawn s = { .argv = argv, .any_path = true, .cwd = cwd, .timeout_ms = timeout_ms, .out = &out };
	int r = spawn_run(&s);

	if (r == -ENOENT) {
		(void)fail_set(f, 0, "agent, 'claude': npm, which fetches it, is not on this machine");
		fail_hint(f, "install npm, or install the agent itself and set agent.install = host");
		return -ENOENT;
	}
	if (r != 0) {
		(void)fail_set(f, r < 0 ? -r : 0, "agent, 'claude': npm %s failed", argv[1]);
		fail_hint(f, "try it by hand: npm view %s version", PACKAGE);
		return r < 0 ? r : -EIO;
	}
	*ret = json_tokener_parse(buf_cstr(&out));
	if (!*ret)
		return fail_set(f, EBADMSG, "agent, 'claude': what npm %s says", argv[1]);
	return 0;
}

/* A string member; npm prints an array of one where several versions match. */
static const char *member(struct json_object *o, const char *key)
{
	struct json_object *v;

	if (json_object_is_type(o, json_type_array) && json_object_array_length(o) > 0)
		o = json_object_array_get_idx(o, json_object_array_length(o) - 1);
	if (!json_object_object_get_ex(o, key, &v) || !json_object_is_type(v, json_type_string))
		return NULL;
	return json_object_get_string(v);
}

static char *word(const char *s)
{
	return (char *)(uintptr_t)s;
}

struct release {
	char *package, *version, *integrity;
};

static void release_free(struct release *r)
{
	free(r->package);
	free(r->version);
	free(r->integrity);
}

static int ask(const char *dir, struct release *ret, struct fail *f)
{
	struct json_object *o = NULL;
	const char *version, *integrity;
	int r = platform_package(&ret->package, f);

	if (r < 0)
		return r;
	{
		char *argv[] = { word("npm"), word("view"), ret->package, word("version"), word("dist.integrity"), word("--json"), NULL };

		r = npm(dir, argv, 60000, &o, f);
	}
	if (r < 0)
		return r;
	version = member(o, "version");
	integrity = member(o, "dist.integrity");
	if (!version || !integrity || !version_is_sane(version)) {
		r = fail_set(f, EBADMSG, "agent, 'claude': what the registry says about %s", ret->package);
	} else {
		ret->version = strdup(version);
		ret->integrity = strdup(integrity);
		r = ret->version && ret->integrity ? 0 : -ENOMEM;
	}
	json_object_put(o);
	return r;
}

static int base64_of(const uint8_t *p, size_t n, char *out)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t k = 0;

	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) | (i + 2 < n ? p[i + 2] : 0);

		out[k++] = digits[v >> 18];
		out[k++] = digits[v >> 12 & 63];
		out[k++] = i + 1 < n ? digits[v >> 6 & 63] : '=';
		out[k++] = i + 2 < n ? digits[v & 63] : '=';
	}
	out[k] = 0;
	return (int)k;
}

int agent_own_verify(int fd, const char *integrity)
{
	uint8_t digest[SHA512_DIGEST_LENGTH], chunk[65536];
	char text[(SHA512_DIGEST_LENGTH + 2) / 3 * 4 + 1];
	const char *want = strstr(integrity, "sha512-");
	SHA512_CTX ctx;
	size_t n;

	if (!want || (want != integrity && want[-1] != ' '))
		return -EINVAL;
	want += strlen("sha512-");
	SHA512Init(&ctx);
	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	for (;;) {
		ssize_t k = fd_read_full(fd, chunk, sizeof(chunk));

		if (k < 0)
			return (int)k;
		if (k == 0)
			break;
		SHA512Update(&ctx, chunk, (size_t)k);
	}
	SHA512Final(digest, &ctx);
	n = (size_t)base64_of(digest, sizeof(digest), text);
	return strncmp(want, text, n) == 0 && (!want[n] || want[n] == ' ' || want[n] == '?') ? 0 : -EBADMSG;
}

/* Leaves the tarball in dir as an open file. */
static int fetch(const char *dir, const struct release *rel, int *ret_fd, struct fail *f)
{
	_cleanup_free_ char *spec = NULL, *path = NULL;
	_cleanup_close_ int fd = -1;
	struct json_object *o = NULL;
	const char *file;
	int r;

	if (asprintf(&spec, "%s@%s", rel->package, rel->version) < 0)
		return -ENOMEM;
	{
		char *argv[] = { word("npm"), word("pack"), spec, word("--json"), word("--ignore-scripts"), NULL };

		r = npm(dir, argv, 15 * 60000, &o, f);
	}
	if (r < 0)
		return r;
	file = member(o, "filename");
	path = file ? path_join(dir, path_basename(file)) : NULL;
	json_object_put(o);
	fd = path ? open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) : -1;
	if (fd < 0)
		return fail_set(f, path ? errno : EBADMSG, "agent, 'claude': the package that npm fetched");
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* --- unpacking: tar reads the package on its input and can do nothing but write the one file on its output --- */

static int lock_up(void)
{
	struct rlimit size = { PROGRAM_MAX, PROGRAM_MAX }, cpu = { 300, 300 };

	if (setrlimit(RLIMIT_FSIZE, &size) < 0 || setrlimit(RLIMIT_CPU, &cpu) < 0)
		return -errno;
	return isolate_program(NULL, false);
}

static _Noreturn void untar(int tarball, int out)
{
	char *argv[] = { word("tar"), word("-xzOf"), word("-"), word("package/claude"), NULL };
	char *env[] = { word("PATH=/usr/bin:/bin"), word("LC_ALL=C"), NULL };
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (lseek(tarball, 0, SEEK_SET) < 0 || dup2(tarball, 0) < 0 || dup2(out, 1) < 0)
		_exit(125);
	close_range(3, ~0U, 0);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || lock_up() < 0)
		_exit(125);
	execvpe(argv[0], argv, env);
	_exit(127);
}

static bool is_elf(int fd)
{
	char magic[4];

	return pread(fd, magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) && memcmp(magic, "\177ELF", 4) == 0;
}

static int unpack(int tarball, const char *dir, struct fail *f)
{
	_cleanup_free_ char *path = path_join(dir, "claude");
	_cleanup_close_ int out = path ? open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600) : -1;
	int status = 0;
	pid_t pid;

	if (out < 0)
		return fail_set(f, errno, "agent, '%s'", dir);
	pid = fork();
	if (pid == 0)
		untar(tarball, out);
	if (pid < 0)
		return fail_set(f, errno, "agent, 'claude': unpacking");
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return fail_set(f, errno, "agent, 'claude': unpacking");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || !is_elf(out)) {
		(void)fail_set(f, 0, "agent, 'claude': the package cannot be unpacked, or holds no program");
		fail_hint(f, "the old copy stays; set agent.install = host to use the machine's own");
		return -EBADMSG;
	}
	/* on the disk before its name is: never half-written */
	if (fchmod(out, 0755) < 0 || fsync(out) < 0)
		return fail_set(f, errno, "agent, '%s'", path);
	return 0;
}

/* --- putting it in place --- */

static int switch_to(const char *dir, const char *version, struct fail *f)
{
	_cleanup_free_ char *link = path_join(dir, "current"), *next = path_join(dir, "current.new");

	if (!link || !next)
		return -ENOMEM;
	(void)unlink(next);
	if (symlink(version, next) < 0 || rename(next, link) < 0)
		return fail_set(f, errno, "agent, '%s'", link);
	return 0;
}

static int newest_first(const struct dirent **a, const struct dirent **b)
{
	return strverscmp((*b)->d_name, (*a)->d_name);
}

/* Removes all but the newest versions, and what an interrupted refresh left. */
static void prune(const char *dir, const char *current)
{
	struct dirent **entries = NULL;
	int n = scandir(dir, &entries, NULL, newest_first), kept = 0;

	for (int i = 0; i < n; i++) {
		const char *name = entries[i]->d_name;
		_cleanup_free_ char *p = path_join(dir, name);
		bool version = version_is_sane(name), left = str_startswith(name, ".new-");

		if (p && (left || (version && strcmp(name, current) && ++kept >= KEPT)))
			(void)path_remove_tree(AT_FDCWD, p);
		free(entries[i]);
	}
	free(entries);
}

static int install(const char *dir, const struct release *rel, struct fail *f)
{
	_cleanup_free_ char *tmp = path_join(dir, ".new-XXXXXX"), *final = path_join(dir, rel->version), *made = NULL;
	_cleanup_close_ int tarball = -1;
	int r;

	if (!tmp || !final)
		return -ENOMEM;
	if (!mkdtemp(tmp) || !(made = path_join(tmp, "v")) || mkdir(made, 0755) < 0)
		return fail_set(f, errno, "agent, '%s'", dir);
	r = fetch(tmp, rel, &tarball, f);
	if (r == 0) {
		r = agent_own_verify(tarball, rel->integrity);
		if (r < 0) {
			(void)fail_set(f, 0, "agent, 'claude': the package is not what the registry announced (SHA-512 differs)");
			fail_hint(f, "the old copy stays; try again: claude-sandbox agent update");
		}
	}
	if (r == 0)
		r = unpack(tarball, made, f);
	if (r == 0) {
		(void)path_remove_tree(AT_FDCWD, final);
		if (rename(made, final) < 0)
			r = fail_set(f, errno, "agent, '%s'", final);
	}
	(void)path_remove_tree(AT_FDCWD, tmp);
	return r == 0 ? switch_to(dir, rel->version, f) : r;
}

static int lock_agents(const char *dir, bool wait, struct fail *f)
{
	_cleanup_free_ char *p = path_join(dir, "lock");
	_cleanup_close_ int fd = p ? open(p, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600) : -1;

	if (fd < 0)
		return fail_set(f, errno, "agent, '%s'", dir);
	if (flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB)) < 0)
		return fail_set(f, errno == EWOULDBLOCK ? EBUSY : errno, "agent, 'claude': being refreshed by another process");
	return TAKE_FD(fd);
}

static void touch_checked(const char *dir)
{
	_cleanup_free_ char *p = path_join(dir, "checked");
	_cleanup_close_ int fd = p ? open(p, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600) : -1;

	if (fd >= 0)
		(void)futimens(fd, NULL);
}

int agent_own_update(bool wait, char **ret_version, struct fail *f)
{
	_cleanup_free_ char *dir = NULL, *version = NULL, *program = NULL;
	_cleanup_(release_free) struct release rel = { 0 };
	_cleanup_close_ int lock = -1;
	int r = agents_dir(&dir);

	if (r < 0)
		return fail_set(f, -r, "data directory");
	r = path_mkdir_p(dir, 0700);
	if (r < 0)
		return fail_set(f, -r, "agent, '%s'", dir);
	lock = lock_agents(dir, wait, f);
	if (lock < 0)
		return lock;
	/* also where it fails: a dead registry is not asked at every start */
	touch_checked(dir);
	r = ask(dir, &rel, f);
	if (r < 0)
		return r;
	if (find_in(dir, &version, &program) == 0 && strcmp(version, rel.version) == 0) {
		*ret_version = TAKE_PTR(version);
		return 0;
	}
	r = install(dir, &rel, f);
	if (r < 0)
		return r;
	prune(dir, rel.version);
	*ret_version = TAKE_PTR(rel.version);
	return 1;
}

void agent_own_refresh(void)
{
	int64_t last = agent_own_checked();
	struct timespec now;
	pid_t pid;

	clock_gettime(CLOCK_REALTIME, &now);
	if (last && now.tv_sec - last < AGENT_OWN_EVERY && now.tv_sec >= last)
		return;
	pid = fork();
	if (pid == 0) {
		char *argv[] = { word("claude-sandbox"), word("agent"), word("update"), word("--background"), NULL };
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);

		/* twice, so that nobody waits for it */
		if (fork() != 0)
			_exit(0);
		(void)setsid();
		if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 || chdir("/") < 0)
			_exit(1);
		close_range(3, ~0U, 0);
		(void)setpriority(PRIO_PROCESS, 0, 10);
		execv("/proc/self/exe", argv);
		_exit(1);
	}
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}
