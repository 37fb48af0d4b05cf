/* Shell completion, made from the tables: commands, their options and words, the options of run and the choices that
 * an option has. Names of sandboxes are those in the runtime directory. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cli/args.h"
#include "cli/runopts.h"

static const struct cmd_option *options_of(const struct cmd *c)
{
	return strcmp(c->name, "run") == 0 ? runopts_table() : c->options;
}

/* The choices of an option of run, or NULL. */
static const char *choices_of(const struct cmd_option *o)
{
	for (size_t i = 0; i < OPT__COUNT; i++)
		if (option_table[i].flag && strcmp(option_table[i].flag, o->name) == 0)
			return option_table[i].type == OPTION_ENUM ? option_table[i].choices : NULL;
	return NULL;
}

static bool takes_path(const struct cmd_option *o)
{
	return o->arg && (strstr(o->arg, "PATH") || strstr(o->arg, "FILE") || strstr(o->arg, "DIR"));
}

/* The first sentence, without what a shell would read in it. */
static void put_summary(const char *text)
{
	for (; *text; text++) {
		if ((*text == '.' || *text == ':' || *text == ';') && (text[1] == ' ' || !text[1]))
			return;
		(void)putchar(strchr("'\"\\[]:`$", *text) ? ' ' : *text);
	}
}

static void put_flags(const struct cmd *c)
{
	const struct cmd_option *o = options_of(c);

	if (!o && c->flags)
		(void)printf(" %s", c->flags);
	for (; o && o->name; o++) {
		(void)printf(" --%s", o->name);
		if (o->letter)
			(void)printf(" -%c", o->letter);
	}
}

static void put_words(const struct cmd *c)
{
	for (const char *const *w = c->words; w && *w; w++)
		(void)printf(" %s", *w);
	if (strcmp(c->name, "help") == 0)
		for (size_t i = 0; cmd_table[i]; i++)
			(void)printf(" %s", cmd_table[i]->name);
}

/* --- bash --- */

static void bash_values(void)
{
	(void)printf("\tcase $cmd:$prev in\n");
	for (size_t i = 0; cmd_table[i]; i++) {
		for (const struct cmd_option *o = options_of(cmd_table[i]); o && o->name; o++) {
			const char *choices = choices_of(o);

			if (!o->arg)
				continue;
			(void)printf("\t%s:--%s", cmd_table[i]->name, o->name);
			if (o->letter)
				(void)printf(" | %s:-%c", cmd_table[i]->name, o->letter);
			if (choices)
				(void)printf(") mapfile -t COMPREPLY < <(compgen -W '%s' -- \"$cur\"); return ;;\n",
					     choices);
			else if (takes_path(o))
				(void)printf(
					") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); return ;;\n");
			else
				(void)printf(") return ;;\n");
		}
	}
	(void)printf("\tesac\n");
}

