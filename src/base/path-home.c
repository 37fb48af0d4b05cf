/* Where the user's own directories are. Apart from path.c, because getpwuid(3) brings the name service with it, which
 * cs-enter and cs-guard, being static, must not. */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"

const char *path_home(void)
{
	const char *home = getenv("HOME");
	const struct passwd *pw;

	if (path_is_absolute(home))
		return home;
	pw = getpwuid(getuid());
	return pw && path_is_absolute(pw->pw_dir) ? pw->pw_dir : NULL;
}

static int runtime_dir(const char *home, char **ret)
{
	const char *env = getenv("XDG_RUNTIME_DIR");
	_cleanup_free_ char *run = NULL;
	struct stat st;

	if (path_is_absolute(env)) {
		*ret = path_join(env, "claude-sandbox");
		return *ret ? 0 : -ENOMEM;
	}
	if (asprintf(&run, "/run/user/%u", (unsigned)getuid()) < 0)
		return -ENOMEM;
	if (lstat(run, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == getuid() && (st.st_mode & 077) == 0)
		*ret = path_join(run, "claude-sandbox");
	else
		*ret = path_join(home, ".local/state/claude-sandbox/run");
	return *ret ? 0 : -ENOMEM;
}

int path_xdg(enum path_xdg kind, char **ret)
{
	static const char *const spec[] = {
		[PATH_CONFIG] = "$XDG_CONFIG_HOME/claude-sandbox",
		[PATH_DATA] = "$XDG_DATA_HOME/claude-sandbox",
		[PATH_STATE] = "$XDG_STATE_HOME/claude-sandbox",
	};
	const char *home = path_home();

	if (!home)
		return -ENOENT;
	if (kind == PATH_RUNTIME)
		return runtime_dir(home, ret);
	return path_expand(spec[kind], home, ret);
}
