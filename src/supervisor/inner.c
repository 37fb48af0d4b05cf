/* The supervisor's end of wire/inner.h: what cs-enter may say, by phase, and what it is told. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "kernel/cgroup.h"
#include "supervisor/internal.h"
#include "wire/control.h"
#include "wire/inner.h"

int inner_send(struct supervisor *sv, const struct buf *m, const int *fds, size_t nfds)
{
	int r;

	if (m->error)
		return m->error;
	if (sv->engine.socket < 0)
		return -ENOTCONN;
	r = fd_sendmsg(sv->engine.socket, m->data, m->len, fds, nfds);
	if (r < 0)
		sv_log(sv, "cannot send to cs-enter: %s", strerror(-r));
	return r;
}

void inner_kill(struct supervisor *sv, const struct session *s, int sig)
{
	_cleanup_buf_ struct buf b = BUF_INIT(256);

	ipc_begin(&b, INNER_KILL);
	ipc_put_u64(&b, INNER_ID, s->id);
	ipc_put_u64(&b, INNER_SIGNAL, (uint64_t)sig);
	(void)inner_send(sv, &b, NULL, 0);
}

void inner_shutdown(struct supervisor *sv, uint64_t grace_ms)
{
	_cleanup_buf_ struct buf b = BUF_INIT(256);

	ipc_begin(&b, INNER_SHUTDOWN);
	ipc_put_u64(&b, INNER_GRACE, grace_ms);
	if (inner_send(sv, &b, NULL, 0) < 0 && sv->engine.launcher > 0)
		(void)kill(sv->engine.launcher, SIGKILL);
}

int inner_ps(struct supervisor *sv)
{
	_cleanup_buf_ struct buf b = BUF_INIT(256);

	ipc_begin(&b, INNER_PS);
	return inner_send(sv, &b, NULL, 0);
}

/* processes are counted by RLIMIT_NPROC anyway: no group is asked for that alone */
static bool wants_group(const struct supervisor *sv)
{
	return sv->memory || sv->cpus_milli;
}

void inner_spawn(struct supervisor *sv)
{
	/* Pid 1 finds them when it stands; only a control group must come first. */
	bool early = sv->state == SV_STARTING && sv->mapped && !wants_group(sv);

	if (sv->state != SV_RUNNING && !early)
		return;
	for (struct session *s = sv->sessions; s; s = s->next)
		if (s->state == SESSION_WAITING) {
			sv->sent = true;
			session_send(s);
		}
}

static void on_want_map(struct supervisor *sv, const struct ipc_msg *m, int *fds _unused_, size_t nfds _unused_)
{
	_cleanup_buf_ struct buf b = BUF_INIT(256);
	struct fail f = { 0 };

	if (!sv->plan || engine_write_maps(sv->plan, (pid_t)ipc_get_u64(m, INNER_PID, 0), &f) < 0) {
		sv_fail(sv, f.msg[0] ? f.msg : "cs-enter asked out of turn", f.hint);
		return;
	}
	ipc_begin(&b, INNER_MAPPED);
	(void)inner_send(sv, &b, NULL, 0);
	sv->mapped = true;
	inner_spawn(sv);
}

/* Pid 1 may answer a session that was sent ahead before its launcher says READY. */
static void stands(struct supervisor *sv)
{
	if (sv->state == SV_STARTING)
		sv->state = SV_RUNNING;
}

static void on_ready(struct supervisor *sv, const struct ipc_msg *m, int *fds, size_t nfds)
{
	struct cgroup_limits limits = {
		.memory = sv->memory, .cpu_milli = sv->cpus_milli, .pids = wants_group(sv) ? sv->pids : 0,
	};
	struct fail f = { 0 };

	sv->pid1 = (pid_t)ipc_get_u64(m, INNER_PID, 0);
	if (nfds)
		sv->pid1_fd = TAKE_FD(fds[0]);
	if (cgroup_apply(&limits, sv->pid1, sv->name, &sv->cgroup, &f) < 0) {
		sv_fail(sv, f.msg, f.hint);
		return;
	}
	stands(sv);
	inner_spawn(sv);
}

static void on_failed(struct supervisor *sv, const struct ipc_msg *m, int *fds _unused_, size_t nfds _unused_)
{
	_cleanup_free_ char *msg = ipc_get_str(m, INNER_MSG), *hint = ipc_get_str(m, INNER_HINT);

	sv_fail(sv, msg ? msg : "the sandbox could not be made", hint);
}

static void on_spawned(struct supervisor *sv, const struct ipc_msg *m, int *fds, size_t nfds)
{
	struct session *s = session_find(sv, ipc_get_u64(m, INNER_ID, 0));

	stands(sv);
	if (s && s->state == SESSION_SENT)
		session_spawned(s, (pid_t)ipc_get_u64(m, INNER_PID, 0), nfds ? TAKE_FD(fds[0]) : -1);
}

static void on_spawn_failed(struct supervisor *sv, const struct ipc_msg *m, int *fds _unused_, size_t nfds _unused_)
{
	struct session *s = session_find(sv, ipc_get_u64(m, INNER_ID, 0));
	int e = (int)ipc_get_u64(m, INNER_ERRNO, 0);
	_cleanup_free_ char *why = ipc_get_str(m, INNER_MSG);
	struct fail f = { 0 };

	stands(sv);
	if (!s || s->state == SESSION_EXITED)
		return;
	if (why)
		(void)fail_set(&f, 0, "%s", why);
	else
		(void)fail_set(&f, e, "cannot run the command '%s'", s->command);
	session_failed(s, e == ENOENT ? 127 : e == EACCES || e == ENOEXEC ? 126 : 125, f.msg, NULL);
	sv_session_over(sv, s);
}

