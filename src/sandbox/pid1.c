#include "sandbox/pid1.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "kernel/mount.h"
#include "kernel/net.h"
#include "sandbox/apply.h"
#include "sandbox/gate.h"
#include "sandbox/lockdown.h"
#include "sandbox/say.h"
#include "sandbox/session.h"
#include "wire/inner.h"
#include "wire/ipc.h"

struct pid1 {
	const struct plan *plan;
	int sock, link, signals;
	struct sessions sessions;
	char **absent;	   /* names that the gate refuses */
	bool awake;	   /* something was asked lately */
	uint64_t deadline; /* of a shutdown, ms; 0: none is under way */
};

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static bool plan_has(const struct plan *p, enum plan_kind kind)
{
	for (size_t i = 0; i < p->nops; i++)
		if (p->ops[i].kind == kind)
			return true;
	return false;
}

/* No user namespace can be made below ours: seccomp can't read clone3's flags (FACTS kernel 11). */
static int forbid_userns(const struct plan *p, int proc, struct fail *f)
{
#ifndef CS_MUTATE_NO_MAXUSERNS
	_cleanup_close_ int fd = -1;

	if (p->relax & PLAN_RELAX_USERNS)
		return 0;
	fd = openat(proc, "sys/user/max_user_namespaces", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		return fail_set(f, errno, "cannot forbid user namespaces inside");
#else
	(void)p, (void)proc, (void)f;
#endif
	return 0;
}

/* The procfs of this pid namespace; made before the host's goes away, whose presence allows it. */
static int make_proc(const struct pid1 *s, struct fail *f)
{
	_cleanup_close_ int proc = mount_new("proc", NULL, MOUNT_NOSUID | MOUNT_NODEV | MOUNT_NOEXEC);
	char c = PID1_PROC;
	int r;

	if (proc < 0) {
		r = fail_set(f, -proc, "cannot make a /proc for the sandbox");
		if (proc == -EPERM)
			fail_hint(f, "in a container, its own /proc must not be masked: podman run --security-opt unmask=ALL");
		return r;
	}
	r = forbid_userns(s->plan, proc, f);
	if (r < 0 || !plan_has(s->plan, PLAN_PROC))
		return r;
	r = apply_proc_make(proc, f);
	if (r < 0)
		return r;
	r = fd_sendmsg(s->link, &c, 1, &proc, 1);
	return r < 0 ? fail_set(f, -r, "cannot hand over /proc") : 0;
}

static int namespaces(const struct plan *p, struct fail *f)
{
	int flags = CLONE_NEWCGROUP, r;

#ifndef CS_MUTATE_NO_IPCNS
	flags |= CLONE_NEWIPC;
#endif
#ifndef CS_MUTATE_NO_UTSNS
	flags |= CLONE_NEWUTS;
#endif
#ifndef CS_MUTATE_NO_NETNS
	if (p->net != PLAN_NET_HOST)
		flags |= CLONE_NEWNET;
#endif
	if (unshare(flags) < 0) {
		r = fail_set(f, errno, "cannot make the sandbox's namespaces");
		fail_hint(f, "sysctl user.max_net_namespaces, max_ipc_namespaces, max_uts_namespaces or max_cgroup_namespaces may be "
			     "used up: `claude-sandbox doctor`");
		return r;
	}
	if (flags & CLONE_NEWNET && net_loopback_up() < 0)
		return fail_set(f, errno, "cannot bring up the loopback interface");
	if (flags & CLONE_NEWUTS && p->name && sethostname(p->name, strnlen(p->name, 64)) < 0)
		return fail_set(f, errno, "cannot set the host name");
	return 0;
}

/* The root is ready; and who we are, as the supervisor sees us. */
static int wait_for_root(int link, pid_t *ret_pid, int *ret_pidfd, struct fail *f)
{
	unsigned char go[1 + sizeof(pid_t)];
	int fds[FD_PASS_MAX];
	size_t nfds = 0;

	if (fd_recvmsg(link, go, sizeof(go), fds, &nfds) != (ssize_t)sizeof(go) || go[0] != PID1_GO || nfds != 1)
		_exit(1); /* the launcher has given up and said why */
	memcpy(ret_pid, go + 1, sizeof(*ret_pid));
	*ret_pidfd = fds[0];
	return chdir("/") < 0 ? fail_set(f, errno, "cannot enter the new root") : 0;
}

static void say_ready(int sock, pid_t pid, int pidfd)
{
	_cleanup_buf_ struct buf b = BUF_INIT(IPC_MAX);

	ipc_begin(&b, INNER_READY);
	ipc_put_u64(&b, INNER_PID, (uint64_t)pid);
	say(sock, &b, &pidfd, 1);
}

static int set_up(struct pid1 *s, struct fail *f)
{
	_cleanup_close_ int pidfd = -1;
	char c = PID1_UP;
	sigset_t all;
	pid_t pid = 0;
	int r;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	r = make_proc(s, f);
	if (r == 0)
		r = namespaces(s->plan, f);
	if (r == 0)
		r = wait_for_root(s->link, &pid, &pidfd, f);
	if (r == 0)
		r = lockdown(s->plan, f);
	if (r < 0)
		return r;
	sigemptyset(&all);
	sigaddset(&all, SIGCHLD);
	s->signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signals < 0)
		return fail_set(f, errno, "cannot watch for ended processes");
	say_ready(s->sock, pid, pidfd);
	r = fd_sendmsg(s->link, &c, 1, NULL, 0);
	return r < 0 ? fail_set(f, -r, "cannot reach the launcher") : 0;
}

