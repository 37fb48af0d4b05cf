/* The writer. One connection; each event is one transaction in the write-ahead log, which with synchronous=NORMAL is a
 * write(2) without waiting for the disk: a kill at any moment loses at most the event being written.
 *
 * An event that finds the database busy waits in a bounded queue for the next call; one that meets a full disk is
 * dropped and counted, and when writing works again an event "lost" tells how many. Floods are folded: per kind and
 * second 100 events are kept, the others become one event with a count. */
#include "audit/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "audit/schema.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

#define PER_SECOND     100
#define PER_SANDBOX    100000
#define KINDS_MAX      32
#define QUEUE_MAX      256
#define KIND_MAX       32
#define SUBJECT_MAX    4096
#define DETAIL_MAX     16384
#define POLICY_MAX     (1U << 20)
#define CLOSE_WAIT_MS  2000

struct event {
	int64_t sandbox, at, count;
	char *kind, *subject, *detail;
};

/* How often a kind came in the running second. */
struct rate {
	char kind[KIND_MAX + 1];
	int64_t sandbox, second;
	int64_t seen, folded;
};

struct audit {
	sqlite3 *db;
	sqlite3_stmt *insert;
	struct event queue[QUEUE_MAX];
	size_t nqueue;
	struct rate rates[KINDS_MAX];
	size_t nrates;
	int64_t written;      /* events of this connection, bounded by PER_SANDBOX */
	int64_t lost;	      /* since the last event "lost" */
	int64_t last_sandbox; /* whom "lost" is written for */
	int error;	      /* why, negative errno; 0: none is being lost */
	char problem[160];
	pid_t supervisor;
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int audit_path(int make, char **ret)
{
	_cleanup_free_ char *dir = NULL;
	int r = path_xdg(PATH_STATE, &dir);

	if (r == 0 && make)
		r = path_mkdir_p(dir, 0700);
	if (r < 0)
		return r;
	*ret = path_join(dir, "audit.db");
	return *ret ? 0 : -ENOMEM;
}

int audit_open_at(const char *path, struct audit **ret, struct fail *f)
{
	struct audit *a = calloc(1, sizeof(*a));
	int r, k;

	if (!a)
		return -ENOMEM;
	r = schema_open(path, &a->db, f);
	if (r < 0) {
		free(a);
		return r;
	}
	k = schema_errno(sqlite3_prepare_v3(a->db,
					    "INSERT INTO events(sandbox, at, kind, subject, detail, count)"
					    " VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
					    -1, SQLITE_PREPARE_PERSISTENT, &a->insert, NULL));
	if (k < 0) {
		audit_close(a);
		return fail_set(f, -k, "cannot use the audit database, '%s'", path);
	}
	a->supervisor = getpid();
	*ret = a;
	return r;
}

void audit_for(struct audit *a, pid_t supervisor)
{
	a->supervisor = supervisor;
}

int audit_open(struct audit **ret, struct fail *f)
{
	_cleanup_free_ char *path = NULL;
	int r = audit_path(1, &path);

	if (r < 0)
		return fail_set(f, -r, "cannot make the directory of the audit database");
	return audit_open_at(path, ret, f);
}

static void event_clear(struct event *e)
{
	free(e->kind);
	free(e->subject);
	free(e->detail);
	*e = (struct event){ 0 };
}

static int insert(struct audit *a, const struct event *e)
{
	int rc;

	sqlite3_bind_int64(a->insert, 1, e->sandbox);
	sqlite3_bind_int64(a->insert, 2, e->at);
	sqlite3_bind_text(a->insert, 3, e->kind, -1, SQLITE_STATIC);
	sqlite3_bind_text(a->insert, 4, e->subject, -1, SQLITE_STATIC);
	sqlite3_bind_text(a->insert, 5, e->detail, -1, SQLITE_STATIC);
	sqlite3_bind_int64(a->insert, 6, e->count);
	rc = sqlite3_step(a->insert);
	sqlite3_reset(a->insert);
	sqlite3_clear_bindings(a->insert);
	return schema_errno(rc);
}

/* Counts the event as lost; true where that is news. */
static bool lose(struct audit *a, int error)
{
	bool news = a->error == 0;

	a->lost++;
	a->error = error;
	(void)snprintf(a->problem, sizeof(a->problem), "%" PRId64 " audit event%s could not be recorded: %s", a->lost,
		       a->lost == 1 ? "" : "s",
		       error == -EUCLEAN  ? "the database is corrupted (the next start moves it aside)" :
		       error == -EOVERFLOW ? "this sandbox has reached its share of the database" :
					    strerror(-error));
	return news;
}

/* Writes the event "lost" after events were lost. */
static void tell_lost(struct audit *a)
{
	struct event e = { .sandbox = a->last_sandbox, .at = now_ms(), .count = a->lost, .kind = (char[]){ "lost" },
			   .subject = a->problem };

	if (!a->lost || a->error == -EOVERFLOW || !a->last_sandbox)
		return;
	if (insert(a, &e) == 0) {
		a->lost = 0;
		a->error = 0;
	}
}

int audit_flush(struct audit *a)
{
	size_t done = 0;
	int r = 0;

	if (!a)
		return 0;
	for (; done < a->nqueue; done++) {
		r = insert(a, &a->queue[done]);
		if (r == -EAGAIN)
			break;
		if (r < 0)
			(void)lose(a, r);
		event_clear(&a->queue[done]);
	}
	a->nqueue -= done;
	memmove(a->queue, a->queue + done, a->nqueue * sizeof(*a->queue));
	if (r == -EAGAIN)
		return r;
	if (r == 0)
		tell_lost(a);
	return 0;
}

/* Writes or queues; takes the strings of e. Positive 1: from now on events are lost. */
static int put(struct audit *a, struct event *e)
{
	int64_t lost = a->lost;
	bool news = a->error == 0;
	int r = 0;

	a->last_sandbox = e->sandbox;
	if (a->nqueue)
		r = audit_flush(a);
	if (r == 0)
		r = insert(a, e);
	if (r == -EAGAIN && a->nqueue < QUEUE_MAX) {
		a->queue[a->nqueue++] = *e;
		*e = (struct event){ 0 };
		return 0;
	}
	if (r < 0)
		(void)lose(a, r);
	else
		tell_lost(a);
	event_clear(e);
	return news && a->lost > lost ? 1 : 0;
}

static int make_event(struct event *e, int64_t sandbox, const char *kind, const char *subject, const char *detail,
		      int64_t count)
{
	*e = (struct event){ .sandbox = sandbox, .at = now_ms(), .count = count };
	e->kind = strndup(kind, KIND_MAX);
	e->subject = subject ? strndup(subject, SUBJECT_MAX) : NULL;
	if (detail && strlen(detail) > DETAIL_MAX) {
		if (asprintf(&e->detail, "{\"omitted-bytes\":%zu}", strlen(detail)) < 0)
			e->detail = NULL;
	} else if (detail) {
		e->detail = strdup(detail);
	}
	if (e->kind && (e->subject || !subject) && (e->detail || !detail))
		return 0;
	event_clear(e);
	return -ENOMEM;
}

/* Writes the counts of kinds whose second is over (all of them where done). */
static void unfold(struct audit *a, int64_t second, bool done)
{
	size_t kept = 0;

	for (size_t i = 0; i < a->nrates; i++) {
		struct rate *rate = &a->rates[i];
		struct event e;

		if (rate->second == second && !done) {
			a->rates[kept++] = *rate;
			continue;
		}
		if (rate->folded && make_event(&e, rate->sandbox, rate->kind, "more of this kind in the same second",
					       NULL, rate->folded) == 0)
			(void)put(a, &e);
	}
	a->nrates = kept;
}

/* True where the event is only counted. */
static bool folded(struct audit *a, int64_t sandbox, const char *kind, int64_t second)
{
	struct rate *rate = NULL;

	for (size_t i = 0; i < a->nrates && !rate; i++)
		if (a->rates[i].sandbox == sandbox && strncmp(a->rates[i].kind, kind, KIND_MAX) == 0)
			rate = &a->rates[i];
	if (!rate) {
		if (a->nrates == KINDS_MAX) /* kinds are a small table: more of them is a flood */
			rate = &a->rates[KINDS_MAX - 1];
		else
			rate = &a->rates[a->nrates++];
		*rate = (struct rate){ .sandbox = sandbox, .second = second };
		(void)snprintf(rate->kind, sizeof(rate->kind), "%.*s", KIND_MAX, kind);
	}
	if (rate->seen++ < PER_SECOND)
		return false;
	rate->folded++;
	return true;
}

int audit_event(struct audit *a, int64_t id, const char *kind, const char *subject, const char *detail_json)
{
	int64_t second = now_ms() / 1000;
	struct event e;
	int r;

	if (!a || id <= 0)
		return 0;
	unfold(a, second, false);
	if (folded(a, id, kind, second))
		return 0;
	if (a->written >= PER_SANDBOX)
		return lose(a, -EOVERFLOW) ? 1 : 0;
	a->written++;
	r = make_event(&e, id, kind, subject, detail_json, 1);
	return r < 0 ? r : put(a, &e);
}

/* When the process started, in clock ticks since boot (proc(5), /proc/pid/stat field 22); 0 where there is none. */
static int64_t pid_start(pid_t pid)
{
	_cleanup_free_ char *text = NULL;
	char path[64], *s;
	uint64_t v = 0;

	(void)snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	if (fd_read_file(AT_FDCWD, path, 4096, &text, NULL) < 0)
		return 0;
	s = strrchr(text, ')');
	for (int field = 2; s && field < 22; field++) {
		s = strchr(s + 1, ' ');
	}
	if (!s || !strchr(s + 1, ' '))
		return 0;
	*strchr(s + 1, ' ') = 0;
	return str_to_u64(s + 1, &v) == 0 ? (int64_t)v : 0;
}

/* This boot's id: a pid of another boot is nobody's. */
static char *boot_id(void)
{
	char *text = NULL;

	if (fd_read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 128, &text, NULL) < 0)
		return strdup("");
	text[strcspn(text, "\n")] = 0;
	return text;
}

