/* Back to a machine on which claude-sandbox never ran. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "cli/args.h"
#include "cli/disk.h"
#include "cli/here.h"
#include "report/table.h"
#include "supervisor/name.h"

enum { RESET_YES, RESET_HOMES, RESET_CONFIG };

static const struct cmd_option options[] = {
	[RESET_YES] = { "yes", 'y', NULL,
			"Does not ask. Together with --homes: deletes the homes, too, without asking." },
	[RESET_HOMES] = { "homes", 0, NULL,
			  "The homes and the copies of projects, too: everything the agents keep there is gone. Asks for the word "
			  "\"homes\"." },
	[RESET_CONFIG] = { "config", 0, NULL, "Your configuration, too." },
	{ 0 },
};

struct reset {
	bool yes, homes, config;
};

/* Asks for a word to be typed; 1 where it was. */
static int ask_word(const char *question, const char *word)
{
	_cleanup_free_ char *line = NULL;
	size_t cap = 0;

	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return -ENOTTY;
	(void)fprintf(stderr, "%s ", question);
	if (getline(&line, &cap, stdin) <= 0)
		return 0;
	line[strcspn(line, "\r\n")] = 0;
	return strcmp(line, word) == 0;
}

static int agree(const struct reset *q, struct fail *f)
{
	_cleanup_disk_ struct disk d = { 0 };
	uint64_t bytes = 0;
	size_t n = 0;
	int r = disk_survey(&d, f);

	if (r < 0 || q->yes)
		return r;
	r = here_ask("Stop every sandbox of yours, and remove audit, quarantine, trust and caches?");
	if (r == 1 && q->homes) {
		_cleanup_free_ char *size = NULL, *question = NULL;

		for (size_t i = 0; i < d.nitems; i++) {
			bool kept = d.items[i].kind == DISK_HOME || d.items[i].kind == DISK_COPY;

			bytes += kept ? d.items[i].bytes : 0;
			n += d.items[i].kind == DISK_HOME;
		}
		size = report_bytes(bytes);
		if (asprintf(&question, "This deletes %zu home%s and all copies of projects (%s) for good. Type \"homes\" to go on:", n,
			     n == 1 ? "" : "s", size ? size : "?") < 0)
			return fail_set(f, ENOMEM, "reset");
		r = ask_word(question, "homes");
	}
	if (r == -ENOTTY) {
		(void)fail_set(f, 0, "reset: no terminal to ask on");
		fail_hint(f, "claude-sandbox reset --yes does it without asking");
		return -EINVAL;
	}
	return r == 1 ? 0 : fail_set(f, ECANCELED, "reset");
}

/* Every running sandbox is stopped by this program's own `stop`. */
static int stop_all(struct fail *f)
{
	static char stop[] = "stop", all[] = "--all";
	char *argv[] = { stop, all, NULL };
	_cleanup_strv_ char **names = NULL;
	const struct cmd *c = cmd_find(stop);
	int r = name_list(&names, f);

	if (r < 0 || !names)
		return r;
	if (!c || c->run(2, argv) != 0)
		return fail_set(f, EBUSY, "reset: not every sandbox has stopped");
	return 0;
}

/* Removes top whole, or all of it but the entries of keep. */
static int remove_tree(const char *top, char *const *keep, struct fail *f)
{
	DIR *d = keep ? opendir(top) : NULL;
	int r = 0;

	if (!keep) {
		r = path_remove_tree(AT_FDCWD, top);
		return r < 0 ? fail_set(f, -r, "cannot remove '%s'", top) : 0;
	}
	for (const struct dirent *e; d && (e = readdir(d));) {
		int k;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || strv_contains(keep, e->d_name))
			continue;
		k = path_remove_tree(dirfd(d), e->d_name);
		if (k < 0 && r == 0)
			r = fail_set(f, -k, "cannot remove '%s/%s'", top, e->d_name);
	}
	if (d)
		closedir(d);
	return r;
}

static int remove_all(const struct reset *q, struct fail *f)
{
	static char homes[] = "homes", copies[] = "copies";
	char *const keep[] = { homes, copies, NULL };
	static const enum path_xdg kinds[] = { PATH_RUNTIME, PATH_STATE, PATH_DATA, PATH_CONFIG };
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(kinds); i++) {
		_cleanup_free_ char *top = NULL;

		if (kinds[i] == PATH_CONFIG && !q->config)
			continue;
		r = path_xdg(kinds[i], &top);
		if (r < 0)
			return fail_set(f, -r, "reset: cannot tell where claude-sandbox's directories are");
		r = remove_tree(top, kinds[i] == PATH_DATA && !q->homes ? keep : NULL, f);
	}
	return r;
}

static int reset(int argc, char **argv, struct fail *f)
{
	struct args a = ARGS_INIT(argc, argv, options);
	struct reset q = { 0 };
	int r;

	while ((r = args_next(&a, f)) != ARGS_END) {
		if (r < 0)
			return r;
		if (r == ARGS_WORD)
			return fail_set(f, 0, "reset, '%s': takes no words", a.value);
		q.yes = q.yes || r == RESET_YES;
		q.homes = q.homes || r == RESET_HOMES;
		q.config = q.config || r == RESET_CONFIG;
	}
	r = agree(&q, f);
	if (r == 0)
		r = stop_all(f);
	return r < 0 ? r : remove_all(&q, f);
}

static int cmd_reset_run(int argc, char **argv)
{
	struct fail f = { 0 };

	if (reset(argc, argv, &f) >= 0)
		return 0;
	fail_print(&f);
	return EXIT_SANDBOX;
}

extern const struct cmd cmd_reset;
const struct cmd cmd_reset = {
	.name = "reset",
	.args = "[--yes] [--homes] [--config]",
	.section = "set-up",
	.summary = "stop everything and remove what claude-sandbox keeps",
	.help = "Stops every sandbox of yours, and removes the runtime directory, the audit, the quarantine, trust, "
		"tokens that login kept, private copies and caches. Homes and copies of projects stay unless --homes, configuration unless "
		"--config: with both, nothing of claude-sandbox is left but the program.",
	.options = options,
	.run = cmd_reset_run,
};
