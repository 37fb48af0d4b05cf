#include "wire/termfilter.h"

#include <stdio.h>
#include <string.h>

#include "base/macro.h"

enum state {
	GROUND,
	ESCAPE,	   /* after ESC */
	ESC_INTER, /* ESC with intermediates 0x20..0x2f */
	CSI,	   /* ESC [ ... */
	STRING,	   /* after ESC ] P _ ^ X k, up to ST (or BEL for OSC) */
	STRING_ESC, /* ESC within a string: ST if \ follows */
};

/* Private modes (DECSET) that are switched off at the end, or back on where off is the odd state. */
static const struct {
	uint16_t mode;
	bool normal_on;
} mode_table[] = {
	{ 1, false },	 { 3, false },	  { 5, false },	   { 6, false },    { 7, true },	{ 9, false },	{ 25, true },
	{ 45, false },	 { 47, false },	  { 66, false },   { 69, false },   { 1000, false }, { 1001, false },
	{ 1002, false }, { 1003, false }, { 1004, false }, { 1005, false }, { 1006, false }, { 1007, false },
	{ 1015, false }, { 1016, false }, { 1047, false }, { 1049, false }, { 2004, false }, { 2026, false },
	{ 2027, false }, { 2031, false }, { 2048, false }, { 9001, false }, { 12, false },
};
_Static_assert(ARRAY_SIZE(mode_table) <= 32, "modes are bits of a u32");

void termfilter_init(struct termfilter *t)
{
	*t = (struct termfilter){ .state = GROUND };
}

struct sink {
	char *out; /* NULL: nothing is kept */
	size_t n;
};

static void emit(struct sink *k, const char *p, size_t n)
{
	if (k->out) {
		memcpy(k->out + k->n, p, n);
		k->n += n;
	}
}

static void hold(struct termfilter *t, char c)
{
	if (t->nhold < TERMFILTER_HOLD)
		t->hold[t->nhold++] = c;
}

static void begin(struct termfilter *t)
{
	t->nhold = 0;
	hold(t, 0x1b);
	t->state = ESCAPE;
}

static void drop(struct termfilter *t)
{
	t->refused++;
	t->nhold = 0;
	t->state = GROUND;
}

static void pass(struct termfilter *t, struct sink *k)
{
	emit(k, t->hold, t->nhold);
	t->nhold = 0;
	t->state = GROUND;
}

/* A question: the terminal will type an answer. */
static void ask(struct termfilter *t, struct sink *k)
{
	if (t->replay) {
		t->nhold = 0;
		t->state = GROUND;
		return;
	}
	t->questions++;
	pass(t, k);
}

static void set_mode(struct termfilter *t, unsigned mode, bool on)
{
	for (size_t i = 0; i < ARRAY_SIZE(mode_table); i++) {
		if (mode_table[i].mode != mode)
			continue;
		if (on != mode_table[i].normal_on)
			t->modes |= 1U << i;
		else
			t->modes &= ~(1U << i);
	}
}

/* The parameters of the CSI sequence in hold, from at: numbers up to 65535, -1 where empty. */
static size_t params(const struct termfilter *t, size_t at, int v[16])
{
	size_t n = 0;

	v[0] = -1;
	for (size_t i = at; i < t->nhold; i++) {
		char c = t->hold[i];

		if (c >= '0' && c <= '9') {
			v[n] = v[n] < 0 ? c - '0' : v[n] * 10 + (c - '0');
			if (v[n] > 65535)
				v[n] = 65535;
		} else if (c == ';') {
			if (n == 15)
				break;
			v[++n] = -1;
		} else {
			break;
		}
	}
	return n + 1;
}

static void soft_reset(struct termfilter *t)
{
	t->modes = 0;
	t->modify_keys = t->keypad = t->charset = t->margins = false;
}

/* CSI ... t: sizes may be asked (14 16 18 19) and titles pushed and popped (22 23); moving, resizing, iconifying the
 * window and reporting its title may not. */
static void window_op(struct termfilter *t, struct sink *k, const int v[16])
{
	if (v[0] == 22 || v[0] == 23)
		pass(t, k);
	else if (v[0] == 14 || v[0] == 16 || v[0] == 18 || v[0] == 19)
		ask(t, k);
	else
		drop(t);
}