/* The id of this policy, which is made where it is new; 0 for none. */
static int find_policy(struct audit *a, const char *policy, int64_t *ret)
{
	static const char *const sql[] = {
		"SELECT id FROM policies WHERE hash = ?1 AND text = ?2",
		"INSERT INTO policies(hash, text) VALUES(?1, ?2)",
	};
	int rc = SQLITE_OK;

	*ret = 0;
	for (size_t i = 0; policy && *ret == 0 && i < ARRAY_SIZE(sql); i++) {
		sqlite3_stmt *s = NULL;

		rc = sqlite3_prepare_v2(a->db, sql[i], -1, &s, NULL);
		if (rc == SQLITE_OK) {
			sqlite3_bind_int64(s, 1, (int64_t)str_hash(policy, strlen(policy)));
			sqlite3_bind_text(s, 2, policy, -1, SQLITE_STATIC);
			rc = sqlite3_step(s);
		}
		if (rc == SQLITE_ROW)
			*ret = sqlite3_column_int64(s, 0);
		else if (rc == SQLITE_DONE && i == 1)
			*ret = sqlite3_last_insert_rowid(a->db);
		sqlite3_finalize(s);
		if (schema_errno(rc) < 0)
			break;
	}
	return schema_errno(rc);
}

static int insert_sandbox(struct audit *a, const char *name, const char *project, const char *engine,
			  const char *policy)
{
	_cleanup_free_ char *boot = boot_id();
	sqlite3_stmt *s = NULL;
	int64_t policy_id = 0;
	int rc, r = find_policy(a, policy, &policy_id);

	if (r < 0)
		return r;
	rc = sqlite3_prepare_v2(a->db,
				"INSERT INTO sandboxes(name, project, engine, policy, started, pid, pid_start, boot)"
				" VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
				-1, &s, NULL);
	if (rc == SQLITE_OK) {
		sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
		sqlite3_bind_text(s, 2, project, -1, SQLITE_STATIC);
		sqlite3_bind_text(s, 3, engine, -1, SQLITE_STATIC);
		if (policy_id)
			sqlite3_bind_int64(s, 4, policy_id);
		sqlite3_bind_int64(s, 5, now_ms());
		sqlite3_bind_int64(s, 6, a->supervisor);
		sqlite3_bind_int64(s, 7, pid_start(a->supervisor));
		sqlite3_bind_text(s, 8, boot ? boot : "", -1, SQLITE_STATIC);
		rc = sqlite3_step(s);
	}
	sqlite3_finalize(s);
	return schema_errno(rc);
}

