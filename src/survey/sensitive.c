/* What must not be shown to an agent: directories that hold keys, sessions or passwords, the system's own, and the
 * sockets of daemons that would do anything for who asks. Paths are judged in both directions: below a sensitive
 * one, and above it (a project ~/.config would hold ~/.config/gcloud). The table is the policy; the code only walks. */
#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "survey/private.h"

enum reach {
	TREE,  /* it and everything below it */
	EXACT, /* itself only: what is below is somebody's work */
};

struct sensitive {
	const char *path; /* "~/" below the home; may end in a component with '*' */
	enum reach reach;
	enum survey_danger danger;
	const char *why;
};

#define KEYS "holds keys"
#define BROWSER "is a browser's profile: sessions and passwords"
#define VAULT "holds passwords"
#define SYSTEM "belongs to the system"
#define OURS "is where claude-sandbox keeps its homes, credentials and policy"

static const struct sensitive table[] = {
	{ "/proc", TREE, SURVEY_NEVER, "is the kernel's view of the host's processes" },
	{ "/sys", TREE, SURVEY_NEVER, "is the kernel's" },
	{ "/dev", TREE, SURVEY_NEVER, "holds the host's devices" },
	{ "~/.local/share/claude-sandbox", TREE, SURVEY_NEVER, OURS },
	{ "~/.local/state/claude-sandbox", TREE, SURVEY_NEVER, OURS },
	{ "~/.config/claude-sandbox", TREE, SURVEY_NEVER, OURS },

	{ "~/.ssh", TREE, SURVEY_SENSITIVE, "holds keys of ssh" },
	{ "~/.gnupg", TREE, SURVEY_SENSITIVE, "holds keys of gpg" },
	{ "~/.pki", TREE, SURVEY_SENSITIVE, KEYS },
	{ "~/.aws", TREE, SURVEY_SENSITIVE, "holds credentials of AWS" },
	{ "~/.azure", TREE, SURVEY_SENSITIVE, "holds credentials of Azure" },
	{ "~/.oci", TREE, SURVEY_SENSITIVE, "holds credentials of a cloud" },
	{ "~/.config/gcloud", TREE, SURVEY_SENSITIVE, "holds credentials of Google Cloud" },
	{ "~/.config/doctl", TREE, SURVEY_SENSITIVE, "holds credentials of a cloud" },
	{ "~/.config/hcloud", TREE, SURVEY_SENSITIVE, "holds credentials of a cloud" },
	{ "~/.config/gh", TREE, SURVEY_SENSITIVE, "holds credentials of GitHub" },
	{ "~/.config/glab-cli", TREE, SURVEY_SENSITIVE, "holds credentials of GitLab" },
	{ "~/.config/rclone", TREE, SURVEY_SENSITIVE, "holds credentials of storage services" },
	{ "~/.config/sops", TREE, SURVEY_SENSITIVE, KEYS },
	{ "~/.config/age", TREE, SURVEY_SENSITIVE, KEYS },
	{ "~/.config/op", TREE, SURVEY_SENSITIVE, VAULT },
	{ "~/.config/containers", TREE, SURVEY_SENSITIVE, "holds credentials of registries" },
	{ "~/.config/systemd", TREE, SURVEY_SENSITIVE, "holds units that the host would start" },
	{ "~/.config/autostart", TREE, SURVEY_SENSITIVE, "holds programs that the host would start" },
	{ "~/.kube", TREE, SURVEY_SENSITIVE, "holds credentials of Kubernetes" },
	{ "~/.docker", TREE, SURVEY_SENSITIVE, "holds credentials of registries" },
	{ "~/.terraform.d", TREE, SURVEY_SENSITIVE, "holds credentials of Terraform" },
	{ "~/.terraformrc", TREE, SURVEY_SENSITIVE, "holds credentials of Terraform" },
	{ "~/.vault-token", TREE, SURVEY_SENSITIVE, KEYS },
	{ "~/.netrc", TREE, SURVEY_SENSITIVE, VAULT },
	{ "~/.git-credentials", TREE, SURVEY_SENSITIVE, VAULT },
	{ "~/.config/git/credentials", TREE, SURVEY_SENSITIVE, VAULT },
	{ "~/.npmrc", TREE, SURVEY_SENSITIVE, "may hold a registry's token" },
	{ "~/.pypirc", TREE, SURVEY_SENSITIVE, "may hold a registry's token" },
	{ "~/.cargo/credentials*", TREE, SURVEY_SENSITIVE, "holds a registry's token" },
	{ "~/.m2/settings*.xml", TREE, SURVEY_SENSITIVE, "may hold passwords" },
	{ "~/.gradle/gradle.properties", TREE, SURVEY_SENSITIVE, "may hold passwords" },
	{ "~/.config/pnpm", TREE, SURVEY_SENSITIVE, "may hold a registry's token" },
	{ "~/.config/pip", TREE, SURVEY_SENSITIVE, "may hold an index's password" },
	{ "~/.local/share/uv/credentials", TREE, SURVEY_SENSITIVE, VAULT },
	{ "~/.pgpass", TREE, SURVEY_SENSITIVE, VAULT },
	{ "~/.my.cnf", TREE, SURVEY_SENSITIVE, VAULT },
	{ "~/.claude", EXACT, SURVEY_SENSITIVE, "holds the agent's credentials" },
	{ "~/.claude/.credentials.json", TREE, SURVEY_SENSITIVE, "holds the agent's credentials" },
	{ "~/.claude.json", TREE, SURVEY_SENSITIVE, "holds the agent's settings and keys" },
	{ "~/.codex", TREE, SURVEY_SENSITIVE, "holds an agent's credentials" },
	{ "~/.gemini", TREE, SURVEY_SENSITIVE, "holds an agent's credentials" },
	{ "~/.password-store", TREE, SURVEY_SENSITIVE, VAULT },
	{ "~/.local/share/keyrings", TREE, SURVEY_SENSITIVE, VAULT },
	{ "~/.local/share/kwalletd", TREE, SURVEY_SENSITIVE, VAULT },
	{ "~/.kde/share/apps/kwallet", TREE, SURVEY_SENSITIVE, VAULT },
	{ "~/.config/keepassxc", TREE, SURVEY_SENSITIVE, VAULT },
	{ "~/.keepass*", TREE, SURVEY_SENSITIVE, VAULT },
	{ "~/.config/Bitwarden*", TREE, SURVEY_SENSITIVE, VAULT },
	{ "~/.config/1Password", TREE, SURVEY_SENSITIVE, VAULT },
	{ "~/.1password", TREE, SURVEY_SENSITIVE, VAULT },
	{ "~/.mozilla", TREE, SURVEY_SENSITIVE, BROWSER },
	{ "~/.thunderbird", TREE, SURVEY_SENSITIVE, "is a mail program's profile" },
	{ "~/.config/google-chrome*", TREE, SURVEY_SENSITIVE, BROWSER },
	{ "~/.config/chromium", TREE, SURVEY_SENSITIVE, BROWSER },
	{ "~/.config/BraveSoftware", TREE, SURVEY_SENSITIVE, BROWSER },
	{ "~/.config/microsoft-edge*", TREE, SURVEY_SENSITIVE, BROWSER },
	{ "~/.config/vivaldi*", TREE, SURVEY_SENSITIVE, BROWSER },
	{ "~/.config/opera*", TREE, SURVEY_SENSITIVE, BROWSER },
	{ "~/.librewolf", TREE, SURVEY_SENSITIVE, BROWSER },
	{ "~/.zen", TREE, SURVEY_SENSITIVE, BROWSER },
	{ "~/.var/app", EXACT, SURVEY_SENSITIVE, "holds the data of desktop applications" },
	{ "~/.var/app/org.mozilla.*", TREE, SURVEY_SENSITIVE, BROWSER },
	{ "~/.var/app/com.google.*", TREE, SURVEY_SENSITIVE, BROWSER },
	{ "~/snap/firefox", TREE, SURVEY_SENSITIVE, BROWSER },
	{ "~/snap/chromium", TREE, SURVEY_SENSITIVE, BROWSER },
	{ "~/.config/Slack", TREE, SURVEY_SENSITIVE, "holds a messenger's session" },
	{ "~/.config/discord", TREE, SURVEY_SENSITIVE, "holds a messenger's session" },
	{ "~/.config/Signal", TREE, SURVEY_SENSITIVE, "holds a messenger's session" },
	{ "~/.local/share/TelegramDesktop", TREE, SURVEY_SENSITIVE, "holds a messenger's session" },
	{ "~/.bitcoin", TREE, SURVEY_SENSITIVE, "holds a wallet" },
	{ "~/.ethereum", TREE, SURVEY_SENSITIVE, "holds a wallet" },
	{ "~/.electrum", TREE, SURVEY_SENSITIVE, "holds a wallet" },

	{ "/etc", TREE, SURVEY_SENSITIVE, SYSTEM },
	{ "/usr", TREE, SURVEY_SENSITIVE, SYSTEM },
	{ "/bin", TREE, SURVEY_SENSITIVE, SYSTEM },
	{ "/sbin", TREE, SURVEY_SENSITIVE, SYSTEM },
	{ "/lib", TREE, SURVEY_SENSITIVE, SYSTEM },
	{ "/lib32", TREE, SURVEY_SENSITIVE, SYSTEM },
	{ "/lib64", TREE, SURVEY_SENSITIVE, SYSTEM },
	{ "/boot", TREE, SURVEY_SENSITIVE, SYSTEM },
	{ "/efi", TREE, SURVEY_SENSITIVE, SYSTEM },
	{ "/nix", TREE, SURVEY_SENSITIVE, SYSTEM },
	{ "/run/media", EXACT, SURVEY_SENSITIVE, "holds everybody's media" },
	{ "/run/media/*", EXACT, SURVEY_SENSITIVE, "holds all media" },
	{ "/run", TREE, SURVEY_SENSITIVE, "holds the sockets of the host's daemons" },
	{ "/var/run", TREE, SURVEY_SENSITIVE, "holds the sockets of the host's daemons" },
	{ "/var/lib/docker", TREE, SURVEY_SENSITIVE, "holds the host's containers" },
	{ "/var/lib/containers", TREE, SURVEY_SENSITIVE, "holds the host's containers" },
	{ "/var/lib/containerd", TREE, SURVEY_SENSITIVE, "holds the host's containers" },
	{ "/var/lib/kubelet", TREE, SURVEY_SENSITIVE, "holds secrets of Kubernetes" },
	{ "/var/lib/systemd", TREE, SURVEY_SENSITIVE, SYSTEM },
	{ "/var/lib/dpkg", TREE, SURVEY_SENSITIVE, SYSTEM },
	{ "/var/lib/rpm", TREE, SURVEY_SENSITIVE, SYSTEM },
	{ "/var/spool", TREE, SURVEY_SENSITIVE, "holds mail and scheduled jobs" },
	{ "/var/mail", TREE, SURVEY_SENSITIVE, "holds mail" },
	{ "/var", EXACT, SURVEY_SENSITIVE, SYSTEM },
	{ "/tmp", EXACT, SURVEY_SENSITIVE, "is shared with every other program" },
	{ "/var/tmp", EXACT, SURVEY_SENSITIVE, "is shared with every other program" },
	{ "/home", EXACT, SURVEY_SENSITIVE, "holds the homes of all accounts" },
	{ "/home/*", EXACT, SURVEY_SENSITIVE, "is a home directory" },
	{ "/root", EXACT, SURVEY_SENSITIVE, "is a home directory" },
};

