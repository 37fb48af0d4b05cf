/* The processes of a running sandbox. */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "cli/args.h"
#include "cli/ctl.h"
#include "report/json.h"
#include "report/table.h"
#include "wire/control.h"

#define COLUMNS 7 /* "pid\tppid\tstate\trss-kB\tcpu-ms\tsession\tcommand" (wire/inner.h) */

static const struct cmd_option options[] = {
	{ "json", 0, NULL, "As JSON." },
	{ 0 },
};

/* Cuts a line into its columns in place; the last keeps its tabs. False where columns are missing. */
static bool cut(char *line, char *cells[COLUMNS])
{
	for (size_t i = 0; i < COLUMNS; i++) {
		cells[i] = line;
		if (i == COLUMNS - 1)
			return true;
		line = strchr(line, '\t');
		if (!line)
			return false;
		*line++ = 0;
	}
	return true;
}

static int64_t number(const char *s)
{
	uint64_t v;

	return str_to_u64(s, &v) == 0 ? (int64_t)v : 0;
}

static int add(struct table *t, struct json_object *list, char *cells[COLUMNS])
{
	struct json_object *o;
	_cleanup_free_ char *rss = NULL, *cpu = NULL;

	if (list) {
		o = json_object_new_object();
		json_put_int(o, "pid", number(cells[0]));
		json_put_int(o, "ppid", number(cells[1]));
		json_put_str(o, "state", cells[2]);
		json_put_int(o, "rss_kb", number(cells[3]));
		json_put_int(o, "cpu_ms", number(cells[4]));
		json_put_int(o, "session", number(cells[5]));
		json_put_str(o, "command", cells[6]);
		return json_push(list, o);
	}
	rss = report_bytes((uint64_t)number(cells[3]) * 1024);
	cpu = report_span((uint64_t)number(cells[4]));
	return table_add(t, cells[0], cells[1], cells[2], rss, cpu, cells[5], cells[6]);
}

static int ps(int argc, char **argv, struct fail *f)
{
	struct args a = ARGS_INIT(argc, argv, options);
	_cleanup_table_ struct table *t =
		table_new((const char *const[]){ "PID", "PPID", "STATE", "MEMORY", "CPU", "SESSION", "COMMAND", NULL });
	_cleanup_free_ struct ctl_msg *msg = malloc(sizeof(*msg));
	_cleanup_json_ struct json_object *list = NULL;
	_cleanup_strv_ char **lines = NULL;
	_cleanup_free_ char *name = NULL;
	const char *word = NULL;
	int r;

	while ((r = args_next(&a, f)) != ARGS_END) {
		if (r < 0)
			return r;
		if (r == ARGS_WORD && word)
			return fail_set(f, 0, "ps, '%s': one word too many", a.value);
		if (r == ARGS_WORD)
			word = a.value;
		else if (!list)
			list = json_object_new_array();
	}
	r = ctl_resolve(word, &name, f);
	if (r == 0 && (!t || !msg))
		r = fail_set(f, ENOMEM, "ps");
	if (r == 0)
		r = ctl_ask_type(name, CONTROL_PS, CONTROL_PS_IS, msg, f);
	if (r == 0)
		r = ipc_get_strv(&msg->m, CONTROL_F_PROC, &lines);
	if (r < 0)
		return r;
	table_flexible(t, COLUMNS - 1);
	for (char **l = lines; l && *l; l++) {
		char *cells[COLUMNS];

		if (cut(*l, cells) && add(t, list, cells) < 0)
			return fail_set(f, ENOMEM, "ps");
	}
	return list ? json_print(list, true, stdout) : table_print(t, stdout);
}

static int cmd_ps_run(int argc, char **argv)
{
	struct fail f = { 0 };

	if (ps(argc, argv, &f) >= 0)
		return 0;
	fail_print(&f);
	return EXIT_SANDBOX;
}

extern const struct cmd cmd_ps;
const struct cmd cmd_ps = {
	.name = "ps", .args = "[--json] [NAME]", .section = "sandboxes", .sandboxes = true,
	.summary = "list the processes of a running sandbox",
	.help = "Process numbers are those that programs inside see. SESSION is the session that a process belongs to.",
	.options = options, .run = cmd_ps_run,
};
