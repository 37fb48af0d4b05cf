/* A configuration as values: each option with what it is and where that came from. Layers are applied in order by
 * config_set; nothing here reads files. */
#include "policy/config.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "policy/config-internal.h"

static void entry_free(struct config_entry *e)
{
	free(e->text);
	free(e->where);
}

static void value_done(struct config_value *v)
{
	for (size_t i = 0; i < v->nentries; i++)
		entry_free(&v->entries[i]);
	free(v->entries);
	free(v->list);
	free(v->text);
	free(v->where);
	*v = (struct config_value){ 0 };
}

/* The vector that config_list gives, made anew after each change. */
static int value_index(struct config_value *v)
{
	char **list;

	if (!v->nentries) {
		free(v->list);
		v->list = NULL;
		return 0;
	}
	list = reallocarray(v->list, v->nentries + 1, sizeof(char *));
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < v->nentries; i++)
		list[i] = v->entries[i].text;
	list[v->nentries] = NULL;
	v->list = list;
	return 0;
}

static int entry_add(struct config_value *v, enum config_layer layer, const char *where, const char *text)
{
	struct config_entry *p = reallocarray(v->entries, v->nentries + 1, sizeof(*p)), e = { .layer = layer };

	if (!p)
		return -ENOMEM;
	v->entries = p;
	e.text = strdup(text);
	e.where = strdup(where);
	if (!e.text || !e.where) {
		entry_free(&e);
		return -ENOMEM;
	}
	p[v->nentries++] = e;
	return 0;
}

static void entry_remove(struct config_value *v, const char *text)
{
	size_t k = 0;

	for (size_t i = 0; i < v->nentries; i++) {
		if (strcmp(v->entries[i].text, text) == 0)
			entry_free(&v->entries[i]);
		else
			v->entries[k++] = v->entries[i];
	}
	v->nentries = k;
}

static bool choice_index(const char *choices, const char *word, size_t *ret)
{
	_cleanup_strv_ char **v = NULL;

	if (strv_split(choices, " ", &v) < 0)
		return false;
	for (size_t i = 0; v && v[i]; i++) {
		if (strcmp(v[i], word))
			continue;
		*ret = i;
		return true;
	}
	return false;
}

/* What a value is being read for, for the messages. */
struct at {
	const struct option_def *o;
	enum config_layer layer;
	const char *where;
	const char *home;
	struct fail *f;
};

/* "configuration, 'file:3': limits.memory = 8X: why", and for the command line "option, '--memory': ..." */
static int refuse(const struct at *at, const char *value, const char *why)
{
	return fail_set(at->f, 0, "%s, '%s': %s = %s: %s", at->layer == CONFIG_COMMAND ? "option" : "configuration",
			at->where, at->o->name, value, why);
}

static int read_choice(const struct at *at, const char *value)
{
	_cleanup_strv_ char **v = NULL;
	const char *near;
	size_t i;

	if (choice_index(at->o->choices, value, &i))
		return 0;
	refuse(at, value, "no such choice");
	if (strv_split(at->o->choices, " ", &v) == 0) {
		near = str_nearest(value, (const char *const *)v, strv_len(v));
		fail_hint(at->f, "one of: %s%s%s%s", at->o->choices, near ? " (did you mean '" : "", near ? near : "",
			  near ? "'?)" : "");
	}
	return -EINVAL;
}

