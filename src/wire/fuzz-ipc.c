/* A message of a peer that is not to be trusted: read every way there is, then written again and compared. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "wire/ipc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_buf_ struct buf b = BUF_INIT(2 * size + 64);
	struct ipc_msg m, again;
	size_t total = 0;

	if (ipc_parse(data, size, &m) < 0)
		return 0;
	ipc_begin(&b, m.type);
	for (uint16_t tag = 0; tag < 32; tag++) {
		_cleanup_strv_ char **v = NULL;
		_cleanup_free_ char *s = ipc_get_str(&m, tag);
		size_t n = 0;
		const void *p = ipc_get_bytes(&m, tag, &n);

		if ((p != NULL) != ipc_has(&m, tag) || (s && (strlen(s) != n || memcmp(s, p, n))))
			abort();
		if (p && ((const uint8_t *)p < data || (const uint8_t *)p + n > data + size))
			abort();
		(void)ipc_get_u64(&m, tag, 0);
		if (ipc_get_strv(&m, tag, &v) == 0)
			total += strv_len(v);
		if (p)
			ipc_put_bytes(&b, tag, p, n);
	}
	if (total > m.nfields || b.error || ipc_parse(b.data, b.len, &again) < 0 || again.type != m.type)
		abort();
	return 0;
}
