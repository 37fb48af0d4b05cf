# What every end-to-end test stands on. A test file begins with `load ../lib/common` and gets, for each test:
#
#   $CS              the program under test (CS=... overrides; default: build/claude-sandbox)
#   $T               a directory of the test's own, gone after it; $HOME and $XDG_RUNTIME_DIR lie in it
#   $P               a git repository in it, $HOME/project, with one commit
#   cs ARG...        runs the program, bounded in time, in $P unless the caller changed directory
#
# The suites run twice (tests/run.sh): as root, and as an ordinary user. `$CS_AS` says which (root, user); a test that is about
# the ordinary user only, but may run as root, uses `as_user CMD...`, which has a home of its own in $U.
# Afterwards whatever still runs, is mounted or lies in the runtime directory fails the test.

bats_require_minimum_version 1.5.0

CS_TOP=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
: "${CS_BUILD:=$CS_TOP/build}"
: "${CS:=$CS_BUILD/claude-sandbox}"
: "${CS_TEST_UID:=21007}"
: "${CS_TEST_TIMEOUT:=60}"
export CS CS_BUILD CS_TOP CS_TEST_UID
if [ "$(id -u)" = 0 ]; then CS_AS=root; else CS_AS=user; fi
export CS_AS

# --- set-up and tear-down; a file with its own setup() or teardown() calls these from there ---

cs_setup() {
	T=$(mktemp -d "${CS_TEST_TMP:-/var/tmp}/cst.XXXXXX")
	chmod 755 "$T"
	CS_REAL_HOME=${CS_REAL_HOME:-$HOME}
	HOME=$T/home
	XDG_RUNTIME_DIR=$T/run
	P=$HOME/project
	U=$T
	[ "$CS_AS" = user ] || U=$T/user
	mkdir -m 755 "$HOME"
	mkdir -m 700 "$XDG_RUNTIME_DIR" "$T/tmp"
	TMPDIR=$T/tmp
	export T U HOME XDG_RUNTIME_DIR P TMPDIR CS_REAL_HOME
	unset XDG_CONFIG_HOME XDG_DATA_HOME XDG_STATE_HOME XDG_CACHE_HOME TMUX TMUX_PANE CLAUDE_SANDBOX
	unset "${!GIT_@}"
	git_identity "$HOME"
	make_project "$P"
	cd "$P" || return
}

cs_teardown() {
	local bad=0 left
	cd / || return
	tmux_kill
	bg_kill
	if [ -d "$XDG_RUNTIME_DIR/claude-sandbox" ]; then
		timeout -k 5 30 "$CS" stop --all </dev/null >"$T/stop.out" 2>&1 || true
	fi
	if [ "$U" != "$T" ] && [ -d "$U/run/claude-sandbox" ]; then
		as_user timeout -k 5 30 "$CS" stop --all </dev/null >"$T/stop.out" 2>&1 || true
	fi
	left=$(leftover_processes)
	if [ -n "$left" ]; then
		echo "left running:"
		echo "$left"
		bad=1
		leftover_kill
	fi
	left=$(grep -F " $T/" /proc/self/mountinfo || true)
	if [ -n "$left" ]; then
		echo "left mounted on the host:"
		echo "$left"
		bad=1
	fi
	left=$(find "$T/run/claude-sandbox" "$U/run/claude-sandbox" -mindepth 1 -type s 2>/dev/null || true)
	if [ -n "$left" ]; then
		echo "left in the runtime directory:"
		echo "$left"
		bad=1
	fi
	if [ "$bad" = 1 ] && [ -s "$T/stop.out" ]; then
		echo "stop --all said:"
		cat "$T/stop.out"
	fi
	chmod -R u+rwX "$T" 2>/dev/null || true
	rm -rf "$T"
	return "$bad"
}

setup() { cs_setup; }
teardown() { cs_teardown; }

# skip_or_fail REASON: this machine can't run the test. Where CI is set that is a failure, unless tests/skips.allowed
# has a line (a glob for "FILE: REASON") that says why it may be.
skip_or_fail() {
	local line what="${BATS_TEST_FILENAME#"$CS_TOP"/tests/}: $1"
	if [ -n "${CI:-}" ]; then
		while IFS= read -r line; do
			case $line in '' | '#'*) continue ;; esac
			# shellcheck disable=SC2254 # the line is a pattern
			case $what in $line) bats_skip "$1" ;; esac
		done <"$CS_TOP/tests/skips.allowed"
		echo "skipped in CI, and not in tests/skips.allowed: $what"
		return 1
	fi
	bats_skip "$1"
}
# bats' own word means the same
eval "bats_$(declare -f skip)"
skip() { skip_or_fail "${1:-no reason}"; }

need() { # COMMAND...
	local c
	for c; do command -v "$c" >/dev/null || skip_or_fail "no $c on this machine"; done
}

# --- projects, homes, users ---

git_identity() { # HOME
	printf '[user]\n\tname = Test\n\temail = test@example.org\n[init]\n\tdefaultBranch = main\n' >"$1/.gitconfig"
}

make_project() { # DIR
	mkdir -p "$1"
	git -C "$1" init -q
	echo hello >"$1/README"
	git -C "$1" add README
	git -C "$1" commit -qm first
}

