#!/usr/bin/env bats
# The agent: found as the host has it, the sandboxes' own copy, none; and the credentials that `login` keeps.
load ../lib/common

S() { echo "$HOME/.local/state/claude-sandbox"; }
program() { mkdir -p "$(dirname "$1")"; printf '#!/bin/sh\necho "agent %s: $*"\n' "$2" >"$1"; chmod 755 "$1"; }
token=sk-ant-oat01-abcdefghijklmnopqrstuvwxyz0123456789

@test "the native installer's layout" {
	program "$HOME/.local/share/claude/versions/2.1.197" native
	mkdir -p "$HOME/.local/bin"
	ln -s "$HOME/.local/share/claude/versions/2.1.197" "$HOME/.local/bin/claude"
	PATH=$HOME/.local/bin:$PATH run -0 cs run -T -- claude hello
	assert_eq "$output" "agent native: hello"
	# not on PATH: found where the installer puts it
	run -0 cs run -T -- claude hello
	assert_eq "$output" "agent native: hello"
	run -0 inside '(: >>~/.local/share/claude/versions/2.1.197) 2>/dev/null && echo wrote; true'
	assert_eq "$output" ""
	run -0 cs agent status
	assert_has "$output" 2.1.197
}

@test "npm's layouts: a prefix of one's own, nvm" {
	local prefix
	for prefix in .npm-global .nvm/versions/node/v20.0.0 'odd prefix'; do
		program "$HOME/$prefix/lib/node_modules/@anthropic-ai/claude-code/cli.js" npm
		echo '{"version":"2.1.1"}' >"$HOME/$prefix/lib/node_modules/@anthropic-ai/claude-code/package.json"
		mkdir -p "$HOME/$prefix/bin"
		ln -s ../lib/node_modules/@anthropic-ai/claude-code/cli.js "$HOME/$prefix/bin/claude"
		PATH=$HOME/$prefix/bin:$PATH run -0 cs run -T -- claude "$prefix"
		assert_eq "$output" "agent npm: $prefix"
		rm -rf "${HOME:?}/${prefix%%/*}"
	done
}

@test "agent.args come first, whatever is in them" {
	program "$HOME/.local/bin/claude" x
	mkdir -p "$HOME/.config/claude-sandbox"
	printf '[agent]\nargs = --model it'\''s $HOME\n' >"$HOME/.config/claude-sandbox/config"
	run -0 cs run -T -- claude -p 'a b'
	assert_eq "$output" "agent x: --model it's \$HOME -p a b"
}

@test "no agent anywhere: the shell opens and says how to get one" {
	PATH=/usr/bin:/bin
	[ ! -e /usr/bin/claude ] || skip "this machine has one in /usr/bin"
	run -0 cs run -T -- echo works
	assert_eq "$output" works
	run -127 cs run -T -- claude
	assert_has "$output" "npm install -g"
	tmux_start "$CS"
	tmux_wait 20 'no agent here'
}

@test "agent.install = none" {
	program "$HOME/.local/bin/claude" x
	mkdir -p "$HOME/.config/claude-sandbox"
	printf '[agent]\ninstall = none\n' >"$HOME/.config/claude-sandbox/config"
	run -0 inside 'ls /run/claude-sandbox/bin'
	assert_eq "$output" ""
}

# A stand-in for npm: what the registry says and gives, from files of the test's own.
fake_npm() { # VERSION
	local pkg=$T/pkg
	mkdir -p "$pkg/package" "$HOME/.local/bin"
	cp /bin/true "$pkg/package/claude"
	head -c 100000 /dev/urandom >>"$pkg/package/claude"
	tar -C "$pkg" -czf "$T/agent.tgz" package
	printf 'sha512-%s' "$(openssl dgst -sha512 -binary "$T/agent.tgz" | base64 -w0)" >"$T/integrity"
	echo "$1" >"$T/version"
	cat >"$HOME/.local/bin/npm" <<N
#!/bin/sh
echo "\$*" >>$T/npm.log
case \$1 in
view) printf '{"version":"%s","dist.integrity":"%s"}' "\$(cat $T/version)" "\$(cat $T/integrity)" ;;
pack) [ ! -e $T/slow ] || sleep 3; cp $T/agent.tgz ./agent.tgz; echo '[{"filename":"agent.tgz"}]' ;;
esac
N
	chmod 755 "$HOME/.local/bin/npm"
	PATH=$HOME/.local/bin:$PATH
}

