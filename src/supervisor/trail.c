/* What is kept of a sandbox: the audit, the guard's findings, the receipt. */
#include <errno.h>
#include <string.h>

#include "supervisor/internal.h"

int trail_start(struct supervisor *sv _unused_, const struct supervisor_spec *spec _unused_)
{
	return 0;
}

void trail_ready(struct supervisor *sv _unused_)
{
}

void trail_event(struct supervisor *sv, const char *kind, const char *subject, const char *msg)
{
	sv_log(sv, "%s %s %s", kind, subject ? subject : "", msg ? msg : "");
}

void trail_settle(struct supervisor *sv _unused_)
{
}

char *trail_receipt(struct supervisor *sv _unused_)
{
	return NULL;
}

void trail_end(struct supervisor *sv _unused_)
{
}