static void on_exited(struct supervisor *sv, const struct ipc_msg *m, int *fds _unused_, size_t nfds _unused_)
{
	struct session *s = session_find(sv, ipc_get_u64(m, INNER_ID, 0));

	stands(sv);
	if (!s || s->state == SESSION_EXITED)
		return;
	session_exited(s, (int)ipc_get_u64(m, INNER_STATUS, 0));
	sv->sole_ended = sv->sole_ended || s->sole;
	sv_session_over(sv, s);
}

static void on_event(struct supervisor *sv, const struct ipc_msg *m, int *fds _unused_, size_t nfds _unused_)
{
	_cleanup_free_ char *kind = ipc_get_str(m, INNER_KIND), *path = ipc_get_str(m, INNER_PATH),
			    *msg = ipc_get_str(m, INNER_MSG);

	if (kind)
		trail_event(sv, kind, path, msg);
}

/* CPU time over all processes: the fifth column. */
static uint64_t cpu_total(char *const *lines)
{
	uint64_t sum = 0;

	for (; lines && *lines; lines++) {
		const char *s = *lines;

		for (int i = 0; s && i < 4; i++) {
			s = strchr(s, '\t');
			s = s ? s + 1 : NULL;
		}
		if (s)
			sum += strtoull(s, NULL, 10);
	}
	return sum;
}

static void on_procs(struct supervisor *sv, const struct ipc_msg *m, int *fds _unused_, size_t nfds _unused_)
{
	_cleanup_strv_ char **lines = NULL;
	_cleanup_buf_ struct buf b = BUF_INIT(IPC_MAX);

	if (ipc_get_strv(m, INNER_PROC, &lines) < 0)
		return;
	ipc_begin(&b, CONTROL_PS_IS);
	ipc_put_strv(&b, CONTROL_F_PROC, lines);
	for (struct peer *p = sv->peers; p; p = p->next) {
		if (p->wants_ps) {
			p->wants_ps = false;
			peer_queue(p, &b);
		}
	}
	sv_idle_cpu(sv, cpu_total(lines));
}

enum { STARTING = 1 << SV_STARTING, RUNNING = 1 << SV_RUNNING, STOPPING = 1 << SV_STOPPING };

static const struct {
	uint16_t type;
	unsigned states;
	size_t fds_max;
	void (*run)(struct supervisor *sv, const struct ipc_msg *m, int *fds, size_t nfds);
} table[] = {
	{ INNER_WANT_MAP,     STARTING,			    0, on_want_map },
	{ INNER_READY,	      STARTING | RUNNING | STOPPING, 1, on_ready },
	{ INNER_FAILED,	      STARTING | RUNNING,	    0, on_failed },
	{ INNER_SPAWNED,      STARTING | RUNNING | STOPPING, 1, on_spawned },
	{ INNER_SPAWN_FAILED, STARTING | RUNNING | STOPPING, 0, on_spawn_failed },
	{ INNER_EXITED,	      STARTING | RUNNING | STOPPING, 0, on_exited },
	{ INNER_EVENT,	      STARTING | RUNNING | STOPPING, 0, on_event },
	{ INNER_PROCS,	      RUNNING | STOPPING,	    0, on_procs },
};

/* One message: 1, 0 none now, negative: the socket is at its end. */
static int take_one(struct supervisor *sv)
{
	static char bytes[IPC_MAX];
	int fds[FD_PASS_MAX];
	struct ipc_msg m;
	size_t nfds = 0;
	bool known = false;
	ssize_t n;

	if (sv->engine.socket < 0)
		return -ENOTCONN;
	n = fd_recvmsg(sv->engine.socket, bytes, sizeof(bytes), fds, &nfds);
	if (n == -EAGAIN)
		return 0;
	if (n <= 0)
		return n < 0 ? (int)n : -ENOTCONN;
	if (ipc_parse(bytes, (size_t)n, &m) == 0) {
		for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
			if (table[i].type != m.type)
				continue;
			known = table[i].states & (1U << sv->state) && nfds <= table[i].fds_max;
			if (known)
				table[i].run(sv, &m, fds, nfds);
		}
	}
	while (nfds)
		fd_close(fds[--nfds]);
	if (!known) {
		sv_log(sv, "cs-enter sent what it may not send now: the sandbox is ended");
		if (sv->engine.launcher > 0)
			(void)kill(sv->engine.launcher, SIGKILL);
		return -EBADMSG;
	}
	return 1;
}

void inner_drain(struct supervisor *sv)
{
	while (take_one(sv) > 0)
		;
}

static void on_inner(struct ev_loop *loop, ev_io *w, int revents _unused_)
{
	struct supervisor *sv = w->data;

	if (take_one(sv) < 0) {
		/* The launcher's end says the rest. */
		ev_io_stop(loop, w);
		sv->engine.socket = fd_close(sv->engine.socket);
	}
}

void inner_start(struct supervisor *sv)
{
	(void)fd_set_nonblock(sv->engine.socket, true);
	ev_io_init(&sv->inner_io, on_inner, sv->engine.socket, EV_READ);
	sv->inner_io.data = sv;
	ev_io_start(sv->loop, &sv->inner_io);
}
