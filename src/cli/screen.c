/* The terminal's bytes go in, but for the detach keys; the session's output comes out through the terminal filter. The
 * output is written in small pieces and only where the terminal takes them, so that keys and signals are heard
 * throughout; the socket is not read meanwhile, and the supervisor sees a slow client. */
#include "cli/screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/ctl.h"
#include "cli/detachkeys.h"
#include "wire/control.h"

#define KEYS_MS	 800   /* a begun detach sequence is passed on after this */
#define PIECE	 2048U /* a terminal that can be written takes this much without long blocking */
#define INPUT_MAX 65536U

struct screen {
	const struct session_request *rq;
	struct tty *tty;
	struct detachkeys keys;
	long long keys_until;
	struct buf input;  /* typed, not yet sent */
	struct buf output; /* filtered, not yet written */
	bool input_end;
	bool started;
	int status;	   /* -1 until the end */
	bool detached;
	struct fail error; /* printed when the terminal is itself again */
	char *notice;
};

static void send_simple(struct screen *s, uint16_t type, uint16_t tag, uint64_t value)
{
	_cleanup_buf_ struct buf b = BUF_INIT(256);

	ipc_begin(&b, type);
	if (tag)
		ipc_put_u64(&b, tag, value);
	(void)ctl_send(s->rq->socket, &b, NULL, 0);
}

static void send_size(struct screen *s)
{
	_cleanup_buf_ struct buf b = BUF_INIT(256);
	unsigned rows, cols;

	tty_size(s->tty, &rows, &cols);
	if (!rows || !s->started)
		return;
	ipc_begin(&b, CONTROL_RESIZE);
	ipc_put_u64(&b, CONTROL_F_ROWS, rows);
	ipc_put_u64(&b, CONTROL_F_COLS, cols);
	(void)ctl_send(s->rq->socket, &b, NULL, 0);
}

