#!/usr/bin/env bats
# The audit database as its users meet it: log, df, prune, reset; kills, corruption, a full disk.
load ../lib/common

db() { echo "$HOME/.local/state/claude-sandbox/audit.db"; }
query() { sqlite3 -cmd '.timeout 5000' "$(db)" "$1"; }
few_open() { [ "$(query 'SELECT count(*) FROM sandboxes WHERE ended IS NULL')" -le 1 ]; }
sound() { assert_eq "$(query 'PRAGMA integrity_check')" ok; }
ended() { [ "$(cs log --json --kind stop | wc -l)" -ge "$1" ]; } # COUNT

@test "log: a run is recorded, with its policy, and shown as text and JSON" {
	need jq sqlite3
	run cs log
	assert_status 0
	assert_has "$output" 'nothing recorded'
	run cs run -T -- sh -c 'echo x >.mcp.json; sleep 0.5; exit 3'
	assert_status 3
	wait_for 10 ended 1
	run --separate-stderr cs log --json
	assert_status 0
	assert_eq "$(jq -r 'select(.kind == "start") | .project' <<<"$output")" "$P"
	assert_eq "$(jq -r 'select(.kind == "stop") | .detail.status' <<<"$output")" 3
	assert_eq "$(jq -r 'select(.kind == "quarantined") | .subject' <<<"$output")" "$P/.mcp.json"
	assert_eq "$(query 'SELECT count(*) FROM sandboxes s JOIN policies p ON p.id = s.policy WHERE json_valid(p.text)')" 1
	name=$(jq -rs '.[0].name' <<<"$output")
	run --separate-stderr cs log
	assert_has "$output" '  start  '
	assert_has "$output" '.mcp.json'
	run --separate-stderr cs log --policy
	assert_eq "$(jq -r .project <<<"$output")" "$P"
	# elsewhere: nothing; everywhere, by name, by kind, by age: it
	cd "$T"
	run cs log
	assert_has "$output" 'nothing recorded'
	assert_has "$(cs log --all)" '  start  '
	assert_has "$(cs log "$name")" '  start  '
	assert_eq "$(cs log --all --json --kind start | wc -l)" 1
	assert_eq "$(cs log --all --json --since 1h --kind start | wc -l)" 1
	assert_eq "$(cs log --all --json --since 2099-01-01 | wc -l)" 0
	run cs log --since yesterday
	assert_status 125
	assert_eq "$(stat -c %a "$(db)")" 600
}

@test "log --follow shows what another sandbox does, and sleeps in between" {
	need jq strace
	bg "$CS" log --all --json --follow
	run cs run -T -- true
	wait_for 10 grep -q '"stop"' "$T/bg.$BGN.out"
	gone "$BG" && fail 'it ended by itself'
	sleep 1 # what wakes it last
	# asleep: no system call in a second
	timeout -s INT 1 strace -f -o "$T/strace" -p "$BG" || true
	[ "$(grep -cE '^[0-9]+ +[a-z_0-9]+\(' "$T/strace")" -le 1 ] || fail "it is busy: $(cat "$T/strace")"
}

@test "log: what came out of a sandbox cannot write to the terminal" {
	run cs run -T -- sh -c 'mkdir -p .cursor && printf x >"$(printf ".cursor/a\033]0;evil\007b")"; sleep 0.5'
	wait_for 10 ended 1
	run cs log
	assert_lacks "$output" $'\033'
	run cs log --json
	assert_lacks "$output" $'\033'
}

@test "audit: supervisors killed at any moment leave a sound database, and closed records" {
	need sqlite3 jq
	local i p
	for i in 1 2 3 4 5 6; do
		bg "$CS" run -T -- sh -c 'while :; do echo x >.mcp.json; sleep 0.05; done'
		sleep "0.$((i * 7 % 10))"
		kill -KILL "$BG" 2>/dev/null || true
		for p in $(leftover_pids); do kill -KILL "$p" 2>/dev/null || true; done
	done
	run cs run -T -- true
	assert_status 0
	wait_for 10 ended 1
	sound
	sleep 0.5
	run cs run -T -- true
	wait_for 10 few_open
}

@test "audit: a corrupted database is moved aside, and the sandbox runs" {
	need sqlite3
	mkdir -p "$(dirname "$(db)")"
	head -c 20000 /dev/zero | tr '\0' x >"$(db)"
	run cs log
	assert_status 125
	assert_has "$output" 'corrupted'
	run cs run -T -- echo fine
	assert_status 0
	wait_for 10 ended 1
	sound
	ls "$(db)".corrupt-* >/dev/null
	assert_eq "$(wc -c <"$(ls "$(db)".corrupt-*)")" 20000
}

@test "df lists homes with their projects, quarantine and audit" {
	need jq
	run cs run -T -- sh -c 'echo x >.mcp.json; head -c 300000 /dev/urandom >~/blob; sleep 0.5'
	assert_status 0
	wait_for 10 ended 1
	run --separate-stderr cs df --json
	assert_status 0
	assert_eq "$(jq -r '.[] | select(.kind == "home") | .project' <<<"$output")" "$P"
	[ "$(jq -r '.[] | select(.kind == "home") | .bytes' <<<"$output")" -ge 300000 ]
	assert_eq "$(jq -r '[.[] | select(.kind == "quarantine")] | length' <<<"$output")" 1
	run --separate-stderr cs df
	assert_has "$output" 'total'
}

@test "prune: old quarantine and stale directories, never a home, nothing unasked" {
	run cs run -T -- sh -c 'echo x >.mcp.json; sleep 0.5'
	wait_for 10 ended 1
	q=$HOME/.local/state/claude-sandbox/quarantine
	[ -n "$(find "$q" -type f)" ]
	run cs prune
	assert_status 0
	[ -n "$(find "$q" -type f)" ]
	sleep 1.1
	run cs prune --older-than 0s --dry-run
	assert_has "$output" "$q"
	[ -n "$(find "$q" -type f)" ]
	run cs prune --older-than 0s
	assert_status 125
	assert_has "$output" 'prune --yes'
	[ -n "$(find "$q" -type f)" ]
	mkdir -p "$XDG_RUNTIME_DIR/claude-sandbox/stale"
	touch "$XDG_RUNTIME_DIR/claude-sandbox/stale/lock"
	sleep 1.1
	run cs prune --older-than 1s --yes
	assert_status 0
	assert_eq "$(find "$q" -type f)" ''
	[ ! -e "$XDG_RUNTIME_DIR/claude-sandbox/stale" ]
	[ -d "$HOME/.local/share/claude-sandbox/homes/project" ]
}

@test "reset: stops everything; with --homes and --config nothing is left" {
	run cs run -d -- sleep 1000
	assert_status 0
	mkdir -p "$HOME/.config/claude-sandbox"
	touch "$HOME/.config/claude-sandbox/config"
	run cs reset
	assert_status 125
	assert_has "$output" 'reset --yes'
	[ -n "$(cs ls -q)" ]
	run cs reset --yes
	assert_status 0
	assert_eq "$(cs ls -q)" ''
	[ ! -e "$HOME/.local/state/claude-sandbox" ]
	[ -d "$HOME/.local/share/claude-sandbox/homes/project" ]
	[ -e "$HOME/.config/claude-sandbox/config" ]
	run cs reset --yes --homes --config
	assert_status 0
	assert_eq "$(find "$HOME" "$XDG_RUNTIME_DIR" -name 'claude-sandbox*')" ''
}
