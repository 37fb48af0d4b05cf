/* INNER_PS: what runs inside, from the sandbox's own /proc. Command lines are the sandbox's words: the reader makes
 * them printable. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "sandbox/say.h"
#include "sandbox/session.h"
#include "wire/inner.h"

struct proc {
	int pid, ppid, sid;
	char state;
	unsigned long ticks;
	long pages;
	char name[64];
};

/* /proc/PID/stat (proc(5)): the name is in parentheses and may hold anything. */
static bool read_stat(int proc, const char *pid, struct proc *p)
{
	_cleanup_free_ char *text = NULL;
	char path[32], *open_p, *close_p;
	unsigned long utime, stime;
	size_t n;

	snprintf(path, sizeof(path), "%.20s/stat", pid);
	if (fd_read_file(proc, path, 4096, &text, NULL) < 0)
		return false;
	open_p = strchr(text, '(');
	close_p = strrchr(text, ')');
	if (!open_p || !close_p || close_p < open_p)
		return false;
	n = MIN((size_t)(close_p - open_p - 1), sizeof(p->name) - 1);
	memcpy(p->name, open_p + 1, n);
	p->name[n] = 0;
	if (sscanf(close_p + 2, "%c %d %*d %d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %*d %*d %*u %*u %ld",
		   &p->state, &p->ppid, &p->sid, &utime, &stime, &p->pages) != 6)
		return false;
	p->ticks = utime + stime;
	p->pid = (int)strtol(text, NULL, 10);
	return true;
}

/* The command line with blanks for NULs, or [name]. Caller frees. */
static char *command(int proc, const struct proc *p)
{
	char path[32], *text = NULL;
	size_t len = 0;

	snprintf(path, sizeof(path), "%d/cmdline", p->pid);
	if (fd_read_file(proc, path, 16384, &text, &len) < 0 || !len) {
		free(text);
		return asprintf(&text, "[%s]", p->name) < 0 ? NULL : text;
	}
	while (len && !text[len - 1])
		len--;
	for (size_t i = 0; i < len; i++)
		if (!text[i])
			text[i] = ' ';
	text[MIN(len, (size_t)512)] = 0;
	return text;
}

static void put_proc(struct buf *b, const struct sessions *s, int proc, const struct proc *p)
{
	static long page_kb, hz;
	_cleanup_free_ char *cmd = command(proc, p), *line = NULL;
	char session[24] = "-";

	if (!hz) {
		page_kb = sysconf(_SC_PAGESIZE) / 1024;
		hz = sysconf(_SC_CLK_TCK);
	}
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].pid && s->v[i].pid == p->sid)
			snprintf(session, sizeof(session), "%llu", (unsigned long long)s->v[i].id);
	if (asprintf(&line, "%d\t%d\t%c\t%ld\t%lu\t%s\t%s", p->pid, p->ppid, p->state, p->pages * page_kb,
		     p->ticks * 1000 / (unsigned long)hz, session, cmd ? cmd : "?") >= 0)
		ipc_put_str(b, INNER_PROC, line);
}

void session_ps(const struct sessions *s, int sock)
{
	_cleanup_buf_ struct buf b = BUF_INIT(IPC_MAX);
	DIR *dir = opendir("/proc");
	struct dirent *e;

	ipc_begin(&b, INNER_PROCS);
	while (dir && (e = readdir(dir)) && b.len < IPC_MAX - 2048) {
		struct proc p;

		if (*e->d_name < '1' || *e->d_name > '9' || !read_stat(dirfd(dir), e->d_name, &p) || p.pid == 1)
			continue;
		put_proc(&b, s, dirfd(dir), &p);
	}
	if (dir)
		closedir(dir);
	say(sock, &b, NULL, 0);
}
