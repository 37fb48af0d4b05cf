#include "sandbox/say.h"

#include "base/fd.h"
#include "wire/inner.h"
#include "wire/ipc.h"

void say(int sock, const struct buf *b, const int *fds, size_t nfds)
{
	if (!b->error)
		(void)fd_sendmsg(sock, b->data, b->len, fds, nfds);
}

void say_failed(int sock, const struct fail *f)
{
	_cleanup_buf_ struct buf b = BUF_INIT(IPC_MAX);

	ipc_begin(&b, INNER_FAILED);
	ipc_put_str(&b, INNER_MSG, f->msg);
	if (*f->hint)
		ipc_put_str(&b, INNER_HINT, f->hint);
	say(sock, &b, NULL, 0);
}

void say_event(int sock, const char *kind, const char *path, const char *msg)
{
	_cleanup_buf_ struct buf b = BUF_INIT(IPC_MAX);

	ipc_begin(&b, INNER_EVENT);
	ipc_put_str(&b, INNER_KIND, kind);
	ipc_put_str(&b, INNER_PATH, path);
	ipc_put_str(&b, INNER_MSG, msg);
	say(sock, &b, NULL, 0);
}
