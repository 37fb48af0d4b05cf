/* A session is one command that was started inside, with a terminal or with three descriptors of the client's own.
 *
 * With a terminal, its output goes into a ring of 1 MiB, and each attached client has a position in that stream: no
 * client has a queue of its own, and how slow one is touches nobody. The terminal is read as fast as the fastest client
 * takes it (so that a flood has its natural pace); where none makes progress for a second, or none is attached, it is
 * read at full speed, and who falls out of the ring continues at its oldest byte. Size: that of the client that was
 * active last (tmux's window-size "latest"). */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "supervisor/internal.h"
#include "wire/control.h"
#include "wire/inner.h"

static struct session *session_free(struct session *s)
{
	if (!s)
		return NULL;
	ev_io_stop(s->sv->loop, &s->read_io);
	ev_io_stop(s->sv->loop, &s->write_io);
	ev_timer_stop(s->sv->loop, &s->stall);
	fd_close(s->spec);
	for (size_t i = 0; i < 3; i++)
		fd_close(s->stdio[i]);
	fd_close(s->master);
	if (s->ring)
		munmap(s->ring, RING_SIZE);
	buf_free(&s->input);
	free(s->command);
	free(s);
	return NULL;
}

struct session *session_find(const struct supervisor *sv, uint64_t id)
{
	for (struct session *s = sv->sessions; s; s = s->next)
		if (s->id == id)
			return s;
	return NULL;
}

struct session *session_first_tty(const struct supervisor *sv)
{
	for (struct session *s = sv->sessions; s; s = s->next)
		if (s->tty && s->state != SESSION_EXITED)
			return s;
	return NULL;
}

bool session_any_lasting(const struct supervisor *sv)
{
	for (struct session *s = sv->sessions; s; s = s->next)
		if (s->kind != SESSION_EXEC && s->state != SESSION_EXITED)
			return true;
	return false;
}

/* Ended sessions are remembered for a while by `inspect`; beyond the bound the oldest goes. */
static void forget_old(struct supervisor *sv)
{
	for (struct session **at = &sv->sessions; *at; at = &(*at)->next) {
		struct session *s = *at;
		bool used = s->state != SESSION_EXITED;

		for (struct peer *p = sv->peers; p; p = p->next)
			used = used || p->session == s;
		if (used)
			continue;
		*at = s->next;
		sv->nsessions--;
		session_free(s);
		return;
	}
}

void session_free_all(struct supervisor *sv)
{
	while (sv->sessions) {
		struct session *s = sv->sessions;

		sv->sessions = s->next;
		session_free(s);
	}
	sv->nsessions = 0;
}

/* What pid 1 needs: the sandbox's own environment with the client's variables over it. */
static int write_spec(struct session *s, char *const *args, char *const *overrides, const char *cwd)
{
	struct supervisor *sv = s->sv;
	_cleanup_buf_ struct buf b = BUF_INIT(IPC_SPEC_MAX);
	_cleanup_strv_ char **env = strv_copy(sv->env);

	for (; overrides && *overrides; overrides++) {
		_cleanup_free_ char *name = strndup(*overrides, strcspn(*overrides, "="));
		const char *value = strchr(*overrides, '=');

		if (!name || env_set(&env, name, value ? value + 1 : NULL) < 0)
			return -ENOMEM;
	}
	ipc_begin(&b, INNER_SPAWN);
	ipc_put_strv(&b, INNER_ARG, args ? args : sv->argv);
	ipc_put_strv(&b, INNER_ENV, env);
	ipc_put_str(&b, INNER_CWD, cwd ? cwd : sv->cwd);
	if (b.error)
		return b.error;
	s->spec = fd_memfd("spec", b.data, b.len);
	return s->spec < 0 ? s->spec : 0;
}

static char *command_text(char *const *args)
{
	struct buf b = BUF_INIT(4096);

	for (; args && *args && !b.error; args++)
		buf_printf(&b, "%s%s", b.len ? " " : "", *args);
	return b.data ? b.data : strdup("");
}

/* Reads the client's spec: a memfd with ARG.., ENV.., CWD. */
static int read_spec(struct session *s, int fd, struct fail *f)
{
	_cleanup_free_ char *bytes = NULL, *cwd = NULL;
	_cleanup_strv_ char **args = NULL, **env = NULL;
	struct ipc_msg m;
	size_t n;
	int r;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return fail_set(f, errno, "the client's request cannot be read");
	r = fd_read_fd(fd, IPC_SPEC_MAX, &bytes, &n);
	if (r == 0)
		r = ipc_parse(bytes, n, &m);
	if (r == 0)
		r = ipc_get_strv(&m, CONTROL_F_ARG, &args);
	if (r == 0)
		r = ipc_get_strv(&m, CONTROL_F_ENV, &env);
	if (r < 0)
		return fail_set(f, -r, "the client's request cannot be read");
	cwd = ipc_get_str(&m, CONTROL_F_CWD);
	s->command = command_text(args ? args : s->sv->argv);
	r = write_spec(s, args, env, cwd);
	return r < 0 || !s->command ? fail_set(f, r < 0 ? -r : ENOMEM, "the command cannot be passed on") : 0;
}

