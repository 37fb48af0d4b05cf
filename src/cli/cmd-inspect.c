/* All that a running sandbox says of itself. */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "cli/args.h"
#include "cli/ctl.h"
#include "report/json.h"

static const struct cmd_option options[] = {
	{ "json", 0, NULL, "As JSON, whole." },
	{ 0 },
};

static void print_value(const char *prefix, struct json_object *v, int depth)
{
	const char *text = json_object_get_string(v);
	_cleanup_free_ char *shown = str_printable(text ? text : "", text ? strlen(text) : 0);

	(void)printf("%*s%s: %s\n", depth * 2, "", prefix, shown ? shown : "");
}

static void print_object(struct json_object *o, int depth)
{
	json_object_object_foreach(o, key, v) {
		if (json_object_is_type(v, json_type_object)) {
			(void)printf("%*s%s:\n", depth * 2, "", key);
			print_object(v, depth + 1);
		} else if (json_object_is_type(v, json_type_array)) {
			for (size_t i = 0; i < json_object_array_length(v); i++) {
				struct json_object *e = json_object_array_get_idx(v, i);

				if (!json_object_is_type(e, json_type_object)) {
					print_value(key, e, depth);
					continue;
				}
				(void)printf("%*s%s:\n", depth * 2, "", key);
				print_object(e, depth + 1);
			}
		} else if (v) {
			print_value(key, v, depth);
		}
	}
}

static int inspect(int argc, char **argv, struct fail *f)
{
	struct args a = ARGS_INIT(argc, argv, options);
	_cleanup_json_ struct json_object *o = NULL;
	_cleanup_free_ char *name = NULL;
	const char *word = NULL;
	bool json = false;
	int r;

	while ((r = args_next(&a, f)) != ARGS_END) {
		if (r < 0)
			return r;
		if (r == ARGS_WORD && word)
			return fail_set(f, 0, "inspect, '%s': one word too many", a.value);
		if (r == ARGS_WORD)
			word = a.value;
		else
			json = true;
	}
	r = ctl_resolve(word, &name, f);
	if (r == 0)
		r = ctl_info(name, &o, f);
	if (r < 0)
		return r;
	if (json)
		return json_print(o, true, stdout);
	print_object(o, 0);
	return 0;
}

static int cmd_inspect_run(int argc, char **argv)
{
	struct fail f = { 0 };

	if (inspect(argc, argv, &f) >= 0)
		return 0;
	fail_print(&f);
	return EXIT_SANDBOX;
}

extern const struct cmd cmd_inspect;
const struct cmd cmd_inspect = {
	.name = "inspect", .args = "[--json] [NAME]", .section = "sandboxes", .sandboxes = true,
	.summary = "show all about a running sandbox",
	.help = "Its project, processes, network, limits and sessions. What it is made of: claude-sandbox run --dry-run.",
	.options = options, .run = cmd_inspect_run,
};
