/* Processes by descriptor (pidfd_open(2)): no number is ever reused under us. */
#pragma once

#include <sys/types.h>

int pidfd_open(pid_t pid); /* close-on-exec; negative errno */
int pidfd_signal(int pidfd, int sig);
/* fork(2) with the child in new namespaces (CLONE_NEW..., or 0): 0 in the child; *ret_pidfd is set in
 * the parent. Negative errno. */
pid_t pidfd_fork(unsigned long namespaces, int *ret_pidfd);