int audit_begin(struct audit *a, const char *name, const char *project, const char *engine, const char *policy_json,
		int64_t *ret_id)
{
	struct event e = { 0 };
	int64_t id = 0;
	int r;

	if (!a)
		return -ENOTCONN;
	if (policy_json && strlen(policy_json) > POLICY_MAX)
		policy_json = "{\"omitted\":\"longer than 1 MiB\"}";
	sqlite3_busy_timeout(a->db, CLOSE_WAIT_MS);
	r = schema_exec(a->db, "BEGIN IMMEDIATE");
	if (r == 0) {
		r = insert_sandbox(a, name, project, engine, policy_json);
		id = sqlite3_last_insert_rowid(a->db);
		if (r == 0)
			r = make_event(&e, id, "start", project, NULL, 1);
		if (r == 0)
			r = insert(a, &e);
		event_clear(&e);
		if (r == 0)
			r = schema_exec(a->db, "COMMIT");
		if (r < 0)
			(void)schema_exec(a->db, "ROLLBACK");
	}
	sqlite3_busy_timeout(a->db, SCHEMA_BUSY_MS);
	if (r < 0)
		return r;
	a->last_sandbox = id;
	*ret_id = id;
	return 0;
}

static int close_sandbox(struct audit *a, int64_t id, int64_t at, int status, const char *reason)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(a->db,
				    "UPDATE sandboxes SET ended=?2, status=?3, reason=?4 WHERE id=?1 AND ended IS NULL",
				    -1, &s, NULL);

	if (rc == SQLITE_OK) {
		sqlite3_bind_int64(s, 1, id);
		sqlite3_bind_int64(s, 2, at);
		if (status >= 0)
			sqlite3_bind_int(s, 3, status);
		sqlite3_bind_text(s, 4, reason, -1, SQLITE_STATIC);
		rc = sqlite3_step(s);
	}
	sqlite3_finalize(s);
	return schema_errno(rc);
}

