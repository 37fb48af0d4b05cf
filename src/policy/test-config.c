#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "policy/config-ini.h"
#include "policy/config-internal.h"

/* A directory with files of each layer. */
struct place {
	char dir[64];
	char *system, *user, *dropins, *project, *trust, *own;
	struct config_files files;
};

static int place_new(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	memcpy(p->dir, "/tmp/test-config-XXXXXX", 24);
	assert_non_null(mkdtemp(p->dir));
	p->system = path_join(p->dir, "system");
	p->user = path_join(p->dir, "user");
	p->dropins = path_join(p->dir, "config.d");
	p->project = path_join(p->dir, "work/api");
	p->trust = path_join(p->dir, "trust");
	p->own = path_join(p->project, CONFIG_PROJECT_FILE);
	assert_int_equal(path_mkdir_p(p->project, 0755), 0);
	assert_int_equal(path_mkdir_p(p->dropins, 0755), 0);
	p->files = (struct config_files){
		.system = p->system,
		.user = p->user,
		.dropins = p->dropins,
		.project = p->project,
		.trust_dir = p->trust,
		.home = p->dir,
	};
	*state = p;
	return 0;
}

static int place_done(void **state)
{
	struct place *p = *state;

	assert_int_equal(path_remove_tree(AT_FDCWD, p->dir), 0);
	free(p->system);
	free(p->user);
	free(p->dropins);
	free(p->project);
	free(p->trust);
	free(p->own);
	free(p);
	return 0;
}

static void write_file(const char *path, const char *text)
{
	assert_int_equal(fd_write_file(AT_FDCWD, path, text, strlen(text), 0644), 0);
}

static void write_dropin(const struct place *p, const char *name, const char *text)
{
	_cleanup_free_ char *path = path_join(p->dropins, name);

	write_file(path, text);
}

static struct config *load_ok(const struct place *p)
{
	struct config *c = config_new();
	struct fail f = { 0 };

	if (config_load(c, &p->files, &f) < 0)
		fail_msg("config_load: %s", f.msg);
	return c;
}

static void load_bad(const struct place *p, int error, const char *message, const char *hint)
{
	_cleanup_config_ struct config *c = config_new();
	struct fail f = { 0 };
	int r = config_load(c, &p->files, &f);

	if (r != -error || !strstr(f.msg, message))
		fail_msg("wanted %d '%s', got %d '%s'", -error, message, r, f.msg);
	if (hint && !strstr(f.hint, hint))
		fail_msg("wanted the hint '%s', got '%s'", hint, f.hint);
}

static void assert_where(const struct config *c, enum option_id id, enum config_layer layer, const char *end)
{
	const char *where;

	assert_int_equal(config_origin(c, id, &where), layer);
	if (!str_endswith(where, end))
		fail_msg("'%s' does not end with '%s'", where, end);
}

/* --- reading --- */

static void test_defaults(void **state _unused_)
{
	_cleanup_config_ struct config *c = config_new();

	assert_string_equal(config_str(c, OPT_NETWORK_MODE), "none");
	assert_false(config_is_set(c, OPT_LIMITS_MEMORY));
	assert_int_equal(config_num(c, OPT_LIMITS_MEMORY), 0);
	assert_int_equal(config_num(c, OPT_STOP_GRACE), 10000);
	assert_true(strv_contains(config_list(c, OPT_GUARD), ".envrc"));
	assert_null(config_list(c, OPT_READ_ONLY));
	assert_where(c, OPT_GUARD, CONFIG_BUILTIN, "built in");
}

/* DESIGN §10's example, as far as its keys exist. */
static void test_example(void **state)
{
	struct place *p = *state;
	_cleanup_config_ struct config *c = NULL;
	_cleanup_free_ char *protos = path_join(p->dir, "work/protos");

	write_file(
		p->user,
		"profile = claude\nengine = native\n[limits]\nmemory = 8G\n[agent]\n"
		"args = --permission-mode acceptEdits\n[project \"~/work/api\"]\nguard = !.vscode\nread-only = ~/work/protos\n");
	c = load_ok(p);
	assert_string_equal(config_str(c, OPT_PROFILE), "claude");
	assert_int_equal(config_num(c, OPT_LIMITS_MEMORY), 8ULL << 30);
	assert_int_equal(strv_len(config_list(c, OPT_AGENT_ARGS)), 2);
	assert_string_equal(config_list(c, OPT_AGENT_ARGS)[1], "acceptEdits");
	assert_false(strv_contains(config_list(c, OPT_GUARD), ".vscode"));
	assert_true(strv_contains(config_list(c, OPT_GUARD), ".idea"));
	assert_string_equal(config_list(c, OPT_READ_ONLY)[0], protos);
	assert_where(c, OPT_LIMITS_MEMORY, CONFIG_USER, "user:4");
	assert_where(c, OPT_GUARD, CONFIG_SECTION, "user:8");
	assert_true(str_endswith(config_entry_where(c, OPT_READ_ONLY, 0), "user:9"));
}

