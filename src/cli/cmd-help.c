#include <string.h>
#include <unistd.h>

#include "base/macro.h"
#include "base/str.h"
#include "cli/args.h"
#include "cli/help.h"
#include "cli/runopts.h"
#include "report/table.h"

static unsigned width(void)
{
	unsigned w = report_width(STDOUT_FILENO);

	return !w ? 80 : MAX(40U, MIN(w, 100U));
}

void help_wrap(FILE *out, const char *text, unsigned at, unsigned indent, unsigned limit)
{
	unsigned column = at, blanks = 0;

	while (*text) {
		size_t n = strcspn(text, " \n");

		if (*text == '\n') {
			(void)fprintf(out, "\n%*s", text[1] && text[1] != '\n' ? (int)indent : 0, "");
			column = indent;
			blanks = 0;
		} else if (*text == ' ') {
			blanks++;
		} else {
			if (column > indent && column + blanks + n > limit) {
				(void)fprintf(out, "\n%*s", (int)indent, "");
				column = indent;
				blanks = 0;
			}
			(void)fprintf(out, "%*s%.*s", (int)blanks, "", (int)n, text);
			column += blanks + (unsigned)n;
			blanks = 0;
		}
		text += n ? n : 1;
	}
	(void)fputc('\n', out);
}

static void print_option(const struct cmd_option *o)
{
	const unsigned indent = 26;
	char head[80];
	int n;

	n = snprintf(head, sizeof(head), "  %c%c%c --%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
		     o->letter ? ',' : ' ', o->name, o->arg ? " " : "", o->arg ? o->arg : "");
	(void)fputs(head, stdout);
	if (n + 2 > (int)indent) {
		(void)fputc('\n', stdout);
		n = 0;
	}
	(void)printf("%*s", (int)indent - n, "");
	help_wrap(stdout, o->help, indent, indent, width());
}

const char *help_section(size_t i)
{
	const char *last = NULL;

	for (size_t k = 0; cmd_table[k]; k++) {
		if (last && strcmp(last, cmd_table[k]->section) == 0)
			continue;
		last = cmd_table[k]->section;
		if (i-- == 0)
			return last;
	}
	return NULL;
}

static void print_commands(const char *section)
{
	(void)printf("\n%s:\n", section);
	for (size_t i = 0; cmd_table[i]; i++) {
		const struct cmd *c = cmd_table[i];
		_cleanup_free_ char *head = NULL;

		if (strcmp(c->section, section))
			continue;
		if (asprintf(&head, "%s%s%s", c->name, *c->args ? " " : "", c->args) < 0)
			continue;
		if (strlen(head) > 28)
			(void)printf("  %s\n  %28s  ", head, "");
		else
			(void)printf("  %-28s  ", head);
		help_wrap(stdout, c->summary, 32, 32, width());
	}
}

int help_overview(void)
{
	const char *section;

	(void)printf("A sandbox in which only the project is real.\n\n"
		     "  claude-sandbox                      a shell in this directory's sandbox\n"
		     "  claude-sandbox [run] [OPTION...] -- PROGRAM [ARGUMENT...]\n"
		     "  claude-sandbox COMMAND [...]        one of these:\n");
	for (size_t i = 0; (section = help_section(i)); i++)
		print_commands(section);
	(void)printf("\n");
	help_wrap(stdout,
		  "claude-sandbox help run lists the options of a sandbox, claude-sandbox help COMMAND tells about one "
		  "command. Exit status: the program's own; 124 timeout, 125 the sandbox itself failed, 126 not "
		  "executable, 127 not found, 128+n signal n.",
		  0, 0, width());
	return 0;
}

int help_command(const struct cmd *c)
{
	bool run = strcmp(c->name, "run") == 0;
	const struct cmd_option *options = run ? runopts_table() : c->options;

	(void)printf("claude-sandbox %s%s", c->name, *c->args ? " " : "");
	help_wrap(stdout, c->args, 16 + (unsigned)strlen(c->name), 16, width());
	(void)printf("\n");
	help_wrap(stdout, c->help ? c->help : c->summary, 0, 0, width());
	if (options && options->name)
		(void)printf("\n");
	for (; options && options->name; options++)
		print_option(options);
	if (run)
		(void)printf("\nMost of these are settings too: claude-sandbox-config(5).\n");
	return 0;
}

static int cmd_help_run(int argc, char **argv)
{
	const char *word = NULL;
	const struct cmd *c;
	struct fail f = { 0 };
	int n = args_words(argc, argv, &word, 1, &f);

	if (n < 0) {
		fail_print(&f);
		return EXIT_SANDBOX;
	}
	if (n == 0)
		return help_overview();
	c = cmd_find(word);
	if (c)
		return help_command(c);
	fail_set(&f, 0, "help, '%s': no such command", word);
	fail_hint(&f, "claude-sandbox help lists them");
	fail_print(&f);
	return EXIT_SANDBOX;
}

extern const struct cmd cmd_help;
const struct cmd cmd_help = {
	.name = "help",
	.args = "[COMMAND]",
	.summary = "this, or all about one command",
	.section = "set-up",
	.run = cmd_help_run,
};
