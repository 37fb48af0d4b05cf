/* Ends sandboxes: `stop` those that run, `rm` also what is left of one. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "cli/args.h"
#include "cli/copy.h"
#include "cli/ctl.h"
#include "cli/disk.h"
#include "cli/here.h"
#include "report/table.h"
#include "supervisor/name.h"
#include "wire/control.h"

#define BEYOND_MS 15000 /* after its grace a sandbox must be gone within this */

enum { STOP_ALL, STOP_TIME, RM_FORCE, RM_COPIES, RM_YES };

static const struct cmd_option stop_options[] = {
	[STOP_ALL] = { "all", 'a', NULL, "Every sandbox of yours." },
	[STOP_TIME] = { "time", 't', "TIME", "How long its processes have after SIGTERM; without it, stop-grace." },
	{ 0 },
};

static const struct cmd_option rm_options[] = {
	[STOP_ALL] = { "all", 'a', NULL, "Every sandbox of yours." },
	[STOP_TIME] = { "time", 't', "TIME", "With --force: how long its processes have after SIGTERM." },
	[RM_FORCE] = { "force", 'f', NULL, "Stops it first." },
	[RM_COPIES] = { "copies", 0, NULL, "Removes also the copies of projects that it worked on; asks first." },
	[RM_YES] = { "yes", 'y', NULL, "With --copies: does not ask." },
	{ 0 },
};

struct stopping {
	char *name;
	int fd;
};

/* Asks one to stop, without waiting. */
static int order(const char *name, const uint64_t *grace, int *ret_fd, struct fail *f)
{
	_cleanup_buf_ struct buf b = BUF_INIT(256);
	_cleanup_close_ int fd = -1;
	int r = name_connect(name, &fd, f);

	if (r < 0)
		return r;
	ipc_begin(&b, CONTROL_STOP);
	if (grace)
		ipc_put_u64(&b, CONTROL_F_GRACE, *grace);
	r = ctl_hello(fd);
	if (r == 0)
		r = ctl_send(fd, &b, NULL, 0);
	if (r < 0 && r != -EPIPE)
		return fail_set(f, -r, "cannot ask the sandbox '%s' to stop", name);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* Waits for its last word, or its end. */
static int await(const struct stopping *s, uint64_t grace, struct fail *f)
{
	static struct ctl_msg msg;
	struct timeval bound = { .tv_sec = (time_t)((grace + BEYOND_MS) / 1000) };
	int r;

	(void)setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof(bound));
	do
		r = ctl_recv(s->fd, &msg);
	while (r > 0 && msg.m.type != CONTROL_OK && msg.m.type != CONTROL_ERROR);
	if (r > 0 && msg.m.type == CONTROL_ERROR) {
		(void)ctl_error(&msg.m, f);
		return -EREMOTEIO;
	}
	if (r == -EAGAIN)
		return fail_set(f, ETIMEDOUT, "the sandbox '%s' does not stop", s->name);
	(void)name_await_end(s->name, BEYOND_MS);
	return 0;
}

static int stop_names(char *const *names, bool all, const uint64_t *grace, struct fail *f)
{
	size_t n = strv_len(names);
	_cleanup_free_ struct stopping *v = calloc(n + 1, sizeof(*v));
	int r = v ? 0 : -ENOMEM;

	for (size_t i = 0; v && i < n; i++) {
		struct fail why = { 0 };
		int k;

		v[i] = (struct stopping){ .name = names[i], .fd = -1 };
		k = order(names[i], grace, &v[i].fd, &why);
		/* One that is ending by itself takes no orders: its end is waited for all the same. */
		if (k == -ESRCH && name_await_end(names[i], BEYOND_MS) == 0)
			continue;
		if (k < 0 && !(k == -ESRCH && all) && r == 0) {
			r = k;
			*f = why;
		}
	}
	for (size_t i = 0; v && i < n; i++) {
		int k = v[i].fd >= 0 ? await(&v[i], grace ? *grace : 60000, f) : 0;

		r = r < 0 ? r : k;
		fd_close(v[i].fd);
	}
	return r;
}

struct request {
	bool all, force, copies, yes, have_grace;
	uint64_t grace;
	char **names;
};

static int read_words(int argc, char **argv, const struct cmd_option *options, struct request *q, struct fail *f)
{
	struct args a = ARGS_INIT(argc, argv, options);
	int r;

	while ((r = args_next(&a, f)) != ARGS_END) {
		if (r < 0)
			return r;
		if (r == ARGS_WORD && strv_add(&q->names, a.value) < 0)
			return -ENOMEM;
		if (r == STOP_TIME && str_to_duration(a.value, &q->grace) < 0)
			return fail_set(f, 0, "%s, '%s': not a time (10, 10s, 2m)", argv[0], a.value);
		q->have_grace = q->have_grace || r == STOP_TIME;
		q->all = q->all || r == STOP_ALL;
		q->force = q->force || r == RM_FORCE;
		q->copies = q->copies || r == RM_COPIES;
		q->yes = q->yes || r == RM_YES;
	}
	if (q->all && q->names)
		return fail_set(f, 0, "%s, '%s': a name and --all do not go together", argv[0], q->names[0]);
	return 0;
}

static int add_own(struct request *q, struct fail *f)
{
	_cleanup_free_ char *name = NULL;
	int r = ctl_resolve(NULL, &name, f);

	return r < 0 ? r : strv_take(&q->names, TAKE_PTR(name));
}