static void on_readable(struct ev_loop *loop, ev_io *w, int revents);
static void on_writable(struct ev_loop *loop, ev_io *w, int revents);
static void on_stall(struct ev_loop *loop, ev_timer *w, int revents);

int session_new(struct supervisor *sv, const struct ipc_msg *m, const int *fds, size_t nfds, struct session **ret,
		struct fail *f)
{
	bool tty = ipc_has(m, CONTROL_F_TTY);
	uint64_t kind = ipc_get_u64(m, CONTROL_F_KIND, SESSION_EXEC);
	struct session *s, **at;
	int r;

	if (nfds != (tty ? 1 : 4) || kind > SESSION_EXEC)
		return fail_set(f, EBADMSG, "the client's request is malformed");
	if (sv->nsessions >= SESSIONS_KEPT)
		forget_old(sv);
	if (sv->nsessions >= SESSIONS_MAX)
		return fail_set(f, EAGAIN, "too many sessions");
	s = calloc(1, sizeof(*s));
	if (!s)
		return fail_set(f, ENOMEM, "cannot start a session");
	s->sv = sv;
	s->spec = s->master = s->stdio[0] = s->stdio[1] = s->stdio[2] = -1;
	s->input = BUF_INIT(INPUT_MAX);
	s->tty = tty;
	s->kind = (enum session_kind)kind;
	s->rows = (unsigned)MIN(ipc_get_u64(m, CONTROL_F_ROWS, 24), 10000U);
	s->cols = (unsigned)MIN(ipc_get_u64(m, CONTROL_F_COLS, 80), 10000U);
	s->started = sv_now_ms();
	termfilter_init(&s->modes);
	ev_init(&s->read_io, on_readable);
	ev_init(&s->write_io, on_writable);
	ev_init(&s->stall, on_stall);
	r = read_spec(s, fds[0], f);
	if (r < 0) {
		session_free(s);
		return r;
	}
	for (size_t i = 0; !tty && i < 3; i++) {
		s->stdio[i] = dup(fds[i + 1]);
		(void)fd_set_cloexec(s->stdio[i], true);
	}
	s->id = ++sv->next_session;
	for (at = &sv->sessions; *at; at = &(*at)->next)
		;
	*at = s;
	sv->nsessions++;
	*ret = s;
	return 0;
}

void session_send(struct session *s)
{
	_cleanup_buf_ struct buf b = BUF_INIT(IPC_MAX);
	int fds[4] = { s->spec, s->stdio[0], s->stdio[1], s->stdio[2] };
	int r;

	ipc_begin(&b, INNER_SPAWN);
	ipc_put_u64(&b, INNER_ID, s->id);
	if (s->tty) {
		ipc_put_u64(&b, INNER_TTY, 1);
		ipc_put_u64(&b, INNER_ROWS, s->rows);
		ipc_put_u64(&b, INNER_COLS, s->cols);
	}
	s->sole = !s->tty && s->kind == SESSION_MAIN;
	if (s->sole)
		ipc_put_u64(&b, INNER_SOLE, 1);
	s->state = SESSION_SENT;
	r = inner_send(s->sv, &b, fds, s->tty ? 1 : 4);
	s->spec = fd_close(s->spec);
	for (size_t i = 0; i < 3; i++)
		s->stdio[i] = fd_close(s->stdio[i]);
	/* while it starts, what it said before it went is the reason, and is read soon */
	if (r < 0 && s->sv->state != SV_STARTING)
		session_failed(s, 125, "the sandbox does not answer", NULL);
}

