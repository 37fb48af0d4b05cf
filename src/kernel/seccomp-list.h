/* What a sandboxed process and what each of our helpers may ask of the kernel. Read by seccomp-gen alone.
 *
 * The sandbox's list is an allow list modelled on the one that podman ships (containers/common, seccomp.json), minus
 * what DESIGN section 4 takes away. A call that is not named is answered with ENOSYS, so that a libc falls back; one
 * that is named with an errno is refused with it. ptrace(2) is allowed: debuggers are everyday work, every process
 * inside belongs to the same user, and pid 1 is undumpable. `seccomp.relax = ptrace` adds what debuggers want
 * beyond that (no address randomisation, process_vm_readv, pidfd_getfd, kcmp). */
#pragma once

#include <errno.h>

enum seccomp_check {
	SECCOMP_ALWAYS, SECCOMP_CLONE, SECCOMP_IOCTL, SECCOMP_SOCKET, SECCOMP_PID0, SECCOMP_PRLIMIT, SECCOMP_PRIORITY,
	SECCOMP_IOPRIO, SECCOMP_PERSONALITY, SECCOMP_PERSONALITY_DEBUG, SECCOMP_PROT, SECCOMP_MODE1, SECCOMP_MODE2,
	SECCOMP_OPEN1, SECCOMP_OPEN2,
};

/* As enum plan_relax of policy/plan.h (a room of this floor can't include it; seccomp.c asserts nothing: the bits are
 * checked where both are known, in sandbox/). */
enum { RELAX_USERNS = 1, RELAX_IOURING = 2, RELAX_PTRACE = 4, RELAX_PERF = 8, RELAX_KEYCTL = 16 };
#define SECCOMP_RELAX_ALL 31U

struct seccomp_entry {
	const char *name;
	enum seccomp_check check; /* of the arguments; SECCOMP_ALWAYS: none */
	int error;		  /* refused with it; 0: allowed */
	unsigned relax;		  /* which relaxation lifts the refusal or the check */
	enum seccomp_check relaxed_check;
	int nr; /* newer than libseccomp 2.5.4: the number, the same on all architectures */
};

#define A(n)	   { .name = #n }
#define N(n, k)	   { .name = #n, .nr = k }
#define C(n, c)	   { .name = #n, .check = c }
#define E(n, e)	   { .name = #n, .error = e }
#define R(n, e, r) { .name = #n, .error = e, .relax = r }

