/* Drives cs-enter as the supervisor does, with a plan made from the command line: the tests of the kernel and sandbox
 * rooms, and their stopwatch. `enter-drive [OPTION...] -- COMMAND...`; the exit status is the command's.
 *
 *   --op KIND:FLAGS:SRC:DST   adds an operation (FLAGS: letters w optional=o idmap=i noexec=x device=d pin=p keep=k
 *                             hostile=h flat=f nofollow=l; SRC of a file operation is its text)
 *   --plan FILE               a plan's bytes, instead of all of the others
 *   --bare                    without the usual operations
 *   --project DIR, --home DIR the writable binds of the usual operations
 *   --uid N                   the user inside (root as caller)
 *   --net host --tty --relax N --nproc N --log --no-landlock --cwd DIR
 *   --events                  prints events on stderr as "event KIND PATH MSG"
 *   --pids                    prints "launcher N" and "pid1 N" on stderr
 *   --after MS:ACTION         ACTION: term (to the session), shutdown, hangup (the supervisor dies), ps
 *   --stay                    the session is not the only one: shut down after its end
 *   --bench N                 start to reported end of the command, N times: median in microseconds */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "engine/engine.h"
#include "wire/inner.h"
#include "wire/ipc.h"

static struct {
	const char *project, *home, *plan;
	bool bare, tty, events, pids, stay;
	unsigned bench;
	struct { long ms; const char *action; } after[8];
	size_t nafter;
} opt;

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(125);
}

static long now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static struct plan_op *add(struct plan *p, enum plan_kind k, unsigned flags, const char *src, const char *dst)
{
	struct plan_op *op = plan_add(p, k, flags, src, dst, "test");

	if (!op)
		die("plan");
	return op;
}

static void usual(struct plan *p)
{
	static const char *const dirs[] = { "/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32", NULL };
	static const char *const etc[] = {
		"/etc/alternatives", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/nsswitch.conf", "/etc/ssl",
		"/etc/terminfo", "/etc/profile", "/etc/bash.bashrc", "/etc/inputrc", "/etc/localtime", "/etc/protocols",
		"/etc/services", "/etc/shells", "/etc/login.defs", "/etc/mime.types", "/etc/ca-certificates", NULL,
	};

	for (const char *const *s = dirs; *s; s++) {
		char text[256];
		ssize_t n = readlink(*s, text, sizeof(text) - 1);

		if (n > 0) {
			text[n] = 0;
			add(p, PLAN_SYMLINK, 0, text, *s);
		} else if (access(*s, F_OK) == 0) {
			add(p, PLAN_BIND, 0, *s, *s);
		}
	}
	add(p, PLAN_PROC, 0, NULL, "/proc");
	add(p, PLAN_DEV, 0, NULL, "/dev");
	add(p, PLAN_TMPFS, 0, NULL, "/tmp")->mode = 01777;
	add(p, PLAN_TMPFS, 0, NULL, "/run")->mode = 0755;
	for (const char *const *s = etc; *s; s++)
		add(p, PLAN_BIND, PLAN_OPTIONAL, *s, *s);
	plan_add_file(p, "/etc/passwd", 0644, "u:x:1000:1000::/:/bin/sh\n", 25, "test");
	plan_add_file(p, "/etc/hosts", 0644, "127.0.0.1 localhost\n", 20, "test");
	if (opt.home)
		add(p, PLAN_BIND, PLAN_WRITE | PLAN_IDMAP | PLAN_NOFOLLOW, opt.home, opt.home);
	if (opt.project)
		add(p, PLAN_BIND, PLAN_WRITE | PLAN_IDMAP | PLAN_NOFOLLOW | PLAN_HOSTILE, opt.project, opt.project);
}

