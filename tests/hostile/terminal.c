/* Typing into somebody else's terminal. The attempts open a pty of their own, on which they would be allowed to. */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

/* A terminal of this process's own, or a refusal to have any. */
static int open_terminal(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	int slave;

	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
		return -1;
	(void)setsid();
	slave = open(ptsname(master), O_RDWR | O_CLOEXEC);
	if (slave >= 0)
		(void)ioctl(slave, TIOCSCTTY, 0);
	return slave;
}

/* The request as the kernel sees it is its low 32 bits; a filter that compares 64 is passed with others set. */
static enum verdict inject(const struct attempt *a)
{
	int fd = open_terminal();
	char c = 'x';

	if (fd < 0) {
		say("no pty to be had");
		return SKIPPED;
	}
	return denied(syscall(SYS_ioctl, (long)fd, a->nr, &c));
}

static enum verdict console(const struct attempt *a)
{
	int fd = open_terminal();
	char arg[16] = { (char)a->args[0] };

	if (fd < 0) {
		say("no pty to be had");
		return SKIPPED;
	}
	return denied(syscall(SYS_ioctl, (long)fd, a->nr, arg));
}

/* Standard descriptors that are a terminal must be one of the sandbox's own. */
static enum verdict inherited(const struct attempt *a)
{
	const char *name;

	(void)a;
	for (int fd = 0; fd < 3; fd++) {
		if (!isatty(fd))
			continue;
		name = ttyname(fd);
		if (!name || access(name, F_OK) < 0) {
			say("descriptor %d is a terminal of the host's", fd);
			return ESCAPED;
		}
	}
	say("none is a terminal of the host's");
	return CONTAINED;
}

static enum verdict host_ptys(const struct attempt *a)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

	(void)a;
	if (fd >= 0 && (!ttyname(fd) || access(ttyname(fd), F_OK) < 0)) {
		say("/dev/tty is a terminal of the host's");
		return ESCAPED;
	}
	say("/dev/tty is none of the host's");
	return CONTAINED;
}

#define HIGH 0x5a00000000L

static const struct attempt attempts[] = {
	{ .name = "tiocsti", .tried = "type into the terminal (TIOCSTI)", .run = inject, .nr = TIOCSTI },
	{ .name = "tiocsti-high", .tried = "TIOCSTI with high bits set", .run = inject, .nr = TIOCSTI | HIGH },
	{ .name = "tiocsti-sign",
	  .tried = "TIOCSTI with all high bits set",
	  .run = inject,
	  .nr = (long)(0xffffffff00000000UL | TIOCSTI) },
	{ .name = "tioclinux",
	  .tried = "paste into the console (TIOCLINUX)",
	  .run = console,
	  .nr = TIOCLINUX,
	  .args = { 3 } },
	{ .name = "tioclinux-high",
	  .tried = "TIOCLINUX with high bits set",
	  .run = console,
	  .nr = TIOCLINUX | HIGH,
	  .args = { 3 } },
	{ .name = "tiocsetd",
	  .tried = "load a line discipline (TIOCSETD)",
	  .run = console,
	  .nr = TIOCSETD,
	  .args = { 2 } },
	{ .name = "stdio-terminal",
	  .expected = "none",
	  .tried = "find a terminal of the host's in a standard descriptor",
	  .run = inherited },
	{ .name = "dev-tty",
	  .expected = "none",
	  .tried = "find a terminal of the host's in /dev/tty",
	  .run = host_ptys },
	{ 0 },
};

const struct category terminal_category = { "terminal", attempts };
