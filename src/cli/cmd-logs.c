/* The last MiB of a session's terminal output. */
#include <errno.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "cli/args.h"
#include "cli/ctl.h"
#include "cli/tty.h"
#include "supervisor/name.h"
#include "wire/control.h"

enum { LOGS_SESSION };

static const struct cmd_option options[] = {
	[LOGS_SESSION] = { "session", 's', "N", "The session (inspect lists them). Without it, the first with a terminal." },
	{ 0 },
};

/* Prints what comes until OK: filtered where it goes to a terminal, as it is where it goes to a file. */
static int print(int fd, struct fail *f)
{
	static char filtered[TERMFILTER_ROOM(IPC_MAX)];
	static struct ctl_msg msg;
	struct tty t;
	int r;

	tty_open(&t);
	t.filter.replay = true;
	while ((r = ctl_recv(fd, &msg)) > 0) {
		const char *p;
		size_t n;

		if (msg.m.type == CONTROL_OK)
			break;
		if (msg.m.type == CONTROL_ERROR) {
			(void)ctl_error(&msg.m, f);
			return -EREMOTEIO;
		}
		p = msg.m.type == CONTROL_OUTPUT ? ipc_get_bytes(&msg.m, CONTROL_F_DATA, &n) : NULL;
		if (!p)
			continue;
		if (t.out_is_tty) {
			n = termfilter_run(&t.filter, p, n, filtered);
			p = filtered;
		}
		r = fd_write_all(1, p, n);
		if (r < 0)
			return r == -EPIPE ? 0 : fail_set(f, -r, "cannot write standard output");
	}
	tty_restore(&t);
	return r > 0 ? 0 : fail_set(f, r < 0 ? -r : 0, "the sandbox ended meanwhile");
}

static int logs(int argc, char **argv, struct fail *f)
{
	struct args a = ARGS_INIT(argc, argv, options);
	_cleanup_buf_ struct buf b = BUF_INIT(256);
	_cleanup_free_ char *name = NULL;
	_cleanup_close_ int fd = -1;
	const char *word = NULL;
	uint64_t id = 0;
	int r;

	while ((r = args_next(&a, f)) != ARGS_END) {
		if (r < 0)
			return r;
		if (r == ARGS_WORD && word)
			return fail_set(f, 0, "logs, '%s': one word too many", a.value);
		if (r == ARGS_WORD)
			word = a.value;
		else if (str_to_u64(a.value, &id) < 0 || !id)
			return fail_set(f, 0, "logs, '%s': not the number of a session", a.value);
	}
	r = ctl_resolve(word, &name, f);
	if (r == 0)
		r = name_connect(name, &fd, f);
	if (r < 0)
		return r;
	ipc_begin(&b, CONTROL_LOGS);
	if (id)
		ipc_put_u64(&b, CONTROL_F_SESSION, id);
	r = ctl_hello(fd);
	if (r == 0)
		r = ctl_send(fd, &b, NULL, 0);
	return r < 0 ? fail_set(f, -r, "the sandbox '%s' does not answer", name) : print(fd, f);
}

static int cmd_logs_run(int argc, char **argv)
{
	struct fail f = { 0 };

	if (logs(argc, argv, &f) >= 0)
		return 0;
	fail_print(&f);
	return EXIT_SANDBOX;
}

extern const struct cmd cmd_logs;
const struct cmd cmd_logs = {
	.name = "logs", .args = "[--session N] [NAME]", .section = "sandboxes", .sandboxes = true,
	.summary = "print the last terminal output of a running sandbox",
	.help = "The last MiB of a session with a terminal, as it was written, escape sequences and all; on a terminal what is dangerous "
		"is taken out. For what happened in a sandbox see claude-sandbox log.",
	.options = options, .run = cmd_logs_run,
};
