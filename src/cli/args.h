/* The one reader of command lines: options from a table, in the way of getopt_long(3) without abbreviations:
 * --name VALUE, --name=VALUE, -nVALUE, -n VALUE, bundled -abc; "--" ends the options. */
#pragma once

#include "base/fail.h"
#include "cli/cmd.h"

struct args {
	int argc;
	char **argv;
	const struct cmd_option *options; /* ends with an entry without a name */
	bool stop;			  /* the first word that is no option ends the options (run, exec) */

	int next;	    /* index of the word to read; after ARGS_END the first word left over */
	const char *bundle; /* within "-abc" */
	bool ended;	    /* "--" was seen */
	const char *value;  /* of the option or word just read */
};

enum { ARGS_END = 10000, ARGS_WORD };

/* argv[0] is the command's name. */
#define ARGS_INIT(c, v, table) ((struct args){ .argc = (c), .argv = (v), .options = (table), .next = 1 })

/* The next thing: an index into options (value set where it takes one), ARGS_WORD (value is the word; never where
 * stop is set), ARGS_END. An unknown option, a missing or a superfluous value: -EINVAL, f names the nearest option. */
int args_next(struct args *a, struct fail *f);

/* For commands that take no options but [NAME]: reads at most max words into words[]. The count, or -EINVAL. */
int args_words(int argc, char **argv, const char **words, int max, struct fail *f);
