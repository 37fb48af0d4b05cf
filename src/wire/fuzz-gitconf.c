/* Whatever parses must survive being written and parsed again, entry by entry. */
#include <stdint.h>
#include <string.h>

#include "base/str.h"
#include "wire/gitconf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_gitconf_ struct gitconf *c = NULL;

	if (gitconf_parse(data, size, &c) < 0)
		return 0;
	(void)gitconf_bool(c, "core.bare", false);
	for (size_t i = 0; i < c->n; i++) {
		_cleanup_buf_ struct buf b = BUF_INIT(1 << 20);
		_cleanup_gitconf_ struct gitconf *again = NULL;

		(void)gitconf_harmless(&c->entries[i]);
		if (c->entries[i].value)
			(void)gitconf_url_plain(c->entries[i].value);
		if (gitconf_write(&b, &c->entries[i]) < 0)
			continue;
		if (gitconf_parse(b.data, b.len, &again) < 0 || again->n != 1 ||
		    strcmp(again->entries[0].key, c->entries[i].key) != 0 ||
		    !str_eq(again->entries[0].value, c->entries[i].value))
			__builtin_trap();
	}
	return 0;
}
