#include "cli/verbose.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

static _printf_(2, 3) void say(const char *what, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL, *shown = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	shown = n < 0 ? NULL : str_printable(text, (size_t)n);
	if (shown)
		(void)fprintf(stderr, "claude-sandbox: %-13s %s\n", what, shown);
}

void verbose_start(const struct runopts *o, const struct survey *s, const struct plan *p, const char *home_dir)
{
	for (char *const *file = config_sources(o->config); file && *file; file++)
		say("configuration", "%s", *file);
	say("sandbox", "%s", p->name);
	say("project", "%s", s->project);
	if (!str_eq(s->repository, s->project))
		say("repository", "%s", s->repository);
	say("home", "%s, which is %s", p->home, home_dir);
	say("user", "%u inside, %u on the host", (unsigned)p->uid, (unsigned)p->host_uid);
	say("network", "%s", config_str(o->config, OPT_NETWORK_MODE));
	for (size_t i = 0; i < s->ntools; i++)
		say("toolchain", "%s", s->tools[i].name);
	say("agent", "%s%s%s", s->agent.path ? s->agent.path : "none found", s->agent.version ? " " : "",
	    s->agent.version ? s->agent.version : "");
	say("plan", "%zu operations; --dry-run prints them", p->nops);
}
