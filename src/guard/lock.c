/* The lock-up of this room's two hostile readers, the survey's child and the watcher. */
#include <errno.h>
#include <unistd.h>

#include "base/str.h"
#include "guard/private.h"
#include "kernel/isolate.h"

static const char **present(char *const *paths)
{
	const char **v = calloc(strv_len(paths) + 1, sizeof(*v));
	size_t n = 0;

	for (; v && paths && *paths; paths++)
		if (access(*paths, F_OK) == 0)
			v[n++] = *paths;
	return v;
}

int guard_lock(char *const *readable, char *const *writable, bool watcher)
{
	_cleanup_free_ const char **read = present(readable), **write = present(writable);
	const struct isolate i = {
		.list = watcher ? SECCOMP_WATCHER : SECCOMP_READER,
		.read = read,
		.write = write,
		.memory = 256U << 20,
	};

	return !read || !write ? -ENOMEM : isolate(&i, NULL);
}
