/* A table is kept whole and laid out when it is printed: each column as wide as its widest cell; where the terminal
 * is narrower, the flexible columns (else the last) give up what is missing, down to MIN_WIDTH. */
#include "report/table.h"

#include <errno.h>
#include <locale.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "base/buf.h"
#include "base/str.h"

#define GAP	  2
#define MIN_WIDTH 6

struct table {
	size_t columns, rows;
	char **cells; /* the headings, then row by row */
	bool *right, *flexible;
	int error;
};

struct table *table_new(const char *const *headings)
{
	struct table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	while (headings[t->columns])
		t->columns++;
	t->right = calloc(t->columns + 1, sizeof(bool));
	t->flexible = calloc(t->columns + 1, sizeof(bool));
	if (!t->right || !t->flexible || table_row(t, headings) < 0)
		return table_free(t);
	t->rows = 0;
	return t;
}

struct table *table_free(struct table *t)
{
	if (!t)
		return NULL;
	for (size_t i = 0; t->cells && i < (t->rows + 1) * t->columns; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t->right);
	free(t->flexible);
	free(t);
	return NULL;
}

void table_align_right(struct table *t, size_t column)
{
	t->right[column] = true;
}

void table_flexible(struct table *t, size_t column)
{
	t->flexible[column] = true;
}

size_t table_rows(const struct table *t)
{
	return t->rows;
}

int table_row(struct table *t, const char *const *cells)
{
	/* the first call, from table_new, has no rows and no cells yet: it sets the headings */
	size_t at = t->cells ? (t->rows + 1) * t->columns : 0;
	char **p = reallocarray(t->cells, at + t->columns + 1, sizeof(char *));

	if (!p)
		return t->error = -ENOMEM;
	t->cells = p;
	for (size_t i = 0; i < t->columns; i++) {
		const char *cell = cells[i] ? cells[i] : "-";

		p[at + i] = str_printable(cell, strlen(cell));
		if (p[at + i])
			continue;
		while (i)
			free(p[at + --i]);
		if (!at) {
			free(t->cells);
			t->cells = NULL;
		}
		return t->error = -ENOMEM;
	}
	if (at)
		t->rows++;
	return 0;
}

/* The first character of s: its bytes, and its columns. */
static size_t next_char(const char *s, size_t *ret_columns)
{
	mbstate_t st = { 0 };
	wchar_t c;
	size_t k = mbrtowc(&c, s, strlen(s), &st);
	int w;

	if (k == 0 || k == (size_t)-1 || k == (size_t)-2) {
		/* a locale that is not UTF-8: count characters by their first bytes */
		k = 1;
		while (((unsigned char)s[k] & 0xc0) == 0x80)
			k++;
		*ret_columns = 1;
		return k;
	}
	w = wcwidth(c);
	*ret_columns = w < 0 ? 1 : (size_t)w;
	return k;
}

size_t report_columns(const char *s)
{
	size_t n = 0, w;

	while (*s) {
		s += next_char(s, &w);
		n += w;
	}
	return n;
}

/* s in exactly width columns: padded, or its middle replaced by "...". */
static void put_cell(struct buf *b, const char *s, size_t width, bool right, bool last)
{
	size_t have = report_columns(s), head, tail, n = 0, w;

	if (have <= width) {
		buf_printf(b, "%*s%s%*s", right ? (int)(width - have) : 0, "", s,
			   right || last ? 0 : (int)(width - have), "");
		return;
	}
	head = (width - 3 + 1) / 2;
	tail = width - 3 - head;
	for (size_t k; *s; s += k, n += w) {
		k = next_char(s, &w);
		if (n + w > head)
			break;
		buf_put(b, s, k);
	}
	buf_puts(b, "...");
	w = n;
	while (report_columns(s) > tail) {
		size_t skip;

		s += next_char(s, &skip);
	}
	buf_printf(b, "%s%*s", s, last ? 0 : (int)(width - w - 3 - report_columns(s)), "");
}

