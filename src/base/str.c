#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"

bool str_startswith(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_endswith(const char *s, const char *suffix)
{
	size_t n = strlen(s), k = strlen(suffix);

	return n >= k && memcmp(s + n - k, suffix, k) == 0;
}

bool str_eq(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

char **strv_free(char **v)
{
	for (char **p = v; p && *p; p++)
		free(*p);
	free(v);
	return NULL;
}

size_t strv_len(char *const *v)
{
	size_t n = 0;

	while (v && v[n])
		n++;
	return n;
}

int strv_take(char ***v, char *s)
{
	size_t n = strv_len(*v);
	char **p;

	if (!s)
		return -ENOMEM;
	/* grows at powers of two, so that adding is linear over all */
	if (!*v || (n + 1 >= 4 && ((n + 1) & n) == 0) || n < 3) {
		p = realloc(*v, sizeof(char *) * (n < 3 ? 4 : 2 * (n + 1)));
		if (!p) {
			free(s);
			return -ENOMEM;
		}
		*v = p;
	}
	(*v)[n] = s;
	(*v)[n + 1] = NULL;
	return 0;
}

int strv_add(char ***v, const char *s)
{
	return strv_take(v, strdup(s));
}

int strv_addf(char ***v, const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return n < 0 ? -ENOMEM : strv_take(v, s);
}

bool strv_contains(char *const *v, const char *s)
{
	for (; v && *v; v++)
		if (strcmp(*v, s) == 0)
			return true;
	return false;
}

void strv_remove(char **v, const char *s)
{
	char **to = v;

	if (!v)
		return;
	for (char **from = v; *from; from++) {
		if (strcmp(*from, s) == 0)
			free(*from);
		else
			*to++ = *from;
	}
	*to = NULL;
}

int strv_split(const char *s, const char *separators, char ***ret)
{
	_cleanup_strv_ char **v = NULL;

	while (*s) {
		size_t n = strcspn(s, separators);

		if (n && strv_take(&v, strndup(s, n)) < 0)
			return -ENOMEM;
		s += n;
		s += strspn(s, separators);
	}
	*ret = TAKE_PTR(v);
	return 0;
}

char **strv_copy(char *const *v)
{
	char **c = NULL;

	for (; v && *v; v++)
		if (strv_add(&c, *v) < 0)
			return strv_free(c);
	return c;
}

static bool env_is(const char *entry, const char *name, size_t n)
{
	return strncmp(entry, name, n) == 0 && entry[n] == '=';
}

const char *env_get(char *const *env, const char *name)
{
	size_t n = strlen(name);

	for (; env && *env; env++)
		if (env_is(*env, name, n))
			return *env + n + 1;
	return NULL;
}

int env_set(char ***env, const char *name, const char *value)
{
	size_t n = strlen(name);
	char **to = *env;

	if (to) {
		for (char **from = *env; *from; from++) {
			if (env_is(*from, name, n))
				free(*from);
			else
				*to++ = *from;
		}
		*to = NULL;
	}
	return value ? strv_addf(env, "%s=%s", name, value) : 0;
}

int str_to_u64(const char *s, uint64_t *ret)
{
	unsigned long long v;
	char *end;

	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	errno = 0;
	v = strtoull(s, &end, 10);
	if (errno)
		return -errno;
	if (*end)
		return -EINVAL;
	*ret = v;
	return 0;
}

/* Reads "digits[.digits]suffix" against a table of suffixes and their factors. */
struct unit {
	const char *suffix;
	uint64_t factor;
};

static int to_units(const char *s, const struct unit *units, size_t n, uint64_t *ret)
{
	size_t digits = strspn(s, "0123456789.");
	_cleanup_free_ char *number = strndup(s, digits);
	double v;
	char *end;

	if (!number)
		return -ENOMEM;
	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	errno = 0;
	v = strtod(number, &end);
	if (errno)
		return -errno;
	if (*end)
		return -EINVAL;
	s += digits;
	for (size_t i = 0; i < n; i++) {
		if (strcasecmp(s, units[i].suffix))
			continue;
		v *= (double)units[i].factor;
		if (v >= 9.2e18)
			return -ERANGE;
		*ret = (uint64_t)(v + 0.5);
		return 0;
	}
	return -EINVAL;
}

int str_to_size(const char *s, uint64_t *ret)
{
	static const struct unit units[] = {
		{ "", 1 }, { "b", 1 }, { "k", 1ULL << 10 }, { "kib", 1ULL << 10 }, { "m", 1ULL << 20 },
		{ "mib", 1ULL << 20 }, { "g", 1ULL << 30 }, { "gib", 1ULL << 30 }, { "t", 1ULL << 40 },
		{ "tib", 1ULL << 40 },
	};

	return to_units(s, units, ARRAY_SIZE(units), ret);
}

int str_to_duration(const char *s, uint64_t *ret)
{
	static const struct unit units[] = {
		{ "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 },
	};

	return to_units(s, units, ARRAY_SIZE(units), ret);
}

int str_to_bool(const char *s, bool *ret)
{
	static const char *const words[] = { "no", "yes", "false", "true", "off", "on", "0", "1" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcasecmp(s, words[i]) == 0) {
			*ret = i & 1;
			return 0;
		}
	}
	return -EINVAL;
}

int str_to_signal(const char *s, int *ret)
{
	uint64_t n;

	if (strncasecmp(s, "SIG", 3) == 0)
		s += 3;
	if (str_to_u64(s, &n) == 0) {
		if (n < 1 || n >= (uint64_t)NSIG)
			return -ERANGE;
		*ret = (int)n;
		return 0;
	}
	for (int i = 1; i < NSIG; i++) {
		const char *name = sigabbrev_np(i);

		if (name && strcasecmp(s, name) == 0) {
			*ret = i;
			return 0;
		}
	}
	return -EINVAL;
}

/* The length of the UTF-8 sequence at s (RFC 3629 §4), and its code point; 0 where it is invalid. */
static size_t utf8_next(const unsigned char *s, size_t n, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = s[0] < 0x80		   ? 1
		     : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
		     : (s[0] & 0xf0) == 0xe0	   ? 3
		     : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
						   : 0;
	uint32_t c;

	if (!len || len > n)
		return 0;
	c = len == 1 ? s[0] : s[0] & (0x7fU >> len);
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	*ret = c;
	return len;
}

static bool printable(uint32_t c)
{
	return c >= 0x20 && c != 0x7f && !(c >= 0x80 && c < 0xa0) && c != 0x61c && !(c >= 0x200e && c <= 0x200f) &&
	       !(c >= 0x2028 && c <= 0x202e) && !(c >= 0x2066 && c <= 0x2069) && c != 0xfeff;
}

char *str_printable(const char *s, size_t n)
{
	_cleanup_buf_ struct buf b = BUF_INIT(n * 4 + 1);
	const unsigned char *u = (const unsigned char *)s;

	while (n) {
		uint32_t c = 0;
		size_t k = utf8_next(u, n, &c);

		if (k && printable(c)) {
			buf_put(&b, u, k);
		} else {
			if (!k)
				k = 1;
			for (size_t i = 0; i < k; i++)
				buf_printf(&b, "\\x%02x", u[i]);
		}
		u += k;
		n -= k;
	}
	if (b.error)
		return NULL;
	return b.data ? TAKE_PTR(b.data) : strdup("");
}

char *str_shell_quote(const char *s)
{
	static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-";
	_cleanup_buf_ struct buf b = BUF_INIT(strlen(s) * 4 + 3);

	if (*s && strspn(s, safe) == strlen(s))
		return strdup(s);
	buf_putc(&b, '\'');
	for (; *s; s++) {
		if (*s == '\'')
			buf_puts(&b, "'\\''");
		else
			buf_putc(&b, *s);
	}
	buf_putc(&b, '\'');
	return b.error ? NULL : TAKE_PTR(b.data);
}

/* Damerau-Levenshtein (adjacent transpositions) of two words of at most 63 bytes (longer: SIZE_MAX). */
static size_t distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b), d[3][64];

	if (n > 63 || m > 63)
		return SIZE_MAX;
	for (size_t j = 0; j <= m; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t *row = d[i % 3], *up = d[(i - 1) % 3], *up2 = d[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t best = MIN(up[j] + 1, row[j - 1] + 1);

			best = MIN(best, up[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = MIN(best, up2[j - 2] + 1);
			row[j] = best;
		}
	}
	return d[n % 3][m];
}

const char *str_nearest(const char *s, const char *const *names, size_t n)
{
	const char *best = NULL;
	size_t len = strlen(s), least = (len <= 3 ? 1 : len <= 8 ? 2 : len / 3) + 1;

	for (size_t i = 0; i < n; i++) {
		size_t d = names[i] ? distance(s, names[i]) : SIZE_MAX;

		if (d < least) {
			least = d;
			best = names[i];
		}
	}
	return best;
}

uint64_t str_hash(const void *p, size_t n)
{
	const unsigned char *c = p;
	uint64_t h = 0xcbf29ce484222325ULL;

	while (n--)
		h = (h ^ *c++) * 0x100000001b3ULL;
	return h;
}
