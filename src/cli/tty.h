/* The user's own terminal: raw while a session is shown, always put back. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

#include "wire/termfilter.h"

struct tty {
	int in, out;	    /* 0 and 1 */
	bool in_is_tty, out_is_tty;
	bool raw;
	bool sequences;	    /* the terminal understands escape sequences: TERM is not dumb */
	struct termios saved;
	struct termfilter filter;
	long long asked_ms; /* when the session last asked the terminal something (CLOCK_MONOTONIC) */
};

void tty_open(struct tty *t);
/* Raw mode (and the title put aside); nothing where standard input is no terminal. */
void tty_raw(struct tty *t);
/* Undoes everything the session left: modes, title, raw mode. Where answers to a session's questions may still be on
 * their way, waits for them (bounded) and throws them away, so that they are not typed into the user's shell. */
void tty_restore(struct tty *t);
/* The size: 0 and 0 where nothing has one. */
void tty_size(const struct tty *t, unsigned *ret_rows, unsigned *ret_cols);
long long tty_now_ms(void);
