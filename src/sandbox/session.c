#include "sandbox/session.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "sandbox/gate.h"
#include "sandbox/lockdown.h"
#include "sandbox/say.h"
#include "wire/inner.h"

extern char **environ;

/* A request, taken apart. */
struct spec {
	char **argv, **env;
	char *cwd;
	bool tty;
	struct winsize size;
	int stdio[3]; /* a pty's slave three times, or what came */
};

static void spec_clear(struct spec *s)
{
	strv_free(s->argv);
	strv_free(s->env);
	free(s->cwd);
}

/* What the child says through the pipe when it can't start the command. */
struct trouble {
	int error;
	enum { AT_CWD, AT_EXEC, AT_LIMIT, AT_TTY, AT_GATE } where;
};

static void say_spawn_failed(int sock, uint64_t id, int error, const char *msg)
{
	_cleanup_buf_ struct buf b = BUF_INIT(IPC_MAX);

	ipc_begin(&b, INNER_SPAWN_FAILED);
	ipc_put_u64(&b, INNER_ID, id);
	ipc_put_u64(&b, INNER_ERRNO, (uint64_t)error);
	ipc_put_str(&b, INNER_MSG, msg);
	say(sock, &b, NULL, 0);
}

static int read_spec(int fd, const struct plan *p, const struct ipc_msg *m, struct spec *ret)
{
	_cleanup_free_ char *data = NULL;
	struct ipc_msg spec;
	size_t len;
	int r = fd_read_fd(fd, IPC_SPEC_MAX, &data, &len);

	if (r == 0)
		r = ipc_parse(data, len, &spec);
	if (r == 0)
		r = ipc_get_strv(&spec, INNER_ARG, &ret->argv);
	if (r == 0)
		r = ipc_get_strv(&spec, INNER_ENV, &ret->env);
	if (r < 0)
		return r;
	ret->cwd = ipc_get_str(&spec, INNER_CWD);
	if (!ret->argv)
		ret->argv = strv_copy(p->argv);
	if (!ret->env)
		ret->env = strv_copy(p->env);
	if (!ret->cwd)
		ret->cwd = strdup(p->cwd ? p->cwd : "/");
	ret->tty = ipc_has(m, INNER_TTY);
	ret->size.ws_row = (unsigned short)ipc_get_u64(m, INNER_ROWS, 24);
	ret->size.ws_col = (unsigned short)ipc_get_u64(m, INNER_COLS, 80);
	return ret->argv && ret->cwd ? 0 : -EINVAL;
}

/* A pty of the sandbox's own devpts. */
static int open_pty(const struct winsize *size, int *ret_master, int *ret_slave)
{
	_cleanup_close_ int master = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	int unlock = 0, slave;

	if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) < 0 || ioctl(master, TIOCSWINSZ, size) < 0)
		return -errno;
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return -errno;
	*ret_master = TAKE_FD(master);
	*ret_slave = slave;
	return 0;
}

static int limit(int what, uint64_t value)
{
	struct rlimit old, r = { .rlim_cur = value, .rlim_max = value };

	if (value == PLAN_RLIMIT_UNSET)
		return 0;
	if (getrlimit((__rlimit_resource_t)what, &old) < 0)
		return -errno;
	if (old.rlim_max < r.rlim_max) /* never more than the caller has */
		r.rlim_cur = r.rlim_max = old.rlim_max;
	return setrlimit((__rlimit_resource_t)what, &r) < 0 ? -errno : 0;
}

static int limits(const struct plan *p)
{
	int r = limit(RLIMIT_NPROC, p->rlimit_nproc);

	if (r == 0)
		r = limit(RLIMIT_NOFILE, p->rlimit_nofile);
	if (r == 0)
		r = limit(RLIMIT_CORE, p->rlimit_core);
	if (r == 0)
		r = limit(RLIMIT_FSIZE, p->rlimit_fsize);
	if (r == 0)
		r = limit(RLIMIT_AS, p->rlimit_as);
	return r;
}

static _Noreturn void child_fail(int pipe, int where, int error)
{
	struct trouble t = { .error = error, .where = where };

	(void)fd_write_all(pipe, &t, sizeof(t));
	_exit(125);
}

/* The new session's leader, up to its exec. Signals: all default, none blocked; descriptors: three. */
static _Noreturn void child(const struct plan *p, const struct spec *s, int pipe, int gate)
{
	sigset_t none;
	int r;

	setsid();
	if (s->tty && ioctl(s->stdio[0], TIOCSCTTY, 0) < 0)
		child_fail(pipe, AT_TTY, errno);
	for (int i = 0; i < 3; i++)
		if (dup2(s->stdio[i], i) < 0)
			child_fail(pipe, AT_TTY, errno);
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	umask(022);
	r = limits(p);
	if (r < 0)
		child_fail(pipe, AT_LIMIT, -r);
	if (chdir(s->cwd) < 0)
		child_fail(pipe, AT_CWD, errno);
	r = lockdown_child(p, gate);
	if (r < 0)
		child_fail(pipe, AT_GATE, -r);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	environ = s->env;
	execvp(s->argv[0], s->argv); /* PATH is the new environment's */
	child_fail(pipe, AT_EXEC, errno);
}

