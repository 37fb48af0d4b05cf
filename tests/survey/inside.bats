#!/usr/bin/env bats
# What is inside: the chosen /etc, the home, toolchains without their credentials, the user's own configuration read-only, a
# clean environment.
load ../lib/common

@test "the system's directories are there, the host's other ones are not" {
	run -0 inside 'for d in /usr/bin /bin /lib /etc /proc /dev /tmp /run /var/tmp; do [ -d $d ] || echo "no $d"; done
		for d in /sys/kernel /boot /lost+found /media /var/lib/dpkg /var/spool /run/dbus /run/systemd /etc/ssh /etc/shadow \
			/etc/ssl/private /etc/sudoers /etc/fstab /etc/pam.d; do [ ! -e $d ] || echo "there: $d"; done'
	assert_eq "$output" ""
}

@test "nothing of the system can be written" {
	run -0 inside 'for d in / /usr /usr/bin /etc /etc/ssl/certs /run /run/claude-sandbox /run/claude-sandbox/bin /var /var/lib /opt /home; do
		[ ! -d $d ] || ! ( : >$d/x ) 2>/dev/null || echo "wrote $d/x"; mkdir $d/xd 2>/dev/null && echo "made $d/xd"; done; true'
	assert_eq "$output" ""
}

@test "what must be writable is" {
	run -0 inside 'for d in . ~ /tmp /var/tmp /dev/shm $XDG_RUNTIME_DIR ~/.config ~/.claude; do : >$d/x && [ -f $d/x ] || echo "no $d/x"; done'
	assert_eq "$output" ""
	[ -f "$P/x" ]
}

@test "accounts are the sandbox's own" {
	run -0 inside 'id -un; getent passwd $(id -u) | cut -d: -f6; wc -l </etc/passwd; hostname; cat /etc/hostname; getent hosts localhost >/dev/null && echo resolves'
	assert_eq "${lines[1]}" "$HOME"
	assert_eq "${lines[2]}" 3
	assert_eq "${lines[3]}" "${lines[4]}"
	assert_eq "${lines[5]}" resolves
	[ "$(inside 'id -u')" != 0 ]
}

@test "machine-id is not the host's" {
	run -0 inside 'cat /etc/machine-id'
	[ "${#output}" = 32 ]
	[ ! -r /etc/machine-id ] || [ "$output" != "$(cat /etc/machine-id)" ]
}

@test "programs of the system work: loader, python, perl, git, certificates, locale, time" {
	run -0 inside 'ls / >/dev/null && git --version && { ! command -v python3 || python3 -c "import ssl,json"; } &&
		{ ! command -v perl || perl -e "use strict; print 1"; } && date && tput -T xterm cols >/dev/null && ls -l /etc/localtime'
}

@test "the real home is not there" {
	word=$(plant_secret .ssh/id_ed25519)
	plant_secret .aws/credentials
	plant_secret .netrc
	plant_secret Documents/diary
	run -0 inside 'ls -A ~; cat ~/.ssh/id_ed25519 ~/.aws/credentials ~/.netrc ~/Documents/diary 2>/dev/null; true'
	assert_lacks "$output" "$word"
	assert_lacks "$output" .ssh
	assert_lacks "$output" Documents
}

@test "the home stays from one sandbox to the next, and is not the real one" {
	inside 'echo kept >~/note'
	run -0 inside 'cat ~/note'
	assert_eq "$output" kept
	[ ! -e "$HOME/note" ]
}

@test "git's configuration is there with what it includes, read-only; its credentials are not" {
	mkdir -p "$HOME/dot" "$HOME/.config/git"
	printf '[include]\n\tpath = ~/dot/aliases\n[includeIf "gitdir:%s/"]\n\tpath = conditional\n' "$P" >>"$HOME/.gitconfig"
	printf '[alias]\n\tst = status\n' >"$HOME/dot/aliases"
	printf '[user]\n\temail = conditional@example.org\n' >"$HOME/conditional"
	echo '*.o' >"$HOME/.config/git/ignore"
	word=$(plant_secret .config/git/credentials)
	plant_secret .git-credentials >/dev/null
	mv "$HOME/.gitconfig" "$HOME/dot/gitconfig"
	ln -s dot/gitconfig "$HOME/.gitconfig"
	run -0 inside 'git config alias.st; git config user.email; git config user.name; touch a.o; git status --porcelain; ls -A ~/dot; cat ~/.config/git/credentials ~/.git-credentials 2>/dev/null
		echo "[core] fsmonitor = x" >>~/.gitconfig || true'
	assert_eq "${lines[0]}" status
	assert_eq "${lines[1]}" conditional@example.org
	assert_eq "${lines[2]}" Test
	assert_lacks "$output" a.o
	assert_lacks "$output" "$word"
	assert_lacks "$(cat "$HOME/dot/gitconfig")" fsmonitor
}