static void csi_private(struct termfilter *t, struct sink *k, char final, char inter)
{
	int v[16];
	size_t n = params(t, 3, v);

	if (inter == '$' && final == 'p') {
		ask(t, k);
	} else if (inter) {
		pass(t, k);
	} else if (final == 'h' || final == 'l') {
		for (size_t i = 0; i < n; i++)
			set_mode(t, (unsigned)v[i], final == 'h');
		pass(t, k);
	} else if (final == 'n' || final == 'u' || final == 'S' || final == 'c') {
		ask(t, k);
	} else if (final == 'i') {
		drop(t);
	} else {
		pass(t, k);
	}
}

/* CSI > ... and CSI < ..., CSI = ...: keyboard protocols, version and device questions. */
static void csi_extended(struct termfilter *t, struct sink *k, char prefix, char final)
{
	int v[16];

	(void)params(t, 3, v);
	if (final == 'c' || final == 'q') {
		ask(t, k);
		return;
	}
	if (final == 'u') {
		if (prefix == '>' && t->kitty < 200)
			t->kitty++;
		else if (prefix == '=' && !t->kitty)
			t->kitty = 1;
		else if (prefix == '<')
			t->kitty = (uint8_t)(t->kitty - MIN((int)t->kitty, v[0] > 0 ? v[0] : 1));
	} else if (prefix == '>' && (final == 'm' || final == 'n')) {
		t->modify_keys = true;
	} else if (final == 't' || final == 'T') {
		drop(t); /* title modes: hex reports */
		return;
	}
	pass(t, k);
}

static void csi_end(struct termfilter *t, struct sink *k, char final)
{
	char prefix = t->nhold > 2 && t->hold[2] >= 0x3c && t->hold[2] <= 0x3f ? t->hold[2] : 0;
	char inter = 0;
	int v[16];

	for (size_t i = 2; i < t->nhold; i++)
		if (t->hold[i] >= 0x20 && t->hold[i] <= 0x2f)
			inter = t->hold[i];
	hold(t, final);
	(void)params(t, 2, v);
	if (prefix == '?') {
		csi_private(t, k, final, inter);
	} else if (prefix) {
		csi_extended(t, k, prefix, final);
	} else if (inter == '*' && final == 'y') {
		drop(t); /* DECRQCRA: a checksum of what is on the screen */
	} else if ((inter == '$' && (final == 'p' || final == 'w')) || (inter == '&' && final == 'u')) {
		ask(t, k);
	} else if (inter == '$' || inter == '*' || inter == '"' || inter == '#') {
		pass(t, k);
	} else if (inter == ' ' && final == 'q') {
		t->cursor_style = true;
		pass(t, k);
	} else if (inter == '!' && final == 'p') {
		soft_reset(t);
		pass(t, k);
	} else if (inter) {
		inter == ' ' || inter == '\'' ? pass(t, k) : drop(t);
	} else if (final == 'c' || final == 'n' || final == 'x') {
		ask(t, k);
	} else if (final == 't') {
		window_op(t, k, v);
	} else if (final == 'i' || final == ']') {
		drop(t); /* printing; the Linux console's own settings */
	} else {
		if (final == 'm')
			t->colors = true;
		else if (final == 'r')
			t->margins = true;
		pass(t, k);
	}
}

static void escape(struct termfilter *t, struct sink *k, char c)
{
	switch (c) {
	case '[':
		hold(t, c);
		t->state = CSI;
		return;
	case ']': case 'P': case '_': case '^': case 'X': case 'k':
		hold(t, c);
		t->state = STRING;
		t->string_kind = (uint8_t)c;
		t->string_decided = false;
		t->string_drop = t->string_asks = false;
		return;
	case 'Z':
		hold(t, c);
		ask(t, k);
		return;
	case 'c':
		hold(t, c);
		soft_reset(t);
		t->kitty = 0;
		pass(t, k);
		return;
	case '=': case '>':
		t->keypad = c == '=';
		break;
	case '\\':
		break;
	default:
		if (c >= 0x20 && c <= 0x2f) {
			hold(t, c);
			t->state = ESC_INTER;
			return;
		}
		if (c < 0x30 || c == 0x7f) {
			drop(t);
			return;
		}
	}
	hold(t, c);
	pass(t, k);
}