static int cmd_stop_run(int argc, char **argv)
{
	struct request q = { 0 };
	struct fail f = { 0 };
	int r = read_words(argc, argv, stop_options, &q, &f);

	if (r == 0 && q.all)
		r = name_list(&q.names, &f);
	else if (r == 0 && !q.names)
		r = add_own(&q, &f);
	if (r == 0)
		r = stop_names(q.names, q.all, q.have_grace ? &q.grace : NULL, &f);
	strv_free(q.names);
	if (r == 0)
		return 0;
	fail_print(&f);
	return EXIT_SANDBOX;
}

static int refuse_running(char *const *names, struct fail *f)
{
	for (; names && *names; names++) {
		_cleanup_close_ int fd = -1;

		if (name_connect(*names, &fd, NULL) < 0)
			continue;
		(void)fail_set(f, 0, "the sandbox '%s' is running", *names);
		fail_hint(f, "claude-sandbox rm --force %s stops it first; its home is kept in any case", *names);
		return -EBUSY;
	}
	return 0;
}

/* Says what copies there are in dir; their number. */
static size_t list_copies(const char *dir)
{
	struct dirent **v = NULL;
	int n = scandir(dir, &v, NULL, alphasort);
	size_t count = 0;

	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *path = v[i]->d_name[0] == '.' ? NULL : path_join(dir, v[i]->d_name);
		_cleanup_free_ char *size = path ? report_bytes(disk_usage(path)) : NULL;
		_cleanup_free_ char *shown = path ? str_printable(path, strlen(path)) : NULL;

		if (shown) {
			(void)fprintf(stderr, "  %10s  %s\n", size ? size : "", shown);
			count++;
		}
		free(v[i]);
	}
	free(v);
	return count;
}

/* A name that does not run; the claim keeps one from starting meanwhile. */
static int remove_copies(const char *name, bool yes, struct fail *f)
{
	_cleanup_claim_ struct name_claim *claim = NULL;
	_cleanup_free_ char *dir = NULL, *question = NULL;
	int r = copy_dir(name, &dir, f);

	if (r < 0 || access(dir, F_OK) < 0)
		return r;
	(void)name_await_end(name, BEYOND_MS); /* one that ends by itself */
	r = name_claim_new(name, false, &claim, f);
	if (r > 0)
		return fail_set(f, EBUSY, "the copies of '%s'", name);
	if (r < 0)
		return r;
	r = 1;
	if (list_copies(dir) && !yes) {
		r = asprintf(&question, "Remove the copies of '%s', and the work in them?", name) < 0 ? -ENOMEM : here_ask(question);
		if (r == -ENOTTY) {
			(void)fail_set(f, 0, "rm --copies, '%s': no terminal to ask on", name);
			fail_hint(f, "claude-sandbox rm --copies --yes %s", name);
		}
	}
	if (r == 1) {
		r = path_remove_tree(AT_FDCWD, dir);
		if (r < 0)
			(void)fail_set(f, -r, "cannot remove '%s'", dir);
	}
	name_claim_remove(claim);
	return r < 0 ? r : 0;
}

/* Without --copies they are named, so that nobody takes them for removed. */
static int settle_copies(const struct request *q, struct fail *f)
{
	int r = 0;

	for (char *const *n = q->names; n && *n && r == 0; n++) {
		_cleanup_free_ char *dir = NULL;

		if (q->copies) {
			r = remove_copies(*n, q->yes, f);
			continue;
		}
		if (copy_dir(*n, &dir, NULL) == 0 && access(dir, F_OK) == 0)
			(void)fprintf(stderr, "claude-sandbox: copies of the project are kept: claude-sandbox rm --copies %s removes them\n", *n);
	}
	return r;
}

static int cmd_rm_run(int argc, char **argv)
{
	struct request q = { 0 };
	struct fail f = { 0 };
	int r = read_words(argc, argv, rm_options, &q, &f);
	_cleanup_strv_ char **running = NULL;

	if (r == 0)
		r = name_list(&running, &f); /* clears away what killed ones left */
	if (r == 0 && q.all)
		q.names = strv_copy(running);
	else if (r == 0 && !q.names)
		r = add_own(&q, &f);
	if (r == 0)
		r = q.force ? stop_names(q.names, q.all, q.have_grace ? &q.grace : NULL, &f) : refuse_running(q.names, &f);
	if (r == 0)
		r = settle_copies(&q, &f);
	strv_free(q.names);
	if (r == 0)
		return 0;
	fail_print(&f);
	return EXIT_SANDBOX;
}

extern const struct cmd cmd_stop, cmd_rm;
const struct cmd cmd_stop = {
	.name = "stop", .args = "[--all | NAME...]", .section = "sandboxes", .sandboxes = true, .summary = "stop running sandboxes",
	.help = "Everything inside gets SIGTERM and, what is left after stop-grace, SIGKILL. Returns when all is gone. Homes and projects "
		"stay as they are.",
	.options = stop_options, .run = cmd_stop_run,
};
const struct cmd cmd_rm = {
	.name = "rm", .args = "[--force] [--copies [--yes]] [--all | NAME...]", .section = "sandboxes", .sandboxes = true,
	.summary = "clear away what is left of a sandbox; with --force, stop it first",
	.help = "A sandbox that ends leaves nothing, so that this is of use after a crash, or with --force in scripts written for "
		"other tools. What it worked on in project-mode copy is kept without --copies. It never deletes a home: "
		"claude-sandbox home rm does.",
	.options = rm_options, .run = cmd_rm_run,
};
