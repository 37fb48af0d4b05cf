#include "cli/tty.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

#define ANSWERS_MS   3000 /* a question older than this has been answered, or never will be */
#define FENCE_MS     1500 /* for the first of them */
#define FENCE_MAX_MS 5000 /* for all of them, while they come */
#define QUIET_MS     120  /* without a byte: that was the last */

long long tty_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void tty_open(struct tty *t)
{
	const char *term = getenv("TERM");

	*t = (struct tty){ .in = 0, .out = 1 };
	t->in_is_tty = isatty(0) == 1;
	t->out_is_tty = isatty(1) == 1;
	t->sequences = t->out_is_tty && !str_empty(term) && strcmp(term, "dumb");
	termfilter_init(&t->filter);
}

void tty_raw(struct tty *t)
{
	struct termios raw;

	if (t->raw || !t->in_is_tty || tcgetattr(t->in, &t->saved) < 0)
		return;
	raw = t->saved;
	cfmakeraw(&raw);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(t->in, TCSADRAIN, &raw) < 0)
		return;
	t->raw = true;
	if (t->sequences)
		(void)fd_write_all(t->out, "\x1b[22;0t", 7);
}

/* Does the byte end an answer to a device attributes question, CSI ? ... c? */
static bool attributes_end(int *state, char c)
{
	if (c == 0x1b)
		*state = 1;
	else if (*state == 1)
		*state = c == '[' ? 2 : 0;
	else if (*state == 2)
		*state = c == '?' ? 3 : 0;
	else if (*state == 3 && c == 'c')
		return true;
	else if (*state == 3 && !strchr("0123456789;", c))
		*state = 0;
	return false;
}

/* Reads and forgets the answers that are still to come. Ours comes after all others; but the sandbox may have asked the
 * same question, so that the first such answer need not be ours: after it, until nothing comes for a while. */
static void fence(struct tty *t)
{
	long long end = tty_now_ms() + FENCE_MS, left;
	bool answered = false;
	int state = 0;

	if (fd_write_all(t->out, "\x1b[c", 3) < 0)
		return;
	while ((left = end - tty_now_ms()) > 0) {
		struct pollfd p = { .fd = t->in, .events = POLLIN };
		char bytes[256];
		ssize_t n;

		if (poll(&p, 1, answered ? QUIET_MS : (int)left) <= 0) {
			if (answered)
				return;
			continue;
		}
		n = read(t->in, bytes, sizeof(bytes));
		if (n <= 0)
			return;
		for (ssize_t i = 0; i < n; i++)
			if (attributes_end(&state, bytes[i]) && !answered) {
				answered = true;
				end = tty_now_ms() + FENCE_MAX_MS;
			}
	}
}

void tty_restore(struct tty *t)
{
	char bytes[TERMFILTER_RESTORE_MAX];
	bool asked = t->filter.questions && tty_now_ms() - t->asked_ms < ANSWERS_MS;
	void (*old)(int);

	if (t->sequences) {
		size_t n = termfilter_restore(&t->filter, bytes);

		(void)fd_write_all(t->out, bytes, n);
		if (t->raw)
			(void)fd_write_all(t->out, "\x1b[23;0t", 7);
	}
	if (!t->raw)
		return;
	if (asked && t->sequences)
		fence(t);
	/* From the background, too, where tcsetattr(3) would stop us. */
	old = signal(SIGTTOU, SIG_IGN);
	(void)tcsetattr(t->in, asked ? TCSAFLUSH : TCSADRAIN, &t->saved);
	(void)signal(SIGTTOU, old);
	t->raw = false;
	t->filter.questions = 0;
}

void tty_size(const struct tty *t, unsigned *ret_rows, unsigned *ret_cols)
{
	const int fds[] = { t->out, t->in, 2 };
	struct winsize ws = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		if (ioctl(fds[i], TIOCGWINSZ, &ws) < 0 || !ws.ws_row || !ws.ws_col)
			continue;
		*ret_rows = ws.ws_row;
		*ret_cols = ws.ws_col;
		return;
	}
	*ret_rows = *ret_cols = 0;
}
