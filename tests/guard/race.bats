#!/usr/bin/env bats
# Against time: the host replaces what is guarded, the sandbox refills what is taken away, everything is killed.

load guard

# The sandbox that lasts, for these tests: $S; inside_it SCRIPT runs in it.
begin() {
	S=s$RANDOM
	cs run -d -q --name "$S" "$@" -- sleep 300 >/dev/null
	SUP=$(cs inspect "$S" --json | jq .pid)
	PID1=$(cs inspect "$S" --json | jq .pid1)
}
inside_it() { cs exec "$S" -- sh -c "$@"; }
guard_pid() { # of the supervisor's children the one that is cs-guard
	local p
	for p in $(cat "/proc/$SUP/task/$SUP/children"); do
		[ "$(cat "/proc/$p/comm")" != cs-guard ] || echo "$p"
	done
}

@test "the host's git config, then a write inside: the guard is there again" {
	begin
	git config user.x 1
	sleep 0.2
	inside_it "printf '[core]\nfsmonitor=%s\n' '$(canary_cmd)' >>.git/config; git config core.fsmonitor '$(canary_cmd)'; cat .git/config" >/dev/null
	assert_lacks "$(cat .git/config)" fsmonitor
	assert_eq "$(git config user.x)" 1
	cs stop "$S"
	settled
	host_git
}

@test "an editor's atomic save of a guarded file, of one in a guarded directory" {
	mkdir .vscode
	echo a >.vscode/tasks.json
	echo a >.envrc
	begin
	echo b >.envrc.tmp
	mv .envrc.tmp .envrc
	echo b >.vscode/tmp
	mv .vscode/tmp .vscode/tasks.json
	sleep 0.2
	run inside_it 'echo evil >.envrc; echo evil >.vscode/tasks.json; cat .envrc .vscode/tasks.json'
	assert_has "$output" 'Read-only file system'
	assert_eq "$(cat .envrc .vscode/tasks.json | tr -d '\n')" bb
	cs stop "$S"
}

@test "while the host saves again and again, a writer inside gets at most moments" {
	echo a >.envrc
	begin
	bg inside_it 'i=0; while [ $i -lt 3000 ]; do echo evil >.envrc; i=$((i+1)); done'
	local i
	for i in $(seq 100); do
		echo "b$i" >.envrc.tmp
		mv .envrc.tmp .envrc
		sleep 0.01
	done
	wait "$BG" || true
	sleep 0.2
	run inside_it 'echo evil >.envrc'
	[ "$status" != 0 ]
	cs stop "$S"
}

@test "creators that never tire: in the end nothing is there" {
	begin
	inside_it 'for n in 1 2 3; do (i=0; while [ $i -lt 1500 ]; do echo x >.envrc; mkdir .vscode; echo x >.vscode/t; i=$((i+1)); done) 2>/dev/null & done; wait; sleep 0.3'
	[ ! -e .envrc ]
	[ ! -e .vscode ]
	cs stop "$S"
	settled
	# what is kept is bounded
	local kept
	kept=$(find "$HOME/.local/state/claude-sandbox/quarantine" -mindepth 2 -maxdepth 2 | wc -l)
	[ "$kept" -le 300 ] || fail "$kept things kept in quarantine"
}

@test "an unwritable directory does not keep the watcher out" {
	begin
	inside_it 'mkdir .claude && echo {} >.claude/settings.json; chmod 555 .claude; mkdir .vscode; chmod 0 .vscode; sleep 0.3'
	[ ! -e .claude/settings.json ]
	[ ! -e .vscode ]
	cs stop "$S"
}

@test "the watcher killed: another one takes its place" {
	begin
	local old
	old=$(guard_pid)
	[ -n "$old" ]
	kill -KILL "$old"
	wait_for 5 gone "$old"
	inside_it 'echo x >.envrc; sleep 0.5'
	[ ! -e .envrc ]
	cs stop "$S"
	settled
}

@test "the supervisor killed: the watcher has its last look" {
	begin
	inside_it 'git init -q n'
	kill -STOP "$(guard_pid)"
	local guard
	guard=$(guard_pid)
	inside_it 'echo x >.envrc; git -C n config core.fsmonitor x'
	kill -KILL "$SUP"
	kill -CONT "$guard"
	wait_for 10 gone "$PID1"
	wait_for 10 gone "$guard"
	[ ! -e .envrc ]
	assert_eq "$(names)" '.git README n '
	rm -f "$XDG_RUNTIME_DIR"/claude-sandbox/*/control
}

@test "everything killed at once: no litter, and the next start has the last look" {
	begin
	local guard
	guard=$(guard_pid)
	kill -STOP "$guard"
	inside_it 'echo x >.envrc; git config core.pager evil; git config branch.main.remote origin; mkdir .vscode; echo y >ordinary'
	kill -KILL "$SUP" "$guard"
	wait_for 10 gone "$PID1"
	rm -f "$XDG_RUNTIME_DIR"/claude-sandbox/*/control
	assert_eq "$(names)" '.envrc .git .vscode README ordinary '
	run cs run -T -- sh -c 'ls -A | tr "\n" " "'
	assert_has "$output" '.git README ordinary'
	settled
	assert_eq "$(names)" '.git README ordinary '
	quarantined .envrc
	[ -z "$(git config core.pager)" ]
}

@test "a user's own files from before are never taken, whatever happens" {
	git init -q nested
	git -C nested config core.editor vi
	git -C nested config core.hooksPath /nowhere
	mkdir -p deep/1/2/3/4/5/6/7 && git init -q deep/1/2/3/4/5/6/7 && git -C deep/1/2/3/4/5/6/7 config alias.x '!true'
	printf '#!/bin/sh\n' >deep/1/2/3/4/5/6/7/.git/hooks/pre-commit
	mkdir .vscode .idea
	echo x >.envrc
	cs run -T -q -- sh -c 'echo y >z; git -C nested status -s; git -C deep/1/2/3/4/5/6/7 config user.name x; git -C deep/1/2/3/4/5/6/7 config alias.y "!false"'
	settled
	[ -d .vscode ] && [ -d .idea ] && [ -f .envrc ]
	assert_eq "$(git -C nested config core.editor)" vi
	assert_eq "$(git -C deep/1/2/3/4/5/6/7 config alias.x)" '!true'
	[ -z "$(git -C deep/1/2/3/4/5/6/7 config alias.y)" ]
	[ -f deep/1/2/3/4/5/6/7/.git/hooks/pre-commit ]
}

@test "under a flood of other files the watcher still hears, scans what is new, and ends" {
	begin
	bg inside_it 'for n in 1 2 3 4; do (while :; do for i in 1 2 3 4 5 6 7 8 9; do : >f$n-$i; rm -f f$n-$i; done; done) & done; wait'
	sleep 0.5
	local began=$SECONDS
	inside_it 'mkdir -p deep/er; git init -q deep/er; git -C deep/er config core.fsmonitor x; echo x >.envrc'
	wait_for 5 test ! -e .envrc
	wait_for 5 eval '! git config -f deep/er/.git/config core.fsmonitor'
	[ $((SECONDS - began)) -le 12 ]
	cs stop "$S"
	settled
}

@test "what a person makes right after a command has ended is left alone" {
	local i
	for i in 1 2 3 4 5 6 7 8; do
		cs run -T -q -- true
		echo "mine $i" >.envrc
		mkdir .vscode
		sleep 0.3
		[ -e .envrc ] && [ -d .vscode ] || fail "taken, round $i"
		rm -rf .envrc .vscode
	done
}
