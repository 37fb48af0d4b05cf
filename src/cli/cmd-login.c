/* Credentials for the agent: its own token set-up, run in a throw-away sandbox, and what it prints kept by us. The
 * agent's credentials in the real home are never read. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "cli/args.h"
#include "engine/credentials.h"
#include "engine/home.h"
#include "supervisor/name.h"

enum { LOGIN_API_KEY, LOGIN_TOKEN, LOGIN_STATUS, LOGIN_REMOVE };

static const struct cmd_option options[] = {
	[LOGIN_API_KEY] = { "api-key", 0, NULL, "Reads an API key, from the terminal or standard input, instead of making a token." },
	[LOGIN_TOKEN] = { "token", 0, NULL, "Reads a token that you have already (`claude setup-token`), likewise." },
	[LOGIN_STATUS] = { "status", 0, NULL, "Says what is kept; exit status 1 where nothing is." },
	[LOGIN_REMOVE] = { "remove", 0, NULL, "Forgets it." },
	{ 0 },
};

static const char *const words[] = { "claude", NULL };

#define INPUT_MAX 4096

/* One line that is not shown while it is typed. Caller frees. */
static int read_hidden(const char *prompt, char **ret, struct fail *f)
{
	_cleanup_close_ int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	_cleanup_free_ char *line = NULL;
	struct termios old, hidden;
	size_t n = 0;

	if (tty < 0 || tcgetattr(tty, &old) < 0) {
		(void)fail_set(f, 0, "login: no terminal to ask on");
		fail_hint(f, "give it on standard input: claude-sandbox login --token < FILE");
		return -ENOTTY;
	}
	line = calloc(1, INPUT_MAX + 1);
	if (!line)
		return fail_set(f, ENOMEM, "login");
	hidden = old;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	(void)fd_write_all(tty, prompt, strlen(prompt));
	(void)tcsetattr(tty, TCSAFLUSH, &hidden);
	/* a byte at a time: a pasted token must not be followed by what the shell should get */
	while (n < INPUT_MAX && fd_read_full(tty, line + n, 1) == 1 && line[n] != '\n')
		n++;
	(void)tcsetattr(tty, TCSAFLUSH, &old);
	(void)fd_write_all(tty, "\n", 1);
	line[n] = 0;
	*ret = TAKE_PTR(line);
	return 0;
}

static int read_input(const char *prompt, char **ret, struct fail *f)
{
	int r;

	if (isatty(STDIN_FILENO))
		return read_hidden(prompt, ret, f);
	r = fd_read_fd(STDIN_FILENO, INPUT_MAX, ret, NULL);
	return r < 0 ? fail_set(f, -r, "login: standard input") : 0;
}

static int store(bool api_key, struct fail *f)
{
	_cleanup_free_ char *text = NULL;
	int r = read_input(api_key ? "API key (not shown): " : "Paste the token here (not shown): ", &text, f);

	if (r == 0)
		r = credentials_store(text, api_key, f);
	if (text)
		explicit_bzero(text, strlen(text));
	if (r == 0)
		(void)fprintf(stderr, "Kept. Sandboxes that start from now on have it; agent.login = no keeps it from them.\n");
	return r;
}

/* claude setup-token in a sandbox with an empty project and a home of its own, both gone afterwards. It must reach the
 * service it logs in to: it has the machine's network, and nothing of yours to send. */
