/* The control socket's clients. One table says which message is taken in which phase; what is not in it is answered
 * with CONTROL_ERROR and otherwise ignored, so that newer clients get along with older supervisors. Nothing here
 * blocks: answers wait in a bounded queue, and output is sent from the session's ring. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "supervisor/internal.h"
#include "wire/control.h"

static void on_read(struct ev_loop *loop, ev_io *w, int revents);
static void on_write(struct ev_loop *loop, ev_io *w, int revents);

int peer_add(struct supervisor *sv, int fd, bool first)
{
	struct peer *p = calloc(1, sizeof(*p));

	if (!p || (!first && sv->npeers >= PEERS_MAX)) {
		free(p);
		fd_close(fd);
		return -EAGAIN;
	}
	p->sv = sv;
	p->fd = fd;
	p->first = first;
	p->phase = PEER_NEW;
	p->until = UINT64_MAX;
	p->queue = BUF_INIT(QUEUE_MAX);
	p->last = BUF_INIT(IPC_MAX);
	(void)fd_set_nonblock(fd, true);
	ev_io_init(&p->read_io, on_read, fd, EV_READ);
	ev_io_init(&p->write_io, on_write, fd, EV_WRITE);
	ev_io_start(sv->loop, &p->read_io);
	p->next = sv->peers;
	sv->peers = p;
	sv->npeers++;
	return 0;
}

static void on_accept(struct ev_loop *loop _unused_, ev_io *w, int revents _unused_)
{
	struct supervisor *sv = w->data;

	for (;;) {
		int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		struct ucred cred;
		socklen_t n = sizeof(cred);

		if (fd < 0)
			return;
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) < 0 || cred.uid != geteuid()) {
			sv_log(sv, "a client of another user was refused");
			fd_close(fd);
			continue;
		}
		(void)peer_add(sv, fd, false);
	}
}

void peer_listen(struct supervisor *sv)
{
	ev_io_init(&sv->control_io, on_accept, sv->claim->control, EV_READ);
	sv->control_io.data = sv;
	ev_io_start(sv->loop, &sv->control_io);
}

static void leave_session(struct peer *p)
{
	struct session *s = p->session;

	if (!s)
		return;
	if (s->latest == p)
		s->latest = NULL;
	p->session = NULL;
	p->attached = false;
	session_pace(s);
}

/* A session without terminal cannot be attached to again: it goes with its client. */
static void owner_gone(struct supervisor *sv, struct session *s)
{
	if (s->state == SESSION_EXITED)
		return;
	if (s->kind == SESSION_EXEC && s->state == SESSION_WAITING)
		s->state = SESSION_EXITED;
	else if (s->kind == SESSION_EXEC)
		inner_kill(sv, s, SIGKILL);
	else
		sv_stop(sv, "client gone", true, sv->stop_grace_ms);
}

void peer_close(struct peer *p)
{
	struct supervisor *sv = p->sv;
	struct session *s = p->session;
	bool owner = p->owner, first = p->first;

	for (struct peer **at = &sv->peers; *at; at = &(*at)->next) {
		if (*at == p) {
			*at = p->next;
			break;
		}
	}
	sv->npeers--;
	leave_session(p);
	ev_io_stop(sv->loop, &p->read_io);
	ev_io_stop(sv->loop, &p->write_io);
	fd_close(p->fd);
	buf_free(&p->queue);
	buf_free(&p->last);
	free(p);
	if (owner && s)
		owner_gone(sv, s);
	else if (!sv->next_session && first && sv->state < SV_STOPPING)
		sv_stop(sv, "client gone", true, 0); /* before it asked for anything */
}

/* 1 sent, 0 not now, negative: the client has gone. */
static int send_one(struct peer *p, const void *m, size_t n)
{
	int r = fd_sendmsg(p->fd, m, n, NULL, 0);

	if (r == -EAGAIN || r == -ENOBUFS)
		return 0;
	if (r < 0)
		return r;
	p->progress = true;
	return 1;
}

