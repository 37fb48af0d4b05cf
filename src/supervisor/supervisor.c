/* One supervisor per sandbox: forked from the client that starts it, in a session of its own, with nothing of the
 * client's left open. It holds the name's lock, serves the control socket, and owns cs-enter: when this process dies,
 * however it dies, everything inside dies with it (its end of the inner socket closes).
 *
 * The order of an end: the last lasting session exits -> clients hear of it -> pid 1 kills what is left -> cs-enter
 * exits -> the guard settles -> receipt -> audit -> the runtime directory goes -> whoever asked for the stop hears so.
 * A client without a terminal hears of its command's end at the first of these steps.
 *
 * Idle, it sleeps: no timer runs but for idle-stop and --timeout. The one ev_periodic that never fires makes libev
 * trust a timerfd instead of waking each minute to look at the clock. */
#include "supervisor/supervisor.h"

#include <errno.h>
#include <inttypes.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "kernel/cgroup.h"
#include "supervisor/internal.h"
#include "wire/control.h"

#define NEVER		4e9 /* seconds since the epoch */
#define KILL_AFTER	3.0 /* seconds beyond the grace until cs-enter itself is killed */
#define NATURAL_GRACE	500U /* ms for what is left when the last session ended by itself */

int64_t sv_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int sv_exit_status(int wait_status)
{
	return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

void sv_log(struct supervisor *sv, const char *fmt, ...)
{
	char line[1024];
	struct tm tm;
	time_t now = time(NULL);
	size_t n;
	va_list ap;

	if (sv->log < 0 || sv->logged > LOG_MAX)
		return;
	gmtime_r(&now, &tm);
	n = strftime(line, sizeof(line), "%FT%TZ ", &tm);
	va_start(ap, fmt);
	(void)vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
	va_end(ap);
	n = strlen(line);
	line[n++] = '\n';
	(void)fd_write_all(sv->log, line, n);
	sv->logged += n;
}

static void on_end(struct supervisor *sv)
{
	ev_break(sv->loop, EVBREAK_ALL);
}

void sv_stop(struct supervisor *sv, const char *reason, bool ordered, uint64_t grace_ms)
{
	if (sv->state >= SV_STOPPING) {
		/* A second order may shorten the first one's grace. */
		if (ordered && sv->state == SV_STOPPING)
			inner_shutdown(sv, grace_ms);
		return;
	}
	sv_log(sv, "ending: %s", reason);
	sv->reason = reason;
	sv->ordered_stop = ordered;
	if (sv->state == SV_STARTING && sv->engine.launcher > 0)
		(void)kill(sv->engine.launcher, SIGKILL);
	else if (!sv->sole_ended)
		inner_shutdown(sv, grace_ms);
	sv->state = SV_STOPPING;
	ev_timer_set(&sv->kill_timer, (double)grace_ms / 1000. + KILL_AFTER, 0.);
	ev_timer_start(sv->loop, &sv->kill_timer);
}

void sv_fail(struct supervisor *sv, const char *msg, const char *hint)
{
	sv_log(sv, "failed: %s", msg);
	for (struct session *s = sv->sessions; s; s = s->next)
		if (s->state != SESSION_EXITED)
			session_failed(s, 125, msg, hint);
	for (struct peer *p = sv->peers; p; p = p->next)
		if (!p->session)
			peer_error(p, 125, msg, hint);
	sv->reason = "failed";
	sv->status = 125;
	sv->have_status = true;
	sv->state = SV_STOPPING;
	if (sv->engine.launcher <= 0)
		on_end(sv);
	else
		(void)kill(sv->engine.launcher, SIGKILL);
}

void sv_session_over(struct supervisor *sv, struct session *s)
{
	if (s->kind != SESSION_EXEC && !sv->have_status) {
		sv->status = sv->timed_out ? 124 : sv_exit_status(s->status);
		sv->have_status = true;
	}
	if (sv->state == SV_RUNNING && !session_any_lasting(sv))
		sv_stop(sv, "ended", false, s->tty ? NATURAL_GRACE : 0);
}

static void on_launcher(struct ev_loop *loop, ev_io *w, int revents _unused_)
{
	struct supervisor *sv = w->data;
	int status = 0;

	ev_io_stop(loop, w);
	inner_drain(sv);
	while (waitpid(sv->engine.launcher, &status, 0) < 0 && errno == EINTR)
		;
	sv->engine.launcher = 0;
	if (sv->state == SV_STARTING) {
		char text[96];

		(void)snprintf(text, sizeof(text), "cs-enter died (status %d) before the sandbox stood", sv_exit_status(status));
		sv_fail(sv, text, "see the kernel's log: dmesg");
	}
	if (sv->state == SV_RUNNING)
		sv->reason = "died";
	for (struct session *s = sv->sessions; s; s = s->next) {
		if (s->state == SESSION_EXITED)
			continue;
		session_exited(s, SIGKILL);
		sv_session_over(sv, s);
	}
	sv_log(sv, "cs-enter ended with status %d", sv_exit_status(status));
	on_end(sv);
}

static void on_kill_timer(struct ev_loop *loop _unused_, ev_timer *w, int revents _unused_)
{
	struct supervisor *sv = w->data;

	if (sv->engine.launcher > 0)
		(void)kill(sv->engine.launcher, SIGKILL);
}

static void on_timeout(struct ev_loop *loop _unused_, ev_timer *w, int revents _unused_)
{
	struct supervisor *sv = w->data;

	sv->timed_out = true;
	sv_stop(sv, "timeout", true, sv->stop_grace_ms);
}

static void on_sigterm(struct ev_loop *loop _unused_, ev_signal *w, int revents _unused_)
{
	struct supervisor *sv = w->data;

	sv_stop(sv, "terminated", true, sv->stop_grace_ms);
}

/* The runtime directory is taken away when the user logs out. */
static void on_inotify(struct ev_loop *loop, ev_io *w, int revents _unused_)
{
	struct supervisor *sv = w->data;
	char bytes[4096] __attribute__((aligned(8)));
	ssize_t n = read(w->fd, bytes, sizeof(bytes));

	for (ssize_t at = 0; n > 0 && at < n;) {
		const struct inotify_event *e = (const void *)(bytes + at);

		if (!(e->mask & IN_DELETE) || strcmp(e->name, "control") == 0)
			sv->runtime_gone = true;
		at += (ssize_t)(sizeof(*e) + e->len);
	}
	if (!sv->runtime_gone)
		return;
	ev_io_stop(loop, w);
	sv_stop(sv, "runtime directory gone", true, MIN(sv->stop_grace_ms, (uint64_t)2000));
}

static void watch_runtime(struct supervisor *sv)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", sv->claim->dir);
	sv->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (sv->inotify < 0 ||
	    inotify_add_watch(sv->inotify, path, IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT) < 0) {
		sv_log(sv, "cannot watch the runtime directory: %s", strerror(errno));
		return;
	}
	ev_io_init(&sv->inotify_io, on_inotify, sv->inotify, EV_READ);
	sv->inotify_io.data = sv;
	ev_io_start(sv->loop, &sv->inotify_io);
}

