/* THE table of options, and the checks of values that a type alone does not make. */
#include "policy/option.h"

#include <ctype.h>
#include <string.h>

#include "base/path.h"
#include "base/str.h"

/* A sandbox's or home's name: a file name, and (RFC 1123 §2.1) a host name once '_' is allowed for. */
static const char *check_name(const char *v)
{
	size_t n = strlen(v);

	if (!isalnum((unsigned char)v[0]) || n > 63)
		return "a name has 1 to 63 characters and begins with a letter or digit";
	for (; *v; v++)
		if (!isalnum((unsigned char)*v) && !strchr("._-", *v))
			return "a name has only letters, digits, '.', '_' and '-'";
	return NULL;
}

static const char *check_shell(const char *v)
{
	return path_is_absolute(v) ? NULL : "not an absolute path";
}

/* A path below the project, or an absolute one: never one that climbs out. */
static const char *check_inner(const char *v)
{
	for (const char *s = v; *s;) {
		size_t n = strcspn(s, "/");

		if (n == 2 && s[0] == '.' && s[1] == '.')
			return "'..' cannot be part of it";
		s += n;
		s += strspn(s, "/");
	}
	return NULL;
}

static const char *check_variable(const char *v, char end)
{
	if (!isalpha((unsigned char)*v) && *v != '_')
		return "a variable's name begins with a letter or '_'";
	while (isalnum((unsigned char)*v) || *v == '_')
		v++;
	return *v == end ? NULL : end ? "not of the form NAME=VALUE" : "not the name of a variable";
}

static const char *check_env(const char *v)
{
	return check_variable(v, '=');
}

/* NAME, or PREFIX* */
static const char *check_env_pass(const char *v)
{
	size_t n = strlen(v);
	char name[256];

	if (n >= sizeof(name))
		return "too long";
	memcpy(name, v, n + 1);
	if (n > 1 && name[n - 1] == '*')
		name[n - 1] = 0;
	return check_variable(name, 0);
}

/* As podman's: a comma-separated list of single characters or ctrl-X, X one of a-z @ [ \ ] ^ _ */
static const char *check_keys(const char *v)
{
	if (strcmp(v, "none") == 0)
		return NULL;
	for (;;) {
		if (str_startswith(v, "ctrl-")) {
			v += 5;
			if (!islower((unsigned char)*v) && (!*v || !strchr("@[\\]^_", *v)))
				return "after 'ctrl-' comes one of a-z @ [ \\ ] ^ _";
		} else if (!isgraph((unsigned char)*v) || *v == ',') {
			return "not a comma-separated list of characters or ctrl-X";
		}
		v++;
		if (!*v)
			return NULL;
		if (*v++ != ',')
			return "not a comma-separated list of characters or ctrl-X";
	}
}

static const char *check_toolchain(const char *v)
{
	return strchr(v, '/') || v[0] == '.' ? "not the name of a toolchain" : NULL;
}

/* What the host would later execute or obey. ".git" and what lies in it stands for the repository's own guards
 * (src/guard). */
static const char default_guards[] =
	".git\n.git/config\n.git/hooks\n.claude-sandbox.conf\n.claude/settings.json\n.claude/settings.local.json\n"
	".claude/commands\n.claude/agents\n.claude/skills\n.claude/rules\n.claude/hooks\n.claude/plugins\n.mcp.json\n"
	".envrc\n.direnv\n.vscode\n.idea\n.fleet\n.zed\n.cursor\n.nvim.lua\n.nvimrc\n.exrc\n.vimrc\n.vim\n"
	".dir-locals.el\n.gdbinit\n.lldbinit\n.devcontainer\n.devcontainer.json\n.mise.toml\nmise.toml\n.mise\n"
	".husky\n.pre-commit-config.yaml\nlefthook.yml\nlefthook.yaml\n.lefthook.yml\nlefthook-local.yml\n.lefthook";

static const char default_pass[] =
	"TERM\nCOLORTERM\nLANG\nLANGUAGE\nLC_*\nTZ\nEDITOR\nVISUAL\nPAGER\nNO_COLOR\nFORCE_COLOR\nTERM_PROGRAM\n"
	"TERM_PROGRAM_VERSION\nSSL_CERT_FILE\nSSL_CERT_DIR\nNODE_EXTRA_CA_CERTS\nREQUESTS_CA_BUNDLE\nCURL_CA_BUNDLE\n"
	"GIT_SSL_CAINFO";