static void escape_intermediate(struct termfilter *t, struct sink *k, char c)
{
	if (c >= 0x20 && c <= 0x2f && t->nhold < 8) {
		hold(t, c);
		return;
	}
	/* Which character sets and what # draws is harmless; % leaves UTF-8 and SP changes the form of answers. */
	if (c < 0x30 || c == 0x7f || t->hold[1] == '%' || t->hold[1] == ' ') {
		drop(t);
		return;
	}
	t->charset = true;
	hold(t, c);
	pass(t, k);
}

/* The OSC commands that pass: titles (0 1 2), colours (4 5 10-19, 21 and their resets), directory (7), links (8),
 * notifications and progress (9 99 777), pointer shape (22), text size (66), prompt marks (133). */
static bool osc_allowed(unsigned n)
{
	static const uint16_t list[] = { 0, 1, 2, 4, 5, 7, 8, 9, 21, 22, 66, 99, 104, 105, 133, 777 };

	if ((n >= 10 && n <= 19) || (n >= 110 && n <= 119))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(list); i++)
		if (list[i] == n)
			return true;
	return false;
}

static void osc_note(struct termfilter *t, unsigned n)
{
	if (n <= 2)
		t->title = true;
	else if (n == 4 || n == 5 || (n >= 10 && n <= 21))
		t->palette = true;
	t->string_asks = n == 4 || n == 5 || (n >= 10 && n <= 22) || n == 66 || n == 99;
}

/* Looks at what is held of an OSC: 1 pass, -1 drop, 0 not yet clear. at_end: no more will come. */
static int osc_decide(struct termfilter *t, bool at_end)
{
	unsigned n = 0;
	size_t i = 2;

	for (; i < t->nhold && t->hold[i] >= '0' && t->hold[i] <= '9'; i++)
		if (n < 100000)
			n = n * 10 + (unsigned)(t->hold[i] - '0');
	if (i == t->nhold && !at_end)
		return i - 2 > 6 ? -1 : 0;
	if (i == 2 || !osc_allowed(n) || (i < t->nhold && t->hold[i] != ';'))
		return -1;
	/* ConEmu's OSC 9;N run macros and change settings; 9;4 is progress. */
	if (n == 9) {
		if (t->nhold < i + 3 && !at_end)
			return 0;
		if (t->nhold >= i + 2 && t->hold[i + 1] >= '0' && t->hold[i + 1] <= '9' &&
		    (t->nhold == i + 2 || t->hold[i + 2] == ';' || (t->hold[i + 2] >= '0' && t->hold[i + 2] <= '9')) &&
		    !(t->hold[i + 1] == '4' && t->nhold > i + 2 && t->hold[i + 2] == ';'))
			return -1;
	}
	osc_note(t, n);
	return 1;
}

/* A DCS passes as sixel graphics, a question (DECRQSS, XTGETTCAP) or a synchronized update. */
static int dcs_decide(struct termfilter *t, bool at_end)
{
	size_t i = 2;
	char c;

	while (i < t->nhold && ((t->hold[i] >= '0' && t->hold[i] <= '9') || t->hold[i] == ';'))
		i++;
	if (i == t->nhold)
		return at_end || i > 40 ? -1 : 0;
	c = t->hold[i];
	if (c == 'q')
		return 1;
	if ((c == '$' || c == '+') && i == 2) {
		if (i + 1 == t->nhold)
			return at_end ? -1 : 0;
		return t->hold[i + 1] == 'q' ? 2 : -1;
	}
	if (c == '=' && i == 2) {
		if (t->nhold < 5)
			return at_end ? -1 : 0;
		return (t->hold[3] == '1' || t->hold[3] == '2') && t->hold[4] == 's' ? 1 : -1;
	}
	return -1;
}

static void string_decide(struct termfilter *t, struct sink *k, bool at_end)
{
	int r;

	if (t->string_decided)
		return;
	if (t->string_kind == ']') {
		r = osc_decide(t, at_end);
	} else if (t->string_kind == 'P') {
		r = dcs_decide(t, at_end);
	} else if (t->string_kind == 'k') {
		t->title = true;
		r = 1;
	} else {
		r = -1;
	}
	if (!r)
		return;
	t->string_decided = true;
	t->string_drop = r < 0;
	if (r < 0)
		t->refused++;
	if (r == 2) {
		if (t->replay)
			t->string_drop = true;
		else
			t->questions++;
	}
	if (!t->string_drop)
		emit(k, t->hold, t->nhold);
	t->nhold = 0;
}