static int send_queue(struct peer *p)
{
	while (p->queue.len) {
		uint32_t n;
		int r;

		memcpy(&n, p->queue.data, sizeof(n));
		r = send_one(p, p->queue.data + sizeof(n), n);
		if (r <= 0)
			return r;
		buf_consume(&p->queue, sizeof(n) + n);
	}
	return 1;
}

/* A client that was stuck has lost what the ring no longer has: it is told, and sees a whole screen again. */
static void skip(struct peer *p, uint64_t oldest)
{
	_cleanup_buf_ struct buf b = BUF_INIT(256);
	char text[64];

	(void)snprintf(text, sizeof(text), "%llu bytes of output were skipped", (unsigned long long)(oldest - p->pos));
	p->pos = oldest;
	ipc_begin(&b, CONTROL_NOTICE);
	ipc_put_str(&b, CONTROL_F_MSG, text);
	peer_queue(p, &b);
	if (!p->readonly && p->session->state == SESSION_RUNNING)
		inner_kill(p->sv, p->session, SIGWINCH);
}

/* Before a replay that does not reach back to the session's beginning: the modes that are on. What the replay switches
 * ends as it is now in any case. */
static int send_modes(struct peer *p)
{
	_cleanup_buf_ struct buf b = BUF_INIT(IPC_MAX);
	char modes[TERMFILTER_RESTORE_MAX];
	int r;

	if (!p->wants_modes)
		return 1;
	ipc_begin(&b, CONTROL_OUTPUT);
	ipc_put_bytes(&b, CONTROL_F_DATA, modes, termfilter_assert(&p->session->modes, modes));
	r = send_one(p, b.data, b.len);
	if (r > 0)
		p->wants_modes = false;
	return r;
}

/* The next piece of the session's output for this client. */
static int send_output(struct peer *p)
{
	struct session *s = p->session;
	_cleanup_buf_ struct buf b = BUF_INIT(IPC_MAX);
	int r = send_modes(p);

	if (r <= 0)
		return r;
	while (p->attached && s && p->pos < MIN(s->total, p->until)) {
		uint64_t oldest = s->total > RING_SIZE ? s->total - RING_SIZE : 0;
		uint64_t n;

		if (p->pos < oldest)
			skip(p, oldest);
		n = MIN(MIN(s->total, p->until) - p->pos, OUTPUT_CHUNK);
		n = MIN(n, RING_SIZE - p->pos % RING_SIZE);
		ipc_begin(&b, CONTROL_OUTPUT);
		if (p->pos < p->replay_until)
			ipc_put_u64(&b, CONTROL_F_REPLAY, 1);
		if (p->pos < p->replay_until)
			n = MIN(n, p->replay_until - p->pos);
		ipc_put_bytes(&b, CONTROL_F_DATA, s->ring + p->pos % RING_SIZE, (size_t)n);
		r = b.error ? b.error : send_one(p, b.data, b.len);
		if (r <= 0)
			return r;
		p->pos += n;
	}
	p->lagging = false;
	return 1;
}

void peer_kick(struct peer *p)
{
	struct session *s = p->session;
	int r = send_queue(p);

	if (r > 0)
		r = send_output(p);
	if (r > 0)
		r = send_queue(p);
	if (r > 0 && p->last.len) {
		r = send_one(p, p->last.data, p->last.len);
		if (r > 0) {
			p->owner = false;
			r = -EPIPE; /* all is said */
		}
	}
	if (r < 0) {
		peer_close(p);
		return;
	}
	if (r == 0)
		ev_io_start(p->sv->loop, &p->write_io);
	else
		ev_io_stop(p->sv->loop, &p->write_io);
	if (s && s->paused)
		session_pace(s);
}

static void on_write(struct ev_loop *loop _unused_, ev_io *w, int revents _unused_)
{
	peer_kick((struct peer *)((char *)w - offsetof(struct peer, write_io)));
}