/* KILL to all, and reaps until nothing is left; sessions that end are reported. */
static void finish(struct pid1 *s)
{
	int status;
	pid_t pid;

	(void)kill(-1, SIGKILL);
	while ((pid = waitpid(-1, &status, 0)) > 0 || errno == EINTR) {
		struct session *x = pid > 0 ? session_by_pid(&s->sessions, pid) : NULL;

		if (x)
			session_ended(x, s->sock, status);
	}
}

/* Reaps what has ended. A sole session's end is everybody's. */
static void reap(struct pid1 *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct session *x = session_by_pid(&s->sessions, pid), last;

		if (!x)
			continue;
		if (!x->sole) {
			session_ended(x, s->sock, status);
			continue;
		}
		last = *x;
		x->pid = 0;
		finish(s);
		session_ended(&last, s->sock, status);
		_exit(0);
	}
	if (pid < 0 && errno == ECHILD && s->deadline)
		_exit(0);
}

static void shut_down(struct pid1 *s, uint64_t grace)
{
	s->deadline = now_ms() + grace;
	(void)kill(-1, SIGTERM);
	for (size_t i = 0; i < s->sessions.n; i++) { /* what a closing terminal does: shells ignore TERM */
		const struct session *x = &s->sessions.v[i];

		if (!x->pid || x->master < 0)
			continue;
		session_kill(x, SIGHUP);
		(void)kill(-x->pid, SIGHUP);
	}
	(void)kill(-1, SIGCONT);
	reap(s);
}

static void handle(struct pid1 *s, const struct ipc_msg *m, int *fds, size_t nfds)
{
	struct session *x;

	switch (m->type) {
	case INNER_SPAWN:
		session_spawn(&s->sessions, s->plan, s->sock, m, fds, nfds);
		return;
	case INNER_KILL:
		x = session_by_id(&s->sessions, ipc_get_u64(m, INNER_ID, 0));
		if (x)
			session_kill(x, (int)ipc_get_u64(m, INNER_SIGNAL, SIGTERM));
		break;
	case INNER_PS:
		session_ps(&s->sessions, s->sock);
		break;
	case INNER_SHUTDOWN:
		shut_down(s, MIN(ipc_get_u64(m, INNER_GRACE, 0), (uint64_t)3600000));
		break;
	}
	while (nfds)
		fd_close(fds[--nfds]);
}

static void receive(struct pid1 *s)
{
	static unsigned char bytes[IPC_MAX];
	int fds[FD_PASS_MAX];
	size_t nfds = 0;
	struct ipc_msg m;
	ssize_t n = fd_recvmsg(s->sock, bytes, sizeof(bytes), fds, &nfds);

	if (n == -EMSGSIZE)
		return;
	if (n <= 0)
		_exit(1);
	if (ipc_parse(bytes, (size_t)n, &m) == 0)
		handle(s, &m, fds, nfds);
}

