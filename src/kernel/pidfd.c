#include "kernel/pidfd.h"

#include <errno.h>
#include <signal.h>
#include <linux/sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

int pidfd_open(pid_t pid)
{
	long r = syscall(SYS_pidfd_open, pid, 0);

	return r < 0 ? -errno : (int)r;
}

int pidfd_signal(int pidfd, int sig)
{
	return syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0) < 0 ? -errno : 0;
}

pid_t pidfd_fork(unsigned long namespaces, int *ret_pidfd)
{
	int fd = -1;
	struct clone_args a = {
		.flags = namespaces | CLONE_PIDFD, .pidfd = (uint64_t)(uintptr_t)&fd, .exit_signal = SIGCHLD,
	};
	long pid = syscall(SYS_clone3, &a, sizeof(a));

	if (pid < 0)
		return -errno;
	if (pid > 0)
		*ret_pidfd = fd;
	return (pid_t)pid;
}
