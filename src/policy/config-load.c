/* The layers of files, in order. Settings of matching [project] sections are kept back until all files are read.
 *
 * The project's own file is hostile. Its bytes are read through O_NOFOLLOW and hashed here, but split into settings
 * by a child that has locked itself up first; the child's answer comes through a pipe in the form of wire/ipc.h, and
 * each setting is then checked like any other. Whether it loosens is told by comparing the whole configuration before
 * and after, so that no order of additions and removals can hide anything. */
#include <dirent.h>
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
#include "base/str.h"
#include "policy/config-ini.h"
#include "policy/config-internal.h"
#include "wire/ipc.h"

#define PROJECT_FILE_MAX (64U << 10)

struct pending {
	char **names, **values, **wheres;
};

static void pending_done(struct pending *p)
{
	strv_free(p->names);
	strv_free(p->values);
	strv_free(p->wheres);
}

static int pending_add(struct pending *p, const char *name, const char *value, const char *where)
{
	if (strv_add(&p->names, name) < 0 || strv_add(&p->values, value) < 0 || strv_add(&p->wheres, where) < 0)
		return -ENOMEM;
	return 0;
}

static int pending_apply(const struct pending *p, struct config *c, enum config_layer layer, struct fail *f)
{
	for (size_t i = 0; p->names && p->names[i]; i++) {
		int r = config_set(c, layer, p->wheres[i], p->names[i], p->values[i], f);

		if (r < 0)
			return r;
	}
	return 0;
}

bool config_section_matches(const char *section_path, const char *home, const char *project, const char *repository)
{
	_cleanup_free_ char *expanded = NULL, *normal = NULL, *real = NULL;

	if (path_expand(section_path, home ? home : "/", &expanded) < 0)
		return false;
	normal = path_normalize(expanded);
	real = realpath(expanded, NULL);
	for (int i = 0; i < 2; i++) {
		const char *p = i ? repository : project;

		if (p && ((normal && strcmp(normal, p) == 0) || (real && strcmp(real, p) == 0)))
			return true;
	}
	return false;
}

struct layer {
	struct config *c;
	struct config *scratch; /* where settings of sections are checked; made when needed */
	enum config_layer layer;
	const char *file;
	const struct config_files *files;
	struct pending *sections;
};

static int take_setting(void *user, const struct config_line *l, struct fail *f)
{
	struct layer *ly = user;
	_cleanup_free_ char *where = NULL;
	int r;

	if (asprintf(&where, "%s:%u", ly->file, l->line) < 0)
		return fail_set(f, ENOMEM, "configuration, '%s'", ly->file);
	if (!l->project)
		return config_set(ly->c, ly->layer, where, l->name, l->value, f);
	if (!ly->scratch)
		ly->scratch = config_copy(ly->c);
	if (!ly->scratch)
		return fail_set(f, ENOMEM, "configuration, '%s'", where);
	r = config_set(ly->scratch, CONFIG_SECTION, where, l->name, l->value, f);
	if (r < 0 || !config_section_matches(l->project, ly->c->home, ly->files->project, ly->files->repository))
		return r;
	r = pending_add(ly->sections, l->name, l->value, where);
	return r < 0 ? fail_set(f, -r, "configuration, '%s'", where) : 0;
}

static int read_layer(struct layer *ly, enum config_layer layer, const char *file, bool required, struct fail *f)
{
	_cleanup_free_ char *text = NULL, *real = NULL;
	size_t n;
	int r;

	if (!file)
		return 0;
	r = fd_read_file(AT_FDCWD, file, CONFIG_FILE_MAX, &text, &n);
	if (!required && (r == -ENOENT || r == -ENOTDIR))
		return 0;
	if (r < 0)
		return fail_set(f, -r, "configuration, '%s'", file);
	real = realpath(file, NULL);
	if (strv_take(&ly->c->sources, TAKE_PTR(real)) < 0)
		return fail_set(f, ENOMEM, "configuration, '%s'", file);
	ly->layer = layer;
	ly->file = file;
	return config_ini(file, text, n, take_setting, ly, f);
}

