# The harness itself: what it promises the other files.
load common

@test "each test has a home, a runtime directory and a project of its own" {
	[ -d "$HOME" ] && [ -d "$XDG_RUNTIME_DIR" ] && [ -d "$P/.git" ]
	assert_eq "$PWD" "$P"
	assert_eq "$(stat -c %a "$XDG_RUNTIME_DIR")" 700
	assert_eq "$(git log --format=%s)" first
}

@test "as_user is an ordinary user with its own home" {
	[ "$(as_user id -u)" != 0 ]
	as_user sh -c 'echo x >"$HOME/file" && test -w "$XDG_RUNTIME_DIR"'
}

@test "what a test leaves running is found and ended" {
	[ -n "${CS_REAPER:-}" ] || skip_or_fail "not under tests/lib/reap"
	some_left() { [ -n "$(leftover_pids)" ]; }
	none_left() { [ -z "$(leftover_pids)" ]; }
	(setsid sleep 100 3>&- &)
	wait_for 5 some_left
	leftover_kill
	wait_for 5 none_left
}

@test "a skip that is not allowed fails where CI is set" {
	run env CI=true bash -c "skip() { echo skipped; }; . '$CS_TOP/tests/lib/common.bash'; skip_or_fail 'no such thing'" </dev/null
	[ "$status" = 1 ]
}
