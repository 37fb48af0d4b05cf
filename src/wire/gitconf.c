/* Reads git's configuration syntax one byte at a time, as git's config.c does: a section head, then keys with values
 * in which quotes, backslashes, comments and continued lines have their meaning. Where git would die with "bad config
 * line" this gives -EBADMSG: whoever asks treats such a file as hostile. */
#include "wire/gitconf.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

struct reader {
	const unsigned char *p, *end;
	struct gitconf *conf;
	size_t cap;
	struct buf section; /* "section." or "section.sub." */
	bool fresh;	    /* after a section head an entry may stand in the same line */
};

struct gitconf *gitconf_free(struct gitconf *c)
{
	if (!c)
		return NULL;
	for (size_t i = 0; i < c->n; i++) {
		free(c->entries[i].key);
		free(c->entries[i].value);
	}
	free(c->entries);
	free(c);
	return NULL;
}

/* The next byte, CRLF as LF; -1 at the end. */
static int next(struct reader *r)
{
	if (r->p == r->end)
		return -1;
	if (*r->p == '\r' && r->end - r->p > 1 && r->p[1] == '\n')
		r->p++;
	return *r->p++;
}

static bool is_key_char(int c)
{
	return c >= 0 && c < 0x80 && (isalnum(c) || c == '-');
}

static int bad_unless(const struct buf *b)
{
	return b->error ? b->error == -ENOSPC ? -EFBIG : b->error : 0;
}

/* After "[section " : a quoted subsection and the bracket. */
static int read_subsection(struct reader *r, int c)
{
	while (c == ' ' || c == '\t')
		c = next(r);
	if (c != '"')
		return -EBADMSG;
	buf_putc(&r->section, '.');
	for (;;) {
		c = next(r);
		if (c < 0 || c == '\n')
			return -EBADMSG;
		if (c == '"')
			break;
		if (c == '\\') {
			c = next(r);
			if (c < 0 || c == '\n')
				return -EBADMSG;
		}
		buf_putc(&r->section, (char)c);
	}
	return next(r) == ']' ? 0 : -EBADMSG;
}

static int read_section(struct reader *r)
{
	int k;

	buf_reset(&r->section);
	for (;;) {
		int c = next(r);

		if (c == ']')
			break;
		if (c == ' ' || c == '\t') {
			k = read_subsection(r, c);
			if (k < 0)
				return k;
			break;
		}
		if (!is_key_char(c) && c != '.')
			return -EBADMSG;
		buf_putc(&r->section, (char)tolower(c));
	}
	buf_putc(&r->section, '.');
	return bad_unless(&r->section);
}

/* One backslash sequence of a value into b; 1: the line goes on. */
static int read_escape(struct reader *r, struct buf *b)
{
	int c = next(r);

	switch (c) {
	case '\n':
		return 1;
	case 't':
		return buf_putc(b, '\t');
	case 'b':
		return buf_putc(b, '\b');
	case 'n':
		return buf_putc(b, '\n');
	case '\\':
	case '"':
		return buf_putc(b, (char)c);
	default:
		return -EBADMSG;
	}
}

static int read_value(struct reader *r, struct buf *b)
{
	bool quote = false, comment = false;
	size_t spaces = 0;

	for (;;) {
		int c = next(r), k;

		if (c < 0 || c == '\n')
			return quote ? -EBADMSG : bad_unless(b);
		if (comment)
			continue;
		if (!quote && isspace(c)) {
			if (b->len)
				spaces++;
			continue;
		}
		if (!quote && (c == ';' || c == '#')) {
			comment = true;
			continue;
		}
		for (; spaces; spaces--)
			buf_putc(b, ' ');
		if (c == '\\') {
			k = read_escape(r, b);
			if (k < 0)
				return k;
		} else if (c == '"') {
			quote = !quote;
		} else if (c == 0) {
			return -EBADMSG;
		} else {
			buf_putc(b, (char)c);
		}
	}
}

