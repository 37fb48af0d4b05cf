/* Pid 1 of the sandbox: sets up what belongs to its namespaces, locks itself down, then starts sessions, reaps, and
 * reports. It dies with the keeper (PDEATHSIG, its end of the link) and with the supervisor (the socket); the kernel then
 * ends everything else in the pid namespace. */
#pragma once

#include "policy/plan.h"

/* The link between launcher and pid 1 (SOCK_SEQPACKET), one byte a message but PID1_GO. */
enum pid1_link {
	PID1_PROC = 'p',   /* to the launcher, with procfs, mounted and restricted; only where the plan has PLAN_PROC */
	PID1_GO = 'g',	   /* to pid 1: the root is ready; its pid as we see it (pid_t) follows, and its pidfd comes along */
	PID1_UP = 'u',	   /* to the launcher: locked down, and the supervisor knows (INNER_READY) */
	PID1_FAILED = 'x', /* to the launcher: the supervisor has been told why */
};

_Noreturn void pid1_main(const struct plan *p, int sock, int link);
