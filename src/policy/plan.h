/* The plan: everything a sandbox will be, as data. The engine composes it, --dry-run prints it, cs-enter applies it
 * in order and adds nothing of its own. All strings are owned by the plan. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/fail.h"

enum plan_kind {
	PLAN_DIR,	/* a directory dst of mode, parents 0755 */
	PLAN_TMPFS,	/* a new tmpfs on dst (made if absent): mode, size */
	PLAN_BIND,	/* src of the host on dst (made if absent, of src's type), with flags */
	PLAN_SYMLINK,	/* a symbolic link dst whose text is src */
	PLAN_FILE,	/* a file dst with data, mode */
	PLAN_PROC,	/* a fresh procfs on dst, its dangerous parts read-only or masked */
	PLAN_DEV,	/* a minimal /dev on dst: null zero full random urandom tty, fd links, own devpts, shm of size */
	PLAN_MASK,	/* dst, where present, is covered by an empty read-only file or directory */
	PLAN_GUARD,	/* dst, where present, bound onto itself: read-only, or (PLAN_PIN) writable but not to be moved */
	PLAN_GITCONFIG, /* dst, where present, covered by a symbolic link whose text is src (a path inside) */
	PLAN_ABSENT,	/* dst must not come into being (guard.absent = strict): sandbox/gate.h refuses it */
	PLAN_SEAL,	/* the tmpfs mounted at dst becomes read-only; later operations cannot make names in it */
};

enum plan_flag {
	PLAN_WRITE = 1 << 0,	/* bind: writable; without it read-only, submounts too */
	PLAN_OPTIONAL = 1 << 1, /* an absent src is passed over */
	PLAN_IDMAP = 1 << 2,	/* bind: idmapped when the plan has map_id (root as caller) */
	PLAN_NOEXEC = 1 << 3,
	PLAN_DEVICE = 1 << 4,	/* bind of a device node: no nodev */
	PLAN_PIN = 1 << 5,	/* guard: only against renaming and removal */
	PLAN_KEEP = 1 << 6,	/* guard, gitconfig: the keeper mounts it again when the host replaces it */
	PLAN_HOSTILE = 1 << 7,	/* dst's parents were writable inside earlier (the home, the project): resolved beneath
				 * their mount without links; what stands in the way is renamed aside and reported */
	PLAN_FLAT = 1 << 8,	/* bind: without the submounts of src */
	PLAN_NOFOLLOW = 1 << 9, /* bind: no component of src may be a symbolic link */
};

struct plan_op {
	enum plan_kind kind;
	unsigned flags;
	mode_t mode;
	uint64_t size; /* bytes, 0: no limit */
	char *src, *dst;
	char *data;
	size_t len;
	char *why; /* for the reader of --dry-run: "project", "toolchain nvm", "guard: git hooks" */
};

enum plan_net { PLAN_NET_NONE, PLAN_NET_HOST, PLAN_NET_FILTERED };

enum plan_relax { PLAN_RELAX_USERNS = 1, PLAN_RELAX_IOURING = 2, PLAN_RELAX_PTRACE = 4, PLAN_RELAX_PERF = 8, PLAN_RELAX_KEYCTL = 16 };

#define PLAN_RLIMIT_UNSET UINT64_MAX

struct plan {
	struct plan_op *ops;
	size_t nops, cap;
	bool borrowed; /* strings and data lie in the bytes it was decoded from */

	char *name;	/* of the sandbox; hostname too */
	char *project;	/* where it is inside (and outside) */
	char *home;	/* $HOME inside */
	char *cwd;
	char **argv;	/* the default command: a login shell */
	char **env;	/* the whole environment */

	uid_t uid;	/* inside; never 0 */
	gid_t gid;
	uid_t host_uid; /* the host id that appears as uid: the caller's own, or an unused one (map_id) */
	gid_t host_gid;
	bool map_id;	/* root as caller: host_uid is not the caller; binds with PLAN_IDMAP map caller 0 to it */

	enum plan_net net;
	unsigned relax; /* enum plan_relax */
	bool no_landlock;	    /* only where the kernel has none and the user said so */
	bool seccomp_log;	    /* refused system calls go to the kernel's audit log */
	bool strict_absent;	    /* guard.absent = strict */
	uint64_t rlimit_nproc, rlimit_nofile, rlimit_core, rlimit_fsize, rlimit_as; /* PLAN_RLIMIT_UNSET: untouched */
};

struct plan *plan_new(void);
struct plan *plan_free(struct plan *p);
DEFINE_CLEANUP(struct plan, plan_free)
#define _cleanup_plan_ _cleanup_(plan_free_p)

/* Appends an operation; src, data and why may be NULL. The pointer stays good until the next append; NULL: out of
 * memory. */
struct plan_op *plan_add(struct plan *p, enum plan_kind kind, unsigned flags, const char *src, const char *dst,
			 const char *why);
struct plan_op *plan_add_file(struct plan *p, const char *dst, mode_t mode, const void *data, size_t len, const char *why);

/* The bytes that cs-enter reads. plan_decode checks everything it reads: -EBADMSG. */
int plan_encode(const struct plan *p, struct buf *b);
int plan_decode(const void *bytes, size_t n, struct plan **ret);
/* The same without copying: the bytes must outlive the plan, and nothing may be added to it. */
int plan_decode_borrow(const void *bytes, size_t n, struct plan **ret);
#define PLAN_MAX (16U << 20)

const char *plan_kind_name(enum plan_kind k);