static void bash(void)
{
	(void)printf(
		"# bash completion for claude-sandbox\n"
		"_claude_sandbox() {\n"
		"\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} cmd=run i flags='' words='' names=0 commands='");
	for (size_t i = 0; cmd_table[i]; i++)
		(void)printf("%s%s", i ? " " : "", cmd_table[i]->name);
	(void)printf(
		"'\n\tCOMPREPLY=()\n"
		"\t[[ $prev == = ]] && prev=${COMP_WORDS[COMP_CWORD-2]}\n"
		"\t[[ $cur == = ]] && cur=''\n"
		"\tif ((COMP_CWORD > 1)) && [[ \" $commands \" == *\" ${COMP_WORDS[1]} \"* ]]; then cmd=${COMP_WORDS[1]}; fi\n"
		"\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
		"\t\tif [[ ${COMP_WORDS[i]} == -- ]]; then\n"
		"\t\t\tif declare -F _command_offset >/dev/null; then _command_offset $((i + 1)); "
		"else compopt -o filenames; mapfile -t COMPREPLY < <(compgen -c -f -- \"$cur\"); fi\n"
		"\t\t\treturn\n"
		"\t\tfi\n"
		"\tdone\n");
	bash_values();
	(void)printf("\tcase $cmd in\n");
	for (size_t i = 0; cmd_table[i]; i++) {
		(void)printf("\t%s) flags='", cmd_table[i]->name);
		put_flags(cmd_table[i]);
		(void)printf(" --help' words='");
		put_words(cmd_table[i]);
		(void)printf("' names=%d ;;\n", cmd_table[i]->sandboxes);
	}
	(void)printf(
		"\tesac\n"
		"\tif [[ $cur == -* ]]; then mapfile -t COMPREPLY < <(compgen -W \"$flags\" -- \"$cur\"); return; fi\n"
		"\t((COMP_CWORD > 1)) || words+=\" $commands\"\n"
		"\tif ((names)); then\n"
		"\t\tfor i in \"${XDG_RUNTIME_DIR:-/run/user/$UID}\"/claude-sandbox/*/; do [[ -d $i ]] && i=${i%%/} && "
		"words+=\" ${i##*/}\"; done\n"
		"\tfi\n"
		"\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
		"}\n"
		"complete -o default -F _claude_sandbox claude-sandbox\n");
}

/* --- zsh --- */

static void zsh_option(const struct cmd_option *o)
{
	const char *choices = choices_of(o);

	for (int k = 0; k < 2; k++) {
		if (k && !o->letter)
			continue;
		(void)printf(" \\\n\t\t\t'*");
		if (k)
			(void)printf("-%c%s[", o->letter, o->arg ? "+" : "");
		else
			(void)printf("--%s%s[", o->name, o->arg ? "=" : "");
		put_summary(o->help);
		(void)printf("]");
		if (choices)
			(void)printf(":%s:(%s)", o->name, choices);
		else if (takes_path(o))
			(void)printf(":%s:_files", o->name);
		else if (o->arg)
			(void)printf(":%s: ", o->name);
		(void)printf("'");
	}
}

static void zsh(void)
{
	(void)printf("#compdef claude-sandbox\n"
		     "_claude_sandbox_names() {\n"
		     "\tlocal -a names\n"
		     "\tnames=(${XDG_RUNTIME_DIR:-/run/user/$UID}/claude-sandbox/*(N/:t))\n"
		     "\t_describe -t sandboxes sandbox names\n"
		     "}\n"
		     "_claude_sandbox() {\n"
		     "\tlocal -a commands\n"
		     "\tlocal cmd=run\n"
		     "\tcommands=(");
	for (size_t i = 0; cmd_table[i]; i++) {
		(void)printf("\n\t\t'%s:", cmd_table[i]->name);
		put_summary(cmd_table[i]->summary);
		(void)printf("'");
	}
	(void)printf(
		"\n\t)\n"
		"\tif ((CURRENT == 2)) && [[ $words[2] != -* ]]; then _describe -t commands command commands; return; fi\n"
		"\tif ((CURRENT > 2)) && ((${commands[(I)${words[2]}:*]})); then cmd=$words[2]; shift words; ((CURRENT--)); fi\n"
		"\tcase $cmd in\n");
	for (size_t i = 0; cmd_table[i]; i++) {
		const struct cmd *c = cmd_table[i];

		(void)printf("\t%s)\n\t\t_arguments -s -S '--help[help]'", c->name);
		for (const struct cmd_option *o = options_of(c); o && o->name; o++)
			zsh_option(o);
		if (c->words || strcmp(c->name, "help") == 0) {
			(void)printf(" \\\n\t\t\t'1:what:(");
			put_words(c);
			(void)printf(")'");
		}
		if (c->sandboxes)
			(void)printf(" \\\n\t\t\t'*:sandbox:_claude_sandbox_names'");
		else if (strcmp(c->name, "run") == 0)
			(void)printf(" \\\n\t\t\t'*::command:_normal'");
		(void)printf(" ;;\n");
	}
	(void)printf("\tesac\n"
		     "}\n"
		     "if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _claude_sandbox \"$@\"; "
		     "else compdef _claude_sandbox claude-sandbox; fi\n");
}

