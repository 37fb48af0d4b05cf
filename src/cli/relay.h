/* The standard descriptors of a session without terminal. What is a pipe or /dev/null is passed on as it is; anything
 * else would give the sandbox more than its bytes (a file opened for reading can be reopened for writing, a terminal
 * can be typed into, a directory can be walked), so it gets a pipe and the client copies. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/fail.h"
#include "cli/session.h"

#define RELAY_CHUNK 65536U

struct relay_pump {
	int from, to;	/* -1: not pumped, or at its end */
	bool ours_from; /* from is a pipe of ours */
	char *bytes;
	size_t at, len, step;
	int error;	/* why output was lost, errno */
};

struct relay {
	int theirs[3];
	bool close_theirs[3];
	int flags[3]; /* F_GETFL of what is passed on as it is; -1 */
	struct relay_pump pump[3];
};

int relay_check(struct fail *f);		 /* what relay_open would refuse */
int relay_open(struct relay *r, struct fail *f); /* -EISDIR: a directory */
void relay_handed_over(struct relay *r);	 /* closes our copies of their ends */
int relay_run(struct relay *r, const struct session_request *rq, int signals); /* the exit status */
void relay_close(struct relay *r);