@test "agent.install = own: fetched, verified, switched, kept when the next one is bad" {
	need openssl
	local a=$HOME/.local/share/claude-sandbox/agents/claude
	fake_npm 3.0.0
	run -0 cs agent update
	[ "$(readlink "$a/current")" = 3.0.0 ]
	[ -x "$a/3.0.0/claude" ]
	run -0 cs agent update
	assert_has "$output" newest
	[ "$(grep -c ^pack "$T/npm.log")" = 1 ]
	mkdir -p "$HOME/.config/claude-sandbox"
	printf '[agent]\ninstall = own\n' >"$HOME/.config/claude-sandbox/config"
	run -0 cs run -T -- claude
	# the registry's word and the package differ
	echo 3.0.1 >"$T/version"
	printf 'sha512-%088d' 0 >"$T/integrity"
	run -125 cs agent update
	assert_has "$output" SHA-512
	[ "$(readlink "$a/current")" = 3.0.0 ]
	[ -z "$(find "$a" -name '.new-*')" ]
	# a package whose program is none
	echo text >"$T/pkg/package/claude"
	tar -C "$T/pkg" -czf "$T/agent.tgz" package
	printf 'sha512-%s' "$(openssl dgst -sha512 -binary "$T/agent.tgz" | base64 -w0)" >"$T/integrity"
	run -125 cs agent update
	[ "$(readlink "$a/current")" = 3.0.0 ]
	# a version that is a path
	echo ../../x >"$T/version"
	run -125 cs agent update
	run -0 cs run -T -- claude
}

@test "own: killed in the middle, the old copy stays and the next refresh cleans up" {
	need openssl
	local a=$HOME/.local/share/claude-sandbox/agents/claude
	fake_npm 3.0.0
	run -0 cs agent update
	echo 3.0.2 >"$T/version"
	: >"$T/slow"
	bg "$CS" agent update
	wait_for 10 sh -c "ls -A $a | grep -q '^[.]new-'"
	run -125 cs agent update --background
	kill -KILL "$BG"
	[ "$(readlink "$a/current")" = 3.0.0 ]
	sleep 3.5
	rm "$T/slow"
	run -0 cs agent update
	[ "$(readlink "$a/current")" = 3.0.2 ]
	[ -z "$(find "$a" -maxdepth 1 -name '.new-*')" ]
}

@test "own: refreshed in the background after a start, once a day" {
	need openssl
	local a=$HOME/.local/share/claude-sandbox/agents/claude
	fake_npm 3.0.0
	mkdir -p "$HOME/.config/claude-sandbox"
	printf '[agent]\ninstall = own\n' >"$HOME/.config/claude-sandbox/config"
	run -127 cs run -T -- claude
	assert_has "$output" "agent update"
	wait_for 20 test -x "$a/current/claude"
	run -0 cs run -T -- claude
	sleep 1
	[ "$(grep -c ^view "$T/npm.log")" = 1 ]
	touch -d '2 days ago' "$a/checked"
	inside true
	wait_for 20 sh -c "[ \$(grep -c ^view $T/npm.log) = 2 ]"
	sleep 0.5
}

@test "npm is never run where a project's .npmrc would steer it" {
	need openssl
	fake_npm 3.0.0
	# shellcheck disable=SC2016
	sed -i '2i pwd >>'"$T/npm.pwd" "$HOME/.local/bin/npm"
	run -0 cs agent update
	assert_lacks "$(cat "$T/npm.pwd")" "$P"
}

@test "programs that a sandbox planted in a project on PATH are not run by the host" {
	need openssl
	fake_npm 3.0.0
	local c
	# an activated venv, node_modules/.bin, and a relative entry
	export PATH=$P/.venv/bin:$P/node_modules/.bin:.venv/bin:$PATH
	inside 'mkdir -p .venv/bin node_modules/.bin; for d in .venv/bin node_modules/.bin; do for c in git npm node tar gzip sh busctl systemd-run tr claude cp; do
		printf "#!/bin/sh\n%s\nexit 1\n" "$1" >$d/$c; chmod 755 $d/$c; done; done
		/usr/bin/git remote add origin https://example.org/x.git; true' "$(canary_cmd)"
	canary_dead
	[ -x "$P/.venv/bin/git" ]
	# the next start and end settle git's private configuration
	cs run -T -- /usr/bin/git remote add other https://example.org/y.git
	taken() { /usr/bin/git remote | grep -q other; } # no `sh` here: PATH has the planted one
	wait_for 10 taken
	canary_dead
	cs agent update
	canary_dead
	cs run -T --memory 1G -- true || true
	cs home export project - >"$T/x.tar.gz" || true
	cs agent status
	cs doctor >/dev/null || true
	canary_dead
	[ -x "$HOME/.local/share/claude-sandbox/agents/claude/3.0.0/claude" ]
}

