/* The lock-up of this room's two hostile readers, the survey's child and the watcher: Landlock and a hand-made filter of
 * the system calls they use (a static program must not carry libseccomp's generator). */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "guard/private.h"

#if defined(__x86_64__)
#define LOCK_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define LOCK_ARCH AUDIT_ARCH_AARCH64
#else
#error "no filter for this architecture"
#endif

static const int calls_read[] = {
	SYS_read, SYS_pread64, SYS_write, SYS_openat, SYS_close, SYS_fstat, SYS_newfstatat, SYS_statx, SYS_readlinkat,
	SYS_getdents64, SYS_lseek, SYS_fcntl, SYS_brk, SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise,
	SYS_clock_gettime, SYS_clock_nanosleep, SYS_exit, SYS_exit_group, SYS_rt_sigreturn, SYS_rt_sigaction,
	SYS_rt_sigprocmask, SYS_sigaltstack, SYS_futex, SYS_getpid, SYS_gettid, SYS_geteuid, SYS_getrandom, SYS_restart_syscall,
};

static const int calls_watch[] = {
	SYS_inotify_add_watch, SYS_inotify_rm_watch, SYS_renameat2, SYS_unlinkat, SYS_mkdirat, SYS_symlinkat, SYS_ppoll,
	SYS_sendmsg, SYS_sendto, SYS_fchmod, SYS_fchmodat, SYS_ftruncate, SYS_dup,
#ifdef SYS_poll
	SYS_poll,
#endif
#ifdef SYS_unlink
	SYS_unlink, SYS_rename, SYS_readlink,
#endif
#ifdef SYS_renameat
	SYS_renameat,
#endif
};

static size_t put_calls(struct sock_filter *prog, size_t n, const int *calls, size_t ncalls)
{
	for (size_t i = 0; i < ncalls; i++) {
		prog[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i], 0, 1);
		prog[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	return n;
}

static int lock_calls(bool watcher)
{
	struct sock_filter prog[6 + 2 * (ARRAY_SIZE(calls_read) + ARRAY_SIZE(calls_watch))] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, LOCK_ARCH, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	};
	struct sock_fprog fprog = { .filter = prog };
	size_t n = 4;

	n = put_calls(prog, n, calls_read, ARRAY_SIZE(calls_read));
	if (watcher)
		n = put_calls(prog, n, calls_watch, ARRAY_SIZE(calls_watch));
	prog[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	fprog.len = (unsigned short)n;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &fprog) < 0 ? -errno : 0;
}

static int add_rule(int ruleset, const char *path, uint64_t rights)
{
	_cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr attr = { .allowed_access = rights, .parent_fd = fd };

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &attr, 0) < 0 ? -errno : 0;
}

static int lock_files(char *const *readable, char *const *writable)
{
	const uint64_t reading = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
	struct landlock_ruleset_attr attr = { .handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1 };
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	_cleanup_close_ int ruleset = -1;
	uint64_t all;
	int r = 0;

	if (abi < 0)
		return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : -errno;
	if (abi >= 2)
		attr.handled_access_fs |= 1ULL << 13; /* REFER */
	if (abi >= 3)
		attr.handled_access_fs |= 1ULL << 14; /* TRUNCATE */
	all = attr.handled_access_fs & ~LANDLOCK_ACCESS_FS_EXECUTE;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr.handled_access_fs), 0);
	if (ruleset < 0)
		return -errno;
	for (; r == 0 && readable && *readable; readable++)
		r = add_rule(ruleset, *readable, reading);
	for (; r == 0 && writable && *writable; writable++)
		r = add_rule(ruleset, *writable, all);
	if (r == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		r = -errno;
	return r;
}

int guard_lock(char *const *readable, char *const *writable, bool watcher)
{
	int r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	r = lock_files(readable, writable);
	return r < 0 ? r : lock_calls(watcher);
}