const struct option_def option_table[OPT__COUNT] = {
	[OPT_NAME] = {
		.name = "name", .type = OPTION_STRING, .tighten = TIGHTEN_NO, .flag = "name", .arg = "NAME",
		.check = check_name,
		.help = "The sandbox's name, and its host name inside. Without it the name is made from the project's "
			"directory.",
	},
	[OPT_PROFILE] = {
		.name = "profile", .type = OPTION_ENUM, .def = "claude", .choices = "none claude",
		.tighten = TIGHTEN_RANK,
		.flag = "profile", .arg = "NAME",
		.help = "The agent that is made ready inside. claude: Claude Code as the machine has it, and the "
			"parts of ~/.claude that instruct it, read-only. none: no agent, nothing of ~/.claude.",
	},
	[OPT_ENGINE] = {
		.name = "engine", .type = OPTION_ENUM, .def = "native", .choices = "native", .tighten = TIGHTEN_NO,
		.flag = "engine", .arg = "ENGINE",
		.help = "What makes the sandbox. native: namespaces of the kernel, needs nothing else.",
	},
	[OPT_HOME] = {
		.name = "home", .type = OPTION_STRING, .tighten = TIGHTEN_NO, .flag = "home", .arg = "NAME",
		.check = check_name,
		.help = "The home directory inside, by name; projects that give the same name share it. Without it "
			"each project has one of its own. Homes are kept in ~/.local/share/claude-sandbox/homes.",
	},
	[OPT_PROJECT_MODE] = {
		.name = "project-mode", .type = OPTION_ENUM, .def = "rw", .choices = "ro copy rw",
		.tighten = TIGHTEN_RANK, .flag = "project-mode", .arg = "MODE",
		.help = "What is mounted where the project lies. rw: the project, writable but for what is guarded. ro: the "
			"project, read-only. copy: a copy of it, made at the start and writable but for what is guarded; the "
			"project itself is not visible. The copy is kept when the sandbox ends, in "
			"~/.local/share/claude-sandbox/copies, until claude-sandbox rm --copies removes it.",
	},
	[OPT_SHELL] = {
		.name = "shell", .type = OPTION_STRING, .tighten = TIGHTEN_NO, .flag = "shell", .arg = "PATH",
		.check = check_shell,
		.help = "The shell that opens where no command is given. Without it, the account's login shell where "
			"it exists inside, else /bin/sh.",
	},
	[OPT_READ_ONLY] = {
		.name = "read-only", .type = OPTION_PATHS, .tighten = TIGHTEN_NO, .flag = "ro", .arg = "PATH",
		.help = "A file or directory of the host that is shown at its own path, read-only. Places that hold "
			"secrets (~/.ssh, ~/.gnupg, browser profiles...) are refused without i-know.",
	},
	[OPT_READ_WRITE] = {
		.name = "read-write", .type = OPTION_PATHS, .tighten = TIGHTEN_NO, .flag = "rw", .arg = "PATH",
		.help = "A file or directory of the host that is shown at its own path and can be written. What is "
			"inside can be destroyed by the agent, and what the host runs from there is the agent's to "
			"choose.",
	},
	[OPT_DEVICE] = {
		.name = "device", .type = OPTION_PATHS, .tighten = TIGHTEN_NO, .flag = "device", .arg = "PATH",
		.help = "A device node of the host (/dev/kvm) that is there inside, with the rights that the caller "
			"has on it.",
	},
	[OPT_GUARD] = {
		.name = "guard", .type = OPTION_NAMES, .def = default_guards, .tighten = TIGHTEN_ADD, .flag = "guard",
		.arg = "[!]PATH",
		.check = check_inner,
		.help = "A path within the project that cannot be changed from inside, because something on the host "
			"would later execute or obey it. !PATH lifts one. .git, .git/config and .git/hooks stand for "
			"all that git obeys there.",
	},
	[OPT_GUARD_ABSENT] = {
		.name = "guard.absent", .type = OPTION_ENUM, .def = "quarantine", .choices = "strict quarantine",
		.tighten = TIGHTEN_RANK,
		.help = "What happens to a guarded path that does not exist yet when something inside creates it. "
			"quarantine: it is moved away within milliseconds, and reported. strict: it cannot be "
			"created; each creation of a file then costs about 0.1 ms more.",
	},
	[OPT_GUARD_GIT_CONFIG] = {
		.name = "guard.git-config", .type = OPTION_ENUM, .def = "apply-safe", .choices = "keep apply-safe",
		.tighten = TIGHTEN_RANK,
		.help = "git inside changes a private copy of .git/config. What becomes of the changes at the end: "
			"apply-safe takes over what cannot make git run anything (branches, new remotes) and shows "
			"the rest; keep shows all and takes over nothing. guard = !.git/config lets git inside change "
			"the real file, and so make the host's git run any program.",
	},
	[OPT_MASK] = {
		.name = "mask", .type = OPTION_NAMES, .tighten = TIGHTEN_ADD, .flag = "mask", .arg = "PATH",
		.check = check_inner,
		.help = "A path, within the project or absolute, that is empty and read-only inside: a file of "
			"secrets (.env) that the agent shall not see.",
	},
	[OPT_ENV] = {
		.name = "env", .type = OPTION_ENTRIES, .tighten = TIGHTEN_NO, .flag = "env", .letter = 'e',
		.arg = "NAME[=VALUE]",
		.check = check_env,
		.help = "A variable that is set inside. On the command line NAME alone passes on the caller's value.",
	},
	[OPT_ENV_PASS] = {
		.name = "env.pass", .type = OPTION_LIST, .def = default_pass, .tighten = TIGHTEN_REMOVE,
		.check = check_env_pass,
		.help = "Variables of the caller that are passed on; PREFIX* for all that begin so. Nothing else of "
			"the environment is visible inside.",
	},
	[OPT_TIMEOUT] = {
		.name = "timeout", .type = OPTION_DURATION, .tighten = TIGHTEN_LOWER, .flag = "timeout", .arg = "TIME",
		.min = 1,
		.help = "Ends the command after this time (90, 90s, 5m, 2h); the exit status is then 124.",
	},
	[OPT_DETACH_KEYS] = {
		.name = "detach-keys", .type = OPTION_STRING, .def = "ctrl-],d", .tighten = TIGHTEN_NO,
		.flag = "detach-keys", .arg = "KEYS",
		.check = check_keys,
		.help = "The keys that detach the terminal and leave the sandbox running: characters or ctrl-X, "
			"separated by commas; none turns this off.",
	},
	[OPT_IDLE_STOP] = {
		.name = "idle-stop", .type = OPTION_DURATION, .tighten = TIGHTEN_LOWER, .min = 1000,
		.help = "Stops a sandbox that nobody is attached to and that has been silent for this time. A warning "
			"comes first. Without it a sandbox runs until its last shell or command ends.",
	},
	[OPT_STOP_GRACE] = {
		.name = "stop-grace", .type = OPTION_DURATION, .def = "10s", .tighten = TIGHTEN_LOWER,
		.help = "How long processes have after SIGTERM before SIGKILL ends them.",
	},
	[OPT_TOOLCHAINS] = {
		.name = "toolchains", .type = OPTION_LIST, .def = "auto", .tighten = TIGHTEN_REMOVE,
		.check = check_toolchain,
		.help = "Tools under the real home directory that are shown read-only. auto: each one known (nvm, "
			"cargo, pyenv, uv, go...) that is on PATH; or names of these; an empty value: none.",
	},
	[OPT_I_KNOW] = {
		.name = "i-know", .type = OPTION_BOOL, .def = "no", .choices = "no yes", .tighten = TIGHTEN_RANK,
		.flag = "i-know",
		.help = "Allows some of what is refused because it gives the sandbox secrets or the machine: places "
			"like ~/.ssh as mounts or as the project, sockets of docker and podman, block devices.",
	},
	[OPT_NETWORK_MODE] = {
		.name = "network.mode", .type = OPTION_ENUM, .def = "none", .choices = "none host",
		.tighten = TIGHTEN_RANK, .flag = "net",
		.arg = "MODE",
		.help = "none: no network but the sandbox's own loopback. host: the machine's network, unfiltered, "
			"its loopback services included.",
	},
	[OPT_LIMITS_MEMORY] = {
		.name = "limits.memory", .type = OPTION_SIZE, .tighten = TIGHTEN_LOWER, .flag = "memory", .arg = "SIZE",
		.min = 1 << 20,
		.help = "The most memory that all processes together may use (512M, 8G). Needs a cgroup; refused "
			"where none can be had.",
	},
	[OPT_LIMITS_CPUS] = {
		.name = "limits.cpus", .type = OPTION_MILLI, .tighten = TIGHTEN_LOWER, .flag = "cpus", .arg = "NUMBER",
		.min = 10,
		.help = "The most processors' worth of time (2, 0.5). Needs a cgroup; refused where none can be had.",
	},
	[OPT_LIMITS_PIDS] = {
		.name = "limits.pids", .type = OPTION_INT, .def = "4096", .tighten = TIGHTEN_LOWER, .flag = "pids",
		.arg = "NUMBER", .min = 8,
		.help = "The most processes and threads at once.",
	},
	[OPT_LIMITS_FILES] = {
		.name = "limits.files", .type = OPTION_INT, .def = "65536", .tighten = TIGHTEN_LOWER, .min = 16,
		.help = "The most open files of one process. The default bends to the session's hard limit; a value over it is an error.",
	},
	[OPT_LIMITS_FILE_SIZE] = {
		.name = "limits.file-size", .type = OPTION_SIZE, .tighten = TIGHTEN_LOWER, .min = 4096,
		.help = "The largest file that a process may write.",
	},
	[OPT_LIMITS_CORE] = {
		.name = "limits.core", .type = OPTION_SIZE, .def = "0", .tighten = TIGHTEN_LOWER,
		.help = "The largest core dump.",
	},
	[OPT_AGENT_INSTALL] = {
		.name = "agent.install", .type = OPTION_ENUM, .def = "host", .choices = "none host own",
		.tighten = TIGHTEN_RANK,
		.help = "Where the agent comes from. host: the machine's own, read-only, its self-updater off. own: a "
			"copy that belongs to the sandbox and is refreshed in the background. none: it is not brought "
			"in.",
	},
	[OPT_AGENT_ARGS] = {
		.name = "agent.args", .type = OPTION_LIST, .tighten = TIGHTEN_NO,
		.help = "Arguments that the agent gets in front of its own whenever it is started inside.",
	},
	[OPT_AGENT_LOGIN] = {
		.name = "agent.login", .type = OPTION_BOOL, .def = "yes", .choices = "no yes", .tighten = TIGHTEN_RANK,
		.help = "Whether the token that `claude-sandbox login` keeps is put into the sandbox's environment.",
	},
	[OPT_SECCOMP_RELAX] = {
		.name = "seccomp.relax", .type = OPTION_LIST, .choices = "userns io_uring ptrace perf keyctl",
		.tighten = TIGHTEN_REMOVE,
		.help = "System calls that are allowed although they widen what the sandbox can attack in the kernel: "
			"userns (new user namespaces, for Chromium's own sandbox; Landlock's file rules are off "
			"then), io_uring, ptrace, perf, keyctl.",
	},
	[OPT_SECCOMP_LOG] = {
		.name = "seccomp.log", .type = OPTION_BOOL, .def = "no", .choices = "no yes", .tighten = TIGHTEN_RANK,
		.help = "Writes refused system calls to the kernel's audit log.",
	},
	[OPT_AUDIT_KEEP] = {
		.name = "audit.keep", .type = OPTION_INT, .def = "90", .tighten = TIGHTEN_NO, .min = 1,
		.help = "Days that the audit database keeps a session.",
	},
	[OPT_RECEIPT] = {
		.name = "receipt", .type = OPTION_PATH, .tighten = TIGHTEN_NO, .flag = "receipt", .arg = "FILE",
		.help = "A file that the receipt of each session is written to at its end, as JSON.",
	},
};

