/* For tests: an engine without any sandbox. It speaks wire/inner.h, and runs the commands as they are, in a process of its
 * own whose end is everything's end. The program built with it (build/fake-sandbox) is the real client and the real
 * supervisor. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "engine/engine.h"
#include "wire/inner.h"
#include "wire/ipc.h"

#define SESSIONS 256

static struct {
	uint64_t id;
	pid_t pid;
	bool tty;
} sessions[SESSIONS];
static size_t nsessions;
static int sock;

static void say(const struct buf *b, int fd)
{
	(void)fd_sendmsg(sock, b->data, b->len, &fd, fd >= 0);
}

static _Noreturn void child(char **argv, char **env, const char *cwd, const int stdio[3], int report)
{
	sigset_t none;
	int e;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	if (stdio) {
		(void)setsid();
		for (int i = 0; i < 3; i++)
			(void)dup2(stdio[i], i);
	}
	(void)!chdir(cwd);
	execvpe(argv[0], argv, env);
	e = errno;
	(void)!write(report, &e, sizeof(e));
	_exit(127);
}

static void spawned(uint64_t id, pid_t pid, bool tty, int master, int failed)
{
	_cleanup_buf_ struct buf b = BUF_INIT(IPC_MAX);

	if (failed) {
		ipc_begin(&b, INNER_SPAWN_FAILED);
		ipc_put_u64(&b, INNER_ID, id);
		ipc_put_u64(&b, INNER_ERRNO, (uint64_t)failed);
		say(&b, -1);
		(void)waitpid(pid, NULL, 0);
		return;
	}
	sessions[nsessions].id = id;
	sessions[nsessions].pid = pid;
	sessions[nsessions++].tty = tty;
	ipc_begin(&b, INNER_SPAWNED);
	ipc_put_u64(&b, INNER_ID, id);
	ipc_put_u64(&b, INNER_PID, (uint64_t)pid);
	say(&b, master);
}

static void spawn(const struct ipc_msg *m, int *fds)
{
	_cleanup_free_ char *bytes = NULL, *cwd = NULL;
	_cleanup_strv_ char **argv = NULL, **env = NULL;
	struct winsize ws = { .ws_row = (unsigned short)ipc_get_u64(m, INNER_ROWS, 24),
			      .ws_col = (unsigned short)ipc_get_u64(m, INNER_COLS, 80) };
	bool tty = ipc_has(m, INNER_TTY);
	int report[2], master = -1, failed = 0;
	struct ipc_msg spec;
	size_t n;
	pid_t pid;

	(void)lseek(fds[0], 0, SEEK_SET);
	if (fd_read_fd(fds[0], IPC_SPEC_MAX, &bytes, &n) < 0 || ipc_parse(bytes, n, &spec) < 0 || pipe2(report, O_CLOEXEC) < 0)
		_exit(1);
	(void)ipc_get_strv(&spec, INNER_ARG, &argv);
	(void)ipc_get_strv(&spec, INNER_ENV, &env);
	cwd = ipc_get_str(&spec, INNER_CWD);
	pid = tty ? forkpty(&master, NULL, NULL, &ws) : fork();
	if (pid == 0)
		child(argv, env, cwd, tty ? NULL : fds + 1, report[1]);
	close(report[1]);
	(void)!read(report[0], &failed, sizeof(failed));
	close(report[0]);
	spawned(ipc_get_u64(m, INNER_ID, 0), pid, tty, master, failed);
	fd_close(master);
}

static void exited(pid_t pid, int status)
{
	_cleanup_buf_ struct buf b = BUF_INIT(IPC_MAX);

	for (size_t i = 0; i < nsessions; i++) {
		if (sessions[i].pid != pid)
			continue;
		(void)kill(-pid, SIGKILL);
		ipc_begin(&b, INNER_EXITED);
		ipc_put_u64(&b, INNER_ID, sessions[i].id);
		ipc_put_u64(&b, INNER_STATUS, (uint64_t)status);
		say(&b, -1);
		sessions[i] = sessions[--nsessions];
		return;
	}
}

static void reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		exited(pid, status);
}

static void kill_all(int sig)
{
	for (size_t i = 0; i < nsessions; i++)
		(void)kill(-sessions[i].pid, sig);
}

static void bye(uint64_t grace)
{
	kill_all(SIGTERM);
	kill_all(SIGCONT);
	for (uint64_t i = 0; nsessions && i < grace / 10 + 1; i++) {
		reap();
		(void)usleep(10000);
	}
	kill_all(SIGKILL);
	while (nsessions) {
		int status;
		pid_t pid = waitpid(-1, &status, 0);

		if (pid < 0)
			break;
		exited(pid, status);
	}
	_exit(0);
}

static void procs(void)
{
	_cleanup_buf_ struct buf b = BUF_INIT(IPC_MAX);

	ipc_begin(&b, INNER_PROCS);
	for (size_t i = 0; i < nsessions; i++) {
		_cleanup_free_ char *line = NULL;

		if (asprintf(&line, "%d\t1\tS\t100\t0\t%llu\ttest", sessions[i].pid, (unsigned long long)sessions[i].id) > 0)
			ipc_put_str(&b, INNER_PROC, line);
	}
	say(&b, -1);
}

static void take(const struct ipc_msg *m, int *fds)
{
	uint64_t id = ipc_get_u64(m, INNER_ID, 0);

	if (m->type == INNER_SPAWN)
		spawn(m, fds);
	else if (m->type == INNER_SHUTDOWN)
		bye(ipc_get_u64(m, INNER_GRACE, 0));
	else if (m->type == INNER_PS)
		procs();
	else if (m->type == INNER_KILL)
		for (size_t i = 0; i < nsessions; i++)
			if (sessions[i].id == id)
				(void)kill(-sessions[i].pid, (int)ipc_get_u64(m, INNER_SIGNAL, 0));
}

static _Noreturn void fake(void)
{
	_cleanup_buf_ struct buf b = BUF_INIT(IPC_MAX);
	static char bytes[IPC_MAX];
	sigset_t set;
	int signals;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	ipc_begin(&b, INNER_READY);
	ipc_put_u64(&b, INNER_PID, (uint64_t)getpid());
	say(&b, -1);
	for (;;) {
		struct pollfd p[2] = { { .fd = sock, .events = POLLIN }, { .fd = signals, .events = POLLIN } };
		int fds[FD_PASS_MAX];
		struct ipc_msg m;
		size_t nfds;
		ssize_t n;

		(void)poll(p, 2, -1);
		if (p[1].revents) {
			struct signalfd_siginfo si;

			(void)!read(signals, &si, sizeof(si));
			reap();
		}
		if (!p[0].revents)
			continue;
		n = fd_recvmsg(sock, bytes, sizeof(bytes), fds, &nfds);
		if (n <= 0)
			bye(0);
		if (ipc_parse(bytes, (size_t)n, &m) == 0)
			take(&m, fds);
		while (nfds)
			fd_close(fds[--nfds]);
	}
}

int engine_native_start(const struct plan *p _unused_, struct engine_instance *ret, struct fail *f)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return fail_set(f, errno, "socketpair");
	pid = fork();
	if (pid == 0) {
		sock = pair[1];
		close(pair[0]);
		fake();
	}
	close(pair[1]);
	*ret = (struct engine_instance){
		.launcher = pid, .launcher_fd = (int)syscall(SYS_pidfd_open, pid, 0), .socket = pair[0],
	};
	return 0;
}

int engine_write_maps(const struct plan *p _unused_, pid_t pid _unused_, struct fail *f)
{
	return fail_set(f, ENOSYS, "maps");
}