static void add_op(struct plan *p, char *arg)
{
	static const char letters[] = "woixdpkhfl";
	char *kind = strsep(&arg, ":"), *flags = strsep(&arg, ":"), *src = strsep(&arg, ":");
	unsigned bits = 0;

	if (!arg)
		die("--op KIND:FLAGS:SRC:DST");
	for (; *flags; flags++) {
		const char *at = strchr(letters, *flags);

		if (!at)
			die("--op FLAGS");
		bits |= 1U << (at - letters);
	}
	for (int k = PLAN_DIR; k <= PLAN_SEAL; k++) {
		if (strcmp(kind, plan_kind_name((enum plan_kind)k)))
			continue;
		if (k == PLAN_FILE)
			plan_add_file(p, arg, 0644, src, strlen(src), "test");
		else
			add(p, (enum plan_kind)k, bits, *src ? src : NULL, arg);
		return;
	}
	die("--op KIND");
}

static void set_ids(struct plan *p, unsigned uid)
{
	p->map_id = geteuid() == 0;
	p->host_uid = p->map_id ? 100000 : geteuid();
	p->host_gid = p->map_id ? 100000 : getegid();
	p->uid = p->map_id ? uid : geteuid();
	p->gid = p->map_id ? uid : getegid();
}

static struct plan *read_plan(const char *file)
{
	_cleanup_free_ char *data = NULL;
	struct plan *p;
	size_t len;

	if (fd_read_file(AT_FDCWD, file, PLAN_MAX, &data, &len) < 0 || plan_decode(data, len, &p) < 0)
		die(file);
	return p;
}

static struct plan *options(int argc, char **argv, int *ret_first)
{
	struct plan *p = plan_new();
	char *ops[64];
	size_t nops = 0;
	unsigned uid = 1000;
	int i;

	p->name = strdup("drive");
	p->cwd = strdup("/");
	for (i = 1; i < argc && strcmp(argv[i], "--"); i++) {
		const char *o = argv[i];

		if (!strcmp(o, "--bare"))
			opt.bare = true;
		else if (!strcmp(o, "--tty"))
			opt.tty = true;
		else if (!strcmp(o, "--events"))
			opt.events = true;
		else if (!strcmp(o, "--pids"))
			opt.pids = true;
		else if (!strcmp(o, "--stay"))
			opt.stay = true;
		else if (!strcmp(o, "--log"))
			p->seccomp_log = true;
		else if (!strcmp(o, "--no-landlock"))
			p->no_landlock = true;
		else if (++i >= argc)
			die(o);
		else if (!strcmp(o, "--op") && nops < ARRAY_SIZE(ops))
			ops[nops++] = argv[i];
		else if (!strcmp(o, "--plan"))
			opt.plan = argv[i];
		else if (!strcmp(o, "--project"))
			opt.project = argv[i];
		else if (!strcmp(o, "--home"))
			opt.home = argv[i];
		else if (!strcmp(o, "--cwd")) {
			free(p->cwd);
			p->cwd = strdup(argv[i]);
		} else if (!strcmp(o, "--uid"))
			uid = (unsigned)strtoul(argv[i], NULL, 10);
		else if (!strcmp(o, "--net"))
			p->net = !strcmp(argv[i], "host") ? PLAN_NET_HOST : PLAN_NET_NONE;
		else if (!strcmp(o, "--relax"))
			p->relax = (unsigned)strtoul(argv[i], NULL, 10);
		else if (!strcmp(o, "--nproc"))
			p->rlimit_nproc = strtoul(argv[i], NULL, 10);
		else if (!strcmp(o, "--bench"))
			opt.bench = (unsigned)strtoul(argv[i], NULL, 10);
		else if (!strcmp(o, "--after") && opt.nafter < ARRAY_SIZE(opt.after)) {
			char *end;

			opt.after[opt.nafter].ms = strtol(argv[i], &end, 10);
			opt.after[opt.nafter++].action = end + 1;
		} else
			die(o);
	}
	*ret_first = i + 1;
	if (opt.plan)
		return read_plan(opt.plan);
	set_ids(p, uid);
	if (!opt.bare)
		usual(p);
	for (size_t k = 0; k < nops; k++)
		add_op(p, ops[k]);
	return p;
}

struct drive {
	struct plan *plan;
	struct engine_instance e;
	char **argv;
	int master;
	int status; /* of the command, exit status by the shell's convention; -1: not known yet */
	bool over;
};

