/* plan_decode on any bytes; what it takes encodes to the same bytes again. */
#include <stdint.h>
#include <string.h>

#include "policy/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_buf_ struct buf b = BUF_INIT(PLAN_MAX);
	_cleanup_plan_ struct plan *p = NULL;

	if (plan_decode(data, size, &p) < 0)
		return 0;
	if (plan_encode(p, &b) < 0 || b.len != size || memcmp(b.data, data, size))
		abort();
	return 0;
}
