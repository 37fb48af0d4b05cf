/* What pid 1 puts on itself before anything runs inside, in stages; each child inherits all of it:
 *   1 rlimits are the children's own (session.c)
 *   2 capabilities gone from every set, securebits locked
 *   3 no_new_privs
 *   4 Landlock: everything visible may be read and run, only what the plan makes writable may be written
 *   5 seccomp
 *
 * FACTS kernel 12 put Landlock on each child, pid 1 outside. Here pid 1 is in the domain too: then all sessions share
 * one, so that `exec gdb -p` and abstract sockets work between them, and a new session costs nothing. pid 1 is still
 * out of reach: undumpable (ptrace, /proc/1), init (signals) and named by seccomp (limits, scheduling). */
#pragma once

#include "base/fail.h"
#include "policy/plan.h"

/* Call in the final root, with no capability needed any more. 0, or negative errno with f filled. With
 * guard.absent = strict pid 1 is the gate's server: it goes without stage 5, and lockdown_child() does the rest. */
int lockdown(const struct plan *p, struct fail *f);

/* In a session's child before exec; does nothing unless the plan is strict: the wall (a second Landlock domain without
 * the right to make names), seccomp, and the gate, whose listener goes to pid 1 over sock. 0 or negative errno. */
int lockdown_child(const struct plan *p, int sock);