static void test_layers(void **state)
{
	struct place *p = *state;
	_cleanup_config_ struct config *c = NULL;
	struct fail f;

	write_file(
		p->system,
		"[limits]\npids = 10\nfiles = 100\n[network]\nmode = host\n[project \"~/work/api\"]\nlimits.pids = 50\n");
	write_file(p->user, "[limits]\npids = 20\n");
	write_dropin(p, "20.conf", "limits.pids = 40\n");
	write_dropin(p, "10.conf", "limits.pids = 30\n");
	write_dropin(p, "ignored", "nonsense");
	c = load_ok(p);
	assert_int_equal(config_num(c, OPT_LIMITS_PIDS), 50);
	assert_where(c, OPT_LIMITS_PIDS, CONFIG_SECTION, "system:7");
	assert_where(c, OPT_LIMITS_FILES, CONFIG_SYSTEM, "system:3");
	config_free(c);
	p->files.project = "/elsewhere";
	c = load_ok(p);
	assert_int_equal(config_num(c, OPT_LIMITS_PIDS), 40);
	assert_where(c, OPT_LIMITS_PIDS, CONFIG_DROPIN, "20.conf:1");
	assert_int_equal(config_set(c, CONFIG_COMMAND, "--pids", "limits.pids", "60", &f), 0);
	assert_where(c, OPT_LIMITS_PIDS, CONFIG_COMMAND, "--pids");
}

static void test_lists(void **state)
{
	struct place *p = *state;
	_cleanup_config_ struct config *c = NULL;
	_cleanup_free_ char *b = path_join(p->dir, "b c ; d");

	write_file(p->system,
		   "read-only = /a\nread-only = ~/b c ; d\nenv = A=1 ; x=y\n[seccomp]\nrelax = userns perf\n");
	write_file(p->user, "read-only = !/a\nread-only = /e/../f/\nread-only = /f\n[seccomp]\nrelax = !perf ptrace\n");
	write_dropin(p, "1.conf", "guard =\nguard = only\n");
	c = load_ok(p);
	assert_int_equal(strv_len(config_list(c, OPT_READ_ONLY)), 2);
	assert_string_equal(config_list(c, OPT_READ_ONLY)[0], b);
	assert_string_equal(config_list(c, OPT_READ_ONLY)[1], "/f");
	assert_string_equal(config_list(c, OPT_ENV)[0], "A=1 ; x=y");
	assert_int_equal(strv_len(config_list(c, OPT_SECCOMP_RELAX)), 2);
	assert_string_equal(config_list(c, OPT_SECCOMP_RELAX)[0], "userns");
	assert_string_equal(config_list(c, OPT_SECCOMP_RELAX)[1], "ptrace");
	assert_int_equal(strv_len(config_list(c, OPT_GUARD)), 1);
	assert_string_equal(config_list(c, OPT_GUARD)[0], "only");
	assert_true(str_endswith(config_entry_where(c, OPT_READ_ONLY, 1), "user:3"));
}

static void test_scalars(void **state)
{
	struct place *p = *state;
	_cleanup_config_ struct config *c = NULL;

	write_file(p->user, "\xef\xbb\xbftimeout = 90\r\n  name: box-1\n\tidle-stop = 2h\n# c\n; c\n\n"
			    "[limits]\n  memory = 1.5G\n  cpus = 0.5\n[agent]\nlogin = off\n");
	write_dropin(p, "1.conf", "[limits]\nmemory =\npids =\n");
	c = load_ok(p);
	assert_int_equal(config_num(c, OPT_TIMEOUT), 90000);
	assert_string_equal(config_str(c, OPT_NAME), "box-1");
	assert_int_equal(config_num(c, OPT_IDLE_STOP), 7200000);
	assert_int_equal(config_num(c, OPT_LIMITS_CPUS), 500);
	assert_false(config_bool(c, OPT_AGENT_LOGIN));
	assert_false(config_is_set(c, OPT_LIMITS_MEMORY));
	assert_int_equal(config_num(c, OPT_LIMITS_PIDS), 4096);
}

