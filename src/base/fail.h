/* An error on its way to a person: "what, 'subject': why", and the hint that mends it.
 *
 * Errors are two-signed: a negative errno is fatal and goes up unchanged; a positive value is a documented result
 * that the caller handles. Libraries fill a struct fail and return; only main() prints and exits. */
#pragma once

#include "base/macro.h"

struct fail {
	char msg[768];
	char hint[512];
};

/* Fills f->msg; where error is not 0, ": strerror(error)" is added. Clears the hint, but for a full or read-only
 * file system, which have one of their own. Control characters in the
 * text become '?'. f may be NULL. Returns -error, or -EINVAL where error is 0, so that
 * `return fail_set(f, errno, ...)` reads well. */
int fail_set(struct fail *f, int error, const char *fmt, ...) _printf_(3, 4);

/* Sets the hint: a command or a line of configuration that mends it. f may be NULL. */
void fail_hint(struct fail *f, const char *fmt, ...) _printf_(2, 3);

/* Prints "claude-sandbox: msg" and "  hint: ..." on stderr. */
void fail_print(const struct fail *f);
