/* The escape attempts, inside a fresh sandbox, and the host's look at what it planted. The sandbox is started as any
 * other: this program runs itself, with a made-up home. */
#include <errno.h>
#include <pty.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/spawn.h"
#include "base/str.h"
#include "base/where.h"
#include "cli/args.h"
#include "cli/selftest.h"
#include "report/json.h"
#include "report/table.h"

#define RUN_MS	   300000
#define OUTPUT_MAX (1U << 20)

enum { SELFTEST_JSON, SELFTEST_FAILED };

static const struct cmd_option options[] = {
	[SELFTEST_JSON] = { "json", 0, NULL, "As JSON." },
	[SELFTEST_FAILED] = { "escapes", 0, NULL, "Lists only what was not contained." },
	{ 0 },
};

static char program[] = "/proc/self/exe";

/* claude-sandbox run OPTIONS -- ./cs-probe MORE KEY=VALUE... */
static char **command(const struct selftest_host *h, const char *const *options_of_run, const char *const *more)
{
	char **v = NULL;

	if (strv_add(&v, program) < 0 || strv_add(&v, "run") < 0)
		return strv_free(v);
	for (; *options_of_run; options_of_run++)
		if (strv_add(&v, *options_of_run) < 0)
			return strv_free(v);
	if (strv_add(&v, "--") < 0 || strv_add(&v, "./cs-probe") < 0)
		return strv_free(v);
	for (; *more; more++)
		if (strv_add(&v, *more) < 0)
			return strv_free(v);
	for (char *const *a = selftest_arguments(h); *a; a++)
		if (strv_add(&v, *a) < 0)
			return strv_free(v);
	return v;
}

/* How many attempts there are: what is not reported was not tried. */
static int expected_count(int *ret, struct fail *f)
{
	static char list[] = "--list";
	_cleanup_buf_ struct buf out = BUF_INIT(OUTPUT_MAX);
	_cleanup_free_ char *probe = NULL;
	int r = where_helper("cs-probe", &probe), n = 0;

	if (r < 0) {
		(void)fail_set(f, -r, "the helper 'cs-probe' is missing");
		fail_hint(f, "make build, or make install");
		return r;
	}
	r = spawn_run(&(struct spawn){ .argv = (char *[]){ probe, list, NULL }, .timeout_ms = 10000, .out = &out });
	if (r != 0)
		return fail_set(f, 0, "the helper 'cs-probe' does not run");
	for (const char *s = buf_cstr(&out); (s = strchr(s, '\n')); s++)
		n++;
	*ret = n;
	return 0;
}

static int run_all(struct selftest_host *h, struct selftest *t, struct fail *f)
{
	static const char *const run[] = { "-T", "-q", "--timeout", "280s", NULL }, *const none[] = { NULL };
	_cleanup_strv_ char **argv = command(h, run, none);
	_cleanup_buf_ struct buf out = BUF_INIT(OUTPUT_MAX);
	int r, n, want = 0;

	if (!argv)
		return fail_set(f, ENOMEM, "selftest");
	r = expected_count(&want, f);
	if (r < 0)
		return r;
	r = spawn_run(&(struct spawn){
		.argv = argv,
		.env = selftest_env(h),
		.cwd = selftest_project(h),
		.input = "the host's input\n",
		.timeout_ms = RUN_MS,
		.out = &out,
		.keep_stderr = true,
	});
	n = selftest_parse(t, buf_cstr(&out), "");
	if (n < 0)
		return fail_set(f, -n, "selftest");
	if (n == want && (r == 0 || r == 1))
		return 0;
	if (n == 0)
		(void)fail_set(f, 0, "selftest: the sandbox did not start (status %d)", r);
	else
		(void)fail_set(f, 0,
			       "selftest: the sandbox ended (status %d) after %d of %d attempts; the last was '%s'", r,
			       n, want, t->rows[t->nrows - 1].name);
	fail_hint(f, "claude-sandbox doctor says what this machine lacks");
	return -EPROTO;
}

