/* Nothing but that it ends, and reads no byte that is not there. */
#include <stdint.h>
#include <stdlib.h>

#include "wire/gitindex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *name = NULL;

	if (gitindex_check(data, size, 20, &name) != 1)
		name = NULL;
	free(name);
	name = NULL;
	if (gitindex_check(data, size, 32, &name) != 1)
		name = NULL;
	free(name);
	return 0;
}
