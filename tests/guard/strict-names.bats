#!/usr/bin/env bats
# guard.absent = strict: what must not come into being cannot be created, not for a moment.

load guard

setup() {
	cs_setup
	mkdir -p "$HOME/.config/claude-sandbox"
	printf '[guard]\nabsent = strict\n' >"$HOME/.config/claude-sandbox/config"
}

@test "absent names are refused at once, however they would come" {
	attack 'r() { if (eval "$1") 2>/dev/null; then echo "made: $1"; fi; }
		r "echo x >.envrc"; r "touch .mcp.json"; r "mkdir .vscode"; echo x >ok; r "mv ok .envrc"; r "ln ok .envrc"; r "ln -s ok .envrc"
		r "mkfifo .exrc"; mkdir -p .claude; r "echo {} >.claude/settings.json"; mkdir d; echo {} >d/settings.json
		r "cp d/settings.json .claude/"; r "echo x >.git/commondir"; r "mkdir -p .vscode/x"; r "cd .git && echo x >commondir"
		r "echo x >./.claude/../.envrc"; r "dd if=/dev/null of=.envrc"; r "git init -q .vscode"
		r "python3 -c \"import os; os.open(\\\".envrc\\\", os.O_CREAT)\""; ls -A; true'
	assert_lacks "$output" made:
	local n
	for n in .envrc .mcp.json .vscode .exrc .claude/settings.json .git/commondir; do [ ! -e "$n" ] || fail "$n is there"; done
	run compgen -G "$HOME/.local/state/claude-sandbox/quarantine/*/*"
	[ "$status" != 0 ] || fail "quarantine was needed: $output"
}

@test "a prepared directory or link in the place of a guarded name's parent" {
	attack 'mkdir x; echo {} >x/settings.json; mv x .claude; ls .claude; ln -s x .claude; sleep 0.2; true'
	[ ! -e .claude/settings.json ]
}

@test "everyday work goes on: git, a compiler's many files, renames, sockets, sed -i" {
	run cs run -T -q -- bash -ec 'git switch -qc topic; echo a >a; git add a; git commit -qm a; git stash list; git worktree add -q wt; git gc -q
		mkdir -p d/e; for i in $(seq 50); do echo $i >d/e/$i; done; mv d f; cp -r f g; rm -rf g; sed -i s/a/b/ a; ln a b; ln -s a c
		mkfifo p; python3 -c "import socket; s = socket.socket(socket.AF_UNIX); s.bind(\"sock\")"; umask 077; echo x >private
		(umask 0; mkdir -m 1777 sticky); : >>a; [ "$(stat -c %a private)" = 600 ]; tar cf t.tar f; mkdir u; tar xf t.tar -C u; git init -q n'
	assert_status 0
	settled
	assert_eq "$(git log --format=%s -1 topic)" a
	assert_eq "$(cat u/f/e/50)" 50
	assert_eq "$(stat -c %u private)" "$(id -u)"
}