/* Puts a message at the queue's end. Who never reads its answers loses them. */
void peer_queue(struct peer *p, const struct buf *m)
{
	uint32_t n = (uint32_t)m->len;

	if (m->error || p->queue.len + sizeof(n) + m->len > p->queue.max)
		return;
	buf_put(&p->queue, &n, sizeof(n));
	buf_put(&p->queue, m->data, m->len);
	ev_io_start(p->sv->loop, &p->write_io);
}

void peer_last(struct peer *p, const struct buf *m)
{
	if (p->last.len || m->error)
		return;
	buf_put(&p->last, m->data, m->len);
	ev_io_start(p->sv->loop, &p->write_io);
}

void peer_ok(struct peer *p)
{
	_cleanup_buf_ struct buf b = BUF_INIT(64);

	ipc_begin(&b, CONTROL_OK);
	peer_queue(p, &b);
}

void peer_error(struct peer *p, int status, const char *msg, const char *hint)
{
	_cleanup_buf_ struct buf b = BUF_INIT(IPC_MAX);

	ipc_begin(&b, CONTROL_ERROR);
	ipc_put_u64(&b, CONTROL_F_STATUS, (uint64_t)status);
	ipc_put_str(&b, CONTROL_F_MSG, msg);
	ipc_put_str(&b, CONTROL_F_HINT, hint);
	peer_queue(p, &b);
}

/* ---- the messages ---- */

static void take_size(struct peer *p, const struct ipc_msg *m)
{
	p->rows = (unsigned)MIN(ipc_get_u64(m, CONTROL_F_ROWS, 0), 10000U);
	p->cols = (unsigned)MIN(ipc_get_u64(m, CONTROL_F_COLS, 0), 10000U);
}

static void do_hello(struct peer *p, const struct ipc_msg *m _unused_, const int *fds _unused_, size_t nfds _unused_)
{
	_cleanup_buf_ struct buf b = BUF_INIT(4096);

	p->phase = PEER_KNOWN;
	ipc_begin(&b, CONTROL_WELCOME);
	ipc_put_u64(&b, CONTROL_F_VERSION, CONTROL_VERSION);
	ipc_put_str(&b, CONTROL_F_NAME, p->sv->name);
	ipc_put_u64(&b, CONTROL_F_PID, (uint64_t)getpid());
	peer_queue(p, &b);
}

static void do_spawn(struct peer *p, const struct ipc_msg *m, const int *fds, size_t nfds)
{
	struct supervisor *sv = p->sv;
	struct session *s;
	struct fail f = { 0 };

	if (sv->state >= SV_STOPPING) {
		peer_error(p, 125, "the sandbox is stopping", NULL);
		return;
	}
	if (session_new(sv, m, fds, nfds, &s, &f) < 0) {
		peer_error(p, 125, f.msg, f.hint);
		return;
	}
	p->session = s;
	p->phase = PEER_SESSION;
	p->attached = s->tty;
	p->owner = !s->tty;
	p->pos = 0;
	take_size(p, m);
	s->latest = p;
	inner_spawn(sv);
	if (s->id > 1)
		trail_event(sv, s->kind == SESSION_EXEC ? "exec" : "shell", s->command, NULL);
}

static uint64_t replay_start(const struct session *s)
{
	uint64_t at = s->total > RING_SIZE ? s->total - RING_SIZE : 0;

	if (!at)
		return 0;
	/* The ring's first line is likely cut. */
	for (uint64_t i = at; i < at + 4096; i++)
		if (s->ring[i % RING_SIZE] == '\n')
			return i + 1;
	return at;
}

static struct session *wanted_session(struct peer *p, const struct ipc_msg *m)
{
	uint64_t id = ipc_get_u64(m, CONTROL_F_SESSION, 0);
	struct session *s = id ? session_find(p->sv, id) : session_first_tty(p->sv);