static int add_entry(struct reader *r, char *key, char *value)
{
	struct gitconf *c = r->conf;

	if (c->n == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : 16;
		struct gitconf_entry *p = realloc(c->entries, cap * sizeof(*p));

		if (!p)
			return -ENOMEM;
		c->entries = p;
		r->cap = cap;
	}
	c->entries[c->n++] = (struct gitconf_entry){ .key = key, .value = value };
	return 0;
}

static int read_entry(struct reader *r, int c)
{
	_cleanup_buf_ struct buf key = BUF_INIT(4096), value = BUF_INIT(65536);
	_cleanup_free_ char *v = NULL;
	int k;

	if (!r->section.len || !isalpha(c))
		return -EBADMSG;
	if (r->conf->n >= GITCONF_ENTRIES)
		return -EFBIG;
	buf_put(&key, r->section.data, r->section.len);
	while (is_key_char(c)) {
		buf_putc(&key, (char)tolower(c));
		c = next(r);
	}
	while (c == ' ' || c == '\t')
		c = next(r);
	if (c == '=') {
		k = read_value(r, &value);
		if (k < 0)
			return k;
		v = strdup(buf_cstr(&value));
		if (!v)
			return -ENOMEM;
	} else if (c >= 0 && c != '\n') {
		return -EBADMSG;
	}
	k = bad_unless(&key);
	if (k < 0)
		return k;
	k = add_entry(r, key.data, v);
	if (k < 0)
		return k;
	key.data = NULL;
	v = NULL;
	return 0;
}

static int read_all(struct reader *r)
{
	bool comment = false;

	if (r->end - r->p >= 3 && memcmp(r->p, "\xef\xbb\xbf", 3) == 0)
		r->p += 3;
	for (;;) {
		int c = next(r), k = 0;

		if (c < 0)
			return 0;
		if (c == '\n') {
			comment = false;
			continue;
		}
		if (comment || isspace(c))
			continue;
		if (c == '#' || c == ';')
			comment = true;
		else if (c == '[')
			k = read_section(r);
		else
			k = read_entry(r, c);
		if (k < 0)
			return k;
	}
}

int gitconf_parse(const void *bytes, size_t n, struct gitconf **ret)
{
	_cleanup_gitconf_ struct gitconf *c = calloc(1, sizeof(*c));
	struct reader r = { .conf = c, .section = BUF_INIT(2048) };
	int k;

	if (!c)
		return -ENOMEM;
	if (n > GITCONF_MAX)
		return -EFBIG;
	if (n && memchr(bytes, 0, n))
		return -EBADMSG;
	if (n) {
		r.p = bytes;
		r.end = r.p + n;
		k = read_all(&r);
		buf_free(&r.section);
		if (k < 0)
			return k;
	}
	*ret = TAKE_PTR(c);
	return 0;
}

const char *gitconf_get(const struct gitconf *c, const char *key)
{
	for (size_t i = c->n; i-- > 0;)
		if (strcmp(c->entries[i].key, key) == 0)
			return c->entries[i].value ? c->entries[i].value : "";
	return NULL;
}

bool gitconf_bool(const struct gitconf *c, const char *key, bool fallback)
{
	for (size_t i = c->n; i-- > 0;) {
		const char *v = c->entries[i].value;
		bool b;

		if (strcmp(c->entries[i].key, key))
			continue;
		if (!v)
			return true;
		if (!*v)
			return false;
		return str_to_bool(v, &b) == 0 ? b : fallback;
	}
	return fallback;
}

int gitconf_split(const char *key, char **ret_copy, const char **section, const char **sub, const char **name)
{
	const char *first = strchr(key, '.'), *last = strrchr(key, '.');
	char *copy;

	if (!first)
		return -EINVAL;
	copy = strdup(key);
	if (!copy)
		return -ENOMEM;
	copy[first - key] = 0;
	copy[last - key] = 0;
	*ret_copy = copy;
	*section = copy;
	*sub = first == last ? NULL : copy + (first - key) + 1;
	*name = copy + (last - key) + 1;
	return 0;
}

