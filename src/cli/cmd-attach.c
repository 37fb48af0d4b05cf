/* Shows a session that runs already. */
#include "base/str.h"
#include "cli/args.h"
#include "cli/ctl.h"
#include "cli/env.h"
#include "cli/session.h"
#include "policy/option.h"
#include "supervisor/name.h"

enum { ATTACH_SESSION, ATTACH_READ_ONLY, ATTACH_KEYS, ATTACH_QUIET };

static const struct cmd_option options[] = {
	[ATTACH_SESSION] = { "session", 's', "N", "The session to show (inspect lists them). Without it, the first with a terminal." },
	[ATTACH_READ_ONLY] = { "read-only", 'r', NULL, "Shows it only: nothing that is typed goes in." },
	[ATTACH_KEYS] = { "detach-keys", 0, "KEYS", "The keys that detach, as in the configuration." },
	[ATTACH_QUIET] = { "quiet", 'q', NULL, "Says nothing of its own." },
	{ 0 },
};

static int attach(int argc, char **argv, struct fail *f)
{
	struct args a = ARGS_INIT(argc, argv, options);
	struct session_request rq = {
		.tty = true, .attach = true, .detach_keys = option_table[OPT_DETACH_KEYS].def,
	};
	_cleanup_free_ char *name = NULL;
	const char *word = NULL;
	int r;

	while ((r = args_next(&a, f)) != ARGS_END) {
		if (r < 0)
			return r;
		if (r == ARGS_WORD && word)
			return fail_set(f, 0, "attach, '%s': one word too many", a.value);
		if (r == ARGS_WORD)
			word = a.value;
		else if (r == ATTACH_SESSION && (str_to_u64(a.value, &rq.id) < 0 || !rq.id))
			return fail_set(f, 0, "attach, '%s': not the number of a session", a.value);
		else if (r == ATTACH_READ_ONLY)
			rq.readonly = true;
		else if (r == ATTACH_KEYS)
			rq.detach_keys = a.value;
		else if (r == ATTACH_QUIET)
			rq.quiet = true;
	}
	r = ctl_resolve(word, &name, f);
	if (r == 0)
		r = name_connect(name, &rq.socket, f);
	if (r < 0)
		return r;
	rq.name = name;
	return session_run(&rq);
}

static int cmd_attach_run(int argc, char **argv)
{
	struct fail f = { 0 };
	int r;

	env_standard_descriptors();
	r = attach(argc, argv, &f);
	if (r >= 0)
		return r;
	fail_print(&f);
	return EXIT_SANDBOX;
}

extern const struct cmd cmd_attach;
const struct cmd cmd_attach = {
	.name = "attach", .args = "[OPTIONS] [NAME]", .section = "sandboxes", .sandboxes = true,
	.summary = "show a session of a running sandbox on this terminal",
	.help = "The last MiB of its output is shown first. Several terminals may show one session; it has the size of the one that "
		"was used last. The exit status is the session's, or 0 after the detach keys.",
	.options = options, .run = cmd_attach_run,
};
