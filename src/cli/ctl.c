#include "cli/ctl.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "report/json.h"
#include "supervisor/name.h"
#include "wire/control.h"

#define ANSWER_MS 10000U

int ctl_send(int fd, const struct buf *b, const int *fds, size_t nfds)
{
	return b->error ? b->error : fd_sendmsg(fd, b->data, b->len, fds, nfds);
}

int ctl_hello(int fd)
{
	_cleanup_buf_ struct buf b = BUF_INIT(256);

	ipc_begin(&b, CONTROL_HELLO);
	ipc_put_u64(&b, CONTROL_F_VERSION, CONTROL_VERSION);
	return ctl_send(fd, &b, NULL, 0);
}

int ctl_recv(int fd, struct ctl_msg *ret)
{
	int fds[FD_PASS_MAX];
	size_t nfds = 0;
	ssize_t n = fd_recvmsg(fd, ret->bytes, sizeof(ret->bytes), fds, &nfds);
	int r;

	if (n == -ECONNRESET)
		return 0;
	if (n <= 0)
		return (int)n;
	while (nfds)
		fd_close(fds[--nfds]);
	r = ipc_parse(ret->bytes, (size_t)n, &ret->m);
	return r < 0 ? r : 1;
}

int ctl_error(const struct ipc_msg *m, struct fail *f)
{
	_cleanup_free_ char *msg = ipc_get_str(m, CONTROL_F_MSG), *hint = ipc_get_str(m, CONTROL_F_HINT);
	uint64_t status = ipc_get_u64(m, CONTROL_F_STATUS, 125);

	(void)fail_set(f, 0, "%s", msg ? msg : "the sandbox refused without a reason");
	if (!str_empty(hint))
		fail_hint(f, "%s", hint);
	return status > 0 && status < 256 ? (int)status : 125;
}

int ctl_ask(const char *name, const struct buf *request, uint16_t want, unsigned timeout_ms, struct ctl_msg *ret,
	    struct fail *f)
{
	struct timeval bound = { .tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000 };
	_cleanup_close_ int fd = -1;
	int r = name_connect(name, &fd, f);

	if (r < 0)
		return r;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof(bound));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &bound, sizeof(bound));
	r = ctl_hello(fd);
	if (r == 0)
		r = ctl_send(fd, request, NULL, 0);
	while (r >= 0) {
		r = ctl_recv(fd, ret);
		if (r == 0)
			break;
		if (r > 0 && ret->m.type == want)
			return 0;
		if (r > 0 && ret->m.type == CONTROL_ERROR) {
			(void)ctl_error(&ret->m, f);
			return -EREMOTEIO;
		}
	}
	if (r == 0 || r == -EPIPE || r == -ECONNRESET) {
		(void)fail_set(f, 0, "the sandbox '%s' has just ended", name);
		return -ESRCH;
	}
	return fail_set(f, r == -EAGAIN ? ETIMEDOUT : -r, "the sandbox '%s' does not answer", name);
}

int ctl_ask_type(const char *name, uint16_t type, uint16_t want, struct ctl_msg *ret, struct fail *f)
{
	_cleanup_buf_ struct buf b = BUF_INIT(256);

	ipc_begin(&b, type);
	return ctl_ask(name, &b, want, ANSWER_MS, ret, f);
}

int ctl_info(const char *name, struct json_object **ret, struct fail *f)
{
	_cleanup_free_ struct ctl_msg *msg = malloc(sizeof(*msg));
	_cleanup_free_ char *text = NULL;
	struct json_object *o;
	int r = msg ? ctl_ask_type(name, CONTROL_INFO, CONTROL_INFO_IS, msg, f) : -ENOMEM;

	if (r < 0)
		return r;
	text = ipc_get_str(&msg->m, CONTROL_F_JSON);
	o = text ? json_tokener_parse(text) : NULL;
	if (!o)
		return fail_set(f, EBADMSG, "the sandbox '%s' describes itself in a way that is not understood", name);
	*ret = o;
	return 0;
}

/* The running sandboxes whose project is dir. */
static int of_directory(const char *dir, char ***ret, struct fail *f)
{
	_cleanup_strv_ char **names = NULL, **found = NULL;
	int r = name_list(&names, f);

	if (r < 0)
		return r;
	for (char **n = names; n && *n; n++) {
		_cleanup_json_ struct json_object *o = NULL;

		if (ctl_info(*n, &o, NULL) == 0 && str_eq(json_get_str(o, "project"), dir) && strv_add(&found, *n) < 0)
			return -ENOMEM;
	}
	*ret = TAKE_PTR(found);
	return 0;
}

int ctl_resolve(const char *name, char **ret, struct fail *f)
{
	_cleanup_strv_ char **found = NULL;
	_cleanup_free_ char *own = NULL;
	char dir[PATH_MAX];
	int r;

	if (name) {
		_cleanup_close_ int fd = -1;

		r = name_connect(name, &fd, f);
		if (r < 0)
			return r;
		*ret = strdup(name);
		return *ret ? 0 : -ENOMEM;
	}
	if (!realpath(".", dir))
		return fail_set(f, errno, "cannot tell the working directory");
	if (name_known(dir, &own) == 0) {
		_cleanup_close_ int fd = -1;

		if (name_connect(own, &fd, NULL) == 0) {
			*ret = TAKE_PTR(own);
			return 0;
		}
	}
	r = of_directory(dir, &found, f);
	if (r < 0)
		return r;
	if (strv_len(found) == 1) {
		*ret = TAKE_PTR(found[0]);
		return 0;
	}
	if (found) {
		(void)fail_set(f, 0, "this directory has %zu sandboxes, and none has its own name", strv_len(found));
		fail_hint(f, "name one of them: %s, %s%s", found[0], found[1], found[2] ? ", ..." : "");
	} else {
		(void)fail_set(f, 0, "no sandbox of this directory is running");
		fail_hint(f, "claude-sandbox starts one here; claude-sandbox ls shows all");
	}
	return -ESRCH;
}
