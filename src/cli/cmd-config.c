/* The configuration as the user sees it: what holds and why, and changes to it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/args.h"
#include "cli/config-write.h"
#include "cli/here.h"
#include "cli/runopts.h"
#include "report/json.h"
#include "report/table.h"

enum { CONFIG_JSON, CONFIG_ALL, CONFIG_FOR_PROJECT, CONFIG_ADD, CONFIG_UNSET };

static const struct cmd_option options[] = {
	[CONFIG_JSON] = { "json", 0, NULL, "show, path: as JSON." },
	[CONFIG_ALL] = { "all", 0, NULL, "show: the built-in values too." },
	[CONFIG_FOR_PROJECT] = { "project", 0, NULL, "set: for this project alone, in its section." },
	[CONFIG_ADD] = { "add", 0, NULL, "set: adds to a list, instead of replacing what the file gives it." },
	[CONFIG_UNSET] = { "unset", 0, NULL, "set KEY: takes the setting out of the file." },
	{ 0 },
};

struct context {
	bool on[ARRAY_SIZE(options)];
	char *project, *repository;
	struct runopts_files files;
};

static int load(struct context *x, struct config **ret, struct fail *f)
{
	_cleanup_config_ struct config *c = config_new();
	int r = c ? config_load(c, &x->files.files, f) : fail_set(f, ENOMEM, "configuration");

	if (r == 0)
		*ret = TAKE_PTR(c);
	return r;
}

/* --- show --- */

static bool wanted(const struct config *c, enum option_id id, char *const *keys, bool all)
{
	if (keys)
		return strv_contains(keys, option_table[id].name);
	return all || config_origin(c, id, NULL) != CONFIG_BUILTIN;
}

static int show_text(const struct config *c, char *const *keys, bool all)
{
	_cleanup_table_ struct table *t = table_new((const char *const[]){ "KEY", "VALUE", "LAYER", "WHERE", NULL });

	if (!t)
		return -ENOMEM;
	table_flexible(t, 3);
	for (size_t i = 0; i < OPT__COUNT; i++) {
		enum option_id id = (enum option_id)i;
		const char *where, *layer = config_layer_name(config_origin(c, id, &where));
		char *const *list = option_is_list(&option_table[i]) ? config_list(c, id) : NULL;

		if (!wanted(c, id, keys, all))
			continue;
		if (!list)
			table_add(t, option_table[i].name, option_is_list(&option_table[i]) ? NULL : config_text(c, id),
				  layer, where);
		for (size_t k = 0; list && list[k]; k++) {
			layer = config_layer_name(config_entry_origin(c, id, k, &where));
			table_add(t, option_table[i].name, list[k], layer, where);
		}
	}
	return table_rows(t) ? table_print(t, stdout) : 0;
}

static struct json_object *origin_json(enum config_layer layer, const char *where)
{
	struct json_object *o = json_object_new_object();

	if (o) {
		json_put_str(o, "layer", config_layer_name(layer));
		json_put_str(o, "where", where);
	}
	return o;
}

static struct json_object *list_json(const struct config *c, enum option_id id)
{
	struct json_object *array = json_object_new_array();
	char *const *list = config_list(c, id);

	for (size_t i = 0; array && list && list[i]; i++) {
		const char *where;
		enum config_layer layer = config_entry_origin(c, id, i, &where);
		struct json_object *o = origin_json(layer, where);

		if (o)
			json_put_str(o, "value", list[i]);
		if (!o || json_push(array, o) < 0)
			break;
	}
	return array;
}

static int put_value(struct json_object *o, const struct config *c, enum option_id id)
{
	switch (option_table[id].type) {
	case OPTION_BOOL:
		return json_put_bool(o, "value", config_bool(c, id));
	case OPTION_INT:
	case OPTION_SIZE:
	case OPTION_DURATION:
		return config_is_set(c, id) ? json_put_u64(o, "value", config_num(c, id)) : json_put(o, "value", NULL);
	case OPTION_MILLI:
		return json_put(o, "value",
				config_is_set(c, id) ? json_object_new_double((double)config_num(c, id) / 1000) : NULL);
	default:
		return json_put_str(o, "value", config_text(c, id));
	}
}