const struct option_def *option_find(const char *name, enum option_id *ret_id)
{
	for (size_t i = 0; i < OPT__COUNT; i++) {
		if (strcmp(option_table[i].name, name))
			continue;
		if (ret_id)
			*ret_id = (enum option_id)i;
		return &option_table[i];
	}
	return NULL;
}

const char *option_nearest(const char *name)
{
	const char *names[OPT__COUNT], *dot = strrchr(name, '.');

	for (size_t i = 0; i < OPT__COUNT; i++)
		names[i] = option_table[i].name;
	/* "memory" without its section, or in a wrong one */
	dot = dot ? dot + 1 : name;
	for (size_t i = 0; i < OPT__COUNT; i++) {
		const char *last = strrchr(names[i], '.');

		if (strcmp(last ? last + 1 : names[i], dot) == 0)
			return names[i];
	}
	for (size_t i = 0; i < OPT__COUNT; i++)
		if (option_table[i].flag && strcmp(option_table[i].flag, dot) == 0)
			return names[i];
	return str_nearest(name, names, OPT__COUNT);
}

bool option_is_list(const struct option_def *o)
{
	return o->type == OPTION_LIST || o->type == OPTION_PATHS || o->type == OPTION_NAMES ||
	       o->type == OPTION_ENTRIES;
}
