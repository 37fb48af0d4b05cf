/* The launcher after its work: outside the pid namespace, with CAP_SYS_ADMIN over the mount namespace alone. It mounts
 * guards again that the host took away (rename(2) over a mount point from another mount namespace detaches the mount,
 * FACTS kernel 3), and its end is everybody's. */
#pragma once

#include "sandbox/apply.h"

struct keeper {
	struct apply *apply;
	int sock, link, pid1; /* pid1: its pidfd */
	int mountinfo;	      /* of this mount namespace, for its changes; -1 where there is nothing to keep */
};

/* True where the plan has something to keep. */
bool keeper_needed(const struct plan *p);
/* Locks itself up and keeps until pid 1 has ended. Returns the exit status. */
int keeper_main(struct keeper *k);
