#include "base/fail.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

static void clean(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
}

int fail_set(struct fail *f, int error, const char *fmt, ...)
{
	int r = error ? -error : -EINVAL;
	char msg[sizeof(f->msg)]; /* an argument may be f->msg itself */
	va_list ap;
	size_t n;

	if (!f)
		return r;
	va_start(ap, fmt);
	(void)vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	n = strlen(msg);
	if (error)
		(void)snprintf(msg + n, sizeof(msg) - n, ": %s", strerror(error));
	clean(msg);
	memcpy(f->msg, msg, strlen(msg) + 1);
	f->hint[0] = 0;
	if (error == ENOSPC || error == EDQUOT)
		fail_hint(f, "no space (or no inode) is left there: claude-sandbox df shows what sandboxes use");
	else if (error == EROFS)
		fail_hint(f, "the file system is read-only there");
	errno = error;
	return r;
}

void fail_hint(struct fail *f, const char *fmt, ...)
{
	char hint[sizeof(f->hint)];
	va_list ap;

	if (!f)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(hint, sizeof(hint), fmt, ap);
	va_end(ap);
	clean(hint);
	memcpy(f->hint, hint, strlen(hint) + 1);
}

void fail_print(const struct fail *f)
{
	_cleanup_free_ char *msg = str_printable(f->msg, strlen(f->msg)),
			    *hint = str_printable(f->hint, strlen(f->hint));

	(void)fprintf(stderr, "claude-sandbox: %s\n", str_empty(msg) ? "unknown error" : msg);
	if (!str_empty(hint))
		(void)fprintf(stderr, "  hint: %s\n", hint);
}
