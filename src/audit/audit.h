/* The audit trail: one SQLite database per user (WAL), written by supervisors only. Killed at any moment it opens
 * again clean. All times are milliseconds since the epoch. */
#pragma once

#include <stdint.h>

#include "base/fail.h"

struct audit;

/* Opens (and makes, and migrates) the database of path_xdg(PATH_STATE). A corrupted one is moved aside, never
 * deleted, and a new one begun: positive 1 then, with f telling where it went. Negative errno: no audit. */
int audit_open(struct audit **ret, struct fail *f);
struct audit *audit_close(struct audit *a);
DEFINE_CLEANUP(struct audit, audit_close)

/* A sandbox's start: policy_json is the effective policy. The id is used for all that follows. */
int audit_begin(struct audit *a, const char *name, const char *project, const char *engine, const char *policy_json,
		int64_t *ret_id);
/* kind is of the table in PROTOCOL.control: "exec" "attach" "detach" "guard" "quarantine" "limit" "oom" "gitconfig"
 * "hardlink" "displaced" "signal" "warning"...; subject and detail_json may be NULL. Bounded: over 100 events of a
 * kind in a second are counted in one. */
int audit_event(struct audit *a, int64_t id, const char *kind, const char *subject, const char *detail_json);
int audit_end(struct audit *a, int64_t id, int status, const char *reason);
/* Deletes what is older than so many days (config audit.keep). Called at a sandbox's end. */
int audit_expire(struct audit *a, unsigned days);
