/* libinih splits lines into names and values. It is fed line by line from a string, because it cuts what it finds
 * too long and knows no positions: the reader here refuses overlong lines and control characters, and takes the
 * section headers for itself (inih keeps 50 bytes of them). Two of inih's customs, which depend on how it was
 * built, are kept out: a line that begins with blanks is no continuation (its blanks are dropped), and a ';' within
 * a line begins no comment (it passes as the byte 0x01, which a file cannot hold). */
#include "policy/config-ini.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "policy/option.h"

#define SEMICOLON '\x01'
#define NAME_MAX_LEN 256

struct reader {
	const char *file;
	const char *at, *end;
	unsigned line;
	char *section; /* "network", or NULL before any */
	char *project;
	int (*fn)(void *user, const struct config_line *l, struct fail *f);
	void *user;
	struct fail *f;
	int r; /* the first error */
};

/* The line at *at (without its end), stepping over it; false at the end of the text. */
static bool take_line(const char **at, const char *end, const char **ret_line, size_t *ret_n)
{
	const char *nl;

	if (*at >= end)
		return false;
	nl = memchr(*at, '\n', (size_t)(end - *at));
	*ret_line = *at;
	*ret_n = (size_t)((nl ? nl : end) - *at);
	*at = nl ? nl + 1 : end;
	if (*ret_n && (*ret_line)[*ret_n - 1] == '\r')
		--*ret_n;
	return true;
}

static const char *skip_blanks(const char *s, size_t *n)
{
	while (*n && (*s == ' ' || *s == '\t')) {
		s++;
		--*n;
	}
	while (*n && (s[*n - 1] == ' ' || s[*n - 1] == '\t'))
		--*n;
	return s;
}

static bool section_exists(const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < OPT__COUNT; i++)
		if (strncmp(option_table[i].name, name, n) == 0 && option_table[i].name[n] == '.')
			return true;
	return false;
}

/* project "PATH" in a section header, with \" and \\ for these two. NULL: not of that form. */
static char *project_path(const char *s, size_t n)
{
	_cleanup_buf_ struct buf b = BUF_INIT(n);

	if (n < 9 || memcmp(s, "project", 7) || (s[7] != ' ' && s[7] != '\t'))
		return NULL;
	s += 7;
	n -= 7;
	s = skip_blanks(s, &n);
	if (n < 3 || s[0] != '"' || s[n - 1] != '"')
		return NULL;
	for (size_t i = 1; i < n - 1; i++) {
		if (s[i] == '"' || (s[i] == '\\' && ++i == n - 1))
			return NULL;
		buf_putc(&b, s[i]);
	}
	return b.error ? NULL : TAKE_PTR(b.data);
}

/* "[section]": sets where the settings that follow belong. */
static int read_section(struct reader *rd, const char *s, size_t n)
{
	_cleanup_free_ char *name = NULL, *project = NULL;

	if (n < 3 || s[n - 1] != ']')
		return fail_set(rd->f, 0, "configuration, '%s:%u': a section is written [NAME]", rd->file, rd->line);
	s++;
	n -= 2;
	s = skip_blanks(s, &n);
	project = project_path(s, n);
	name = strndup(s, n);
	if (!name)
		return -ENOMEM;
	if (!project && !section_exists(name)) {
		const char *names[OPT__COUNT + 1], *near;
		_cleanup_strv_ char **heads = NULL;
		size_t k = 0;

		for (size_t i = 0; i < OPT__COUNT; i++) {
			const char *dot = strchr(option_table[i].name, '.');

			if (dot &&
			    strv_take(&heads, strndup(option_table[i].name, (size_t)(dot - option_table[i].name))) == 0)
				names[k++] = heads[strv_len(heads) - 1];
		}
		fail_set(rd->f, 0, "configuration, '%s:%u': unknown section '%s'", rd->file, rd->line, name);
		near = str_nearest(name, names, k);
		if (str_startswith(name, "project"))
			fail_hint(rd->f, "a project's section is written [project \"~/path/of/project\"]");
		else if (near)
			fail_hint(rd->f, "did you mean [%s]?", near);
		return -EINVAL;
	}
	free(rd->section);
	free(rd->project);
	rd->section = project ? NULL : TAKE_PTR(name);
	rd->project = TAKE_PTR(project);
	return 0;
}