@test "Neovim's configuration and the agent's instructions resolve through dotfile links, read-only" {
	mkdir -p "$HOME/dot/nvim/lua" "$HOME/dot/shared" "$HOME/.config" "$HOME/.claude" "$HOME/dot/skills/mine"
	echo init >"$HOME/dot/nvim/init.lua"
	echo shared >"$HOME/dot/shared/opts.lua"
	ln -s ../../shared/opts.lua "$HOME/dot/nvim/lua/opts.lua"
	ln -s ../dot/nvim "$HOME/.config/nvim"
	echo instructions >"$HOME/dot/CLAUDE.md"
	ln -s ../dot/CLAUDE.md "$HOME/.claude/CLAUDE.md"
	ln -s ../dot/skills "$HOME/.claude/skills"
	echo skill >"$HOME/dot/skills/mine/SKILL.md"
	word=$(plant_secret .claude/.credentials.json)
	plant_secret .claude/history.jsonl >/dev/null
	plant_secret dot/private >/dev/null
	run -0 inside 'cat ~/.config/nvim/init.lua ~/.config/nvim/lua/opts.lua ~/.claude/CLAUDE.md ~/.claude/skills/mine/SKILL.md
		cat ~/.claude/.credentials.json ~/.claude/history.jsonl ~/dot/private 2>/dev/null; (: >~/.claude/skills/x) 2>/dev/null && echo wrote
		: >~/.claude/mine && echo own'
	assert_eq "${lines[*]}" "init shared instructions skill own"
}

@test "each toolchain on PATH works, and no credential beside it can be read" {
	local word=canary-$RANDOM$RANDOM d
	bin() { mkdir -p "$(dirname "$HOME/$1")"; printf '#!/bin/sh\necho ran-%s\n' "${1##*/}" >"$HOME/$1"; chmod 755 "$HOME/$1"; }
	canary() { mkdir -p "$(dirname "$HOME/$1")"; echo "$word" >"$HOME/$1"; }
	bin .nvm/versions/node/v20.1.0/bin/t-nvm; canary .nvm/versions/node/v20.1.0/etc/npmrc; canary .npmrc
	bin .cargo/bin/t-cargo; canary .cargo/credentials.toml; canary .cargo/config.toml; canary .cargo/registry/token
	bin .rustup/toolchains/stable/bin/rustc
	bin .pyenv/shims/t-pyenv; canary .pyenv/versions/3.11/pip.conf; canary .pypirc; canary .config/pip/pip.conf
	bin .local/share/uv/tools/ruff/bin/t-uvtool; canary .local/share/uv/credentials/credentials.toml; canary .config/uv/uv.toml
	mkdir -p "$HOME/.local/bin"; ln -s ../share/uv/tools/ruff/bin/t-uvtool "$HOME/.local/bin/t-uvtool"
	bin src/script/t-own; canary src/script/.env; ln -s "$HOME/src/script/t-own" "$HOME/.local/bin/t-own"
	bin go/bin/t-go; canary .config/go/env
	bin .local/share/pnpm/t-pnpm; canary .local/share/pnpm/rc; canary .config/pnpm/rc
	bin .bun/bin/t-bun; canary .bunfig.toml
	bin .volta/bin/t-volta; bin .deno/bin/t-deno; bin .sdkman/candidates/java/current/bin/t-sdkman; canary .m2/settings.xml
	bin .asdf/shims/t-asdf; bin .rbenv/shims/t-rbenv; canary .gem/credentials
	bin .local/share/mise/shims/t-mise; bin .npm-global/bin/t-npm; canary .npm-global/etc/npmrc
	for d in .nvm/versions/node/v20.1.0/bin .cargo/bin .pyenv/shims .local/bin go/bin .local/share/pnpm .bun/bin .volta/bin .deno/bin \
		.sdkman/candidates/java/current/bin .asdf/shims .rbenv/shims .local/share/mise/shims .npm-global/bin; do
		PATH=$HOME/$d:$PATH
	done
	export PATH
	run -0 inside 'for t in nvm cargo pyenv uvtool own go pnpm bun volta deno sdkman asdf rbenv mise npm; do t-$t || echo "no t-$t"; done'
	assert_lacks "$output" "no t-"
	run inside 'grep -rl "$1" ~ /etc /run /tmp 2>/dev/null; cat ~/.npmrc ~/.pypirc ~/.cargo/credentials.toml 2>/dev/null; true' "$word"
	assert_eq "$output" ""
	run -0 inside 'for d in ~/.cargo/bin ~/.local/bin ~/go/bin; do (: >$d/x) 2>/dev/null && echo "wrote $d"; done; true'
	assert_eq "$output" ""
	run -0 cs run -T -- env
	assert_has "$output" "NVM_DIR=$HOME/.nvm"
}