void session_spawned(struct session *s, pid_t pid, int master)
{
	struct supervisor *sv = s->sv;
	_cleanup_buf_ struct buf b = BUF_INIT(IPC_MAX);

	s->state = SESSION_RUNNING;
	s->pid = pid;
	if (s->tty && master >= 0) {
		s->master = master;
		(void)fd_set_nonblock(master, true);
		ev_io_set(&s->read_io, master, EV_READ);
		ev_io_set(&s->write_io, master, EV_WRITE);
		ev_io_start(sv->loop, &s->read_io);
		if (s->input.len)
			ev_io_start(sv->loop, &s->write_io);
	} else {
		fd_close(master);
	}
	ipc_begin(&b, CONTROL_STARTED);
	ipc_put_u64(&b, CONTROL_F_SESSION, s->id);
	for (struct peer *p = sv->peers; p; p = p->next)
		if (p->session == s)
			peer_queue(p, &b);
	trail_began(sv);
	if (s->early_signal)
		inner_kill(sv, s, s->early_signal);
}

static void tell_last(struct session *s, const struct buf *m)
{
	for (struct peer *p = s->sv->peers; p; p = p->next)
		if (p->session == s)
			peer_last(p, m);
}

void session_failed(struct session *s, int status, const char *msg, const char *hint)
{
	_cleanup_buf_ struct buf b = BUF_INIT(IPC_MAX);

	s->state = SESSION_EXITED;
	s->status = status << 8;
	ipc_begin(&b, CONTROL_ERROR);
	ipc_put_u64(&b, CONTROL_F_STATUS, (uint64_t)status);
	ipc_put_str(&b, CONTROL_F_MSG, msg);
	ipc_put_str(&b, CONTROL_F_HINT, hint);
	tell_last(s, &b);
}

static void say_exited(struct session *s, const char *receipt)
{
	_cleanup_buf_ struct buf b = BUF_INIT(IPC_MAX);

	ipc_begin(&b, CONTROL_EXITED);
	ipc_put_u64(&b, CONTROL_F_STATUS, s->sv->timed_out ? 124 : (uint64_t)sv_exit_status(s->status));
	ipc_put_str(&b, CONTROL_F_RECEIPT, receipt);
	tell_last(s, &b);
}

void session_exited(struct session *s, int wait_status)
{
	s->status = wait_status;
	session_finish_output(s);
	s->state = SESSION_EXITED;
	if (!s->sv->timed_out || s->kind == SESSION_EXEC)
		sv_log(s->sv, "session %llu ended with status %d", (unsigned long long)s->id, sv_exit_status(wait_status));
	/* Who hears that a command has ended may run git next. */
	trail_sync(s->sv, s->sole);
	/* The last lasting session with a terminal, or with a receipt asked for, hears of its end when the receipt is
	 * written; everybody else at once. */
	if (s->kind == SESSION_EXEC || session_any_lasting(s->sv)) {
		say_exited(s, NULL);
	} else if (!s->tty && !s->sv->receipt_file) {
		_cleanup_free_ char *text = trail_taken(s->sv);

		say_exited(s, text);
	}
}

void session_end(struct session *s, const char *receipt)
{
	say_exited(s, receipt);
}

static void stop_reading(struct session *s)
{
	ev_io_stop(s->sv->loop, &s->read_io);
	ev_io_stop(s->sv->loop, &s->write_io);
	ev_timer_stop(s->sv->loop, &s->stall);
	s->paused = false;
	s->master = fd_close(s->master);
}

