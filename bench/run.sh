#!/usr/bin/env bash
# run.sh: every benchmark, one after the other, into bench/RESULTS.md.
set -u
cd "$(dirname "$0")/.." || exit 1
out=$(mktemp)
trap 'rm -f "$out"' EXIT
bad=0
version() { "$@" 2>/dev/null | head -n 1 | tr -d '\n'; }
part() { # TITLE PROGRAM ABOUT
	printf '\n## %s\n\n%s\n\n' "$1" "$3" >>"$out"
	echo "bench: $2"
	"bench/$2" >>"$out" || {
		echo "bench: $2 failed" >&2
		printf '\n(failed)\n' >>"$out"
		bad=1
	}
}
{
	echo '# Measured'
	echo
	echo "By \`make bench\` on $(date -u +%Y-%m-%d), started by $([ "$(id -u)" = 0 ] && echo "root, run as an ordinary user" || echo "an ordinary user")."
	echo
	echo "| | |"
	echo "|---|---|"
	echo "| machine | $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(($(sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo) / 1048576)) GiB |"
	echo "| load before | $(cut -d ' ' -f 1-3 /proc/loadavg) |"
	echo "| system | $(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release), Linux $(uname -r) |"
	echo "| claude-sandbox | $("${BUILD:-build}/claude-sandbox" version 2>/dev/null | head -n 1), commit $(git rev-parse --short HEAD 2>/dev/null) |"
	echo "| bubblewrap | $(version bwrap --version) |"
	echo "| firejail | $(version firejail --version) |"
	echo "| git, node, gcc | $(version git --version), $(version node --version), $(version gcc --version) |"
} >"$out"
part 'Start and exit' start 'Times until the status is known; "all gone" is until the last process has ended too, CPU what all processes together took by then. The ratio is to bubblewrap given the same mounts, namespaces and environment; it has no seccomp filter, Landlock domain, guards, audit or supervisor to set up.'
part 'Inside against outside' inside 'The same work in the sandbox and on the host, alternating; medians.'
part 'Memory' memory 'One idle interactive sandbox, all processes of the program.'
part 'A hundred at once' hundred 'Started, asked and stopped all at the same time.'
part 'Idle' idle 'An interactive sandbox that nobody types into, under strace.'
cp "$out" bench/RESULTS.md
echo "bench: wrote bench/RESULTS.md"
exit $bad
