/* The command line of `run`: options of policy/option.h that have a flag, and those that only a run has. */
#pragma once

#include <stdbool.h>

#include "base/fail.h"
#include "cli/cmd.h"
#include "policy/config.h"

enum runopts_tty { RUNOPTS_TTY_AUTO, RUNOPTS_TTY_YES, RUNOPTS_TTY_NO };

struct runopts_setting {
	char *where; /* "--net" */
	char *name;  /* "network.mode" */
	char *value;
};

struct runopts {
	struct config *config; /* all layers, after runopts_load; NULL before */
	char **argv;	       /* the command; NULL: a login shell */

	char *project;	   /* --project DIR; NULL: the working directory */
	char *workdir;	   /* -w: where the command starts inside; NULL: the working directory, or the project */
	char *config_file; /* --config: instead of the user's file; must exist */
	char *trust;	   /* --trust HASH */
	bool fresh;	   /* --new: a sandbox of its own even if the project's runs */
	bool detach;	   /* -d */
	bool dry_run;
	bool json; /* --dry-run --json */
	bool verbose;
	bool quiet;
	enum runopts_tty tty; /* -t, -T */

	struct runopts_setting *settings; /* the options of the table, in order */
	size_t nsettings;
};

/* argv[0] is "run" (or the program's name). 0; -EINVAL with f filled: exit EXIT_SANDBOX. Values are checked here,
 * files are read by runopts_load. ret may be freed in either case. */
int runopts_parse(int argc, char **argv, struct runopts *ret, struct fail *f);

/* Builds o->config from every layer. project: its real path; repository: the main repository's top, or NULL. Errors
 * as config_load; -EPERM: the project's file asks for more and is not trusted. */
int runopts_load(struct runopts *o, const char *project, const char *repository, struct fail *f);

void runopts_done(struct runopts *o); /* frees what it holds */
#define _cleanup_runopts_ _cleanup_(runopts_done)

/* The options of `run` as one table (the option table's flags first), for help, man page and completions. */
const struct cmd_option *runopts_table(void);

/* The files of all layers at their usual places for this user. Strings are owned by the result. */
struct runopts_files {
	struct config_files files;
	char *owned[4];
};
int runopts_files(const char *project, const char *repository, struct runopts_files *ret, struct fail *f);
void runopts_files_done(struct runopts_files *r);
#define _cleanup_runopts_files_ _cleanup_(runopts_files_done)
