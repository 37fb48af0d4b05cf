/* The launcher. In order: die with the supervisor; read the plan; (root as caller: copy and idmap the binds' sources
 * while still powerful;) new user and mount namespaces and their id maps; fork pid 1 into a new pid namespace, which
 * makes procfs and the other namespaces beside us; mount the plan; pivot; let pid 1 lock itself down; report; keep. */
#include "sandbox/enter.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "kernel/landlock.h"
#include "kernel/mount.h"
#include "kernel/pidfd.h"
#include "kernel/userns.h"
#include "policy/plan.h"
#include "sandbox/apply.h"
#include "sandbox/keeper.h"
#include "sandbox/pid1.h"
#include "sandbox/say.h"
#include "wire/inner.h"
#include "wire/ipc.h"

/* The plan stays in the memfd's pages, which are mapped and not copied. */
static int read_plan(int fd, struct plan **ret, struct fail *f)
{
	struct stat st;
	void *bytes;
	int r;

	if (fstat(fd, &st) < 0 || st.st_size <= 0 || st.st_size > PLAN_MAX)
		return fail_set(f, EINVAL, "cannot read the plan");
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (bytes == MAP_FAILED)
		return fail_set(f, errno, "cannot read the plan");
	r = plan_decode_borrow(bytes, (size_t)st.st_size, ret);
	return r < 0 ? fail_set(f, -r, "cannot read the plan") : 0;
}

/* What no plan may ask for. */
static int check_plan(const struct plan *p, struct fail *f)
{
	int r = 0;

	if (!p->uid || !p->gid || (!p->host_uid && p->map_id))
		return fail_set(f, 0, "the plan would run as user 0 inside");
	if (!p->map_id && (p->host_uid != geteuid() || p->host_gid != getegid()))
		return fail_set(f, 0, "the plan is for another user, '%u'", p->host_uid);
	if (p->net == PLAN_NET_FILTERED)
		return fail_set(f, EOPNOTSUPP, "cannot filter the network");
	if (p->net == PLAN_NET_HOST && landlock_abi() < 6) {
		r = fail_set(f, 0, "cannot share the host's network: this kernel's Landlock does not scope abstract sockets");
		fail_hint(f, "Linux 6.12 or later; or --net none");
	}
	return r;
}

/* A signal for the supervisor's end, and a look whether it came before. The signal is lost when our ids change. */
static int die_with(int sock)
{
	struct pollfd p = { .fd = sock };

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return -errno;
	return poll(&p, 1, 0) < 0 || p.revents & (POLLHUP | POLLERR) ? -EPIPE : 0;
}

/* Root as caller: the supervisor writes our maps, then we become the mapped user, with all capabilities inside. */
static int mapped_by_supervisor(const struct plan *p, int sock, struct fail *f)
{
	_cleanup_buf_ struct buf b = BUF_INIT(IPC_MAX);
	unsigned char bytes[256];
	int fds[FD_PASS_MAX];
	struct ipc_msg m;
	size_t nfds = 0;
	ssize_t n;

	ipc_begin(&b, INNER_WANT_MAP);
	ipc_put_u64(&b, INNER_PID, (uint64_t)getpid());
	say(sock, &b, NULL, 0);
	n = fd_recvmsg(sock, bytes, sizeof(bytes), fds, &nfds);
	if (n <= 0 || ipc_parse(bytes, (size_t)n, &m) < 0 || m.type != INNER_MAPPED)
		return fail_set(f, 0, "the supervisor wrote no id maps");
	if (setresgid(p->gid, p->gid, p->gid) < 0 || setresuid(p->uid, p->uid, p->uid) < 0)
		return fail_set(f, errno, "cannot become the sandbox's user");
	return 0;
}

static int explain_userns(int error, struct fail *f)
{
	int r = fail_set(f, error, "cannot make a user namespace");

	if (error == ENOSPC)
		fail_hint(f, "sysctl user.max_user_namespaces is 0 or used up: `claude-sandbox doctor`");
	else if (error == EPERM || error == EACCES)
		fail_hint(f, "sysctl kernel.unprivileged_userns_clone, AppArmor, a chroot or a container's seccomp profile forbids it: "
			     "`claude-sandbox doctor`");
	else if (error == EINVAL || error == ENOSYS)
		fail_hint(f, "this kernel was built without user namespaces (CONFIG_USER_NS)");
	return r;
}

static int enter_userns(const struct plan *p, int sock, struct fail *f)
{
	int r;

	if (p->map_id && setgroups(0, NULL) < 0)
		return fail_set(f, errno, "cannot drop supplementary groups");
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return explain_userns(errno, f);
	if (p->map_id) {
		r = mapped_by_supervisor(p, sock, f);
	} else {
		r = userns_write_maps(0, p->uid, p->host_uid, p->gid, p->host_gid);
		if (r < 0) {
			fail_set(f, -r, "cannot write the id maps of a user namespace");
			fail_hint(f, "AppArmor restricts user namespaces on Ubuntu 23.10 and later: `claude-sandbox doctor`");
		}
	}
	if (r < 0)
		return r;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || die_with(sock) < 0)
		return fail_set(f, errno, "cannot follow the supervisor");
	return 0;
}