	if (!s || !s->tty) {
		peer_error(p, 125, id ? "no such session has a terminal" : "no session of it has a terminal", NULL);
		return NULL;
	}
	return s;
}

static void do_attach(struct peer *p, const struct ipc_msg *m, const int *fds _unused_, size_t nfds _unused_)
{
	struct session *s = wanted_session(p, m);
	_cleanup_buf_ struct buf b = BUF_INIT(4096);

	if (!s)
		return;
	if (s->state == SESSION_EXITED) {
		peer_error(p, 125, "that session has ended", NULL);
		return;
	}
	take_size(p, m);
	p->session = s;
	p->phase = PEER_SESSION;
	p->attached = true;
	p->readonly = ipc_has(m, CONTROL_F_READONLY);
	p->pos = replay_start(s);
	p->replay_until = s->total;
	p->wants_modes = s->total > RING_SIZE;
	ipc_begin(&b, CONTROL_STARTED);
	ipc_put_u64(&b, CONTROL_F_SESSION, s->id);
	peer_queue(p, &b);
	if (!p->readonly)
		session_redraw(s, p);
	trail_event(p->sv, "attach", s->command, NULL);
}

static void do_logs(struct peer *p, const struct ipc_msg *m, const int *fds _unused_, size_t nfds _unused_)
{
	struct session *s = wanted_session(p, m);
	_cleanup_buf_ struct buf b = BUF_INIT(64);

	if (!s)
		return;
	p->session = s;
	p->attached = p->readonly = true;
	p->pos = replay_start(s);
	p->replay_until = p->until = s->total;
	p->lagging = true; /* nobody waits for it */
	ipc_begin(&b, CONTROL_OK);
	peer_last(p, &b);
}

static void do_input(struct peer *p, const struct ipc_msg *m, const int *fds _unused_, size_t nfds _unused_)
{
	size_t n;
	const void *data = ipc_get_bytes(m, CONTROL_F_DATA, &n);

	if (!data || p->readonly || !p->session)
		return;
	if (p->session->latest != p)
		session_size(p->session, p);
	session_input(p->session, data, n);
	if (session_input_full(p->session)) {
		p->held = true;
		ev_io_stop(p->sv->loop, &p->read_io);
	}
}

static void do_resize(struct peer *p, const struct ipc_msg *m, const int *fds _unused_, size_t nfds _unused_)
{
	take_size(p, m);
	if (p->session && !p->readonly)
		session_size(p->session, p);
}

static void do_signal(struct peer *p, const struct ipc_msg *m, const int *fds _unused_, size_t nfds _unused_)
{
	uint64_t sig = ipc_get_u64(m, CONTROL_F_SIGNAL, 0);

	if (!p->session || p->readonly || !sig || sig > 64)
		return;
	if (p->session->state == SESSION_RUNNING)
		inner_kill(p->sv, p->session, (int)sig);
	else if (p->session->state != SESSION_EXITED && p->owner)
		p->session->early_signal = (int)sig;
}

static void do_detach(struct peer *p, const struct ipc_msg *m _unused_, const int *fds _unused_, size_t nfds _unused_)
{
	_cleanup_buf_ struct buf b = BUF_INIT(256);

	trail_event(p->sv, "detach", NULL, NULL);
	p->owner = false;
	leave_session(p);
	p->phase = PEER_KNOWN;
	ipc_begin(&b, CONTROL_DETACHED);
	peer_last(p, &b);
}

static void do_stop(struct peer *p, const struct ipc_msg *m, const int *fds _unused_, size_t nfds _unused_)
{
	p->wants_stop = true;
	sv_stop(p->sv, "stopped", true, ipc_get_u64(m, CONTROL_F_GRACE, p->sv->stop_grace_ms));
}