int audit_end(struct audit *a, int64_t id, int status, const char *reason)
{
	struct event e;
	char detail[64];
	int r;

	if (!a || id <= 0)
		return 0;
	sqlite3_busy_timeout(a->db, CLOSE_WAIT_MS);
	unfold(a, 0, true);
	(void)audit_flush(a);
	(void)snprintf(detail, sizeof(detail), "{\"status\":%d}", status);
	r = make_event(&e, id, "stop", reason, status >= 0 ? detail : NULL, 1);
	if (r == 0)
		(void)put(a, &e);
	r = close_sandbox(a, id, now_ms(), status, reason);
	sqlite3_busy_timeout(a->db, SCHEMA_BUSY_MS);
	return r;
}

/* Closes the records of sandboxes whose supervisor is gone without a word. */
static int close_dead(struct audit *a)
{
	_cleanup_free_ char *boot = boot_id();
	int64_t dead[128];
	size_t n = 0;
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(a->db, "SELECT id, pid, pid_start, boot FROM sandboxes WHERE ended IS NULL", -1, &s,
				    NULL);
	int r = 0;

	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		pid_t pid;

		rc = sqlite3_step(s);
		if (rc != SQLITE_ROW)
			break;
		pid = (pid_t)sqlite3_column_int64(s, 1);
		if (str_eq((const char *)sqlite3_column_text(s, 3), boot) && pid > 0 &&
		    pid_start(pid) == sqlite3_column_int64(s, 2))
			continue;
		dead[n++] = sqlite3_column_int64(s, 0);
		if (n == ARRAY_SIZE(dead)) {
			rc = SQLITE_DONE;
			break;
		}
	}
	sqlite3_finalize(s);
	if (schema_errno(rc) < 0)
		return schema_errno(rc);
	for (size_t i = 0; i < n && r == 0; i++) {
		struct event e;

		r = make_event(&e, dead[i], "stop", "the supervisor was killed", NULL, 1);
		if (r == 0)
			(void)put(a, &e);
		if (r == 0)
			r = close_sandbox(a, dead[i], now_ms(), -1, "the supervisor was killed");
	}
	return r;
}

int audit_expire(struct audit *a, unsigned days)
{
	int64_t before = now_ms() - (int64_t)days * 86400000;
	char sql[512];
	int r;

	if (!a)
		return 0;
	r = close_dead(a);
	if (r < 0 || days == 0)
		return r;
	(void)snprintf(sql, sizeof(sql),
		       "DELETE FROM sandboxes WHERE ended < %" PRId64 "; DELETE FROM events WHERE at < %" PRId64 ";"
		       "DELETE FROM policies WHERE NOT EXISTS (SELECT 1 FROM sandboxes WHERE policy = policies.id);"
		       "PRAGMA incremental_vacuum(2000);",
		       before, before);
	return schema_exec(a->db, sql);
}

const char *audit_problem(const struct audit *a)
{
	return a && a->error ? a->problem : NULL;
}

struct audit *audit_close(struct audit *a)
{
	if (!a)
		return NULL;
	sqlite3_busy_timeout(a->db, CLOSE_WAIT_MS);
	unfold(a, 0, true);
	(void)audit_flush(a);
	for (size_t i = 0; i < a->nqueue; i++)
		event_clear(&a->queue[i]);
	sqlite3_finalize(a->insert);
	sqlite3_close(a->db);
	free(a);
	return NULL;
}
