/* Whatever a sandbox writes: bounds hold, pieces make no difference, what was filtered passes the filter unchanged, and
 * nothing of what must never reach a terminal is left. */
#include <stdlib.h>
#include <string.h>

#include "wire/termfilter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *out = malloc(TERMFILTER_ROOM(size)), *pieces = malloc(TERMFILTER_ROOM(size)), restore[TERMFILTER_RESTORE_MAX];
	char *again = malloc(TERMFILTER_ROOM(TERMFILTER_ROOM(size)));
	struct termfilter a, b, c;
	size_t n, k = 0, r;

	must(out && pieces && again);
	termfilter_init(&a);
	termfilter_init(&b);
	termfilter_init(&c);
	n = termfilter_run(&a, data, size, out);
	must(n <= TERMFILTER_ROOM(size));
	for (size_t i = 0; i < size; i++)
		k += termfilter_run(&b, data + i, 1, pieces + k);
	must(n == k && memcmp(out, pieces, n) == 0);
	r = termfilter_run(&c, out, n, again);
	must(r <= n && memcmp(out, again, r) == 0 && c.refused == 0);
	for (size_t i = 0; i < n; i++) {
		must(out[i] != 0x05);
		must(!(i + 1 < n && (uint8_t)out[i] == 0xc2 && (uint8_t)out[i + 1] < 0xa0));
		must(!(i + 3 < n && memcmp(out + i, "\x1b]52", 4) == 0));
	}
	r = termfilter_restore(&a, restore);
	must(r <= sizeof(restore));
	free(out);
	free(pieces);
	free(again);
	return 0;
}