static void test_errors(void **state)
{
	static const struct {
		const char *text, *message, *hint;
	} bad[] = {
		{ "\nnetwrk.mode = none\n", "user:2': unknown key 'netwrk.mode'", "'network.mode'" },
		{ "[netwrok]\n", "user:1': unknown section 'netwrok'", "[network]" },
		{ "[project ~/x]\n", "user:1': unknown section", "[project \"" },
		{ "[network\n", "user:1': a section is written [NAME]", NULL },
		{ "[network] x\n", "user:1': a section is written [NAME]", NULL },
		{ "a\n", "user:1': not of the form KEY = VALUE", NULL },
		{ "profile = none\nwhat is this\nbad = 1\n", "user:2': not of the form", NULL },
		{ "profile = clade\n", "no such choice", "did you mean 'claude'" },
		{ "timeout = soon\n", "user:1': timeout = soon: not a time", NULL },
		{ "timeout = 0\n", "too small", NULL },
		{ "[limits]\nmemory = 8X\n", "not a size", NULL },
		{ "[limits]\npids = -1\n", "not a whole number", NULL },
		{ "[limits]\npids = 99999999999999999999\n", "too large", NULL },
		{ "[limits]\ncpus = 1.2.3\n", "not a number", NULL },
		{ "[agent]\nlogin = maybe\n", "neither yes nor no", NULL },
		{ "read-only = relative/path\n", "not an absolute path", "'~/'" },
		{ "read-only = $OTHER/x\n", "cannot be expanded", NULL },
		{ "read-only = ~root/x\n", "cannot be expanded", NULL },
		{ "guard = ../other\n", "'..' cannot be part of it", NULL },
		{ "name = a/b\n", "a name has only", NULL },
		{ "env = 1A=2\n", "a variable's name begins", NULL },
		{ "env = A\n", "NAME=VALUE", NULL },
		{ "detach-keys = ctrl-1\n", "after 'ctrl-'", NULL },
		{ "[seccomp]\nrelax = userns everything\n", "no such choice", NULL },
		{ "profile = no\x1bne\n", "user:1': control character 0x1b", NULL },
		{ "[project \"/nowhere\"]\nbad = 1\n", "user:2': unknown key 'bad'", NULL },
		{ "[network]\nnetwork.mode = none\n", "unknown key 'network.network.mode'", "network.mode" },
	};
	struct place *p = *state;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		write_file(p->user, bad[i].text);
		load_bad(p, EINVAL, bad[i].message, bad[i].hint);
	}
}

static void test_long_line(void **state)
{
	struct place *p = *state;
	char text[10000];

	memset(text, 'a', sizeof(text));
	memcpy(text, "\nshell = /", 10);
	text[sizeof(text) - 2] = '\n';
	text[sizeof(text) - 1] = 0;
	write_file(p->user, text);
	load_bad(p, EINVAL, "user:2': the line is longer than", NULL);
	/* a comment may be as long as it likes */
	text[1] = '#';
	write_file(p->user, text);
	config_free(load_ok(p));
}

static void test_missing(void **state)
{
	struct place *p = *state;

	p->files.user_required = true;
	load_bad(p, ENOENT, "user'", NULL);
}

static void test_sections(void **state)
{
	struct place *p = *state;
	_cleanup_config_ struct config *c = NULL;
	_cleanup_free_ char *link = path_join(p->dir, "link"), *odd = path_join(p->dir, "a]b \"c\\d"), *text = NULL;

	/* by another name of the same directory, by the main repository, with every odd character */
	assert_int_equal(symlink(p->project, link), 0);
	write_file(
		p->user,
		"[project \"~/link\"]\nlimits.pids = 50\n[limits]\nfiles = 77\n[project \"~/other/\"]\nlimits.pids = 60\n"
		"[project \"~/a]b \\\"c\\\\d\"]\nlimits.pids = 70\n");
	c = load_ok(p);
	assert_int_equal(config_num(c, OPT_LIMITS_PIDS), 50);
	assert_int_equal(config_num(c, OPT_LIMITS_FILES), 77);
	config_free(c);
	p->files.repository = text = path_join(p->dir, "other");
	c = load_ok(p);
	assert_int_equal(config_num(c, OPT_LIMITS_PIDS), 60);
	config_free(c);
	p->files.project = odd;
	p->files.repository = NULL;
	c = load_ok(p);
	assert_int_equal(config_num(c, OPT_LIMITS_PIDS), 70);
}