/* True where path is the pattern's (or, for TREE, lies below it). A '*' only in the pattern's last component. */
static bool covers(const char *pattern, enum reach reach, const char *path)
{
	char head[PATH_MAX];
	size_t depth = 0, n = 0;

	if (!strchr(pattern, '*'))
		return reach == TREE ? path_is_under(path, pattern) : strcmp(path, pattern) == 0;
	for (const char *c = pattern; *c; c++)
		depth += *c == '/';
	for (; n < sizeof(head) - 1 && path[n]; n++) {
		if (path[n] == '/' && depth-- == 0)
			break;
		head[n] = path[n];
	}
	head[n] = 0;
	if (path[n] && reach == EXACT)
		return false;
	return fnmatch(pattern, head, FNM_PATHNAME | FNM_PERIOD) == 0;
}

/* True where path is a parent of what the pattern names, and that exists. */
static bool holds(const char *pattern, const char *path)
{
	return !strchr(pattern, '*') && path_is_under(pattern, path) && access(pattern, F_OK) == 0;
}

/* Our own directories, wherever XDG variables put them: found once, since a start judges dozens of paths. */
static bool is_ours(const char *path)
{
	static char *dirs[PATH_RUNTIME + 1];
	static bool known;

	for (enum path_xdg kind = PATH_CONFIG; kind <= PATH_RUNTIME && !known; kind++) {
		_cleanup_free_ char *dir = NULL;

		if (path_xdg(kind, &dir) == 0)
			dirs[kind] = realpath(dir, NULL);
	}
	known = true;
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (dirs[i] && (path_is_under(path, dirs[i]) || path_is_under(dirs[i], path)))
			return true;
	return false;
}

