/* The supervisor: the process that owns a sandbox. It is forked from the client that starts it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/fail.h"
#include "policy/plan.h"
#include "supervisor/name.h"

/* Everything a supervisor is told. Strings and vectors belong to the caller, who may free them after the fork. */
struct supervisor_spec {
	struct name_claim *claim;
	struct plan *plan;
	const char *project;
	const char *copy;	     /* what is mounted in its stead, on the host: watched, and named at the end; or NULL */
	const char *home_name;	     /* the sandbox's home, by name */
	const char *guard_helper;    /* path of cs-guard; NULL: nothing is watched */
	char *const *guard_watch;    /* what guard_plan() said must be watched */
	const char *git_private;     /* private copies of git's configs, settled at the end; NULL: none */
	const char *quarantine;	     /* where quarantined names go */
	bool git_apply;		     /* their harmless changes are taken over */
	bool lasting;		     /* false: its private copies go with it */
	const char *receipt_file;    /* absolute; written before the last client hears the end; NULL: none */
	uint64_t memory, pids;	     /* limits, 0: none */
	uint64_t cpus_milli;	     /* thousandths of a CPU, 0: none */
	uint64_t timeout_ms;	     /* 0: none */
	uint64_t idle_stop_ms;	     /* 0: never */
	uint64_t stop_grace_ms;
	unsigned audit_keep_days;
};

/* Forks the supervisor and gives back the first client's socket (wire/control.h), with nothing sent on it. The
 * claim is the supervisor's from then on; what is left to the caller is name_claim_free(). */
int supervisor_fork(const struct supervisor_spec *spec, int *ret_socket, struct fail *f);