static void test_command_line(void **state _unused_)
{
	_cleanup_config_ struct config *c = config_new();
	_cleanup_free_ char *cwd = getcwd(NULL, 0), *want = path_join(cwd, "x y");
	struct fail f;

	assert_int_equal(config_set(c, CONFIG_COMMAND, "--ro", "read-only", "./x y", &f), 0);
	assert_string_equal(config_list(c, OPT_READ_ONLY)[0], want);
	assert_int_equal(config_set(c, CONFIG_COMMAND, "-e", "env", "A=1\n2", &f), 0);
	assert_string_equal(config_list(c, OPT_ENV)[0], "A=1\n2");
	assert_int_equal(config_set(c, CONFIG_COMMAND, "--memory", "limits.memory", "8X", &f), -EINVAL);
	assert_non_null(strstr(f.msg, "option, '--memory'"));
}

/* --- tighten-only --- */

struct tighten {
	enum option_type type;
	const char *base, *own;
	bool loosens;
};

static void test_tighten(void **state)
{
	static const struct tighten cases[] = {
		/* RANK */
		{ OPTION_ENUM, "", "network.mode = host", true },
		{ OPTION_ENUM, "network.mode = host", "network.mode = none", false },
		{ OPTION_ENUM, "network.mode = host", "network.mode = host", false },
		{ OPTION_ENUM, "network.mode = host", "network.mode =", false },
		{ OPTION_ENUM, "", "project-mode = ro", false },
		{ OPTION_ENUM, "project-mode = ro", "project-mode =", true },
		{ OPTION_ENUM, "", "guard.absent = strict", false },
		{ OPTION_ENUM, "guard.absent = strict", "guard.absent = quarantine", true },
		{ OPTION_ENUM, "guard.git-config = keep", "guard.git-config = apply-safe", true },
		{ OPTION_NAMES, "", "guard = !.git/config", true },
		{ OPTION_BOOL, "", "agent.login = no", false },
		{ OPTION_BOOL, "agent.login = no", "agent.login = yes", true },
		{ OPTION_BOOL, "agent.login = no", "agent.login = true", true },
		{ OPTION_BOOL, "", "i-know = yes", true },
		/* LOWER: unset is infinite */
		{ OPTION_SIZE, "", "limits.memory = 1G", false },
		{ OPTION_SIZE, "limits.memory = 1G", "limits.memory = 1025M", true },
		{ OPTION_SIZE, "limits.memory = 1G", "limits.memory = 1024M", false },
		{ OPTION_SIZE, "limits.memory = 1G", "limits.memory =", true },
		{ OPTION_INT, "", "limits.pids = 100000", true },
		{ OPTION_INT, "", "limits.pids = 100", false },
		{ OPTION_INT, "limits.pids = 100", "limits.pids =", true },
		{ OPTION_MILLI, "limits.cpus = 2", "limits.cpus = 2.001", true },
		{ OPTION_MILLI, "limits.cpus = 2", "limits.cpus = 0.5", false },
		{ OPTION_DURATION, "timeout = 5m", "timeout = 301", true },
		{ OPTION_DURATION, "timeout = 5m", "timeout = 300", false },
		{ OPTION_DURATION, "", "idle-stop = 1h", false },
		/* ADD */
		{ OPTION_NAMES, "", "guard = Makefile", false },
		{ OPTION_NAMES, "", "guard = !.vscode", true },
		{ OPTION_NAMES, "", "guard =", true },
		{ OPTION_NAMES, "", "guard = !.vscode\nguard = .vscode", false },
		{ OPTION_NAMES, "guard = !.vscode", "guard = !.vscode", false },
		{ OPTION_NAMES, "mask = .env", "mask = !.env", true },
		{ OPTION_NAMES, "", "mask = .env", false },
		/* REMOVE */
		{ OPTION_LIST, "seccomp.relax = perf", "seccomp.relax = !perf", false },
		{ OPTION_LIST, "seccomp.relax = perf", "seccomp.relax =", false },
		{ OPTION_LIST, "seccomp.relax = perf", "seccomp.relax = ptrace", true },
		{ OPTION_LIST, "seccomp.relax = perf", "seccomp.relax = !perf ptrace", true },
		{ OPTION_LIST, "", "env.pass = AWS_SECRET_ACCESS_KEY", true },
		{ OPTION_LIST, "", "env.pass =", false },
		{ OPTION_LIST, "", "toolchains =", false },
		/* NO */
		{ OPTION_STRING, "", "name = other", true },
		{ OPTION_STRING, "name = other", "name =", true },
		{ OPTION_STRING, "home = h", "home = h", false },
		{ OPTION_STRING, "", "shell = /evil", true },
		{ OPTION_PATHS, "", "read-only = ~/.ssh", true },
		{ OPTION_PATHS, "", "read-write = /", true },
		{ OPTION_PATHS, "read-only = /a", "read-only = !/a", true },
		{ OPTION_PATHS, "", "device = /dev/sda", true },
		{ OPTION_PATH, "", "receipt = /home/u/.bashrc", true },
		{ OPTION_ENTRIES, "", "env = LD_PRELOAD=/x", true },
		{ OPTION_ENTRIES, "env = A=1", "env =", true },
		{ OPTION_LIST, "", "agent.args = --dangerously-skip-permissions", true },
		{ OPTION_INT, "", "audit.keep = 1", true },
	};
	struct place *p = *state;
	bool seen[OPTION_ENTRIES + 1] = { false };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_config_ struct config *c = config_new();
		struct fail f = { 0 };
		int r;

		write_file(p->user, cases[i].base);
		write_file(p->own, cases[i].own);
		r = config_load(c, &p->files, &f);
		if (r != (cases[i].loosens ? -EPERM : 0))
			fail_msg("'%s' over '%s': %d %s", cases[i].own, cases[i].base, r, f.msg);
		if (cases[i].loosens)
			assert_non_null(strstr(f.hint, "claude-sandbox trust"));
		seen[cases[i].type] = true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(seen); i++)
		if (!seen[i])
			fail_msg("no case for option type %zu", i);
}