static void detach(struct screen *s, int status)
{
	_cleanup_buf_ struct buf b = BUF_INIT(64);

	ipc_begin(&b, CONTROL_DETACH);
	/* Not waited for: closing the socket says the same. */
	(void)send(s->rq->socket, b.data, b.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	s->detached = true;
	s->status = status;
}

/* Sends what was typed, without blocking: a session that takes no input must not keep the user from detaching. */
static void send_input(struct screen *s)
{
	while (s->input.len && s->started) {
		_cleanup_buf_ struct buf b = BUF_INIT(IPC_MAX);
		size_t n = MIN(s->input.len, (size_t)4096);

		ipc_begin(&b, CONTROL_INPUT);
		ipc_put_bytes(&b, CONTROL_F_DATA, s->input.data, n);
		if (send(s->rq->socket, b.data, b.len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			return;
		buf_consume(&s->input, n);
	}
}

static void flush_keys(struct screen *s)
{
	char bytes[DETACHKEYS_HOLD];

	(void)buf_put(&s->input, bytes, detachkeys_flush(&s->keys, bytes));
	send_input(s);
}

static void on_typed(struct screen *s)
{
	char in[4096], out[sizeof(in) + DETACHKEYS_HOLD];
	ssize_t n = read(s->tty->in, in, sizeof(in));
	size_t k;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		/* A terminal at its end has gone; a pipe or file has been typed whole. */
		s->input_end = true;
		if (s->tty->in_is_tty)
			detach(s, 128 + SIGHUP);
		else if (!s->rq->attach)
			(void)buf_put(&s->input, "\x04", 1);
		send_input(s);
		return;
	}
	if (detachkeys_feed(&s->keys, in, (size_t)n, out, &k)) {
		(void)buf_put(&s->input, out, k);
		send_input(s);
		detach(s, 0);
		return;
	}
	(void)buf_put(&s->input, out, k);
	s->keys_until = tty_now_ms() + KEYS_MS;
	send_input(s);
}

static void on_output(struct screen *s, const struct ipc_msg *m)
{
	static char filtered[TERMFILTER_ROOM(IPC_MAX)];
	struct termfilter *t = &s->tty->filter;
	uint32_t before = t->questions;
	size_t n;
	const void *p = ipc_get_bytes(m, CONTROL_F_DATA, &n);

	if (!p)
		return;
	t->replay = ipc_has(m, CONTROL_F_REPLAY);
	if (s->tty->out_is_tty)
		(void)buf_put(&s->output, filtered, termfilter_run(t, p, n, filtered));
	else
		(void)buf_put(&s->output, p, n);
	if (t->questions != before)
		s->tty->asked_ms = tty_now_ms();
}

static void greet(struct screen *s)
{
	const struct session_request *rq = s->rq;

	if (rq->quiet || !s->tty->in_is_tty)
		return;
	(void)fprintf(stderr, "claude-sandbox: %s", rq->name);
	if (s->keys.n)
		(void)fprintf(stderr, " · detach: %s", rq->detach_keys);
	if (rq->net)
		(void)fprintf(stderr, " · network: %s", rq->net);
	(void)fputs("\n", stderr);
}

static void on_notice(struct screen *s, const struct ipc_msg *m)
{
	_cleanup_free_ char *text = ipc_get_str(m, CONTROL_F_MSG), *shown = NULL;

	shown = text ? str_printable(text, strlen(text)) : NULL;
	if (shown && !s->rq->quiet)
		(void)buf_printf(&s->output, "\r\n[claude-sandbox: %s]\r\n", shown);
}

static void on_message(struct screen *s)
{
	static struct ctl_msg msg;
	int r = ctl_recv(s->rq->socket, &msg);

	if (r <= 0) {
		(void)fail_set(&s->error, 0, "the sandbox '%s' ended unexpectedly", s->rq->name);
		s->status = EXIT_SANDBOX;
		return;
	}
	switch (msg.m.type) {
	case CONTROL_STARTED:
		s->started = true;
		greet(s);
		tty_raw(s->tty);
		send_size(s);
		send_input(s);
		break;
	case CONTROL_OUTPUT:
		on_output(s, &msg.m);
		break;
	case CONTROL_NOTICE:
		on_notice(s, &msg.m);
		break;
	case CONTROL_EXITED:
		s->status = (int)ipc_get_u64(&msg.m, CONTROL_F_STATUS, EXIT_SANDBOX) & 0xff;
		s->notice = ipc_get_str(&msg.m, CONTROL_F_RECEIPT);
		break;
	case CONTROL_ERROR:
		s->status = ctl_error(&msg.m, &s->error);
		break;
	case CONTROL_DETACHED:
		s->notice = ipc_get_str(&msg.m, CONTROL_F_MSG);
		s->detached = true;
		s->status = 0;
		break;
	default:
		break;
	}
}

static void on_signal(struct screen *s, int signals)
{
	struct signalfd_siginfo si;

	if (read(signals, &si, sizeof(si)) != (ssize_t)sizeof(si))
		return;
	switch (si.ssi_signo) {
	case SIGWINCH:
		send_size(s);
		break;
	case SIGTSTP:
		tty_restore(s->tty);
		(void)raise(SIGSTOP);
		break;
	case SIGCONT:
		if (s->started && !s->tty->raw)
			tty_raw(s->tty);
		send_size(s);
		send_simple(s, CONTROL_SIGNAL, CONTROL_F_SIGNAL, SIGWINCH);
		break;
	case SIGHUP:
	case SIGTERM:
		if (s->started)
			detach(s, 128 + (int)si.ssi_signo);
		else
			s->status = 128 + (int)si.ssi_signo;
		break;
	default:
		/* Keys arrive as bytes: this is a signal of another process, or one before the terminal was raw. */
		if (s->started)
			send_simple(s, CONTROL_SIGNAL, CONTROL_F_SIGNAL, si.ssi_signo);
		else if (si.ssi_signo == SIGINT || si.ssi_signo == SIGQUIT)
			s->status = 128 + (int)si.ssi_signo;
	}
}

static void write_output(struct screen *s)
{
	ssize_t n = write(s->tty->out, s->output.data, MIN(s->output.len, (size_t)PIECE));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < 0) {
		buf_reset(&s->output);
		detach(s, 128 + SIGHUP); /* the terminal has gone */
		return;
	}
	buf_consume(&s->output, (size_t)n);
}

static int wait_ms(const struct screen *s)
{
	long long left;

	if (!detachkeys_pending(&s->keys))
		return -1;
	left = s->keys_until - tty_now_ms();
	return left > 0 ? (int)left : 0;
}

static void turn(struct screen *s, int signals)
{
	struct pollfd p[4] = {
		{ .fd = s->rq->socket, .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
		{ .fd = s->input_end || !s->started || s->input.len >= INPUT_MAX ? -1 : s->tty->in, .events = POLLIN },
		{ .fd = s->output.len ? s->tty->out : -1, .events = POLLOUT },
	};

	if (s->output.len)
		p[0].events = 0;
	if (s->input.len && s->started)
		p[0].events |= POLLOUT;
	if (poll(p, ARRAY_SIZE(p), wait_ms(s)) < 0 && errno != EINTR) {
		s->status = EXIT_SANDBOX;
		return;
	}
	if (wait_ms(s) == 0)
		flush_keys(s);
	if (p[1].revents)
		on_signal(s, signals);
	if (p[2].revents && s->status < 0)
		on_typed(s);
	if (p[0].revents & POLLOUT)
		send_input(s);
	if (p[3].revents)
		write_output(s);
	else if (!s->output.len && (p[0].revents & (POLLIN | POLLHUP | POLLERR)) && s->status < 0)
		on_message(s);
}

/* After the end: what is left of the output, as long as the terminal takes it. */
static void finish_output(struct screen *s)
{
	while (s->output.len) {
		struct pollfd p = { .fd = s->tty->out, .events = POLLOUT };

		if (poll(&p, 1, 2000) <= 0)
			break;
		write_output(s);
	}
}

int screen_run(const struct session_request *rq, struct tty *t, int signals)
{
	struct screen s = { .rq = rq, .tty = t, .status = -1 };

	s.input = BUF_INIT(INPUT_MAX * 2);
	s.output = BUF_INIT(4 * IPC_MAX);
	if (detachkeys_parse(rq->detach_keys, &s.keys, &s.error) < 0) {
		fail_print(&s.error);
		return EXIT_SANDBOX;
	}
	while (s.status < 0)
		turn(&s, signals);
	if (!s.detached)
		finish_output(&s);
	tty_restore(t);
	if (s.detached && t->out_is_tty)
		(void)fprintf(stderr, "\nclaude-sandbox: detached; it goes on: claude-sandbox attach %s\n", rq->name);
	if (s.error.msg[0])
		fail_print(&s.error);
	else if (s.notice && !rq->quiet)
		(void)fputs(s.notice, stderr);
	free(s.notice);
	buf_free(&s.input);
	buf_free(&s.output);
	return s.status;
}
