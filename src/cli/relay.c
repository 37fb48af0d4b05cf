#include "cli/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/ctl.h"
#include "wire/control.h"

static bool passes(const struct stat *st)
{
	return S_ISFIFO(st->st_mode) || (S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3));
}

static int make_pipe(struct relay *r, int i, const struct stat *st)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	r->theirs[i] = i ? p[1] : p[0];
	r->close_theirs[i] = true;
	r->pump[i].from = i ? p[0] : 0;
	r->pump[i].to = i ? i : p[1];
	r->pump[i].ours_from = i > 0;
	/* A terminal or a socket that can be written may still not take much without blocking. */
	r->pump[i].step = i && !S_ISREG(st->st_mode) ? 2048 : RELAY_CHUNK;
	r->pump[i].bytes = malloc(RELAY_CHUNK);
	if (!r->pump[i].bytes)
		return -ENOMEM;
	return fd_set_nonblock(i ? p[0] : p[1], true);
}

static int look(int i, struct stat *ret, struct fail *f)
{
	static const char *const names[] = { "standard input", "standard output", "standard error" };

	if (fstat(i, ret) < 0)
		return fail_set(f, errno, "cannot use %s", names[i]);
	if (!S_ISDIR(ret->st_mode))
		return 0;
	(void)fail_set(f, 0, "%s is a directory", names[i]);
	return -EISDIR;
}

int relay_check(struct fail *f)
{
	struct stat st;

	for (int i = 0; i < 3; i++) {
		int r = look(i, &st, f);

		if (r < 0)
			return r;
	}
	return 0;
}

int relay_open(struct relay *r, struct fail *f)
{
	struct stat st[3];

	for (int i = 0; i < 3; i++)
		r->theirs[i] = r->pump[i].from = r->pump[i].to = -1;
	memset(r->close_theirs, 0, sizeof(r->close_theirs));
	for (int i = 0; i < 3; i++) {
		int k;

		r->pump[i] = (struct relay_pump){ .from = -1, .to = -1 };
		r->flags[i] = -1;
		k = look(i, &st[i], f);
		if (k < 0)
			return k;
		if (passes(&st[i])) {
			r->theirs[i] = i;
			r->flags[i] = fcntl(i, F_GETFL);
			continue;
		}
		/* 2>&1: one pipe keeps the order of what is written. */
		if (i == 2 && st[2].st_dev == st[1].st_dev && st[2].st_ino == st[1].st_ino) {
			r->theirs[2] = r->theirs[1];
			continue;
		}
		k = make_pipe(r, i, &st[i]);
		if (k < 0)
			return fail_set(f, -k, "cannot make a pipe");
	}
	return 0;
}

void relay_handed_over(struct relay *r)
{
	for (int i = 0; i < 3; i++)
		if (r->close_theirs[i])
			fd_close(r->theirs[i]);
	memset(r->close_theirs, 0, sizeof(r->close_theirs));
}

static void pump_end(struct relay_pump *p)
{
	if (p->ours_from)
		fd_close(p->from);
	else
		fd_close(p->to);
	p->from = p->to = -1;
	p->len = 0;
}

void relay_close(struct relay *r)
{
	relay_handed_over(r);
	for (int i = 0; i < 3; i++) {
		/* O_NONBLOCK is of the pipe's end, not of the descriptor: whoever writes there next is not to meet EAGAIN */
		if (r->flags[i] >= 0 && fcntl(i, F_GETFL) != r->flags[i])
			(void)fcntl(i, F_SETFL, r->flags[i]);
		if (r->pump[i].from >= 0 || r->pump[i].to >= 0)
			pump_end(&r->pump[i]);
		free(r->pump[i].bytes);
		r->pump[i].bytes = NULL;
	}
}

/* Reads where there is room for it: false when the pump is at its end or has nothing. */
static bool pump_read(struct relay_pump *p)
{
	ssize_t n = read(p->from, p->bytes, RELAY_CHUNK);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return false;
	if (n <= 0) {
		pump_end(p);
		return false;
	}
	p->at = 0;
	p->len = (size_t)n;
	return true;
}

static bool pump_write(struct relay_pump *p)
{
	ssize_t n = write(p->to, p->bytes + p->at, MIN(p->len, p->step));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return false;
	if (n < 0) {
		if (errno != EPIPE)
			p->error = errno;
		/* The writer inside gets SIGPIPE, the reader's way of saying it has enough. */
		pump_end(p);
		return false;
	}
	p->at += (size_t)n;
	p->len -= (size_t)n;
	return true;
}