static int set_up(struct fail *f)
{
	char project[] = "/tmp/claude-sandbox-login-XXXXXX", home[64];
	char *argv[] = { (char *)(uintptr_t)"run", (char *)(uintptr_t)"--new", (char *)(uintptr_t)"-t", (char *)(uintptr_t)"-q",
			 (char *)(uintptr_t)"--net", (char *)(uintptr_t)"host", (char *)(uintptr_t)"--home", home,
			 (char *)(uintptr_t)"--project", project, (char *)(uintptr_t)"--", (char *)(uintptr_t)"claude",
			 (char *)(uintptr_t)"setup-token", NULL };
	const struct cmd *run = cmd_find("run");
	_cleanup_free_ char *base = NULL;
	struct fail ignored = { 0 };
	int status;

	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
		(void)fail_set(f, 0, "login: no terminal for `claude setup-token`");
		fail_hint(f, "give a token or key on standard input: claude-sandbox login --token, or --api-key");
		return -ENOTTY;
	}
	if (!run || !mkdtemp(project))
		return fail_set(f, errno, "login, '%s'", project);
	(void)snprintf(home, sizeof(home), "login-%ld", (long)getpid());
	(void)fprintf(stderr, "Running `claude setup-token` in a throw-away sandbox, with the machine's network. Copy the token that it "
			      "prints at its end.\n");
	status = run->run((int)ARRAY_SIZE(argv) - 1, argv);
	(void)home_remove(home, &ignored);
	if (name_for_project(project, &base, &ignored) == 0)
		(void)home_remove(base, &ignored);
	(void)path_remove_tree(AT_FDCWD, project);
	if (status != 0) {
		(void)fail_set(f, 0, "login: `claude setup-token` ended with status %d: nothing was kept", status);
		fail_hint(f, "where it printed a token all the same: claude-sandbox login --token");
		return -ECANCELED;
	}
	return store(false, f);
}

static int show_status(struct fail *f)
{
	_cleanup_strv_ char **kept = NULL;
	int r = credentials_load(&kept, f);

	if (r < 0)
		return r;
	if (!kept) {
		(void)puts("nothing is kept");
		return 1;
	}
	(void)printf("%s is kept (%.*s), and set in sandboxes as %.*s\n",
		     str_startswith(kept[0], "ANTHROPIC_API_KEY") ? "an API key" : "a token", 10, strchr(kept[0], '=') + 1,
		     (int)strcspn(kept[0], "="), kept[0]);
	return 0;
}

static int forget(struct fail *f)
{
	int r = credentials_remove(f);

	if (r >= 0)
		(void)fputs(r ? "Forgotten here. The token itself stays valid until you revoke it where it was made.\n" :
				"Nothing was kept.\n", stderr);
	return r < 0 ? r : 0;
}

static int login(int argc, char **argv, struct fail *f)
{
	struct args a = ARGS_INIT(argc, argv, options);
	int r, what = -1;

	while ((r = args_next(&a, f)) != ARGS_END) {
		if (r < 0)
			return r;
		if (r == ARGS_WORD && strcmp(a.value, "claude")) {
			(void)fail_set(f, 0, "login, '%s': not an agent that it knows", a.value);
			fail_hint(f, "claude-sandbox login claude; for others: -e NAME=VALUE");
			return -EINVAL;
		}
		if (r == ARGS_WORD)
			continue;
		if (what >= 0 && what != r)
			return fail_set(f, 0, "login: --%s and --%s exclude each other", options[what].name, options[r].name);
		what = r;
	}
	switch (what) {
	case LOGIN_API_KEY:
	case LOGIN_TOKEN:
		return store(what == LOGIN_API_KEY, f);
	case LOGIN_STATUS:
		return show_status(f);
	case LOGIN_REMOVE:
		return forget(f);
	default:
		return set_up(f);
	}
}

static int cmd_login_run(int argc, char **argv)
{
	struct fail f = { 0 };
	int r = login(argc, argv, &f);

	if (r >= 0)
		return r;
	fail_print(&f);
	return EXIT_SANDBOX;
}

extern const struct cmd cmd_login;
const struct cmd cmd_login = {
	.name = "login", .args = "[claude]", .summary = "give sandboxes a token or key of their own for the agent", .section = "set-up",
	.help = "Runs `claude setup-token` in a throw-away sandbox, asks for the token that it prints, and keeps it in the state "
		"directory with mode 0600. Sandboxes get it as CLAUDE_CODE_OAUTH_TOKEN, an API key as ANTHROPIC_API_KEY. What the "
		"agent itself keeps in your home (~/.claude/.credentials.json) is never copied.",
	.options = options, .words = words, .run = cmd_login_run,
};