/* Every option: the project's own file cannot give it any value that its rule forbids, untrusted. */
static void test_tighten_each(void **state)
{
	struct place *p = *state;

	for (size_t i = 0; i < OPT__COUNT; i++) {
		const struct option_def *o = &option_table[i];
		_cleanup_free_ char *text = NULL;
		const char *value = o->type == OPTION_PATHS || o->type == OPTION_PATH ? "/x" :
				    o->type == OPTION_ENTRIES			      ? "X=1" :
				    strcmp(o->name, "shell") == 0		      ? "/bin/x" :
				    strcmp(o->name, "audit.keep") == 0		      ? "91" :
				    strcmp(o->name, "detach-keys") == 0		      ? "ctrl-x" :
											"xx";

		if (o->tighten != TIGHTEN_NO || o->type == OPTION_ENUM)
			continue;
		assert_true(asprintf(&text, "%s = %s\n", o->name, value) > 0);
		write_file(p->own, text);
		load_bad(p, EPERM, o->name, "trust");
	}
}

static void test_project_file(void **state)
{
	struct place *p = *state;
	_cleanup_config_ struct config *c = NULL;
	_cleanup_free_ char *big = malloc(70000);

	write_file(p->own, "[limits]\npids = 100\n[guard]\nabsent = strict\n");
	c = load_ok(p);
	assert_int_equal(config_num(c, OPT_LIMITS_PIDS), 100);
	assert_where(c, OPT_GUARD_ABSENT, CONFIG_PROJECT, CONFIG_PROJECT_FILE ":4");
	write_file(p->own, "[project \"/\"]\nlimits.pids = 100\n");
	load_bad(p, EINVAL, ":2': a project's own file has no [project] sections", NULL);
	write_file(p->own, "limits.pids = 100\nlimit.pids = 1\n");
	load_bad(p, EINVAL, ":2': unknown key", "limits.pids");
	memset(big, '#', 70000);
	big[69999] = 0;
	write_file(p->own, big);
	load_bad(p, EFBIG, CONFIG_PROJECT_FILE, NULL);
	memcpy(big, "a=\n", 3);
	for (size_t i = 0; i < 60000; i += 3)
		memcpy(big + i, "a=\n", 3);
	big[60000] = 0;
	write_file(p->own, big);
	load_bad(p, EINVAL, "too many settings", NULL);
	assert_int_equal(unlink(p->own), 0);
	assert_int_equal(symlink(p->user, p->own), 0);
	write_file(p->user, "");
	load_bad(p, EINVAL, "symbolic link", NULL);
	assert_int_equal(unlink(p->own), 0);
	assert_int_equal(mkfifo(p->own, 0600), 0);
	load_bad(p, EINVAL, "not a regular file", NULL);
	assert_int_equal(unlink(p->own), 0);
	assert_int_equal(mkdir(p->own, 0700), 0);
	load_bad(p, EINVAL, "not a regular file", NULL);
}