static int is_dropin(const struct dirent *d)
{
	return d->d_name[0] != '.' && str_endswith(d->d_name, ".conf");
}

static int read_dropins(struct layer *ly, const char *dir, struct fail *f)
{
	struct dirent **names = NULL;
	int n, r = 0;

	n = dir ? scandir(dir, &names, is_dropin, alphasort) : 0;
	if (n < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : fail_set(f, errno, "configuration, '%s'", dir);
	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *path = path_join(dir, names[i]->d_name);

		if (r == 0)
			r = path ? read_layer(ly, CONFIG_DROPIN, path, true, f)
				 : fail_set(f, ENOMEM, "configuration, '%s'", dir);
		free(names[i]);
	}
	free(names);
	return r;
}

/* --- the project's own file --- */

/* Its bytes; 1 where there is one, else 0. */
static int read_project_file(const char *project, char **ret_path, char **ret_text, size_t *ret_n, struct fail *f)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *path = path_join(project, CONFIG_PROJECT_FILE);
	struct stat st;
	int r;

	if (!path)
		return fail_set(f, ENOMEM, "configuration, '%s'", project);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0 && errno == ELOOP)
		return fail_set(f, 0, "configuration, '%s': a symbolic link, and that is not followed", path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return fail_set(f, errno, "configuration, '%s'", path);
	if (!S_ISREG(st.st_mode))
		return fail_set(f, 0, "configuration, '%s': not a regular file", path);
	r = fd_read_fd(fd, PROJECT_FILE_MAX, ret_text, ret_n);
	if (r < 0)
		return fail_set(f, -r, "configuration, '%s'", path);
	*ret_path = TAKE_PTR(path);
	return 1;
}

enum { REPLY_OK = 1, REPLY_BAD };
enum { F_NAME = 1, F_VALUE, F_LINE, F_MSG, F_HINT };

static int put_setting(void *user, const struct config_line *l, struct fail *f)
{
	struct buf *b = user;
	char line[16];

	if (l->project)
		return fail_set(f, 0, "configuration, '%s:%u': a project's own file has no [project] sections",
				CONFIG_PROJECT_FILE, l->line);
	(void)snprintf(line, sizeof(line), "%u", l->line);
	ipc_put_str(b, F_NAME, l->name);
	ipc_put_str(b, F_VALUE, l->value);
	ipc_put_str(b, F_LINE, line);
	return b->error ? fail_set(f, 0, "configuration, '%s': too many settings", CONFIG_PROJECT_FILE) : 0;
}

/* The child: locks itself up, splits the text, writes its answer. */
static _Noreturn void parse_child(const struct config_files *files, const char *path, const char *text, size_t n,
				  int out)
{
	struct buf b = BUF_INIT(4 * PROJECT_FILE_MAX);
	struct fail f = { 0 };
	int r = files->isolate ? files->isolate() : 0;

	if (r < 0)
		fail_set(&f, -r, "configuration, '%s': its reader cannot be locked up", path);
	ipc_begin(&b, REPLY_OK);
	if (r >= 0)
		r = config_ini(path, text, n, put_setting, &b, &f);
	if (r < 0) {
		ipc_begin(&b, REPLY_BAD);
		ipc_put_str(&b, F_MSG, f.msg);
		ipc_put_str(&b, F_HINT, f.hint);
	}
	_exit(fd_write_all(out, b.data, b.len) < 0);
}