static void describe(const struct trouble *t, const struct spec *s, int sock, uint64_t id)
{
	static const char *const what[] = {
		[AT_CWD] = "cannot enter the directory", [AT_EXEC] = "cannot run", [AT_LIMIT] = "cannot set limits for",
		[AT_TTY] = "cannot set up the terminal of", [AT_GATE] = "cannot guard absent names strictly for",
	};
	struct fail f;
	/* only the command itself may become status 126 or 127 */
	int error = t->where == AT_EXEC ? t->error : EIO;

	fail_set(&f, t->error, "%s, '%s'", what[t->where], t->where == AT_CWD ? s->cwd : s->argv[0]);
	say_spawn_failed(sock, id, error, f.msg);
}

static int room_for_gate(struct sessions *s)
{
	int *v = reallocarray(s->gates, s->ngates + 1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	s->gates = v;
	return 0;
}

/* The listener in exchange for the socket it comes through; -1 where there is no gate or none came (then the child
 * says why, or finds every call of the gate's absent: ENOSYS). */
static int receive_gate(int sock)
{
	int listener = sock >= 0 ? gate_receive(sock) : -1;

	fd_close(sock);
	return listener < 0 ? -1 : listener;
}

/* Forks the leader and waits until its exec is done. The child is reaped already when this fails. */
static int start(const struct plan *p, const struct spec *s, int sock, struct sessions *all, struct session *slot)
{
	_cleanup_close_ int r_end = -1, w_end = -1, gate = -1, child_gate = -1;
	struct trouble t;
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	r_end = fds[0];
	w_end = fds[1];
	if (p->strict_absent) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
			return -errno;
		gate = fds[0];
		child_gate = fds[1];
		if (room_for_gate(all) < 0)
			return -ENOMEM;
	}
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		child(p, s, w_end, child_gate);
	w_end = fd_close(w_end);
	child_gate = fd_close(child_gate);
	gate = receive_gate(TAKE_FD(gate));
	if (fd_read_full(r_end, &t, sizeof(t)) == sizeof(t)) {
		(void)waitpid(pid, NULL, 0);
		describe(&t, s, sock, slot->id);
		return 1;
	}
	slot->pid = pid;
	if (gate >= 0)
		all->gates[all->ngates++] = TAKE_FD(gate);
	return 0;
}

static struct session *free_slot(struct sessions *s)
{
	struct session *v;

	for (size_t i = 0; i < s->n; i++)
		if (!s->v[i].pid)
			return &s->v[i];
	v = reallocarray(s->v, s->n + 8, sizeof(*v));
	if (!v)
		return NULL;
	memset(v + s->n, 0, 8 * sizeof(*v));
	s->v = v;
	s->n += 8;
	return &s->v[s->n - 8];
}

static void say_spawned(int sock, const struct session *s)
{
	_cleanup_buf_ struct buf b = BUF_INIT(IPC_MAX);

	ipc_begin(&b, INNER_SPAWNED);
	ipc_put_u64(&b, INNER_ID, s->id);
	ipc_put_u64(&b, INNER_PID, (uint64_t)s->pid);
	say(sock, &b, &s->master, s->master >= 0);
}

static int spawn(struct sessions *all, struct session *slot, const struct plan *p, int sock, struct spec *s, const int *fds)
{
	_cleanup_close_ int master = -1, slave = -1;
	int r;

	if (s->tty) {
		r = open_pty(&s->size, &master, &slave);
		if (r < 0)
			return r;
	}
	for (int i = 0; i < 3; i++)
		s->stdio[i] = s->tty ? slave : fds[i + 1];
	r = start(p, s, sock, all, slot);
	if (r != 0)
		return r;
	slot->master = TAKE_FD(master);
	say_spawned(sock, slot);
	return 0;
}

void session_spawn(struct sessions *s, const struct plan *p, int sock, const struct ipc_msg *m, int *fds, size_t nfds)
{
	uint64_t id = ipc_get_u64(m, INNER_ID, 0);
	struct session *slot = free_slot(s);
	struct spec spec = { 0 };
	int r = -EINVAL;

	if (!slot)
		r = -ENOMEM;
	else if (nfds == (ipc_has(m, INNER_TTY) ? 1U : 4U))
		r = read_spec(fds[0], p, m, &spec);
	if (r == 0) {
		*slot = (struct session){ .id = id, .master = -1, .sole = ipc_has(m, INNER_SOLE) };
		r = spawn(s, slot, p, sock, &spec, fds);
	}
	if (r < 0) {
		struct fail f;

		fail_set(&f, -r, "cannot start a session");
		say_spawn_failed(sock, id, EIO, f.msg);
	}
	spec_clear(&spec);
	while (nfds)
		fd_close(fds[--nfds]);
}

struct session *session_by_pid(struct sessions *s, pid_t pid)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].pid && s->v[i].pid == pid)
			return &s->v[i];
	return NULL;
}

struct session *session_by_id(struct sessions *s, uint64_t id)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].pid && s->v[i].id == id)
			return &s->v[i];
	return NULL;
}

void session_ended(struct session *s, int sock, int status)
{
	_cleanup_buf_ struct buf b = BUF_INIT(IPC_MAX);

	ipc_begin(&b, INNER_EXITED);
	ipc_put_u64(&b, INNER_ID, s->id);
	ipc_put_u64(&b, INNER_STATUS, (uint64_t)(unsigned)status);
	say(sock, &b, NULL, 0);
	fd_close(s->master);
	*s = (struct session){ .master = -1 };
}

void session_kill(const struct session *s, int sig)
{
	pid_t group = s->master >= 0 ? tcgetpgrp(s->master) : -1;

	if (group <= 1)
		group = s->pid;
	(void)kill(-group, sig);
}
