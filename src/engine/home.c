/* A home is built under another name and renamed into place: it is there whole or not at all, and of two first starts
 * at once one wins. Its seeds are the host's /etc/skel (regular files only) with a line each that sources ours, so that
 * zsh does not open its wizard and every prompt names the sandbox, and Claude Code's settings that skip its first-run
 * questions. Seeds are written once; what the sandbox makes of them is its own. */
#include "engine/home.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/compose.h"
#include "engine/credentials.h"

#define SKEL_MAX (256U << 10)
#define OWNERS_MAX (64U << 10)

static int homes_dir(char **ret, struct fail *f)
{
	_cleanup_free_ char *data = NULL, *homes = NULL;
	int r = path_xdg(PATH_DATA, &data);

	if (r < 0)
		return fail_set(f, -r, "data directory");
	homes = path_join(data, "homes");
	if (!homes)
		return fail_set(f, ENOMEM, "data directory");
	r = path_mkdir_p(homes, 0700);
	if (r < 0) {
		(void)fail_set(f, -r, "homes, '%s'", homes);
		fail_hint(f, "sandboxes keep their homes there: make it writable, or set XDG_DATA_HOME");
		return r;
	}
	*ret = TAKE_PTR(homes);
	return 0;
}

static bool name_is_valid(const char *name)
{
	if (!isalnum((unsigned char)name[0]) || strlen(name) > 63 || str_endswith(name, ".owner"))
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("._-", *name))
			return false;
	return true;
}

int home_path(const char *name, char **ret, struct fail *f)
{
	_cleanup_free_ char *homes = NULL;
	int r;

	if (!name_is_valid(name)) {
		(void)fail_set(f, 0, "home, '%s': not a name", name);
		fail_hint(f, "a name has letters, digits, '.', '_' and '-', and at most 63 of them");
		return -EINVAL;
	}
	r = homes_dir(&homes, f);
	if (r < 0)
		return r;
	*ret = path_join(homes, name);
	return *ret ? 0 : fail_set(f, ENOMEM, "home");
}

/* --- seeds --- */

static const char source_bash[] = "\n# the prompt names the sandbox\n[ ! -r " COMPOSE_INSIDE "/bashrc ] || . " COMPOSE_INSIDE "/bashrc\n";
static const char source_zsh[] = "\n# the prompt names the sandbox\n[[ ! -r " COMPOSE_INSIDE "/zshrc ]] || . " COMPOSE_INSIDE "/zshrc\n";
static const char source_fish[] =
	"\n# the prompt names the sandbox\ntest -r " COMPOSE_INSIDE "/config.fish; and source " COMPOSE_INSIDE "/config.fish\n";

static const struct seed {
	const char *path;
	const char *text;   /* where the skeleton has no such file */
	const char *append; /* in any case */
} seeds[] = {
	{ ".profile", "# read by login shells\nif [ -n \"$BASH_VERSION\" ] && [ -f ~/.bashrc ]; then . ~/.bashrc; fi\n", NULL },
	{ ".bashrc",
	  "# read by interactive shells\ncase $- in *i*) ;; *) return ;; esac\nHISTCONTROL=ignoreboth\nshopt -s histappend checkwinsize\n"
	  "alias ls='ls --color=auto' grep='grep --color=auto' ll='ls -l'\n",
	  source_bash },
	{ ".zshrc",
	  "# read by interactive shells\nHISTFILE=~/.zsh_history HISTSIZE=5000 SAVEHIST=5000\nsetopt hist_ignore_dups share_history\n"
	  "bindkey -e\nautoload -Uz compinit && compinit -d ~/.zcompdump\nalias ls='ls --color=auto' grep='grep --color=auto' ll='ls -l'\n",
	  source_zsh },
	{ ".config/fish/config.fish", "# read by fish\n", source_fish },
};

static int put(int dir, const char *path, const void *data, size_t len, mode_t mode)
{
	_cleanup_close_ int fd = openat(dir, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);

	return fd < 0 ? -errno : fd_write_all(fd, data, len);
}

static const struct seed *seed_of(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(seeds); i++)
		if (strcmp(seeds[i].path, path) == 0)
			return &seeds[i];
	return NULL;
}

