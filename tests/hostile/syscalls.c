/* System calls that have no business in a sandbox. The arguments are harmless (null pointers, bad descriptors): a call
 * that is not filtered shows itself by another error than a refusal. */
#include "probe.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifdef __x86_64__
/* getpid of the 32-bit table. A program of 32 bits would slip past a filter that reads 64-bit numbers. */
static enum verdict int80(const struct attempt *a)
{
	long r;

	(void)a;
	__asm__ volatile("int $0x80" : "=a"(r) : "a"(20L) : "memory", "cc", "r8", "r9", "r10", "r11");
	if (r < 0) {
		errno = (int)-r;
		return refused(-1);
	}
	return refused(r);
}

static enum verdict x32(const struct attempt *a)
{
	(void)a;
	return refused(syscall(SYS_getpid | 0x40000000));
}
#else
static enum verdict int80(const struct attempt *a)
{
	(void)a;
	say("not of this machine");
	return SKIPPED;
}
#define x32 int80
#endif

static enum verdict more_personality(const struct attempt *a)
{
	(void)a;
	return refused(personality(READ_IMPLIES_EXEC | ADDR_COMPAT_LAYOUT | SHORT_INODE));
}

static enum verdict userfault(const struct attempt *a)
{
	return denied(syscall(SYS_userfaultfd, a->args[0]));
}

static enum verdict mount_tmpfs(const struct attempt *a)
{
	(void)a;
	return refused(mount("none", "/tmp", "tmpfs", 0, NULL));
}

static enum verdict mount_bind(const struct attempt *a)
{
	(void)a;
	return refused(mount("/usr", "/tmp", NULL, MS_BIND, NULL));
}

static enum verdict remount(const struct attempt *a)
{
	return refused(mount(NULL, a->path, NULL, MS_REMOUNT | MS_BIND, NULL));
}

static enum verdict detach(const struct attempt *a)
{
	return refused(umount2(a->path, MNT_DETACH));
}

static enum verdict change_root(const struct attempt *a)
{
	(void)a;
	return refused(chroot("/tmp"));
}

static enum verdict change_exe(const struct attempt *a)
{
	(void)a;
	return refused(prctl(PR_SET_MM, PR_SET_MM_EXE_FILE, 0, 0, 0));
}

#define CALL(n, ...) { .name = #n, .tried = #n, .run = try_syscall, .nr = SYS_##n, .args = { __VA_ARGS__ } }

static const struct attempt attempts[] = {
	CALL(io_uring_setup, 1, 0),
	CALL(io_uring_enter, -1, 0, 0, 0, 0),
	CALL(io_uring_register, -1, 0, 0, 0),
	CALL(bpf, 0, 0, 0),
	CALL(perf_event_open, 0, 0, -1, -1, 0),
	CALL(keyctl, 0, -3, 0),
	CALL(add_key, 0, 0, 0, 0, 0),
	CALL(request_key, 0, 0, 0, 0),
	{ .name = "userfaultfd", .tried = "userfaultfd", .run = userfault, .args = { 0 } },
	{ .name = "userfaultfd-user", .tried = "userfaultfd, user mode only", .run = userfault, .args = { 1 } },
	CALL(kexec_load, 0, 0, 0, 0),
	CALL(kexec_file_load, -1, -1, 0, 0, 0),
	CALL(init_module, 0, 0, 0),
	CALL(finit_module, -1, 0, 0),
	CALL(delete_module, 0, 0),
	CALL(reboot, 0, 0, 0, 0),
	CALL(swapon, 0, 0),
	CALL(swapoff, 0),
	CALL(mount, 0, 0, 0, 0, 0),
	CALL(umount2, 0, 0),
	CALL(pivot_root, 0, 0),
	CALL(fsopen, 0, 0),
	CALL(fsconfig, -1, 0, 0, 0, 0),
	CALL(fsmount, -1, 0, 0),
	CALL(fspick, -1, 0, 0),
	CALL(move_mount, -1, 0, -1, 0, 0),
	CALL(open_tree, -1, 0, 0),
	CALL(mount_setattr, -1, 0, 0, 0, 0),
	CALL(open_by_handle_at, -1, 0, 0),
	CALL(fanotify_init, 0, 0),
	CALL(quotactl, 0, 0, 0, 0),
	CALL(acct, 0),
	CALL(settimeofday, 0, 0),
	CALL(clock_settime, 0, 0),
	CALL(syslog, 3, 0, 0),
	CALL(vhangup, 0),
	CALL(sethostname, 0, 0),
	CALL(setdomainname, 0, 0),
	CALL(setns, -1, 0),
	CALL(pidfd_getfd, -1, 0, 0),
	CALL(move_pages, 1, 0, 0, 0, 0, -1),
	CALL(migrate_pages, 1, 0, 0, 0),
	CALL(lookup_dcookie, 0, 0, 0),
#ifdef SYS_iopl
	CALL(iopl, 3),
	CALL(ioperm, 0x80, 1, 1),
#endif
#ifdef SYS_uselib
	CALL(uselib, 0),
	CALL(ustat, 0, 0),
	CALL(sysfs, 1, 0),
	CALL(_sysctl, 0),
	CALL(nfsservctl, 0, 0, 0),
	CALL(vserver, 0),
#endif
	{ .name = "mount-tmpfs", .tried = "mount a tmpfs on /tmp", .run = mount_tmpfs },
	{ .name = "mount-bind", .tried = "bind /usr on /tmp", .run = mount_bind },
	{ .name = "remount-usr", .tried = "remount /usr writable", .run = remount, .path = "/usr" },
	{ .name = "remount-proc-sys", .tried = "remount /proc/sys writable", .run = remount, .path = "/proc/sys" },
	{ .name = "umount-proc-sys", .tried = "unmount what covers /proc/sys", .run = detach, .path = "/proc/sys" },
	{ .name = "umount-tmp", .tried = "unmount /tmp", .run = detach, .path = "/tmp" },
	{ .name = "chroot", .tried = "chroot", .run = change_root },
	{ .name = "int-0x80", .tried = "a system call of the 32-bit table", .run = int80 },
	{ .name = "x32", .tried = "a system call of the x32 table", .run = x32 },
	{ .name = "personality", .tried = "an odd personality", .run = more_personality },
	{ .name = "exe-file", .tried = "change what /proc/self/exe says", .run = change_exe },
	{ 0 },
};

const struct category syscall_category = { "system calls", attempts };
