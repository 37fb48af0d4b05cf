#include "base/where.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/macro.h"
#include "base/path.h"
#include "base/str.h"

/* The build tree that this program lies in, or NULL: it is the one meson configured, and no other. */
static bool in_build_tree(void)
{
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	if (n <= 0)
		return false;
	exe[n] = 0;
	return path_is_under(exe, CS_BUILD_ROOT);
}

static int find(const char *built, const char *installed, const char *name, char **ret)
{
	_cleanup_free_ char *p = path_join(in_build_tree() ? built : installed, name);

	if (!p)
		return -ENOMEM;
	if (access(p, R_OK) < 0)
		return -errno;
	*ret = TAKE_PTR(p);
	return 0;
}

int where_helper(const char *name, char **ret)
{
	return find(CS_BUILD_ROOT, CS_LIBEXECDIR, name, ret);
}

int where_data(const char *name, char **ret)
{
	return find(CS_SOURCE_ROOT "/data", CS_DATADIR, name, ret);
}