static int put_seed(int dir, const char *path, const char *text, size_t len, mode_t mode)
{
	const struct seed *s = seed_of(path);
	_cleanup_buf_ struct buf b = BUF_INIT(SKEL_MAX * 2);

	buf_put(&b, text, len);
	if (s && s->append)
		buf_puts(&b, s->append);
	return b.error ? b.error : put(dir, path, b.data, b.len, mode);
}

/* The regular files of /etc/skel that everybody may read; not its directories, not its links. */
static int seed_skeleton(int dir)
{
	DIR *d = opendir("/etc/skel");
	int r = 0;

	if (!d)
		return 0;
	for (struct dirent *e; r == 0 && (e = readdir(d));) {
		_cleanup_free_ char *text = NULL;
		size_t len = 0;
		struct stat st;

		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) || !(st.st_mode & 04))
			continue;
		if (fd_read_file(dirfd(d), e->d_name, SKEL_MAX, &text, &len) == 0)
			r = put_seed(dir, e->d_name, text, len, (st.st_mode & 0100) ? 0755 : 0644);
	}
	closedir(d);
	return r;
}

/* An API key that `login` keeps is used without a question: Claude Code knows it by its last 20 characters. */
static struct json_object *approved_key(void)
{
	struct json_object *o = NULL, *list = NULL;
	_cleanup_strv_ char **kept = NULL;
	const char *key;
	size_t n;

	if (credentials_load(&kept, NULL) < 0 || !(key = env_get(kept, "ANTHROPIC_API_KEY")))
		return NULL;
	n = strlen(key);
	o = json_object_new_object();
	list = json_object_new_array();
	if (o && list) {
		json_object_array_add(list, json_object_new_string(key + (n > 20 ? n - 20 : 0)));
		json_object_object_add(o, "approved", list);
		json_object_object_add(o, "rejected", json_object_new_array());
	}
	return o;
}

/* Claude Code asks for a theme and for trust in the directory at its first start: the sandbox is the answer to the
 * second. */
static int seed_claude(int dir, const char *project)
{
	struct json_object *o = json_object_new_object(), *projects = json_object_new_object(), *p = json_object_new_object(),
			   *key;
	_cleanup_free_ char *printable = str_printable(project, strlen(project));
	const char *text;
	int r = -ENOMEM;

	if (!o || !projects || !p || !printable)
		goto out;
	json_object_object_add(o, "hasCompletedOnboarding", json_object_new_boolean(1));
	key = approved_key();
	if (key)
		json_object_object_add(o, "customApiKeyResponses", key);
	/* a path that is not UTF-8 cannot be told in JSON: the agent asks then */
	if (strcmp(printable, project) == 0) {
		json_object_object_add(p, "hasTrustDialogAccepted", json_object_new_boolean(1));
		json_object_object_add(projects, project, json_object_get(p));
	}
	json_object_object_add(o, "projects", json_object_get(projects));
	text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	r = text ? put(dir, ".claude.json", text, strlen(text), 0600) : -ENOMEM;
out:
	json_object_put(p);
	json_object_put(projects);
	json_object_put(o);
	return r;
}

static int seed_all(int dir, const char *project)
{
	static const char *const dirs[] = { ".config", ".config/fish", ".claude", ".local", ".local/share", ".cache", ".claude-sandbox",
					    ".claude-sandbox/bin" };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(dirs) && r == 0; i++)
		if (mkdirat(dir, dirs[i], 0755) < 0)
			r = -errno;
	if (r == 0)
		r = seed_skeleton(dir);
	for (size_t i = 0; i < ARRAY_SIZE(seeds) && r == 0; i++) {
		r = put_seed(dir, seeds[i].path, seeds[i].text, strlen(seeds[i].text), 0644);
		if (r == -EEXIST)
			r = 0;
	}
	return r == 0 ? seed_claude(dir, project) : r;
}

/* --- owners --- */

static char *beside(const char *home, const char *suffix)
{
	char *p;

	return asprintf(&p, "%s%s", home, suffix) < 0 ? NULL : p;
}

char *home_owner(const char *name)
{
	_cleanup_free_ char *home = NULL, *file = NULL, *text = NULL;

	if (home_path(name, &home, NULL) < 0 || !(file = beside(home, ".owner")))
		return NULL;
	return fd_read_file(AT_FDCWD, file, OWNERS_MAX, &text, NULL) < 0 ? NULL : TAKE_PTR(text);
}