static const struct seccomp_entry seccomp_sandbox_list[] = {
	/* files */
	A(access), A(chdir), A(chown), A(close), A(close_range), A(copy_file_range), A(dup), A(dup2),
	A(dup3), A(faccessat), A(faccessat2), A(fadvise64), A(fallocate), A(fchdir),
	A(fchown), A(fchownat), A(fcntl), A(fdatasync), A(fgetxattr), A(flistxattr), A(flock),
	A(fremovexattr), A(fsetxattr), A(fstat), A(fstatfs), A(fsync), A(ftruncate), A(futimesat), A(getcwd), A(getdents),
	A(getdents64), A(getxattr), N(getxattrat, 464), A(inotify_add_watch), A(inotify_init), A(inotify_init1),
	A(inotify_rm_watch), A(lchown), A(lgetxattr), A(link), A(linkat), A(listxattr), N(listxattrat, 465), A(llistxattr),
	A(lremovexattr), A(lseek), A(lsetxattr), A(lstat), A(mkdir), A(mkdirat), A(newfstatat),
	A(pread64), A(preadv), A(preadv2), A(pwrite64), A(pwritev), A(pwritev2), A(read),
	A(readahead), A(readlink), A(readlinkat), A(readv), A(removexattr), N(removexattrat, 466), A(rename), A(renameat),
	A(renameat2), A(rmdir), A(sendfile), A(setxattr), N(setxattrat, 463), A(splice), A(stat), A(statfs), A(statx),
	A(symlink), A(symlinkat), A(sync), A(sync_file_range), A(syncfs), A(tee), A(truncate), A(umask), A(unlink),
	A(unlinkat), A(utime), A(utimensat), A(utimes), A(vmsplice), A(write), A(writev), N(cachestat, 451),
	N(file_getattr, 468), N(file_setattr, 469),
	C(chmod, SECCOMP_MODE1), C(creat, SECCOMP_MODE1), C(fchmod, SECCOMP_MODE1), C(fchmodat, SECCOMP_MODE2),
	{ .name = "fchmodat2", .check = SECCOMP_MODE2, .nr = 452 }, C(mknod, SECCOMP_MODE1), C(mknodat, SECCOMP_MODE2),
	C(open, SECCOMP_OPEN1), C(openat, SECCOMP_OPEN2), E(openat2, ENOSYS) /* its mode lies in memory */,
	/* memory */
	A(brk), A(get_mempolicy), A(madvise), A(mbind), A(membarrier), A(memfd_create), A(memfd_secret), A(mincore),
	A(mlock), A(mlock2), A(mlockall), A(mmap), A(mprotect), A(mremap), A(msync), A(munlock), A(munlockall), A(munmap),
	A(pkey_alloc), A(pkey_free), A(pkey_mprotect), A(process_mrelease), A(remap_file_pages),
	A(set_mempolicy), A(set_mempolicy_home_node), N(map_shadow_stack, 453), N(mseal, 462),
	/* processes, identity, scheduling */
	A(arch_prctl), A(capget), A(capset), A(execve), A(execveat), A(exit), A(exit_group), A(fork), A(get_robust_list),
	A(get_thread_area), A(getcpu), A(getegid), A(geteuid), A(getgid), A(getgroups), A(getpgid), A(getpgrp), A(getpid),
	A(getppid), A(getpriority), A(getresgid), A(getresuid), A(getrlimit), A(getrusage), A(getsid), A(gettid), A(getuid),
	A(ioprio_get), A(kill), A(landlock_add_rule), A(landlock_create_ruleset), A(landlock_restrict_self), A(modify_ldt),
	A(pause), A(pidfd_open), A(pidfd_send_signal), A(prctl), A(ptrace),
	A(restart_syscall), A(rseq), A(rt_sigaction), A(rt_sigpending), A(rt_sigprocmask), A(rt_sigqueueinfo),
	A(rt_sigreturn), A(rt_sigsuspend), A(rt_sigtimedwait), A(rt_tgsigqueueinfo), A(sched_get_priority_max),
	A(sched_get_priority_min), A(sched_getaffinity), A(sched_getattr), A(sched_getparam), A(sched_getscheduler),
	A(sched_rr_get_interval), A(sched_yield), A(seccomp), A(set_robust_list), A(set_thread_area), A(set_tid_address),
	A(setfsgid), A(setfsuid), A(setgid), A(setgroups), A(setpgid), A(setregid), A(setresgid), A(setresuid), A(setreuid),
	A(setrlimit), A(setsid), A(setuid), A(sigaltstack), A(sysinfo), A(tgkill), A(times), A(tkill), A(uname), A(vfork),
	A(wait4), A(waitid), A(futex), A(futex_waitv), N(futex_wake, 454), N(futex_wait, 455), N(futex_requeue, 456),
	{ .name = "clone", .check = SECCOMP_CLONE, .relax = RELAX_USERNS },
	{ .name = "personality", .check = SECCOMP_PERSONALITY, .relax = RELAX_PTRACE, .relaxed_check = SECCOMP_PERSONALITY_DEBUG },
	C(prlimit64, SECCOMP_PRLIMIT), C(sched_setaffinity, SECCOMP_PID0), C(sched_setattr, SECCOMP_PID0),
	C(sched_setparam, SECCOMP_PID0), C(sched_setscheduler, SECCOMP_PID0), C(setpriority, SECCOMP_PRIORITY),
	C(ioprio_set, SECCOMP_IOPRIO),
	/* time, events, messages */
	A(adjtimex), A(alarm), A(clock_adjtime), A(clock_getres), A(clock_gettime), A(clock_nanosleep), A(epoll_create),
	A(epoll_create1), A(epoll_ctl), A(epoll_pwait), A(epoll_pwait2), A(epoll_wait), A(eventfd), A(eventfd2),
	A(getitimer), A(getrandom), A(gettimeofday), A(io_cancel), A(io_destroy), A(io_getevents), A(io_pgetevents),
	A(io_setup), A(io_submit), A(mq_getsetattr), A(mq_notify), A(mq_open), A(mq_timedreceive), A(mq_timedsend),
	A(mq_unlink), A(msgctl), A(msgget), A(msgrcv), A(msgsnd), A(nanosleep), A(pipe), A(pipe2), A(poll), A(ppoll),
	A(pselect6), A(select), A(semctl), A(semget), A(semop), A(semtimedop), A(setitimer), A(shmat), A(shmctl), A(shmdt),
	A(shmget), A(signalfd), A(signalfd4), A(time), A(timer_create), A(timer_delete), A(timer_getoverrun),
	A(timer_gettime), A(timer_settime), A(timerfd_create), A(timerfd_gettime), A(timerfd_settime),
	C(ioctl, SECCOMP_IOCTL),
	/* sockets */
	A(accept), A(accept4), A(bind), A(connect), A(getpeername), A(getsockname), A(getsockopt), A(listen), A(recvfrom),
	A(recvmmsg), A(recvmsg), A(sendmmsg), A(sendmsg), A(sendto), A(setsockopt), A(shutdown),
	C(socket, SECCOMP_SOCKET), C(socketpair, SECCOMP_SOCKET),

	/* refused: new namespaces and mounts. clone3's flags lie in memory: ENOSYS makes libc use clone */
	R(clone3, ENOSYS, RELAX_USERNS), R(unshare, EPERM, RELAX_USERNS), R(setns, EPERM, RELAX_USERNS),
	R(mount, EPERM, RELAX_USERNS), R(umount2, EPERM, RELAX_USERNS), R(pivot_root, EPERM, RELAX_USERNS),
	R(chroot, EPERM, RELAX_USERNS), R(fsopen, EPERM, RELAX_USERNS), R(fsconfig, EPERM, RELAX_USERNS),
	R(fsmount, EPERM, RELAX_USERNS), R(fspick, EPERM, RELAX_USERNS), R(open_tree, EPERM, RELAX_USERNS),
	R(move_mount, EPERM, RELAX_USERNS), R(mount_setattr, EPERM, RELAX_USERNS), R(sethostname, EPERM, RELAX_USERNS),
	R(setdomainname, EPERM, RELAX_USERNS),
	{ .name = "open_tree_attr", .error = EPERM, .relax = RELAX_USERNS, .nr = 467 },
	/* refused: large surfaces of the kernel */
	R(io_uring_setup, ENOSYS, RELAX_IOURING), R(io_uring_enter, ENOSYS, RELAX_IOURING),
	R(io_uring_register, ENOSYS, RELAX_IOURING), R(perf_event_open, EPERM, RELAX_PERF), R(keyctl, ENOSYS, RELAX_KEYCTL),
	R(add_key, ENOSYS, RELAX_KEYCTL), R(request_key, ENOSYS, RELAX_KEYCTL), E(bpf, EPERM), E(userfaultfd, EPERM),
	E(fanotify_init, EPERM), E(fanotify_mark, EPERM),
	/* refused: other processes' insides beyond ptrace */
	R(process_vm_readv, ENOSYS, RELAX_PTRACE), R(process_vm_writev, ENOSYS, RELAX_PTRACE),
	R(process_madvise, ENOSYS, RELAX_PTRACE), R(pidfd_getfd, EPERM, RELAX_PTRACE), R(kcmp, EPERM, RELAX_PTRACE), E(move_pages, EPERM), E(migrate_pages, EPERM),
	/* refused: the machine */
	E(acct, EPERM), E(clock_settime, EPERM), E(create_module, EPERM), E(delete_module, EPERM), E(finit_module, EPERM),
	E(get_kernel_syms, EPERM), E(init_module, EPERM), E(ioperm, EPERM), E(iopl, EPERM), E(kexec_file_load, EPERM),
	E(kexec_load, EPERM), E(lookup_dcookie, EPERM), E(name_to_handle_at, EPERM), E(nfsservctl, EPERM),
	E(open_by_handle_at, EPERM), E(query_module, EPERM), E(quotactl, EPERM), E(quotactl_fd, EPERM), E(reboot, EPERM),
	E(settimeofday, EPERM), E(swapoff, EPERM), E(swapon, EPERM), E(_sysctl, EPERM), E(sysfs, EPERM), E(syslog, EPERM),
	E(uselib, EPERM), E(ustat, EPERM), E(vhangup, EPERM),
	{ .name = NULL },
};

