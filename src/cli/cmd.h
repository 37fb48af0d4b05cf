/* One subcommand: an entry of the table in cmd.c, which feeds dispatch, help, man page and completions. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* An option of a subcommand: feeds args_next (cli/args.h), the help, the man page and the completions. */
struct cmd_option {
	const char *name; /* long, without dashes; NULL ends a table */
	char letter;	  /* or 0 */
	const char *arg;  /* its value's name ("FILE"); NULL: takes none */
	const char *help;
};

struct cmd {
	const char *name;
	const char *args;    /* usage after the name: "[NAME]" */
	const char *summary; /* one line, lower case */
	const char *help;    /* the long text: paragraphs */
	const char *section; /* "sandboxes", "policy", "ways in", "set-up" */
	const char *flags;   /* long options for completions ("--json --all"), where there is no table */
	const struct cmd_option *options; /* preferred; may be NULL */
	const char *const *words;	  /* first words for completion ("show"...), NULL-terminated; may be NULL */
	bool sandboxes;			  /* its words are names of sandboxes (completion) */
	/* argv[0] is the command's name. Returns the exit status. Prints its own errors (fail_print). */
	int (*run)(int argc, char **argv);
};

extern const struct cmd *const cmd_table[]; /* NULL-terminated */

const struct cmd *cmd_find(const char *name); /* NULL: no such command */

/* What main() does: finds the command and runs it. No command, or an option first, means `run`. */
int cmd_main(int argc, char **argv);

/* The exit statuses that are ours. Every error of our own (usage too) is EXIT_SANDBOX. */
enum { EXIT_TIMEOUT = 124, EXIT_SANDBOX = 125, EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127 };