/* Once the command has ended: what it left in the pipes, and no more. */
static void drain(struct relay *r)
{
	for (int i = 1; i < 3; i++) {
		struct relay_pump *p = &r->pump[i];

		for (size_t left = 1U << 20; p->from >= 0 && left; left -= MIN(left, (size_t)RELAY_CHUNK)) {
			while (p->from >= 0 && p->len) {
				struct pollfd w = { .fd = p->to, .events = POLLOUT };

				if (!pump_write(p) && p->from >= 0)
					(void)poll(&w, 1, -1);
			}
			if (p->from < 0 || !pump_read(p))
				break;
		}
	}
}

struct state {
	const struct session_request *rq;
	int status; /* -1 until the end is known */
	int interrupts;
};

static void send_signal(const struct state *s, int sig)
{
	_cleanup_buf_ struct buf b = BUF_INIT(256);

	ipc_begin(&b, CONTROL_SIGNAL);
	ipc_put_u64(&b, CONTROL_F_SIGNAL, (uint64_t)sig);
	(void)ctl_send(s->rq->socket, &b, NULL, 0);
}

/* The command gets what we get; an interrupt that it does not heed twice ends it. */
static void on_signal(struct state *s, int signals)
{
	struct signalfd_siginfo si;

	if (read(signals, &si, sizeof(si)) != (ssize_t)sizeof(si))
		return;
	switch (si.ssi_signo) {
	case SIGWINCH:
		return;
	case SIGTSTP:
		send_signal(s, SIGSTOP);
		(void)raise(SIGSTOP);
		return;
	case SIGCONT:
		send_signal(s, SIGCONT);
		return;
	case SIGINT:
		send_signal(s, ++s->interrupts > 2 ? SIGKILL : SIGINT);
		return;
	default:
		send_signal(s, (int)si.ssi_signo);
	}
}

static void on_message(struct state *s)
{
	static struct ctl_msg msg;
	_cleanup_free_ char *text = NULL;
	struct fail f = { 0 };
	int r = ctl_recv(s->rq->socket, &msg);

	if (r <= 0) {
		(void)fail_set(&f, 0, "the sandbox '%s' ended unexpectedly", s->rq->name);
		fail_print(&f);
		s->status = EXIT_SANDBOX;
	} else if (msg.m.type == CONTROL_EXITED) {
		s->status = (int)ipc_get_u64(&msg.m, CONTROL_F_STATUS, EXIT_SANDBOX) & 0xff;
		text = ipc_get_str(&msg.m, CONTROL_F_RECEIPT);
		if (text && !s->rq->quiet)
			(void)fputs(text, stderr);
	} else if (msg.m.type == CONTROL_ERROR) {
		s->status = ctl_error(&msg.m, &f);
		fail_print(&f);
	}
}

/* What to wait for: slots 0 the socket, 1 signals, then two for each pump. */
static nfds_t poll_set(const struct relay *r, const struct state *s, int signals, struct pollfd p[5])
{
	p[0] = (struct pollfd){ .fd = s->rq->socket, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = signals, .events = POLLIN };
	for (int i = 0; i < 3; i++) {
		const struct relay_pump *m = &r->pump[i];

		p[2 + i] = (struct pollfd){ .fd = -1 };
		if (m->from < 0)
			continue;
		/* A reader of standard input that has gone shows as POLLERR on the pipe, whether or not we have bytes. */
		p[2 + i].fd = m->len ? m->to : m->from;
		p[2 + i].events = m->len ? POLLOUT : POLLIN;
	}
	return 5;
}

int relay_run(struct relay *r, const struct session_request *rq, int signals)
{
	struct state s = { .rq = rq, .status = -1 };

	while (s.status < 0) {
		struct pollfd p[5];
		nfds_t n = poll_set(r, &s, signals, p);

		if (poll(p, n, -1) < 0 && errno != EINTR)
			break;
		if (p[1].revents)
			on_signal(&s, signals);
		for (int i = 0; i < 3; i++) {
			struct relay_pump *m = &r->pump[i];

			if (!p[2 + i].revents || m->from < 0)
				continue;
			if (m->len)
				(void)pump_write(m);
			else
				(void)pump_read(m);
		}
		if (p[0].revents)
			on_message(&s);
	}
	drain(r);
	for (int i = 1; i < 3; i++) {
		struct fail f = { 0 };

		if (!r->pump[i].error)
			continue;
		(void)fail_set(&f, r->pump[i].error, "cannot write %s", i == 1 ? "standard output" : "standard error");
		fail_print(&f);
		s.status = s.status ? s.status : EXIT_SANDBOX;
	}
	return s.status < 0 ? EXIT_SANDBOX : s.status;
}