static void put_quoted(struct buf *b, const char *s, bool value)
{
	buf_putc(b, '"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			buf_putc(b, '\\');
		if (value && *s == '\n')
			buf_puts(b, "\\n");
		else if (value && *s == '\t')
			buf_puts(b, "\\t");
		else if (value && *s == '\b')
			buf_puts(b, "\\b");
		else
			buf_putc(b, *s);
	}
	buf_putc(b, '"');
}

int gitconf_write(struct buf *b, const struct gitconf_entry *e)
{
	const char *section, *sub, *name;
	_cleanup_free_ char *copy = NULL;
	int r = gitconf_split(e->key, &copy, &section, &sub, &name);

	if (r < 0)
		return r;
	if ((sub && strchr(sub, '\n')) || (e->value && strchr(e->value, '\r')))
		return -EINVAL;
	buf_printf(b, "[%s", section);
	if (sub) {
		buf_putc(b, ' ');
		put_quoted(b, sub, false);
	}
	buf_printf(b, "]\n\t%s", name);
	if (e->value) {
		buf_puts(b, " = ");
		put_quoted(b, e->value, true);
	}
	return buf_putc(b, '\n');
}

/* "section" + "name" pairs; a sub of any kind where sub is set. */
struct harmless {
	const char *section, *name;
	bool sub;
};

static const struct harmless harmless_keys[] = {
	{ "core", "repositoryformatversion", false }, { "core", "filemode", false },
	{ "core", "bare", false }, { "core", "logallrefupdates", false }, { "core", "ignorecase", false },
	{ "core", "precomposeunicode", false }, { "core", "symlinks", false }, { "core", "autocrlf", false },
	{ "core", "eol", false }, { "core", "safecrlf", false }, { "core", "sparsecheckout", false },
	{ "core", "sparsecheckoutcone", false }, { "core", "untrackedcache", false },
	{ "core", "sharedrepository", false }, { "core", "abbrev", false }, { "core", "quotepath", false },
	{ "core", "compression", false }, { "core", "preloadindex", false }, { "core", "splitindex", false },
	{ "core", "commitgraph", false }, { "core", "bigfilethreshold", false }, { "index", "sparse", false },
	{ "index", "version", false }, { "index", "threads", false }, { "extensions", "objectformat", false },
	{ "extensions", "worktreeconfig", false }, { "extensions", "refstorage", false },
	{ "extensions", "compatobjectformat", false },
	{ "user", "name", false }, { "user", "email", false }, { "init", "defaultbranch", false },
	{ "branch", "remote", true }, { "branch", "merge", true }, { "branch", "rebase", true },
	{ "branch", "pushremote", true }, { "branch", "description", true }, { "branch", "vscode-merge-base", true },
	{ "branch", "autosetuprebase", false }, { "branch", "autosetupmerge", false },
	{ "remote", "fetch", true }, { "remote", "tagopt", true }, { "remote", "prune", true },
	{ "remote", "prunetags", true }, { "remote", "push", true }, { "remote", "mirror", true },
	{ "remote", "skipfetchall", true }, { "remote", "skipdefaultupdate", true },
	{ "remote", "pushdefault", false }, { "push", "default", false }, { "push", "autosetupremote", false },
	{ "pull", "rebase", false }, { "pull", "ff", false }, { "merge", "ff", false },
	{ "merge", "conflictstyle", false }, { "rebase", "autosquash", false }, { "rebase", "autostash", false },
	{ "fetch", "prune", false }, { "fetch", "parallel", false }, { "rerere", "enabled", false },
	{ "submodule", "active", true }, { "submodule", "active", false }, { "submodule", "recurse", false },
	{ "submodule", "branch", true }, { "submodule", "ignore", true }, { "submodule", "fetchjobs", false },
	{ "status", "showuntrackedfiles", false }, { "color", "ui", false }, { "advice", "detachedhead", false },
	{ "receive", "denycurrentbranch", false }, { "receive", "denynonfastforwards", false },
	{ "gc", "auto", false }, { "gc", "autodetach", false }, { "maintenance", "auto", false },
	{ "pack", "threads", false }, { "lfs", "repositoryformatversion", false }, { "lfs", "access", true },
	{ "commit", "gpgsign", false }, { "tag", "gpgsign", false },
};

