/* Entries are read from the first to the last, as git's sequential reader does. git's threaded reader starts at the
 * offsets of the IEOT extension instead: they must be those that were come by, and a name there must not lean on the one
 * before it. */
#include "wire/gitindex.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/str.h"

#define HEADER	 12U
#define STAT	 40U /* of an entry: times, device, inode, mode, ids, size */
#define MODE_AT	 24U
#define NAME_MAX_ 65536U
#define EXTENDED 0x4000U
#define LEN_MASK 0x0fffU

struct index {
	const unsigned char *p, *end, *begin;
	size_t hash;
	uint32_t version, count;
	uint32_t *offsets;  /* of each entry */
	unsigned char *leans; /* of each entry: its name is built upon the one before */
	struct buf name;
};

static uint32_t be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* git's offset encoding (varint.c). */
static bool varint(const unsigned char **p, const unsigned char *end, uint64_t *ret)
{
	uint64_t v;
	unsigned char c;

	if (*p == end)
		return false;
	c = *(*p)++;
	v = c & 127;
	while (c & 128) {
		if (*p == end || v > UINT32_MAX)
			return false;
		c = *(*p)++;
		v = ((v + 1) << 7) + (c & 127);
	}
	*ret = v;
	return true;
}

/* A component as git's verify_dotfile() and what it calls for other systems' file systems would have it. */
static bool component_bad(const char *s, size_t n)
{
	if (!n || (n == 1 && s[0] == '.') || (n == 2 && s[0] == '.' && s[1] == '.'))
		return true;
	return n == 4 && strncasecmp(s, ".git", 4) == 0;
}

static bool name_bad(const char *name, bool dir)
{
	if (!*name) /* of a split index: the shared one's entry has the name */
		return false;
	for (;;) {
		size_t n = strcspn(name, "/");

		if (component_bad(name, n))
			return true;
		if (!name[n])
			return false;
		name += n + 1;
		if (!*name && dir) /* a directory of a sparse index */
			return false;
	}
}

/* The name of the entry that begins at start; its flags say len. */
static int read_name(struct index *x, const unsigned char *start, uint32_t i, size_t len)
{
	const unsigned char *p = x->p, *nul;
	uint64_t strip = 0;

	if (x->version == 4) {
		if (!varint(&p, x->end, &strip) || strip > x->name.len)
			return -EBADMSG;
		x->name.len -= (size_t)strip;
		x->leans[i] = x->name.len > 0;
	} else {
		buf_reset(&x->name);
	}
	nul = memchr(p, 0, (size_t)(x->end - p));
	if (!nul || buf_put(&x->name, p, (size_t)(nul - p)) < 0 || (len != LEN_MASK && len != x->name.len))
		return -EBADMSG;
	p = nul + 1;
	if (x->version != 4) /* 1 to 8 NULs, to a multiple of eight */
		p = start + (((size_t)(nul - start) + 8) & ~(size_t)7);
	if (p > x->end)
		return -EBADMSG;
	x->p = p;
	return 0;
}

static int read_entry(struct index *x, uint32_t i)
{
	const unsigned char *start = x->p;
	size_t fixed = STAT + x->hash + 2;
	uint32_t flags;

	if ((size_t)(x->end - start) < fixed + 2)
		return -EBADMSG;
	x->offsets[i] = (uint32_t)(start - x->begin);
	flags = (uint32_t)start[fixed - 2] << 8 | start[fixed - 1];
	if (flags & EXTENDED) {
		if (x->version < 3)
			return -EBADMSG;
		fixed += 2;
	}
	x->p = start + fixed;
	if (read_name(x, start, i, flags & LEN_MASK) < 0)
		return -EBADMSG;
	return name_bad(buf_cstr(&x->name), (be32(start + MODE_AT) & 0170000) == 0040000);
}

/* IEOT: version 1, then pairs of offset and number of entries. */
static int check_offsets(const struct index *x, const unsigned char *p, size_t n)
{
	uint64_t at = 0;

	if (n < 4 || (n - 4) % 8 || be32(p) != 1)
		return -EBADMSG;
	for (size_t i = 4; i < n; i += 8) {
		if (at >= x->count || be32(p + i) != x->offsets[at] || (at && x->leans[at]))
			return -EBADMSG;
		at += be32(p + i + 4);
	}
	return at == x->count ? 0 : -EBADMSG;
}

static int read_extensions(struct index *x)
{
	while (x->p < x->end) {
		uint32_t n;

		if (x->end - x->p < 8)
			return -EBADMSG;
		n = be32(x->p + 4);
		if (n > (size_t)(x->end - x->p) - 8)
			return -EBADMSG;
		if (memcmp(x->p, "IEOT", 4) == 0 && check_offsets(x, x->p + 8, n) < 0)
			return -EBADMSG;
		x->p += 8 + n;
	}
	return 0;
}

static int check(struct index *x, char **ret_name)
{
	for (uint32_t i = 0; i < x->count; i++) {
		int r = read_entry(x, i);

		if (r < 0)
			return r;
		if (r) {
			*ret_name = strdup(buf_cstr(&x->name));
			return *ret_name ? 1 : -ENOMEM;
		}
	}
	return read_extensions(x);
}

int gitindex_check(const void *bytes, size_t n, size_t hash, char **ret_name)
{
	_cleanup_free_ uint32_t *offsets = NULL;
	_cleanup_free_ unsigned char *leans = NULL;
	const unsigned char *p = bytes;
	struct index x = { .begin = p, .hash = hash, .name = BUF_INIT(NAME_MAX_) };
	int r;

	if (n < HEADER + hash || n > UINT32_MAX || memcmp(p, "DIRC", 4) != 0)
		return -EBADMSG;
	x.version = be32(p + 4);
	x.count = be32(p + 8);
	if (x.version < 2 || x.version > 4 || x.count > n / (STAT + hash))
		return -EBADMSG;
	x.p = p + HEADER;
	x.end = p + n - hash;
	x.offsets = offsets = calloc((size_t)x.count + 1, sizeof(*offsets));
	x.leans = leans = calloc((size_t)x.count + 1, 1);
	r = offsets && leans ? check(&x, ret_name) : -ENOMEM;
	buf_free(&x.name);
	return r;
}
