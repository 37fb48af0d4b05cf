/* The watcher's loop. Absent names first: their parents are watched and looked at before anything else. Then the tree
 * is walked, one directory between two looks at the events, and every directory stays watched (inotify(7)) up to a
 * bound; what appears is compared with the absent names and with what makes a git repository. When pid 1 is dead the
 * rest of the events and everything that could have been missed is looked at once more. */
#include "guard/sentry.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "guard/guard.h"
#include "kernel/openat2.h"

#define QUEUE_MAX  32768
#define LINES_MAX  2000
#define CATCH_UP_MS 20
#define CHANGED_MAX 100
#define INDEX_AFTER_MS 500 /* an index is written once per command: a script's worth of them is looked at once */
#define WATCH_MASK (IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR | IN_EXCL_UNLINK)
#define GIT_MASK   (WATCH_MASK | IN_MODIFY | IN_ATTRIB | IN_DELETE | IN_MOVED_FROM)

void sentry_say(struct sentry *s, const char *kind, const char *path, const char *fmt, ...)
{
	_cleanup_free_ char *detail = NULL, *clean = str_printable(path, strnlen(path, 2000)), *text = NULL, *clean2 = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&detail, fmt, ap);
	va_end(ap);
	if (n < 0 || !clean)
		return;
	clean2 = str_printable(detail, strnlen(detail, 2000));
	if (s->said >= LINES_MAX || !clean2 || asprintf(&text, "%s\t%s\t%s", kind, clean, clean2) < 0) {
		s->dropped++;
		return;
	}
	s->said++;
	if (send(s->socket, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		s->dropped++;
}

int sentry_open_dir(const struct sentry *s, int root, const char *rel, int flags)
{
	return openat2_beneath(s->root_fds[root], rel, flags | O_DIRECTORY | O_CLOEXEC, 0);
}

char *sentry_join(const char *dir, const char *name)
{
	char *p;

	if (!*dir)
		return strdup(name);
	return asprintf(&p, "%s/%s", dir, name) < 0 ? NULL : p;
}

int sentry_stat(const struct sentry *s, int root, const char *rel, struct stat *st)
{
	_cleanup_free_ char *dir = strchr(rel, '/') ? path_dirname(rel) : strdup("");
	_cleanup_close_ int at = dir ? sentry_open_dir(s, root, dir, O_PATH) : -ENOMEM;

	if (at < 0)
		return at;
	return fstatat(at, *rel ? path_basename(rel) : ".", st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

char *sentry_absolute(const struct sentry *s, int root, const char *rel)
{
	return path_join(s->roots[root], rel);
}

int sentry_root_of(const struct sentry *s, const char *path, const char **ret_rel)
{
	for (int i = 1; i >= 0; i--) {
		const char *rel = s->roots[i] ? path_below(path, s->roots[i]) : NULL;

		if (rel) {
			*ret_rel = rel;
			return i;
		}
	}
	return -1;
}

void sentry_enqueue(struct sentry *s, int root, const char *rel, unsigned flags)
{
	struct queue *q = s->walking ? &s->slow : &s->fresh;
	char *entry;

	if (q->len == q->cap) {
		size_t cap = q->cap ? q->cap * 2 : 64;
		char **v = cap > QUEUE_MAX ? NULL : realloc(q->v, cap * sizeof(*v));

		if (!v) {
			s->again = true;
			return;
		}
		q->v = v;
		q->cap = cap;
	}
	if (asprintf(&entry, "%c%04x%s", '0' + root, flags, rel) >= 0)
		q->v[q->len++] = entry;
}

static bool queue_empty(const struct queue *q)
{
	return q->head == q->len;
}

static struct node *find_node(struct sentry *s, int wd)
{
	for (int i = s->bucket[(unsigned)wd % SENTRY_BUCKETS]; i >= 0; i = s->nodes[i].next)
		if (s->nodes[i].wd == wd)
			return &s->nodes[i];
	return NULL;
}

static void limit(struct sentry *s, const char *why)
{
	if (!s->limit_said)
		sentry_say(s, "limit", s->roots[0], "%s: the other directories are looked at only at the end", why);
	s->limit_said = true;
	s->overflow = true;
}

static void put_node(struct sentry *s, int wd, int root, const char *rel, unsigned flags)
{
	struct node *n = find_node(s, wd);
	char *path = strdup(rel);

	if (!path)
		return;
	if (n) { /* the same directory under another name, or as something else */
		free(n->path);
		n->path = path;
		n->root = root;
		n->flags |= flags;
		return;
	}
	if (s->nnodes == s->cap) {
		int cap = s->cap ? s->cap * 2 : 256;
		struct node *p = realloc(s->nodes, (size_t)cap * sizeof(*p));

		if (!p) {
			free(path);
			return;
		}
		s->nodes = p;
		s->cap = cap;
	}
	n = &s->nodes[s->nnodes];
	*n = (struct node){ .path = path, .root = root, .wd = wd, .flags = flags, .next = s->bucket[(unsigned)wd % SENTRY_BUCKETS] };
	s->bucket[(unsigned)wd % SENTRY_BUCKETS] = s->nnodes++;
}

static int *link_to(struct sentry *s, int index)
{
	int *p = &s->bucket[(unsigned)s->nodes[index].wd % SENTRY_BUCKETS];

	while (*p != index)
		p = &s->nodes[*p].next;
	return p;
}

/* The last node takes the place of the one that goes. */
static void drop_node(struct sentry *s, int wd)
{
	struct node *n = find_node(s, wd);
	int index, last = s->nnodes - 1;

	if (!n)
		return;
	index = (int)(n - s->nodes);
	*link_to(s, index) = n->next;
	free(n->path);
	if (index != last) {
		*link_to(s, last) = index;
		s->nodes[index] = s->nodes[last];
	}
	s->nnodes--;
}

/* Watches the directory fd is open on. */
static void watch(struct sentry *s, int fd, int root, const char *rel, unsigned flags)
{
	int wd;

	if (s->nnodes >= SENTRY_NODES) {
		limit(s, "more than 16384 directories");
		return;
	}
	if (s->inotify < 0 || fchdir(fd) < 0)
		return;
	wd = inotify_add_watch(s->inotify, ".", IN_MASK_ADD |
			       ((flags & (NODE_GITDIR | NODE_HOOKS | NODE_WORKTREES)) ? GIT_MASK : WATCH_MASK));
	if (wd >= 0)
		put_node(s, wd, root, rel, flags);
	else if (errno == ENOSPC)
		limit(s, "no more watches (fs.inotify.max_user_watches)");
}

/* Is this name, or a link on the way to one, something that must not be? True where it was taken. */
static bool check_absent(struct sentry *s, int root, const char *dir, const char *name, const char *path)
{
	struct stat st;

	for (char **a = s->absent; a && *a; a++) {
		const char *below = path_below(*a, path);
		_cleanup_free_ char *rel = NULL;

		if (!below)
			continue;
		if (!*below) {
			take(s, root, dir, name, "a guarded name");
			return true;
		}
		rel = sentry_join(dir, name);
		if (rel && sentry_stat(s, root, rel, &st) == 0 && S_ISLNK(st.st_mode)) {
			take(s, root, dir, name, "a link in the place of a guarded name's parent");
			return true;
		}
	}
	return false;
}

/* Files that a person's usual commands execute: named in the receipt. */
static void note_changed(struct sentry *s, const char *name, const char *path)
{
	static const char *const names[] = { "Makefile", "makefile", "GNUmakefile", "package.json", "CMakeLists.txt", "meson.build",
					     "build.rs", "setup.py", "conftest.py", "pyproject.toml", "tox.ini", "noxfile.py", "Justfile",
					     "justfile", "Rakefile", "Gemfile", "Taskfile.yml", "build.gradle", "build.gradle.kts", "gradlew",
					     "pom.xml", "Cargo.toml", "configure", "Dockerfile", "compose.yaml", "docker-compose.yml",
					     "deno.json", "composer.json", ".npmrc", ".yarnrc.yml", ".pnpmfile.cjs", ".gitattributes",
					     ".gitmodules", ".bazelrc", "WORKSPACE", "flake.nix", "shell.nix", ".pre-commit-config.yaml",
					     "lefthook.yml", "CLAUDE.md", "AGENTS.md" };

	if (strv_len(s->changed) >= CHANGED_MAX)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(name, names[i]) || strv_contains(s->changed, path))
			continue;
		strv_add(&s->changed, path);
		sentry_say(s, "changed", path, "the host may execute or obey it");
	}
}

/* A name that appeared in (or was found in) a directory of ordinary files. */
static void look_at(struct sentry *s, int root, const char *dir, const char *name)
{
	_cleanup_free_ char *rel = sentry_join(dir, name), *path = rel ? sentry_absolute(s, root, rel) : NULL;
	bool on_way = false;

	if (!path || check_absent(s, root, dir, name, path) || vet_way(s, root, dir, name, path, &on_way))
		return;
	if (on_way)
		sentry_enqueue(s, root, rel, 0);
	if (strcmp(name, ".git") == 0)
		vet_dotgit(s, root, dir);
	else if (str_startswith(name, TAKE_ASIDE))
		take_leftover(s, root, dir, name);
	else if (strcmp(name, "HEAD") == 0 || strcmp(name, "objects") == 0 || strcmp(name, "refs") == 0 || strcmp(name, "commondir") == 0)
		vet_layout(s, root, dir);
}

static bool is_one_of(const char *name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* Is a directory of this name worth watching in one of this kind, and as what? */
static bool child_watched(unsigned flags, const char *name, unsigned *ret)
{
	static const char *const of_git[] = { "hooks", "modules", "worktrees" };
	static const char *const leaves[] = { "objects", "lfs", "annex" };
	static const char *const of_tools[] = { ".git", "node_modules", ".venv", "venv", "__pycache__", ".tox" };

	*ret = 0;
	if (flags & (NODE_HOOKS | NODE_LEAF))
		return false;
	if (flags & (NODE_GITDIR | NODE_WITHIN)) {
		*ret = NODE_WITHIN;
		if ((flags & NODE_GITDIR) && is_one_of(name, leaves, ARRAY_SIZE(leaves)))
			*ret |= NODE_LEAF;
		return (flags & NODE_WITHIN) || !is_one_of(name, of_git, ARRAY_SIZE(of_git));
	}
	if (flags & NODE_MODULES)
		*ret = NODE_MODULES;
	else if (flags & NODE_WORKTREES)
		*ret = NODE_GITDIR | NODE_WORKTREE;
	else
		return !is_one_of(name, of_tools, ARRAY_SIZE(of_tools));
	return true;
}

/* Counts the hard links of one directory. */
static void count_links(struct sentry *s, int root, const char *rel, DIR *d)
{
	for (struct dirent *e; (e = readdir(d));) {
		_cleanup_free_ char *sub = sentry_join(rel, e->d_name), *path = NULL;
		struct stat st;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || !sub)
			continue;
		if (e->d_type == DT_DIR) {
			sentry_enqueue(s, root, sub, NODE_LINKS);
			continue;
		}
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISDIR(st.st_mode))
			sentry_enqueue(s, root, sub, NODE_LINKS);
		path = S_ISREG(st.st_mode) && st.st_nlink > 1 ? sentry_absolute(s, root, sub) : NULL;
		if (path)
			links_add(s->links, &st, path);
	}
}

