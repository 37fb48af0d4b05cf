/* guard-tool: the guard room by hand, for tests/guard.
 *
 *   survey PROJECT                        what guard_git_survey finds, a kind and a path a line
 *   plan PROJECT PRIVATE [ENTRY...]       the operations and what is to be watched
 *   settle PRIVATE apply|keep             the receipt's lines
 *   recover HELPER QUARANTINE             what a killed session left
 *   watch HELPER PROJECT QUARANTINE PRIVATE [ENTRY...]   runs cs-guard until stdin ends; prints its lines */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "guard/guard.h"

static int die(const struct fail *f)
{
	fail_print(f);
	return 125;
}

static void print_all(const char *kind, char *const *v)
{
	for (; v && *v; v++)
		printf("%s\t%s\n", kind, *v);
}

static int survey(const char *project)
{
	struct guard_git *g _cleanup_(guard_git_free_p) = NULL;
	struct fail f;

	if (guard_git_survey(project, &g, &f) < 0)
		return die(&f);
	print_all("gitdir", g->gitdirs);
	print_all("head", g->heads);
	if (g->common)
		printf("common\t%s\n", g->common);
	print_all("config", g->configs);
	print_all("hooks", g->hooks);
	print_all("guard", g->guards);
	print_all("pin", g->pins);
	print_all("absent", g->absent);
	print_all("note", g->notes);
	return 0;
}

static int plan(const char *project, const char *private_dir, char **list, char ***ret_watch, bool print)
{
	struct guard_git *g _cleanup_(guard_git_free_p) = NULL;
	_cleanup_plan_ struct plan *p = plan_new();
	struct fail f;

	if (guard_git_survey(project, &g, &f) < 0 || guard_plan(p, project, list, g, private_dir, ret_watch, &f) < 0)
		return die(&f);
	for (size_t i = 0; print && i < p->nops; i++)
		printf("%s\t%x\t%s\t%s\t%s\n", plan_kind_name(p->ops[i].kind), p->ops[i].flags, p->ops[i].dst,
		       p->ops[i].src ? p->ops[i].src : "", p->ops[i].why ? p->ops[i].why : "");
	if (print)
		print_all("watch", *ret_watch);
	return 0;
}

static int settle(const char *private_dir, bool apply)
{
	_cleanup_strv_ char **lines = NULL;
	struct fail f;

	if (guard_settle(private_dir, apply, &lines, &f) < 0)
		return die(&f);
	for (char **l = lines; l && *l; l++)
		puts(*l);
	return 0;
}

static int recover(const char *helper, const char *quarantine)
{
	_cleanup_strv_ char **lines = NULL;
	struct fail f;

	if (guard_recover(helper, quarantine, &lines, &f) < 0)
		return die(&f);
	for (char **l = lines; l && *l; l++)
		puts(*l);
	return 0;
}

/* A process that stands for pid 1: it ends with our stdin. */
static int watch(char **argv)
{
	_cleanup_strv_ char **watched = NULL;
	struct guard_watch w;
	struct fail f;
	int r = plan(argv[1], argv[3], argv + 4, &watched, false);
	bool open_in = true;

	if (r)
		return r;
	if (guard_watch_start(argv[0], argv[1], watched, argv[2], -1, &w, &f) < 0)
		return die(&f);
	printf("pid\t%d\n", (int)w.pid);
	(void)fflush(stdout);
	for (;;) {
		struct pollfd p[2] = { { .fd = w.socket, .events = POLLIN }, { .fd = open_in ? 0 : -1, .events = POLLIN } };
		char text[GUARD_LINE_MAX + 1];
		int fds[FD_PASS_MAX];
		size_t nfds = 0;
		ssize_t n;

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return 1;
		if (p[1].revents && read(0, text, sizeof(text)) <= 0) {
			open_in = false;
			shutdown(w.socket, SHUT_WR);
		}
		if (!p[0].revents)
			continue;
		n = fd_recvmsg(w.socket, text, GUARD_LINE_MAX, fds, &nfds);
		if (n <= 0)
			break;
		text[n] = 0;
		puts(text);
		(void)fflush(stdout);
	}
	while (waitpid(w.pid, &r, 0) < 0)
		;
	printf("exit\t%d\n", r);
	return 0;
}

int main(int argc, char **argv)
{
	_cleanup_strv_ char **watched = NULL;

	if (argc == 3 && strcmp(argv[1], "survey") == 0)
		return survey(argv[2]);
	if (argc >= 4 && strcmp(argv[1], "plan") == 0)
		return plan(argv[2], argv[3], argv + 4, &watched, true);
	if (argc == 4 && strcmp(argv[1], "settle") == 0)
		return settle(argv[2], strcmp(argv[3], "apply") == 0);
	if (argc == 4 && strcmp(argv[1], "recover") == 0)
		return recover(argv[2], argv[3]);
	if (argc >= 6 && strcmp(argv[1], "watch") == 0)
		return watch(argv + 2);
	return 2;
}
