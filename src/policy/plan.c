/* The plan's own functions and its bytes: a fixed sequence of little-endian numbers and counted strings, read back with
 * every count checked. Both ends are of one build; the magic says so. */
#include "policy/plan.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

#define MAGIC	  UINT64_C(0x31304e414c505343) /* "CSPLAN01" */
#define NO_STRING UINT32_MAX
#define FLAGS_ALL ((unsigned)(PLAN_NOFOLLOW << 1) - 1)
#define RELAX_ALL ((unsigned)(PLAN_RELAX_KEYCTL << 1) - 1)

static const char *const kind_names[] = {
	[PLAN_DIR] = "dir", [PLAN_TMPFS] = "tmpfs", [PLAN_BIND] = "bind", [PLAN_SYMLINK] = "symlink", [PLAN_FILE] = "file",
	[PLAN_PROC] = "proc", [PLAN_DEV] = "dev", [PLAN_MASK] = "mask", [PLAN_GUARD] = "guard",
	[PLAN_GITCONFIG] = "gitconfig", [PLAN_ABSENT] = "absent", [PLAN_SEAL] = "seal",
};

const char *plan_kind_name(enum plan_kind k)
{
	return (unsigned)k < ARRAY_SIZE(kind_names) ? kind_names[k] : "unknown";
}

struct plan *plan_new(void)
{
	struct plan *p = calloc(1, sizeof(*p));

	if (p) {
		p->rlimit_nproc = p->rlimit_nofile = p->rlimit_core = PLAN_RLIMIT_UNSET;
		p->rlimit_fsize = p->rlimit_as = PLAN_RLIMIT_UNSET;
	}
	return p;
}

/* A string vector; borrowed: the array alone is its own. */
static void free_strv(char **v, bool borrowed)
{
	if (borrowed)
		free(v);
	else
		strv_free(v);
}

static void op_clear(struct plan_op *op)
{
	free(op->src);
	free(op->dst);
	free(op->data);
	free(op->why);
}

struct plan *plan_free(struct plan *p)
{
	if (!p)
		return NULL;
	for (size_t i = 0; i < p->nops && !p->borrowed; i++)
		op_clear(&p->ops[i]);
	free(p->ops);
	if (!p->borrowed) {
		free(p->name);
		free(p->project);
		free(p->home);
		free(p->cwd);
	}
	free_strv(p->argv, p->borrowed);
	free_strv(p->env, p->borrowed);
	free(p);
	return NULL;
}

/* Room for one more operation, zeroed; not counted yet. */
static struct plan_op *next_op(struct plan *p)
{
	if (p->nops == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 64;
		struct plan_op *ops = reallocarray(p->ops, cap, sizeof(*ops));

		if (!ops)
			return NULL;
		p->ops = ops;
		p->cap = cap;
	}
	p->ops[p->nops] = (struct plan_op){ 0 };
	return &p->ops[p->nops];
}

static bool dup_to(char **ret, const char *s)
{
	*ret = s ? strdup(s) : NULL;
	return !s || *ret;
}

struct plan_op *plan_add(struct plan *p, enum plan_kind kind, unsigned flags, const char *src, const char *dst,
			 const char *why)
{
	struct plan_op *op = next_op(p);

	if (!op)
		return NULL;
	op->kind = kind;
	op->flags = flags;
	if (!dup_to(&op->src, src) || !dup_to(&op->dst, dst) || !dup_to(&op->why, why)) {
		op_clear(op);
		return NULL;
	}
	p->nops++;
	return op;
}

struct plan_op *plan_add_file(struct plan *p, const char *dst, mode_t mode, const void *data, size_t len, const char *why)
{
	_cleanup_free_ char *copy = malloc(len + 1);
	struct plan_op *op;

	if (!copy)
		return NULL;
	if (len)
		memcpy(copy, data, len);
	copy[len] = 0;
	op = plan_add(p, PLAN_FILE, 0, NULL, dst, why);
	if (!op)
		return NULL;
	op->mode = mode;
	op->data = TAKE_PTR(copy);
	op->len = len;
	return op;
}

static void put(struct buf *b, uint64_t v, size_t n)
{
	unsigned char p[8];

	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)(v >> (8 * i));
	buf_put(b, p, n);
}

static void put_bytes(struct buf *b, const char *s, size_t n)
{
	if (s && n >= NO_STRING) {
		b->error = -ENOSPC;
		return;
	}
	put(b, s ? n : NO_STRING, 4);
	if (s) {
		buf_put(b, s, n);
		buf_putc(b, 0); /* not counted: so that a reader need not copy it */
	}
}

static void put_str(struct buf *b, const char *s)
{
	put_bytes(b, s, s ? strlen(s) : 0);
}

static void put_strv(struct buf *b, char *const *v)
{
	put(b, strv_len(v), 4);
	for (; v && *v; v++)
		put_str(b, *v);
}

int plan_encode(const struct plan *p, struct buf *b)
{
	buf_reset(b);
	put(b, MAGIC, 8);
	put_str(b, p->name);
	put_str(b, p->project);
	put_str(b, p->home);
	put_str(b, p->cwd);
	put_strv(b, p->argv);
	put_strv(b, p->env);
	put(b, p->uid, 4);
	put(b, p->gid, 4);
	put(b, p->host_uid, 4);
	put(b, p->host_gid, 4);
	put(b, (uint64_t)p->map_id | (uint64_t)p->no_landlock << 1 | (uint64_t)p->seccomp_log << 2 |
		       (uint64_t)p->strict_absent << 3, 4);
	put(b, (uint64_t)p->net, 4);
	put(b, p->relax, 4);
	put(b, p->rlimit_nproc, 8);
	put(b, p->rlimit_nofile, 8);
	put(b, p->rlimit_core, 8);
	put(b, p->rlimit_fsize, 8);
	put(b, p->rlimit_as, 8);
	put(b, p->nops, 4);
	for (size_t i = 0; i < p->nops; i++) {
		const struct plan_op *op = &p->ops[i];

		put(b, (uint64_t)op->kind, 4);
		put(b, op->flags, 4);
		put(b, op->mode, 4);
		put(b, op->size, 8);
		put_str(b, op->src);
		put_str(b, op->dst);
		put_bytes(b, op->data, op->len);
		put_str(b, op->why);
	}
	return b->error;
}