static int check_bytes(struct reader *rd, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (((unsigned char)s[i] < 0x20 && s[i] != '\t') || s[i] == 0x7f)
			return fail_set(rd->f, 0, "configuration, '%s:%u': control character 0x%02x", rd->file,
					rd->line, (unsigned)(unsigned char)s[i]);
	return 0;
}

/* inih's reader (an fgets): hands over one line, comments and section headers as empty ones. */
static char *read_line(char *str, int num, void *stream)
{
	struct reader *rd = stream;
	const char *s;
	size_t n;

	if (rd->r < 0 || num < 2 || !take_line(&rd->at, rd->end, &s, &n))
		return NULL;
	rd->line++;
	rd->r = check_bytes(rd, s, n);
	if (rd->r < 0)
		return NULL;
	s = skip_blanks(s, &n);
	if (n && *s == '[') {
		rd->r = read_section(rd, s, n);
		n = 0;
	} else if (n && (*s == '#' || *s == ';')) {
		n = 0;
	}
	if (rd->r == 0 && n + 2 > (size_t)num)
		rd->r = fail_set(rd->f, 0, "configuration, '%s:%u': the line is longer than %d bytes", rd->file,
				 rd->line, num - 2);
	if (rd->r < 0)
		return NULL;
	for (size_t i = 0; i < n; i++)
		str[i] = s[i] == ';' ? SEMICOLON : s[i];
	str[n] = '\n';
	str[n + 1] = 0;
	return str;
}

/* inih's handler: 1 goes on, 0 is an error. */
static int handle(void *user, const char *section _unused_, const char *name, const char *value
#if INI_HANDLER_LINENO
		  , int lineno _unused_
#endif
)
{
	struct reader *rd = user;
	_cleanup_free_ char *v = NULL;
	char full[NAME_MAX_LEN];
	struct config_line l = { .line = rd->line, .project = rd->project, .name = full };
	int n;

	if (rd->r < 0 || !value)
		return 0;
	n = snprintf(full, sizeof(full), "%s%s%s", rd->section ? rd->section : "", rd->section ? "." : "", name);
	if (n < 0 || (size_t)n >= sizeof(full)) {
		rd->r = fail_set(rd->f, 0, "configuration, '%s:%u': unknown key, %d bytes long", rd->file, rd->line, n);
		return 0;
	}
	v = strdup(value);
	if (!v) {
		rd->r = -ENOMEM;
		return 0;
	}
	for (char *c = v; *c; c++)
		if (*c == SEMICOLON)
			*c = ';';
	for (char *c = full; *c; c++)
		if (*c == SEMICOLON)
			*c = ';';
	l.value = v;
	rd->r = rd->fn(rd->user, &l, rd->f);
	return rd->r >= 0;
}

int config_ini(const char *file, const char *text, size_t len,
	       int (*fn)(void *user, const struct config_line *l, struct fail *f), void *user, struct fail *f)
{
	struct reader rd = { .file = file, .at = text, .end = text + len, .fn = fn, .user = user, .f = f };
	int r;

#ifdef HAVE_INI_MAX_LINE
	ini_max_line = 4096;
#endif
	if (len > CONFIG_FILE_MAX)
		return fail_set(f, EFBIG, "configuration, '%s'", file);
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		rd.at += 3;
	r = ini_parse_stream(read_line, &rd, handle, &rd);
	free(rd.section);
	free(rd.project);
	if (rd.r < 0 && (r <= 0 || (unsigned)r >= rd.line))
		return rd.r;
	if (r > 0)
		return fail_set(f, 0, "configuration, '%s:%d': not of the form KEY = VALUE", file, r);
	return r < 0 ? fail_set(f, ENOMEM, "configuration, '%s'", file) : 0;
}

/* --- editing --- */

struct place {
	const struct config_edit *e;
	struct buf *out;
	const char *section; /* the part of e->name before its dot, or NULL */
	size_t section_len;
	const char *key; /* the part after it */
	bool top;	 /* above every section: full names, and the keys without section */
	bool here;	 /* the line at hand lies where a new setting belongs */
	size_t mark;	 /* there: the end of the last setting, or of the header; 0: none yet */
	bool done;
};

