/* The end of a session for the private copies. A locked-up child compares each with what it was copied from and says
 * which keys changed; here every key and value is judged again, and the few that cannot make git run anything, nor send
 * an existing remote elsewhere, are written to the host's file by the host's own git (which knows how to lock and
 * edit it). The rest is named, and kept for the next session's copy. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/spawn.h"
#include "base/str.h"
#include "guard/private.h"

#define REPORT_MAX (256U << 10)
#define LINES_MAX  64
#define HOOKS_SEEN 256
#define COMPARE_S  10 /* seconds for a comparison: nobody can make an end, or the next start, wait longer */
#define VALUES_MAX 32U /* of one key */

/* The child's records, each a letter and a string, NUL-terminated. */
enum { SET_KEY = 'S', SET_VALUE = 'v', KEPT = 'k', KEPT_TEXT = 'K', HOOK = 'h' };

static bool name_safe(const char *s)
{
	static const char chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/@+#-";
	size_t n = strlen(s);

	return n && n <= 256 && s[0] != '-' && s[0] != '/' && strspn(s, chars) == n && !strstr(s, "..");
}

/* "+refs/heads/X:refs/remotes/NAME/X": fetches into the remote's own corner only. */
static bool refspec_safe(const char *value, const char *remote)
{
	const char *colon = strchr(value, ':');
	_cleanup_free_ char *corner = NULL;

	if (!colon || asprintf(&corner, "refs/remotes/%s/", remote) < 0)
		return false;
	value += *value == '+';
	return str_startswith(value, "refs/") && str_startswith(colon + 1, corner) && !strstr(value, "..") &&
	       strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/-*:") == strlen(value);
}

static bool text_safe(const char *s)
{
	for (const char *p = s; *p; p++)
		if (((unsigned char)*p < 0x20 && *p != '\n' && *p != '\t') || *p == 0x7f)
			return false;
	return strlen(s) <= 4096 && *s != '-';
}

static bool value_safe(const char *section, const char *sub, const char *name, const char *value)
{
	bool b;

	if (!value)
		return false;
	if (strcmp(section, "branch") == 0) {
		if (strcmp(name, "remote") == 0 || strcmp(name, "pushremote") == 0)
			return strcmp(value, ".") == 0 || name_safe(value);
		if (strcmp(name, "merge") == 0)
			return str_startswith(value, "refs/") && name_safe(value);
		if (strcmp(name, "rebase") == 0)
			return str_to_bool(value, &b) == 0 || strcmp(value, "merges") == 0;
		return strcmp(name, "description") == 0 && text_safe(value);
	}
	if (strcmp(name, "url") == 0 || (strcmp(section, "remote") == 0 && strcmp(name, "pushurl") == 0))
		return gitconf_url_plain(value);
	if (strcmp(section, "remote") == 0)
		return strcmp(name, "fetch") == 0 && refspec_safe(value, sub);
	return strcmp(section, "submodule") == 0 && strcmp(name, "active") == 0 && str_to_bool(value, &b) == 0;
}

static bool key_candidate(const char *section, const char *sub)
{
	return sub && name_safe(sub) &&
	       (strcmp(section, "branch") == 0 || strcmp(section, "remote") == 0 || strcmp(section, "submodule") == 0);
}

/* The values of key in c, in order; NULL entries stand for none. */
static bool same_values(const struct gitconf *a, const struct gitconf *b, const char *key)
{
	size_t i = 0, k = 0;

	for (;;) {
		while (i < a->n && strcmp(a->entries[i].key, key))
			i++;
		while (k < b->n && strcmp(b->entries[k].key, key))
			k++;
		if (i == a->n || k == b->n)
			return i == a->n && k == b->n;
		if (!str_eq(a->entries[i].value, b->entries[k].value))
			return false;
		i++;
		k++;
	}
}