static void on_never(struct ev_loop *loop _unused_, ev_periodic *w _unused_, int revents _unused_)
{
}

static void start_watchers(struct supervisor *sv)
{
	ev_periodic_init(&sv->never, on_never, NEVER, 0., NULL);
	ev_periodic_start(sv->loop, &sv->never);
	ev_signal_init(&sv->sigterm, on_sigterm, SIGTERM);
	sv->sigterm.data = sv;
	ev_signal_start(sv->loop, &sv->sigterm);
	ev_timer_init(&sv->kill_timer, on_kill_timer, 0., 0.);
	sv->kill_timer.data = sv;
	ev_timer_init(&sv->timeout, on_timeout, (double)sv->timeout_ms / 1000., 0.);
	sv->timeout.data = sv;
	if (sv->timeout_ms)
		ev_timer_start(sv->loop, &sv->timeout);
	peer_listen(sv);
	watch_runtime(sv);
	idle_start(sv);
}

static void start_engine(struct supervisor *sv)
{
	struct fail f = { 0 };

	if (engine_native_start(sv->plan, &sv->engine, &f) < 0) {
		sv->engine = (struct engine_instance){ .launcher_fd = -1, .socket = -1 };
		sv_fail(sv, f.msg, f.hint);
		return;
	}
	inner_start(sv);
	ev_io_init(&sv->launcher_io, on_launcher, sv->engine.launcher_fd, EV_READ);
	sv->launcher_io.data = sv;
	ev_io_start(sv->loop, &sv->launcher_io);
	trail_watch(sv);
}

/* Everything inside is dead. */
static void end(struct supervisor *sv)
{
	_cleanup_free_ char *receipt = NULL;

	sv->state = SV_ENDED;
	ev_io_stop(sv->loop, &sv->control_io);
	sv->claim->control = fd_close(sv->claim->control);
	sv->engine.socket = fd_close(sv->engine.socket);
	if (cgroup_oom_kills(sv->cgroup)) {
		char text[64];

		(void)snprintf(text, sizeof(text), "%" PRIu64 " processes killed", cgroup_oom_kills(sv->cgroup));
		trail_event(sv, "oom", "memory", text);
	}
	sv->cgroup = cgroup_release(sv->cgroup);
	trail_settle(sv);
	receipt = trail_receipt(sv);
	for (struct session *s = sv->sessions; s; s = s->next)
		session_end(s, receipt);
	for (struct peer *p = sv->peers, *next; p; p = next) {
		next = p->next;
		peer_kick(p);
	}
	trail_end(sv);
	if (!sv->runtime_gone)
		name_claim_remove(sv->claim);
	sv->claim->lock = fd_close(sv->claim->lock);
	for (struct peer *p = sv->peers; p; p = p->next)
		if (p->wants_stop)
			peer_ok(p);
	peer_flush_all(sv);
}