static void scan_entry(struct sentry *s, int root, const char *rel, unsigned flags, const struct dirent *e)
{
	_cleanup_free_ char *sub = sentry_join(rel, e->d_name);
	bool is_dir = e->d_type == DT_DIR;
	unsigned child;
	struct stat st;

	if (!sub)
		return;
	look_at(s, root, rel, e->d_name);
	if (flags & (NODE_GITDIR | NODE_HOOKS | NODE_WITHIN))
		vet_in_gitdir(s, root, rel, flags, e->d_name);
	if (e->d_type == DT_UNKNOWN && sentry_stat(s, root, sub, &st) == 0)
		is_dir = S_ISDIR(st.st_mode);
	if (is_dir && child_watched(flags, e->d_name, &child))
		sentry_enqueue(s, root, sub, child);
}

/* One directory of the queue: watched first, then read, so that nothing falls between. */
static void scan(struct sentry *s, int root, const char *rel, unsigned flags)
{
	int fd = sentry_open_dir(s, root, rel, O_RDONLY);
	struct stat st;
	DIR *d;

	if (fd < 0)
		return;
	if (!(flags & NODE_LINKS)) {
		unsigned adopted = vet_adopted(s, root, rel);

		if (vet_is_known(s, root, rel))
			flags = NODE_GITDIR | NODE_KNOWN;
		else if (adopted)
			flags = adopted;
		else if ((flags & NODE_MODULES) && fstatat(fd, "HEAD", &st, AT_SYMLINK_NOFOLLOW) == 0)
			flags = NODE_GITDIR;
		watch(s, fd, root, rel, flags);
	}
	d = fdopendir(fd);
	if (!d) {
		fd_close(fd);
		return;
	}
	if (flags & NODE_LINKS)
		count_links(s, root, rel, d);
	else
		for (struct dirent *e; (e = readdir(d));)
			if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
				scan_entry(s, root, rel, flags, e);
	closedir(d);
}

