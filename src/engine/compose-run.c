/* /run/claude-sandbox inside, read-only: what the shells read at their start (the prompt names the sandbox; PATH is put
 * back after /etc/profile has reset it), and `claude`: a wrapper that finds the agent and gives it config agent.args, or
 * says how to get one. The home's own start-up files only source these, so that a newer program brings newer ones. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/compose-private.h"

#define TEXT_MAX 65536
#define HOW_TO_INSTALL                                                                              \
	"on the host, install it (npm install -g @anthropic-ai/claude-code), or give sandboxes " \
	"their own copy: claude-sandbox config set agent.install own"
#define HOW_TO_FETCH "on the host: claude-sandbox agent update, then start the sandbox again"

/* Debian's and others' /etc/profile set PATH anew: ours goes in front again, and their additions stay. */
static const char profile[] =
	"# Written by claude-sandbox.\n"
	"if [ -n \"${CLAUDE_SANDBOX-}\" ]; then\n"
	"	_cs_path=$(cat " COMPOSE_INSIDE "/path)\n"
	"	_cs_ifs=$IFS; IFS=:\n"
	"	for _cs_dir in $PATH; do\n"
	"		case \":$_cs_path:\" in *\":$_cs_dir:\"*) ;; *) _cs_path=$_cs_path:$_cs_dir ;; esac\n"
	"	done\n"
	"	IFS=$_cs_ifs; PATH=$_cs_path; export PATH\n"
	"	unset _cs_path _cs_ifs _cs_dir\n"
	"	PS1='[$CLAUDE_SANDBOX] $PWD \\$ '\n"
	"fi\n";

static const char bashrc[] =
	"# Written by claude-sandbox, sourced by ~/.bashrc.\n"
	"if [ -n \"${CLAUDE_SANDBOX-}\" ]; then\n"
	"	case ${TERM-} in\n"
	"	dumb | '') PS1='[$CLAUDE_SANDBOX] \\w \\$ ' ;;\n"
	"	*) if [ -n \"${NO_COLOR-}\" ]; then PS1='[$CLAUDE_SANDBOX] \\w \\$ '\n"
	"	   else PS1='\\[\\e[1;33m\\][$CLAUDE_SANDBOX]\\[\\e[0m\\] \\[\\e[34m\\]\\w\\[\\e[0m\\] \\$ '; fi ;;\n"
	"	esac\n"
	"	[ ! -r " COMPOSE_INSIDE "/notice ] || [ -n \"${CLAUDE_SANDBOX_NOTICED-}\" ] || cat " COMPOSE_INSIDE "/notice\n"
	"	export CLAUDE_SANDBOX_NOTICED=1\n"
	"fi\n";

static const char zshrc[] =
	"# Written by claude-sandbox, sourced by ~/.zshrc.\n"
	"if [[ -n ${CLAUDE_SANDBOX-} ]]; then\n"
	"	emulate sh -c '. " COMPOSE_INSIDE "/profile'\n"
	"	setopt prompt_subst\n"
	"	if [[ -n ${NO_COLOR-} || ${TERM-dumb} == dumb ]]; then PS1='[$CLAUDE_SANDBOX] %~ %# '\n"
	"	else PS1='%B%F{yellow}[$CLAUDE_SANDBOX]%f%b %F{blue}%~%f %# '; fi\n"
	"	[[ ! -r " COMPOSE_INSIDE "/notice || -n ${CLAUDE_SANDBOX_NOTICED-} ]] || cat " COMPOSE_INSIDE "/notice\n"
	"	export CLAUDE_SANDBOX_NOTICED=1\n"
	"fi\n";

static const char fish[] =
	"# Written by claude-sandbox, sourced by ~/.config/fish/config.fish.\n"
	"if set -q CLAUDE_SANDBOX\n"
	"	set -gx PATH (string split : -- (cat " COMPOSE_INSIDE "/path))\n"
	"	function fish_prompt\n"
	"		set -q NO_COLOR; or set_color --bold yellow\n"
	"		printf '[%s] ' $CLAUDE_SANDBOX\n"
	"		set -q NO_COLOR; or set_color normal\n"
	"		printf '%s > ' (prompt_pwd)\n"
	"	end\n"
	"	function fish_greeting\n"
	"		test -r " COMPOSE_INSIDE "/notice; and cat " COMPOSE_INSIDE "/notice\n"
	"	end\n"
	"end\n";

