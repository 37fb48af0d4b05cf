#include "cli/args.h"

#include <stdio.h>

static int cmd_version_run(int argc, char **argv)
{
	struct fail f = { 0 };

	if (args_words(argc, argv, NULL, 0, &f) < 0) {
		fail_print(&f);
		return EXIT_SANDBOX;
	}
	return printf("claude-sandbox %s\n", CS_VERSION) < 0;
}

extern const struct cmd cmd_version;
const struct cmd cmd_version = {
	.name = "version", .args = "", .summary = "print the version", .section = "set-up", .run = cmd_version_run,
};