static int read_path(const struct at *at, const char *value, char **ret)
{
	_cleanup_free_ char *expanded = NULL, *cwd = NULL, *joined = NULL;
	const char *home = at->home ? at->home : path_home();
	int r;

	r = path_expand(value, home ? home : "/", &expanded);
	if (r == -EINVAL) {
		refuse(at, value, "cannot be expanded");
		fail_hint(
			at->f,
			"~, $HOME, $XDG_CONFIG_HOME, $XDG_DATA_HOME, $XDG_STATE_HOME, $XDG_RUNTIME_DIR expand");
		return r;
	}
	if (r < 0)
		return r;
	if (!path_is_absolute(expanded) && at->o->type != OPTION_NAMES) {
		if (at->layer != CONFIG_COMMAND) {
			refuse(at, value, "not an absolute path");
			fail_hint(at->f, "begin it with '/' or '~/'");
			return -EINVAL;
		}
		cwd = getcwd(NULL, 0);
		if (!cwd)
			return fail_set(at->f, errno, "option, '%s': the working directory", at->where);
		joined = path_join(cwd, expanded);
		if (!joined)
			return -ENOMEM;
		free(expanded);
		expanded = TAKE_PTR(joined);
	}
	*ret = path_normalize(expanded);
	return *ret ? 0 : -ENOMEM;
}

/* One entry of a list, in the form it is kept in. */
static int read_entry(const struct at *at, const char *value, char **ret)
{
	const char *why = at->o->check ? at->o->check(value) : NULL;
	int r;

	if (why)
		return refuse(at, value, why);
	if (at->o->choices) {
		r = read_choice(at, value);
		if (r < 0)
			return r;
	}
	if (at->o->type == OPTION_PATHS || at->o->type == OPTION_NAMES)
		return read_path(at, value, ret);
	*ret = strdup(value);
	return *ret ? 0 : -ENOMEM;
}

static int add_entry(const struct at *at, struct config_value *v, const char *word)
{
	bool out = word[0] == '!';
	_cleanup_free_ char *text = NULL;
	int r;

	r = read_entry(at, out ? word + 1 + strspn(word + 1, " \t") : word, &text);
	if (r < 0)
		return r;
	if (out || at->o->type == OPTION_PATHS || at->o->type == OPTION_NAMES)
		entry_remove(v, text);
	return out ? 0 : entry_add(v, at->layer, at->where, text);
}

static int apply_list(const struct at *at, struct config_value *v, const char *value)
{
	_cleanup_strv_ char **words = NULL;
	int r;

	/* whole lines are whole: only the table's own defaults hold several (a path or variable may have newlines) */
	r = strv_split(value, at->o->type == OPTION_LIST ? " \t\n" : at->layer == CONFIG_BUILTIN ? "\n" : "", &words);
	if (r < 0)
		return r;
	if (!words) {
		while (v->nentries)
			entry_free(&v->entries[--v->nentries]);
	}
	for (char **w = words; w && *w; w++) {
		r = add_entry(at, v, *w);
		if (r < 0)
			return r;
	}
	return value_index(v);
}

static int read_milli(const char *s, uint64_t *ret)
{
	char *end;
	double d;

	if (s[strspn(s, "0123456789.")] || !*s)
		return -EINVAL;
	d = strtod(s, &end);
	if (*end || !(d < 1e9))
		return -EINVAL;
	*ret = (uint64_t)llround(d * 1000);
	return 0;
}

static int read_number(const struct at *at, const char *value, uint64_t *ret)
{
	static const char *const forms[] = {
		[OPTION_BOOL] = "neither yes nor no",	       [OPTION_INT] = "not a whole number",
		[OPTION_SIZE] = "not a size like 512M or 8G",  [OPTION_DURATION] = "not a time like 90s, 5m or 2h",
		[OPTION_MILLI] = "not a number like 2 or 0.5",
	};
	bool b = false;
	int r;

	if (at->o->type == OPTION_BOOL)
		r = str_to_bool(value, &b);
	else if (at->o->type == OPTION_INT)
		r = str_to_u64(value, ret);
	else if (at->o->type == OPTION_SIZE)
		r = str_to_size(value, ret);
	else if (at->o->type == OPTION_DURATION)
		r = str_to_duration(value, ret);
	else
		r = read_milli(value, ret);
	if (r == -ERANGE)
		return refuse(at, value, "too large");
	if (r < 0)
		return refuse(at, value, forms[at->o->type]);
	if (at->o->type == OPTION_BOOL)
		*ret = b;
	else if (*ret < at->o->min)
		return refuse(at, value, "too small");
	return 0;
}

