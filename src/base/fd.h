/* File descriptors: always close-on-exec, -1 when empty. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/macro.h"

/* Closes fd if it is one; returns -1. errno is kept. */
int fd_close(int fd);
static inline void fd_close_p(int *fd)
{
	fd_close(*fd);
}
#define _cleanup_close_ _cleanup_(fd_close_p)

/* Writes or reads all of n bytes, through short counts and EINTR. fd_read_full returns the count read (short only
 * at end of file). Negative errno on error. */
int fd_write_all(int fd, const void *p, size_t n);
ssize_t fd_read_full(int fd, void *p, size_t n);

/* Reads a file of at most max bytes (EFBIG beyond) into a fresh NUL-terminated buffer, which the caller frees.
 * at may be AT_FDCWD. Links are followed; regular files only: -EISDIR, -EINVAL. */
int fd_read_file(int at, const char *path, size_t max, char **ret_data, size_t *ret_len);
int fd_read_fd(int fd, size_t max, char **ret_data, size_t *ret_len);

/* Replaces a file atomically: temporary file in the same directory, fsync, rename. */
int fd_write_file(int at, const char *path, const void *data, size_t len, mode_t mode);
/* The same without fsync: for what can be made again. A start must not wait for the disk. */
int fd_put_file(int at, const char *path, const void *data, size_t len, mode_t mode);

/* Locks a directory against others who do so (flock(2), exclusive, waits): for read-change-write of a file in it.
 * Returns a descriptor whose closing unlocks, or negative errno. */
int fd_lock_dir(const char *path);

int fd_set_nonblock(int fd, bool on);
int fd_set_cloexec(int fd, bool on);

/* A sealed memfd that holds data, offset 0. */
int fd_memfd(const char *name, const void *data, size_t len);

/* The messages of a SOCK_SEQPACKET socket with up to FD_PASS_MAX descriptors (unix(7), SCM_RIGHTS).
 * fd_recvmsg returns the length (0: the peer has gone), -EMSGSIZE for one longer than n (its descriptors are
 * closed); *ret_nfds descriptors belong to the caller. Both restart on EINTR and give -EAGAIN where non-blocking.
 * What the other end said before it closed is read, whatever of ours it left unread. */
#define FD_PASS_MAX 8
int fd_sendmsg(int sock, const void *p, size_t n, const int *fds, size_t nfds);
ssize_t fd_recvmsg(int sock, void *p, size_t n, int fds[FD_PASS_MAX], size_t *ret_nfds);