enum survey_danger survey_judge(const char *path, const char *home, const char **ret_what, const char **ret_why)
{
	size_t home_len = strlen(home);
	char buf[PATH_MAX];

	if (home_len >= sizeof(buf))
		return SURVEY_NEVER;
	memcpy(buf, home, home_len);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		const struct sensitive *s = &table[i];
		bool at_home = s->path[0] == '~';
		const char *pattern = s->path;

		if (at_home) {
			size_t n = strlen(s->path);

			if (home_len + n > sizeof(buf))
				return SURVEY_NEVER;
			memcpy(buf + home_len, s->path + 1, n);
			pattern = buf;
		}
		/* a home below one of the system's directories (/var/lib/ci) is a home all the same */
		if (!at_home && path_is_under(path, home) && strcmp(path, home))
			continue;
		if (strcmp(s->path, "/run") == 0 && fnmatch("/run/media/*/*", path, 0) == 0)
			continue;
		if (!covers(pattern, s->reach, path) && !holds(pattern, path))
			continue;
		*ret_what = s->path;
		*ret_why = s->why;
		return s->danger;
	}
	if (is_ours(path)) {
		*ret_what = "~/.local/share/claude-sandbox";
		*ret_why = OURS;
		return SURVEY_NEVER;
	}
	return SURVEY_HARMLESS;
}

