/* What of the real home is shown read-only: git's configuration with the files it includes, Neovim's configuration
 * and data, the agent's instructions (never its credentials or history), terminal descriptions. Each is shown where
 * the user names it; the links of a dotfile repository are followed, and only the files they lead to are shown. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "survey/private.h"
#include "wire/gitconf.h"

#define LINKS_MAX 256 /* links of one directory that lead out of it */

int survey_show(struct survey *s, const char *src, const char *dst)
{
	_cleanup_free_ char *real = realpath(src, NULL);
	const char *what, *why;
	struct survey_show *p;
	struct stat st;

	if (!real || access(real, R_OK) < 0 || stat(real, &st) < 0 || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
		return 0;
	/* a link may lead anywhere; not to keys, and not to the whole home */
	if (path_is_under(s->home_real, real) || survey_judge(real, s->home_real, &what, &why) == SURVEY_NEVER)
		return 0;
	if (!survey_is_system(real) && survey_judge(real, s->home_real, &what, &why) != SURVEY_HARMLESS)
		return 0;
	for (size_t i = 0; i < s->nshows; i++)
		if (strcmp(s->shows[i].dst, dst) == 0)
			return 0;
	p = realloc(s->shows, sizeof(*p) * (s->nshows + 1));
	if (!p)
		return -ENOMEM;
	s->shows = p;
	p[s->nshows].src = TAKE_PTR(real);
	p[s->nshows].dst = strdup(dst);
	if (!p[s->nshows].dst) {
		free(p[s->nshows].src);
		return -ENOMEM;
	}
	s->nshows++;
	return 0;
}

/* A link inside a shown directory: what it leads to is shown where its text leads from there. A relative one counts
 * from the name that the user gave the directory, not from where a dotfile manager keeps it. */
static int show_link(struct survey *s, const char *real, const char *link, const char *named)
{
	_cleanup_free_ char *target = realpath(link, NULL), *dir = path_dirname(named), *joined = NULL, *dst = NULL;
	char text[PATH_MAX];
	ssize_t n = readlink(link, text, sizeof(text) - 1);

	if (!dir)
		return -ENOMEM;
	if (!target || n <= 0 || survey_is_system(target))
		return 0;
	text[n] = 0;
	joined = path_join(dir, text);
	dst = joined ? path_normalize(joined) : NULL;
	if (!dst)
		return -ENOMEM;
	/* it stays within what is shown */
	if (path_is_under(target, real) && !path_is_absolute(text))
		return 0;
	return survey_show(s, target, dst);
}

/* Walks a shown directory, real, whose name inside is named, for its links, down to a depth. */
static int show_links(struct survey *s, const char *top, const char *real, const char *named, unsigned depth, unsigned *count)
{
	_cleanup_close_ int fd = open(real, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	int r = 0;

	if (!d)
		return 0;
	fd = -1;
	for (struct dirent *e; r == 0 && *count < LINKS_MAX && (e = readdir(d));) {
		_cleanup_free_ char *p = NULL, *n = NULL;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || strcmp(e->d_name, ".git") == 0)
			continue;
		if (e->d_type != DT_LNK && !(e->d_type == DT_DIR && depth))
			continue;
		p = path_join(real, e->d_name);
		n = path_join(named, e->d_name);
		if (!p || !n) {
			r = -ENOMEM;
		} else if (e->d_type == DT_DIR) {
			r = show_links(s, top, p, n, depth - 1, count);
		} else {
			(*count)++;
			r = show_link(s, top, p, n);
		}
	}
	closedir(d);
	return r;
}

/* Where XDG variables move a path of the home to; inside they are unset, and it stands at its usual place. */
static int moved(const struct survey *s, const char *below, char **ret)
{
	static const struct {
		const char *usual, *variable;
	} dirs[] = { { ".config/", "$XDG_CONFIG_HOME/" }, { ".local/share/", "$XDG_DATA_HOME/" } };

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		char path[256];

		if (!str_startswith(below, dirs[i].usual))
			continue;
		(void)snprintf(path, sizeof(path), "%s%s", dirs[i].variable, below + strlen(dirs[i].usual));
		return path_expand(path, s->home, ret);
	}
	*ret = path_join(s->home, below);
	return *ret ? 0 : -ENOMEM;
}

static int show_home(struct survey *s, const char *below, unsigned depth)
{
	_cleanup_free_ char *p = path_join(s->home, below), *src = NULL, *real = NULL;
	unsigned count = 0;
	int r = moved(s, below, &src);

	if (r < 0 || !p)
		return r < 0 ? r : -ENOMEM;
	real = realpath(src, NULL);
	if (!real)
		return 0;
	r = survey_show(s, src, p);
	if (r == 0 && depth)
		r = show_links(s, real, real, p, depth, &count);
	return r;
}

/* The value of an include's path as git reads it (git-config(1), Includes). */
static char *include_path(const struct survey *s, const char *file, const char *value)
{
	_cleanup_free_ char *dir = path_dirname(file);

	if (!dir)
		return NULL;
	if (str_startswith(value, "~/"))
		return path_join(s->home, value + 2);
	return path_join(dir, value);
}

static int follow_includes(struct survey *s, const char *file, unsigned depth);