/* Collects a character beyond ASCII. 1: it is whole, in wide; 0: not yet; -1: it is none, or a C1 control (raw, encoded
 * or overlong); -2: the one begun is cut off by c, which is still to be looked at. */
static int gather(struct termfilter *t, char c)
{
	unsigned char u = (unsigned char)c, head;

	if (!t->utf8_left) {
		t->nwide = 0;
		if (u < 0xc2 || u > 0xf4)
			return -1;
		t->utf8_left = u >= 0xf0 ? 3 : u >= 0xe0 ? 2 : 1;
		t->wide[t->nwide++] = c;
		return 0;
	}
	if ((u & 0xc0) != 0x80) {
		t->utf8_left = 0;
		return u >= 0x80 ? gather(t, c) : -2;
	}
	head = (unsigned char)t->wide[0];
	t->wide[t->nwide++] = c;
	if (t->nwide == 2 && ((head == 0xc2 && u < 0xa0) || (head == 0xe0 && u < 0xa0) || (head == 0xf0 && u < 0x90))) {
		t->utf8_left = 0;
		return -1;
	}
	return --t->utf8_left == 0;
}

static void string_char(struct termfilter *t, struct sink *k, char c)
{
	if (c == '?' && t->string_asks) {
		if (t->replay)
			return; /* without its question mark it neither asks nor sets */
		t->questions++;
	}
	if (t->string_decided) {
		if (!t->string_drop)
			emit(k, &c, 1);
		return;
	}
	hold(t, c);
	if (t->nhold == TERMFILTER_HOLD) {
		t->string_decided = t->string_drop = true;
		t->refused++;
		t->nhold = 0;
		return;
	}
	string_decide(t, k, false);
}

/* No control belongs into a string, in whatever disguise. */
static void string_byte(struct termfilter *t, struct sink *k, char c)
{
	if (t->utf8_left || (unsigned char)c >= 0x80) {
		int r = gather(t, c);

		for (size_t i = 0; r > 0 && i < t->nwide; i++)
			string_char(t, k, t->wide[i]);
		if (r != -2)
			return;
	}
	if (c != 0x7f)
		string_char(t, k, c);
}

static void string_end(struct termfilter *t, struct sink *k, const char *end, size_t n)
{
	string_decide(t, k, true);
	if (!t->string_drop)
		emit(k, end, n);
	t->nhold = 0;
	t->state = GROUND;
}

/* A string that something else cuts off: the terminal is told so. */
static void string_abort(struct termfilter *t, struct sink *k)
{
	if (t->string_decided && !t->string_drop)
		emit(k, "\x1b\\", 2);
	t->nhold = 0;
	t->state = GROUND;
}

static bool control(struct termfilter *t, struct sink *k, char c)
{
	switch (c) {
	case 0x1b:
		if (t->state == STRING) {
			t->state = STRING_ESC;
			return true;
		}
		begin(t);
		return true;
	case 0x18: case 0x1a: /* CAN, SUB */
		if (t->state == STRING)
			string_abort(t, k);
		t->nhold = 0;
		t->state = GROUND;
		return true;
	default:
		break;
	}
	if (t->state == STRING) {
		if (c == '\a' && t->string_kind == ']')
			string_end(t, k, "\a", 1);
		return true;
	}
	/* Within a sequence they act at once (ECMA-48 leaves it open; every terminal does so). */
	if ((c >= '\a' && c <= '\r') || c == 0x0e || c == 0x0f) {
		if (c == 0x0e)
			t->charset = true;
		emit(k, &c, 1);
	}
	return true;
}

/* Text: valid UTF-8 passes; C1 controls, raw or encoded (C2 80..9F), and stray bytes become '?'. */
static void ground(struct termfilter *t, struct sink *k, char c)
{
	if (t->utf8_left || (unsigned char)c >= 0x80) {
		int r = gather(t, c);

		if (r > 0)
			emit(k, t->wide, t->nwide);
		else if (r < 0)
			emit(k, "?", 1);
		if (r != -2)
			return;
	}
	if (c != 0x7f)
		emit(k, &c, 1);
}

