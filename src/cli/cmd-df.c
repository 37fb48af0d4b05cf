/* How much room everything takes. */
#include <errno.h>

#include "base/str.h"
#include "cli/args.h"
#include "cli/disk.h"
#include "report/json.h"
#include "report/table.h"

enum { DF_JSON };

static const struct cmd_option options[] = {
	[DF_JSON] = { "json", 0, NULL, "As JSON, in bytes." },
	{ 0 },
};

static int print_as_json(const struct disk *d)
{
	_cleanup_json_ struct json_object *list = json_object_new_array();

	for (size_t i = 0; list && i < d->nitems; i++) {
		struct json_object *o = json_object_new_object();

		if (!o)
			return -ENOMEM;
		json_put_str(o, "kind", disk_kind_name(d->items[i].kind));
		json_put_str(o, "name", d->items[i].name);
		json_put_u64(o, "bytes", d->items[i].bytes);
		json_put_str(o, "path", d->items[i].path);
		json_put_str(o, "project", d->items[i].owner);
		json_push(list, o);
	}
	return list ? json_print(list, true, stdout) : -ENOMEM;
}

static int print_as_table(const struct disk *d)
{
	_cleanup_table_ struct table *t =
		table_new((const char *const[]){ "WHAT", "NAME", "SIZE", "PROJECT", "WHERE", NULL });
	_cleanup_free_ char *sum = NULL;
	uint64_t total = 0;

	if (!t)
		return -ENOMEM;
	table_align_right(t, 2);
	table_flexible(t, 4);
	for (size_t i = 0; i < d->nitems; i++) {
		_cleanup_free_ char *size = report_bytes(d->items[i].bytes);

		total += d->items[i].bytes;
		if (!size || table_add(t, disk_kind_name(d->items[i].kind), d->items[i].name, size, d->items[i].owner,
				       d->items[i].path) < 0)
			return -ENOMEM;
	}
	sum = report_bytes(total);
	if (!sum || table_add(t, "total", "", sum, "", "") < 0)
		return -ENOMEM;
	return table_print(t, stdout);
}

static int cmd_df_run(int argc, char **argv)
{
	struct args a = ARGS_INIT(argc, argv, options);
	_cleanup_disk_ struct disk d = { 0 };
	struct fail f = { 0 };
	bool json = false;
	int r;

	while ((r = args_next(&a, &f)) != ARGS_END && r >= 0) {
		if (r == ARGS_WORD)
			r = fail_set(&f, 0, "df, '%s': takes no words", a.value);
		if (r < 0)
			break;
		json = true;
	}
	if (r == ARGS_END)
		r = disk_survey(&d, &f);
	if (r == 0) {
		r = json ? print_as_json(&d) : print_as_table(&d);
		if (r < 0)
			(void)fail_set(&f, -r, "df");
	}
	if (r >= 0)
		return 0;
	fail_print(&f);
	return EXIT_SANDBOX;
}

extern const struct cmd cmd_df;
const struct cmd cmd_df = {
	.name = "df",
	.args = "[--json]",
	.section = "sandboxes",
	.summary = "how much room homes, copies, audit and quarantine take",
	.help = "One line for each home, with its project, and for what else claude-sandbox keeps. claude-sandbox "
		"prune makes room; claude-sandbox home rm deletes a home.",
	.options = options,
	.run = cmd_df_run,
};
