/* Makes room, and never at a home's cost. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "audit/audit.h"
#include "base/path.h"
#include "base/str.h"
#include "cli/args.h"
#include "cli/disk.h"
#include "cli/here.h"
#include "cli/runopts.h"
#include "report/table.h"
#include "supervisor/name.h"

enum { PRUNE_YES, PRUNE_OLDER, PRUNE_DRY };

static const struct cmd_option options[] = {
	[PRUNE_YES] = { "yes", 'y', NULL, "Does not ask before old quarantine and old copies are deleted." },
	[PRUNE_OLDER] = { "older-than", 0, "TIME",
			  "What old means for the quarantine, for copies of projects, and for corrupted databases moved aside (default: 30d)." },
	[PRUNE_DRY] = { "dry-run", 0, NULL, "Only says what would be done." },
	{ 0 },
};

struct prune {
	uint64_t age_ms;
	bool yes, dry;
};

/* Old things of the quarantine are files of the user's project: DIR/NAME/ENTRY. The copies of a sandbox that runs are
 * in use. */
static int old_things(const struct disk *d, int64_t before, char *const *running, char ***ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < d->nitems; i++) {
		const struct disk_item *it = &d->items[i];

		if (it->newest >= before)
			continue;
		if (it->kind == DISK_QUARANTINE || (it->kind == DISK_COPY && !strv_contains(running, it->name)) ||
		    (it->kind == DISK_AUDIT && str_startswith(it->name, "audit.db.corrupt-")))
			r = strv_add(ret, it->path);
	}
	return r;
}

static int delete_old(const struct prune *p, struct fail *f)
{
	int64_t before = (int64_t)time(NULL) * 1000 - (int64_t)p->age_ms;
	_cleanup_disk_ struct disk d = { 0 };
	_cleanup_strv_ char **old = NULL, **running = NULL;
	_cleanup_free_ char *age = report_span(p->age_ms);
	int r = disk_survey(&d, f);

	if (r < 0)
		return r;
	r = name_list(&running, f);
	if (r < 0)
		return r;
	if (old_things(&d, before, running, &old) < 0)
		return fail_set(f, ENOMEM, "prune");
	if (!old)
		return 0;
	(void)printf("unchanged for %s:\n", age ? age : "long");
	for (char **path = old; *path; path++) {
		_cleanup_free_ char *size = report_bytes(disk_usage(*path));
		_cleanup_free_ char *name = str_printable(*path, strlen(*path));

		(void)printf("  %10s  %s\n", size ? size : "", name ? name : "");
	}
	(void)fflush(stdout);
	if (p->dry)
		return 0;
	r = p->yes ? 1 : here_ask("Delete them?");
	if (r == -ENOTTY) {
		(void)fail_set(f, 0, "prune: no terminal to ask on");
		fail_hint(f, "claude-sandbox prune --yes deletes what is listed");
		return -EINVAL;
	}
	for (char **path = old; r == 1 && *path; path++) {
		int k = path_remove_tree(AT_FDCWD, *path);

		if (k < 0)
			return fail_set(f, -k, "cannot remove '%s'", *path);
	}
	return 0;
}

/* audit.keep of the user's own configuration. */
static int keep_days(unsigned *ret, struct fail *f)
{
	_cleanup_runopts_files_ struct runopts_files files = { 0 };
	_cleanup_config_ struct config *c = config_new();
	int r = c ? runopts_files("/", NULL, &files, f) : fail_set(f, ENOMEM, "prune");

	if (r == 0)
		r = config_load(c, &files.files, f);
	if (r == 0)
		*ret = (unsigned)config_num(c, OPT_AUDIT_KEEP);
	return r;
}

static int expire(const struct prune *p, struct fail *f)
{
	_cleanup_free_ char *path = NULL;
	struct audit *a = NULL;
	unsigned days = 90;
	int r = audit_path(0, &path);

	if (r < 0 || access(path, F_OK) < 0)
		return 0;
	r = keep_days(&days, f);
	if (r < 0)
		return r;
	if (p->dry) {
		(void)printf("audit: what is older than %u days\n", days);
		return 0;
	}
	r = audit_open_at(path, &a, f);
	if (r < 0)
		return r;
	r = audit_expire(a, days);
	audit_close(a);
	return r < 0 ? fail_set(f, -r, "cannot delete old records from the audit database") : 0;
}

static int prune(int argc, char **argv, struct fail *f)
{
	struct args a = ARGS_INIT(argc, argv, options);
	struct prune p = { .age_ms = 30ULL * 86400000 };
	_cleanup_strv_ char **names = NULL;
	int r;

	while ((r = args_next(&a, f)) != ARGS_END) {
		if (r < 0)
			return r;
		if (r == ARGS_WORD)
			return fail_set(f, 0, "prune, '%s': takes no words", a.value);
		if (r == PRUNE_OLDER && str_to_duration(a.value, &p.age_ms) < 0)
			return fail_set(f, 0, "prune --older-than, '%s': not a time (30d, 12h)", a.value);
		p.yes = p.yes || r == PRUNE_YES;
		p.dry = p.dry || r == PRUNE_DRY;
	}
	r = p.dry ? 0 : name_list(&names, f); /* clears away what killed supervisors left */
	if (r >= 0)
		r = expire(&p, f);
	return r < 0 ? r : delete_old(&p, f);
}

static int cmd_prune_run(int argc, char **argv)
{
	struct fail f = { 0 };

	if (prune(argc, argv, &f) >= 0)
		return 0;
	fail_print(&f);
	return EXIT_SANDBOX;
}

extern const struct cmd cmd_prune;
const struct cmd cmd_prune = {
	.name = "prune",
	.args = "[--yes] [--older-than TIME] [--dry-run]",
	.section = "sandboxes",
	.summary = "delete what nobody needs any more; never a home",
	.help = "Runtime directories of sandboxes that were killed, audit records older than audit.keep, and, after "
		"asking, what has lain in the quarantine for a month, and copies of projects (project-mode copy) of names that have not been "
		"started for as long.",
	.options = options,
	.run = cmd_prune_run,
};