/* {"key": {"value", "layer", "where"}}; lists: {"entries": [{"value", "layer", "where"}]}; sizes are bytes, times ms */
static int show_json(const struct config *c, char *const *keys, bool all)
{
	_cleanup_json_ struct json_object *root = json_object_new_object();

	for (size_t i = 0; root && i < OPT__COUNT; i++) {
		enum option_id id = (enum option_id)i;
		const char *where;
		enum config_layer layer = config_origin(c, id, &where);
		struct json_object *o;

		if (!wanted(c, id, keys, all))
			continue;
		o = origin_json(layer, where);
		if (!o)
			return -ENOMEM;
		if (option_is_list(&option_table[i]))
			json_put(o, "entries", list_json(c, id));
		else
			put_value(o, c, id);
		json_put(root, option_table[i].name, o);
	}
	return root ? json_print(root, true, stdout) : -ENOMEM;
}

static int check_key(const char *key, enum option_id *ret, struct fail *f)
{
	const char *near = option_nearest(key);

	if (option_find(key, ret))
		return 0;
	fail_set(f, 0, "config, '%s': unknown key", key);
	if (near)
		fail_hint(f, "did you mean '%s'?", near);
	return -EINVAL;
}

static int show(struct context *x, char **words, struct fail *f)
{
	_cleanup_config_ struct config *c = NULL;
	int r = 0;

	for (char **w = words; w && *w && r == 0; w++)
		r = check_key(*w, NULL, f);
	if (r == 0)
		r = load(x, &c, f);
	if (r < 0)
		return r;
	r = x->on[CONFIG_JSON] ? show_json(c, words, x->on[CONFIG_ALL]) : show_text(c, words, x->on[CONFIG_ALL]);
	return r < 0 ? fail_set(f, -r, "config, 'show'") : 0;
}

/* --- check, path --- */

static int check(struct context *x, char **words, struct fail *f)
{
	_cleanup_config_ struct config *c = NULL;
	int r;

	if (words) {
		x->files.files.user = words[0];
		x->files.files.user_required = true;
	}
	r = load(x, &c, f);
	if (r == 0)
		(void)puts("The configuration is in order.");
	return r;
}

static int path(struct context *x, char **words _unused_, struct fail *f)
{
	_cleanup_table_ struct table *t = table_new((const char *const[]){ "LAYER", "PATH", "THERE", NULL });
	_cleanup_free_ char *own = NULL;
	_cleanup_json_ struct json_object *array = json_object_new_array();
	const struct config_files *s = &x->files.files;

	if (!t || !array || asprintf(&own, "%s/" CONFIG_PROJECT_FILE, x->project) < 0)
		return fail_set(f, ENOMEM, "config, 'path'");
	const struct {
		enum config_layer layer;
		const char *path;
	} rows[] = { { CONFIG_SYSTEM, s->system },
		     { CONFIG_USER, s->user },
		     { CONFIG_DROPIN, s->dropins },
		     { CONFIG_PROJECT, own } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool there = access(rows[i].path, F_OK) == 0;
		struct json_object *o = json_object_new_object();

		table_add(t, config_layer_name(rows[i].layer), rows[i].path, there ? "yes" : "no");
		if (!o)
			return fail_set(f, ENOMEM, "config, 'path'");
		json_put_str(o, "layer", config_layer_name(rows[i].layer));
		json_put_str(o, "path", rows[i].path);
		json_put_bool(o, "exists", there);
		json_push(array, o);
	}
	return x->on[CONFIG_JSON] ? json_print(array, true, stdout) : table_print(t, stdout);
}

/* --- set, edit --- */

