/* session_run(): asks for the session, then hands over to the terminal loop (screen.c) or the pipes (relay.c). */
#include "cli/session.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/ctl.h"
#include "cli/relay.h"
#include "cli/screen.h"
#include "wire/control.h"

/* The signals of a client come as bytes, between two messages. */
static int session_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGWINCH);
	sigaddset(&set, SIGTSTP);
	sigaddset(&set, SIGCONT);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	(void)signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int send_spawn(const struct session_request *rq, const struct tty *t, const int stdio[3])
{
	_cleanup_buf_ struct buf spec = BUF_INIT(IPC_SPEC_MAX), b = BUF_INIT(IPC_MAX);
	_cleanup_close_ int memfd = -1;
	unsigned rows, cols;

	ipc_begin(&spec, CONTROL_SPAWN);
	ipc_put_strv(&spec, CONTROL_F_ARG, rq->argv);
	ipc_put_strv(&spec, CONTROL_F_ENV, rq->env);
	ipc_put_str(&spec, CONTROL_F_CWD, rq->cwd);
	if (spec.error)
		return spec.error == -ENOSPC ? -E2BIG : spec.error;
	memfd = fd_memfd("spawn", spec.data, spec.len);
	if (memfd < 0)
		return memfd;
	ipc_begin(&b, CONTROL_SPAWN);
	ipc_put_u64(&b, CONTROL_F_KIND, rq->kind);
	if (rq->tty) {
		tty_size(t, &rows, &cols);
		ipc_put_u64(&b, CONTROL_F_TTY, 1);
		ipc_put_u64(&b, CONTROL_F_ROWS, rows ? rows : 24);
		ipc_put_u64(&b, CONTROL_F_COLS, cols ? cols : 80);
		return ctl_send(rq->socket, &b, &memfd, 1);
	}
	return ctl_send(rq->socket, &b, (int[]){ memfd, stdio[0], stdio[1], stdio[2] }, 4);
}

static int send_attach(const struct session_request *rq, const struct tty *t)
{
	_cleanup_buf_ struct buf b = BUF_INIT(IPC_MAX);
	unsigned rows, cols;

	tty_size(t, &rows, &cols);
	ipc_begin(&b, CONTROL_ATTACH);
	if (rq->id)
		ipc_put_u64(&b, CONTROL_F_SESSION, rq->id);
	ipc_put_u64(&b, CONTROL_F_ROWS, rows);
	ipc_put_u64(&b, CONTROL_F_COLS, cols);
	if (rq->readonly)
		ipc_put_u64(&b, CONTROL_F_READONLY, 1);
	return ctl_send(rq->socket, &b, NULL, 0);
}

/* The sandbox has gone, or the request could not be sent: what it said before it went is the better reason. */
static int gone(const struct session_request *rq, int r)
{
	_cleanup_free_ struct ctl_msg *msg = r == -EPIPE || r == -ECONNRESET ? malloc(sizeof(*msg)) : NULL;
	struct fail f = { 0 };

	while (msg && ctl_recv(rq->socket, msg) > 0) {
		if (msg->m.type != CONTROL_ERROR)
			continue;
		r = ctl_error(&msg->m, &f);
		fail_print(&f);
		return r;
	}
	if (r == -E2BIG) {
		(void)fail_set(&f, 0, "cannot pass the command on: it has too many arguments");
		fail_hint(&f, "arguments and variables: %u, and 4 MiB; xargs makes several commands of many", IPC_MAX_FIELDS);
		fail_print(&f);
		return EXIT_SANDBOX;
	}
	(void)fail_set(&f, r < 0 && r != -EPIPE && r != -ECONNRESET ? -r : 0, "the sandbox '%s' ended unexpectedly", rq->name);
	fail_print(&f);
	return EXIT_SANDBOX;
}

/* Waits for STARTED; 0, or the exit status of what came instead. */
static int wait_started(const struct session_request *rq)
{
	_cleanup_free_ struct ctl_msg *msg = malloc(sizeof(*msg));
	struct fail f = { 0 };

	for (;;) {
		int r = msg ? ctl_recv(rq->socket, msg) : -ENOMEM;

		if (r <= 0)
			return gone(rq, r);
		if (msg->m.type == CONTROL_STARTED)
			return 0;
		if (msg->m.type == CONTROL_ERROR) {
			r = ctl_error(&msg->m, &f);
			fail_print(&f);
			return r;
		}
	}
}

static int run_pipes(const struct session_request *rq, int signals)
{
	struct relay relay;
	struct fail f = { 0 };
	int r = relay_open(&relay, &f);

	if (r < 0) {
		fail_print(&f);
		return EXIT_SANDBOX;
	}
	r = ctl_hello(rq->socket);
	if (r == 0)
		r = send_spawn(rq, NULL, relay.theirs);
	relay_handed_over(&relay);
	if (r < 0)
		r = gone(rq, r);
	else
		r = relay_run(&relay, rq, signals);
	relay_close(&relay);
	return r;
}

static int run_tty(const struct session_request *rq, int signals)
{
	struct tty t;
	int r;

	tty_open(&t);
	r = ctl_hello(rq->socket);
	if (r == 0)
		r = rq->attach ? send_attach(rq, &t) : send_spawn(rq, &t, NULL);
	if (r < 0)
		return gone(rq, r);
	if (rq->detach)
		return wait_started(rq);
	return screen_run(rq, &t, signals);
}

int session_run(const struct session_request *rq)
{
	_cleanup_close_ int socket = rq->socket, signals = session_signals();
	struct fail f = { 0 };

	if (signals < 0) {
		(void)fail_set(&f, -signals, "cannot wait for signals");
		fail_print(&f);
		return EXIT_SANDBOX;
	}
	return rq->tty ? run_tty(rq, signals) : run_pipes(rq, signals);
}
