#include "report/json.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"

/* The length of the UTF-8 sequence at s (RFC 3629 §4), 0 where there is none. */
static size_t utf8_length(const unsigned char *s, size_t n)
{
	unsigned char lo = 0x80, hi = 0xbf;
	size_t len;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (s[0] == 0xe0)
		lo = 0xa0;
	else if (s[0] == 0xed)
		hi = 0x9f;
	else if (s[0] == 0xf0)
		lo = 0x90;
	else if (s[0] == 0xf4)
		hi = 0x8f;
	if (len > n || s[1] < lo || s[1] > hi)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

struct json_object *json_str(const char *s)
{
	size_t n = s ? strlen(s) : 0;
	_cleanup_buf_ struct buf b = BUF_INIT(n * 3);

	if (!s)
		return NULL;
	while (n) {
		size_t k = utf8_length((const unsigned char *)s, n);

		if (k)
			buf_put(&b, s, k);
		else
			buf_puts(&b, "\xef\xbf\xbd");
		k += !k;
		s += k;
		n -= k;
	}
	return b.error ? NULL : json_object_new_string_len(buf_cstr(&b), (int)b.len);
}

int json_put(struct json_object *o, const char *key, struct json_object *v)
{
	if (json_object_object_add(o, key, v) == 0)
		return 0;
	json_object_put(v);
	return -ENOMEM;
}

int json_push(struct json_object *array, struct json_object *v)
{
	if (json_object_array_add(array, v) == 0)
		return 0;
	json_object_put(v);
	return -ENOMEM;
}

struct json_object *json_strv(char *const *v)
{
	struct json_object *a = json_object_new_array();

	for (; a && v && *v; v++) {
		struct json_object *s = json_str(*v);

		if (!s || json_push(a, s) < 0) {
			json_object_put(a);
			return NULL;
		}
	}
	return a;
}

static int put_new(struct json_object *o, const char *key, struct json_object *v)
{
	return v ? json_put(o, key, v) : -ENOMEM;
}

int json_put_str(struct json_object *o, const char *key, const char *s)
{
	return s ? put_new(o, key, json_str(s)) : json_put(o, key, NULL);
}

int json_put_int(struct json_object *o, const char *key, int64_t v)
{
	return put_new(o, key, json_object_new_int64(v));
}

int json_put_u64(struct json_object *o, const char *key, uint64_t v)
{
	return put_new(o, key, json_object_new_uint64(v));
}

int json_put_bool(struct json_object *o, const char *key, bool v)
{
	return put_new(o, key, json_object_new_boolean(v));
}

int json_put_strv(struct json_object *o, const char *key, char *const *v)
{
	return put_new(o, key, json_strv(v));
}

int json_print(struct json_object *o, bool pretty, FILE *out)
{
	const char *s = json_object_to_json_string_ext(
		o, JSON_C_TO_STRING_NOSLASHESCAPE |
			   (pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED : JSON_C_TO_STRING_PLAIN));

	if (!s)
		return -ENOMEM;
	return fprintf(out, "%s\n", s) < 0 ? -errno : 0;
}

const char *json_get_str(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) && json_object_is_type(v, json_type_string)
		       ? json_object_get_string(v)
		       : NULL;
}

int64_t json_get_int(struct json_object *o, const char *key, int64_t fallback)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) && json_object_is_type(v, json_type_int) ? json_object_get_int64(v)
											      : fallback;
}