/* --- fish --- */

static void fish_option(const struct cmd *c, const struct cmd_option *o)
{
	const char *choices = choices_of(o);

	(void)printf("complete -c claude-sandbox -n '__claude_sandbox_is %s' -l %s", c->name, o->name);
	if (o->letter)
		(void)printf(" -s %c", o->letter);
	if (choices)
		(void)printf(" -x -a '%s'", choices);
	else if (takes_path(o))
		(void)printf(" -r -F");
	else if (o->arg)
		(void)printf(" -x");
	(void)printf(" -d '");
	put_summary(o->help);
	(void)printf("'\n");
}

static void fish(void)
{
	(void)printf("# fish completion for claude-sandbox\n"
		     "function __claude_sandbox_is\n"
		     "\tset -l words (commandline -opc)\n"
		     "\tcontains -- -- $words; and return 1\n"
		     "\tif set -q words[2]; and not string match -q -- '-*' $words[2]\n"
		     "\t\ttest $words[2] = $argv[1]\n"
		     "\telse\n"
		     "\t\ttest $argv[1] = run\n"
		     "\tend\n"
		     "end\n"
		     "function __claude_sandbox_names\n"
		     "\tset -l dir (set -q XDG_RUNTIME_DIR; and echo $XDG_RUNTIME_DIR; or echo /run/user/(id -u))\n"
		     "\tfor d in $dir/claude-sandbox/*/\n"
		     "\t\tbasename $d\n"
		     "\tend\n"
		     "end\n"
		     "complete -c claude-sandbox -f\n");
	for (size_t i = 0; cmd_table[i]; i++) {
		const struct cmd *c = cmd_table[i];

		(void)printf("complete -c claude-sandbox -n __fish_use_subcommand -a %s -d '", c->name);
		put_summary(c->summary);
		(void)printf("'\n");
		for (const struct cmd_option *o = options_of(c); o && o->name; o++)
			fish_option(c, o);
		if (c->words || strcmp(c->name, "help") == 0) {
			(void)printf("complete -c claude-sandbox -n '__claude_sandbox_is %s' -a '", c->name);
			put_words(c);
			(void)printf("'\n");
		}
		if (c->sandboxes)
			(void)printf(
				"complete -c claude-sandbox -n '__claude_sandbox_is %s' -a '(__claude_sandbox_names)'\n",
				c->name);
	}
}

static const char *const shells[] = { "bash", "zsh", "fish", NULL };

static int cmd_completion_run(int argc, char **argv)
{
	const char *word = NULL;
	struct fail f = { 0 };
	int n = args_words(argc, argv, &word, 1, &f);

	if (n == 1 && strcmp(word, "bash") == 0)
		bash();
	else if (n == 1 && strcmp(word, "zsh") == 0)
		zsh();
	else if (n == 1 && strcmp(word, "fish") == 0)
		fish();
	else if (n >= 0)
		fail_set(&f, 0, "completion, '%s': wants one of bash, zsh, fish", n ? word : "");
	if (f.msg[0]) {
		fail_print(&f);
		return EXIT_SANDBOX;
	}
	return ferror(stdout) ? EXIT_SANDBOX : 0;
}

extern const struct cmd cmd_completion;
const struct cmd cmd_completion = {
	.name = "completion",
	.args = "bash|zsh|fish",
	.summary = "print the completion of a shell",
	.section = "set-up",
	.help = "In ~/.bashrc: eval \"$(claude-sandbox completion bash)\". In ~/.zshrc, after compinit: eval "
		"\"$(claude-sandbox completion zsh)\". In ~/.config/fish/config.fish: claude-sandbox completion fish "
		"| source. An installed package brings them along.",
	.words = shells,
	.run = cmd_completion_run,
};
