/* One subcommand: an entry of the table in cmd.c, which feeds dispatch, help, man page and completions. */
#pragma once

#include <stdbool.h>

struct cmd {
	const char *name;
	const char *args;    /* usage after the name: "[NAME]" */
	const char *summary; /* one line, lower case */
	const char *help;    /* the long text: paragraphs, and its own options, one "--name ARG  text" a line */
	const char *section; /* "sandboxes", "policy", "ways in", "set-up" */
	const char *flags;   /* space-separated long options for completions: "--json --all" */
	/* argv[0] is the command's name. Returns the exit status. Prints its own errors (fail_print). */
	int (*run)(int argc, char **argv);
};

extern const struct cmd *const cmd_table[]; /* NULL-terminated */

/* The exit statuses that are ours. */
enum { EXIT_TIMEOUT = 124, EXIT_SANDBOX = 125, EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127 };
