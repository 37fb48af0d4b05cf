/* What is kept of a sandbox: the audit, the guard's findings, the receipt.
 *
 * The audit is SQLite, whose opening costs more than starting a sandbox and whose memory a sleeping supervisor should not
 * carry. So events wait in a list; a moment after the first of them a child is forked that writes them all and goes.
 * At the end the supervisor, with nothing left to serve, writes the rest itself. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit/audit.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "guard/guard.h"
#include "report/json.h"
#include "report/plan-text.h"
#include "supervisor/internal.h"

#define WRITE_AFTER   0.2 /* seconds from an event to its writing */
#define EVENTS_MAX    1000U /* that wait; more are counted */
#define SHOWN_MAX     20U  /* of a kind, on the terminal */
#define FINDINGS_MAX  200U /* of a kind, for the receipt */
#define GUARD_STARTS  3
#define GUARD_WAIT_MS 5000
#define GUARD_SYNC_MS 200
#define WRITER_WAIT_MS 10000

struct event {
	struct event *next;
	char *kind, *subject, *detail;
};

struct trail {
	struct supervisor *sv;
	struct event *events, **tail;
	size_t nevents, dropped;
	unsigned keep_days;
	int64_t id; /* in the audit; 0: not begun */
	pid_t supervisor; /* ours, which is not that of the child that writes */
	ev_timer soon;
	ev_io writer_io;
	int writer; /* pipe from the writing child */
	pid_t writer_pid;

	char *helper, *git_private, *quarantine;
	char **watch;
	bool git_apply, lasting, audit_failed;
	struct guard_watch guard;
	ev_io guard_io;
	unsigned guard_starts;
	bool guard_done, guard_synced;

	char **quarantined, **git_config, **displaced, **noted; /* lines of the receipt */
};

static void keep(char ***list, const char *subject, const char *msg)
{
	if (strv_len(*list) >= FINDINGS_MAX)
		return;
	(void)strv_addf(list, "%s%s%s", subject ? subject : "", subject && msg ? ": " : "", msg ? msg : "");
}

static void event_free(struct event *e)
{
	free(e->kind);
	free(e->subject);
	free(e->detail);
	free(e);
}

