/* Seccomp filters, compiled at build time (seccomp-gen.c, seccomp-list.h), put on the calling thread (seccomp(2)). */
#pragma once

#include <stdbool.h>

enum seccomp_list {
	SECCOMP_PARSER,	 /* reads and writes open descriptors, allocates, exits */
	SECCOMP_READER,	 /* and opens files to read them */
	SECCOMP_WATCHER, /* cs-guard: inotify, renames, sockets */
	SECCOMP_KEEPER,	 /* cs-enter outside: mounts guards again */
};

/* The filter of a sandboxed process; relax: bits of enum plan_relax. log: the kernel notes what is refused in its
 * audit log. Needs no_new_privs (or CAP_SYS_ADMIN). 0 or negative errno. */
int seccomp_sandbox(unsigned relax, bool log);
/* A helper's own list; anything else kills the process. */
int seccomp_helper(enum seccomp_list list);
