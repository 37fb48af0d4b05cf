/* What an engine is to the supervisor: something that starts a sandbox and answers the messages of wire/inner.h. */
#pragma once

#include <sys/types.h>

#include "base/fail.h"
#include "policy/plan.h"

struct engine_instance {
	pid_t launcher;	  /* our child: waitpid it; its end is the sandbox's end */
	int launcher_fd;  /* its pidfd */
	int socket;	  /* SOCK_SEQPACKET, wire/inner.h */
};

/* Starts cs-enter with the plan and returns at once; INNER_READY or INNER_FAILED follows on the socket (after
 * INNER_WANT_MAP, which the supervisor answers by engine_write_maps). 0 or negative errno with f filled. */
int engine_native_start(const struct plan *p, struct engine_instance *ret, struct fail *f);
int engine_write_maps(const struct plan *p, pid_t pid, struct fail *f);