static void do_info(struct peer *p, const struct ipc_msg *m _unused_, const int *fds _unused_, size_t nfds _unused_)
{
	_cleanup_buf_ struct buf json = BUF_INIT(IPC_MAX - 256), b = BUF_INIT(IPC_MAX);

	if (info_json(p->sv, &json) < 0) {
		peer_error(p, 125, "its description is too long", NULL);
		return;
	}
	ipc_begin(&b, CONTROL_INFO_IS);
	ipc_put_str(&b, CONTROL_F_JSON, json.data);
	peer_queue(p, &b);
}

static void do_ps(struct peer *p, const struct ipc_msg *m _unused_, const int *fds _unused_, size_t nfds _unused_)
{
	if (p->sv->state != SV_RUNNING || inner_ps(p->sv) < 0) {
		peer_error(p, 125, "the sandbox does not answer", NULL);
		return;
	}
	p->wants_ps = true;
}

static const struct {
	uint16_t type;
	unsigned phases;
	size_t fds_max;
	void (*run)(struct peer *p, const struct ipc_msg *m, const int *fds, size_t nfds);
} table[] = {
	{ CONTROL_HELLO,  PEER_NEW,			0, do_hello },
	{ CONTROL_SPAWN,  PEER_KNOWN,			4, do_spawn },
	{ CONTROL_ATTACH, PEER_KNOWN,			0, do_attach },
	{ CONTROL_LOGS,	  PEER_KNOWN,			0, do_logs },
	{ CONTROL_STOP,	  PEER_KNOWN,			0, do_stop },
	{ CONTROL_INFO,	  PEER_KNOWN,			0, do_info },
	{ CONTROL_PS,	  PEER_KNOWN,			0, do_ps },
	{ CONTROL_INPUT,  PEER_SESSION,			0, do_input },
	{ CONTROL_RESIZE, PEER_SESSION,			0, do_resize },
	{ CONTROL_SIGNAL, PEER_SESSION,			0, do_signal },
	{ CONTROL_DETACH, PEER_SESSION,			0, do_detach },
};

static void dispatch(struct peer *p, const struct ipc_msg *m, const int *fds, size_t nfds)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (table[i].type != m->type)
			continue;
		if (!(table[i].phases & p->phase))
			peer_error(p, 125, "that message is not allowed now", NULL);
		else if (nfds > table[i].fds_max)
			peer_error(p, 125, "that message takes no descriptors", NULL);
		else
			table[i].run(p, m, fds, nfds);
		return;
	}
	peer_error(p, 125, "this sandbox was started by a version that does not know that message",
		   "stop it and start it again");
}

static void on_read(struct ev_loop *loop _unused_, ev_io *w, int revents _unused_)
{
	static char bytes[IPC_MAX];
	struct peer *p = (struct peer *)((char *)w - offsetof(struct peer, read_io));
	int fds[FD_PASS_MAX];
	struct ipc_msg m;
	size_t nfds = 0;
	ssize_t n = fd_recvmsg(p->fd, bytes, sizeof(bytes), fds, &nfds);

	if (n == -EAGAIN)
		return;
	if (n <= 0 || ipc_parse(bytes, (size_t)n, &m) < 0) {
		while (n > 0 && nfds)
			fd_close(fds[--nfds]);
		peer_close(p);
		return;
	}
	dispatch(p, &m, fds, nfds);
	while (nfds)
		fd_close(fds[--nfds]);
}

void peer_flush_all(struct supervisor *sv)
{
	struct timeval bound = { .tv_sec = 1 };

	while (sv->peers) {
		struct peer *p = sv->peers;

		(void)setsockopt(p->fd, SOL_SOCKET, SO_SNDTIMEO, &bound, sizeof(bound));
		(void)fd_set_nonblock(p->fd, p->lagging);
		p->owner = false;
		if (send_queue(p) > 0 && send_output(p) > 0 && p->last.len)
			(void)send_one(p, p->last.data, p->last.len);
		peer_close(p);
	}
}