static bool has_section(const struct gitconf *c, const char *section, const char *sub)
{
	_cleanup_free_ char *prefix = NULL;

	if (asprintf(&prefix, "%s.%s.", section, sub) < 0)
		return true;
	for (size_t i = 0; i < c->n; i++)
		if (str_startswith(c->entries[i].key, prefix))
			return true;
	return false;
}

static bool has_remotes(const struct gitconf *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (str_startswith(c->entries[i].key, "remote.") && str_endswith(c->entries[i].key, ".url"))
			return true;
	return false;
}

/* A branch may get an upstream that it had not, in a remote that was there (or where none was): a push must not go
 * elsewhere because of what the sandbox wrote. */
static bool branch_safe(const struct gitconf *base, const char *key, const char *name, const char *value)
{
	bool remote = strcmp(name, "remote") == 0 || strcmp(name, "pushremote") == 0;

	if (!remote && strcmp(name, "merge") != 0)
		return true;
	if (gitconf_get(base, key))
		return false;
	return !remote || !value || strcmp(value, ".") == 0 || has_section(base, "remote", value) || !has_remotes(base);
}

/* May the key of the host's configuration, base, get these values (all of them), or go where n is 0? */
static bool key_safe(const struct gitconf *base, const char *key, const char *const *values, size_t n)
{
	_cleanup_free_ char *copy = NULL;
	const char *section, *sub, *name;
	bool branch;

	if (gitconf_split(key, &copy, &section, &sub, &name) < 0 || !key_candidate(section, sub))
		return false;
	branch = strcmp(section, "branch") == 0;
	/* an existing remote must not lead elsewhere all of a sudden, nor a path become one */
	if (!branch && has_section(base, section, sub))
		return false;
	if (strcmp(section, "remote") == 0 && (sub[0] == '.' || strchr(sub, '/')))
		return false;
	if (branch && !value_safe(section, sub, name, "true") && !value_safe(section, sub, name, "refs/x"))
		return false;
	if (branch && !n && !branch_safe(base, key, name, NULL))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!value_safe(section, sub, name, values[i]) || (branch && !branch_safe(base, key, name, values[i])))
			return false;
	return true;
}

static void put_record(struct buf *b, char kind, const char *s)
{
	buf_putc(b, kind);
	buf_put(b, s, strlen(s) + 1);
}

static void compare_key(struct buf *out, const struct gitconf *base, const struct gitconf *now, const char *key)
{
	const char *values[VALUES_MAX];
	bool safe, any = false;
	size_t n = 0;

	for (size_t i = 0; i < now->n; i++)
		if (strcmp(now->entries[i].key, key) == 0 && n++ < VALUES_MAX)
			values[n - 1] = now->entries[i].value;
	safe = n <= VALUES_MAX && key_safe(base, key, values, n);
	if (safe)
		put_record(out, SET_KEY, key);
	for (size_t i = 0; i < now->n; i++) {
		const struct gitconf_entry *e = &now->entries[i];
		_cleanup_buf_ struct buf text = BUF_INIT(65536);

		if (strcmp(e->key, key))
			continue;
		any = true;
		if (safe) {
			put_record(out, SET_VALUE, e->value);
			continue;
		}
		buf_printf(&text, "%s = %s", key, e->value ? e->value : "true");
		put_record(out, KEPT, buf_cstr(&text));
		buf_reset(&text);
		if (gitconf_write(&text, e) == 0)
			put_record(out, KEPT_TEXT, buf_cstr(&text));
	}
	if (!safe && !any) {
		_cleanup_buf_ struct buf text = BUF_INIT(65536);

		buf_printf(&text, "%s removed", key);
		put_record(out, KEPT, buf_cstr(&text));
	}
}

static bool seen_before(const struct gitconf *c, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (strcmp(c->entries[k].key, c->entries[i].key) == 0)
			return true;
	return false;
}

