/* What `doctor` finds out about this machine. Each check does the real thing where it can (makes a namespace, mounts,
 * sets a limit) in a child, and changes nothing that stays. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/macro.h"

enum health_verdict {
	HEALTH_OK,
	HEALTH_WARN, /* works, with something less */
	HEALTH_FAIL, /* sandboxes do not start, or not as asked */
};

struct health_finding {
	const char *check; /* "user-namespaces" */
	enum health_verdict verdict;
	char *seen; /* one line */
	char *mend; /* the command that mends it; NULL where there is nothing to mend */
};

struct health {
	struct health_finding *findings;
	size_t n;
};

/* Every check, in the order in which they should be mended. project: where it is started (for the file systems).
 * 0 or -ENOMEM. */
int health_check(const char *project, struct health *ret);
void health_done(struct health *h);
#define _cleanup_health_ _cleanup_(health_done)

/* Adds a finding; seen and mend are formatted by the caller and taken; a NULL seen is -ENOMEM. */
int health_add(struct health *h, const char *check, enum health_verdict v, char *seen, char *mend);
bool health_failed(const struct health *h);
const char *health_verdict_name(enum health_verdict v);