@test "login: a token from standard input is kept 0600 and reaches sandboxes" {
	run -1 cs login --status
	echo "  $token " | cs login --token
	[ "$(stat -c %a "$(S)/credentials/claude")" = 600 ]
	[ "$(stat -c %a "$(S)/credentials")" = 700 ]
	run -0 cs login --status
	assert_lacks "$output" "$token"
	run -0 inside 'echo $CLAUDE_CODE_OAUTH_TOKEN'
	assert_eq "$output" "$token"
	run -0 cs run --dry-run
	assert_lacks "$output" "$token"
	run -0 cs run --dry-run --json
	assert_lacks "$output" "$token"
	mkdir -p "$HOME/.config/claude-sandbox"
	printf '[agent]\nlogin = no\n' >"$HOME/.config/claude-sandbox/config"
	run -0 inside 'echo "[$CLAUDE_CODE_OAUTH_TOKEN]"'
	assert_eq "$output" "[]"
	run -0 cs login --remove
	[ ! -e "$(S)/credentials/claude" ]
}

@test "login: an API key the same way; the wrong kind, rubbish and an open file are refused" {
	echo sk-ant-api03-abcdefghijklmnopqrstuvwxyz | cs login --api-key
	run -0 inside 'echo $ANTHROPIC_API_KEY; echo "[$CLAUDE_CODE_OAUTH_TOKEN]"'
	assert_eq "${lines[*]}" "sk-ant-api03-abcdefghijklmnopqrstuvwxyz []"
	run -125 sh -c "echo $token | '$CS' login --api-key"
	run -125 sh -c "echo sk-ant-api03-abcdefghijklmnopqrstuvwxyz | '$CS' login --token"
	for bad in short 'sk-ant-oat01-with blank inside it and more' $'sk-ant-oat01-aaaaaaaaaaaa\nX=1' 'not-a-token-at-all-but-long-enough'; do
		run -125 sh -c 'printf %s "$1" | "$2" login --token' sh "$bad" "$CS"
	done
	run -0 cs login --status
	chmod 644 "$(S)/credentials/claude"
	run -125 cs run -T -- true
	assert_has "$output" "chmod 600"
}

@test "login without a terminal says how" {
	run -125 cs login </dev/null
	assert_has "$output" "--token"
}

@test "login runs the agent's set-up in a throw-away sandbox and asks for the token" {
	mkdir -p "$HOME/.local/bin"
	cat >"$HOME/.local/bin/claude" <<'A'
#!/bin/sh
echo "setup: $*"; echo left >~/left; echo "in $PWD"; ls -A; echo "press enter"; read -r _
A
	chmod 755 "$HOME/.local/bin/claude"
	plant_secret .claude/.credentials.json
	tmux_start "$CS" login
	tmux_wait 20 'press enter'
	[[ $(tmux_screen) == *"setup: setup-token"* ]]
	tmux_keys Enter
	tmux_wait 20 'Paste the token'
	tmux_type "$token"
	tmux_keys Enter
	wait_for 20 test -f "$(S)/credentials/claude"
	assert_eq "$(cat "$(S)/credentials/claude")" "CLAUDE_CODE_OAUTH_TOKEN=$token"
	wait_for 5 sh -c "! ls $HOME/.local/share/claude-sandbox/homes | grep -q login"
	assert_eq "$(find /tmp -maxdepth 1 -name 'claude-sandbox-login-*' -user "$(id -u)")" ""
}

@test "the host's own credentials are never inside" {
	word=$(plant_secret .claude/.credentials.json)
	echo "{\"oauthAccount\":\"$word\"}" >"$HOME/.claude.json"
	run inside 'grep -r "$1" ~ /run /etc 2>/dev/null; true' "$word"
	assert_eq "$output" ""
}