/* The gates: one call each at most, then the others' turn; a gate whose last user has gone is closed. */
static void serve_gates(struct pid1 *s, const struct pollfd *p)
{
	struct sessions *x = &s->sessions;
	size_t to = 0, n = x->ngates;

	for (size_t i = 0; i < n; i++) {
		int r = 0;

		if (p[i].revents & POLLIN)
			r = gate_serve(x->gates[i], s->absent);
		else if (p[i].revents)
			r = -EPIPE;
		if (r < 0 && r != -ENOENT && r != -EINTR)
			fd_close(x->gates[i]);
		else
			x->gates[to++] = x->gates[i];
	}
	x->ngates = to;
}

#define POLL_FIXED 3
#define TRIM_MS	   2000 /* after the last message, memory that is not needed for sleeping is given back */

/* Waits; *ret_n is how many gates the answer tells of. Grown as sessions come, never while a call waits. */
static struct pollfd *wait_for_work(struct pid1 *s, size_t *ret_n)
{
	static struct pollfd *p;
	static size_t room;
	uint64_t now = s->deadline ? now_ms() : 0;
	int timeout = !s->deadline ? (s->awake ? TRIM_MS : -1) : s->deadline > now ? (int)(s->deadline - now) : 0, r;
	size_t n = s->sessions.ngates;

	if (!p || n > room) {
		struct pollfd *v = reallocarray(p, POLL_FIXED + n + 8, sizeof(*v));

		if (!v)
			_exit(1);
		p = v;
		room = n + 8;
	}
	p[0] = (struct pollfd){ .fd = s->signals, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = s->sock, .events = POLLIN };
	p[2] = (struct pollfd){ .fd = s->link };
	for (size_t i = 0; i < n; i++)
		p[POLL_FIXED + i] = (struct pollfd){ .fd = s->sessions.gates[i], .events = POLLIN };
	*ret_n = n;
	r = poll(p, POLL_FIXED + n, timeout);
	if (r == 0 && !s->deadline) {
		mem_trim();
		s->awake = false;
	}
	return r < 0 ? NULL : p;
}

static _Noreturn void serve(struct pid1 *s)
{
	struct signalfd_siginfo info[8];

	for (;;) {
		size_t gates;
		const struct pollfd *p = wait_for_work(s, &gates);

		if (!p)
			continue;
		if (gates)
			serve_gates(s, p + POLL_FIXED);
		if (p[0].revents) {
			while (read(s->signals, info, sizeof(info)) > 0)
				;
			reap(s);
		}
		if (p[2].revents & (POLLHUP | POLLERR))
			_exit(1);
		if (p[1].revents) {
			receive(s);
			s->awake = true;
		}
		if (s->deadline && now_ms() >= s->deadline) {
			finish(s);
			_exit(0);
		}
	}
}

static int collect_absent(struct pid1 *s)
{
	for (size_t i = 0; i < s->plan->nops; i++)
		if (s->plan->ops[i].kind == PLAN_ABSENT && strv_add(&s->absent, s->plan->ops[i].dst) < 0)
			return -ENOMEM;
	return 0;
}

void pid1_main(const struct plan *p, int sock, int link)
{
	struct pid1 s = { .plan = p, .sock = sock, .link = link, .awake = true };
	struct pollfd alive = { .fd = link };
	struct fail f = { 0 };
	char c = PID1_FAILED;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (poll(&alive, 1, 0) < 0 || alive.revents & (POLLHUP | POLLERR))
		_exit(1); /* the launcher died before the line above */
#ifndef CS_MUTATE_NO_UNDUMPABLE
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#else /* a new user namespace has already made it undumpable (commit_creds in the kernel) */
	(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
#endif
	if (collect_absent(&s) < 0 || set_up(&s, &f) < 0) {
		say_failed(sock, &f);
		(void)fd_sendmsg(link, &c, 1, NULL, 0);
		_exit(1);
	}
	serve(&s);
}