static int set(struct context *x, char **words, struct fail *f)
{
	struct config_write w = { .file = x->files.files.user, .project = x->project, .repository = x->repository };
	enum option_id id;
	int r;

	if (!words || (!words[1] && !x->on[CONFIG_UNSET]))
		return fail_set(f, 0, "config, 'set': wants KEY VALUE");
	r = check_key(words[0], &id, f);
	if (r < 0)
		return r;
	if (x->on[CONFIG_UNSET] && words[1])
		return fail_set(f, 0, "config, 'set': --unset takes no value");
	if (!option_is_list(&option_table[id]) && (x->on[CONFIG_ADD] || (words[1] && words[2])))
		return fail_set(f, 0, "config, '%s': not a list, takes one value", words[0]);
	w.name = words[0];
	w.values = words + 1;
	w.add = x->on[CONFIG_ADD];
	w.in_section = x->on[CONFIG_FOR_PROJECT];
	return config_write_set(&w, f);
}

static int edit(struct context *x, char **words _unused_, struct fail *f)
{
	return config_write_edit(x->files.files.user, f);
}

/* --- the command --- */

static const struct sub {
	const char *name;
	int max; /* words that may follow */
	int (*run)(struct context *x, char **words, struct fail *f);
} subs[] = {
	{ "show", OPT__COUNT, show }, { "check", 1, check }, { "set", 1000, set },
	{ "edit", 0, edit },	      { "path", 0, path },
};
static const char *const sub_names[] = { "show", "check", "set", "edit", "path", NULL };

static int find_sub(const char *name, const struct sub **ret, struct fail *f)
{
	const char *near = str_nearest(name, sub_names, ARRAY_SIZE(sub_names) - 1);

	for (size_t i = 0; i < ARRAY_SIZE(subs); i++) {
		if (strcmp(subs[i].name, name))
			continue;
		*ret = &subs[i];
		return 0;
	}
	fail_set(f, 0, "config, '%s': no such thing to do", name);
	fail_hint(f, "one of: show check set edit path%s%s%s", near ? " (did you mean '" : "", near ? near : "",
		  near ? "'?)" : "");
	return -EINVAL;
}

static int config(int argc, char **argv, struct context *x, struct fail *f)
{
	struct args a = ARGS_INIT(argc, argv, options);
	_cleanup_strv_ char **words = NULL;
	const struct sub *sub;
	int r;

	while ((r = args_next(&a, f)) != ARGS_END) {
		if (r < 0)
			return r;
		if (r != ARGS_WORD)
			x->on[r] = true;
		else if (strv_add(&words, a.value) < 0)
			return fail_set(f, ENOMEM, "config");
	}
	r = find_sub(words ? words[0] : "show", &sub, f);
	if (r < 0)
		return r;
	if (words && strv_len(words) > (size_t)sub->max + 1)
		return fail_set(f, 0, "config %s, '%s': one word too many", sub->name, words[sub->max + 1]);
	r = here_project(NULL, &x->project, &x->repository, f);
	if (r == 0)
		r = runopts_files(x->project, x->repository, &x->files, f);
	return r < 0 ? r : sub->run(x, words && words[1] ? words + 1 : NULL, f);
}

static int cmd_config_run(int argc, char **argv)
{
	struct context x = { 0 };
	struct fail f = { 0 };
	int r = config(argc, argv, &x, &f);

	runopts_files_done(&x.files);
	free(x.project);
	free(x.repository);
	if (r >= 0)
		return 0;
	fail_print(&f);
	return EXIT_SANDBOX;
}

extern const struct cmd cmd_config;
const struct cmd cmd_config = {
	.name = "config",
	.args = "show [KEY...] | check [FILE] | set KEY VALUE... | edit | path",
	.summary = "see and change the configuration",
	.section = "set-up",
	.help = "show: what holds in this directory, each value with the layer, file and line that it came from. "
		"check: reads every file and says what is wrong. set: changes one setting in your file, and leaves "
		"its comments and order alone. edit: opens it in $VISUAL or $EDITOR, and takes it only when it is in "
		"order. path: where the files are.",
	.options = options,
	.words = sub_names,
	.run = cmd_config_run,
};
