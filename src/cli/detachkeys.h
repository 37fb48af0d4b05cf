/* The keys that detach: "ctrl-q d" in the words of the option detach-keys, found in what the terminal sends. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/fail.h"

#define DETACHKEYS_MAX	8
#define DETACHKEYS_HOLD 128

struct detachkeys {
	unsigned char code[DETACHKEYS_MAX]; /* the key without Ctrl */
	bool ctrl[DETACHKEYS_MAX];
	size_t n;

	size_t matched;		  /* keys seen so far */
	char hold[DETACHKEYS_HOLD]; /* their bytes, and the bytes of the key that is being read */
	size_t nhold, key_at;
};

/* Blank-separated keys: a character, or ctrl-X. "" or "none": no such keys. -EINVAL. */
int detachkeys_parse(const char *text, struct detachkeys *ret, struct fail *f);

/* Takes what the terminal sent; writes to out (room for n + DETACHKEYS_HOLD) what is to be passed on, *ret_n bytes.
 * True: the keys were pressed; what follows them is dropped. Keys arrive as bytes or in the forms of kitty's keyboard
 * protocol (CSI u) and xterm's modifyOtherKeys, where a program inside asked for those. */
bool detachkeys_feed(struct detachkeys *d, const char *in, size_t n, char *out, size_t *ret_n);
/* Keys are held back: after a pause they are to be flushed. */
static inline bool detachkeys_pending(const struct detachkeys *d)
{
	return d->nhold > 0;
}
size_t detachkeys_flush(struct detachkeys *d, char *out);
