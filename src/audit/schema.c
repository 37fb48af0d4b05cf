/* Making and migrating happen under flock(2) on "PATH.lock", so that a hundred supervisors that start at once make one
 * database, and two that find it corrupted move it aside once. The version is SQLite's user_version; each step of
 * the table below is one transaction. */
#include "audit/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macro.h"

#define LOCK_WAIT_MS 5000

/* What brings a database from version i to i + 1. */
static const char *const migrations[SCHEMA_VERSION] = {
	/* many sandboxes have one policy, and a policy is long: kept once */
	"CREATE TABLE policies (id INTEGER PRIMARY KEY AUTOINCREMENT, hash INTEGER NOT NULL, text TEXT NOT NULL);"
	"CREATE INDEX policies_hash ON policies(hash);"
	"CREATE TABLE sandboxes ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, project TEXT NOT NULL, engine TEXT NOT NULL,"
	" policy INTEGER REFERENCES policies(id), started INTEGER NOT NULL, ended INTEGER, status INTEGER, reason TEXT,"
	" pid INTEGER NOT NULL, pid_start INTEGER NOT NULL, boot TEXT NOT NULL);"
	"CREATE INDEX sandboxes_policy ON sandboxes(policy);"
	"CREATE INDEX sandboxes_ended ON sandboxes(ended);"
	"CREATE INDEX sandboxes_name ON sandboxes(name);"
	"CREATE INDEX sandboxes_running ON sandboxes(id) WHERE ended IS NULL;"
	"CREATE TABLE events ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT, sandbox INTEGER NOT NULL REFERENCES sandboxes(id) ON DELETE CASCADE,"
	" at INTEGER NOT NULL, kind TEXT NOT NULL, subject TEXT, detail TEXT, count INTEGER NOT NULL DEFAULT 1);"
	"CREATE INDEX events_sandbox ON events(sandbox);"
	"CREATE INDEX events_at ON events(at);",
};

int schema_errno(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
	case SQLITE_ROW:
		return 0;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EAGAIN;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_PERM:
	case SQLITE_CANTOPEN:
		return -EACCES;
	case SQLITE_NOMEM:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

int schema_exec(sqlite3 *db, const char *sql)
{
	return schema_errno(sqlite3_exec(db, sql, NULL, NULL, NULL));
}

static int user_version(sqlite3 *db, int *ret)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &s, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		*ret = sqlite3_column_int(s, 0);
	sqlite3_finalize(s);
	return schema_errno(rc);
}

/* The pragmas that must come before the first table, and those that hold for a connection. */
static int settings(sqlite3 *db)
{
	return schema_exec(db, "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
			       "PRAGMA foreign_keys=ON; PRAGMA cache_size=-256; PRAGMA temp_store=MEMORY;"
			       "PRAGMA trusted_schema=OFF; PRAGMA journal_size_limit=4194304;"
			       "PRAGMA max_page_count=262144;"); /* 1 GiB */
}

static int migrate(sqlite3 *db)
{
	int version = 0, r;

	r = user_version(db, &version);
	if (r < 0)
		return r;
	if (version > SCHEMA_VERSION)
		return -EPROTONOSUPPORT;
	for (; version < SCHEMA_VERSION; version++) {
		char set[64];

		(void)snprintf(set, sizeof(set), "PRAGMA user_version=%d; COMMIT;", version + 1);
		r = schema_exec(db, "BEGIN IMMEDIATE;");
		if (r == 0)
			r = schema_exec(db, migrations[version]);
		if (r == 0)
			r = schema_exec(db, set);
		if (r < 0) {
			(void)schema_exec(db, "ROLLBACK");
			return r;
		}
	}
	/* a damaged page of the schema or of a root shows here; deeper damage shows when it is met */
	return schema_exec(db, "SELECT (SELECT max(id) FROM sandboxes), (SELECT max(id) FROM events),"
			       " (SELECT min(at) FROM events)");
}

static int lock(const char *path, int *ret, struct fail *f)
{
	_cleanup_free_ char *name = NULL;
	_cleanup_close_ int fd = -1;

	if (asprintf(&name, "%s.lock", path) < 0)
		return -ENOMEM;
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return fail_set(f, errno, "cannot open the audit database's lock, '%s'", name);
	for (int waited = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; waited += 10) {
		const struct timespec ts = { .tv_nsec = 10000000 };

		if (errno != EWOULDBLOCK && errno != EINTR)
			return fail_set(f, errno, "cannot lock '%s'", name);
		if (waited >= LOCK_WAIT_MS)
			return fail_set(f, EBUSY, "another process keeps the audit database locked, '%s'", name);
		nanosleep(&ts, NULL);
	}
	*ret = TAKE_FD(fd);
	return 0;
}

/* A name beside path that nothing has yet: PATH.corrupt-TIME, or with a number behind it. */
static char *aside_name(const char *path)
{
	char stamp[32];
	time_t now = time(NULL);
	struct tm tm;

	(void)gmtime_r(&now, &tm);
	(void)strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm);
	for (int i = 0; i < 1000; i++) {
		_cleanup_free_ char *name = NULL;

		if (asprintf(&name, i ? "%s.corrupt-%s.%d" : "%s.corrupt-%s", path, stamp, i) < 0)
			return NULL;
		if (access(name, F_OK) < 0)
			return TAKE_PTR(name);
	}
	return NULL;
}

