/* THE table of options: it feeds the reader of configuration, the command line, `config show`, `--help`, the man
 * page and the completions. One entry an option; nothing about an option is written anywhere else. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_type {
	OPTION_BOOL,
	OPTION_INT,
	OPTION_SIZE,	 /* bytes */
	OPTION_DURATION, /* milliseconds */
	OPTION_STRING,
	OPTION_ENUM,	 /* one of .choices */
	OPTION_LIST,	 /* repeated keys add, an empty value resets, !x takes one out; blank-separated words */
	OPTION_MILLI,	 /* a decimal number kept in thousandths: 1.5 is 1500 */
	OPTION_PATH,	 /* one path; ~ and $XDG_* expand, absolute (on the command line from the working directory) */
	OPTION_PATHS,	 /* a list whose entries are whole lines: paths with blanks, as OPTION_PATH */
	OPTION_NAMES,	 /* a list of whole lines: paths relative to the project, or absolute; ~ and $XDG_* expand */
	OPTION_ENTRIES,	 /* a list whose entries are whole lines, as they are (K=V, rules) */
};

/* What the project's own file may do with an option untrusted. */
enum option_tighten {
	TIGHTEN_NO,	  /* nothing: any setting loosens */
	TIGHTEN_ADD,	  /* lists: add entries (guards, masks) */
	TIGHTEN_REMOVE,	  /* lists: take entries out (allowed hosts) */
	TIGHTEN_LOWER,	  /* numbers: a smaller one (limits); unset counts as infinite */
	TIGHTEN_RANK,	  /* enums, bools: a choice that stands earlier in .choices (strictest first) */
	TIGHTEN_FREE,	  /* harmless: anything */
};

enum option_id {
	OPT_NAME, OPT_PROFILE, OPT_ENGINE, OPT_HOME, OPT_PROJECT_MODE, OPT_SHELL, OPT_READ_ONLY, OPT_READ_WRITE, OPT_DEVICE,
	OPT_GUARD, OPT_GUARD_ABSENT, OPT_GUARD_GIT_CONFIG, OPT_MASK, OPT_ENV, OPT_ENV_PASS, OPT_TIMEOUT, OPT_DETACH_KEYS,
	OPT_IDLE_STOP, OPT_STOP_GRACE, OPT_TOOLCHAINS, OPT_I_KNOW,
	OPT_NETWORK_MODE, OPT_LIMITS_MEMORY, OPT_LIMITS_CPUS, OPT_LIMITS_PIDS, OPT_LIMITS_FILES, OPT_LIMITS_FILE_SIZE,
	OPT_LIMITS_CORE, OPT_AGENT_INSTALL, OPT_AGENT_ARGS, OPT_AGENT_LOGIN, OPT_SECCOMP_RELAX, OPT_SECCOMP_LOG,
	OPT_AUDIT_KEEP, OPT_RECEIPT,
	OPT__COUNT
};

struct option_def {
	const char *name; /* as in the file: "network.mode": key "mode" of section [network]; no dot: above every section */
	enum option_type type;
	const char *def;     /* as it would be written in a file; NULL: unset; lists: entries separated by newlines */
	const char *choices; /* "none filtered host": strictest first; bools: "no yes" or "yes no" */
	enum option_tighten tighten;
	const char *flag; /* the long option of `run`, without dashes; NULL: no own flag */
	char letter;	  /* its short form, or 0 */
	const char *arg;  /* the argument's name in help: "MODE"; NULL for a flag that takes none */
	const char *help; /* one or more sentences */
	uint64_t min;	  /* numbers: the least */
	/* A further check of the value (of each entry of a list), or NULL: what is wrong with it ("not a name"). */
	const char *(*check)(const char *value);
};
extern const struct option_def option_table[OPT__COUNT];

const struct option_def *option_find(const char *name, enum option_id *ret_id);
const char *option_nearest(const char *name);
bool option_is_list(const struct option_def *o);
