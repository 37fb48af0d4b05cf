#!/usr/bin/env bats
# Signals, and what is left when one of the processes is killed.
load ../lib/common

ready() { grep -q ready "$T/bg.$BGN.out"; }
start() { # SCRIPT: in the background, until it says ready
	bg "$CS" run -T -- sh -c "$1"
	wait_for 10 ready
}
ended() {
	local s=0
	wait "$BG" || s=$?
	echo "status $s" >"$T/ended"
}
field() { cs inspect --json "$1" | sed -n "s/.*\"$2\": *\([0-9]*\),*/\1/p" | head -1; }
nothing_left() { [ -z "$(ls "$XDG_RUNTIME_DIR/claude-sandbox" 2>/dev/null)" ] && [ -z "$(leftover_pids)" ]; }

@test "TERM, HUP, QUIT and INT reach the command" {
	for s in TERM HUP QUIT INT; do
		start "trap 'echo got; exit 9' $s; echo ready; while :; do sleep 0.05; done"
		kill -$s "$BG"
		ended
		assert_eq "$(cat "$T/ended")" "status 9"
		assert_has "$(cat "$T/bg.$BGN.out")" got
	done
}

@test "without a handler the status is 128+n" {
	start 'echo ready; exec sleep 100'
	kill -TERM "$BG"
	ended
	assert_eq "$(cat "$T/ended")" "status 143"
}

@test "a command that ignores interrupts is ended by the third" {
	start "trap '' INT; echo ready; while :; do sleep 0.05; done"
	kill -INT "$BG"; sleep 0.2; kill -INT "$BG"; sleep 0.2; kill -INT "$BG"
	ended
	assert_eq "$(cat "$T/ended")" "status 137"
}

@test "SIGKILL of the client ends its -T sandbox" {
	start 'echo ready; exec sleep 100'
	kill -KILL "$BG"
	wait "$BG" || true
	wait_for 15 nothing_left
	assert_eq "$(cs ls -q)" ""
}

@test "SIGKILL of the supervisor takes everything with it and blocks nothing" {
	start 'sleep 300 & echo ready; exec sleep 300'
	pid=$(field project-2 pid)
	[ "$pid" -gt 1 ]
	kill -KILL "$pid"
	ended
	assert_eq "$(cat "$T/ended")" "status 125"
	assert_has "$(cat "$T/bg.$BGN.out")" "ended unexpectedly"
	wait_for 10 bash -c '[ -z "$(pgrep -f "sleep 30[0]" -u "$(id -u)")" ] || true'
	assert_eq "$(cs run -T -- echo again)" again
	assert_eq "$(cs ls -q)" ""
	wait_for 10 nothing_left
}

@test "SIGKILL of cs-enter ends the sandbox" {
	start 'echo ready; exec sleep 300'
	pid=$(field project-2 pid)
	keeper=$(pgrep -P "$pid" | head -1)
	kill -KILL "$keeper"
	ended
	assert_eq "$(cat "$T/ended")" "status 137"
	wait_for 10 nothing_left
}

@test "the runtime directory vanishes: everything ends" {
	start 'echo ready; exec sleep 300'
	rm -rf "$XDG_RUNTIME_DIR/claude-sandbox"
	ended
	wait_for 15 nothing_left
}

@test "stop: TERM first, KILL after the grace" {
	start "trap 'echo asked; exit 5' TERM; echo ready; while :; do sleep 0.05; done"
	cs stop project-2
	ended
	assert_has "$(cat "$T/bg.$BGN.out")" asked
	start "trap '' TERM; echo ready; while :; do sleep 0.05; done"
	run cs stop --time 500ms project-2
	assert_status 0
	ended
	assert_eq "$(cat "$T/ended")" "status 137"
	assert_eq "$(cs ls -q)" ""
}

@test "a suspended client suspends its command" {
	start 'echo ready; while :; do sleep 0.05; echo tick; done'
	kill -TSTP "$BG"
	sleep 0.5
	a=$(wc -l <"$T/bg.$BGN.out")
	sleep 0.5
	assert_eq "$(wc -l <"$T/bg.$BGN.out")" "$a"
	kill -CONT "$BG"
	wait_for 5 bash -c "[ \$(wc -l <'$T/bg.$BGN.out') -gt $a ]"
	kill -TERM "$BG"
	ended
}
