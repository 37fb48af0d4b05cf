/* Fills a manual page's template (scdoc(5)) from the tables: `gen-man TEMPLATE` prints it, each line that is
 * @COMMANDS@, @RUN@ or @KEYS@ replaced. Runs at build time. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cli/cmd.h"
#include "cli/runopts.h"
#include "policy/option.h"

/* text with scdoc's own characters taken literally */
static void put(const char *text)
{
	for (const char *start = text; *text; text++) {
		if (strchr("\\*_`#[]|~<>", *text) || (text == start && strchr("-.", *text)))
			(void)putchar('\\');
		(void)putchar(*text);
	}
}

static void put_options(const struct cmd_option *o)
{
	for (; o && o->name; o++) {
		(void)printf("*--");
		put(o->name);
		(void)printf("*");
		if (o->letter)
			(void)printf(", *-%c*", o->letter);
		if (o->arg) {
			(void)printf(" ");
			put(o->arg);
		}
		(void)printf("\n\t");
		put(o->help);
		(void)printf("\n\n");
	}
}

static void commands(void)
{
	for (size_t k = 0; cmd_table[k]; k++) {
		const struct cmd *c = cmd_table[k];

		(void)printf("## %s\n\n*claude-sandbox %s* ", c->name, c->name);
		put(c->args);
		(void)printf("++\n%c", toupper((unsigned char)c->summary[0]));
		put(c->summary + 1);
		(void)printf(".\n\n");
		if (c->help) {
			put(c->help);
			(void)printf("\n\n");
		}
		if (strcmp(c->name, "run"))
			put_options(c->options);
	}
}

static const char *type_name(enum option_type t)
{
	static const char *const names[] = {
		[OPTION_BOOL] = "yes or no", [OPTION_INT] = "a number", [OPTION_SIZE] = "a size (512M, 8G)",
		[OPTION_DURATION] = "a time (90s, 5m, 2h; without a unit, seconds)", [OPTION_STRING] = "a word",
		[OPTION_ENUM] = "one of", [OPTION_LIST] = "a list of words", [OPTION_MILLI] = "a number (2, 0.5)",
		[OPTION_PATH] = "a path", [OPTION_PATHS] = "a list of paths, one a line",
		[OPTION_NAMES] = "a list of paths, in the project or absolute, one a line",
		[OPTION_ENTRIES] = "a list, one entry a line",
	};

	return names[t];
}

static const char *tighten_name(enum option_tighten t)
{
	static const char *const names[] = {
		[TIGHTEN_NO] = "only when trusted",
		[TIGHTEN_ADD] = "may add",
		[TIGHTEN_REMOVE] = "may take out",
		[TIGHTEN_LOWER] = "may lower it",
		[TIGHTEN_RANK] = "may choose a stricter one",
		[TIGHTEN_FREE] = "may set it",
	};

	return names[t];
}

static void put_default(const char *def)
{
	_cleanup_strv_ char **v = NULL;

	if (!def || strv_split(def, "\n", &v) < 0) {
		(void)printf("none");
		return;
	}
	for (size_t i = 0; v && v[i]; i++) {
		(void)printf("%s", i ? ", " : "");
		put(v[i]);
	}
}

static void keys(void)
{
	for (size_t i = 0; i < OPT__COUNT; i++) {
		const struct option_def *o = &option_table[i];

		(void)printf("*");
		put(o->name);
		(void)printf("*\n\t");
		put(o->help);
		(void)printf("\n\n\tValue: %s%s", type_name(o->type), o->choices && o->type != OPTION_BOOL ? ": " : "");
		if (o->choices && o->type != OPTION_BOOL)
			put(o->choices);
		(void)printf(". Default: ");
		put_default(o->def);
		(void)printf(". The project's own file: %s.", tighten_name(o->tighten));
		if (o->flag) {
			(void)printf(" Command line: *--");
			put(o->flag);
			(void)printf("*.");
		}
		(void)printf("\n\n");
	}
}

int main(int argc, char **argv)
{
	FILE *in = argc == 2 ? fopen(argv[1], "re") : NULL;
	_cleanup_free_ char *line = NULL;
	size_t cap = 0;

	if (!in) {
		perror("gen-man");
		return 1;
	}
	while (getline(&line, &cap, in) > 0) {
		if (strcmp(line, "@COMMANDS@\n") == 0)
			commands();
		else if (strcmp(line, "@RUN@\n") == 0)
			put_options(runopts_table());
		else if (strcmp(line, "@KEYS@\n") == 0)
			keys();
		else
			(void)fputs(line, stdout);
	}
	(void)fclose(in);
	return fflush(stdout) || ferror(stdout);
}