static void csi_byte(struct termfilter *t, struct sink *k, char c)
{
	unsigned char u = (unsigned char)c;

	if (u >= 0x40 && u <= 0x7e) {
		if (t->nhold >= TERMFILTER_HOLD - 1)
			drop(t);
		else
			csi_end(t, k, c);
	} else if (u >= 0x80 || u == 0x7f) {
		drop(t);
	} else {
		hold(t, c);
	}
}

static void step(struct termfilter *t, struct sink *k, char c)
{
	unsigned char u = (unsigned char)c;

	if (t->state == STRING_ESC) {
		if (c == '\\') {
			string_end(t, k, "\x1b\\", 2);
			return;
		}
		string_abort(t, k);
		begin(t);
	}
	if (u < 0x20) {
		if (t->utf8_left && t->state == GROUND)
			emit(k, "?", 1);
		t->utf8_left = 0;
		control(t, k, c);
		return;
	}
	switch ((enum state)t->state) {
	case GROUND:
		ground(t, k, c);
		return;
	case ESCAPE:
		if (u >= 0x80)
			drop(t);
		else
			escape(t, k, c);
		return;
	case ESC_INTER:
		if (u >= 0x80)
			drop(t);
		else
			escape_intermediate(t, k, c);
		return;
	case CSI:
		csi_byte(t, k, c);
		return;
	case STRING:
		string_byte(t, k, c);
		return;
	case STRING_ESC:
		return;
	}
}

size_t termfilter_run(struct termfilter *t, const void *in, size_t n, char *out)
{
	struct sink k = { .out = out };

	for (size_t i = 0; i < n; i++)
		step(t, &k, ((const char *)in)[i]);
	return k.n;
}

void termfilter_track(struct termfilter *t, const void *in, size_t n)
{
	struct sink k = { 0 };

	for (size_t i = 0; i < n; i++)
		step(t, &k, ((const char *)in)[i]);
}

static size_t put(char *out, size_t n, const char *s)
{
	size_t k = strlen(s);

	if (n + k > TERMFILTER_RESTORE_MAX)
		return n;
	memcpy(out + n, s, k);
	return n + k;
}

static size_t put_modes(const struct termfilter *t, char *out, size_t n, bool restore)
{
	for (size_t i = 0; i < ARRAY_SIZE(mode_table); i++) {
		char s[16];

		if (!(t->modes & (1U << i)))
			continue;
		(void)snprintf(s, sizeof(s), "\x1b[?%u%c", mode_table[i].mode, restore == mode_table[i].normal_on ? 'h' : 'l');
		n = put(out, n, s);
	}
	return n;
}

size_t termfilter_restore(struct termfilter *t, char *out)
{
	uint32_t questions = t->questions, refused = t->refused;
	bool replay = t->replay;
	size_t n = 0;

	/* What was cut off: a string that passed so far is ended, anything else was held back. */
	if ((t->state == STRING || t->state == STRING_ESC) && t->string_decided && !t->string_drop)
		n = put(out, n, "\x1b\\");
	n = put_modes(t, out, n, true);
	for (unsigned i = 0; i < t->kitty && i < 8; i++)
		n = put(out, n, "\x1b[<u");
	if (t->kitty > 8)
		n = put(out, n, "\x1b[<99u");
	if (t->modify_keys)
		n = put(out, n, "\x1b[>4m");
	if (t->keypad)
		n = put(out, n, "\x1b>");
	if (t->charset)
		n = put(out, n, "\x1b(B\x0f");
	if (t->margins)
		n = put(out, n, "\x1b" "7\x1b[r\x1b" "8");
	if (t->palette)
		n = put(out, n, "\x1b]104\x1b\\\x1b]110\x1b\\\x1b]111\x1b\\\x1b]112\x1b\\");
	if (t->cursor_style)
		n = put(out, n, "\x1b[0 q");
	n = put(out, n, "\x1b[0m");
	termfilter_init(t);
	t->questions = questions;
	t->refused = refused;
	t->replay = replay;
	return n;
}

size_t termfilter_assert(const struct termfilter *t, char *out)
{
	size_t n = put_modes(t, out, 0, false);

	for (unsigned i = 0; i < t->kitty && i < 8; i++)
		n = put(out, n, "\x1b[>1u");
	if (t->keypad)
		n = put(out, n, "\x1b=");
	return n;
}
