/* cs-guard: the watcher of one sandbox's project, on the host. Descriptor 3 is the record of what to watch (guard/watch.c),
 * locked as long as we live and removed when all is done, 4 the socket that lines go to. Static and locked up: it reads
 * hostile names and git configuration. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "guard/private.h"
#include "guard/sentry.h"

#define SPEC_MAX (1U << 20)

static int take_record(struct sentry *s, const char *r)
{
	long long sec;

	switch (r[0]) {
	case 'P':
		s->roots[0] = strdup(r + 1);
		return s->roots[0] ? 0 : -ENOMEM;
	case 'C':
		s->roots[1] = strdup(r + 1);
		return s->roots[1] ? 0 : -ENOMEM;
	case 'Q':
		s->quarantine = strdup(r + 1);
		return s->quarantine ? 0 : -ENOMEM;
	case 'R':
		s->record = strdup(r + 1);
		return s->record ? 0 : -ENOMEM;
	case 'a':
		return strv_add(&s->absent, r + 1);
	case 'g':
		return strv_add(&s->gitdirs, r + 1);
	case 'H':
		return strv_add(&s->heads, r + 1);
	case 'T':
		return strv_add(&s->head_texts, r + 1);
	case 'L':
		s->git_lifted = true;
		return 0;
	case 't':
		if (sscanf(r + 1, "%lld.%9ld", &sec, &s->begin.tv_nsec) != 2)
			return -EBADMSG;
		s->begin.tv_sec = sec;
		return 0;
	default:
		return -EBADMSG;
	}
}

static int read_spec(struct sentry *s)
{
	_cleanup_free_ char *data = NULL;
	size_t n = 0;
	int r = fd_read_fd(3, SPEC_MAX, &data, &n);

	for (const char *p = data; r == 0 && p < data + n; p += strlen(p) + 1)
		r = take_record(s, p);
	if (r == 0 && (!s->roots[0] || !s->quarantine || !s->record))
		r = -EBADMSG;
	(void)snprintf(s->session, sizeof(s->session), "%llx-%x", (unsigned long long)time(NULL), (unsigned)getpid());
	if (r == 0 && strv_len(s->heads) != strv_len(s->head_texts))
		r = -EBADMSG;
	return r;
}

static int open_roots(struct sentry *s)
{
	for (int i = 0; i < 2; i++) {
		if (!s->roots[i])
			continue;
		s->root_fds[i] = open(s->roots[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (s->root_fds[i] < 0)
			return -errno;
	}
	s->quarantine_fd = open(s->quarantine, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (s->quarantine_fd < 0)
		return -errno;
	s->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	s->links = links_new();
	return 0;
}

int main(void)
{
	static struct sentry s = { .root_fds = { -1, -1 }, .socket = 4, .pid1 = -1, .socket_open = true };
	char *writable[4] = { 0 };

	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	umask(022);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (read_spec(&s) < 0 || open_roots(&s) < 0)
		return 125;
	writable[0] = s.roots[0];
	writable[1] = s.quarantine;
	writable[2] = s.roots[1];
	if (guard_lock(NULL, writable, true) < 0)
		return 125;
	sentry_run(&s);
	return unlinkat(s.quarantine_fd, s.record, 0) < 0 ? 1 : 0;
}