static void append(struct session *s, const char *p, size_t n)
{
	size_t at, first;

	if (!s->ring) {
		void *m = mmap(NULL, RING_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (m == MAP_FAILED)
			return;
		s->ring = m;
	}
	at = s->total % RING_SIZE;
	first = MIN(n, RING_SIZE - at);
	memcpy(s->ring + at, p, first);
	memcpy(s->ring, p + first, n - first);
	s->total += n;
	termfilter_track(&s->modes, p, n);
}

/* One read: the count, 0 at the end, -EAGAIN. */
static ssize_t read_once(struct session *s)
{
	char chunk[OUTPUT_CHUNK];
	ssize_t n;

	do
		n = read(s->master, chunk, sizeof(chunk));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? -EAGAIN : 0; /* EIO: no slave is open any more */
	if (n > 0)
		append(s, chunk, (size_t)n);
	return n;
}

static void kick_attached(struct session *s)
{
	for (struct peer *p = s->sv->peers, *next; p; p = next) {
		next = p->next;
		if (p->session == s && p->attached)
			peer_kick(p);
	}
}

static void on_readable(struct ev_loop *loop _unused_, ev_io *w, int revents _unused_)
{
	struct session *s = (struct session *)((char *)w - offsetof(struct session, read_io));
	ssize_t n = -EAGAIN;

	/* A pty gives 4 KiB at a time: several make one message. */
	for (size_t got = 0; got < OUTPUT_CHUNK; got += (size_t)n) {
		n = read_once(s);
		if (n <= 0)
			break;
	}
	s->sv->last_active = ev_now(s->sv->loop);
	if (n == 0)
		stop_reading(s);
	kick_attached(s);
	session_pace(s);
}

void session_finish_output(struct session *s)
{
	/* Bounded: what a background process goes on writing is not waited for. A terminal holds less than this. */
	for (size_t left = 4 * OUTPUT_CHUNK; s->master >= 0 && left;) {
		ssize_t n = read_once(s);

		if (n <= 0)
			break;
		left -= MIN((size_t)n, left);
	}
	if (s->master >= 0)
		stop_reading(s);
	kick_attached(s);
}

void session_pace(struct session *s)
{
	uint64_t nearest = UINT64_MAX;
	bool counted = false;

	if (s->master < 0)
		return;
	for (struct peer *p = s->sv->peers; p; p = p->next) {
		if (p->session != s || !p->attached || p->lagging)
			continue;
		counted = true;
		nearest = MIN(nearest, s->total - p->pos);
	}
	if (counted && nearest > BEHIND_MAX) {
		if (s->paused)
			return;
		s->paused = true;
		ev_io_stop(s->sv->loop, &s->read_io);
		for (struct peer *p = s->sv->peers; p; p = p->next)
			p->progress = false;
		ev_timer_set(&s->stall, STALL_SECONDS, 0.);
		ev_timer_start(s->sv->loop, &s->stall);
	} else if (s->paused) {
		s->paused = false;
		ev_timer_stop(s->sv->loop, &s->stall);
		ev_io_start(s->sv->loop, &s->read_io);
	}
}

static void on_stall(struct ev_loop *loop, ev_timer *w, int revents _unused_)
{
	struct session *s = (struct session *)((char *)w - offsetof(struct session, stall));

	for (struct peer *p = s->sv->peers; p; p = p->next) {
		if (p->session == s && p->attached && !p->progress)
			p->lagging = true;
		p->progress = false;
	}
	session_pace(s);
	if (s->paused) {
		ev_timer_set(&s->stall, STALL_SECONDS, 0.);
		ev_timer_start(loop, &s->stall);
	}
}

static void unhold(struct session *s)
{
	for (struct peer *p = s->sv->peers; p; p = p->next) {
		if (p->held && p->session == s) {
			p->held = false;
			ev_io_start(s->sv->loop, &p->read_io);
		}
	}
}

static void write_input(struct session *s)
{
	while (s->input.len && s->master >= 0) {
		ssize_t n = write(s->master, s->input.data, s->input.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			ev_io_start(s->sv->loop, &s->write_io);
			return;
		}
		if (n < 0) {
			buf_reset(&s->input);
			break;
		}
		buf_consume(&s->input, (size_t)n);
	}
	ev_io_stop(s->sv->loop, &s->write_io);
	if (!s->input.len && s->input.cap > 4096)
		buf_free(&s->input);
	unhold(s);
}

static void on_writable(struct ev_loop *loop _unused_, ev_io *w, int revents _unused_)
{
	write_input((struct session *)((char *)w - offsetof(struct session, write_io)));
}

bool session_input_full(const struct session *s)
{
	return s->input.len > INPUT_MAX / 2;
}

void session_input(struct session *s, const void *p, size_t n)
{
	if (s->state == SESSION_EXITED || !s->tty)
		return;
	s->sv->last_active = ev_now(s->sv->loop);
	if (buf_put(&s->input, p, n) < 0)
		s->input.error = 0; /* cannot be: its senders are held at half of the bound */
	if (s->master >= 0)
		write_input(s);
}

static void set_size(struct session *s, unsigned rows, unsigned cols)
{
	struct winsize ws = { .ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols };

	s->rows = rows;
	s->cols = cols;
	if (s->master >= 0)
		(void)ioctl(s->master, TIOCSWINSZ, &ws);
}

void session_size(struct session *s, struct peer *from)
{
	s->latest = from;
	if (from->rows && from->cols && (from->rows != s->rows || from->cols != s->cols))
		set_size(s, from->rows, from->cols);
}

void session_redraw(struct session *s, struct peer *from)
{
	bool same = from->rows == s->rows && from->cols == s->cols;

	session_size(s, from);
	if (same && s->state == SESSION_RUNNING)
		inner_kill(s->sv, s, SIGWINCH);
}

void session_write_notice(struct session *s, const char *text)
{
	_cleanup_buf_ struct buf b = BUF_INIT(1024);

	buf_printf(&b, "\r\n[claude-sandbox: %s]\r\n", text);
	if (!s->tty || s->state == SESSION_EXITED || b.error)
		return;
	append(s, b.data, b.len);
	kick_attached(s);
}
