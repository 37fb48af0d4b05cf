/* Touching processes that are not ours: the host's, and pid 1, which has the caller's uid and must be closed. */
#include "probe.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kcmp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static enum verdict signal_host(const struct attempt *a)
{
	if (!probe.pid)
		return SKIPPED;
	return refused(kill((pid_t)probe.pid, (int)a->nr));
}

static enum verdict host_in_proc(const struct attempt *a)
{
	char path[64], name[64] = "";
	FILE *f;

	(void)a;
	if (!probe.pid)
		return SKIPPED;
	(void)snprintf(path, sizeof(path), "/proc/%ld/comm", probe.pid);
	f = fopen(path, "re");
	if (!f)
		return refused(-1);
	if (fgets(name, sizeof(name), f))
		name[strcspn(name, "\n")] = 0;
	(void)fclose(f);
	say("a process '%s' has that number", name);
	return strncmp(name, "cs-canary", 9) == 0 ? ESCAPED : CONTAINED;
}

/* Reads a file of every process in sight. */
static enum verdict search_proc(const struct attempt *a)
{
	DIR *d = opendir("/proc");
	int n = 0;

	for (const struct dirent *e; d && (e = readdir(d));) {
		char path[PATH_MAX];

		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		n++;
		(void)snprintf(path, sizeof(path), "/proc/%.20s/%s", e->d_name, a->path);
		if (holds_token(path) == 1) {
			say("'%s' holds it", path);
			closedir(d);
			return ESCAPED;
		}
	}
	if (d)
		closedir(d);
	say("%d processes in sight, none shows it", n);
	return CONTAINED;
}

static enum verdict own_environment(const struct attempt *a)
{
	(void)a;
	for (char **e = environ; *e; e++) {
		if (bytes_hold_token(*e, strlen(*e))) {
			say("'%.*s' holds it", (int)strcspn(*e, "="), *e);
			return ESCAPED;
		}
	}
	say("it is not there");
	return CONTAINED;
}

static enum verdict follow(const struct attempt *a)
{
	char target[PATH_MAX];

	return refused(readlink(a->path, target, sizeof(target)));
}

static enum verdict attach(const struct attempt *a)
{
	return denied(ptrace((enum __ptrace_request)a->nr, 1, NULL, NULL));
}

static enum verdict vm_read(const struct attempt *a)
{
	char byte[8];
	struct iovec local = { byte, sizeof(byte) }, remote = { (void *)0x400000, sizeof(byte) };

	return denied(syscall(a->nr, 1, &local, 1UL, &remote, 1UL, 0UL));
}

static enum verdict take_fd(const struct attempt *a)
{
	int fd = (int)syscall(SYS_pidfd_open, 1, 0);

	(void)a;
	if (fd < 0)
		return refused(fd);
	return denied(syscall(SYS_pidfd_getfd, fd, 0, 0));
}

static enum verdict madvise_other(const struct attempt *a)
{
	struct iovec remote = { (void *)0x400000, 4096 };
	int fd = (int)syscall(SYS_pidfd_open, 1, 0);

	(void)a;
	if (fd < 0)
		return refused(fd);
	return denied(syscall(SYS_process_madvise, fd, &remote, 1UL, 20 /* MADV_COLD */, 0UL));
}

static enum verdict open_only(const struct attempt *a)
{
	return refused(open(a->path, O_RDONLY | O_CLOEXEC));
}

static enum verdict limit_pid1(const struct attempt *a)
{
	struct rlimit r = { 0, 0 };

	(void)a;
	return denied(syscall(SYS_prlimit64, 1, RLIMIT_NOFILE, &r, NULL));
}

static enum verdict nice_pid1(const struct attempt *a)
{
	(void)a;
	return denied(setpriority(PRIO_PROCESS, 1, 19));
}

static enum verdict affinity_pid1(const struct attempt *a)
{
	cpu_set_t set;

	(void)a;
	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		CPU_SET(0, &set);
	return denied(sched_setaffinity(1, sizeof(set), &set));
}

static enum verdict schedule_pid1(const struct attempt *a)
{
	const struct sched_param p = { 0 };

	(void)a;
	return denied(sched_setscheduler(1, SCHED_IDLE, &p));
}

static enum verdict io_pid1(const struct attempt *a)
{
	(void)a;
	return denied(syscall(SYS_ioprio_set, 1, 1, 3 << 13));
}

static enum verdict compare_pid1(const struct attempt *a)
{
	(void)a;
	return denied(syscall(SYS_kcmp, 1, getpid(), KCMP_FS, 0UL, 0UL));
}

/* pid 1 must outlive every signal that is sent from inside. */
static enum verdict kill_pid1(const struct attempt *a)
{
	const struct timespec pause = { .tv_nsec = 200000000 };

	(void)kill(1, (int)a->nr);
	nanosleep(&pause, NULL);
	if (kill(1, 0) == 0 || errno == EPERM) {
		say("pid 1 lives on");
		return CONTAINED;
	}
	say("pid 1 is gone");
	return ESCAPED;
}

