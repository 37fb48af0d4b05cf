/* What the audit database has recorded. Following sleeps on inotify; nothing is polled. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "audit/audit.h"
#include "audit/query.h"
#include "base/buf.h"
#include "base/fd.h"
#include "base/str.h"
#include "cli/args.h"
#include "cli/here.h"
#include "report/json.h"
#include "report/table.h"

enum { LOG_JSON, LOG_FOLLOW, LOG_SINCE, LOG_KIND, LOG_ALL, LOG_LAST, LOG_POLICY };

static const struct cmd_option options[] = {
	[LOG_JSON] = { "json", 0, NULL, "One JSON object a line." },
	[LOG_FOLLOW] = { "follow", 'f', NULL, "Goes on with what is recorded from now on, until it is interrupted." },
	[LOG_SINCE] = { "since", 0, "TIME",
			"Only what is newer: an age (30m, 2h, 7d) or a date (2026-11-23, \"2026-11-23 16:28\")." },
	[LOG_KIND] = { "kind", 0, "KIND", "Only events of this kind: start, stop, exec, guard, quarantine..." },
	[LOG_ALL] = { "all", 'a', NULL, "Every sandbox of yours." },
	[LOG_LAST] = { "last", 0, NULL, "Only the latest sandbox." },
	[LOG_POLICY] = { "policy", 0, NULL, "Instead of events: the effective policy of the latest sandbox, as JSON." },
	{ 0 },
};

struct log {
	struct audit_filter filter;
	bool json, follow, policy;
	uint64_t shown;
};

static int parse_since(const char *text, int64_t *ret, struct fail *f)
{
	static const char *const forms[] = { "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M",
					     "%Y-%m-%dT%H:%M", "%Y-%m-%d" };
	uint64_t age;

	if (str_to_duration(text, &age) == 0) {
		*ret = (int64_t)time(NULL) * 1000 - (int64_t)age;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		struct tm tm = { .tm_isdst = -1 };
		const char *end = strptime(text, forms[i], &tm);

		if (!end || *end)
			continue;
		*ret = (int64_t)mktime(&tm) * 1000;
		return 0;
	}
	return fail_set(f, 0, "log --since, '%s': neither an age (2h, 7d) nor a date (2026-11-23)", text);
}

static int print_json(const struct audit_row *row)
{
	_cleanup_json_ struct json_object *o = json_object_new_object();
	_cleanup_free_ char *at = report_time_iso(row->at);

	if (!o || !at)
		return -ENOMEM;
	json_put_str(o, "time", at);
	json_put_int(o, "id", row->id);
	json_put_int(o, "sandbox", row->sandbox);
	json_put_str(o, "name", row->name);
	json_put_str(o, "project", row->project);
	json_put_str(o, "kind", row->kind);
	json_put_str(o, "subject", row->subject);
	json_put_int(o, "count", row->count);
	json_put(o, "detail", row->detail ? json_tokener_parse(row->detail) : NULL);
	return json_print(o, false, stdout);
}

/* {"status":0,"signal":"TERM"} as "status=0 signal=TERM"; what is no object as it is. */
static void put_detail(struct buf *b, const char *detail)
{
	_cleanup_json_ struct json_object *o = json_tokener_parse(detail);

	if (!json_object_is_type(o, json_type_object)) {
		buf_printf(b, " %s", detail);
		return;
	}
	json_object_object_foreach(o, key, value)
		buf_printf(b, " %s=%s", key, value ? json_object_get_string(value) : "-");
}

static int print_text(const struct audit_row *row)
{
	_cleanup_buf_ struct buf b = BUF_INIT(64U << 10);
	_cleanup_free_ char *at = report_time(row->at), *line = NULL;

	buf_printf(&b, "%s  %-16s  %-11s", at ? at : "", row->name, row->kind);
	if (row->subject)
		buf_printf(&b, " %s", row->subject);
	if (row->detail)
		put_detail(&b, row->detail);
	if (row->count > 1)
		buf_printf(&b, " (%" PRId64 " times)", row->count);
	line = b.error ? NULL : str_printable(buf_cstr(&b), b.len);
	return line && puts(line) >= 0 ? 0 : -EIO;
}

static int show(const struct audit_row *row, void *data)
{
	struct log *l = data;
	int r = l->json ? print_json(row) : print_text(row);

	l->filter.after = row->id;
	l->shown++;
	return r < 0 || ferror(stdout) ? -EPIPE : 0;
}

