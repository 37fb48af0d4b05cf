#include "cli/args.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

static int unknown(const struct args *a, const char *word, struct fail *f)
{
	const char *names[128], *near;
	size_t n = 0, len = strcspn(word, "=");
	_cleanup_free_ char *name = strndup(word, len);

	for (; n < ARRAY_SIZE(names) && a->options && a->options[n].name; n++)
		names[n] = a->options[n].name;
	near = name && str_startswith(name, "--") ? str_nearest(name + 2, names, n) : NULL;
	fail_set(f, 0, "%s, '%s': unknown option", a->argv[0], name ? name : word);
	if (near && strcmp(name, "--help"))
		fail_hint(f, "did you mean --%s?", near);
	else if (strcmp(a->argv[0], "claude-sandbox") == 0)
		fail_hint(f, "claude-sandbox help lists what there is");
	else
		fail_hint(f, "claude-sandbox help %s lists what there is", a->argv[0]);
	return -EINVAL;
}

/* "--name", "--name=value" */
static int long_option(struct args *a, const char *word, struct fail *f)
{
	const char *eq = strchr(word, '=');
	size_t n = eq ? (size_t)(eq - word) - 2 : strlen(word) - 2;

	for (int i = 0; a->options && a->options[i].name; i++) {
		const struct cmd_option *o = &a->options[i];

		if (strlen(o->name) != n || memcmp(o->name, word + 2, n))
			continue;
		if (!o->arg && eq)
			return fail_set(f, 0, "%s, '--%s': takes no value", a->argv[0], o->name);
		if (o->arg && eq)
			a->value = eq + 1;
		else if (o->arg && a->next < a->argc)
			a->value = a->argv[a->next++];
		else if (o->arg)
			return fail_set(f, 0, "%s, '--%s': wants a value: %s", a->argv[0], o->name, o->arg);
		return i;
	}
	return unknown(a, word, f);
}

/* The next letter of "-abc"; "-nVALUE". */
static int short_option(struct args *a, struct fail *f)
{
	char c = *a->bundle++, word[3] = { '-', c, 0 };

	for (int i = 0; a->options && a->options[i].name; i++) {
		const struct cmd_option *o = &a->options[i];

		if (!o->letter || o->letter != c)
			continue;
		if (o->arg && *a->bundle)
			a->value = a->bundle;
		else if (o->arg && a->next < a->argc)
			a->value = a->argv[a->next++];
		else if (o->arg)
			return fail_set(f, 0, "%s, '-%c': wants a value: %s", a->argv[0], c, o->arg);
		if (o->arg || !*a->bundle)
			a->bundle = NULL;
		return i;
	}
	return unknown(a, word, f);
}

int args_next(struct args *a, struct fail *f)
{
	const char *word;

	a->value = NULL;
	if (a->bundle)
		return short_option(a, f);
	if (a->next >= a->argc)
		return ARGS_END;
	word = a->argv[a->next];
	if (a->ended || word[0] != '-' || !word[1]) {
		if (a->stop)
			return ARGS_END;
		a->value = word;
		a->next++;
		return ARGS_WORD;
	}
	a->next++;
	if (strcmp(word, "--") == 0) {
		a->ended = true;
		return args_next(a, f);
	}
	if (word[1] == '-')
		return long_option(a, word, f);
	a->bundle = word + 1;
	return short_option(a, f);
}

int args_words(int argc, char **argv, const char **words, int max, struct fail *f)
{
	struct args a = ARGS_INIT(argc, argv, NULL);
	int n = 0, r;

	for (;;) {
		r = args_next(&a, f);
		if (r < 0)
			return r;
		if (r == ARGS_END)
			return n;
		if (n == max)
			return fail_set(f, 0, "%s, '%s': one word too many", argv[0], a.value);
		words[n++] = a.value;
	}
}