static int apply_scalar(const struct at *at, struct config_value *v, const char *value)
{
	_cleanup_free_ char *text = NULL;
	const char *why;
	uint64_t num = 0;
	int r = 0;

	if (!*value && !at->o->def) {
		free(v->text);
		v->text = NULL;
		v->set = false;
		v->num = 0;
		return 0;
	}
	if (!*value)
		value = at->o->def;
	why = at->o->check ? at->o->check(value) : NULL;
	if (why)
		return refuse(at, value, why);
	if (at->o->type == OPTION_ENUM)
		r = read_choice(at, value);
	else if (at->o->type == OPTION_PATH)
		r = read_path(at, value, &text);
	else if (at->o->type != OPTION_STRING)
		r = read_number(at, value, &num);
	if (r < 0)
		return r;
	if (at->o->type == OPTION_BOOL)
		text = strdup(num ? "yes" : "no");
	else if (!text)
		text = strdup(value);
	if (!text)
		return -ENOMEM;
	free(v->text);
	v->text = TAKE_PTR(text);
	v->num = num;
	v->set = true;
	return 0;
}

static int apply(const struct at *at, struct config_value *v, const char *value)
{
	_cleanup_free_ char *where = strdup(at->where);
	int r;

	if (!where)
		return -ENOMEM;
	r = option_is_list(at->o) ? apply_list(at, v, value) : apply_scalar(at, v, value);
	if (r < 0)
		return r;
	free(v->where);
	v->where = TAKE_PTR(where);
	v->layer = at->layer;
	return 0;
}

struct config *config_new(void)
{
	_cleanup_config_ struct config *c = calloc(1, sizeof(*c));

	for (size_t i = 0; c && i < OPT__COUNT; i++) {
		struct at at = { .o = &option_table[i], .layer = CONFIG_BUILTIN, .where = "built in" };

		if (at.o->def ? apply(&at, &c->v[i], at.o->def) < 0 : !(c->v[i].where = strdup(at.where)))
			return NULL;
	}
	return TAKE_PTR(c);
}

struct config *config_free(struct config *c)
{
	if (!c)
		return NULL;
	for (size_t i = 0; i < OPT__COUNT; i++)
		value_done(&c->v[i]);
	free(c->home);
	strv_free(c->sources);
	free(c);
	return NULL;
}

static int value_copy(const struct config_value *v, struct config_value *to)
{
	to->set = v->set;
	to->num = v->num;
	to->layer = v->layer;
	if ((v->text && !(to->text = strdup(v->text))) || (v->where && !(to->where = strdup(v->where))))
		return -ENOMEM;
	for (size_t i = 0; i < v->nentries; i++)
		if (entry_add(to, v->entries[i].layer, v->entries[i].where, v->entries[i].text) < 0)
			return -ENOMEM;
	return value_index(to);
}

struct config *config_copy(const struct config *c)
{
	_cleanup_config_ struct config *to = calloc(1, sizeof(*to));

	if (!to || (c->home && !(to->home = strdup(c->home))))
		return NULL;
	to->sources = strv_copy(c->sources);
	if (c->sources && !to->sources)
		return NULL;
	for (size_t i = 0; i < OPT__COUNT; i++)
		if (value_copy(&c->v[i], &to->v[i]) < 0)
			return NULL;
	return TAKE_PTR(to);
}

int config_set(struct config *c, enum config_layer layer, const char *where, const char *name, const char *value,
	       struct fail *f)
{
	struct at at = { .layer = layer, .where = where, .home = c->home, .f = f };
	enum option_id id;
	const char *near;
	int r;

	at.o = option_find(name, &id);
	if (!at.o) {
		near = option_nearest(name);
		fail_set(f, 0, "configuration, '%s': unknown key '%s'", where, name);
		if (near)
			fail_hint(f, "did you mean '%s'?", near);
		else
			fail_hint(f, "claude-sandbox config show --all lists every key");
		return -EINVAL;
	}
	r = apply(&at, &c->v[id], value);
	return r == -ENOMEM ? fail_set(f, ENOMEM, "configuration, '%s'", where) : r;
}