/* PATH becomes PATH.corrupt-TIME, with its write-ahead log, which may hold what can still be saved. */
static int move_aside(const char *path, struct fail *f)
{
	static const char *const suffix[] = { "", "-wal" };
	_cleanup_free_ char *shm = NULL, *aside = aside_name(path);

	if (!aside)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(suffix); i++) {
		_cleanup_free_ char *from = NULL, *to = NULL;

		if (asprintf(&from, "%s%s", path, suffix[i]) < 0 || asprintf(&to, "%s%s", aside, suffix[i]) < 0)
			return -ENOMEM;
		if (rename(from, to) < 0 && errno != ENOENT)
			return fail_set(f, errno, "cannot move the corrupted audit database aside, '%s'", from);
	}
	if (asprintf(&shm, "%s-shm", path) < 0)
		return -ENOMEM;
	(void)unlink(shm);
	(void)fail_set(f, 0, "the audit database was corrupted and has been moved to '%s'", aside);
	fail_hint(f, "what can be saved: sqlite3 '%s' .recover", aside);
	return 0;
}

/* An I/O error is what SQLite makes of a full disk when it cannot extend the -shm file. */
static int errno_of(sqlite3 *db, int r)
{
	return r == -EIO && db && sqlite3_system_errno(db) == ENOSPC ? -ENOSPC : r;
}

static int open_once(const char *path, sqlite3 **ret)
{
	sqlite3 *db = NULL;
	int r;

	r = schema_errno(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
					 NULL));
	if (r == 0) {
		sqlite3_extended_result_codes(db, 1);
		sqlite3_busy_timeout(db, 2000);
		r = settings(db);
	}
	if (r == 0)
		r = migrate(db);
	if (r < 0) {
		r = errno_of(db, r);
		sqlite3_close(db);
		return r;
	}
	sqlite3_busy_timeout(db, SCHEMA_BUSY_MS);
	*ret = db;
	return 0;
}

int schema_open(const char *path, sqlite3 **ret, struct fail *f)
{
	_cleanup_close_ int lockfd = -1;
	struct fail moved = { 0 };
	int r, fd, aside = 0;

	r = lock(path, &lockfd, f);
	if (r < 0)
		return r;
	/* made here, 0600 whatever the umask; SQLite gives -wal and -shm the same mode */
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	fd_close(fd);
	r = open_once(path, ret);
	if (r == -EUCLEAN) {
		r = move_aside(path, &moved);
		if (r < 0) {
			if (f)
				*f = moved;
			return r;
		}
		aside = 1;
		fd_close(open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
		r = open_once(path, ret);
	}
	if (r == -EPROTONOSUPPORT) {
		(void)fail_set(f, 0, "the audit database is of a newer version of claude-sandbox, '%s'", path);
		fail_hint(f, "use that version, or move the file away");
		return r;
	}
	if (r < 0)
		return fail_set(f, -r, "cannot open the audit database, '%s'", path);
	if (aside && f)
		*f = moved;
	return aside;
}

static int open_to_read(const char *path, const char *pragmas, sqlite3 **ret)
{
	sqlite3 *db = NULL;
	int version = 0, r;

	/* a reader of a WAL database writes its -shm: read-only opening is for read-only file systems */
	r = schema_errno(sqlite3_open_v2(path, &db,
					 access(path, W_OK) == 0 ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY, NULL));
	if (r == 0) {
		sqlite3_busy_timeout(db, 2000);
		r = schema_exec(db, pragmas);
	}
	if (r == 0)
		r = user_version(db, &version);
	if (r == 0 && version > SCHEMA_VERSION)
		r = -EPROTONOSUPPORT;
	if (r == 0 && version == 0)
		r = -ENOENT; /* being made at this moment */
	if (r < 0) {
		r = errno_of(db, r);
		sqlite3_close(db);
		return r;
	}
	*ret = db;
	return 0;
}

int schema_open_reader(const char *path, sqlite3 **ret, struct fail *f)
{
	int r;

	if (access(path, F_OK) < 0)
		return -errno;
	r = open_to_read(path, "PRAGMA query_only=ON; PRAGMA trusted_schema=OFF;", ret);
	if (r == -ENOSPC || r == -EIO) /* alone, it needs no -shm file */
		r = open_to_read(
			path, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA query_only=ON; PRAGMA trusted_schema=OFF;", ret);
	if (r == -EUCLEAN) {
		(void)fail_set(f, 0, "the audit database is corrupted, '%s'", path);
		fail_hint(f, "the next sandbox moves it aside; what can be saved: sqlite3 '%s' .recover", path);
	} else if (r < 0 && r != -ENOENT) {
		(void)fail_set(f, -r, "cannot open the audit database, '%s'", path);
	}
	return r;
}
