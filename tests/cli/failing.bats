#!/usr/bin/env bats
# A start that cannot be says why, each time, and leaves nothing; whoever is faster.

load ../lib/common

nothing_left() { ! compgen -G "$XDG_RUNTIME_DIR/claude-sandbox/*" >/dev/null; }

@test "no user namespaces: the same reason fifty times, and nothing left" {
	[ "$CS_AS" = user ] || skip "as the ordinary user"
	unshare -U --map-current-user --keep-caps true 2>/dev/null || skip_or_fail "no nested user namespaces here"
	local n
	for n in $(seq 50); do
		run unshare -U --map-current-user --keep-caps sh -c \
			'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"' sh "$CS" run -T -- true
		assert_status 125
		assert_has "$output" 'cannot make a user namespace'
		assert_has "$output" 'hint: '
	done
	wait_for 10 nothing_left
}

@test "a runtime directory without room: the reason, a hint, and nothing left" {
	[ "$CS_AS" = root ] || skip "as root: mounts a small one"
	run unshare -m sh -c 'mount -t tmpfs -o nr_inodes=3,mode=700 none "$XDG_RUNTIME_DIR" && "$0" run -T -- true; s=$?; find "$XDG_RUNTIME_DIR"; exit $s' "$CS"
	assert_status 125
	assert_has "$output" 'No space left on device'
	assert_has "$output" 'hint: '
	assert_lacks "$output" claude-sandbox/project
}

@test "as many arguments as a shell's * gives; too many are told" {
	run cs run -T -- echo $(seq 20000)
	assert_status 0
	[ "${output##* }" = 20000 ]
	run cs run -T -- echo $(seq 40000)
	assert_status 125
	assert_has "$output" 'too many arguments'
}

@test "a signal or input at the very end: the status is the command's" {
	local n
	for n in $(seq 40); do
		run timeout 20 sh -c '{ "$0" run -T -- sh -c "exit 7" & p=$!; sleep 0.0$1; exec 2>/dev/null; kill -USR1 $p; wait $p; s=$?; [ $s = 7 ] || [ $s = 138 ] || echo "$s"; } 2>&1' \
			"$CS" $((n % 10))
		[ -z "$output" ] || fail "status $output"
	done
}

@test "a pipe that is passed on comes back as it was: no O_NONBLOCK left for the next command" {
	run bash -c '("$0" run -T -- python3 -c "import fcntl,os; fcntl.fcntl(1, fcntl.F_SETFL, os.O_NONBLOCK)"
		python3 -c "import fcntl,os; print(bool(fcntl.fcntl(1, fcntl.F_GETFL) & os.O_NONBLOCK))") | cat' "$CS"
	assert_eq "$output" False
}

@test "a flood of findings is folded on the terminal" {
	run --separate-stderr cs run -T -- sh -c 'for i in $(seq 60); do echo x >.envrc; sleep 0.01; done'
	[ "$(printf '%s\n' "$stderr" | wc -l)" -lt 40 ]
	assert_has "$stderr" 'more: claude-sandbox log'
}
