/* The running sandboxes. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/str.h"
#include "cli/args.h"
#include "cli/ctl.h"
#include "report/json.h"
#include "report/table.h"
#include "supervisor/name.h"

enum { LS_JSON, LS_QUIET };

static const struct cmd_option options[] = {
	[LS_JSON] = { "json", 0, NULL, "As JSON." },
	[LS_QUIET] = { "quiet", 'q', NULL, "Names only." },
	{ 0 },
};

static size_t live_sessions(struct json_object *info)
{
	struct json_object *v;
	size_t n = 0;

	if (!json_object_object_get_ex(info, "sessions", &v) || !json_object_is_type(v, json_type_array))
		return 0;
	for (size_t i = 0; i < json_object_array_length(v); i++)
		n += !str_eq(json_get_str(json_object_array_get_idx(v, i), "state"), "exited");
	return n;
}

static int add(struct table *t, struct json_object *o)
{
	int64_t started = json_get_int(o, "started", 0), now = (int64_t)time(NULL) * 1000;
	_cleanup_free_ char *age = report_span((uint64_t)(started && started < now ? now - started : 0));
	char sessions[32], clients[32];

	(void)snprintf(sessions, sizeof(sessions), "%zu", live_sessions(o));
	(void)snprintf(clients, sizeof(clients), "%lld", (long long)json_get_int(o, "clients", 0));
	return table_add(t, json_get_str(o, "name"), json_get_str(o, "state"), json_get_str(o, "net"), sessions, clients, age,
			 json_get_str(o, "project"));
}

static int show(char *const *names, const bool on[2], struct fail *f)
{
	_cleanup_table_ struct table *t =
		table_new((const char *const[]){ "NAME", "STATE", "NETWORK", "SESSIONS", "CLIENTS", "AGE", "PROJECT", NULL });
	_cleanup_json_ struct json_object *list = json_object_new_array();

	if (!t || !list)
		return fail_set(f, ENOMEM, "ls");
	table_flexible(t, 6);
	for (; names && *names; names++) {
		_cleanup_json_ struct json_object *o = NULL;
		if (ctl_info(*names, &o, NULL) == -ESRCH)
			continue;
		/* Its command has ended, and its client has been told: nobody's sandbox any more. */
		if (o && str_eq(json_get_str(o, "state"), "ending"))
			continue;
		if (!o) {
			o = json_object_new_object();
			json_put_str(o, "name", *names);
			json_put_str(o, "state", "silent");
		}
		if (on[LS_QUIET])
			(void)puts(*names);
		else if (on[LS_JSON])
			json_push(list, json_object_get(o));
		else if (add(t, o) < 0)
			return fail_set(f, ENOMEM, "ls");
	}
	if (on[LS_JSON])
		return json_print(list, true, stdout);
	return table_rows(t) ? table_print(t, stdout) : 0;
}

static int ls(int argc, char **argv, struct fail *f)
{
	struct args a = ARGS_INIT(argc, argv, options);
	_cleanup_strv_ char **names = NULL;
	bool on[2] = { false };
	int r;

	while ((r = args_next(&a, f)) != ARGS_END) {
		if (r < 0)
			return r;
		if (r == ARGS_WORD)
			return fail_set(f, 0, "ls, '%s': takes no words", a.value);
		on[r] = true;
	}
	r = name_list(&names, f);
	return r < 0 ? r : show(names, on, f);
}

static int cmd_ls_run(int argc, char **argv)
{
	struct fail f = { 0 };

	if (ls(argc, argv, &f) >= 0)
		return 0;
	fail_print(&f);
	return EXIT_SANDBOX;
}

extern const struct cmd cmd_ls;
const struct cmd cmd_ls = {
	.name = "ls", .args = "[--json]", .section = "sandboxes", .summary = "list the running sandboxes",
	.help = "Each with its network, its running sessions, the terminals that show them, its age and its project.",
	.options = options, .run = cmd_ls_run,
};
