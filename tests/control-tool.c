/* For tests of PROTOCOL.control across versions. The directory holds raw messages, one a file:
 *   record NAME DIR   writes them down from a running sandbox (its first session has a terminal) and stops it
 *   serve NAME DIR    is an old supervisor: answers with the recorded bytes alone, until it is told to stop
 *   ask NAME DIR      is an old client: sends the recorded requests and checks the kinds of the answers
 *   unknown NAME      sends what no version knows: it must be answered with an error, and change nothing */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "supervisor/name.h"
#include "wire/control.h"
#include "wire/ipc.h"

static char bytes[IPC_MAX];

static _Noreturn void die(const char *what)
{
	(void)fprintf(stderr, "control-tool: %s\n", what);
	exit(1);
}

static void save(const char *dir, const char *name, const void *p, size_t n)
{
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "%s/%s", dir, name) < 0 || fd_write_file(AT_FDCWD, path, p, n, 0644) < 0)
		die("cannot write");
}

static void send_file(int fd, const char *dir, const char *name)
{
	_cleanup_free_ char *path = NULL, *data = NULL;
	size_t n;

	if (asprintf(&path, "%s/%s", dir, name) < 0 || fd_read_file(AT_FDCWD, path, IPC_MAX, &data, &n) < 0)
		die(name);
	(void)fd_sendmsg(fd, data, n, NULL, 0); /* the other may have gone: the next read tells */
}

/* The next message: its type and length in bytes[], 0 at the end. */
static unsigned receive(int fd, size_t *ret_n)
{
	int fds[FD_PASS_MAX];
	struct ipc_msg m;
	size_t nfds = 0;
	ssize_t n = fd_recvmsg(fd, bytes, sizeof(bytes), fds, &nfds);

	while (n > 0 && nfds)
		fd_close(fds[--nfds]);
	if (n <= 0)
		return 0;
	if (ipc_parse(bytes, (size_t)n, &m) < 0)
		die("malformed message");
	*ret_n = (size_t)n;
	return m.type;
}

static int dial(const char *name)
{
	struct fail f = { 0 };
	int fd;

	if (name_connect(name, &fd, &f) < 0)
		die(f.msg);
	return fd;
}

static void request(int fd, const char *dir, const char *name, uint16_t type, bool sized)
{
	_cleanup_buf_ struct buf b = BUF_INIT(256);

	ipc_begin(&b, type);
	if (type == CONTROL_HELLO)
		ipc_put_u64(&b, CONTROL_F_VERSION, 1);
	if (sized) {
		ipc_put_u64(&b, CONTROL_F_ROWS, 24);
		ipc_put_u64(&b, CONTROL_F_COLS, 80);
	}
	if (dir)
		save(dir, name, b.data, b.len);
	if (fd_sendmsg(fd, b.data, b.len, NULL, 0) < 0)
		die("cannot send");
}

static void expect(int fd, unsigned type, const char *dir, const char *name)
{
	size_t n;

	for (;;) {
		unsigned got = receive(fd, &n);

		if (!got)
			die("the supervisor has gone");
		if (got != type)
			continue;
		if (dir)
			save(dir, name, bytes, n);
		return;
	}
}

static int record(const char *name, const char *dir)
{
	int fd = dial(name);

	request(fd, dir, "hello", CONTROL_HELLO, false);
	expect(fd, CONTROL_WELCOME, dir, "welcome");
	request(fd, dir, "info", CONTROL_INFO, false);
	expect(fd, CONTROL_INFO_IS, dir, "info-is");
	request(fd, dir, "ps", CONTROL_PS, false);
	expect(fd, CONTROL_PS_IS, dir, "ps-is");
	request(fd, dir, "attach", CONTROL_ATTACH, true);
	expect(fd, CONTROL_STARTED, dir, "started");
	expect(fd, CONTROL_OUTPUT, dir, "output");
	request(fd, dir, "detach", CONTROL_DETACH, false);
	expect(fd, CONTROL_DETACHED, dir, "detached");
	fd = dial(name);
	request(fd, NULL, NULL, CONTROL_HELLO, false);
	request(fd, dir, "stop", CONTROL_STOP, false);
	expect(fd, CONTROL_OK, dir, "ok");
	return 0;
}

