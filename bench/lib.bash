# shellcheck shell=bash
# What the benchmarks share: a throw-away home and project, for an ordinary user where root started them.
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$top/${BUILD:-build}
cs=${CS:-$build/claude-sandbox}
# shellcheck disable=SC2034 # for the benchmarks
interleave=$build/bench/bench-interleave
set -eu

: "${CS_BENCH_UID:=64123}"
if [ "$(id -u)" = 0 ] && [ -z "${CS_BENCH_ROOT:-}" ] && [ -z "${CS_BENCH_NAMED:-}" ]; then
	# the ordinary user has a name in this run's own view of /etc/passwd: firejail wants one
	passwd=$(mktemp)
	{ cat /etc/passwd; echo "bench:x:$CS_BENCH_UID:$CS_BENCH_UID:Bench:/var/tmp:/bin/bash"; } >"$passwd"
	chmod 644 "$passwd"
	# shellcheck disable=SC2016 # for the inner shell
	CS_BENCH_NAMED=$passwd exec unshare -m sh -c 'mount --bind "$1" /etc/passwd && shift && exec "$@"' sh "$passwd" "$0" "$@"
fi
if [ "$(id -u)" = 0 ] && [ -z "${CS_BENCH_ROOT:-}" ]; then
	as=(setpriv "--reuid=$CS_BENCH_UID" "--regid=$CS_BENCH_UID" --clear-groups)
	who="an ordinary user"
else
	as=()
	who=$([ "$(id -u)" = 0 ] && echo root || echo "an ordinary user")
fi
export who

T=$(mktemp -d /var/tmp/cs-bench.XXXXXX)
chmod 755 "$T"
bench_cleanup() {
	"${as[@]}" "$cs" stop --all >/dev/null 2>&1 </dev/null || true
	chmod -R u+rwX "$T" 2>/dev/null || true
	rm -rf "$T"
	[ -z "${CS_BENCH_NAMED:-}" ] || rm -f "$CS_BENCH_NAMED"
}
trap bench_cleanup EXIT
trap 'exit 130' INT TERM
export HOME=$T/home XDG_RUNTIME_DIR=$T/run TMPDIR=$T/tmp
unset XDG_CONFIG_HOME XDG_DATA_HOME XDG_STATE_HOME XDG_CACHE_HOME
mkdir -p "$HOME/project" "$TMPDIR"
mkdir -m 700 "$XDG_RUNTIME_DIR"
printf '[user]\n\tname = Bench\n\temail = bench@example.org\n[init]\n\tdefaultBranch = main\n' >"$HOME/.gitconfig"
git -C "$HOME/project" init -q
own() { [ ${#as[@]} = 0 ] || chown -R "$CS_BENCH_UID:$CS_BENCH_UID" "$T"; }
own
cd "$HOME/project"

median() { sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }
# our processes: those of the program that run now, for this user
ours() {
	local p uid=$CS_BENCH_UID
	[ ${#as[@]} -gt 0 ] || uid=$(id -u)
	for p in /proc/[0-9]*; do
		grep -qE "^Uid:	$uid	" "$p/status" 2>/dev/null || continue
		case $(cat "$p/comm" 2>/dev/null) in claude-sandbox | cs-*) echo "${p#/proc/}" ;; esac
	done | sort
}
