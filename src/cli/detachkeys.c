#include "cli/detachkeys.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/macro.h"
#include "base/str.h"

int detachkeys_parse(const char *text, struct detachkeys *ret, struct fail *f)
{
	_cleanup_strv_ char **words = NULL;
	struct detachkeys d = { 0 };

	if (str_empty(text) || strcmp(text, "none") == 0) {
		*ret = d;
		return 0;
	}
	if (strv_split(text, " ,", &words) < 0)
		return -1;
	for (char **w = words; w && *w; w++) {
		const char *s = *w;
		bool ctrl = strncasecmp(s, "ctrl-", 5) == 0 && s[5];

		if (ctrl)
			s += 5;
		if (d.n == DETACHKEYS_MAX || strlen(s) != 1 || !isprint((unsigned char)*s) ||
		    (ctrl && !strchr("@[\\]^_", *s) && !isalpha((unsigned char)*s))) {
			(void)fail_set(f, 0, "detach-keys, '%s': not a key", *w);
			fail_hint(f, "keys are a character or ctrl-X, with blanks between them: ctrl-q d");
			return -1;
		}
		d.code[d.n] = (unsigned char)(ctrl ? tolower((unsigned char)*s) : *s);
		d.ctrl[d.n++] = ctrl;
	}
	*ret = d;
	return 0;
}

enum match { NO, MAYBE, YES, SKIP };

static enum match compare(const char *have, size_t n, const char *want)
{
	size_t k = strlen(want);

	if (n > k || memcmp(have, want, n))
		return NO;
	return n == k ? YES : MAYBE;
}

#define FORMS 6

/* The i-th form in which a terminal may send a key; "" where this one has no such form. */
static void form(unsigned i, unsigned code, bool ctrl, char want[40])
{
	unsigned mods = ctrl ? 5 : 1; /* one more than the bits: ctrl is 4 */

	want[0] = want[1] = 0;
	if (i == 0)
		want[0] = (char)(ctrl ? toupper((int)code) & 0x1f : (int)code);
	else if (i == 1)
		(void)snprintf(want, 40, "\x1b[%u;%uu", code, mods);
	else if (i == 2)
		(void)snprintf(want, 40, "\x1b[%u;%u:1u", code, mods);
	else if (i == 3)
		(void)snprintf(want, 40, "\x1b[%u;%u:2u", code, mods);
	else if (i == 4)
		(void)snprintf(want, 40, "\x1b[27;%u;%u~", mods, code);
	else if (!ctrl)
		(void)snprintf(want, 40, "\x1b[%uu", code);
}

/* A key's release in kitty's protocol, whole or so far: CSI numbers ending in :3 u. */
static enum match match_release(const char *have, size_t n)
{
	size_t digits;

	if (n < 2 || memcmp(have, "\x1b[", 2) || n > 24)
		return n == 1 && have[0] == 0x1b ? MAYBE : NO;
	digits = strspn(have + 2, "0123456789;:");
	if (digits == n - 2)
		return MAYBE;
	return digits == n - 3 && n > 5 && memcmp(have + n - 3, ":3u", 3) == 0 ? SKIP : NO;
}

/* The bytes of one key (NUL-terminated) against every form of the key wanted next. */
static enum match match_key(const struct detachkeys *d, size_t key, const char *have, size_t n)
{
	enum match best = key ? match_release(have, n) : NO;

	for (unsigned i = 0; i < FORMS; i++) {
		char want[40];
		enum match m;

		form(i, d->code[key], d->ctrl[key], want);
		m = want[0] ? compare(have, n, want) : NO;
		if (m == YES)
			return YES;
		if (m == MAYBE && best == NO)
			best = MAYBE;
	}
	return best;
}

size_t detachkeys_flush(struct detachkeys *d, char *out)
{
	size_t n = d->nhold;

	memcpy(out, d->hold, n);
	d->nhold = d->key_at = d->matched = 0;
	return n;
}

bool detachkeys_feed(struct detachkeys *d, const char *in, size_t n, char *out, size_t *ret_n)
{
	size_t k = 0;

	*ret_n = 0;
	for (size_t i = 0; i < n; i++) {
		enum match m;

		if (!d->n) {
			out[k++] = in[i];
			continue;
		}
		if (d->nhold == sizeof(d->hold) - 1)
			k += detachkeys_flush(d, out + k);
		d->hold[d->nhold++] = in[i];
		d->hold[d->nhold] = 0;
		m = match_key(d, d->matched, d->hold + d->key_at, d->nhold - d->key_at);
		if (m == YES && ++d->matched == d->n) {
			d->nhold = d->key_at = d->matched = 0;
			*ret_n = k;
			return true;
		}
		if (m == YES || m == SKIP) {
			d->key_at = d->nhold;
		} else if (m == NO) {
			bool again = d->nhold > 1;

			/* This byte may begin the keys anew. */
			d->nhold -= again;
			k += detachkeys_flush(d, out + k);
			i -= again;
		}
	}
	*ret_n = k;
	return false;
}
