/* The audit database: what is written is read; kills, corruption, a full disk and other writers cost at most events. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "audit/audit.h"
#include "audit/query.h"
#include "base/fd.h"
#include "base/path.h"

static char dir[64], path[96];

static int setup(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/cs-audit-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/audit.db", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return path_remove_tree(AT_FDCWD, dir);
}

static int64_t number(const char *sql)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *s = NULL;
	int64_t v = -1;

	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
	if (sqlite3_step(s) == SQLITE_ROW)
		v = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	sqlite3_close(db);
	return v;
}

static int collect(const struct audit_row *row, void *data)
{
	char *out = data;
	size_t n = strlen(out);

	(void)snprintf(out + n, 4096 - n, "%s:%s:%s:%s:%d;", row->name, row->kind, row->subject ? row->subject : "-",
		       row->detail ? row->detail : "-", (int)row->count);
	return 0;
}

static void test_roundtrip(void **state)
{
	struct audit *a = NULL;
	struct audit_reader *r = NULL;
	struct audit_filter filter = { .name = "one" };
	_cleanup_free_ char *policy = NULL;
	char out[4096] = "";
	int64_t id = 0, other = 0, n, m, oldest;
	struct stat st;

	(void)state;
	assert_int_equal(audit_reader_open_at(path, &r, NULL), -ENOENT);
	assert_int_equal(audit_open_at(path, &a, NULL), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(audit_begin(a, "one", "/p/one", "native", "{}", &id), 0);
	assert_int_equal(audit_begin(a, "two", "/p/two", "native", NULL, &other), 0);
	assert_int_equal(number("SELECT count(*) FROM policies"), 1);
	assert_int_equal(audit_event(a, id, "guard", ".envrc", "{\"k\":1}"), 0);
	assert_int_equal(audit_event(a, other, "exec", NULL, NULL), 0);
	assert_int_equal(audit_event(NULL, id, "exec", NULL, NULL), 0);
	assert_int_equal(audit_end(a, id, 3, "ended"), 0);

	assert_int_equal(audit_reader_open_at(path, &r, NULL), 0);
	assert_int_equal(audit_query(r, &filter, collect, out, NULL), 0);
	assert_string_equal(out, "one:start:/p/one:-:1;one:guard:.envrc:{\"k\":1}:1;one:stop:ended:{\"status\":3}:1;");
	out[0] = 0;
	filter = (struct audit_filter){ .kind = "exec" };
	assert_int_equal(audit_query(r, &filter, collect, out, NULL), 0);
	assert_string_equal(out, "two:exec:-:-:1;");
	assert_int_equal(audit_policy(r, &(struct audit_filter){ .name = "one" }, &policy, NULL), 0);
	assert_string_equal(policy, "{}");
	assert_int_equal(audit_policy(r, &(struct audit_filter){ .name = "two" }, &policy, NULL), -ENOENT);
	assert_int_equal(audit_count(r, &n, &m, &oldest), 0);
	assert_int_equal(n, 2);
	assert_int_equal(m, 5);
	audit_reader_close(r);
	audit_close(a);
	assert_int_equal(number("SELECT status FROM sandboxes WHERE name='one'"), 3);
}

static void test_flood(void **state)
{
	struct audit *a = NULL;
	int64_t id = 0;
	char longone[20000];

	(void)state;
	memset(longone, 'x', sizeof(longone));
	longone[sizeof(longone) - 1] = 0;
	assert_int_equal(audit_open_at(path, &a, NULL), 0);
	assert_int_equal(audit_begin(a, "one", "/p", "native", NULL, &id), 0);
	for (int i = 0; i < 5000; i++)
		assert_int_equal(audit_event(a, id, "guard", "x", NULL), 0);
	assert_int_equal(audit_event(a, id, "exec", longone, longone), 0);
	assert_int_equal(audit_end(a, id, 0, NULL), 0);
	audit_close(a);
	/* the flood takes a second or two at most, and none is lost from the count */
	assert_true(number("SELECT count(*) FROM events WHERE kind='guard'") <= 404);
	assert_int_equal(number("SELECT sum(count) FROM events WHERE kind='guard'"), 5000);
	assert_int_equal(number("SELECT length(subject) FROM events WHERE kind='exec'"), 4096);
	assert_int_equal(number("SELECT length(detail) < 40 FROM events WHERE kind='exec'"), 1);
}