static void scan_next(struct sentry *s, struct queue *q)
{
	_cleanup_free_ char *entry = q->v[q->head++];
	unsigned flags = 0;

	s->walking = q == &s->slow;
	if (sscanf(entry + 1, "%4x", &flags) == 1)
		scan(s, entry[0] - '0', entry + 5, flags);
	s->walking = false;
	if (queue_empty(q))
		q->head = q->len = 0;
}

/* Begins a walk over everything, or the count of hard links. */
static void begin_walk(struct sentry *s, unsigned flags)
{
	s->walking = true;
	for (char **g = s->gitdirs; g && *g && !flags; g++) {
		const char *rel;
		int root = sentry_root_of(s, *g, &rel);

		if (root >= 0)
			sentry_enqueue(s, root, rel, NODE_GITDIR | NODE_KNOWN);
	}
	sentry_enqueue(s, 0, "", flags);
	if (s->roots[1] && !flags)
		sentry_enqueue(s, 1, "", flags);
	s->walking = false;
}

static void look_at_event(struct sentry *s, const struct inotify_event *e)
{
	struct node *n = find_node(s, e->wd);
	_cleanup_free_ char *dir = NULL, *sub = NULL, *path = NULL;
	unsigned flags, child;
	int root;

	if (!n || !e->len)
		return;
	dir = strdup(n->path);
	root = n->root;
	flags = n->flags;
	if (!dir)
		return;
	look_at(s, root, dir, e->name);
	if (flags & (NODE_GITDIR | NODE_HOOKS | NODE_WITHIN))
		vet_in_gitdir(s, root, dir, flags, e->name);
	if ((flags & NODE_KNOWN) && strcmp(e->name, "HEAD") == 0 && s->heads) {
		path = sentry_absolute(s, root, dir);
		if (path)
			vet_head(s, path);
		return;
	}
	sub = sentry_join(dir, e->name);
	if (!sub)
		return;
	if ((flags & NODE_MODULES) && strcmp(e->name, "HEAD") == 0)
		sentry_enqueue(s, root, dir, NODE_MODULES);
	if ((e->mask & IN_ISDIR) && (e->mask & (IN_CREATE | IN_MOVED_TO)) && child_watched(flags, e->name, &child))
		sentry_enqueue(s, root, sub, child);
	else if (!(e->mask & IN_ISDIR) && (e->mask & (IN_CLOSE_WRITE | IN_MOVED_TO)) && !flags) {
		path = sentry_absolute(s, root, sub);
		if (path)
			note_changed(s, e->name, path);
	}
}