static void compare_configs(struct buf *out, const struct gitconf *base, const struct gitconf *now)
{
	for (size_t i = 0; i < now->n && i < 2048; i++)
		if (!seen_before(now, i) && !same_values(base, now, now->entries[i].key))
			compare_key(out, base, now, now->entries[i].key);
	for (size_t i = 0; i < base->n && i < 2048; i++)
		if (!seen_before(base, i) && !gitconf_get(now, base->entries[i].key))
			compare_key(out, base, now, base->entries[i].key);
}

/* Is the hook, a regular file of size bytes, also the host's? */
static bool same_hook(const char *ours, off_t size, const char *host)
{
	_cleanup_free_ char *x = NULL, *y = NULL;
	size_t n = 0, m = 0;
	struct stat st;

	/* sizes first: what the sandbox left may be huge */
	if (stat(host, &st) < 0 || st.st_size != size || size > 1 << 20)
		return false;
	return fd_read_file(AT_FDCWD, ours, 1 << 20, &x, &n) == 0 && fd_read_file(AT_FDCWD, host, 1 << 20, &y, &m) == 0 && n == m &&
	       memcmp(x, y, n) == 0;
}

static void compare_hooks(struct buf *out, const char *dir, const char *host)
{
	DIR *d = opendir(dir);
	unsigned seen = 0;

	for (struct dirent *e; d && (e = readdir(d));) {
		_cleanup_free_ char *a = path_join(dir, e->d_name), *b = path_join(host, e->d_name);
		struct stat st;

		if (e->d_name[0] == '.' || str_endswith(e->d_name, ".sample") || !a || !b || lstat(a, &st) < 0 || !S_ISREG(st.st_mode))
			continue;
		if (++seen > HOOKS_SEEN) {
			put_record(out, HOOK, "and others: there are too many");
			break;
		}
		if (!same_hook(a, st.st_size, b))
			put_record(out, HOOK, e->d_name);
	}
	if (d)
		closedir(d);
}

struct slot {
	char *name, *host; /* which file or directory of the host */
	char *live;	   /* what the sandbox had */
	char *base;	   /* path of the host's configuration as it was; NULL: a directory of hooks */
};

static void slot_clear(struct slot *s)
{
	free(s->name);
	free(s->host);
	free(s->live);
	free(s->base);
}

static _Noreturn void compare_child(const char *private_dir, const struct slot *s, int fd)
{
	char *const readable[] = { (char *)(uintptr_t)private_dir, s->base ? NULL : s->host, NULL };
	struct buf out = BUF_INIT(REPORT_MAX);
	struct gitconf *base, *now;
	struct stat st;
	bool bad;

	(void)signal(SIGALRM, SIG_DFL);
	(void)alarm(COMPARE_S);
	if (guard_lock(readable, NULL, false) < 0)
		_exit(2);
	if (!s->base) {
		compare_hooks(&out, s->live, s->host);
	} else if (lstat(s->live, &st) == 0 && S_ISREG(st.st_mode)) {
		base = finder_read_config(s->base, &bad);
		now = finder_read_config(s->live, &bad);
		if (!base || !now)
			_exit(4);
		compare_configs(&out, base, now);
	}
	if (out.error || fd_write_all(fd, buf_cstr(&out), out.len) < 0)
		_exit(3);
	_exit(0);
}

/* Runs the comparison; *ret_data are the child's records. -EBADMSG: the copy is no configuration any more. */
static int compare(const char *private_dir, const struct slot *s, char **ret_data, size_t *ret_len)
{
	_cleanup_free_ char *data = NULL;
	_cleanup_close_ int in = -1;
	int p[2], r, status;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	in = p[0];
	pid = fork();
	if (pid == 0)
		compare_child(private_dir, s, p[1]);
	fd_close(p[1]);
	if (pid < 0)
		return -errno;
	r = fd_read_fd(in, REPORT_MAX, &data, ret_len);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (r < 0)
		return r;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return -EBADMSG;
	if (*ret_len && data[*ret_len - 1])
		return -EBADMSG;
	*ret_data = TAKE_PTR(data);
	return 0;
}