/* One client of the old supervisor. True: it said stop. */
static bool serve_one(int fd, const char *dir)
{
	unsigned type;
	size_t n;

	while ((type = receive(fd, &n)) != 0) {
		switch (type) {
		case CONTROL_HELLO:
			send_file(fd, dir, "welcome");
			break;
		case CONTROL_INFO:
			send_file(fd, dir, "info-is");
			break;
		case CONTROL_PS:
			send_file(fd, dir, "ps-is");
			break;
		case CONTROL_ATTACH:
			send_file(fd, dir, "started");
			send_file(fd, dir, "output");
			break;
		case CONTROL_DETACH:
			send_file(fd, dir, "detached");
			return false;
		case CONTROL_STOP:
			send_file(fd, dir, "ok");
			return true;
		default:
			break;
		}
	}
	return false;
}

static int serve(const char *name, const char *dir)
{
	struct name_claim *c;
	struct fail f = { 0 };

	if (name_claim_new(name, false, &c, &f) != 0)
		die("the name is taken");
	(void)fd_set_nonblock(c->control, false);
	for (bool stop = false; !stop;) {
		int fd = accept4(c->control, NULL, NULL, SOCK_CLOEXEC);

		stop = fd >= 0 && serve_one(fd, dir);
		fd_close(fd);
	}
	name_claim_remove(c);
	name_claim_free(c);
	return 0;
}

static int ask(const char *name, const char *dir)
{
	int fd = dial(name);

	send_file(fd, dir, "hello");
	expect(fd, CONTROL_WELCOME, NULL, NULL);
	send_file(fd, dir, "info");
	expect(fd, CONTROL_INFO_IS, NULL, NULL);
	send_file(fd, dir, "ps");
	expect(fd, CONTROL_PS_IS, NULL, NULL);
	send_file(fd, dir, "attach");
	expect(fd, CONTROL_STARTED, NULL, NULL);
	send_file(fd, dir, "detach");
	expect(fd, CONTROL_DETACHED, NULL, NULL);
	fd = dial(name);
	send_file(fd, dir, "hello");
	send_file(fd, dir, "stop");
	expect(fd, CONTROL_OK, NULL, NULL);
	return 0;
}

static int unknown(const char *name)
{
	_cleanup_buf_ struct buf b = BUF_INIT(256);
	int fd = dial(name);

	/* before HELLO, nothing else is taken */
	request(fd, NULL, NULL, CONTROL_STOP, false);
	expect(fd, CONTROL_ERROR, NULL, NULL);
	ipc_begin(&b, CONTROL_HELLO);
	ipc_put_u64(&b, CONTROL_F_VERSION, 99);
	ipc_put_str(&b, 60000, "a field of the future");
	if (fd_sendmsg(fd, b.data, b.len, NULL, 0) < 0)
		die("cannot send");
	expect(fd, CONTROL_WELCOME, NULL, NULL);
	request(fd, NULL, NULL, 99, false);
	expect(fd, CONTROL_ERROR, NULL, NULL);
	request(fd, NULL, NULL, CONTROL_INPUT, false); /* not in this phase */
	expect(fd, CONTROL_ERROR, NULL, NULL);
	request(fd, NULL, NULL, CONTROL_INFO, false);
	expect(fd, CONTROL_INFO_IS, NULL, NULL);
	/* what is no message at all ends this client, and nobody else */
	if (fd_sendmsg(fd, "rubbish", 7, NULL, 0) < 0)
		die("cannot send");
	return receive(fd, &(size_t){ 0 }) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "unknown") == 0)
		return unknown(argv[2]);
	if (argc != 4)
		die("record|serve|ask NAME DIR, unknown NAME");
	return strcmp(argv[1], "record") == 0 ? record(argv[2], argv[3]) :
	       strcmp(argv[1], "serve") == 0  ? serve(argv[2], argv[3]) :
						 ask(argv[2], argv[3]);
}