static char *detail_json(const char *msg)
{
	_cleanup_json_ struct json_object *o = json_object_new_object();

	if (!o || json_put_str(o, "detail", msg) < 0)
		return NULL;
	return strdup(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

/* ---- the writer ---- */

static int write_events(struct trail *t, struct audit *a)
{
	int r = 0;

	audit_for(a, t->supervisor);
	if (!t->id) {
		_cleanup_json_ struct json_object *policy = t->sv->plan ? plan_text_json(t->sv->plan) : NULL;

		r = audit_begin(a, t->sv->name, t->sv->project, "native",
				policy ? json_object_to_json_string_ext(policy, JSON_C_TO_STRING_PLAIN) : NULL, &t->id);
	}
	for (struct event *e = t->events; r >= 0 && e; e = e->next)
		r = audit_event(a, t->id, e->kind, e->subject, e->detail);
	if (r >= 0 && t->dropped) {
		char n[32];

		(void)snprintf(n, sizeof(n), "%zu", t->dropped);
		r = audit_event(a, t->id, "dropped", n, NULL);
	}
	return r;
}

static void forget_events(struct trail *t)
{
	while (t->events) {
		struct event *e = t->events;

		t->events = e->next;
		event_free(e);
	}
	t->tail = &t->events;
	t->nevents = t->dropped = 0;
}

static _Noreturn void writer_child(struct trail *t, int out)
{
	struct audit *a = NULL;
	int64_t id = -1;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(out, 3) < 0)
		_exit(1);
	(void)close_range(4, ~0U, 0);
	(void)signal(SIGTERM, SIG_DFL);
	if (audit_open(&a, NULL) >= 0 && write_events(t, a) >= 0)
		id = t->id;
	audit_close(a);
	_exit(write(3, &id, sizeof(id)) == (ssize_t)sizeof(id) ? 0 : 1);
}

static void on_writer(struct ev_loop *loop, ev_io *w, int revents _unused_)
{
	struct trail *t = w->data;
	int64_t id = -1;

	if (loop)
		ev_io_stop(loop, w);
	if (read(t->writer, &id, sizeof(id)) == (ssize_t)sizeof(id) && id > 0)
		t->id = id;
	else {
		sv_log(t->sv, "the audit could not be written");
		if (!t->audit_failed)
			keep(&t->noted, "audit", "it could not be written: events of this sandbox are not recorded");
		t->audit_failed = true;
	}
	t->writer = fd_close(t->writer);
	while (waitpid(t->writer_pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (t->events && t->sv->state < SV_ENDED)
		ev_timer_start(t->sv->loop, &t->soon);
	else
		mem_trim();
}

static void on_soon(struct ev_loop *loop, ev_timer *w, int revents _unused_)
{
	struct trail *t = w->data;
	int p[2];

	if (t->writer >= 0 || pipe2(p, O_CLOEXEC) < 0)
		return;
	t->writer_pid = fork();
	if (t->writer_pid == 0)
		writer_child(t, p[1]);
	close(p[1]);
	if (t->writer_pid < 0) {
		close(p[0]);
		return;
	}
	forget_events(t);
	/* From here on the plan is the audit's: this process sleeps without it. */
	t->sv->plan = plan_free(t->sv->plan);
	t->writer = p[0];
	ev_io_init(&t->writer_io, on_writer, t->writer, EV_READ);
	t->writer_io.data = t;
	ev_io_start(loop, &t->writer_io);
}

static void add_event(struct trail *t, const char *kind, const char *subject, const char *msg)
{
	struct event *e = t->nevents < EVENTS_MAX ? calloc(1, sizeof(*e)) : NULL;

	if (!e) {
		t->dropped++;
		return;
	}
	e->kind = strdup(kind);
	e->subject = subject ? strdup(subject) : NULL;
	e->detail = msg ? detail_json(msg) : NULL;
	if (!e->kind) {
		event_free(e);
		return;
	}
	*t->tail = e;
	t->tail = &e->next;
	t->nevents++;
	if (t->sv->state < SV_STOPPING && t->writer < 0 && !ev_is_active(&t->soon)) {
		ev_timer_set(&t->soon, WRITE_AFTER, 0.);
		ev_timer_start(t->sv->loop, &t->soon);
	}
}

void trail_event(struct supervisor *sv, const char *kind, const char *subject, const char *msg)
{
	struct trail *t = sv->trail;

	sv_log(sv, "%s%s%s%s%s", kind, subject ? " " : "", subject ? subject : "", msg ? ": " : "", msg ? msg : "");
	if (!t)
		return;
	if (strcmp(kind, "displaced") == 0)
		keep(&t->displaced, subject, msg);
	add_event(t, kind, subject, msg);
}

/* ---- the guard's watcher ---- */

static void guard_line(struct trail *t, char *line)
{
	char *path = strchr(line, '\t'), *detail = NULL;

	if (path) {
		*path++ = 0;
		detail = strchr(path, '\t');
		if (detail)
			*detail++ = 0;
	}
	if (strcmp(line, "done") == 0) {
		t->guard_done = true;
		return;
	}
	if (strcmp(line, "synced") == 0)
		t->guard_synced = true;
	if (strcmp(line, "ready") == 0 || strcmp(line, "synced") == 0)
		return;
	if (strcmp(line, "quarantined") == 0 || strcmp(line, "refused") == 0)
		keep(&t->quarantined, path, str_empty(detail) ? "taken away" : detail);
	else
		keep(&t->noted, path, str_empty(detail) ? line : detail);
	trail_event(t->sv, line, path, str_empty(detail) ? NULL : detail);
}

/* One line: 1, 0 none now, negative: the watcher has gone. */
static int guard_read(struct trail *t)
{
	char line[GUARD_LINE_MAX + 1];
	ssize_t n = recv(t->guard.socket, line, sizeof(line) - 1, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return -1;
	line[n] = 0;
	guard_line(t, line);
	return 1;
}

static void guard_reap(struct trail *t)
{
	t->guard.socket = fd_close(t->guard.socket);
	if (t->guard.pid > 0)
		while (waitpid(t->guard.pid, NULL, 0) < 0 && errno == EINTR)
			;
	t->guard.pid = 0;
}

static void guard_start(struct trail *t);

static void on_guard(struct ev_loop *loop, ev_io *w, int revents _unused_)
{
	struct trail *t = w->data;
	int r;

	while ((r = guard_read(t)) > 0)
		;
	if (r == 0)
		return;
	ev_io_stop(loop, w);
	guard_reap(t);
	if (t->guard_done || t->sv->state >= SV_STOPPING)
		return;
	/* Killed: another one's first look covers the gap. */
	trail_event(t->sv, "warning", "guard", "the watcher of guarded paths died");
	guard_start(t);
}

static void guard_start(struct trail *t)
{
	struct supervisor *sv = t->sv;
	struct fail f = { 0 };

	if (!t->helper || !t->watch)
		return;
	if (t->guard_starts++ >= GUARD_STARTS ||
	    guard_watch_start(t->helper, sv->copy ? sv->copy : sv->project, t->watch, t->quarantine, sv->engine.launcher_fd, &t->guard,
			      &f) < 0) {
		t->guard.socket = -1;
		sv_log(sv, "guard: %s", f.msg);
		keep(&t->noted, "guard", f.msg[0] ? f.msg : "it could not be kept running");
		if (sv->state == SV_STARTING)
			sv_fail(sv, f.msg, f.hint);
		else
			sv_stop(sv, "guard failed", true, 0);
		return;
	}
	ev_io_init(&t->guard_io, on_guard, t->guard.socket, EV_READ);
	t->guard_io.data = t;
	ev_io_start(sv->loop, &t->guard_io);
}

void trail_watch(struct supervisor *sv)
{
	if (sv->trail)
		guard_start(sv->trail);
}

/* ---- beginning and end ---- */

int trail_start(struct supervisor *sv, const struct supervisor_spec *spec)
{
	struct trail *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	sv->trail = t;
	t->sv = sv;
	t->supervisor = getpid();
	t->tail = &t->events;
	t->writer = t->guard.socket = -1;
	t->helper = spec->guard_helper ? strdup(spec->guard_helper) : NULL;
	t->git_private = spec->git_private ? strdup(spec->git_private) : NULL;
	t->quarantine = spec->quarantine ? strdup(spec->quarantine) : NULL;
	t->watch = strv_copy(spec->guard_watch);
	t->git_apply = spec->git_apply;
	t->lasting = spec->lasting;
	t->keep_days = spec->audit_keep_days;
	ev_timer_init(&t->soon, on_soon, WRITE_AFTER, 0.);
	t->soon.data = t;
	return 0;
}

/* The first command is on its way: now there is time for the audit. */
void trail_began(struct supervisor *sv)
{
	struct trail *t = sv->trail;

	if (t && !t->id && !ev_is_active(&t->soon))
		ev_timer_start(sv->loop, &t->soon);
}

void trail_sync(struct supervisor *sv, bool last)
{
	struct trail *t = sv->trail;
	struct pollfd p = { .fd = t ? t->guard.socket : -1, .events = POLLIN };
	int64_t end = sv_now_ms() + GUARD_SYNC_MS;
	int r = 0;

	if (p.fd < 0)
		return;
	t->guard_synced = false;
	if (send(p.fd, last ? "last" : "sync", 4, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return;
	while (r >= 0 && !t->guard_synced && sv_now_ms() < end)
		if (poll(&p, 1, (int)MAX(end - sv_now_ms(), (int64_t)0)) > 0)
			r = guard_read(t);
}

static void guard_finish(struct trail *t)
{
	struct pollfd p = { .fd = t->guard.socket, .events = POLLIN };
	int64_t end = sv_now_ms() + GUARD_WAIT_MS;
	int r = 0;

	if (t->guard.socket < 0)
		return;
	ev_io_stop(t->sv->loop, &t->guard_io);
	while (r >= 0 && !t->guard_done && sv_now_ms() < end)
		if (poll(&p, 1, (int)MAX(end - sv_now_ms(), (int64_t)0)) > 0)
			r = guard_read(t);
	if (!t->guard_done) {
		keep(&t->noted, "guard", "its last look did not end: see what changed in the project");
		if (t->guard.pid > 0)
			(void)kill(t->guard.pid, SIGKILL);
	}
	guard_reap(t);
}

void trail_settle(struct supervisor *sv)
{
	struct trail *t = sv->trail;
	struct fail f = { 0 };

	if (!t)
		return;
	guard_finish(t);
	if (!t->git_private)
		return;
	if (guard_settle(t->git_private, t->git_apply, &t->git_config, &f) < 0)
		keep(&t->noted, "git", f.msg);
	else if (!t->lasting)
		(void)path_remove_tree(AT_FDCWD, t->git_private);
	for (char **l = t->git_config; l && *l; l++)
		add_event(t, "gitconfig", *l, NULL);
	/* the sandbox never stood: nobody's work is in it */
	if (sv->copy && !sv->sent) {
		_cleanup_free_ char *dir = path_dirname(sv->copy);

		(void)path_remove_tree(AT_FDCWD, sv->copy);
		if (dir)
			(void)rmdir(dir); /* where it is empty */
		free(sv->copy);
		sv->copy = NULL;
	}
}

/* A section of the receipt. Bounded: who floods one must not push the next off the screen. */
static void section(struct buf *b, const char *heading, char *const *lines)
{
	size_t n = strv_len(lines);

	if (!n)
		return;
	buf_printf(b, "claude-sandbox: %s\n", heading);
	for (size_t i = 0; i < n && i < SHOWN_MAX; i++) {
		_cleanup_free_ char *s = str_printable(lines[i], strlen(lines[i]));

		buf_printf(b, "  %s\n", s ? s : "?");
	}
	if (n > SHOWN_MAX)
		buf_printf(b, "  and %zu more: claude-sandbox log\n", n - SHOWN_MAX);
}

static void write_receipt(struct supervisor *sv, struct trail *t)
{
	_cleanup_json_ struct json_object *o = json_object_new_object();
	const char *text;
	int r;

	if (!o)
		return;
	json_put_str(o, "name", sv->name);
	json_put_str(o, "project", sv->project);
	json_put_str(o, "copy", sv->copy);
	json_put_int(o, "started", sv->started);
	json_put_int(o, "ended", sv_now_ms());
	json_put_int(o, "status", sv->status);
	json_put_str(o, "reason", sv->reason);
	json_put_strv(o, "quarantined", t->quarantined);
	json_put_strv(o, "git_config", t->git_config);
	json_put_strv(o, "displaced", t->displaced);
	json_put_strv(o, "noted", t->noted);
	text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
	r = fd_write_file(AT_FDCWD, sv->receipt_file, text, strlen(text), 0600);
	if (r < 0)
		keep(&t->noted, sv->receipt_file, strerror(-r));
}

/* Commands that are ready to be used. --remove-destination: nothing is written through a link. */
static void copied(struct buf *b, const struct supervisor *sv)
{
	_cleanup_free_ char *copy = sv->copy ? str_shell_quote(sv->copy) : NULL, *project = str_shell_quote(sv->project);
	_cleanup_strv_ char **lines = NULL;

	if (!copy || !project)
		return;
	(void)strv_addf(&lines, "see its changes:  diff -r --no-dereference %s %s", project, copy);
	(void)strv_addf(&lines, "take them:        cp -a --remove-destination %s/. %s/", copy, project);
	(void)strv_addf(&lines, "remove copies:    claude-sandbox rm --copies %s", sv->name);
	section(b, "the project is as it was; this sandbox worked on a copy, which is kept:", lines);
}

static void taken(struct buf *b, const struct trail *t)
{
	copied(b, t->sv);
	section(b, "moved out of the project, because the host would obey it:", t->quarantined);
	if (t->quarantined)
		buf_puts(b, "  hint: to let one be made: --guard '!NAME', or guard = !NAME in the configuration\n");
}

char *trail_taken(struct supervisor *sv)
{
	struct buf b = BUF_INIT(32768);

	if (sv->trail)
		taken(&b, sv->trail);
	return b.data;
}

char *trail_receipt(struct supervisor *sv)
{
	struct trail *t = sv->trail;
	struct buf b = BUF_INIT(32768);

	if (!t)
		return NULL;
	if (sv->receipt_file)
		write_receipt(sv, t);
	taken(&b, t);
	section(&b, "git configuration:", t->git_config);
	section(&b, "moved aside, because it stood where a mount belongs:", t->displaced);
	section(&b, "take note:", t->noted);
	if (b.error == -ENOSPC) {
		b.error = 0;
		b.len = MIN(b.len, (size_t)32000);
		buf_puts(&b, "\n  ...\n");
	}
	return b.data;
}

void trail_end(struct supervisor *sv)
{
	struct trail *t = sv->trail;
	struct audit *a = NULL;
	struct fail f = { 0 };
	int r;

	if (!t)
		return;
	if (t->writer >= 0) {
		struct pollfd p = { .fd = t->writer, .events = POLLIN };

		if (poll(&p, 1, WRITER_WAIT_MS) <= 0)
			(void)kill(t->writer_pid, SIGKILL);
		on_writer(NULL, &t->writer_io, 0);
	}
	r = audit_open(&a, &f);
	if (r >= 0 && write_events(t, a) >= 0) {
		(void)audit_end(a, t->id, sv->status, sv->reason);
		if (t->keep_days)
			(void)audit_expire(a, t->keep_days);
	} else {
		sv_log(sv, "audit: %s", f.msg[0] ? f.msg : "it could not be written");
	}
	audit_close(a);
}