/* git config --file HOST ARGS... with nothing of anybody's configuration. */
static int run_git(const char *host, const char *action, const char *key, const char *value)
{
	char *const argv[] = { (char *)(uintptr_t) "git", (char *)(uintptr_t) "config", (char *)(uintptr_t) "--file",
			       (char *)(uintptr_t)host,	  (char *)(uintptr_t)action,	(char *)(uintptr_t)key,
			       (char *)(uintptr_t)value,  NULL };
	_cleanup_free_ char *path = NULL;
	const char *host_path = getenv("PATH");
	char *env[6] = { 0 };

	if (asprintf(&path, "PATH=%s", host_path ? host_path : "/usr/local/bin:/usr/bin:/bin") < 0)
		return -ENOMEM;
	env[0] = path;
	env[1] = (char *)(uintptr_t) "GIT_CONFIG_NOSYSTEM=1";
	env[2] = (char *)(uintptr_t) "GIT_CONFIG_GLOBAL=/dev/null";
	env[3] = (char *)(uintptr_t) "HOME=/nonexistent";
	env[4] = (char *)(uintptr_t) "LC_ALL=C";
	return spawn_run(&(struct spawn){ .argv = argv, .env = env, .cwd = "/", .timeout_ms = 5000 });
}

/* Sets key to the n values. */
static int take_over(const char *host, const char *key, const char *const *values, size_t n)
{
	int r = run_git(host, "--unset-all", key, NULL);

	if (r == 5) /* there was none */
		r = 0;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = run_git(host, "--add", key, values[i]);
	return r;
}

struct settling {
	const struct slot *slot;
	struct gitconf *base; /* the host's own, as it was */
	bool apply;
	struct buf kept;
	char **lines;
	size_t unnamed;
};

static void line(struct settling *s, const char *fmt, const char *text)
{
	_cleanup_free_ char *clean = str_printable(text, strnlen(text, 300));

	if (strv_len(s->lines) >= LINES_MAX) {
		s->unnamed++;
		return;
	}
	if (clean) {
		_cleanup_buf_ struct buf b = BUF_INIT(4096);

		for (const char *p = fmt; *p; p++)
			if (*p == '%')
				buf_puts(&b, clean);
			else
				buf_putc(&b, *p);
		strv_add(&s->lines, buf_cstr(&b));
	}
}

/* One key that the child calls safe, judged again. */
static void settle_key(struct settling *s, const char *key, const char *const *values, size_t n)
{
	_cleanup_free_ char *text = NULL;
	bool safe = s->base && key_safe(s->base, key, values, n);

	if (asprintf(&text, "%s%s%s", key, n ? " = " : " removed", n ? values[n - 1] : "") < 0)
		return;
	if (safe && s->apply && take_over(s->slot->host, key, values, n) == 0) {
		line(s, "git config taken over: %", text);
		return;
	}
	line(s, "git config kept inside: %", text);
	for (size_t i = 0; i < n; i++)
		(void)gitconf_write(&s->kept, &(struct gitconf_entry){ .key = (char *)(uintptr_t)key, .value = (char *)(uintptr_t)values[i] });
}

static void settle_records(struct settling *s, const char *data, size_t len)
{
	const char *end = data + len, *values[VALUES_MAX];

	while (data < end) {
		char kind = data[0];
		const char *text = data + 1;
		size_t n = 0;

		data += strlen(data) + 1;
		while (kind == SET_KEY && data < end && data[0] == SET_VALUE) {
			if (n < ARRAY_SIZE(values))
				values[n++] = data + 1;
			data += strlen(data) + 1;
		}
		if (kind == SET_KEY)
			settle_key(s, text, values, n);
		else if (kind == KEPT)
			line(s, "git config kept inside: %", text);
		else if (kind == KEPT_TEXT)
			buf_puts(&s->kept, text);
		else if (kind == HOOK)
			line(s, "git hook kept inside: %", text);
	}
}