/* The answer as settings. -EINVAL: the child refused the file, f says why; -EBADMSG: not an answer. */
static int read_reply(const char *path, const void *p, size_t n, struct pending *ret, struct fail *f)
{
	_cleanup_strv_ char **lines = NULL;
	struct ipc_msg m;
	int r;

	r = ipc_parse(p, n, &m);
	if (r < 0)
		return r;
	if (m.type == REPLY_BAD) {
		_cleanup_free_ char *msg = ipc_get_str(&m, F_MSG), *hint = ipc_get_str(&m, F_HINT);

		fail_set(f, 0, "%s", str_empty(msg) ? "configuration, '" CONFIG_PROJECT_FILE "': cannot be read" : msg);
		if (!str_empty(hint))
			fail_hint(f, "%s", hint);
		return -EINVAL;
	}
	r = ipc_get_strv(&m, F_NAME, &ret->names);
	if (r == 0)
		r = ipc_get_strv(&m, F_VALUE, &ret->values);
	if (r == 0)
		r = ipc_get_strv(&m, F_LINE, &lines);
	if (r < 0)
		return r;
	for (char **l = lines; l && *l; l++)
		if (strv_addf(&ret->wheres, "%s:%s", path, *l) < 0)
			return -ENOMEM;
	if (strv_len(ret->names) != strv_len(ret->values) || strv_len(ret->names) != strv_len(ret->wheres))
		return -EBADMSG;
	return 0;
}

static int parse_project_file(const struct config_files *files, const char *path, const char *text, size_t n,
			      struct pending *ret, struct fail *f)
{
	_cleanup_close_ int in = -1, out = -1;
	_cleanup_free_ char *reply = NULL;
	size_t len = 0;
	int p[2], status, r;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return fail_set(f, errno, "configuration, '%s'", path);
	in = p[0];
	out = p[1];
	pid = fork();
	if (pid < 0)
		return fail_set(f, errno, "configuration, '%s'", path);
	if (pid == 0)
		parse_child(files, path, text, n, out);
	out = fd_close(out);
	r = fd_read_fd(in, 8 * PROJECT_FILE_MAX, &reply, &len);
	/* it has said all that will be heard */
	in = fd_close(in);
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r == 0)
		r = read_reply(path, reply, len, ret, f);
	if (r < 0 && r != -EINVAL)
		return fail_set(f, 0, "configuration, '%s': its reader died on it", path);
	return r;
}

static int describe_list(const struct config_value *a, const struct config_value *b, const char *name, char ***ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < a->nentries; i++)
		if (!strv_contains(b->list, a->entries[i].text))
			r = strv_addf(ret, "%s: - %s", name, a->entries[i].text);
	for (size_t i = 0; r == 0 && i < b->nentries; i++)
		if (!strv_contains(a->list, b->entries[i].text))
			r = strv_addf(ret, "%s: + %s (%s)", name, b->entries[i].text, b->entries[i].where);
	return r;
}

/* The differences of one option, a line each. */
static int describe(const struct config *base, const struct config *result, enum option_id id, char ***ret)
{
	const struct config_value *a = &base->v[id], *b = &result->v[id];
	const char *name = option_table[id].name;

	if (option_is_list(&option_table[id]))
		return describe_list(a, b, name, ret);
	if (str_eq(a->text, b->text))
		return 0;
	return strv_addf(ret, "%s: %s -> %s (%s)", name, a->text ? a->text : "unset", b->text ? b->text : "unset",
			 b->where);
}