/* What the process gives up before it reads anything that a client or the sandbox sent. */
static void lock_up(void)
{
	struct rlimit none = { 0, 0 };

	if (getrlimit(RLIMIT_CORE, &none) == 0) {
		none.rlim_cur = 0;
		(void)setrlimit(RLIMIT_CORE, &none);
	}
	(void)prctl(PR_SET_DUMPABLE, 0);
#ifndef CS_MUTATE_NO_NEW_PRIVS
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
#endif
	(void)prctl(PR_SET_NAME, "cs-supervisor");
}

static int compare_int(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Leaves only what is ours open, and the standard descriptors on /dev/null. */
static void close_inherited(int *keep, size_t n)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), from = 3;

	for (int i = 0; i < 3; i++)
		(void)dup2(null, i);
	if (null > 2)
		close(null);
	qsort(keep, n, sizeof(*keep), compare_int);
	for (size_t i = 0; i < n; i++) {
		if (keep[i] < from)
			continue;
		if (keep[i] > from)
			(void)close_range((unsigned)from, (unsigned)keep[i] - 1, 0);
		from = keep[i] + 1;
	}
	(void)close_range((unsigned)from, ~0U, 0);
}

static void own_process(struct supervisor *sv, int first)
{
	int keep[] = { sv->claim->root, sv->claim->dir, sv->claim->lock, sv->claim->control, first };
	sigset_t none;

	(void)setsid();
	(void)!chdir("/");
	close_inherited(keep, ARRAY_SIZE(keep));
	for (int i = 1; i < 32; i++)
		if (i != SIGKILL && i != SIGSTOP)
			(void)signal(i, SIG_DFL);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGQUIT, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(077);
}

static char *copy(const char *s)
{
	return s ? strdup(s) : NULL;
}

static int take_spec(struct supervisor *sv, const struct supervisor_spec *spec)
{
	sv->name = copy(sv->claim->name);
	sv->project = copy(spec->project);
	sv->home_name = copy(spec->home_name);
	sv->copy = copy(spec->copy);
	sv->receipt_file = copy(spec->receipt_file);
	sv->cwd = copy(sv->plan->cwd);
	sv->argv = strv_copy(sv->plan->argv);
	sv->env = strv_copy(sv->plan->env);
	sv->net = sv->plan->net;
	sv->memory = spec->memory;
	sv->pids = spec->pids;
	sv->cpus_milli = spec->cpus_milli;
	sv->timeout_ms = spec->timeout_ms;
	sv->idle_stop_ms = spec->idle_stop_ms;
	sv->stop_grace_ms = spec->stop_grace_ms;
	sv->started = sv_now_ms();
	return sv->name && sv->project && sv->cwd ? trail_start(sv, spec) : -ENOMEM;
}

static _Noreturn void supervise(const struct supervisor_spec *spec, int first)
{
	static struct supervisor sv;

	sv.claim = spec->claim;
	sv.plan = spec->plan;
	sv.mapped = !spec->plan->map_id;
	sv.inotify = sv.pid1_fd = -1;
	sv.engine = (struct engine_instance){ .launcher_fd = -1, .socket = -1 };
	own_process(&sv, first);
	lock_up();
	sv.log = openat(sv.claim->dir, "log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	sv.loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	if (!sv.loop || take_spec(&sv, spec) < 0 || peer_add(&sv, first, true) < 0) {
		name_claim_remove(sv.claim);
		_exit(125);
	}
	start_engine(&sv);
	start_watchers(&sv);
	if (!(sv.state == SV_STOPPING && sv.engine.launcher <= 0))
		ev_run(sv.loop, 0);
	end(&sv);
	_exit(0);
}

int supervisor_fork(const struct supervisor_spec *spec, int *ret_socket, struct fail *f)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return fail_set(f, errno, "cannot make a socket");
	pid = fork();
	if (pid < 0) {
		int e = errno;

		fd_close(pair[0]);
		fd_close(pair[1]);
		name_claim_remove(spec->claim);
		return fail_set(f, e, "cannot start the supervisor");
	}
	if (pid == 0)
		supervise(spec, pair[1]);
	fd_close(pair[1]);
	*ret_socket = pair[0];
	return 0;
}
