/* The gate of `guard.absent = strict`: names are made inside only by pid 1, which refuses the guarded ones.
 *
 * Two halves. The *wall*: a session's Landlock domain has no right to make names (LANDLOCK_ACCESS_FS_MAKE_*, REFER)
 * but in places that hold nothing guarded. The *gate*: a seccomp filter hands every call that could make a name to
 * pid 1 (seccomp_unotify(2)), which stands outside the domain, makes the name itself and gives back the descriptor
 * or the result. A call that pid 1 cannot judge goes on to the kernel and meets the wall: the gate can only ever
 * allow too little. */
#pragma once

#include <stdbool.h>

/* In a session's child, after the main filter's no_new_privs and before exec: installs the gate's filter and sends
 * its listener over sock. 0 or negative errno. */
int gate_install(int sock);

/* In pid 1: takes the listener that gate_install() sent. The descriptor, or negative errno. */
int gate_receive(int sock);

/* In pid 1, when the listener is readable: serves one call. absent: absolute names that must not come into being,
 * as seen inside. 0, -ENOENT (no call waits, the caller died: go on), or another negative errno: close the listener. */
int gate_serve(int listener, char *const *absent);

/* True where making path would make a guarded name: path is one of absent or, where whole (a rename, a link: what
 * comes has contents), an ancestor of one. */
bool gate_refuses(char *const *absent, const char *path, bool whole);
