/* What a sandbox writes to the user's terminal. The bytes are hostile: the filter lets through what programs need
 * (text, colours, cursor, modes, titles, questions about the terminal) and takes out what reaches beyond the screen:
 * the clipboard (OSC 52), reports that can be made to contain chosen text (titles, answerback, checksums of the
 * screen), printing, window manipulation, files (kitty's and iTerm2's protocols), pass-through to an outer terminal
 * (tmux, screen), 8-bit controls in any disguise. It also keeps in mind which modes are on, so that the terminal can be
 * put back in order when the user leaves.
 *
 * A byte automaton of fixed size: no allocation, no descriptors, no recursion, each input byte is looked at once. It is
 * therefore safe enough to run in the client and in the supervisor. Sequences: ECMA-48, xterm's ctlseqs, DEC STD 070;
 * parser after vt100.net's state diagram (Williams). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TERMFILTER_HOLD 96 /* bytes of a sequence kept back until it is understood; longer ones are dropped */

struct termfilter {
	uint8_t state, utf8_left, string_kind;
	bool string_drop, string_decided, string_asks; /* asks: a "?" in it is a question */
	bool replay;	   /* questions are taken out, too: nobody waits for the answers */
	uint8_t nhold;
	char hold[TERMFILTER_HOLD];
	uint8_t nwide;
	char wide[4]; /* a character beyond ASCII, until it is whole */

	uint32_t modes;	   /* bits of the table in termfilter.c */
	uint8_t kitty;	   /* entries pushed on the keyboard protocol's stack */
	bool modify_keys, keypad, charset, colors, title, cursor_style, palette, margins;
	uint32_t questions; /* asked so far: answers may still be on their way */
	uint32_t refused;   /* sequences taken out (not counting replay) */
};

void termfilter_init(struct termfilter *t);

/* Filters n bytes into out, which has room for TERMFILTER_ROOM(n) bytes; returns the count written. */
#define TERMFILTER_ROOM(n) (2 * (n) + TERMFILTER_HOLD + 8)
size_t termfilter_run(struct termfilter *t, const void *in, size_t n, char *out);
/* Only keeps the modes in mind. */
void termfilter_track(struct termfilter *t, const void *in, size_t n);

#define TERMFILTER_RESTORE_MAX 512
/* The bytes that end a half-written sequence and switch off whatever is on (also title and colours). Returns the
 * count. out: TERMFILTER_RESTORE_MAX. The filter is as new afterwards but for its counts. */
size_t termfilter_restore(struct termfilter *t, char *out);
/* The bytes that switch on in a fresh terminal what is on here: for who attaches late. Same room. */
size_t termfilter_assert(const struct termfilter *t, char *out);
