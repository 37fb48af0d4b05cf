/* Landlock (landlock(7)): rules on files that a process puts on itself, with the rights the running kernel knows. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The kernel's ABI: 1 and up; 0 where there is none. ABI 6 (Linux 6.12) scopes signals and abstract sockets. */
int landlock_abi(void);

enum landlock_grant {
	LANDLOCK_READ = 1,  /* read files, list directories */
	LANDLOCK_EXEC = 2,
	LANDLOCK_WRITE = 4, /* write, truncate, make and remove everything but device nodes, rename across directories */
	LANDLOCK_IOCTL = 8, /* ioctl on devices */
	LANDLOCK_NAMES = 16, /* make names: files, directories, links; rename across directories */
};

/* A new ruleset that grants nothing: a descriptor, or negative errno (-EOPNOTSUPP: no Landlock). files: file rights
 * are handled (else only scopes and TCP). net: TCP bind and connect are refused too. */
int landlock_ruleset(bool files, bool net);
/* A new ruleset that handles LANDLOCK_NAMES alone and grants nothing; sockets may be made everywhere. */
int landlock_names(void);
/* Grants beneath what the descriptor names (O_PATH does). Rights that don't fit a file are left out. */
int landlock_grant_fd(int ruleset, int fd, unsigned grants);
int landlock_grant_path(int ruleset, const char *path, unsigned grants);
/* Puts it on the calling thread; needs no_new_privs. */
int landlock_enforce(int ruleset);
