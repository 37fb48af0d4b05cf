# What the tests of guarded paths share. The oracle is always the host's git (or the host's file): what was planted inside
# must not run, and must not be there.

load ../lib/common

# After a sandbox has ended its watcher has one last look (its record goes when that is done), then the supervisor writes
# the audit and removes its socket.
all_done() {
	! compgen -G "$HOME/.local/state/claude-sandbox/quarantine/*/.watch-*" >/dev/null &&
		! compgen -G "$XDG_RUNTIME_DIR/claude-sandbox/*/control" >/dev/null
}
settled() { wait_for 20 all_done; }

teardown() {
	settled || true
	cs_teardown
}

# attack SCRIPT [ARG...]: runs it in a throw-away sandbox, whatever its status, and waits for the watcher. $CANARY is the
# command that must never run on the host.
attack() {
	local script=$1
	shift
	CANARY=$(canary_cmd)
	run --separate-stderr cs run -T -q -e CANARY="$CANARY" -- sh -c "$script" sh "$@"
	[ "$status" != 125 ] || fail "the sandbox did not start: $stderr"
	settled
}

# host_git DIR...: what a person does next, there and in the project.
host_git() {
	local d
	for d in . "$@"; do
		[ -d "$P/$d" ] || continue
		(cd "$P/$d" && git status && git log -1 && git diff && git stash list && git branch -vv) >/dev/null 2>&1 </dev/null || true
	done
	canary_dead
}

names() { find . -mindepth 1 -maxdepth 1 -printf '%P\n' | LC_ALL=C sort | tr '\n' ' '; }

quarantined() { # NAME: something of this name is in the quarantine
	compgen -G "$HOME/.local/state/claude-sandbox/quarantine/*/*-$1" >/dev/null || fail "no $1 in quarantine"
}
