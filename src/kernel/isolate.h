/* A helper locks itself up before its first hostile byte, in stages: limits, no_new_privs, Landlock, seccomp. There is
 * no way back. Whatever stage fails, the caller must not go on. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/fail.h"
#include "kernel/seccomp.h"

struct isolate {
	enum seccomp_list list;
	const char *const *read;  /* paths that stay readable, beneath too; NULL: none */
	const char *const *write; /* paths that stay readable and writable; NULL: none */
	uint64_t memory; /* RLIMIT_AS, 0: untouched */
	uint64_t files;	 /* RLIMIT_NOFILE, 0: untouched */
};

/* 0, or negative errno with f filled. A kernel without Landlock: the stage is passed over (the list of a parser has no
 * call that opens anything; the others are told nothing). No new processes, no core dump. */
int isolate(const struct isolate *i, struct fail *f);

/* For a forked child that will exec a program of the host (tar) on hostile bytes: no_new_privs, and Landlock that leaves
 * the system's programs and libraries, and dir (NULL: nothing else; writable where write). No TCP. 0 or negative
 * errno, -EOPNOTSUPP where the kernel has no Landlock: then _exit, the program must not run. */
int isolate_program(const char *dir, bool write);

/* For a forked child that reads hostile bytes: from here on it can only read and write the descriptors it has open,
 * allocate (256 MiB at most) and exit. Open everything before; answer through a pipe. 0 or negative errno: then
 * _exit. */
int isolate_parser(void);
