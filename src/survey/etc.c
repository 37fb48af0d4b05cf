/* The chosen /etc: what programs need to behave as on the host (certificates, loader, alternatives, shells, time,
 * editors) and nothing that describes the host's accounts, network, services or secrets. Each is taken only where
 * everybody may read it: a sandbox must not see what its user sees by a group. passwd, group, hosts, hostname,
 * resolv.conf, nsswitch.conf, machine-id and mtab are written for the sandbox and not looked for here. */
#include <errno.h>
#include <glob.h>
#include <string.h>
#include <sys/stat.h>

#include "base/path.h"
#include "base/str.h"
#include "survey/private.h"

static const char *const chosen[] = {
	/* the loader and what /usr/bin's links lead to */
	"alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d",
	/* certificates: never /etc/ssl/private or /etc/pki/tls/private */
	"ssl/certs", "ssl/cert.pem", "ssl/openssl.cnf", "ca-certificates/extracted", "ca-certificates.conf", "pki/ca-trust",
	"pki/tls/certs", "pki/tls/cert.pem", "pki/tls/openssl.cnf", "pki/java", "crypto-policies", "static",
	/* names of things */
	"protocols", "services", "rpc", "mime.types", "magic", "magic.mime", "gai.conf", "host.conf",
	"os-release", "lsb-release", "debian_version", "redhat-release", "fedora-release", "alpine-release",
	"arch-release", "SuSE-release", "issue",
	/* place, time and language */
	"localtime", "timezone", "locale.conf", "locale.alias", "locale.gen", "vconsole.conf", "default/locale",
	/* terminals and shells */
	"terminfo", "inputrc", "shells", "profile", "profile.d/*.sh", "bash.bashrc", "bashrc", "bash_completion", "bash_completion.d", "zsh",
	"zshrc", "zshenv", "zprofile", "zlogin", "fish", "manpath.config", "man_db.conf", "login.defs", "DIR_COLORS",
	/* tools */
	"gitconfig", "gitattributes", "vim", "nvim", "nanorc", "emacs", "screenrc", "tmux.conf", "wgetrc", "xattr.conf",
	"fonts", "java", "java-*", "jvm*", "maven", "gradle", "perl", "python", "python2*", "python3*", "ruby*", "php*",
	"lua*", "groff", "texmf", "ghc", "golang",
	"xdg/nvim", "xdg/user-dirs.defaults", "xdg/user-dirs.conf", "X11/rgb.txt", "ImageMagick-*",
};

static bool everybody_reads(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return false;
	if (S_ISLNK(st.st_mode) && stat(path, &st) < 0)
		return false;
	if (S_ISDIR(st.st_mode))
		return (st.st_mode & 05) == 05;
	return S_ISREG(st.st_mode) && (st.st_mode & 04);
}

static int add(struct survey *s, const char *path)
{
	return everybody_reads(path) ? strv_add(&s->etc, path) : 0;
}

int survey_find_etc(struct survey *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(chosen); i++) {
		_cleanup_free_ char *path = path_join("/etc", chosen[i]);
		glob_t g = { 0 };
		int r = 0;

		if (!path)
			return -ENOMEM;
		if (!strchr(path, '*')) {
			r = add(s, path);
		} else if (glob(path, GLOB_NOSORT, NULL, &g) == 0) {
			for (size_t k = 0; k < g.gl_pathc && r == 0; k++)
				r = add(s, g.gl_pathv[k]);
			globfree(&g);
		}
		if (r < 0)
			return r;
	}
	return 0;
}
