/* The escape attempts of `claude-sandbox selftest`. Each attempt is one function that runs in a child of its own, tries
 * one thing, says what it saw, and returns a verdict. The files beside this one hold one category each. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum verdict {
	CONTAINED = 1,
	ESCAPED,
	SKIPPED, /* what would be attacked is not on this machine */
};

/* What the host side planted (see src/cli/selftest-host.c), from the command line: KEY=VALUE. */
struct probe {
	const char *project;  /* the project: writable, with a repository */
	const char *home;     /* $HOME, inside and outside at the same path; outside it is full of canaries */
	const char *account;  /* the account's real home directory */
	const char *outside;  /* a directory of the host's that is not mounted */
	const char *runtime;  /* its XDG_RUNTIME_DIR */
	const char *socket;   /* a listening socket of the host's, in outside */
	const char *abstract; /* an abstract socket of the host's (without the NUL) */
	const char *shm;      /* a file in the host's /dev/shm */
	const char *token;    /* what no file, environment or argument may show */
	long pid;	      /* of a process of the host's */
	long patience;	      /* how long a guard has to take away what it finds, ms */
	long tcp, udp;	      /* ports where the host listens on 127.0.0.1 */
	const char *machine;  /* the host's machine-id; NULL: it has none */
	long shmkey;	      /* a System V shared memory segment of the host's */
};
extern struct probe probe;

struct attempt {
	const char *name;
	const char *tried;
	enum verdict (*run)(const struct attempt *a);
	const char *path;
	long nr, args[6];
	const char *expected; /* NULL: "refused" */
};

struct category {
	const char *name;
	const struct attempt *attempts; /* ends with a NULL name */
};
extern const struct category identity_category, files_category, guard_category, process_category, syscall_category,
	terminal_category, network_category, ipc_category, limits_category;

/* Sets what this attempt saw. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* r as a system call returns it: any failure is containment; says the error's name. */
enum verdict refused(long r);
/* As refused(), but the failure must be a refusal (EPERM, EACCES, ENOSYS, EROFS): another error means that the kernel
 * looked at the arguments. */
enum verdict denied(long r);

/* Attempts that only need a path. */
enum verdict try_read(const struct attempt *a);	   /* an empty file is a mask */
enum verdict try_write(const struct attempt *a);   /* opens for writing, writes nothing */
enum verdict try_create(const struct attempt *a);  /* a new file "cs-probe" in the directory */
enum verdict try_list(const struct attempt *a);	   /* an empty directory is a mask */
enum verdict try_connect(const struct attempt *a); /* a socket in the file system */
enum verdict try_syscall(const struct attempt *a); /* a->nr with a->args; denied() */

/* Whether the file's first bytes hold the token; -1 where it cannot be read. */
int holds_token(const char *path);
bool bytes_hold_token(const char *bytes, size_t n);