/* Reads what the terminal shows until its end, or too long. */
static void read_terminal(int master, struct buf *out)
{
	time_t end = time(NULL) + 60;
	char bytes[4096];
	ssize_t n;

	for (;;) {
		struct pollfd p = { .fd = master, .events = POLLIN };

		if (poll(&p, 1, 1000) < 0 && errno != EINTR)
			return;
		if (time(NULL) > end)
			return;
		if (!p.revents)
			continue;
		n = read(master, bytes, sizeof(bytes));
		if (n <= 0 || buf_put(out, bytes, (size_t)n) < 0)
			return;
	}
}

/* The attempts on terminals once more where there is one. */
static int run_on_terminal(struct selftest_host *h, struct selftest *t, struct fail *f)
{
	static const char *const run[] = { "-t", "-q", "--new", "--timeout", "60s", NULL },
				 *const more[] = { "--category", "terminal", NULL };
	_cleanup_strv_ char **argv = command(h, run, more);
	_cleanup_buf_ struct buf out = BUF_INIT(OUTPUT_MAX);
	struct winsize size = { .ws_row = 50, .ws_col = 250 };
	_cleanup_close_ int master = -1;
	pid_t pid;
	int n;

	if (!argv)
		return fail_set(f, ENOMEM, "selftest");
	pid = forkpty(&master, NULL, NULL, &size);
	if (pid < 0)
		return fail_set(f, errno, "selftest: no pseudo-terminal");
	if (pid == 0) {
		if (chdir(selftest_project(h)) < 0)
			_exit(125);
		execve(program, argv, (char *const *)(uintptr_t)selftest_env(h));
		_exit(125);
	}
	(void)fd_set_cloexec(master, true);
	read_terminal(master, &out);
	(void)kill(pid, SIGTERM);
	(void)waitpid(pid, NULL, 0);
	n = selftest_parse(t, buf_cstr(&out), "-tty");
	if (n < 0)
		return fail_set(f, -n, "selftest");
	if (n == 0) {
		(void)fail_set(f, 0, "selftest: the sandbox did not start on a terminal");
		return -EPROTO;
	}
	return 0;
}

struct sums {
	size_t contained, escaped, skipped;
};

static struct sums sum(const struct selftest *t)
{
	struct sums s = { 0 };

	for (size_t i = 0; i < t->nrows; i++) {
		s.contained += t->rows[i].verdict == SELFTEST_CONTAINED;
		s.escaped += t->rows[i].verdict == SELFTEST_ESCAPED;
		s.skipped += t->rows[i].verdict == SELFTEST_SKIPPED;
	}
	return s;
}

static const char *verdict_name(enum selftest_verdict v)
{
	static const char *const names[] = {
		[SELFTEST_CONTAINED] = "contained", [SELFTEST_ESCAPED] = "ESCAPED", [SELFTEST_SKIPPED] = "skipped"
	};

	return names[v];
}

static int print_json(const struct selftest *t, bool escapes, bool complete)
{
	_cleanup_json_ struct json_object *o = json_object_new_object();
	struct json_object *list = json_object_new_array();
	struct sums s = sum(t);

	if (!o || !list)
		return -ENOMEM;
	for (size_t i = 0; i < t->nrows; i++) {
		const struct selftest_row *r = &t->rows[i];
		struct json_object *one = json_object_new_object();

		if (!one)
			return -ENOMEM;
		json_put_str(one, "category", r->category);
		json_put_str(one, "name", r->name);
		json_put_str(one, "tried", r->tried);
		json_put_str(one, "expected", r->expected);
		json_put_str(one, "seen", r->seen);
		json_put_str(one, "verdict", r->verdict == SELFTEST_ESCAPED ? "escaped" : verdict_name(r->verdict));
		if (!escapes || r->verdict == SELFTEST_ESCAPED)
			json_push(list, one);
		else
			json_object_put(one);
	}
	json_put_bool(o, "ok", complete && s.escaped == 0);
	json_put_bool(o, "complete", complete);
	json_put_int(o, "contained", (int64_t)s.contained);
	json_put_int(o, "escaped", (int64_t)s.escaped);
	json_put_int(o, "skipped", (int64_t)s.skipped);
	json_put(o, "attempts", list);
	return json_print(o, true, stdout);
}