/* Sockets are known by their names wherever they lie; and a socket given by its own path is one whatever its name. */
static const char *socket_kind(const char *path)
{
	static const struct {
		const char *pattern, *what;
	} sockets[] = {
		{ "*/docker.sock", "Docker's socket: whoever reaches it owns the host" },
		{ "*/podman.sock", "Podman's socket: whoever reaches it is you" },
		{ "*/podman/*.sock", "Podman's socket: whoever reaches it is you" },
		{ "*/containerd*.sock*", "containerd's socket: whoever reaches it owns the host" },
		{ "*/crio.sock", "CRI-O's socket: whoever reaches it owns the host" },
		{ "*/buildkitd.sock", "BuildKit's socket: whoever reaches it owns the host" },
		{ "*/lxd*/unix.socket", "LXD's socket: whoever reaches it owns the host" },
		{ "*/incus*/unix.socket", "Incus's socket: whoever reaches it owns the host" },
		{ "*/libvirt/*-sock*", "libvirt's socket: whoever reaches it owns the host" },
		{ "*/system_bus_socket", "the system's D-Bus" },
		{ "*/systemd/private", "systemd's socket: whoever reaches it runs programs on the host" },
		{ "*/bus", "your session's D-Bus: whoever reaches it runs programs on the host" },
		{ "*/ssh-*/agent.*", "an ssh agent: whoever reaches it signs with your keys" },
		{ "*/S.gpg-agent*", "gpg's agent: whoever reaches it uses your keys" },
		{ "*/S.keyboxd", "gpg's agent: whoever reaches it uses your keys" },
		{ "*/keyring/*", "the keyring's socket: whoever reaches it reads your passwords" },
		{ "*/.X11-unix/*", "the X server's socket: whoever reaches it reads your keys and screen" },
		{ "*/wayland-*", "the display's socket" },
		{ "*/tmux-*/*", "tmux's socket: whoever reaches it types into your terminals" },
	};
	struct stat st;

	if (lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(sockets); i++)
		if (fnmatch(sockets[i].pattern, path, 0) == 0)
			return sockets[i].what;
	return "a socket: who listens there does not know that a sandbox asks";
}

static int refuse(const char *option, const char *path, const char *what, const char *why, bool never, struct fail *f)
{
	if (what[0] == '~' || what[0] == '/')
		(void)fail_set(f, 0, "%s, '%s': refused, '%s' %s", option, path, what, why);
	else
		(void)fail_set(f, 0, "%s, '%s': refused, it is %s", option, path, what);
	if (never)
		fail_hint(f, "no option lifts this; name a directory or file beside it");
	else
		fail_hint(f, "name a directory or file beside it; where you mean it, add --i-know");
	return -EPERM;
}

int survey_mount(const char *path, const char *home, bool i_know, const char *option, char **ret, struct fail *f)
{
	_cleanup_free_ char *real = NULL, *home_real = realpath(home, NULL);
	bool device = str_eq(option, "device");
	const char *what = NULL, *why = NULL, *kind;
	enum survey_danger d;

	if (!path_is_absolute(path)) {
		(void)fail_set(f, 0, "%s, '%s': not an absolute path", option, path);
		fail_hint(f, "write the whole path, or ~/...");
		return -EINVAL;
	}
	real = realpath(path, NULL);
	if (!real) {
		int r = fail_set(f, errno, "%s, '%s'", option, path);

		fail_hint(f, "make it, or take it out of the configuration (claude-sandbox config show tells where it stands)");
		return r;
	}
	if (strcmp(real, "/") == 0)
		return refuse(option, path, "the whole file system", "", true, f);
	if (home_real && path_is_under(home_real, real))
		return refuse(option, path, strcmp(home_real, real) ? "a parent of your home directory" : "your home directory",
			      "", true, f);
	kind = socket_kind(real);
	if (kind && !i_know)
		return refuse(option, path, kind, "", false, f);
	if (device && path_is_under(real, "/dev")) {
		*ret = TAKE_PTR(real);
		return 0;
	}
	d = survey_judge(real, home_real ? home_real : home, &what, &why);
	/* what is bound read-only anyway may be asked for read-only */
	if (d == SURVEY_SENSITIVE && str_eq(option, "read-only") && survey_is_system(real))
		d = SURVEY_HARMLESS;
	if (d == SURVEY_NEVER || (d == SURVEY_SENSITIVE && !i_know))
		return refuse(option, path, what, why, d == SURVEY_NEVER, f);
	*ret = TAKE_PTR(real);
	return 0;
}