/* Of many events those first whose name is an absent one's: a flood of others must not hold them up. */
static void look_for_absent(struct sentry *s, const char *bytes, size_t n)
{
	for (const char *p = bytes; p < bytes + n;) {
		const struct inotify_event *e = (const struct inotify_event *)(const void *)p;

		p += sizeof(*e) + e->len;
		if (!e->len)
			continue;
		for (char **a = s->absent; a && *a; a++) {
			const struct node *d = strcmp(path_basename(*a), e->name) == 0 ? find_node(s, e->wd) : NULL;
			_cleanup_free_ char *dir = d ? strdup(d->path) : NULL;

			if (dir)
				look_at(s, d->root, dir, e->name);
		}
	}
}

/* Reads what there is; false: nothing. */
static bool drain(struct sentry *s)
{
	char bytes[65536] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n = s->inotify < 0 ? 0 : read(s->inotify, bytes, sizeof(bytes));

	if (n <= 0)
		return false;
	if (n > 4096)
		look_for_absent(s, bytes, (size_t)n);
	for (char *p = bytes; p < bytes + n;) {
		const struct inotify_event *e = (const struct inotify_event *)(void *)p;

		if (e->mask & IN_Q_OVERFLOW) {
			s->overflow = true;
			begin_walk(s, 0);
		} else if (e->mask & IN_IGNORED) {
			drop_node(s, e->wd);
		} else {
			look_at_event(s, e);
		}
		p += sizeof(*e) + e->len;
	}
	return true;
}

/* What there is now, and not for ever what a flood adds: a queue of inotify's holds no more than these batches do
 * (fs.inotify.max_queued_events, 16384). */