static void send_spawn(struct drive *d)
{
	_cleanup_buf_ struct buf spec = BUF_INIT(IPC_SPEC_MAX), b = BUF_INIT(IPC_MAX);
	int fds[4] = { -1, 0, 1, 2 };

	ipc_begin(&spec, INNER_SPAWN);
	ipc_put_strv(&spec, INNER_ARG, d->argv);
	ipc_put_str(&spec, INNER_ENV, "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin");
	ipc_put_str(&spec, INNER_ENV, "HOME=/");
	ipc_put_str(&spec, INNER_CWD, d->plan->cwd);
	fds[0] = fd_memfd("spec", spec.data, spec.len);
	ipc_begin(&b, INNER_SPAWN);
	ipc_put_u64(&b, INNER_ID, 1);
	if (opt.tty)
		ipc_put_u64(&b, INNER_TTY, 1);
	if (!opt.stay)
		ipc_put_u64(&b, INNER_SOLE, 1);
	(void)fd_sendmsg(d->e.socket, b.data, b.len, fds, opt.tty ? 1 : 4); /* it may have failed already, and says why */
	fd_close(fds[0]);
}

static void send_number(int sock, uint16_t type, uint16_t tag, uint64_t v)
{
	_cleanup_buf_ struct buf b = BUF_INIT(IPC_MAX);

	ipc_begin(&b, type);
	ipc_put_u64(&b, INNER_ID, 1);
	ipc_put_u64(&b, tag, v);
	(void)fd_sendmsg(sock, b.data, b.len, NULL, 0);
}

static void print_field(const struct ipc_msg *m, uint16_t tag, const char *before)
{
	_cleanup_free_ char *s = ipc_get_str(m, tag);

	if (s)
		fprintf(stderr, "%s%s", before, s);
}

static void handle(struct drive *d, const struct ipc_msg *m, int *fds, size_t nfds)
{
	struct fail f = { 0 };
	int status;

	switch (m->type) {
	case INNER_WANT_MAP:
		if (engine_write_maps(d->plan, (pid_t)ipc_get_u64(m, INNER_PID, 0), &f) < 0) {
			fail_print(&f);
			exit(125);
		}
		send_number(d->e.socket, INNER_MAPPED, INNER_ID, 0);
		send_spawn(d);
		break;
	case INNER_READY:
		if (opt.pids)
			fprintf(stderr, "launcher %d\npid1 %llu\n", (int)d->e.launcher,
				(unsigned long long)ipc_get_u64(m, INNER_PID, 0));
		break;
	case INNER_FAILED:
		print_field(m, INNER_MSG, "failed: ");
		print_field(m, INNER_HINT, "\nhint: ");
		fputc('\n', stderr);
		d->status = 125;
		d->over = true;
		break;
	case INNER_SPAWNED:
		if (nfds)
			d->master = TAKE_FD(fds[0]);
		break;
	case INNER_SPAWN_FAILED:
		status = (int)ipc_get_u64(m, INNER_ERRNO, 0);
		print_field(m, INNER_MSG, "spawn failed: ");
		fputc('\n', stderr);
		d->status = status == ENOENT ? 127 : status == EACCES || status == ENOEXEC ? 126 : 125;
		send_number(d->e.socket, INNER_SHUTDOWN, INNER_GRACE, 0);
		break;
	case INNER_EXITED:
		status = (int)ipc_get_u64(m, INNER_STATUS, 0);
		d->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
		if (opt.stay)
			send_number(d->e.socket, INNER_SHUTDOWN, INNER_GRACE, 500);
		break;
	case INNER_EVENT:
		if (!opt.events)
			break;
		print_field(m, INNER_KIND, "event ");
		print_field(m, INNER_PATH, " ");
		print_field(m, INNER_MSG, " ");
		fputc('\n', stderr);
		break;
	case INNER_PROCS: {
		_cleanup_strv_ char **v = NULL;

		(void)ipc_get_strv(m, INNER_PROC, &v);
		for (char **s = v; s && *s; s++)
			fprintf(stderr, "proc %s\n", *s);
		break;
	}
	}
	for (size_t i = 0; i < nfds; i++)
		fd_close(fds[i]);
}

