/* Sessions inside: a command with its own session id, on a new pty or on descriptors that came with the request. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/fail.h"
#include "policy/plan.h"
#include "wire/ipc.h"

struct session {
	uint64_t id;
	pid_t pid;  /* the leader; 0: the slot is free */
	int master; /* of its pty, to know its foreground process group; -1: none */
	bool sole;
};

struct sessions {
	struct session *v;
	size_t n;
	int *gates; /* the gates' listeners (guard.absent = strict), one a session, kept while anything of it runs */
	size_t ngates;
};

/* INNER_SPAWN: starts it and answers on sock (INNER_SPAWNED or INNER_SPAWN_FAILED). fds are the message's and are
 * closed. */
void session_spawn(struct sessions *s, const struct plan *p, int sock, const struct ipc_msg *m, int *fds, size_t nfds);
struct session *session_by_pid(struct sessions *s, pid_t pid);
struct session *session_by_id(struct sessions *s, uint64_t id);
/* Frees the slot and says INNER_EXITED. */
void session_ended(struct session *s, int sock, int status);
/* Signals the foreground process group of a pty, else the leader's group. */
void session_kill(const struct session *s, int sig);

/* ps.c: INNER_PS. */
void session_ps(const struct sessions *s, int sock);