#define BATCHES_ALL 64

static void drain_up_to(struct sentry *s, unsigned batches)
{
	while (batches-- && drain(s))
		;
}

/* Every absent name itself, and the links on the way to it. */
static void check_all_absent(struct sentry *s)
{
	for (char **a = s->absent; a && *a; a++) {
		const char *rel;
		int root = sentry_root_of(s, *a, &rel);

		if (root < 0)
			continue;
		for (const char *p = rel; p && *p;) {
			const char *slash = strchr(p, '/');
			_cleanup_free_ char *dir = p == rel ? strdup("") : strndup(rel, (size_t)(p - rel - 1)),
					    *name = slash ? strndup(p, (size_t)(slash - p)) : strdup(p), *sub = NULL, *path = NULL;
			struct stat st;

			sub = dir && name ? sentry_join(dir, name) : NULL;
			path = sub ? sentry_absolute(s, root, sub) : NULL;
			if (!path || sentry_stat(s, root, sub, &st) < 0 || check_absent(s, root, dir, name, path))
				break;
			p = slash ? slash + 1 : NULL;
		}
	}
}

void sentry_watch_way(struct sentry *s, int root, const char *dir)
{
	for (size_t n = strlen(dir) + 1; n > 0; n--) {
		_cleanup_free_ char *part = dir[n - 1] && dir[n - 1] != '/' ? NULL : strndup(dir, n - 1);
		int fd = part ? sentry_open_dir(s, root, part, O_RDONLY) : -1;

		if (fd >= 0)
			watch(s, fd, root, part, vet_is_known(s, root, part) ? NODE_GITDIR | NODE_KNOWN : 0);
		fd_close(fd);
	}
}

/* The ways to each absent name, and to the known git directories. */
static void watch_first(struct sentry *s)
{
	char *const *lists[] = { s->absent, s->gitdirs };

	for (size_t l = 0; l < ARRAY_SIZE(lists); l++) {
		for (char *const *a = lists[l]; a && *a; a++) {
			_cleanup_free_ char *dir = l == 0 ? path_dirname(*a) : strdup(*a);
			const char *rel;
			int root = dir ? sentry_root_of(s, dir, &rel) : -1;

			if (root >= 0)
				sentry_watch_way(s, root, rel);
		}
	}
}

static void check_known(struct sentry *s)
{
	for (char **h = s->heads; h && *h; h++)
		vet_head(s, *h);
	for (char **g = s->gitdirs; g && *g; g++) {
		const char *rel;
		int root = sentry_root_of(s, *g, &rel);

		if (root >= 0)
			vet_whole(s, root, rel, NODE_GITDIR | NODE_KNOWN);
	}
	vet_layout(s, 0, "");
}

static void check_nodes(struct sentry *s)
{
	for (int i = 0; i < s->nnodes; i++) {
		_cleanup_free_ char *dir = strdup(s->nodes[i].path);
		unsigned flags = s->nodes[i].flags;

		if (dir && (flags & NODE_GITDIR) && !(flags & NODE_KNOWN))
			vet_whole(s, s->nodes[i].root, dir, flags);
	}
}

/* One directory of a queue, the fresh one first; false: there is none. */
static bool step(struct sentry *s)
{
	if (!queue_empty(&s->fresh))
		scan_next(s, &s->fresh);
	else if (!queue_empty(&s->slow))
		scan_next(s, &s->slow);
	else
		return false;
	return true;
}

static void work_off(struct sentry *s)
{
	do
		drain_up_to(s, BATCHES_ALL);
	while (step(s));
}

/* When the queues are empty the next walk begins. */
static void walk_on(struct sentry *s)
{
	if (!queue_empty(&s->fresh) || !queue_empty(&s->slow))
		return;
	if (s->again) {
		s->again = false;
		begin_walk(s, 0);
		return;
	}
	if (s->walk == WALK_DONE)
		return;
	if (s->walk == WALK_TREE) {
		begin_walk(s, NODE_LINKS);
		s->walk = WALK_LINKS;
	} else {
		links_report(s);
		s->walk = WALK_DONE;
	}
}

int64_t sentry_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Everything that has happened so far is dealt with; a first walk that is still going on gets a bounded time. */
static void catch_up(struct sentry *s)
{
	int64_t end = sentry_now_ms() + CATCH_UP_MS;

	do
		drain_up_to(s, BATCHES_ALL);
	while ((!queue_empty(&s->fresh) || (s->walk == WALK_TREE && sentry_now_ms() < end)) && step(s));
	check_all_absent(s);
	check_known(s);
	inside_check_indexes(s);
}