@test "PATH entries below the home that nothing claims are left out; read-only brings them" {
	mkdir -p "$HOME/scripts"
	printf '#!/bin/sh\necho mine\n' >"$HOME/scripts/t-mine"
	chmod 755 "$HOME/scripts/t-mine"
	PATH=$HOME/scripts:$PATH run ! cs run -T -- t-mine
	PATH=$HOME/scripts:$PATH run -0 cs run -T --ro "$HOME/scripts" -- t-mine
	assert_eq "$output" mine
}

@test "nothing of the host's environment is visible but what is on the list, in no process" {
	local word=canary-$RANDOM$RANDOM
	MY_TOKEN=$word AWS_SECRET_ACCESS_KEY=$word SSH_AUTH_SOCK=/tmp/$word DBUS_SESSION_BUS_ADDRESS=$word LD_LIBRARY_PATH=/$word \
		PYTHONPATH=/$word GIT_SSH_COMMAND=$word LC_TIME=C EDITOR=vi COLORTERM=truecolor run -0 inside \
		'env; for p in /proc/[0-9]*; do cat $p/environ $p/cmdline 2>/dev/null | tr "\0" "\n"; done; cat /proc/self/mountinfo'
	assert_lacks "$output" "$word"
	assert_has "$output" LC_TIME=C
	assert_has "$output" EDITOR=vi
	assert_has "$output" COLORTERM=truecolor
	assert_has "$output" CLAUDE_SANDBOX=
	assert_has "$output" DISABLE_AUTOUPDATER=1
	assert_has "$output" CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1
}

@test "-e K and -e K=V" {
	WANTED=passed run -0 cs run -T -e WANTED -e OTHER=set -e TERM=vt100 -- sh -c 'echo $WANTED $OTHER $TERM'
	assert_eq "$output" "passed set vt100"
}

@test "certificate variables bring their files along; one that points to a key is dropped" {
	mkdir -p "$HOME/corp"
	echo CA >"$HOME/corp/ca.pem"
	word=$(plant_secret .ssh/id_rsa)
	NODE_EXTRA_CA_CERTS=$HOME/corp/ca.pem SSL_CERT_FILE=$HOME/.ssh/id_rsa run -0 inside 'cat "$NODE_EXTRA_CA_CERTS"; echo "[$SSL_CERT_FILE]"; cat ~/.ssh/id_rsa 2>/dev/null; true'
	assert_eq "$output" "CA
[]"
	assert_lacks "$output" "$word"
}

@test "terminfo of a terminal that the system does not know comes along" {
	need tic
	mkdir -p "$HOME/.terminfo"
	printf 'xterm-ghostty-test|x,\n\tam, cols#80, lines#24,\n' | tic -x -o "$HOME/.terminfo" - 2>/dev/null
	TERM=xterm-ghostty-test run -0 inside 'tput cols >/dev/null && infocmp >/dev/null && echo known'
	assert_eq "$output" known
	mkdir -p "$HOME/res"
	printf 'xterm-kitty-test|x,\n\tam, cols#80, lines#24,\n' | tic -x -o "$HOME/res" - 2>/dev/null
	rm -rf "$HOME/.terminfo"
	TERM=xterm-kitty-test TERMINFO=$HOME/res run -0 inside 'tput cols >/dev/null && echo known'
	assert_eq "$output" known
}

@test "login shells keep PATH and name the sandbox in their prompt" {
	run -0 cs run -T -- bash -lc 'echo $PATH'
	assert_has "$output" /run/claude-sandbox/bin:
	run -0 cs run -T -- bash -lic 'echo "$PS1"' 2>/dev/null
	assert_has "$output" '[$CLAUDE_SANDBOX]'
	for sh in zsh fish; do
		command -v $sh >/dev/null || continue
		run -0 cs run -T -- $sh -lic 'echo $PATH'
		assert_has "$output" /run/claude-sandbox/bin
	done
	! command -v fish >/dev/null || {
		run -0 cs run -T -- fish -ic fish_prompt
		assert_has "$output" '['
	}
}

@test "zsh does not open its wizard" {
	command -v zsh >/dev/null || skip_or_fail "no zsh on this machine"
	tmux_start "$CS" run --shell /usr/bin/zsh
	tmux_wait 20 '^\[.*\] .* [%#] *$'
	[[ $(tmux_screen) != *"function for new users"* ]]
}

@test "profile none brings neither the agent nor its instructions" {
	mkdir -p "$HOME/.claude"
	echo x >"$HOME/.claude/CLAUDE.md"
	run -0 cs run -T --profile none -- sh -c 'cat ~/.claude/CLAUDE.md 2>/dev/null; ls /run/claude-sandbox/bin'
	assert_eq "$output" ""
}

@test "masks and devices" {
	echo TOKEN=x >"$P/.env"
	run -0 cs run -T --mask .env --device /dev/null --device /dev/full -- sh -c 'cat .env; (echo y >.env) 2>/dev/null && echo wrote; [ -c /dev/full ] && echo full'
	assert_eq "$output" full
	assert_eq "$(cat "$P/.env")" TOKEN=x
}
