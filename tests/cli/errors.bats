#!/usr/bin/env bats
# What can't be had: a clear error, 125, nothing lost, nothing left.
load ../lib/common

nothing_left() { [ -z "$(ls "$XDG_RUNTIME_DIR/claude-sandbox" 2>/dev/null)" ] && [ -z "$(leftover_pids)" ]; }

@test "a missing helper" {
	mkdir "$T/bin"
	cp "$CS" "$T/bin/claude-sandbox"
	run "$T/bin/claude-sandbox" run -T -- true
	assert_status 125
	assert_has "$output" "hint: the installation is incomplete"
	nothing_left
}

@test "no home directory, one that cannot be written" {
	[ "$CS_AS" = user ] || skip_or_fail "root writes everywhere"
	mkdir -m 500 "$T/rohome"
	HOME=$T/rohome run "$CS" run -T --project "$P" -- true
	assert_status 125
	assert_has "$output" "claude-sandbox:"
	nothing_left
}

@test "a full disk under the runtime directory" {
	[ "$CS_AS" = root ] || skip_or_fail "only root can mount a small disk here"
	run unshare -m bash -c '
		mount -t tmpfs -o size=64k,mode=700 none "$XDG_RUNTIME_DIR"
		head -c 64k /dev/zero >"$XDG_RUNTIME_DIR/full" 2>/dev/null
		"$CS" run -T -- echo ran; echo "status $?"; "$CS" stop --all; ls "$XDG_RUNTIME_DIR/claude-sandbox" 2>/dev/null'
	[[ $output == *"status 0"* || $output == *"status 125"* ]]
	assert_lacks "$output" "project-2"
}

@test "a full disk under the home" {
	[ "$CS_AS" = root ] || skip_or_fail "only root can mount a small disk here"
	mkdir "$T/small"
	run unshare -m bash -c '
		mount -t tmpfs -o size=256k,mode=700 none "$T/small"
		head -c 300k /dev/zero >"$T/small/full" 2>/dev/null
		HOME=$T/small "$CS" run -T --project "$P" -- echo ran; echo "status $?"
		rm "$T/small/full"; HOME=$T/small "$CS" run -T --project "$P" -- echo again'
	assert_has "$output" "status 125"
	assert_has "$output" "No space left"
	assert_has "$output" "again"
}

@test "a project that is not there, or cannot be read" {
	run cs run -T --project "$T/none" -- true
	assert_status 125
	assert_has "$output" "$T/none"
	nothing_left
}

@test "a corrupted audit database does not hold up a sandbox" {
	mkdir -p "$HOME/.local/state/claude-sandbox"
	head -c 5000 /dev/urandom >"$HOME/.local/state/claude-sandbox/audit.db"
	assert_eq "$(cs run -T -- echo ok)" ok
}

@test "many at once start, answer and stop" {
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		"$CS" run -d -q --new -- sleep 300 >/dev/null 2>>"$T/err" 3>&- &
	done
	wait
	assert_eq "$(cat "$T/err")" ""
	assert_eq "$(cs ls -q | wc -l)" 20
	for n in $(cs ls -q); do cs exec -T "$n" true; done
	cs stop --all
	assert_eq "$(cs ls -q)" ""
	wait_for 5 nothing_left
}