# as_user CMD...: as an ordinary user, with a home, a runtime directory and a project of its own under $U.
as_user() {
	if [ "$CS_AS" = user ]; then
		"$@"
		return
	fi
	if [ ! -d "$U" ]; then
		mkdir -p "$U/home" "$U/tmp"
		mkdir -m 700 "$U/run"
		git_identity "$U/home"
		make_project "$U/home/project"
		chown -R "$CS_TEST_UID:$CS_TEST_UID" "$U"
	fi
	env HOME="$U/home" XDG_RUNTIME_DIR="$U/run" TMPDIR="$U/tmp" USER=tester LOGNAME=tester \
		setpriv --reuid="$CS_TEST_UID" --regid="$CS_TEST_UID" --clear-groups "$@"
}

# --- running the program ---

cs() { timeout -k 5 "$CS_TEST_TIMEOUT" "$CS" "$@"; }
# inside SCRIPT [ARG...]: a shell script in a throw-away sandbox of this directory's project.
inside() { cs run -T -- sh -c "$1" sh "${@:2}"; }

# bg CMD...: in the background, its output in $T/bg.N.out; its pid in $BG, its number in $BGN.
bg() {
	BGN=$((${BGN:-0} + 1))
	"$@" >"$T/bg.$BGN.out" 2>&1 3>&- &
	BG=$!
	BG_ALL="${BG_ALL:-} $BG"
}

bg_kill() {
	local p
	for p in ${BG_ALL:-}; do kill "$p" 2>/dev/null || true; done
	for p in ${BG_ALL:-}; do wait "$p" 2>/dev/null || true; done
	BG_ALL=
}

# wait_for SECONDS CMD...: until CMD succeeds; fails, and says so, when it has not by then.
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		if [ $SECONDS -ge "$end" ]; then
			echo "waited in vain for: $*"
			return 1
		fi
		sleep 0.05
	done
}

gone() { ! kill -0 "$1" 2>/dev/null; } # PID

# --- what a test asserts ---

fail() {
	echo "$*"
	return 1
}
assert_eq() { [ "$1" = "$2" ] || fail "got '$1', wanted '$2'"; }
assert_status() { # after bats' run
	# shellcheck disable=SC2154 # run sets them
	[ "$status" = "$1" ] || fail "status $status, wanted $1; output: $output"
}
assert_has() { [[ $1 == *"$2"* ]] || fail "'$2' is not in: $1"; }
assert_lacks() { [[ $1 != *"$2"* ]] || fail "'$2' is in: $1"; }

# A secret in the real home: a word found nowhere else. Prints it.
plant_secret() { # PATH under the home
	local word
	word=secret-$RANDOM$RANDOM$RANDOM
	mkdir -p "$(dirname "$HOME/$1")"
	echo "$word" >"$HOME/$1"
	chmod 600 "$HOME/$1"
	echo "$word"
}

# A canary: a command that, run by the host, leaves a mark. canary_cmd prints it, for planting from inside.
canary_cmd() { printf 'touch %s/canary' "$T"; }
canary_dead() {
	[ ! -e "$T/canary" ] || {
		rm -f "$T/canary"
		fail "the canary ran on the host"
	}
}

# --- a terminal: tmux with a server of its own ---

tmux_() { tmux -f /dev/null -S "$T/tmux.sock" "$@"; }
tmux_start() { # CMD...: 100 columns, 30 rows, in $PWD
	need tmux
	tmux_ new-session -d -x 100 -y 30 -s t "$@" 3>&-
}
tmux_keys() { tmux_ send-keys -t t "$@"; }
tmux_type() { tmux_ send-keys -t t -l "$1"; }
tmux_screen() { tmux_ capture-pane -p -t t "$@"; }
tmux_wait() { # SECONDS EXTENDED-REGEXP
	local end=$((SECONDS + $1))
	until tmux_screen 2>/dev/null | grep -qE -- "$2"; do
		if [ $SECONDS -ge "$end" ]; then
			echo "the screen never showed /$2/ but:"
			tmux_screen || true
			return 1
		fi
		sleep 0.1
	done
}
tmux_kill() {
	[ -S "${T:-}/tmux.sock" ] || return 0
	tmux_ kill-server 2>/dev/null || true
}

# --- what is left: the children that orphans' reaper (tests/lib/reap.c) adopted from this test ---

leftover_pids() {
	local p
	[ -n "${CS_REAPER:-}" ] || return 0
	for p in $(cat "/proc/$CS_REAPER/task/$CS_REAPER/children" 2>/dev/null); do
		[ "$p" = "$CS_REAPER_MAIN" ] || echo "$p"
	done
}
leftover_processes() {
	local p i
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		[ -n "$(leftover_pids)" ] || return 0
		sleep 0.1
	done
	: "$i"
	for p in $(leftover_pids); do
		printf '%s: %s\n' "$p" "$(tr '\0' ' ' <"/proc/$p/cmdline" 2>/dev/null)"
	done
}
leftover_kill() {
	local p
	for p in $(leftover_pids); do kill -KILL "$p" 2>/dev/null || true; done
}