/* The setting's name as it would be written at this place; NULL: it cannot stand here. */
static const char *name_here(const struct place *p)
{
	if (p->top)
		return p->e->project ? NULL : p->e->name;
	if (!p->here)
		return NULL;
	return p->e->project ? p->e->name : p->key;
}

static void put_values(struct place *p, const char *name)
{
	if (p->done)
		return;
	for (char *const *v = p->e->values; v && *v; v++)
		buf_printf(p->out, "%s = %s\n", name, *v);
	p->done = true;
}

/* Whether the settings after this header are where ours belongs. */
static void enter(struct place *p, const char *s, size_t n)
{
	_cleanup_free_ char *project = NULL;

	s++;
	n -= n > 1 ? 2 : 1;
	s = skip_blanks(s, &n);
	project = project_path(s, n);
	p->top = false;
	if (p->e->project)
		p->here = project && p->e->is_same(project, p->e->user);
	else
		p->here = !project && p->section && n == p->section_len && memcmp(s, p->section, n) == 0;
}

static bool is_setting(const char *name, const char *s, size_t n)
{
	size_t k = 0;

	while (k < n && s[k] != '=' && s[k] != ':')
		k++;
	if (k == n || !name)
		return false;
	s = skip_blanks(s, &k);
	return strlen(name) == k && memcmp(name, s, k) == 0;
}

/* The end of the section: a new setting stands behind its last one, and so before the blank lines and the comment that
 * lead to the next. */
static void leave(struct place *p, bool more)
{
	struct buf *b = p->out;
	_cleanup_free_ char *tail = NULL;

	if (!p->here || p->done || b->error || !p->e->values)
		return;
	while (!p->mark && b->len > 1 && b->data[b->len - 1] == '\n' && b->data[b->len - 2] == '\n')
		b->len--;
	if (!p->mark) {
		put_values(p, name_here(p));
		if (more)
			buf_putc(b, '\n');
		return;
	}
	tail = strndup(b->data + p->mark, b->len - p->mark);
	if (!tail) {
		b->error = -ENOMEM;
		return;
	}
	b->len = p->mark;
	put_values(p, name_here(p));
	buf_puts(b, tail);
}

static void put_header(struct place *p)
{
	if (p->out->len)
		buf_putc(p->out, '\n');
	p->top = false;
	p->here = true;
	if (!p->e->project) {
		buf_printf(p->out, "[%.*s]\n", (int)p->section_len, p->section);
		return;
	}
	buf_puts(p->out, "[project \"");
	for (const char *s = p->e->project; *s; s++) {
		if (*s == '"' || *s == '\\')
			buf_putc(p->out, '\\');
		buf_putc(p->out, *s);
	}
	buf_puts(p->out, "\"]\n");
}

int config_ini_edit(const char *file, const char *text, size_t len, const struct config_edit *e, struct buf *out,
		    struct fail *f)
{
	const char *dot = strrchr(e->name, '.'), *at = text, *line;
	struct place p = {
		.e = e, .out = out, .key = dot ? dot + 1 : e->name, .section = dot ? e->name : NULL,
		.section_len = dot ? (size_t)(dot - e->name) : 0, .top = true,
	};
	size_t n;

	p.here = !e->project && !p.section;
	while (take_line(&at, text + len, &line, &n)) {
		size_t k = n;
		const char *s = skip_blanks(line, &k);

		if (k && *s == '[') {
			leave(&p, true);
			enter(&p, s, k);
		} else if (k && *s != '#' && *s != ';' && !e->add && is_setting(name_here(&p), s, k)) {
			put_values(&p, name_here(&p));
			continue;
		}
		buf_put(out, line, n);
		buf_putc(out, '\n');
		if (p.here && k && *s != '#' && *s != ';')
			p.mark = out->len;
	}
	leave(&p, false);
	if (!p.done && e->values && *e->values) {
		put_header(&p);
		put_values(&p, name_here(&p));
	}
	return out->error ? fail_set(f, -out->error, "configuration, '%s'", file) : 0;
}