bool config_is_set(const struct config *c, enum option_id id)
{
	return option_is_list(&option_table[id]) ? c->v[id].nentries > 0 : c->v[id].set;
}

const char *config_str(const struct config *c, enum option_id id)
{
	enum option_type t = option_table[id].type;

	assert(t == OPTION_STRING || t == OPTION_ENUM || t == OPTION_PATH);
	return c->v[id].text;
}

uint64_t config_num(const struct config *c, enum option_id id)
{
	enum option_type t = option_table[id].type;

	assert(t == OPTION_INT || t == OPTION_SIZE || t == OPTION_DURATION || t == OPTION_MILLI);
	return c->v[id].num;
}

bool config_bool(const struct config *c, enum option_id id)
{
	assert(option_table[id].type == OPTION_BOOL);
	return c->v[id].num;
}

char *const *config_list(const struct config *c, enum option_id id)
{
	assert(option_is_list(&option_table[id]));
	return c->v[id].list;
}

const char *config_text(const struct config *c, enum option_id id)
{
	assert(!option_is_list(&option_table[id]));
	return c->v[id].text;
}

enum config_layer config_origin(const struct config *c, enum option_id id, const char **ret_where)
{
	if (ret_where)
		*ret_where = c->v[id].where;
	return c->v[id].layer;
}

enum config_layer config_entry_origin(const struct config *c, enum option_id id, size_t i, const char **ret_where)
{
	assert(i < c->v[id].nentries);
	if (ret_where)
		*ret_where = c->v[id].entries[i].where;
	return c->v[id].entries[i].layer;
}

const char *config_entry_where(const struct config *c, enum option_id id, size_t i)
{
	return i < c->v[id].nentries ? c->v[id].entries[i].where : NULL;
}

char *const *config_sources(const struct config *c)
{
	return c->sources;
}

const char *config_layer_name(enum config_layer l)
{
	static const char *const names[] = {
		[CONFIG_BUILTIN] = "built in",
		[CONFIG_SYSTEM] = "system",
		[CONFIG_USER] = "user",
		[CONFIG_DROPIN] = "config.d",
		[CONFIG_SECTION] = "project section",
		[CONFIG_PROJECT] = "project file",
		[CONFIG_COMMAND] = "command line",
	};

	return names[l];
}

/* --- tighten --- */

static bool has_all(const struct config_value *a, const struct config_value *of)
{
	for (size_t i = 0; i < of->nentries; i++)
		if (!strv_contains(a->list, of->entries[i].text))
			return false;
	return true;
}

static bool same(const struct config_value *a, const struct config_value *b)
{
	if (a->nentries != b->nentries)
		return false;
	for (size_t i = 0; i < a->nentries; i++)
		if (strcmp(a->entries[i].text, b->entries[i].text))
			return false;
	return a->set == b->set && str_eq(a->text, b->text);
}

bool config_loosens(const struct config *base, const struct config *result, enum option_id id)
{
	const struct option_def *o = &option_table[id];
	const struct config_value *a = &base->v[id], *b = &result->v[id];
	size_t i = 0, k = 0;

	switch (o->tighten) {
	case TIGHTEN_ADD:
		return !has_all(b, a);
	case TIGHTEN_REMOVE:
		return !has_all(a, b);
	case TIGHTEN_LOWER:
		return a->set && (!b->set || b->num > a->num);
	case TIGHTEN_RANK:
		return !str_eq(a->text, b->text) && (!a->text || !b->text || !choice_index(o->choices, a->text, &i) ||
						     !choice_index(o->choices, b->text, &k) || k > i);
	case TIGHTEN_FREE:
		return false;
	case TIGHTEN_NO:
	default:
		return !same(a, b);
	}
}
