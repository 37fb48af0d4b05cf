/* The client's end of a control socket (PROTOCOL.control). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fail.h"
#include "wire/ipc.h"

struct ctl_msg {
	struct ipc_msg m; /* points into bytes */
	char bytes[IPC_MAX];
};

int ctl_send(int fd, const struct buf *b, const int *fds, size_t nfds); /* 0 or negative errno; blocks */
int ctl_hello(int fd);
/* The next message: 1, 0 when the supervisor has gone, negative errno (-EAGAIN after SO_RCVTIMEO). Descriptors are
 * closed. */
int ctl_recv(int fd, struct ctl_msg *ret);
/* Fills f from a CONTROL_ERROR; returns its exit status. */
int ctl_error(const struct ipc_msg *m, struct fail *f);

/* Asks a running sandbox one thing and waits, at most timeout_ms, for an answer of type want. request: a message
 * already begun, or NULL for one of type alone. -ESRCH: it does not run. */
int ctl_ask(const char *name, const struct buf *request, uint16_t want, unsigned timeout_ms, struct ctl_msg *ret,
	    struct fail *f);
int ctl_ask_type(const char *name, uint16_t type, uint16_t want, struct ctl_msg *ret, struct fail *f);

/* INFO of a running sandbox; caller puts it. -ESRCH: it runs no more; else it does not answer. f says why. */
struct json_object;
int ctl_info(const char *name, struct json_object **ret, struct fail *f);

/* Which sandbox is meant: name, or for NULL the one of this directory. Caller frees. -ESRCH with f filled. */
int ctl_resolve(const char *name, char **ret, struct fail *f);
