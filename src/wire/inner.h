/* The messages between the supervisor and cs-enter (launcher and keeper, then pid 1), over one SOCK_SEQPACKET
 * pair that cs-enter inherits as descriptor 4; descriptor 3 is the sealed memfd with the plan. Form: wire/ipc.h.
 * Both ends are of one build: this protocol has no versions. */
#pragma once

enum inner_type {
	/* cs-enter to supervisor */
	INNER_WANT_MAP = 1, /* PID (ours): write uid_map and gid_map of the new user namespace (root as caller) */
	INNER_READY,	    /* pid 1 stands, mounts are done; PID = pid 1 as the supervisor sees it; fd 0: its pidfd */
	INNER_FAILED,	    /* MSG, HINT: nothing was started; cs-enter exits */
	INNER_SPAWNED,	    /* ID, PID (inside); with TTY: fd 0 is the pty's master */
	INNER_SPAWN_FAILED, /* ID, ERRNO, MSG; ERRNO ENOENT is status 127, EACCES and ENOEXEC 126, others 125 */
	INNER_EXITED,	    /* ID, STATUS (as wait(2) gives it) */
	INNER_EVENT,	    /* KIND, PATH, MSG: for the audit (a guard mounted again, a displaced mount point...) */
	INNER_PROCS,	    /* answer to INNER_PS: PROC lines "pid\tppid\tstate\trss-kB\tcpu-ms\tsession\tcommand" */

	/* supervisor to cs-enter */
	INNER_MAPPED = 64, /* the maps are written; the first message where INNER_WANT_MAP was asked */
	INNER_SPAWN,	   /* (may be sent ahead of INNER_READY, after INNER_MAPPED) ID; flag TTY with ROWS, COLS; fd 0: memfd (ARG.., ENV.., CWD), then without TTY the
			    * three stdio descriptors. Absent ARG, ENV, CWD: the plan's. SOLE (a -T run of its own
			    * sandbox): when its leader ends, pid 1 kills and reaps everything else, then sends
			    * INNER_EXITED, then ends: the end of the socket follows */
	INNER_KILL,	   /* ID, SIGNAL: to the session's foreground process group (TTY) or its process group */
	INNER_PS,
	INNER_SHUTDOWN, /* GRACE (ms): TERM to all, KILL after it, then pid 1 exits */
};

enum inner_tag {
	INNER_ID = 1,
	INNER_PID,
	INNER_MSG,
	INNER_HINT,
	INNER_ERRNO,
	INNER_STATUS,
	INNER_TTY,
	INNER_ROWS,
	INNER_COLS,
	INNER_ARG,
	INNER_ENV,
	INNER_CWD,
	INNER_SIGNAL,
	INNER_GRACE,
	INNER_KIND,
	INNER_PATH,
	INNER_PROC,
	INNER_SOLE,
};