int compose_run(struct compose *c)
{
	static const struct {
		const char *dst, *text;
	} files[] = {
		{ COMPOSE_INSIDE "/profile", profile },
		{ "/etc/profile.d/zz-claude-sandbox.sh", profile },
		{ COMPOSE_INSIDE "/bashrc", bashrc },
		{ COMPOSE_INSIDE "/zshrc", zshrc },
		{ COMPOSE_INSIDE "/config.fish", fish },
	};
	const char *path = env_get(c->plan->env, "PATH");
	int r = compose_dir(c, COMPOSE_INSIDE "/bin", 0755);

	if (r == 0)
		r = compose_text(c, COMPOSE_INSIDE "/path", 0644, path ? path : "", "start of the shells");
	for (size_t i = 0; i < ARRAY_SIZE(files) && r == 0; i++)
		r = compose_text(c, files[i].dst, 0644, files[i].text, "start of the shells");
	return r;
}

/* A shell script that runs program with config agent.args and its own arguments. */
static char *wrapper(const struct compose *c, const char *program)
{
	_cleanup_buf_ struct buf b = BUF_INIT(TEXT_MAX);
	_cleanup_free_ char *quoted = str_shell_quote(program);

	buf_printf(&b, "#!/bin/sh\nexec %s", quoted ? quoted : "");
	for (char *const *a = config_list(c->config, OPT_AGENT_ARGS); a && *a; a++) {
		_cleanup_free_ char *word = str_shell_quote(*a);

		buf_printf(&b, " %s", word ? word : "");
	}
	buf_puts(&b, " \"$@\"\n");
	return b.error || !quoted ? NULL : TAKE_PTR(b.data);
}

static int add_missing(struct compose *c, const char *reason, const char *hint)
{
	_cleanup_buf_ struct buf script = BUF_INIT(TEXT_MAX), notice = BUF_INIT(TEXT_MAX);
	int r;

	buf_printf(&script, "#!/bin/sh\necho \"claude-sandbox: claude: %s\" >&2\necho \"  hint: %s\" >&2\nexit 127\n", reason,
		   hint);
	buf_printf(&notice, "claude-sandbox: no agent here: %s\n  hint: %s\n", reason, hint);
	if (script.error || notice.error)
		return -ENOMEM;
	r = compose_text(c, COMPOSE_INSIDE "/bin/claude", 0755, buf_cstr(&script), "no agent: says how to get one");
	return r == 0 ? compose_text(c, COMPOSE_INSIDE "/notice", 0644, buf_cstr(&notice), NULL) : r;
}

int compose_agent(struct compose *c)
{
	const char *install = config_str(c->config, OPT_AGENT_INSTALL);
	_cleanup_free_ char *program = NULL, *script = NULL;
	int r = 0;

	if ( str_eq(config_str(c->config, OPT_PROFILE), "none") || str_eq(install, "none"))
		return 0;
	if (str_eq(install, "own")) {
		if (!c->request->agent)
			return add_missing(c, "the sandboxes' own copy is not there yet", HOW_TO_FETCH);
		program = strdup(COMPOSE_INSIDE "/agent/claude");
		r = compose_add(c, PLAN_BIND, 0, c->request->agent, COMPOSE_INSIDE "/agent/claude", "the sandboxes' own agent");
	} else if (!c->survey->agent.path) {
		return add_missing(c, "there is no claude on this machine's PATH", HOW_TO_INSTALL);
	} else {
		program = strdup(c->survey->agent.real);
	}
	script = r == 0 && program ? wrapper(c, program) : NULL;
	if (!script)
		return r < 0 ? r : -ENOMEM;
	return compose_text(c, COMPOSE_INSIDE "/bin/claude", 0755, script, "agent");
}
