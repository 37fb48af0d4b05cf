#include "report/plan-text.h"

#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <string.h>

#include "base/path.h"
#include "base/str.h"
#include "report/json.h"
#include "report/table.h"

static const struct {
	unsigned flag;
	const char *name;
} flags[] = {
	{ PLAN_WRITE, "write" },   { PLAN_OPTIONAL, "optional" }, { PLAN_IDMAP, "idmap" }, { PLAN_NOEXEC, "noexec" },
	{ PLAN_DEVICE, "device" }, { PLAN_PIN, "pin" },		  { PLAN_KEEP, "keep" },   { PLAN_HOSTILE, "beneath" },
	{ PLAN_FLAT, "flat" },	   { PLAN_NOFOLLOW, "nofollow" },
};

/* By its name: what a key is called. */
static bool is_secret(const char *entry)
{
	static const char *const patterns[] = { "*TOKEN*=*", "*KEY*=*", "*SECRET*=*", "*PASSW*=*", "*CREDENTIAL*=*", "*AUTH*=*" };
	_cleanup_free_ char *name = strndup(entry, strcspn(entry, "=") + 1);

	for (size_t i = 0; name && i < ARRAY_SIZE(patterns); i++)
		if (fnmatch(patterns[i], name, 0) == 0)
			return true;
	return !name;
}

static int print_field(FILE *out, const char *label, const char *text)
{
	_cleanup_free_ char *p = str_printable(text, strlen(text));

	if (!p)
		return -ENOMEM;
	(void)fprintf(out, "%s%s", label, p);
	return 0;
}

static int print_op(const struct plan_op *op, FILE *out)
{
	int r;

	(void)fprintf(out, "%-9s ", plan_kind_name(op->kind));
	r = print_field(out, "", op->dst);
	if (r == 0 && op->src && !str_eq(op->src, op->dst))
		r = print_field(out, op->kind == PLAN_BIND ? " from " : " -> ", op->src);
	if (op->kind == PLAN_BIND && !(op->flags & PLAN_WRITE))
		(void)fputs("  read-only", out);
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (op->flags & flags[i].flag)
			(void)fprintf(out, "  %s", flags[i].name);
	if (op->kind == PLAN_FILE)
		(void)fprintf(out, "  %zu bytes", op->len);
	if (op->mode)
		(void)fprintf(out, "  mode %04o", (unsigned)op->mode);
	if (op->size) {
		_cleanup_free_ char *size = report_bytes(op->size);

		(void)fprintf(out, "  at most %s", size ? size : "?");
	}
	if (r == 0 && op->why)
		r = print_field(out, "  # ", op->why);
	(void)fputc('\n', out);
	return r;
}

static const char *net_name(enum plan_net net)
{
	static const char *const names[] = { [PLAN_NET_NONE] = "none", [PLAN_NET_HOST] = "host", [PLAN_NET_FILTERED] = "filtered" };

	return (size_t)net < ARRAY_SIZE(names) ? names[net] : "?";
}

static int print_words(FILE *out, const char *label, char *const *v)
{
	(void)fputs(label, out);
	for (; v && *v; v++) {
		_cleanup_free_ char *q = str_shell_quote(*v);

		if (!q || print_field(out, " ", q) < 0)
			return -ENOMEM;
	}
	(void)fputc('\n', out);
	return 0;
}

static void print_limit(FILE *out, const char *name, uint64_t value)
{
	if (value != PLAN_RLIMIT_UNSET)
		(void)fprintf(out, "limit     %s %" PRIu64 "\n", name, value);
}

static int print_env(const struct plan *p, FILE *out)
{
	for (char **e = p->env; e && *e; e++) {
		int n = (int)strcspn(*e, "=");

		if (is_secret(*e))
			(void)fprintf(out, "env       %.*s=(hidden)\n", n, *e);
		else if (print_field(out, "env       ", *e) < 0)
			return -ENOMEM;
		else
			(void)fputc('\n', out);
	}
	return 0;
}

