/* Names of sandboxes and the runtime directory that each one has while it runs: RUNTIME/NAME/ (0700) with
 *   lock     held (flock) by the supervisor for as long as the sandbox lives; who gets the lock owns the name
 *   control  the control socket
 *   log      what the supervisor had to say, bounded
 * A directory whose lock nobody holds is what a killed supervisor left: whoever meets it clears it away. */
#pragma once

#include <stdbool.h>

#include "base/fail.h"
#include "base/macro.h"

#define NAME_MAX_LEN 63 /* a host name's label */

/* The project's own name: the slug of its last component, or SLUG-xxxx where another project has that slug. The
 * choice is recorded in DATA/homes/NAME.owner (the project's path) and is the name of its home, too. project: a real
 * path. Caller frees. */
int name_for_project(const char *project, char **ret, struct fail *f);

/* The name that name_for_project() gave before; -ENOENT where it never did. */
int name_known(const char *project, char **ret);

bool name_is_valid(const char *name); /* [A-Za-z0-9][A-Za-z0-9._-]*, at most NAME_MAX_LEN */

/* A name that is ours: locked, with a socket that already listens, so that nobody meets a sandbox half made. */
struct name_claim {
	char *name;
	int root;    /* RUNTIME */
	int dir;     /* RUNTIME/NAME */
	int lock;    /* of a file in it */
	int control; /* SOCK_SEQPACKET, listening, non-blocking */
};

/* base itself, or with next the first free one of base-2, base-3...
 * 0: *ret is claimed; positive 1: base runs already (never with next). -errno: f is filled. */
int name_claim_new(const char *base, bool next, struct name_claim **ret, struct fail *f);
/* Forgets the claim, without removing anything: the other process of a fork still has it. NULL is fine. */
struct name_claim *name_claim_free(struct name_claim *c);
DEFINE_CLEANUP(struct name_claim, name_claim_free)
#define _cleanup_claim_ _cleanup_(name_claim_free_p)
/* Removes the runtime directory while the lock is held. */
void name_claim_remove(const struct name_claim *c);

/* The names that run, sorted; clears stale directories away. No runtime directory: none. */
int name_list(char ***ret, struct fail *f);

/* A connection to a running sandbox. -ESRCH with f filled where none of that name runs. */
int name_connect(const char *name, int *ret_socket, struct fail *f);

/* Waits, at most timeout_ms, until nobody holds the name: its supervisor has gone. 0: it was held and is not any more;
 * positive 1: nobody held it; -ETIMEDOUT. */
int name_await_end(const char *name, unsigned timeout_ms);
