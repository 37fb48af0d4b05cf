/* Queries, and the wait for news. SQLite writes the frames of a commit to the -wal file (which inotify shows) and then
 * the index in shared memory (which it does not): the waiter lets the writer finish before it looks. */
#include "audit/query.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "audit/audit.h"
#include "audit/schema.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

#define SETTLE_MS 50

struct audit_reader {
	sqlite3 *db;
};

int audit_reader_open_at(const char *path, struct audit_reader **ret, struct fail *f)
{
	struct audit_reader *r = calloc(1, sizeof(*r));
	int k;

	if (!r)
		return -ENOMEM;
	k = schema_open_reader(path, &r->db, f);
	if (k < 0) {
		free(r);
		return k;
	}
	*ret = r;
	return 0;
}

int audit_reader_open(struct audit_reader **ret, struct fail *f)
{
	_cleanup_free_ char *path = NULL;
	int r = audit_path(0, &path);

	if (r < 0)
		return fail_set(f, -r, "cannot tell where the audit database is");
	return audit_reader_open_at(path, ret, f);
}

struct audit_reader *audit_reader_close(struct audit_reader *r)
{
	if (r) {
		sqlite3_close(r->db);
		free(r);
	}
	return NULL;
}

static const char *text(sqlite3_stmt *s, int column)
{
	return (const char *)sqlite3_column_text(s, column);
}

static const char *text_or_empty(sqlite3_stmt *s, int column)
{
	const char *t = text(s, column);

	return t ? t : "";
}

/* ?1 name, ?2 project, ?3 kind, ?4 since, ?5 after, ?6 last */
static const char select_events[] =
	"SELECT e.id, e.sandbox, e.at, e.count, s.name, s.project, e.kind, e.subject, e.detail"
	" FROM events e JOIN sandboxes s ON s.id = e.sandbox"
	" WHERE e.id > ?5 AND e.at >= ?4 AND (?3 IS NULL OR e.kind = ?3)"
	" AND (?1 IS NULL OR s.name = ?1) AND (?2 IS NULL OR s.project = ?2)"
	" AND (NOT ?6 OR s.id = (SELECT max(id) FROM sandboxes"
	"   WHERE (?1 IS NULL OR name = ?1) AND (?2 IS NULL OR project = ?2)))"
	" ORDER BY e.id";

int audit_query(struct audit_reader *r, const struct audit_filter *filter,
		int (*each)(const struct audit_row *row, void *data), void *data, struct fail *f)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(r->db, select_events, -1, &s, NULL);
	int k = 0;

	if (rc == SQLITE_OK) {
		sqlite3_bind_text(s, 1, filter->name, -1, SQLITE_STATIC);
		sqlite3_bind_text(s, 2, filter->project, -1, SQLITE_STATIC);
		sqlite3_bind_text(s, 3, filter->kind, -1, SQLITE_STATIC);
		sqlite3_bind_int64(s, 4, filter->since);
		sqlite3_bind_int64(s, 5, filter->after);
		sqlite3_bind_int(s, 6, filter->last);
	}
	while (k == 0 && (rc == SQLITE_OK || rc == SQLITE_ROW)) {
		struct audit_row row;

		rc = sqlite3_step(s);
		if (rc != SQLITE_ROW)
			break;
		row = (struct audit_row){
			.id = sqlite3_column_int64(s, 0), .sandbox = sqlite3_column_int64(s, 1),
			.at = sqlite3_column_int64(s, 2), .count = sqlite3_column_int64(s, 3),
			.name = text_or_empty(s, 4), .project = text_or_empty(s, 5), .kind = text_or_empty(s, 6),
			.subject = text(s, 7), .detail = text(s, 8),
		};
		k = each(&row, data);
	}
	sqlite3_finalize(s);
	if (k == 0 && schema_errno(rc) < 0)
		return fail_set(f, -schema_errno(rc), "cannot read the audit database");
	return k;
}

int audit_policy(struct audit_reader *r, const struct audit_filter *filter, char **ret, struct fail *f)
{
	sqlite3_stmt *s = NULL;
	int rc, k = -ENOENT;

	rc = sqlite3_prepare_v2(
		r->db,
		"SELECT p.text FROM sandboxes s JOIN policies p ON p.id = s.policy"
		" WHERE (?1 IS NULL OR s.name = ?1) AND (?2 IS NULL OR s.project = ?2) ORDER BY s.id DESC LIMIT 1",
		-1, &s, NULL);
	if (rc == SQLITE_OK) {
		sqlite3_bind_text(s, 1, filter->name, -1, SQLITE_STATIC);
		sqlite3_bind_text(s, 2, filter->project, -1, SQLITE_STATIC);
		rc = sqlite3_step(s);
	}
	if (rc == SQLITE_ROW) {
		char *text_copy = strdup(text_or_empty(s, 0));

		k = text_copy ? 0 : -ENOMEM;
		if (text_copy)
			*ret = text_copy;
	}
	sqlite3_finalize(s);
	if (schema_errno(rc) < 0)
		return fail_set(f, -schema_errno(rc), "cannot read the audit database");
	return k;
}

int audit_count(struct audit_reader *r, int64_t *ret_sandboxes, int64_t *ret_events, int64_t *ret_oldest)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(r->db,
				    "SELECT (SELECT count(*) FROM sandboxes), (SELECT count(*) FROM events),"
				    " coalesce((SELECT min(at) FROM events), 0)",
				    -1, &s, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	if (rc == SQLITE_ROW) {
		*ret_sandboxes = sqlite3_column_int64(s, 0);
		*ret_events = sqlite3_column_int64(s, 1);
		*ret_oldest = sqlite3_column_int64(s, 2);
	}
	sqlite3_finalize(s);
	return schema_errno(rc);
}

int audit_watch_new_at(const char *path)
{
	_cleanup_free_ char *dir = path_dirname(path);
	_cleanup_close_ int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	if (!dir)
		return -ENOMEM;
	if (fd < 0 || inotify_add_watch(fd, dir, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
		return -errno;
	return TAKE_FD(fd);
}

int audit_watch_new(void)
{
	_cleanup_free_ char *path = NULL;
	int r = audit_path(1, &path);

	return r < 0 ? r : audit_watch_new_at(path);
}

/* Reads all that is there; true where one is of the database. */
static bool drain(int fd)
{
	char bytes[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	bool ours = false;
	ssize_t n;

	while ((n = read(fd, bytes, sizeof(bytes))) > 0) {
		for (char *p = bytes; p < bytes + n;) {
			const struct inotify_event *e = (const void *)p;

			ours = ours || (e->mask & IN_Q_OVERFLOW) || (e->len && str_startswith(e->name, "audit.db"));
			p += sizeof(*e) + e->len;
		}
	}
	return ours;
}

int audit_watch_wait(int fd)
{
	const struct timespec settle = { .tv_nsec = SETTLE_MS * 1000000L };

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		if (poll(&p, 1, -1) < 0)
			return -errno;
		if (p.revents & (POLLERR | POLLHUP | POLLNVAL))
			return -EIO;
		if (drain(fd))
			break;
	}
	if (nanosleep(&settle, NULL) < 0)
		return -errno;
	return 0;
}