/* Forks pid 1. Returns its pid; *ret_pidfd and *ret_link are ours. */
static pid_t fork_pid1(const struct plan *p, int sock, int *ret_pidfd, int *ret_link, struct fail *f)
{
	unsigned long flags = CLONE_NEWPID;
	int pair[2];
	pid_t pid;

#ifdef CS_MUTATE_NO_PIDNS
	flags = 0;
#endif
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return fail_set(f, errno, "cannot start pid 1");
	pid = pidfd_fork(flags, ret_pidfd);
	if (pid == 0) {
		/* only 0-2, the link and the socket */
		if (dup3(pair[1], 3, O_CLOEXEC) < 0)
			_exit(1);
		if (sock != 4 && dup3(sock, 4, O_CLOEXEC) < 0)
			_exit(1);
		close_range(5, ~0U, 0);
		pid1_main(p, 4, 3);
	}
	fd_close(pair[1]);
	if (pid < 0) {
		fd_close(pair[0]);
		fail_set(f, -pid, "cannot make a pid namespace");
		fail_hint(f, "sysctl user.max_pid_namespaces may be used up: `claude-sandbox doctor`");
		return pid;
	}
	*ret_link = pair[0];
	return pid;
}

/* 0 when pid 1 stands; 1 when it failed and has said so. */
static int wait_for_pid1(int link, struct fail *f)
{
	char c = 0;
	ssize_t n;

	do
		n = read(link, &c, 1);
	while (n == 1 && c == PID1_PROC); /* never taken: the plan mounts no /proc */
	if (n == 1 && c == PID1_UP)
		return 0;
	if (n == 1 && c == PID1_FAILED)
		return 1;
	return fail_set(f, 0, "pid 1 of the sandbox ended while starting");
}

/* Pid 1 tells the supervisor itself that it stands, so that nothing it says later can come first; what it can't know
 * is who it is out here. */
static int let_go(int link, pid_t pid, int pidfd)
{
	unsigned char go[1 + sizeof(pid)] = { PID1_GO };

	memcpy(go + 1, &pid, sizeof(pid));
	return fd_sendmsg(link, go, sizeof(go), &pidfd, 1);
}

/* An error of ours after pid 1 was forked: its own report, if it made one, is the better one. */
static int after_fork(struct apply *a, pid_t pid, int pidfd, struct fail *f)
{
	char c;
	int r = apply_plan(a, f);

	if (r == 0) {
		r = mount_pivot(a->target.root);
		if (r < 0)
			fail_set(f, -r, "cannot make the new root the root");
	}
	if (r == 0) {
		r = let_go(a->link, pid, pidfd);
		if (r < 0)
			fail_set(f, 0, "pid 1 of the sandbox ended while starting");
	}
	if (r == 0)
		return wait_for_pid1(a->link, f);
	while (recv(a->link, &c, 1, MSG_DONTWAIT) == 1)
		if (c == PID1_FAILED)
			return 1;
	return r;
}

static void close_sources(struct apply *a)
{
	for (size_t i = 0; i < a->plan->nops; i++)
		a->sources[i] = fd_close(a->sources[i]);
}

static int launch(const struct plan *p, int sock, struct keeper *k, struct fail *f)
{
	struct apply *a = k->apply;
	pid_t pid;
	int r;

	r = apply_init(a, p, sock, f);
	if (r == 0 && p->map_id)
		r = apply_sources(a, f);
	if (r == 0)
		r = enter_userns(p, sock, f);
	if (r < 0)
		return r;
	if (keeper_needed(p)) {
		k->mountinfo = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
		if (k->mountinfo < 0)
			return fail_set(f, errno, "cannot watch mounts, '/proc/self/mountinfo'");
	}
	pid = fork_pid1(p, sock, &k->pid1, &k->link, f);
	if (pid < 0)
		return pid;
	a->link = k->link;
	r = after_fork(a, pid, k->pid1, f);
	close_sources(a);
	return r;
}

int enter_main(int plan_fd, int sock)
{
	_cleanup_plan_ struct plan *p = NULL;
	struct apply apply = { 0 };
	struct keeper k = { .apply = &apply, .sock = sock, .link = -1, .pid1 = -1, .mountinfo = -1 };
	struct fail f = { 0 };
	int r;

	if (die_with(sock) < 0 || chdir("/") < 0)
		return 1;
	umask(0);
	r = read_plan(plan_fd, &p, &f);
	fd_close(plan_fd);
	if (r == 0)
		r = p ? check_plan(p, &f) : -EINVAL;
	if (r == 0)
		r = launch(p, sock, &k, &f);
	if (r < 0)
		say_failed(sock, &f);
	if (r != 0) {
		if (k.pid1 >= 0)
			(void)pidfd_signal(k.pid1, SIGKILL);
		return 1;
	}
	return keeper_main(&k);
}
