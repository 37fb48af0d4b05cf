/* cs-enter: started by the supervisor with the plan as descriptor 3 and its socket as descriptor 4, no arguments and
 * an empty environment. Static: it becomes pid 1 inside and must load nothing from there. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/enter.h"

int main(void)
{
	if (fcntl(3, F_GETFD) < 0 || fcntl(4, F_GETFD) < 0) {
		fputs("cs-enter: started by claude-sandbox, not by hand\n", stderr);
		return 2;
	}
	if (close_range(5, ~0U, 0) < 0 || fcntl(3, F_SETFD, FD_CLOEXEC) < 0 || fcntl(4, F_SETFD, FD_CLOEXEC) < 0)
		return 2;
	/* glibc's posix_spawn leaves its two internal signals ignored, and its sigaction can't name them */
	for (int s = 32; s < 34; s++)
		(void)syscall(SYS_rt_sigaction, s, &(const struct { long words[8]; }){ { 0 } }, NULL, 8);
	return enter_main(3, 4);
}