static void write_bytes(const char *name, off_t at, size_t n)
{
	_cleanup_close_ int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	char junk[4096];

	memset(junk, 0xa5, sizeof(junk));
	assert_true(fd >= 0);
	for (; n; n -= n < sizeof(junk) ? n : sizeof(junk), at += (off_t)sizeof(junk))
		assert_true(pwrite(fd, junk, n < sizeof(junk) ? n : sizeof(junk), at) > 0);
}

static int count_aside(void)
{
	DIR *d = opendir(dir);
	int n = 0;

	assert_non_null(d);
	for (const struct dirent *e; (e = readdir(d));)
		n += strncmp(e->d_name, "audit.db.corrupt-", 17) == 0 && !strstr(e->d_name, "-wal");
	closedir(d);
	return n;
}

static void test_corrupted(void **state)
{
	struct audit *a = NULL;
	struct audit_reader *r = NULL;
	struct fail f = { 0 };
	int64_t id = 0;

	(void)state;
	write_bytes(path, 0, 9000); /* no database at all */
	assert_int_equal(audit_reader_open_at(path, &r, &f), -EUCLEAN);
	assert_non_null(strstr(f.msg, "corrupted"));
	assert_int_equal(audit_open_at(path, &a, &f), 1);
	assert_non_null(strstr(f.msg, "moved to"));
	assert_int_equal(audit_begin(a, "one", "/p", "native", NULL, &id), 0);
	for (int i = 0; i < 90; i++)
		assert_int_equal(audit_event(a, id, "exec", "a subject of some length to fill pages", NULL), 0);
	audit_close(a);
	assert_int_equal(count_aside(), 1);

	write_bytes(path, 4096, 60000); /* a database with its pages overwritten */
	assert_int_equal(audit_open_at(path, &a, &f), 1);
	assert_int_equal(audit_begin(a, "one", "/p", "native", NULL, &id), 0);
	audit_close(a);
	assert_int_equal(number("SELECT count(*) FROM sandboxes"), 1);
	assert_int_equal(count_aside(), 2);
}

/* A supervisor that is killed while it writes: what was there before is there, and the file is sound. */
static void test_killed(void **state)
{
	unsigned seed = 7;

	(void)state;
	for (int round = 0; round < 40; round++) {
		struct timespec ts = { .tv_nsec = 500000 + (long)(rand_r(&seed) % 12000000) };
		struct audit *a = NULL;
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			int64_t id = 0;

			if (audit_open_at(path, &a, NULL) < 0 || audit_begin(a, "k", "/p", "native", "{}", &id) < 0)
				_exit(1);
			for (int i = 0;; i++) {
				char kind[8];

				(void)snprintf(kind, sizeof(kind), "k%d", i / 90 % 30);
				(void)audit_event(a, id, kind, "subject", "{}");
			}
		}
		nanosleep(&ts, NULL);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		assert_int_equal(audit_open_at(path, &a, NULL), 0);
		if (round % 10 == 9) {
			assert_int_equal(audit_expire(a, 90), 0);
			assert_int_equal(number("SELECT count(*) FROM sandboxes WHERE ended IS NULL"), 0);
		}
		audit_close(a);
	}
	assert_int_equal(number("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check='ok'"), 1);
	assert_true(number("SELECT count(*) FROM sandboxes") > 0);
}