static int isolate_fails(void)
{
	return -ENOSYS;
}

static int isolate_dies(void)
{
	_exit(0);
}

static void test_isolate(void **state)
{
	struct place *p = *state;

	write_file(p->own, "limits.pids = 100\n");
	p->files.isolate = isolate_fails;
	load_bad(p, EINVAL, "cannot be locked up", NULL);
	p->files.isolate = isolate_dies;
	load_bad(p, EINVAL, "its reader died on it", NULL);
}

/* --- trust --- */

static int count_one(void *user, const char *repository, const char *hash, int64_t when)
{
	assert_int_equal(strlen(hash), 64);
	assert_true(when > 1000000000);
	assert_true(path_is_absolute(repository));
	++*(int *)user;
	return 0;
}

static void test_trust(void **state)
{
	struct place *p = *state;
	_cleanup_review_ struct config_review rv = { 0 };
	_cleanup_free_ char *hash = NULL, *other = path_join(p->dir, "odd %41\n\tname");
	struct fail f = { 0 };
	int n = 0;

	write_file(p->own, "network.mode = host\nguard = extra\nread-only = /srv\n");
	load_bad(p, EPERM, "not trusted", "claude-sandbox trust");
	assert_int_equal(config_review(&p->files, &rv, &f), 0);
	assert_false(rv.trusted);
	assert_int_equal(strv_len(rv.loosens), 2);
	assert_true(str_startswith(rv.loosens[0], "read-only: + /srv"));
	assert_true(str_startswith(rv.loosens[1], "network.mode: none -> host"));
	assert_int_equal(strv_len(rv.tightens), 1);
	hash = config_trust_hash(&p->files);
	assert_string_equal(hash, rv.hash);

	/* the command line's hash, exactly */
	p->files.trust_hash = hash;
	config_free(load_ok(p));
	p->files.trust_hash = "0000000000000000000000000000000000000000000000000000000000000000";
	load_bad(p, EPERM, "not the content that --trust names", hash);
	p->files.trust_hash = NULL;

	/* kept: for this repository, this content */
	assert_int_equal(config_trust_add(p->trust, other, hash, &f), 0);
	load_bad(p, EPERM, "not trusted", NULL);
	assert_int_equal(config_trust_add(p->trust, p->project, hash, &f), 0);
	assert_int_equal(config_trust_add(p->trust, p->project, hash, &f), 0);
	config_free(load_ok(p));
	assert_int_equal(config_trust_list(p->trust, count_one, &n, &f), 0);
	assert_int_equal(n, 2);
	write_file(p->own, "network.mode = host\nguard = extra\nread-only = /srv2\n");
	load_bad(p, EPERM, "not trusted", NULL);
	write_file(p->own, "network.mode = host\nguard = extra\nread-only = /srv\n");
	config_free(load_ok(p));

	/* worktrees share it through the main repository */
	p->files.repository = other;
	config_free(load_ok(p));
	assert_int_equal(config_trust_remove(p->trust, other, &f), 1);
	assert_int_equal(config_trust_remove(p->trust, other, &f), 0);
	load_bad(p, EPERM, "not trusted", NULL);
	p->files.repository = NULL;
	config_free(load_ok(p));
}

