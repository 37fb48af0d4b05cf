/* Trust in a project's own file: shows what it asks for beyond what the user's configuration gives, and keeps the
 * answer. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cli/args.h"
#include "cli/here.h"
#include "cli/runopts.h"
#include "report/json.h"
#include "report/table.h"

enum { TRUST_YES, TRUST_LIST, TRUST_REVOKE, TRUST_HASH, TRUST_JSON };

static const struct cmd_option options[] = {
	[TRUST_YES] = { "yes", 'y', NULL, "Agrees without asking." },
	[TRUST_LIST] = { "list", 0, NULL, "Lists what is trusted." },
	[TRUST_REVOKE] = { "revoke", 0, NULL, "Trusts nothing of this project any more." },
	[TRUST_HASH] = { "hash", 0, NULL, "Prints the SHA-256 of the project's file, as --trust of run wants it." },
	[TRUST_JSON] = { "json", 0, NULL, "With --list: as JSON." },
	{ 0 },
};

struct list {
	struct table *t;
	struct json_object *json;
};

static int list_one(void *user, const char *repository, const char *hash, int64_t when)
{
	struct list *l = user;
	_cleanup_free_ char *time = report_time(when * 1000);
	struct json_object *o;

	if (!l->json)
		return table_add(l->t, repository, hash, time);
	o = json_object_new_object();
	if (!o)
		return -ENOMEM;
	json_put_str(o, "project", repository);
	json_put_str(o, "sha256", hash);
	json_put_int(o, "since", when);
	return json_push(l->json, o);
}

static int list(const char *dir, bool json, struct fail *f)
{
	_cleanup_table_ struct table *t = table_new((const char *const[]){ "PROJECT", "SHA-256", "SINCE", NULL });
	_cleanup_json_ struct json_object *array = json ? json_object_new_array() : NULL;
	struct list l = { .t = t, .json = array };
	int r;

	if (!t || (json && !array))
		return fail_set(f, ENOMEM, "trust");
	table_flexible(t, 1);
	r = config_trust_list(dir, list_one, &l, f);
	if (r < 0)
		return r;
	return json ? json_print(array, true, stdout) : table_rows(t) ? table_print(t, stdout) : 0;
}

static void print_lines(const char *heading, char *const *lines)
{
	if (!lines)
		return;
	(void)fprintf(stderr, "%s\n", heading);
	for (; *lines; lines++) {
		_cleanup_free_ char *s = str_printable(*lines, strlen(*lines));

		(void)fprintf(stderr, "  %s\n", s ? s : "?");
	}
}

static int ask(const struct config_files *files, bool yes, struct fail *f)
{
	_cleanup_review_ struct config_review rv = { 0 };
	const char *repository = files->repository;
	int r;

	r = config_review(files, &rv, f);
	if (r < 0)
		return r;
	if (!rv.hash)
		return fail_set(f, 0, "trust, '%s': there is no " CONFIG_PROJECT_FILE " here", files->project);
	print_lines("It gives the sandbox more than your configuration does:", rv.loosens);
	print_lines("It also tightens, which needs no trust:", rv.tightens);
	if (!rv.loosens) {
		(void)fprintf(stderr, "It asks for nothing that needs trust.\n");
		return 0;
	}
	if (rv.trusted) {
		(void)fprintf(stderr, "This content is trusted already.\n");
		return 0;
	}
	r = yes ? 1 : here_ask("Trust exactly this content of " CONFIG_PROJECT_FILE "?");
	if (r == -ENOTTY) {
		fail_set(f, 0, "trust, '%s': no terminal to ask on", files->project);
		fail_hint(f, "claude-sandbox trust --yes agrees; or, for one run: claude-sandbox run --trust %s",
			  rv.hash);
		return -EINVAL;
	}
	if (r == 0)
		return fail_set(f, 0, "trust, '%s': not given", files->project);
	r = config_trust_add(files->trust_dir, repository, rv.hash, f);
	if (r == 0)
		(void)fprintf(stderr, "Trusted: %s\n", rv.hash);
	return r;
}

static int hash(const struct config_files *files, struct fail *f)
{
	_cleanup_free_ char *hex = config_trust_hash(files);

	if (!hex)
		return fail_set(f, 0, "trust, '%s': there is no " CONFIG_PROJECT_FILE " here that can be read",
				files->project);
	(void)puts(hex);
	return 0;
}

static int revoke(const struct config_files *files, struct fail *f)
{
	int r = config_trust_remove(files->trust_dir, files->repository, f);

	if (r >= 0)
		(void)fprintf(stderr, r ? "Nothing of %s is trusted any more.\n" : "Nothing of %s was trusted.\n",
			      files->repository);
	return r;
}

static int trust(int argc, char **argv, struct fail *f)
{
	struct args a = ARGS_INIT(argc, argv, options);
	_cleanup_free_ char *project = NULL, *repository = NULL;
	_cleanup_runopts_files_ struct runopts_files files = { 0 };
	bool on[ARRAY_SIZE(options)] = { false };
	const char *dir = NULL;
	int r;

	while ((r = args_next(&a, f)) != ARGS_END) {
		if (r < 0)
			return r;
		if (r == ARGS_WORD && dir)
			return fail_set(f, 0, "trust, '%s': one word too many", a.value);
		if (r == ARGS_WORD)
			dir = a.value;
		else
			on[r] = true;
	}
	r = here_project(dir, &project, &repository, f);
	if (r == 0)
		r = runopts_files(project, repository, &files, f);
	if (r < 0)
		return r;
	if (on[TRUST_LIST])
		return list(files.files.trust_dir, on[TRUST_JSON], f);
	if (on[TRUST_REVOKE])
		return revoke(&files.files, f);
	if (on[TRUST_HASH])
		return hash(&files.files, f);
	return ask(&files.files, on[TRUST_YES], f);
}

static int cmd_trust_run(int argc, char **argv)
{
	struct fail f = { 0 };

	if (trust(argc, argv, &f) >= 0)
		return 0;
	fail_print(&f);
	return EXIT_SANDBOX;
}

extern const struct cmd cmd_trust;
const struct cmd cmd_trust = {
	.name = "trust",
	.args = "[--yes] [DIR]",
	.summary = "agree to what the project's own file asks for",
	.section = "policy",
	.help = "A project's own " CONFIG_PROJECT_FILE
		" may only tighten. What it asks for beyond that is refused until you have seen it and agreed to "
		"exactly that content. Trust is kept for the main repository, so that its worktrees share it; any change "
		"of the file ends it.",
	.options = options,
	.run = cmd_trust_run,
};
