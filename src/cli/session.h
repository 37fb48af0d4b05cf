/* A client's share of a session, from the first message to the exit status. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/fail.h"

struct session_request {
	int socket;	      /* of the sandbox, nothing sent on it; closed by the call */
	const char *name;     /* of the sandbox, for messages */
	const char *net;      /* "none": said at the start; NULL: not said */
	unsigned kind;	      /* 0 main, 1 shell, 2 exec (SPAWN) */
	char *const *argv;    /* NULL: the sandbox's own */
	char *const *env;     /* over the sandbox's own, NAME=VALUE */
	const char *cwd;      /* inside; NULL: the sandbox's own */
	bool tty;
	bool detach;	      /* start it and leave */
	bool attach;	      /* to session id (0: the first), instead of starting one */
	uint64_t id;
	bool readonly;
	bool quiet;
	const char *detach_keys;
};

/* Runs it to its end (or detachment) and returns the exit status; prints its own errors. */
int session_run(const struct session_request *rq);