static void test_sha256(void **state _unused_)
{
	_cleanup_free_ char *abc = trust_sha256("abc", 3);

	/* FIPS 180-2, appendix B.1 */
	assert_string_equal(abc, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* --- editing --- */

static bool is_api(const char *section_path, void *user _unused_)
{
	return strcmp(section_path, "/work/api") == 0;
}

static void edited(const char *text, const char *name, bool add, bool project, char *const *values, const char *want)
{
	const struct config_edit e = {
		.name = name, .values = values, .add = add, .project = project ? "/work/api" : NULL, .is_same = is_api,
	};
	_cleanup_buf_ struct buf out = BUF_INIT(1U << 16);
	struct fail f = { 0 };

	assert_int_equal(config_ini_edit("f", text, strlen(text), &e, &out, &f), 0);
	assert_string_equal(buf_cstr(&out), want);
}

#define VALUES(...) ((char *const[]){ __VA_ARGS__, NULL })

static void test_edit(void **state _unused_)
{
	static char none[] = "none", a[] = "/a", b[] = "/b";

	edited("", "profile", false, false, VALUES(none), "profile = none\n");
	edited("", "network.mode", false, false, VALUES(none), "[network]\nmode = none\n");
	edited("# top\nprofile = claude\n\n[network] \n  # why\n  mode = host\n", "network.mode", false, false,
	       VALUES(none), "# top\nprofile = claude\n\n[network] \n  # why\nmode = none\n");
	edited("network.mode = host\n[limits]\npids = 9\n", "network.mode", false, false, VALUES(none),
	       "network.mode = none\n[limits]\npids = 9\n");
	edited("profile = claude\n\n[limits]\npids = 9\n\n[network]\n", "profile", false, false, NULL,
	       "\n[limits]\npids = 9\n\n[network]\n");
	edited("[limits]\npids = 9\n\n[agent]\n", "limits.files", false, false, VALUES(none),
	       "[limits]\npids = 9\nfiles = none\n\n[agent]\n");
	edited("# only a comment\n\n[agent]\n", "profile", false, false, VALUES(none),
	       "# only a comment\nprofile = none\n\n[agent]\n");
	edited("read-only = /x\nread-only = /y\n", "read-only", false, false, VALUES(a, b),
	       "read-only = /a\nread-only = /b\n");
	edited("read-only = /x\n", "read-only", true, false, VALUES(a), "read-only = /x\nread-only = /a\n");
	edited("[project \"/work/api\"]\nread-only = /x\nread-only-not = 1", "read-only", false, true, VALUES(a),
	       "[project \"/work/api\"]\nread-only = /a\nread-only-not = 1\n");
	edited("read-only = /x\n", "read-only", false, true, VALUES(a),
	       "read-only = /x\n\n[project \"/work/api\"]\nread-only = /a\n");
	edited("[project \"/other\"]\nnetwork.mode = host\n", "network.mode", false, false, VALUES(none),
	       "[project \"/other\"]\nnetwork.mode = host\n\n[network]\nmode = none\n");
	edited("[project \"/work/api\"]\nnetwork.mode = host\n", "network.mode", false, true, VALUES(none),
	       "[project \"/work/api\"]\nnetwork.mode = none\n");
	edited("x = 1\n", "profile", false, false, NULL, "x = 1\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_command_line),
		cmocka_unit_test(test_sha256),
		cmocka_unit_test(test_edit),
		cmocka_unit_test_setup_teardown(test_example, place_new, place_done),
		cmocka_unit_test_setup_teardown(test_layers, place_new, place_done),
		cmocka_unit_test_setup_teardown(test_lists, place_new, place_done),
		cmocka_unit_test_setup_teardown(test_scalars, place_new, place_done),
		cmocka_unit_test_setup_teardown(test_errors, place_new, place_done),
		cmocka_unit_test_setup_teardown(test_long_line, place_new, place_done),
		cmocka_unit_test_setup_teardown(test_missing, place_new, place_done),
		cmocka_unit_test_setup_teardown(test_sections, place_new, place_done),
		cmocka_unit_test_setup_teardown(test_tighten, place_new, place_done),
		cmocka_unit_test_setup_teardown(test_tighten_each, place_new, place_done),
		cmocka_unit_test_setup_teardown(test_project_file, place_new, place_done),
		cmocka_unit_test_setup_teardown(test_isolate, place_new, place_done),
		cmocka_unit_test_setup_teardown(test_trust, place_new, place_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
