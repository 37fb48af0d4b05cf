#include "base/fail.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void clean(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
}

int fail_set(struct fail *f, int error, const char *fmt, ...)
{
	int r = error ? -error : -EINVAL;
	va_list ap;
	size_t n;

	if (!f)
		return r;
	va_start(ap, fmt);
	(void)vsnprintf(f->msg, sizeof(f->msg), fmt, ap);
	va_end(ap);
	n = strlen(f->msg);
	if (error)
		(void)snprintf(f->msg + n, sizeof(f->msg) - n, ": %s", strerror(error));
	clean(f->msg);
	f->hint[0] = 0;
	errno = error;
	return r;
}

void fail_hint(struct fail *f, const char *fmt, ...)
{
	va_list ap;

	if (!f)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(f->hint, sizeof(f->hint), fmt, ap);
	va_end(ap);
	clean(f->hint);
}

void fail_print(const struct fail *f)
{
	(void)fprintf(stderr, "claude-sandbox: %s\n", f->msg[0] ? f->msg : "unknown error");
	if (f->hint[0])
		(void)fprintf(stderr, "  hint: %s\n", f->hint);
}
