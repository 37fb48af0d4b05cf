/* Reading the audit database: `log` and `df`. Readers never write, and wait for no writer (WAL). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/fail.h"

struct audit_reader;

/* -ENOENT where nothing has been recorded yet. */
int audit_reader_open(struct audit_reader **ret, struct fail *f);
int audit_reader_open_at(const char *path, struct audit_reader **ret, struct fail *f);
struct audit_reader *audit_reader_close(struct audit_reader *r);
DEFINE_CLEANUP(struct audit_reader, audit_reader_close)

struct audit_filter {
	const char *name;    /* of the sandbox; NULL: all */
	const char *project; /* NULL: all */
	const char *kind;    /* NULL: all */
	int64_t since;	     /* milliseconds since the epoch; 0: all */
	int64_t after;	     /* events with a higher id only */
	bool last;	     /* only the latest sandbox that fits */
};

struct audit_row {
	int64_t id, sandbox, at, count;
	const char *name, *project, *kind; /* never NULL; all strings are good until the function returns */
	const char *subject, *detail;	   /* may be NULL; detail is JSON */
};

/* Calls each(row, data) for every event that fits, oldest first, until it returns not 0, which is returned. Negative
 * errno on error. */
int audit_query(struct audit_reader *r, const struct audit_filter *filter,
		int (*each)(const struct audit_row *row, void *data), void *data, struct fail *f);

/* The effective policy (JSON) of the latest sandbox that fits name and project. Caller frees. -ENOENT: none is
 * recorded. */
int audit_policy(struct audit_reader *r, const struct audit_filter *filter, char **ret, struct fail *f);

/* How many sandboxes and events are recorded, and the oldest one's time (0: none). */
int audit_count(struct audit_reader *r, int64_t *ret_sandboxes, int64_t *ret_events, int64_t *ret_oldest);

/* Sleeps until the database may have changed: inotify on its directory, no polling. fd is the inotify descriptor from
 * audit_watch_new (caller closes). audit_watch_wait returns 0, or negative errno (-EINTR on a signal). */
int audit_watch_new(void);
int audit_watch_new_at(const char *path);
int audit_watch_wait(int fd);