#undef A
#undef N
#undef C
#undef E
#undef R

/* What every helper needs once its work is set up: memory, its clock, its end. */
static const char *const list_core[] = {
	"brk", "mmap", "munmap", "mremap", "madvise", "mprotect", "futex", "getrandom", "clock_gettime", "clock_nanosleep",
	"gettimeofday", "time", "getpid", "gettid", "rt_sigreturn", "rt_sigprocmask", "rt_sigaction", "restart_syscall",
	"sigaltstack", "tgkill", "exit", "exit_group", "read", "readv", "write", "writev", "close", "lseek", "fstat", "pread64",
	NULL,
};
static const char *const list_poll[] = {
	"poll", "ppoll", "epoll_wait", "epoll_pwait", "epoll_ctl", "epoll_create1", "timerfd_create", "timerfd_settime",
	"eventfd2", "recvmsg", "sendmsg", "recvfrom", "sendto", "fcntl", "nanosleep", NULL,
};
/* Files within what Landlock leaves; glibc's stat family asks newfstatat or statx. */
static const char *const list_files[] = {
	"openat", "openat2", "newfstatat", "statx", "fstatfs", "getdents64", "readlinkat", "readlink", "faccessat",
	"faccessat2", "access", "dup", "stat", "lstat", "open", "getcwd", NULL,
};
static const char *const list_change[] = {
	"renameat", "renameat2", "rename", "mkdirat", "mkdir", "unlinkat", "unlink", "rmdir", "fchmod", "fsync", "ftruncate",
	"linkat", "symlinkat", "fchmodat", "utimensat", NULL,
};
static const char *const list_watch[] = {
	"inotify_init1", "inotify_add_watch", "inotify_rm_watch", "chdir", "fchdir", "getppid", "pidfd_send_signal", "prctl", "wait4",
	"waitid", NULL,
};
static const char *const list_mount[] = { "open_tree", "move_mount", "mount_setattr", NULL };

struct seccomp_helper {
	const char *name;
	const char *const *lists[8];
};

static const struct seccomp_helper seccomp_helpers[] = {
	{ "parser", { list_core } },
	{ "reader", { list_core, list_files } },
	{ "watcher", { list_core, list_poll, list_files, list_change, list_watch } },
	{ "keeper", { list_core, list_poll, list_files, list_watch, list_mount } },
	{ .name = NULL },
};