struct reader {
	const unsigned char *p;
	size_t left;
	bool borrow;
	int error;
};

static uint64_t get(struct reader *r, size_t n)
{
	uint64_t v = 0;

	if (r->left < n) {
		r->error = -EBADMSG;
		r->left = 0;
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)r->p[i] << (8 * i);
	r->p += n;
	r->left -= n;
	return v;
}

/* A counted string and the NUL after it; those that are text must hold no other. */
static char *get_bytes(struct reader *r, bool text, size_t *ret_len)
{
	uint64_t n = get(r, 4);
	char *s;

	if (r->error || n == NO_STRING)
		return NULL;
	if (n >= r->left || r->p[n] || (text && memchr(r->p, 0, n))) {
		r->error = -EBADMSG;
		return NULL;
	}
	s = (char *)(uintptr_t)r->p;
	if (!r->borrow) {
		s = malloc(n + 1);
		if (!s) {
			r->error = -ENOMEM;
			return NULL;
		}
		memcpy(s, r->p, n + 1);
	}
	r->p += n + 1;
	r->left -= n + 1;
	if (ret_len)
		*ret_len = n;
	return s;
}

static char *get_str(struct reader *r)
{
	return get_bytes(r, true, NULL);
}

static char **get_strv(struct reader *r)
{
	uint64_t n = get(r, 4);
	char **v;

	if (r->error || !n)
		return NULL;
	if (n > r->left / 5) { /* each takes 5 bytes at least */
		r->error = -EBADMSG;
		return NULL;
	}
	v = calloc(n + 1, sizeof(*v));
	if (!v) {
		r->error = -ENOMEM;
		return NULL;
	}
	for (uint64_t i = 0; i < n && !r->error; i++) {
		v[i] = get_str(r);
		if (!v[i] && !r->error)
			r->error = -EBADMSG;
	}
	return v;
}

static void get_op(struct reader *r, struct plan_op *op)
{
	uint64_t kind = get(r, 4);

	op->kind = (enum plan_kind)kind;
	op->flags = (unsigned)get(r, 4);
	op->mode = (mode_t)get(r, 4);
	op->size = get(r, 8);
	op->src = get_str(r);
	op->dst = get_str(r);
	op->data = get_bytes(r, false, &op->len);
	op->why = get_str(r);
	if (r->error)
		return;
	if (kind >= ARRAY_SIZE(kind_names) || op->flags > FLAGS_ALL || op->mode > 07777 || !op->dst || *op->dst != '/')
		r->error = -EBADMSG;
	else if (!op->src && (kind == PLAN_BIND || kind == PLAN_SYMLINK || kind == PLAN_GITCONFIG))
		r->error = -EBADMSG;
}

static void get_head(struct reader *r, struct plan *p)
{
	uint64_t bits, net;

	if (get(r, 8) != MAGIC)
		r->error = -EBADMSG;
	p->name = get_str(r);
	p->project = get_str(r);
	p->home = get_str(r);
	p->cwd = get_str(r);
	p->argv = get_strv(r);
	p->env = get_strv(r);
	p->uid = (uid_t)get(r, 4);
	p->gid = (gid_t)get(r, 4);
	p->host_uid = (uid_t)get(r, 4);
	p->host_gid = (gid_t)get(r, 4);
	bits = get(r, 4);
	net = get(r, 4);
	p->relax = (unsigned)get(r, 4);
	if (bits > 15 || net > PLAN_NET_FILTERED || p->relax > RELAX_ALL)
		r->error = -EBADMSG;
	p->map_id = bits & 1;
	p->no_landlock = bits & 2;
	p->seccomp_log = bits & 4;
	p->strict_absent = bits & 8;
	p->net = (enum plan_net)net;
	p->rlimit_nproc = get(r, 8);
	p->rlimit_nofile = get(r, 8);
	p->rlimit_core = get(r, 8);
	p->rlimit_fsize = get(r, 8);
	p->rlimit_as = get(r, 8);
}

static int decode(struct reader *r, struct plan **ret)
{
	_cleanup_plan_ struct plan *p = plan_new();
	uint64_t nops;

	if (!p)
		return -ENOMEM;
	p->borrowed = r->borrow;
	if (r->left > PLAN_MAX)
		return -EBADMSG;
	get_head(r, p);
	nops = get(r, 4);
	if (!r->error && nops > r->left / 36) /* the least an operation takes */
		r->error = -EBADMSG;
	for (uint64_t i = 0; i < nops && !r->error; i++) {
		struct plan_op *op = next_op(p);

		if (!op)
			return -ENOMEM;
		get_op(r, op);
		p->nops++;
	}
	if (!r->error && r->left)
		r->error = -EBADMSG;
	if (r->error)
		return r->error;
	*ret = TAKE_PTR(p);
	return 0;
}

int plan_decode(const void *bytes, size_t n, struct plan **ret)
{
	return decode(&(struct reader){ .p = bytes, .left = n }, ret);
}

int plan_decode_borrow(const void *bytes, size_t n, struct plan **ret)
{
	return decode(&(struct reader){ .p = bytes, .left = n, .borrow = true }, ret);
}