static void last_look(struct sentry *s)
{
	catch_up(s);
	while (s->walk != WALK_DONE || s->again || !queue_empty(&s->fresh) || !queue_empty(&s->slow)) {
		work_off(s);
		walk_on(s);
	}
	if (s->overflow) {
		begin_walk(s, 0);
		work_off(s);
	}
	check_all_absent(s);
	check_known(s);
	check_nodes(s);
	work_off(s);
	inside_check_indexes(s);
	(void)take_late_due(s, true);
	if (s->dropped)
		sentry_say(s, "limit", s->roots[0], "%u lines were not sent", s->dropped);
}

/* What the supervisor says; false: it has no more to say, and there is no pid 1 to outlive it. */
static bool take_message(struct sentry *s)
{
	int fds[FD_PASS_MAX];
	char text[16];
	size_t nfds = 0;
	ssize_t n = fd_recvmsg(s->socket, text, sizeof(text), fds, &nfds);

	if (n <= 0 && n != -EAGAIN && n != -EMSGSIZE) {
		s->socket_open = false;
		return s->pid1 >= 0;
	}
	if (n == 4 && memcmp(text, "pid1", 4) == 0 && nfds == 1) {
		fd_close(s->pid1);
		s->pid1 = fds[0];
		return true;
	}
	while (nfds)
		fd_close(fds[--nfds]);
	if (n == 4 && (memcmp(text, "sync", 4) == 0 || memcmp(text, "last", 4) == 0)) {
		catch_up(s);
		if (text[0] == 'l')
			clock_gettime(CLOCK_REALTIME_COARSE, &s->end);
		sentry_say(s, "synced", s->roots[0], "%u", s->seq);
	}
	return true;
}

/* Sleeps until something happens; false: pid 1 is dead, or there is none and the socket ended. */
static bool wait_for_more(struct sentry *s, int timeout)
{
	struct pollfd p[3] = {
		{ .fd = s->inotify, .events = POLLIN },
		{ .fd = s->pid1, .events = POLLIN },
		{ .fd = s->socket_open ? s->socket : -1, .events = POLLIN },
	};

	if (s->inotify < 0 && (timeout < 0 || timeout > 50))
		timeout = 50; /* no watches at all: look often */
	if (poll(p, ARRAY_SIZE(p), timeout) < 0)
		return true;
	if (s->inotify < 0)
		check_all_absent(s);
	if (p[1].revents)
		return false;
	return p[2].revents ? take_message(s) : true;
}

/* Looks at indexes that have waited long enough; ms until then, -1: there are none. */
static int indexes_due(struct sentry *s)
{
	int64_t now = sentry_now_ms();

	if (!s->indexes)
		return -1;
	if (!s->index_due)
		s->index_due = now + INDEX_AFTER_MS;
	if (now < s->index_due)
		return (int)(s->index_due - now);
	s->index_due = 0;
	inside_check_indexes(s);
	return -1;
}

/* Of two terms, -1 being none. */
static int sooner(int a, int b)
{
	return a < 0 ? b : b < 0 ? a : MIN(a, b);
}

void sentry_run(struct sentry *s)
{
	bool trimmed = false;

	for (size_t i = 0; i < SENTRY_BUCKETS; i++)
		s->bucket[i] = -1;
	watch_first(s);
	check_all_absent(s);
	check_known(s);
	if (s->inotify < 0)
		sentry_say(s, "limit", s->roots[0], "no inotify (fs.inotify.max_user_instances): looked at every 50 ms");
	sentry_say(s, "ready", s->roots[0], "%d", s->nnodes);
	begin_walk(s, 0);
	for (;;) {
		bool idle;

		drain_up_to(s, 4);
		(void)step(s);
		walk_on(s);
		idle = s->walk == WALK_DONE && queue_empty(&s->fresh) && queue_empty(&s->slow);
		if (idle && !trimmed)
			mem_trim(); /* the first sleep after the walk, likely a long one */
		trimmed = trimmed || idle;
		if (!wait_for_more(s, idle ? sooner(indexes_due(s), take_late_due(s, false)) : 0))
			break;
	}
	last_look(s);
	sentry_say(s, "done", s->roots[0], "%u kept in quarantine", s->kept);
}