static void receive(struct drive *d)
{
	static unsigned char bytes[IPC_MAX];
	int fds[FD_PASS_MAX];
	size_t nfds = 0;
	struct ipc_msg m;
	ssize_t n = fd_recvmsg(d->e.socket, bytes, sizeof(bytes), fds, &nfds);

	if (n <= 0) {
		d->over = true;
		return;
	}
	if (ipc_parse(bytes, (size_t)n, &m) < 0)
		die("message");
	handle(d, &m, fds, nfds);
}

static void act(struct drive *d, const char *action)
{
	if (!strcmp(action, "term"))
		send_number(d->e.socket, INNER_KILL, INNER_SIGNAL, SIGTERM);
	else if (!strcmp(action, "int"))
		send_number(d->e.socket, INNER_KILL, INNER_SIGNAL, SIGINT);
	else if (!strcmp(action, "shutdown"))
		send_number(d->e.socket, INNER_SHUTDOWN, INNER_GRACE, 300);
	else if (!strcmp(action, "ps"))
		send_number(d->e.socket, INNER_PS, INNER_ID, 0);
	else if (!strcmp(action, "hangup"))
		kill(getpid(), SIGKILL);
	else
		die(action);
}

static void copy(int from, int to, bool *open_end)
{
	char buf[4096];
	ssize_t n = read(from, buf, sizeof(buf));

	if (n > 0)
		(void)fd_write_all(to, buf, (size_t)n);
	else
		*open_end = false;
}

static int drive(struct plan *p, char **argv)
{
	struct drive d = { .plan = p, .argv = argv, .master = -1, .status = -1 };
	long start = now_us();
	bool input = true, output = true;
	size_t done = 0;
	struct fail f = { 0 };

	if (engine_native_start(p, &d.e, &f) < 0) {
		fail_print(&f);
		exit(125);
	}
	if (!p->map_id) /* pid 1 finds it when it gets that far */
		send_spawn(&d);
	while (!d.over && !(opt.bench && d.status >= 0)) {
		struct pollfd fds[] = {
			{ .fd = d.e.socket, .events = POLLIN }, { .fd = output ? d.master : -1, .events = POLLIN },
			{ .fd = opt.tty && input && d.master >= 0 ? 0 : -1, .events = POLLIN },
		};
		long at = done < opt.nafter ? opt.after[done].ms - (now_us() - start) / 1000 : -1;

		if (poll(fds, ARRAY_SIZE(fds), done < opt.nafter ? (int)MAX(at, 0L) : -1) < 0 && errno != EINTR)
			die("poll");
		if (done < opt.nafter && (now_us() - start) / 1000 >= opt.after[done].ms)
			act(&d, opt.after[done++].action);
		if (fds[0].revents)
			receive(&d);
		if (fds[1].revents)
			copy(d.master, 1, &output);
		if (fds[2].revents)
			copy(0, d.master, &input);
	}
	while (d.master >= 0 && output)
		copy(d.master, 1, &output);
	fd_close(d.master);
	(void)waitpid(d.e.launcher, NULL, 0);
	fd_close(d.e.launcher_fd);
	fd_close(d.e.socket);
	return d.status < 0 ? 125 : d.status;
}

static int compare(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;

	return (x > y) - (x < y);
}

/* Start to the launcher's end: all that a caller who waits for everything sees. */
static int bench(struct plan *p, char **argv)
{
	long *t = calloc(opt.bench, sizeof(*t));

	if (!t)
		return 125;
	for (unsigned i = 0; i < opt.bench; i++) {
		long start = now_us();

		if (drive(p, argv) != 0)
			return 125;
		t[i] = now_us() - start;
	}
	qsort(t, opt.bench, sizeof(*t), compare);
	printf("%ld us median, %ld min, %ld max, %zu operations\n", t[opt.bench / 2], t[0], t[opt.bench - 1], p->nops);
	free(t);
	return 0;
}

int main(int argc, char **argv)
{
	int first, r;
	struct plan *p = options(argc, argv, &first);

	signal(SIGPIPE, SIG_IGN);
	if (first >= argc)
		die("no command");
	r = opt.bench ? bench(p, argv + first) : drive(p, argv + first);
	plan_free(p);
	return r;
}
