#include "cli/env.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"

void env_standard_descriptors(void)
{
	for (int i = 0; i < 3; i++)
		if (fcntl(i, F_GETFD) < 0)
			(void)!open("/dev/null", i ? O_WRONLY : O_RDONLY); /* the lowest free number is i */
}

int env_of_session(char *const *settings, char ***ret, struct fail *f)
{
	static const char *const terminal[] = { "TERM", "COLORTERM", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "NO_COLOR" };
	_cleanup_strv_ char **env = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(terminal); i++) {
		const char *v = getenv(terminal[i]);

		if (v && strv_addf(&env, "%s=%s", terminal[i], v) < 0)
			return -ENOMEM;
	}
	for (; settings && *settings; settings++) {
		const char *v = strchr(*settings, '=') ? "" : getenv(*settings);

		if (**settings == '=' || !**settings)
			return fail_set(f, 0, "env, '%s': not NAME or NAME=VALUE", *settings);
		if (!v)
			continue;
		if ((*v ? strv_addf(&env, "%s=%s", *settings, v) :
			  strchr(*settings, '=') ? strv_add(&env, *settings) : strv_addf(&env, "%s=", *settings)) < 0)
			return -ENOMEM;
	}
	*ret = TAKE_PTR(env);
	return 0;
}

char *env_cwd(const char *project)
{
	char cwd[PATH_MAX];

	return realpath(".", cwd) && path_is_under(cwd, project) ? strdup(cwd) : NULL;
}