static void fit(const struct table *t, size_t *widths, size_t limit)
{
	size_t total = 0;

	for (size_t c = 0; c < t->columns; c++)
		total += widths[c] + (c ? GAP : 0);
	for (int pass = 0; pass < 2 && total > limit; pass++) {
		for (size_t c = t->columns; c-- > 0 && total > limit;) {
			size_t give;

			if ((pass == 0 && !t->flexible[c]) || widths[c] <= MIN_WIDTH)
				continue;
			give = MIN(widths[c] - MIN_WIDTH, total - limit);
			widths[c] -= give;
			total -= give;
		}
	}
}

int table_print(const struct table *t, FILE *out)
{
	_cleanup_free_ size_t *widths = calloc(t->columns + 1, sizeof(*widths));
	int fd = fileno(out);
	size_t limit = fd >= 0 ? report_width(fd) : 0;
	bool bold = fd >= 0 && report_color(fd);

	if (t->error || !widths)
		return -ENOMEM;
	/* here and not in main(): it costs more than the rest of a start, and only tables measure text */
	(void)setlocale(LC_CTYPE, "");
	for (size_t i = 0; i < (t->rows + 1) * t->columns; i++)
		widths[i % t->columns] = MAX(widths[i % t->columns], report_columns(t->cells[i]));
	if (limit)
		fit(t, widths, limit);
	for (size_t r = 0; r <= t->rows; r++) {
		_cleanup_buf_ struct buf b = BUF_INIT(1U << 20);

		for (size_t c = 0; c < t->columns; c++) {
			bool last = c + 1 == t->columns;

			put_cell(&b, t->cells[r * t->columns + c], widths[c], t->right[c], last);
			if (!last)
				buf_puts(&b, "  ");
		}
		if (b.error)
			return b.error;
		if (fprintf(out, "%s%s%s\n", bold && r == 0 ? "\033[1m" : "", buf_cstr(&b),
			    bold && r == 0 ? "\033[0m" : "") < 0)
			return -errno;
	}
	return 0;
}

bool report_color(int fd)
{
	const char *term = getenv("TERM");

	return str_empty(getenv("NO_COLOR")) && !str_empty(term) && strcmp(term, "dumb") && isatty(fd);
}

unsigned report_width(int fd)
{
	struct winsize ws;
	const char *env = getenv("COLUMNS");
	uint64_t n;

	if (!isatty(fd))
		return 0;
	if (env && str_to_u64(env, &n) == 0 && n > 0 && n < 10000)
		return (unsigned)n;
	if (ioctl(fd, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 0)
		return ws.ws_col;
	return 80;
}

static _printf_(1, 2) char *format(const char *fmt, ...)
{
	va_list ap;
	char *s = NULL;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return n < 0 ? NULL : s;
}

char *report_bytes(uint64_t n)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double v = (double)n;
	size_t i = 0;

	while (v >= 1024 && i + 1 < ARRAY_SIZE(units)) {
		v /= 1024;
		i++;
	}
	return i == 0 ? format("%llu B", (unsigned long long)n) : format("%.1f %s", v, units[i]);
}

char *report_span(uint64_t ms)
{
	unsigned long long s = ms / 1000;

	if (ms < 1000)
		return format("%llums", (unsigned long long)ms);
	if (s < 60)
		return format("%llus", s);
	if (s < 3600)
		return format("%llum %llus", s / 60, s % 60);
	if (s < 86400)
		return format("%lluh %llum", s / 3600, s / 60 % 60);
	return format("%llud %lluh", s / 86400, s / 3600 % 24);
}

char *report_time(int64_t ms)
{
	time_t t = ms / 1000;
	char text[64];
	struct tm tm;

	if (!localtime_r(&t, &tm) || !strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm))
		return format("%lld", (long long)t);
	return strdup(text);
}

char *report_time_iso(int64_t ms)
{
	time_t t = ms / 1000;
	char text[64];
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm))
		return format("%lld", (long long)t);
	return format("%s.%03dZ", text, (int)(ms % 1000));
}
