#!/usr/bin/env bats
# The escape suite, run as its users run it: nothing gets out, everything is cleared away.
load ../lib/common

@test "selftest: nothing escapes" {
	need jq
	run --separate-stderr cs selftest --json
	jq -r '.attempts[] | select(.verdict != "contained") | "\(.verdict): \(.category)/\(.name): \(.tried): \(.seen)"' <<<"$output"
	assert_status 0
	assert_eq "$(jq .escaped <<<"$output")" 0
	assert_eq "$(jq .ok <<<"$output")" true
	# an attempt that is skipped proves nothing: there are few, and each for a reason
	[ "$(jq .contained <<<"$output")" -ge 330 ]
	[ "$(jq .skipped <<<"$output")" -le 6 ]
	assert_eq "$(jq '[.attempts[] | select(.tried == "" or .expected == "" or .seen == "")] | length' <<<"$output")" 0
	assert_eq "$(find "$TMPDIR" -mindepth 1)" ''
}

@test "selftest: the table, and its sum" {
	run --separate-stderr cs selftest
	assert_status 0
	assert_has "${lines[0]}" VERDICT
	assert_has "${lines[-1]}" ' 0 escaped'
	run --separate-stderr cs selftest --escapes
	assert_status 0
	assert_eq "${#lines[@]}" 1
}

@test "selftest: a sandbox that does not start is an error, not a success" {
	run unshare -Ur --mount sh -c 'echo 0 >/proc/sys/user/max_user_namespaces; exec "$1" selftest --json' sh "$CS"
	assert_status 125
	assert_has "$output" 'doctor'
	assert_lacks "$output" '"ok": true'
	assert_eq "$(find "$TMPDIR" -mindepth 1)" ''
}

# The attempts themselves: in namespaces alone, without any of our walls, most of them succeed. A probe that could
# not fail would prove nothing.
@test "cs-probe finds its ways where there are no walls" {
	local out=$T/probe.out
	mkdir -p "$HOME/.ssh" "$T/outside" "$P/.vscode" "$P/.claude"
	echo canary-word >"$HOME/.ssh/id_ed25519"
	echo c >"$T/outside/cs-canary"
	echo h >"$P/.envrc"
	echo '{}' >"$P/.vscode/tasks.json"
	echo '{}' >"$P/.claude/settings.json"
	# a pid namespace of its own: what is sent to pid 1 reaches a shell, which one attempt stops for good
	bg unshare --kill-child=KILL -Urnmpif --mount-proc sh -c 'ulimit -u 30000; cd "$1" && shift && "$@" >"$0"; :' "$out" "$P" \
		"$CS_BUILD/cs-probe" project="$P" home="$HOME" outside="$T/outside" nekot=drow-yranac patience=100
	wait_for 120 grep -q shm-size "$out"
	kill -KILL "$BG"
	# one of each kind at least, by name
	for name in uid-0 capabilities no-new-privs seccomp-filter ssh-key outside-list pid1-root dotdot symlink hooks-move git-move \
		envrc-write vscode-write settings-local mcp-json ptrace-attach prlimit setpriority io_uring_setup keyctl \
		mount-tmpfs mount-bind chroot unshare-user clone3-user tiocsti packet raw-icmp plant-setuid; do
		cut -f2,3 "$out" | grep -qxF "$name	ESCAPED" || fail "'$name' did not succeed outside: $(grep -P "\t$name\t" "$out" || true)"
	done
	[ "$(cut -f3 "$out" | grep -c ESCAPED)" -ge 120 ]
}