static void test_many_at_once(void **state)
{
	pid_t pids[16];
	int status;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0) {
			struct audit *a = NULL;
			int64_t id = 0;

			if (audit_open_at(path, &a, NULL) != 0 || audit_begin(a, "m", "/p", "native", "{}", &id) < 0)
				_exit(1);
			for (int k = 0; k < 50; k++)
				(void)audit_event(a, id, "exec", NULL, NULL);
			if (audit_end(a, id, 0, NULL) < 0 || audit_problem(a))
				_exit(2);
			audit_close(a);
			_exit(0);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(number("SELECT count(*) FROM events WHERE kind='exec'"), 16 * 50);
}

static void test_busy(void **state)
{
	struct audit *a = NULL;
	struct timespec before, after;
	sqlite3 *db = NULL;
	int64_t id = 0;

	(void)state;
	assert_int_equal(audit_open_at(path, &a, NULL), 0);
	assert_int_equal(audit_begin(a, "one", "/p", "native", NULL, &id), 0);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	clock_gettime(CLOCK_MONOTONIC, &before);
	assert_int_equal(audit_event(a, id, "exec", "1", NULL), 0);
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_true((after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000 < 1000);
	assert_int_equal(audit_flush(a), -EAGAIN);
	assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(audit_flush(a), 0);
	sqlite3_close(db);
	audit_close(a);
	assert_int_equal(number("SELECT count(*) FROM events WHERE kind='exec'"), 1);
}

static void test_newer(void **state)
{
	struct audit *a = NULL;
	struct fail f = { 0 };

	(void)state;
	assert_int_equal(audit_open_at(path, &a, NULL), 0);
	audit_close(a);
	(void)number("PRAGMA user_version=99");
	assert_int_equal(audit_open_at(path, &a, &f), -EPROTONOSUPPORT);
	assert_non_null(strstr(f.msg, "newer"));
}

static void test_expire(void **state)
{
	struct audit *a = NULL;
	int64_t id = 0;

	(void)state;
	assert_int_equal(audit_open_at(path, &a, NULL), 0);
	assert_int_equal(audit_begin(a, "old", "/p", "native", "{\"old\":1}", &id), 0);
	assert_int_equal(audit_end(a, id, 0, NULL), 0);
	assert_int_equal(audit_begin(a, "new", "/p", "native", "{}", &id), 0);
	assert_int_equal(audit_begin(a, "new", "/p", "native", "{}", &id), 0);
	assert_int_equal(number("SELECT count(*) FROM policies"), 2);
	(void)number("UPDATE sandboxes SET ended=1000 WHERE name='old'");
	(void)number("UPDATE events SET at=1000 WHERE sandbox=1");
	assert_int_equal(audit_expire(a, 0), 0);
	assert_int_equal(number("SELECT count(*) FROM sandboxes"), 3);
	assert_int_equal(audit_expire(a, 90), 0);
	assert_int_equal(number("SELECT count(*) FROM sandboxes"), 2);
	assert_int_equal(number("SELECT count(*) FROM events"), 2);
	assert_int_equal(number("SELECT count(*) FROM policies"), 1);
	/* ours is not dead: its supervisor is this process; one that a child wrote for it is its own */
	assert_int_equal(number("SELECT count(*) FROM sandboxes WHERE ended IS NULL"), 2);
	audit_close(a);
}

static int map_self(uid_t uid, gid_t gid)
{
	static const char *const files[] = { "/proc/self/setgroups", "/proc/self/uid_map", "/proc/self/gid_map" };
	char text[3][32] = { "deny" };

	(void)snprintf(text[1], sizeof(text[1]), "%u %u 1", (unsigned)uid, (unsigned)uid);
	(void)snprintf(text[2], sizeof(text[2]), "%u %u 1", (unsigned)gid, (unsigned)gid);
	for (size_t i = 0; i < 3; i++) {
		_cleanup_close_ int fd = open(files[i], O_WRONLY | O_CLOEXEC);

		if (fd < 0 || write(fd, text[i], strlen(text[i])) < 0)
			return -1;
	}
	return 0;
}

/* In a mount namespace of its own, a file system of 512 KiB. Exit status 77: no such namespace here. */
static int full_disk_child(void)
{
	struct audit *a = NULL;
	struct audit_reader *r = NULL;
	int64_t id = 0, n, m, oldest;
	char kind[16], filler[128];
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int told = 0, fd;

	(void)snprintf(filler, sizeof(filler), "%s/filler", dir);
	if (unshare(uid == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) < 0 || (uid != 0 && map_self(uid, gid) < 0) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || mount("none", dir, "tmpfs", 0, "size=512k") < 0)
		return 77;
	if (audit_open_at(path, &a, NULL) < 0 || audit_begin(a, "full", "/p", "native", "{}", &id) < 0)
		return 2;
	fd = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	for (char block[512] = { 0 }; write(fd, block, sizeof(block)) > 0;)
		;
	for (int i = 0; i < 2000; i++) {
		(void)snprintf(kind, sizeof(kind), "k%d", i / 90);
		told += audit_event(a, id, kind, "a subject that takes some room", "{\"detail\":\"and more\"}") > 0;
	}
	if (told != 1 || !audit_problem(a) || !strstr(audit_problem(a), "No space left"))
		return 3;
	/* what is recorded can be read all the same, also when nobody else has it open */
	if (audit_reader_open_at(path, &r, NULL) < 0 || audit_count(r, &n, &m, &oldest) < 0 || n != 1)
		return 6;
	audit_reader_close(r);
	if (ftruncate(fd, 0) < 0 || audit_event(a, id, "after", NULL, NULL) != 0 || audit_problem(a))
		return 4;
	audit_close(a);
	if (number("SELECT sum(count) FROM events WHERE kind LIKE 'k%' OR kind='lost'") != 2000)
		return 5;
	for (char block[512] = { 0 }; write(fd, block, sizeof(block)) > 0;)
		;
	if (audit_reader_open_at(path, &r, NULL) < 0 || audit_count(r, &n, &m, &oldest) < 0 || n != 1)
		return 7;
	audit_reader_close(r);
	return 0;
}

static void test_full_disk(void **state)
{
	pid_t pid = fork();
	int status = 0;

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(full_disk_child());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int first(const struct audit_row *row, void *data)
{
	*(int64_t *)data = row->id;
	return strcmp(row->kind, "exec") == 0 ? 1 : 0;
}

/* The follower sleeps, and sees an event of another process soon after it was written. */
static void test_follow(void **state)
{
	struct audit *a = NULL;
	struct audit_reader *r = NULL;
	struct audit_filter filter = { 0 };
	int64_t id = 0;
	int fd, k = 0;
	pid_t pid;

	(void)state;
	assert_int_equal(audit_open_at(path, &a, NULL), 0);
	assert_int_equal(audit_begin(a, "one", "/p", "native", NULL, &id), 0);
	fd = audit_watch_new_at(path);
	assert_true(fd >= 0);
	assert_int_equal(audit_reader_open_at(path, &r, NULL), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct timespec ts = { .tv_nsec = 200000000 };
		struct audit *b = NULL;

		nanosleep(&ts, NULL);
		if (audit_open_at(path, &b, NULL) < 0 || audit_event(b, id, "exec", "late", NULL) < 0)
			_exit(1);
		audit_close(b);
		_exit(0);
	}
	alarm(10);
	for (int i = 0; i < 20 && k == 0; i++) {
		assert_int_equal(audit_watch_wait(fd), 0);
		k = audit_query(r, &filter, first, &filter.after, NULL);
	}
	alarm(0);
	assert_int_equal(k, 1);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	fd_close(fd);
	audit_reader_close(r);
	audit_close(a);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_roundtrip), T(test_flood), T(test_corrupted), T(test_killed),	T(test_many_at_once),
		T(test_busy),	   T(test_newer), T(test_expire),    T(test_full_disk), T(test_follow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
