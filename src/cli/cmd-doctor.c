/* Looks the machine over, and says what mends it. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "audit/query.h"
#include "base/str.h"
#include "cli/args.h"
#include "cli/runopts.h"
#include "report/json.h"
#include "report/table.h"
#include "survey/health.h"

enum { DOCTOR_JSON };

static const struct cmd_option options[] = {
	[DOCTOR_JSON] = { "json", 0, NULL, "As JSON." },
	{ 0 },
};

static int add_failure(struct health *h, const char *check, enum health_verdict v, const struct fail *f)
{
	return health_add(h, check, v, strdup(f->msg), f->hint[0] ? strdup(f->hint) : NULL);
}

/* What only this floor can look at: the configuration and the audit database. */
static int check_own(struct health *h)
{
	_cleanup_runopts_files_ struct runopts_files files = { 0 };
	_cleanup_config_ struct config *c = config_new();
	struct audit_reader *reader = NULL;
	int64_t sandboxes = 0, events = 0, oldest = 0;
	struct fail f = { 0 };
	char *text = NULL;
	int r;

	if (!c)
		return -ENOMEM;
	r = runopts_files("/", NULL, &files, &f);
	if (r == 0)
		r = config_load(c, &files.files, &f);
	r = r < 0 ? add_failure(h, "configuration", HEALTH_FAIL, &f)
		  : health_add(h, "configuration", HEALTH_OK, strdup("reads well"), NULL);
	if (r < 0)
		return r;
	r = audit_reader_open(&reader, &f);
	if (r == 0)
		r = audit_count(reader, &sandboxes, &events, &oldest);
	audit_reader_close(reader);
	if (r == -ENOENT)
		return health_add(h, "audit", HEALTH_OK, strdup("nothing recorded yet"), NULL);
	if (r < 0)
		return f.msg[0] ? add_failure(h, "audit", HEALTH_WARN, &f) :
				  health_add(h, "audit", HEALTH_WARN, strdup("the database cannot be read"), NULL);
	if (asprintf(&text, "%lld sandboxes, %lld events", (long long)sandboxes, (long long)events) < 0)
		return -ENOMEM;
	return health_add(h, "audit", HEALTH_OK, text, NULL);
}

static int print_json(const struct health *h)
{
	_cleanup_json_ struct json_object *o = json_object_new_object();
	struct json_object *list = json_object_new_array();

	if (!o || !list)
		return -ENOMEM;
	for (size_t i = 0; i < h->n; i++) {
		struct json_object *one = json_object_new_object();
		static const char *const verdicts[] = {
			[HEALTH_OK] = "ok", [HEALTH_WARN] = "warn", [HEALTH_FAIL] = "fail"
		};

		if (!one)
			return -ENOMEM;
		json_put_str(one, "check", h->findings[i].check);
		json_put_str(one, "verdict", verdicts[h->findings[i].verdict]);
		json_put_str(one, "seen", h->findings[i].seen);
		json_put_str(one, "mend", h->findings[i].mend);
		json_push(list, one);
	}
	json_put_bool(o, "ok", !health_failed(h));
	json_put(o, "findings", list);
	return json_print(o, true, stdout);
}

static int print_text(const struct health *h)
{
	static const char *const colors[] = {
		[HEALTH_OK] = "\033[32m", [HEALTH_WARN] = "\033[33m", [HEALTH_FAIL] = "\033[31m"
	};
	bool color = report_color(STDOUT_FILENO);

	for (size_t i = 0; i < h->n; i++) {
		const struct health_finding *d = &h->findings[i];
		_cleanup_free_ char *seen = str_printable(d->seen, strlen(d->seen));
		_cleanup_free_ char *mend = d->mend ? str_printable(d->mend, strlen(d->mend)) : NULL;

		if (printf("%s%-4s%s  %-18s %s\n", color ? colors[d->verdict] : "", health_verdict_name(d->verdict),
			   color ? "\033[0m" : "", d->check, seen ? seen : "") < 0)
			return -EIO;
		if (mend)
			(void)printf("      %-18s mend: %s\n", "", mend);
	}
	return 0;
}

static int cmd_doctor_run(int argc, char **argv)
{
	struct args a = ARGS_INIT(argc, argv, options);
	_cleanup_health_ struct health h = { 0 };
	_cleanup_free_ char *cwd = NULL;
	struct fail f = { 0 };
	bool json = false;
	int r;

	while ((r = args_next(&a, &f)) != ARGS_END) {
		if (r == ARGS_WORD)
			r = fail_set(&f, 0, "doctor, '%s': takes no words", a.value);
		if (r < 0) {
			fail_print(&f);
			return EXIT_SANDBOX;
		}
		json = true;
	}
	cwd = getcwd(NULL, 0);
	r = health_check(cwd ? cwd : "/", &h);
	if (r == 0)
		r = check_own(&h);
	if (r == 0)
		r = json ? print_json(&h) : print_text(&h);
	if (r < 0) {
		(void)fail_set(&f, -r, "doctor");
		fail_print(&f);
		return EXIT_SANDBOX;
	}
	return health_failed(&h) ? 1 : 0;
}

extern const struct cmd cmd_doctor;
const struct cmd cmd_doctor = {
	.name = "doctor",
	.args = "[--json]",
	.section = "set-up",
	.summary = "check this machine, and say what mends it",
	.help = "Does what a sandbox needs, one thing after the other: makes the namespaces, mounts, sets limits, "
		"looks at the file systems and for the agent. Each finding that is not ok comes with the command that "
		"mends it. The exit status is 1 where something fails.",
	.options = options,
	.run = cmd_doctor_run,
};