static char *meta_path(const char *private_dir, const char *slot, const char *what)
{
	char *p;

	return asprintf(&p, "%s/meta/%s.%s", private_dir, slot, what) < 0 ? NULL : p;
}

static void drop_slot(const char *private_dir, const struct slot *s)
{
	_cleanup_free_ char *rw = NULL, *path = meta_path(private_dir, s->name, "path"), *base = meta_path(private_dir, s->name, "base");

	if (asprintf(&rw, "%s/rw/%s", private_dir, s->name) >= 0)
		(void)path_remove_tree(AT_FDCWD, rw);
	if (path)
		(void)unlink(path);
	if (base)
		(void)unlink(base);
}

static int settle_slot(const char *private_dir, const struct slot *slot, bool apply, char ***lines)
{
	struct settling s = { .slot = slot, .apply = apply, .kept = BUF_INIT(GITCONF_MAX / 2), .lines = *lines };
	_cleanup_free_ char *data = NULL, *kept = meta_path(private_dir, slot->name, "kept");
	size_t len = 0;
	bool bad;
	int r = compare(private_dir, slot, &data, &len);

	s.base = slot->base ? finder_read_config(slot->base, &bad) : NULL;
	if (r == 0)
		settle_records(&s, data, len);
	else if (r == -EBADMSG)
		line(&s, "git config kept inside: the copy of '%' cannot be read", slot->host);
	if (s.unnamed)
		strv_addf(&s.lines, "git config kept inside: %zu more", s.unnamed);
	if (slot->base && kept) {
		if (s.kept.len)
			(void)fd_write_file(AT_FDCWD, kept, s.kept.data, s.kept.len, 0600);
		else
			(void)unlink(kept);
	}
	buf_free(&s.kept);
	gitconf_free(s.base);
	*lines = s.lines;
	drop_slot(private_dir, slot);
	return r == -EBADMSG ? 0 : r;
}

static int load_slot(const char *private_dir, const char *entry, struct slot *s)
{
	_cleanup_free_ char *path = NULL, *base = NULL;
	size_t n = strlen(entry) - strlen(".path");
	struct stat st;
	int r;

	s->name = strndup(entry, n);
	path = s->name ? meta_path(private_dir, s->name, "path") : NULL;
	base = s->name ? meta_path(private_dir, s->name, "base") : NULL;
	if (!path || !base)
		return -ENOMEM;
	r = fd_read_file(AT_FDCWD, path, 8192, &s->host, NULL);
	if (r < 0)
		return r;
	if (lstat(base, &st) == 0)
		s->base = TAKE_PTR(base);
	if (asprintf(&s->live, "%s/rw/%s/%s", private_dir, s->name, s->base ? "config" : "hooks") < 0)
		return -ENOMEM;
	return 0;
}

int guard_settle(const char *private_dir, bool apply, char ***ret_lines, struct fail *f)
{
	_cleanup_free_ char *meta = path_join(private_dir, "meta");
	_cleanup_strv_ char **lines = NULL, **entries = NULL;
	DIR *d = meta ? opendir(meta) : NULL;
	int r = 0;

	if (!d && (!meta || errno != ENOENT))
		return fail_set(f, meta ? errno : ENOMEM, "cannot read the private copies, '%s'", private_dir);
	for (struct dirent *e; d && (e = readdir(d));)
		if (str_endswith(e->d_name, ".path"))
			strv_add(&entries, e->d_name);
	if (d)
		closedir(d);
	for (char **e = entries; r == 0 && e && *e; e++) {
		_cleanup_(slot_clear) struct slot s = { 0 };

		r = load_slot(private_dir, *e, &s);
		if (r == 0)
			r = settle_slot(private_dir, &s, apply, &lines);
	}
	if (r < 0)
		return fail_set(f, -r, "cannot settle the private copies, '%s'", private_dir);
	*ret_lines = TAKE_PTR(lines);
	return 0;
}