static int print_text(const struct selftest *t, bool escapes, bool complete)
{
	_cleanup_table_ struct table *table =
		table_new((const char *const[]){ "CATEGORY", "TRIED", "EXPECTED", "SEEN", "VERDICT", NULL });
	struct sums s = sum(t);

	if (!table)
		return -ENOMEM;
	table_flexible(table, 1);
	table_flexible(table, 3);
	for (size_t i = 0; i < t->nrows; i++) {
		const struct selftest_row *r = &t->rows[i];

		if (escapes && r->verdict != SELFTEST_ESCAPED)
			continue;
		if (table_add(table, r->category, r->tried, r->expected, r->seen, verdict_name(r->verdict)) < 0)
			return -ENOMEM;
	}
	if (table_rows(table) && table_print(table, stdout) < 0)
		return -EIO;
	(void)printf("%s%zu attempts: %zu contained, %zu escaped, %zu not possible on this machine\n",
		     complete ? "" : "INCOMPLETE: only ", t->nrows, s.contained, s.escaped, s.skipped);
	return 0;
}

static void ignore(int sig)
{
	(void)sig;
}

static int selftest(bool json, bool escapes, struct selftest *t, struct fail *f)
{
	_cleanup_(selftest_remove_p) struct selftest_host *h = NULL;
	const struct sigaction act = { .sa_handler = ignore };
	bool tried;
	int r, k;

	/* an interrupt ends the sandbox, which has it too; then the clearing up follows as ever */
	(void)sigaction(SIGINT, &act, NULL);
	(void)sigaction(SIGTERM, &act, NULL);
	(void)sigaction(SIGHUP, &act, NULL);
	r = selftest_plant(&h, f);
	if (r < 0)
		return r;
	r = run_all(h, t, f);
	if (r == 0)
		r = run_on_terminal(h, t, f);
	tried = t->nrows > 0;
	k = selftest_verify(h, t);
	if (r == 0 && k < 0)
		r = fail_set(f, -k, "selftest");
	if (tried) {
		k = json ? print_json(t, escapes, r == 0) : print_text(t, escapes, r == 0);
		if (r == 0 && k < 0)
			r = fail_set(f, -k, "selftest");
	}
	return r;
}

static int cmd_selftest_run(int argc, char **argv)
{
	struct args a = ARGS_INIT(argc, argv, options);
	_cleanup_selftest_ struct selftest t = { 0 };
	bool on[ARRAY_SIZE(options)] = { false };
	struct fail f = { 0 };
	int r;

	while ((r = args_next(&a, &f)) != ARGS_END && r >= 0) {
		if (r == ARGS_WORD) {
			r = fail_set(&f, 0, "selftest, '%s': takes no words", a.value);
			break;
		}
		on[r] = true;
	}
	if (r == ARGS_END)
		r = selftest(on[SELFTEST_JSON], on[SELFTEST_FAILED], &t, &f);
	if (r == 0)
		return sum(&t).escaped ? 1 : 0;
	fail_print(&f);
	return EXIT_SANDBOX;
}

extern const struct cmd cmd_selftest;
const struct cmd cmd_selftest = {
	.name = "selftest",
	.args = "[--json] [--escapes]",
	.section = "set-up",
	.summary = "try some 300 ways out of a fresh sandbox, and report",
	.help = "A program whose only aim is to get out runs in a sandbox of its own, with a made-up home full of "
		"canaries beside it: it tries to become root, to read keys, to reach the host's processes, sockets and "
		"network, to plant what the host would execute, to starve the machine. Each attempt is listed with "
		"what was expected and what was seen; afterwards the host's side looks at whether anything it had "
		"planted was touched. The exit status is 1 where anything escaped. Nothing of yours is read or "
		"changed, and no address is dialled outside of the sandbox.",
	.options = options,
	.run = cmd_selftest_run,
};