static int show_include(struct survey *s, const char *file, const char *value, unsigned depth)
{
	_cleanup_free_ char *p = include_path(s, file, value), *normal = NULL;
	size_t had = s->nshows;
	int r;

	if (!p)
		return -ENOMEM;
	normal = path_normalize(p);
	if (!normal)
		return -ENOMEM;
	if (survey_is_system(normal))
		return 0;
	r = survey_show(s, normal, normal);
	return r == 0 && s->nshows > had ? follow_includes(s, normal, depth - 1) : r;
}

static bool is_include(const char *key)
{
	return strcmp(key, "include.path") == 0 || (str_startswith(key, "includeif.") && str_endswith(key, ".path"));
}

/* Every include.path and includeIf.*.path of one file: which condition will hold is decided inside. */
static int follow_includes(struct survey *s, const char *file, unsigned depth)
{
	_cleanup_gitconf_ struct gitconf *conf = NULL;
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r = 0;

	if (!depth || fd_read_file(AT_FDCWD, file, GITCONF_MAX, &text, &len) < 0 || !strcasestr(text, "include"))
		return 0;
	if (gitconf_parse(text, len, &conf) < 0)
		return 0;
	for (size_t i = 0; i < conf->n && r == 0; i++)
		if (is_include(conf->entries[i].key) && !str_empty(conf->entries[i].value))
			r = show_include(s, file, conf->entries[i].value, depth);
	return r;
}

static int show_git(struct survey *s)
{
	static const char *const files[] = { ".gitconfig", ".config/git/config" };
	int r = show_home(s, ".gitconfig", 0);

	/* ~/.config/git may hold a credential store: its known files, never the directory */
	if (r == 0)
		r = show_home(s, ".config/git/config", 0);
	if (r == 0)
		r = show_home(s, ".config/git/ignore", 0);
	if (r == 0)
		r = show_home(s, ".config/git/attributes", 0);
	if (r == 0)
		r = show_home(s, ".config/git/template", 0);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(files); i++) {
		_cleanup_free_ char *p = path_join(s->home, files[i]);

		r = p ? follow_includes(s, p, 5) : -ENOMEM;
	}
	return r;
}

/* Terminal descriptions. The system's own are there already. */
static bool terminfo_has(const char *dir, const char *term)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%c/%s", dir, term[0], term) < (int)sizeof(path) && access(path, R_OK) == 0)
		return true;
	return snprintf(path, sizeof(path), "%s/%02x/%s", dir, (unsigned char)term[0], term) < (int)sizeof(path) &&
	       access(path, R_OK) == 0;
}

static bool term_is_sane(const char *term)
{
	return term && isalnum((unsigned char)term[0]) && !strchr(term, '/') && strlen(term) < 64;
}

int survey_terminfo(struct survey *s, const char *term)
{
	static const char *const system[] = { "/usr/share/terminfo", "/usr/lib/terminfo", "/etc/terminfo", "/lib/terminfo" };
	static const char *const others[] = {
		".local/kitty.app/lib/kitty/terminfo", ".local/share/terminfo", ".local/share/ghostty/terminfo",
		".local/ghostty/share/terminfo",
	};
	const char *env = getenv("TERMINFO"), *dirs = getenv("TERMINFO_DIRS");
	_cleanup_free_ char *own = path_join(s->home, ".terminfo");
	_cleanup_strv_ char **candidates = NULL;
	int r = 0;

	if (!own)
		return -ENOMEM;
	/* the user's own ~/.terminfo is shown already, and looked into first */
	if (!term_is_sane(term) || terminfo_has(own, term))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(system); i++)
		if (terminfo_has(system[i], term))
			return 0;
	if (dirs && (r = strv_split(dirs, ":", &candidates)) < 0)
		return r;
	if (path_is_absolute(env) && (r = strv_add(&candidates, env)) < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(others) && r == 0; i++)
		r = strv_take(&candidates, path_join(s->home, others[i]));
	for (char **c = candidates; c && *c && r == 0; c++) {
		size_t had = s->nshows;

		if (!path_is_absolute(*c) || !terminfo_has(*c, term))
			continue;
		r = survey_is_system(*c) ? 0 : survey_show(s, *c, *c);
		if (r < 0 || (!survey_is_system(*c) && s->nshows == had))
			continue;
		s->terminfo = strdup(*c);
		return s->terminfo ? 0 : -ENOMEM;
	}
	return r;
}

int survey_find_homefiles(struct survey *s)
{
	static const struct {
		const char *path;
		unsigned depth; /* how deep links inside it are followed */
	} shown[] = {
		{ ".config/nvim", 4 },	      { ".local/share/nvim", 1 }, { ".vimrc", 0 },	      { ".vim", 3 },
		{ ".claude/CLAUDE.md", 0 },   { ".claude/skills", 2 },	  { ".claude/agents", 2 }, { ".claude/commands", 2 },
		{ ".claude/rules", 2 },	      { ".terminfo", 0 },	  { ".inputrc", 0 },	      { ".editorconfig", 0 },
	};
	int r = show_git(s);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(shown); i++)
		r = show_home(s, shown[i].path, shown[i].depth);
	return r;
}