static enum verdict kill_all(const struct attempt *a)
{
	(void)a;
	/* signal 0 to everybody: the host's processes are not among them, which the canary's process shows */
	if (probe.pid && kill(-1, 0) == 0 && kill((pid_t)probe.pid, 0) == 0) {
		say("the host's process is among them");
		return ESCAPED;
	}
	say("the host's process is not among them");
	return CONTAINED;
}

#define READ1(n, f) { .name = n, .tried = "read /proc/1/" f, .run = try_read, .path = "/proc/1/" f }

static const struct attempt attempts[] = {
	{ .name = "host-signal", .tried = "signal a process of the host's", .run = signal_host, .nr = 0 },
	{ .name = "host-kill", .tried = "kill a process of the host's", .run = signal_host, .nr = SIGKILL },
	{ .name = "host-proc",
	  .expected = "not there",
	  .tried = "see a process of the host's in /proc",
	  .run = host_in_proc },
	{ .name = "kill-all",
	  .expected = "it is not among them",
	  .tried = "reach the host's processes with kill(-1)",
	  .run = kill_all },
	{ .name = "environment",
	  .expected = "not there",
	  .tried = "find the host's secret in the environment",
	  .run = own_environment },
	{ .name = "environ-search",
	  .expected = "not there",
	  .tried = "find the host's secret in any /proc/*/environ",
	  .run = search_proc,
	  .path = "environ" },
	{ .name = "cmdline-search",
	  .expected = "not there",
	  .tried = "find the host's secret in any /proc/*/cmdline",
	  .run = search_proc,
	  .path = "cmdline" },
	READ1("pid1-environ", "environ"),
	{ .name = "pid1-mem", .tried = "open /proc/1/mem", .run = open_only, .path = "/proc/1/mem" },
	READ1("pid1-maps", "maps"),
	READ1("pid1-auxv", "auxv"),
	READ1("pid1-stack", "stack"),
	READ1("pid1-syscall", "syscall"),
	READ1("pid1-io", "io"),
	{ .name = "pid1-mem-write", .tried = "open /proc/1/mem for writing", .run = try_write, .path = "/proc/1/mem" },
	{ .name = "pid1-oom", .tried = "change pid 1's oom score", .run = try_write, .path = "/proc/1/oom_score_adj" },
	{ .name = "pid1-fds", .tried = "list pid 1's descriptors", .run = try_list, .path = "/proc/1/fd" },
	{ .name = "pid1-fdinfo", .tried = "list pid 1's fdinfo", .run = try_list, .path = "/proc/1/fdinfo" },
	{ .name = "pid1-root-link", .tried = "read the link /proc/1/root", .run = follow, .path = "/proc/1/root" },
	{ .name = "pid1-exe", .tried = "read the link /proc/1/exe", .run = follow, .path = "/proc/1/exe" },
	{ .name = "pid1-ns", .tried = "read the link /proc/1/ns/user", .run = follow, .path = "/proc/1/ns/user" },
	{ .name = "ptrace-seize", .tried = "PTRACE_SEIZE pid 1", .run = attach, .nr = PTRACE_SEIZE },
	{ .name = "ptrace-attach", .tried = "PTRACE_ATTACH pid 1", .run = attach, .nr = PTRACE_ATTACH },
	{ .name = "vm-readv", .tried = "process_vm_readv of pid 1", .run = vm_read, .nr = SYS_process_vm_readv },
	{ .name = "vm-writev", .tried = "process_vm_writev to pid 1", .run = vm_read, .nr = SYS_process_vm_writev },
	{ .name = "pidfd-getfd", .tried = "take a descriptor of pid 1 (pidfd_getfd)", .run = take_fd },
	{ .name = "process-madvise", .tried = "process_madvise of pid 1", .run = madvise_other },
	{ .name = "prlimit", .tried = "set a limit of pid 1 (prlimit)", .run = limit_pid1 },
	{ .name = "setpriority", .tried = "set pid 1's priority", .run = nice_pid1 },
	{ .name = "sched-affinity", .tried = "set pid 1's affinity", .run = affinity_pid1 },
	{ .name = "sched-scheduler", .tried = "set pid 1's scheduling class", .run = schedule_pid1 },
	{ .name = "ioprio", .tried = "set pid 1's I/O priority", .run = io_pid1 },
	{ .name = "kcmp", .tried = "kcmp with pid 1", .run = compare_pid1 },
	{ .name = "pid1-kill", .expected = "pid 1 lives on", .tried = "kill pid 1", .run = kill_pid1, .nr = SIGKILL },
	{ .name = "pid1-stop", .expected = "pid 1 lives on", .tried = "stop pid 1", .run = kill_pid1, .nr = SIGSTOP },
	{ .name = "pid1-term",
	  .expected = "pid 1 lives on",
	  .tried = "terminate pid 1",
	  .run = kill_pid1,
	  .nr = SIGTERM },
	{ 0 },
};

const struct category process_category = { "processes", attempts };