static int compare(const struct config *base, const struct config *result, struct config_review *ret)
{
	for (size_t i = 0; i < OPT__COUNT; i++) {
		enum option_id id = (enum option_id)i;
		bool loosens = config_loosens(base, result, id);
		char ***to = loosens ? &ret->loosens : &ret->tightens;
		size_t n = strv_len(*to);

		if (describe(base, result, id, to) < 0)
			return -ENOMEM;
		/* an order or a count of equal entries */
		if (loosens && strv_len(*to) == n &&
		    strv_addf(to, "%s: changed (%s)", option_table[i].name, result->v[i].where) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int is_trusted(const struct config_files *files, const char *hash)
{
	if (files->trust_hash && strcasecmp(files->trust_hash, hash) == 0)
		return 1;
	return files->trust_dir
		       ? trust_has(files->trust_dir, files->repository ? files->repository : files->project, hash)
		       : 0;
}

static int refuse_untrusted(const char *path, const struct config_review *rv, struct fail *f)
{
	size_t more = strv_len(rv->loosens) - 1;

	fail_set(f, 0, "configuration, '%s': asks for more than is allowed, and is not trusted: %s%s", path,
		 rv->loosens[0], more ? ", and others" : "");
	fail_hint(f, "claude-sandbox trust shows what it asks for, and asks you; in scripts: --trust %s", rv->hash);
	return -EPERM;
}

/* Layer CONFIG_PROJECT over c. */
static int load_project(struct config *c, const struct config_files *files, struct config_review *rv, bool review,
			struct fail *f)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	_cleanup_config_ struct config *result = NULL;
	struct pending settings = { 0 };
	struct config swap;
	size_t n;
	int r;

	r = files->project ? read_project_file(files->project, &path, &text, &n, f) : 0;
	if (r <= 0)
		return r;
	rv->hash = trust_sha256(text, n);
	result = config_copy(c);
	if (!rv->hash || !result)
		return fail_set(f, ENOMEM, "configuration, '%s'", path);
	if (!review && files->trust_hash && strcasecmp(files->trust_hash, rv->hash)) {
		fail_set(f, 0, "configuration, '%s': not the content that --trust names", path);
		fail_hint(f, "its SHA-256 is %s", rv->hash);
		return -EPERM;
	}
	r = parse_project_file(files, path, text, n, &settings, f);
	if (r == 0)
		r = pending_apply(&settings, result, CONFIG_PROJECT, f);
	pending_done(&settings);
	if (r < 0)
		return r;
	r = compare(c, result, rv);
	if (r == 0)
		r = is_trusted(files, rv->hash);
	if (r < 0)
		return fail_set(f, -r, "configuration, '%s'", path);
	rv->trusted = r;
	if (rv->loosens && !rv->trusted && !review)
		return refuse_untrusted(path, rv, f);
	swap = *c;
	*c = *result;
	*result = swap;
	return 0;
}

static int load(struct config *c, const struct config_files *files, struct config_review *rv, bool review,
		struct fail *f)
{
	struct pending sections = { 0 };
	struct layer ly = { .c = c, .files = files, .sections = &sections };
	const char *home = files->home ? files->home : path_home();
	int r;

	free(c->home);
	c->home = strdup(home ? home : "/");
	if (!c->home)
		return fail_set(f, ENOMEM, "configuration");
	r = read_layer(&ly, CONFIG_SYSTEM, files->system, false, f);
	if (r == 0)
		r = read_layer(&ly, CONFIG_USER, files->user, files->user_required, f);
	if (r == 0)
		r = read_dropins(&ly, files->dropins, f);
	if (r == 0)
		r = pending_apply(&sections, c, CONFIG_SECTION, f);
	pending_done(&sections);
	config_free(ly.scratch);
	return r < 0 ? r : load_project(c, files, rv, review, f);
}

int config_load(struct config *c, const struct config_files *files, struct fail *f)
{
	_cleanup_review_ struct config_review rv = { 0 };

	return load(c, files, &rv, false, f);
}

int config_review(const struct config_files *files, struct config_review *ret, struct fail *f)
{
	_cleanup_config_ struct config *c = config_new();
	struct config_review rv = { 0 };
	int r;

	if (!c)
		return fail_set(f, ENOMEM, "configuration");
	r = load(c, files, &rv, true, f);
	if (r < 0)
		config_review_done(&rv);
	else
		*ret = rv;
	return r;
}

void config_review_done(struct config_review *r)
{
	free(r->hash);
	strv_free(r->loosens);
	strv_free(r->tightens);
	*r = (struct config_review){ 0 };
}

char *config_trust_hash(const struct config_files *files)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	size_t n;

	if (!files->project || read_project_file(files->project, &path, &text, &n, NULL) <= 0)
		return NULL;
	return trust_sha256(text, n);
}