bool gitconf_url_plain(const char *url)
{
	static const char *const schemes[] = { "https://", "http://", "ssh://", "git://" };
	static const char host_chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_";
	static const char scheme_chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-.";
	const char *host = url, *at;
	size_t n;

	/* "helper::address" (gitremote-helpers(7)) runs git-remote-helper */
	if (strlen(url) > 2048 || str_startswith(url + strspn(url, scheme_chars), "::"))
		return false;
	for (const char *s = url; *s; s++)
		if ((unsigned char)*s <= 0x20 || *s == 0x7f || *s == '\\' || *s == '`' || *s == '\'' || *s == '"')
			return false;
	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
		if (strncasecmp(url, schemes[i], strlen(schemes[i])) == 0)
			host = url + strlen(schemes[i]);
	if (host == url && (strstr(url, "://") || url[0] == '/' || url[0] == '.'))
		return false;
	n = strcspn(host, "/");
	at = memchr(host, '@', n);
	if (host == url && !memchr(host, ':', n))
		return false; /* no colon before the first slash: a local path */
	if (at) {
		if (*host == '-' || at == host)
			return false;
		n -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	if (*host == '[') /* an IPv6 address */
		return host[1 + strspn(host + 1, "0123456789abcdefABCDEF:.")] == ']';
	n = MIN(n, strcspn(host, ":"));
	return n > 0 && *host != '-' && strspn(host, host_chars) >= n;
}

static bool key_listed(const char *section, const char *sub, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(harmless_keys); i++) {
		const struct harmless *h = &harmless_keys[i];

		if (strcmp(section, h->section) == 0 && strcmp(name, h->name) == 0 && (sub != NULL) == h->sub)
			return true;
	}
	return false;
}

/* What `git lfs install` writes, to the letter. */
static bool lfs_as_installed(const char *name, const char *value)
{
	static const char *const known[][2] = {
		{ "clean", "git-lfs clean -- %f" }, { "smudge", "git-lfs smudge -- %f" },
		{ "smudge", "git-lfs smudge --skip -- %f" }, { "process", "git-lfs filter-process" },
		{ "process", "git-lfs filter-process --skip" }, { "required", "true" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strcmp(name, known[i][0]) == 0 && str_eq(value, known[i][1]))
			return true;
	return false;
}

bool gitconf_harmless(const struct gitconf_entry *e)
{
	_cleanup_free_ char *copy = NULL;
	const char *section, *sub, *name;

	if (gitconf_split(e->key, &copy, &section, &sub, &name) < 0)
		return false;
	if (e->value && strncmp(e->value, "-", 1) == 0)
		return false;
	if (sub && (*sub == '-' || strstr(sub, "::")))
		return false;
	/* addresses: a local path is harmless here (it is not the host's own repository that a person pushes from), a
	 * helper or an option is not */
	if (sub && (strcmp(section, "remote") == 0 || strcmp(section, "submodule") == 0) &&
	    (strcmp(name, "url") == 0 || strcmp(name, "pushurl") == 0))
		return e->value && (gitconf_url_plain(e->value) || e->value[0] == '/' || e->value[0] == '.');
	if (sub && strcmp(section, "submodule") == 0 && strcmp(name, "update") == 0)
		return e->value && e->value[0] != '!';
	if (sub && strcmp(section, "filter") == 0 && strcmp(sub, "lfs") == 0)
		return lfs_as_installed(name, e->value);
	return key_listed(section, sub, name);
}