int plan_text_print(const struct plan *p, FILE *out)
{
	int r = 0;

	if (print_field(out, "sandbox   ", p->name) < 0 || print_field(out, "\nproject   ", p->project) < 0 ||
	    print_field(out, "\nhome      ", p->home) < 0 || print_field(out, "\nstarts in ", p->cwd) < 0)
		return -ENOMEM;
	r = print_words(out, "\ncommand  ", p->argv);
	(void)fprintf(out, "user      %u:%u inside, %u:%u on the host%s\n", (unsigned)p->uid, (unsigned)p->gid, (unsigned)p->host_uid,
		      (unsigned)p->host_gid, p->map_id ? ", files idmapped to yours" : "");
	(void)fprintf(out, "network   %s\n", net_name(p->net));
	if (p->relax)
		(void)fprintf(out, "relaxed   seccomp %#x\n", p->relax);
	print_limit(out, "processes", p->rlimit_nproc);
	print_limit(out, "open files", p->rlimit_nofile);
	print_limit(out, "core", p->rlimit_core);
	print_limit(out, "file size", p->rlimit_fsize);
	print_limit(out, "address space", p->rlimit_as);
	for (size_t i = 0; i < p->nops && r == 0; i++)
		r = print_op(&p->ops[i], out);
	return r == 0 ? print_env(p, out) : r;
}

static struct json_object *op_json(const struct plan_op *op)
{
	struct json_object *o = json_object_new_object(), *list = json_object_new_array();
	int r = o && list ? 0 : -ENOMEM;

	for (size_t i = 0; i < ARRAY_SIZE(flags) && r == 0; i++)
		if (op->flags & flags[i].flag)
			r = json_push(list, json_str(flags[i].name));
	if (r == 0)
		r = json_put_str(o, "op", plan_kind_name(op->kind));
	if (r == 0)
		r = json_put_str(o, "path", op->dst);
	if (r == 0 && op->src)
		r = json_put_str(o, "source", op->src);
	if (r == 0 && op->mode)
		r = json_put_int(o, "mode", op->mode);
	if (r == 0 && op->size)
		r = json_put_u64(o, "size", op->size);
	if (r == 0 && op->kind == PLAN_FILE)
		r = json_put_u64(o, "bytes", op->len);
	if (r == 0 && op->why)
		r = json_put_str(o, "why", op->why);
	if (r == 0) {
		r = json_put(o, "flags", list);
		list = NULL;
	}
	json_object_put(list);
	if (r < 0) {
		json_object_put(o);
		return NULL;
	}
	return o;
}

static struct json_object *env_json(char *const *env)
{
	struct json_object *o = json_object_new_object();

	for (; env && *env && o; env++) {
		size_t n = strcspn(*env, "=");
		_cleanup_free_ char *name = strndup(*env, n);

		if (!name || json_put_str(o, name, is_secret(*env) ? "(hidden)" : *env + n + ((*env)[n] == '=')) < 0) {
			json_object_put(o);
			return NULL;
		}
	}
	return o;
}

static int put_limit(struct json_object *o, const char *key, uint64_t v)
{
	return v == PLAN_RLIMIT_UNSET ? 0 : json_put_u64(o, key, v);
}

static struct json_object *limits_json(const struct plan *p)
{
	struct json_object *o = json_object_new_object();

	if (o && (put_limit(o, "processes", p->rlimit_nproc) < 0 || put_limit(o, "files", p->rlimit_nofile) < 0 ||
		  put_limit(o, "core", p->rlimit_core) < 0 || put_limit(o, "file-size", p->rlimit_fsize) < 0 ||
		  put_limit(o, "address-space", p->rlimit_as) < 0)) {
		json_object_put(o);
		return NULL;
	}
	return o;
}

struct json_object *plan_text_json(const struct plan *p)
{
	struct json_object *o = json_object_new_object(), *ops = json_object_new_array();
	int r = o && ops ? 0 : -ENOMEM;

	for (size_t i = 0; i < p->nops && r == 0; i++)
		r = json_push(ops, op_json(&p->ops[i]));
	if (r == 0 && (json_put_str(o, "name", p->name) < 0 || json_put_str(o, "project", p->project) < 0 ||
		       json_put_str(o, "home", p->home) < 0 || json_put_str(o, "cwd", p->cwd) < 0 ||
		       json_put_strv(o, "command", p->argv) < 0 || json_put_u64(o, "uid", p->uid) < 0 ||
		       json_put_u64(o, "gid", p->gid) < 0 || json_put_u64(o, "host_uid", p->host_uid) < 0 ||
		       json_put_u64(o, "host_gid", p->host_gid) < 0 || json_put_bool(o, "idmapped", p->map_id) < 0 ||
		       json_put_str(o, "network", net_name(p->net)) < 0 || json_put_u64(o, "relaxed", p->relax) < 0 ||
		       json_put_bool(o, "strict_absent", p->strict_absent) < 0 || json_put(o, "limits", limits_json(p)) < 0 ||
		       json_put(o, "env", env_json(p->env)) < 0))
		r = -ENOMEM;
	if (r == 0) {
		r = json_put(o, "operations", ops);
		ops = NULL;
	}
	json_object_put(ops);
	if (r < 0) {
		json_object_put(o);
		return NULL;
	}
	return o;
}