/* A name given to a home by configuration is not given to a project's sandbox later. */
static int record_shared(const char *home)
{
	_cleanup_free_ char *file = beside(home, ".owner");
	int r;

	if (!file)
		return -ENOMEM;
	r = put(AT_FDCWD, file, "shared", strlen("shared"), 0600);
	return r == -EEXIST ? 0 : r;
}

/* --- making one --- */

static int make(const char *home, const char *project)
{
	_cleanup_free_ char *tmp = beside(home, ".new-XXXXXX");
	_cleanup_close_ int dir = -1;
	int r = 0;

	if (!tmp)
		return -ENOMEM;
	if (!mkdtemp(tmp))
		return -errno;
	dir = open(tmp, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = dir < 0 ? -errno : seed_all(dir, project);
	if (r == 0 && rename(tmp, home) < 0)
		r = -errno;
	if (r < 0)
		(void)path_remove_tree(AT_FDCWD, tmp);
	/* another start was first, and has made it whole */
	return r == -ENOTEMPTY || r == -EEXIST ? 0 : r;
}

int home_prepare(const struct config *c, const struct survey *s, const char *name, char **ret, struct fail *f)
{
	const char *home_name = config_is_set(c, OPT_HOME) ? config_str(c, OPT_HOME) : name;
	_cleanup_free_ char *home = NULL;
	struct stat st;
	int r = home_path(home_name, &home, f);

	if (r < 0)
		return r;
	if (lstat(home, &st) < 0) {
		r = errno == ENOENT ? make(home, s->project) : -errno;
		if (r < 0) {
			(void)fail_set(f, -r, "home, '%s'", home);
			if (r == -ENOSPC || r == -EDQUOT)
				fail_hint(f, "the disk is full there: claude-sandbox df shows what sandboxes use");
			return r;
		}
	} else if (!S_ISDIR(st.st_mode) || st.st_uid != getuid()) {
		(void)fail_set(f, 0, "home, '%s': not a directory of yours", home);
		fail_hint(f, "move it away, or choose another with --home NAME");
		return -ENOTDIR;
	}
	r = config_is_set(c, OPT_HOME) ? record_shared(home) : 0;
	if (r < 0)
		return fail_set(f, -r, "home, '%s'", home);
	*ret = TAKE_PTR(home);
	return 0;
}

int home_list(char ***ret, struct fail *f)
{
	_cleanup_free_ char *homes = NULL;
	_cleanup_strv_ char **names = NULL;
	struct dirent **entries = NULL;
	int n, r = homes_dir(&homes, f);

	if (r < 0)
		return r;
	n = scandir(homes, &entries, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		if (r == 0 && entries[i]->d_type == DT_DIR && name_is_valid(entries[i]->d_name) && !strstr(entries[i]->d_name, ".new-"))
			r = strv_add(&names, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	if (r < 0)
		return fail_set(f, -r, "homes, '%s'", homes);
	*ret = TAKE_PTR(names);
	return 0;
}

int home_remove(const char *name, struct fail *f)
{
	_cleanup_free_ char *home = NULL, *away = NULL, *record = NULL;
	int r = home_path(name, &home, f);

	if (r < 0)
		return r;
	away = beside(home, ".new-XXXXXX");
	record = beside(home, ".owner");
	if (!away || !record)
		return fail_set(f, ENOMEM, "home");
	if (access(home, F_OK) < 0) {
		r = -errno;
		/* a record alone: of a sandbox that had its home elsewhere */
		if (unlink(record) == 0)
			return 0;
		(void)fail_set(f, -r, "home, '%s'", name);
		fail_hint(f, "claude-sandbox home ls lists them");
		return r;
	}
	/* an empty directory of another name gives way to the home by rename(2) */
	if (!mkdtemp(away) || rename(home, away) < 0)
		return fail_set(f, errno, "home, '%s'", home);
	r = path_remove_tree(AT_FDCWD, away);
	if (r < 0)
		return fail_set(f, -r, "home, '%s'", away);
	(void)unlink(record);
	return 0;
}
