#include "wire/ipc.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

#define HEADER 8U
#define FIELD  8U

static const unsigned char magic[4] = { 'C', 'S', 'B', 1 };

static void put_le(unsigned char *p, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)(v >> (8 * i));
}

static uint64_t get_le(const unsigned char *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

void ipc_begin(struct buf *b, uint16_t type)
{
	unsigned char h[HEADER] = { 0 };

	buf_reset(b);
	memcpy(h, magic, sizeof(magic));
	put_le(h + 4, type, 2);
	buf_put(b, h, sizeof(h));
}

void ipc_put_bytes(struct buf *b, uint16_t tag, const void *p, size_t n)
{
	unsigned char h[FIELD] = { 0 };
	unsigned char *count;
	uint64_t fields;

	if (b->error)
		return;
	if (b->len < HEADER || n > UINT32_MAX) {
		b->error = -EINVAL;
		return;
	}
	count = (unsigned char *)b->data + 6;
	fields = get_le(count, 2);
	if (fields >= IPC_MAX_FIELDS) {
		b->error = -ENOSPC;
		return;
	}
	put_le(h, tag, 2);
	put_le(h + 4, n, 4);
	if (buf_put(b, h, sizeof(h)) == 0 && buf_put(b, p, n) == 0)
		put_le((unsigned char *)b->data + 6, fields + 1, 2);
}

void ipc_put_u64(struct buf *b, uint16_t tag, uint64_t v)
{
	unsigned char p[8];

	put_le(p, v, sizeof(p));
	ipc_put_bytes(b, tag, p, sizeof(p));
}

void ipc_put_str(struct buf *b, uint16_t tag, const char *s)
{
	if (s)
		ipc_put_bytes(b, tag, s, strlen(s));
}

void ipc_put_strv(struct buf *b, uint16_t tag, char *const *v)
{
	for (; v && *v; v++)
		ipc_put_str(b, tag, *v);
}

int ipc_parse(const void *p, size_t n, struct ipc_msg *ret)
{
	const unsigned char *c = p;
	size_t at = HEADER;
	uint64_t fields;

	if (n < HEADER || memcmp(c, magic, sizeof(magic)))
		return -EBADMSG;
	fields = get_le(c + 6, 2);
	if (fields > IPC_MAX_FIELDS)
		return -EBADMSG;
	for (uint64_t i = 0; i < fields; i++) {
		uint64_t len;

		if (n - at < FIELD)
			return -EBADMSG;
		len = get_le(c + at + 4, 4);
		at += FIELD;
		if (len > n - at)
			return -EBADMSG;
		at += len;
	}
	if (at != n)
		return -EBADMSG;
	*ret = (struct ipc_msg){
		.type = (uint16_t)get_le(c + 4, 2),
		.nfields = (uint16_t)fields,
		.fields = c + HEADER,
		.len = n - HEADER,
	};
	return 0;
}

/* Steps to the next field at *at; false at the end. */
static bool next(const struct ipc_msg *m, size_t *at, uint16_t *ret_tag, const unsigned char **ret_p, size_t *ret_n)
{
	const unsigned char *f = m->fields + *at;

	if (*at >= m->len)
		return false;
	*ret_tag = (uint16_t)get_le(f, 2);
	*ret_n = get_le(f + 4, 4);
	*ret_p = f + FIELD;
	*at += FIELD + *ret_n;
	return true;
}

const void *ipc_get_bytes(const struct ipc_msg *m, uint16_t tag, size_t *ret_n)
{
	const unsigned char *p;
	size_t at = 0, n;
	uint16_t t;

	while (next(m, &at, &t, &p, &n)) {
		if (t == tag) {
			*ret_n = n;
			return p;
		}
	}
	return NULL;
}

bool ipc_has(const struct ipc_msg *m, uint16_t tag)
{
	size_t n;

	return ipc_get_bytes(m, tag, &n) != NULL;
}

uint64_t ipc_get_u64(const struct ipc_msg *m, uint16_t tag, uint64_t fallback)
{
	size_t n;
	const unsigned char *p = ipc_get_bytes(m, tag, &n);

	return p && n == 8 ? get_le(p, 8) : fallback;
}

char *ipc_get_str(const struct ipc_msg *m, uint16_t tag)
{
	size_t n;
	const char *p = ipc_get_bytes(m, tag, &n);

	return p && !memchr(p, 0, n) ? strndup(p, n) : NULL;
}

int ipc_get_strv(const struct ipc_msg *m, uint16_t tag, char ***ret)
{
	_cleanup_strv_ char **v = NULL;
	const unsigned char *p;
	size_t at = 0, n;
	uint16_t t;

	while (next(m, &at, &t, &p, &n)) {
		if (t != tag)
			continue;
		if (memchr(p, 0, n))
			return -EBADMSG;
		if (strv_take(&v, strndup((const char *)p, n)) < 0)
			return -ENOMEM;
	}
	*ret = TAKE_PTR(v);
	return 0;
}
