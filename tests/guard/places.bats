#!/usr/bin/env bats
# Guards in projects of every kind: odd names, another file system, large, refused and said.

load guard

@test "what was taken away is said on stderr, with the way to lift it; -q is silent" {
	run --separate-stderr cs run -T -- sh -c 'echo x >.envrc; sleep 0.1'
	assert_status 0
	assert_has "$stderr" .envrc
	assert_has "$stderr" '--guard'
	[ -z "$output" ]
	run --separate-stderr cs run -T -q -- sh -c 'echo x >.envrc; sleep 0.1'
	[ -z "$stderr" ]
	run cs run -T -- cat /run/claude-sandbox/guards
	assert_has "$output" 'absent      .envrc'
	assert_has "$output" 'private     .git/config'
	assert_has "$output" "--guard '!NAME'"
}

@test "a path with blanks, a newline and UTF-8" {
	local odd="$HOME/a b"$'\n'"c ü'\""
	make_project "$odd"
	cd "$odd"
	P=$odd
	mkdir .vscode sub
	git init -q sub
	attack 'git config core.fsmonitor "$CANARY"; echo x >.envrc; echo x >.vscode/x; mv .git g; echo y >y; git add y; git commit -qm y
		git -C sub config core.fsmonitor "$CANARY"; mkdir n; git init -q n; git -C n config core.fsmonitor "$CANARY"; sleep 0.2'
	[ ! -e .envrc ]
	[ ! -e .vscode/x ]
	host_git sub n
	assert_eq "$(git log --format=%s -1)" y
}

@test "odd names inside: .git in directories with newlines, nested repositories with them" {
	mkdir $'x\ny'
	attack 'git init -q "$(printf "x\ny")"; git -C "$(printf "x\ny")" config core.fsmonitor "$CANARY"
		d=$(printf "p\tq\033[31m"); mkdir "$d"; git init -q "$d"; git -C "$d" config core.fsmonitor "$CANARY"; sleep 0.2'
	host_git $'x\ny' $'p\tq\033[31m'
	run cs log
	assert_lacks "$output" $'\033'
}

shm_done() { ! compgen -G "$XDG_STATE_HOME/claude-sandbox/quarantine/*/.watch-*" >/dev/null; }

@test "another file system: what is taken away is copied into the quarantine" {
	[ "$(stat -f -c %T /dev/shm)" = tmpfs ] || skip_or_fail "no tmpfs on /dev/shm"
	XDG_STATE_HOME=$(mktemp -d /dev/shm/cst.XXXXXX)
	export XDG_STATE_HOME
	attack 'echo secret-plan >.envrc; mkdir -p v/a; echo tasks >v/a/tasks.json; mv v .vscode; ln -s /etc/passwd .exrc; mkfifo .mcp.json
		git init -q n; git -C n config core.fsmonitor "$CANARY"; sleep 0.3; ls -A'
	wait_for 20 shm_done
	host_git n
	local q=$XDG_STATE_HOME/claude-sandbox/quarantine/project
	assert_eq "$(names)" '.git README n '
	assert_eq "$(cat "$q"/*-.envrc)" secret-plan
	assert_eq "$(cat "$q"/*-.vscode/a/tasks.json)" tasks
	[ -L "$(echo "$q"/*-.exrc)" ]
	rm -rf "$XDG_STATE_HOME"
}

@test "a large project: everything deep in it is watched in the end" {
	local i
	for i in $(seq 1 60); do mkdir -p "big/$i"/{a,b,c,d,e,f,g,h,i,j}/{1,2,3,4,5}; done
	git init -q big/60/j/5
	git -C big/60/j/5 config alias.own '!true'
	attack 'git -C big/60/j/5 config core.fsmonitor "$CANARY"; git init -q big/59/a/1; git -C big/59/a/1 config core.fsmonitor "$CANARY"
		printf "[core]\n\tfsmonitor = %s\n" "$CANARY" >>big/60/j/5/.git/config; sleep 0.5'
	host_git big/60/j/5 big/59/a/1
	git -C big/60/j/5 status >/dev/null
}

@test "a submodule as the project: its git directory comes along, guarded" {
	git init -q "$T/sub"
	git -C "$T/sub" commit -q --allow-empty -m s
	git -c protocol.file.allow=always submodule --quiet add "$T/sub" libs/sub
	git commit -qm sub
	cd libs/sub
	attack 'echo x >x; git add x; git commit -qm x; git config core.fsmonitor "$CANARY"; echo "$CANARY" >"$(git rev-parse --git-dir)/hooks/pre-commit"
		ls ../../README'
	[ "$status" != 0 ]
	assert_eq "$(git log --format=%s -1)" x
	host_git libs/sub
}
