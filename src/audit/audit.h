/* The audit trail: one SQLite database per user (WAL), written by supervisors only. Killed at any moment it opens
 * again clean. All times are milliseconds since the epoch. Nothing here waits long: a database that another
 * supervisor holds, a full disk, a corrupted file cost events, which are counted, never the sandbox's time. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/fail.h"

struct audit;

/* Opens (and makes, and migrates) the database of path_xdg(PATH_STATE). A corrupted one is moved aside, never
 * deleted, and a new one begun: positive 1 then, with f telling where it went. Negative errno: no audit. */
int audit_open(struct audit **ret, struct fail *f);
/* The same for a database at a path; its directory exists. */
int audit_open_at(const char *path, struct audit **ret, struct fail *f);
/* Writes what is still waiting (at most 2 s), and closes. Takes NULL. */
struct audit *audit_close(struct audit *a);
DEFINE_CLEANUP(struct audit, audit_close)

/* Whose sandboxes audit_begin() records: the supervisor, where it is not the calling process (a child of it writes).
 * A record whose supervisor is gone is closed by audit_expire(). */
void audit_for(struct audit *a, pid_t supervisor);

/* A sandbox's start: policy_json is the effective policy (NULL: none). The id is used for all that follows. Also
 * makes the event "start". Negative errno: not recorded. */
int audit_begin(struct audit *a, const char *name, const char *project, const char *engine, const char *policy_json,
		int64_t *ret_id);
/* kind is of the table in PROTOCOL.control: "exec" "attach" "detach" "guard" "quarantine" "limit" "oom" "gitconfig"
 * "hardlink" "displaced" "signal" "warning"...; subject and detail_json may be NULL. Bounded: over 100 events of a
 * kind in a second are counted in one, a sandbox has at most 100,000. An event that finds the database busy waits in
 * memory for the next call. 0, or positive 1 when from now on events are lost: audit_problem() has the sentence for
 * the person. A NULL audit takes everything and keeps nothing. */
int audit_event(struct audit *a, int64_t id, const char *kind, const char *subject, const char *detail_json);
/* status as the shell tells it (0..255), negative where there is none. Also makes the event "stop". */
int audit_end(struct audit *a, int64_t id, int status, const char *reason);
/* Deletes what is older than so many days (config audit.keep; 0: keep all), and closes the records of sandboxes
 * whose supervisor was killed. Called at a sandbox's end. */
int audit_expire(struct audit *a, unsigned days);
/* Tries again to write what waits. 0: nothing waits any more; -EAGAIN. */
int audit_flush(struct audit *a);
/* Why events are being lost, and how many: NULL where none is. Owned by a. */
const char *audit_problem(const struct audit *a);

/* STATE/audit.db; caller frees. Makes the directory (0700) where make is true. */
int audit_path(int make, char **ret);