/* Prints what is new. A database that is not there yet, or is being made, is an empty one. */
static int print_new(struct log *l, struct audit_reader **reader, struct stat *seen, struct fail *f)
{
	_cleanup_free_ char *path = NULL;
	struct stat st;
	int r = audit_path(0, &path);

	if (r < 0)
		return fail_set(f, -r, "cannot tell where the audit database is");
	if (stat(path, &st) < 0)
		return 0;
	if (!*reader || st.st_ino != seen->st_ino) {
		*reader = audit_reader_close(*reader);
		r = audit_reader_open_at(path, reader, f);
		if (r < 0)
			return r == -ENOENT ? 0 : r;
		if (seen->st_ino) /* the old one was moved aside */
			l->filter.after = 0;
		*seen = st;
	}
	r = audit_query(*reader, &l->filter, show, l, f);
	if (fflush(stdout) != 0 || r == -EPIPE)
		return -EPIPE;
	return r;
}

static int print_all(struct log *l, struct fail *f)
{
	struct audit_reader *reader = NULL;
	struct stat seen = { 0 };
	int watch = -1, r = 0;

	if (l->follow) {
		watch = audit_watch_new();
		if (watch < 0)
			return fail_set(f, -watch, "cannot watch the audit database");
	}
	r = print_new(l, &reader, &seen, f);
	while (r == 0 && l->follow) {
		l->filter.last = false;
		r = audit_watch_wait(watch);
		if (r == 0)
			r = print_new(l, &reader, &seen, f);
	}
	fd_close(watch);
	audit_reader_close(reader);
	if (r == 0 && !l->shown && !l->json)
		(void)fprintf(stderr, "nothing recorded%s\n",
			      l->filter.name || l->filter.project ? " here (--all: every sandbox)" : "");
	return r == -EPIPE || r == -EINTR ? 0 : r;
}

static int print_policy(const struct log *l, struct fail *f)
{
	_cleanup_json_ struct json_object *o = NULL;
	_cleanup_free_ char *text = NULL;
	struct audit_reader *reader = NULL;
	int r = audit_reader_open(&reader, f);

	if (r == 0)
		r = audit_policy(reader, &l->filter, &text, f);
	audit_reader_close(reader);
	if (r == -ENOENT)
		return fail_set(f, 0, "log --policy: no sandbox is recorded%s",
				l->filter.name ? " by that name" : " here");
	if (r < 0)
		return r;
	o = json_tokener_parse(text);
	return o ? json_print(o, true, stdout) : -EBADMSG;
}

static int read_options(struct args *a, struct log *l, bool *ret_all, struct fail *f)
{
	int r;

	while ((r = args_next(a, f)) != ARGS_END) {
		if (r < 0)
			return r;
		switch (r) {
		case LOG_JSON:
			l->json = true;
			break;
		case LOG_FOLLOW:
			l->follow = true;
			break;
		case LOG_SINCE:
			r = parse_since(a->value, &l->filter.since, f);
			if (r < 0)
				return r;
			break;
		case LOG_KIND:
			l->filter.kind = a->value;
			break;
		case LOG_ALL:
			*ret_all = true;
			break;
		case LOG_POLICY:
			l->policy = true;
			break;
		case LOG_LAST:
			l->filter.last = true;
			break;
		default:
			if (l->filter.name)
				return fail_set(f, 0, "log, '%s': one name too many", a->value);
			l->filter.name = a->value;
		}
	}
	if (*ret_all && l->filter.name)
		return fail_set(f, 0, "log, '%s': a name and --all do not go together", l->filter.name);
	return 0;
}

static int cmd_log_run(int argc, char **argv)
{
	struct args a = ARGS_INIT(argc, argv, options);
	_cleanup_free_ char *project = NULL, *repository = NULL;
	struct log l = { 0 };
	struct fail f = { 0 };
	bool all = false;
	int r = read_options(&a, &l, &all, &f);

	if (r == 0 && !all && !l.filter.name) {
		r = here_project(NULL, &project, &repository, &f);
		l.filter.project = project;
	}
	if (r == 0)
		r = l.policy ? print_policy(&l, &f) : print_all(&l, &f);
	if (r == 0)
		return 0;
	fail_print(&f);
	return EXIT_SANDBOX;
}

extern const struct cmd cmd_log;
const struct cmd cmd_log = {
	.name = "log",
	.args = "[--follow] [--json] [--since TIME] [--kind KIND] [--all | NAME]",
	.section = "sandboxes",
	.sandboxes = true,
	.summary = "what the audit has recorded of a sandbox",
	.help = "When it started and with which policy, what ran in it, which guarded paths were touched, which limits "
		"were met, how it ended; oldest first. Without NAME: this directory's sandboxes. The database, "
		"~/.local/state/claude-sandbox/audit.db, keeps 90 days (audit.keep). claude-sandbox logs shows what a "
		"terminal showed.",
	.options = options,
	.run = cmd_log_run,
};
