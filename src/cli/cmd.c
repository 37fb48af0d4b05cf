/* The table of commands, and which of them a command line means. */
#include "cli/cmd.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/str.h"
#include "cli/help.h"

extern const struct cmd cmd_run, cmd_attach, cmd_exec, cmd_ls, cmd_ps, cmd_inspect, cmd_stop, cmd_rm, cmd_logs;
extern const struct cmd cmd_df, cmd_doctor, cmd_log, cmd_prune, cmd_reset, cmd_selftest;
extern const struct cmd cmd_login, cmd_home, cmd_agent;
extern const struct cmd cmd_help, cmd_version, cmd_config, cmd_trust, cmd_completion;

/* In the order of the help. */
const struct cmd *const cmd_table[] = {
	/* sandboxes */
	&cmd_run,
	&cmd_ls,
	&cmd_ps,
	&cmd_attach,
	&cmd_exec,
	&cmd_logs,
	&cmd_inspect,
	&cmd_stop,
	&cmd_rm,
	&cmd_log,
	&cmd_df,
	&cmd_prune,
	/* policy */
	&cmd_trust,
	/* set-up */
	&cmd_login,
	&cmd_home,
	&cmd_agent,
	&cmd_config,
	&cmd_doctor,
	&cmd_selftest,
	&cmd_reset,
	&cmd_completion,
	&cmd_version,
	&cmd_help,
	NULL,
};

const struct cmd *cmd_find(const char *name)
{
	for (size_t i = 0; cmd_table[i]; i++)
		if (strcmp(cmd_table[i]->name, name) == 0)
			return cmd_table[i];
	return NULL;
}

static int unknown(int argc, char **argv)
{
	_cleanup_buf_ struct buf line = BUF_INIT(300);
	const char *names[128], *near;
	struct fail f;
	size_t n = 0;

	for (size_t i = 0; cmd_table[i]; i++)
		if (n < ARRAY_SIZE(names))
			names[n++] = cmd_table[i]->name;
	near = str_nearest(argv[1], names, n);
	for (int i = 1; i < argc; i++) {
		_cleanup_free_ char *word = str_shell_quote(argv[i]);

		buf_printf(&line, " %s", word ? word : "");
	}
	fail_set(&f, 0, "command, '%s': no such command of claude-sandbox", argv[1]);
	if (near && line.error)
		fail_hint(&f, "did you mean '%s'? To run a program inside, put -- before it", near);
	else if (near)
		fail_hint(&f, "did you mean '%s'? To run a program inside: claude-sandbox --%s", near, buf_cstr(&line));
	else
		fail_hint(&f, "to run a program inside: claude-sandbox --%s",
			  line.error ? " PROGRAM" : buf_cstr(&line));
	fail_print(&f);
	return EXIT_SANDBOX;
}

static int dispatch(const struct cmd *c, int argc, char **argv)
{
	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
		return help_command(c);
	return c->run(argc, argv);
}

int cmd_main(int argc, char **argv)
{
	static char run_name[] = "run", program[] = "claude-sandbox";
	const char *word = argc > 1 ? argv[1] : "--";
	const struct cmd *c;

	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
		return help_overview();
	if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
		return cmd_version.run(1, argv);
	if (word[0] != '-') {
		c = cmd_find(word);
		return c ? dispatch(c, argc - 1, argv + 1) : unknown(argc, argv);
	}
	c = cmd_find(run_name);
	if (!c)
		return help_overview();
	if (argc > 0)
		argv[0] = program;
	return c->run(argc, argv);
}
