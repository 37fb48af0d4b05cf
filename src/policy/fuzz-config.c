/* The reader of configuration files, each setting applied as the project's own file would; then one edited. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "policy/config-ini.h"
#include "policy/config-internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int take(void *user, const struct config_line *l, struct fail *f)
{
	if (!l->name || !l->value || strchr(l->value, '\n') || !l->line)
		abort();
	(void)config_set(user, CONFIG_PROJECT, "fuzz", l->name, l->value, f);
	return 0;
}

static bool is_same(const char *section_path, void *user _unused_)
{
	return section_path[0] == '/';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char value[] = "/added";
	char *const values[] = { value, NULL };
	const struct config_edit e = {
		.name = "read-only", .values = values, .project = size % 2 ? "/p" : NULL,
		.is_same = is_same, .add = size % 3 == 0,
	};
	_cleanup_config_ struct config *base = config_new(), *c = config_new();
	_cleanup_buf_ struct buf out = BUF_INIT(CONFIG_FILE_MAX);
	struct fail f = { 0 };
	int r;

	if (!base || !c)
		abort();
	r = config_ini("fuzz", (const char *)data, size, take, c, &f);
	if (r < 0 && !f.msg[0])
		abort();
	for (size_t i = 0; i < OPT__COUNT; i++)
		(void)config_loosens(base, c, (enum option_id)i);
	/* what could be read can be read after an edit */
	if (config_ini_edit("fuzz", (const char *)data, size, &e, &out, &f) == 0 && r == 0 &&
	    config_ini("edited", buf_cstr(&out), out.len, take, c, &f) < 0)
		abort();
	return 0;
}
