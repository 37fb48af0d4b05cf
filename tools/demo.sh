#!/usr/bin/env bash
# demo.sh PROGRAM: shows, by doing it in a sandbox, what is there and what is not: each line says what was tried and what
# happened. The project is a throw-away repository, and so are the sandbox's home and state: nothing stays behind.
# Status 0 when everything was as promised, 1 when anything was not.
set -u
cs=$1
dir=$(mktemp -d "${TMPDIR:-/tmp}/claude-sandbox-demo.XXXXXX")
dir=$(cd "$dir" && pwd -P)
host_sleep='' listener=''
ours() { XDG_DATA_HOME=$dir/data XDG_STATE_HOME=$dir/state "$cs" "$@" 2>/dev/null; }
audited() { ours log --all --json | grep -q '"stop"'; }
cleanup() {
	[ -z "$host_sleep" ] || kill "$host_sleep" 2>/dev/null
	[ -z "$listener" ] || kill "$listener" 2>/dev/null
	wait 2>/dev/null
	# the sandbox's last act is to write its end into the audit and to close it, a moment after its command has ended
	for _ in $(seq 100); do
		audited && [ ! -e "$dir/state/claude-sandbox/audit.db-wal" ] && break
		sleep 0.05
	done
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# What a host has: a secret beside the project, a process, a server on loopback (whose port it writes to a file).
project=$dir/project
mkdir "$project" "$dir/data" "$dir/state"
echo "the host's secret" >"$dir/secret"
git init -q "$project"
git -C "$project" config user.name 'Demo'
git -C "$project" config user.email 'demo@example.org'
echo 'int main(void) { return 42; }' >"$project/answer.c"
mkdir "$project/.claude"
echo '{}' >"$project/.claude/settings.json"
git -C "$project" add -A
git -C "$project" commit -qm 'the project'
sleep 600 &
host_sleep=$!
python3 -c '
import socket, sys
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen()
open(sys.argv[1] + ".new", "w").write(str(s.getsockname()[1]))
import os
os.rename(sys.argv[1] + ".new", sys.argv[1])
while True:
    c, _ = s.accept()
    c.recv(9)
    open(sys.argv[2], "a").write("someone connected\n")
' "$dir/port" "$dir/visits" &
listener=$!
for _ in $(seq 100); do
	[ ! -e "$dir/port" ] || break
	sleep 0.05
done
port=$(cat "$dir/port") || exit 1

cat >"$project/demo-inside" <<'END'
#!/bin/bash
# Runs inside. works and refused print one line each: what was tried, what happened.
bad=0
line() { printf '  %-9s %-34s %-46s %s\n' "$1" "$2" "$3" "$4"; }
works() { # WHAT SHOWN COMMAND
	local out
	if out=$(bash -c "$3" 2>&1); then line 'yes' "$1" "$2" "$(tail -n 1 <<<"$out" | cut -c -60)"; else
		line 'BROKEN' "$1" "$2" "$(tail -n 1 <<<"$out" | cut -c -60)"
		bad=1
	fi
}
refused() {
	local out
	if out=$(bash -c "$3" 2>&1); then
		line 'LEAKED' "$1" "$2" "$(tail -n 1 <<<"$out" | cut -c -60)"
		bad=1
	else line 'no' "$1" "$2" "$(tail -n 1 <<<"$out" | sed 's/^bash: line [0-9]*: //; s/^bash: //' | cut -c -60)"; fi
}
echo 'What is there:'
works 'the project, at its own path' 'pwd' 'pwd'
works 'it is writable' 'echo made inside > made' 'echo made inside > made && cat made'
works 'git' 'git commit' 'git add made && git commit -qm "made inside" && git log -1 --format=%s'
if command -v cc >/dev/null; then
	works 'the host'\''s tools' 'cc answer.c && ./a.out' 'cc -o /tmp/a.out answer.c && { /tmp/a.out; test $? = 42 && echo 42; }'
fi
works 'git hooks, in a copy of its own' 'echo ... > .git/hooks/post-commit' 'printf "#!/bin/sh\necho ran" > .git/hooks/post-commit && chmod +x .git/hooks/post-commit && git commit --allow-empty -qm "again" 2>&1'
works 'a home of its own' 'touch ~/x; ls -d ~' 'touch ~/x && ls -d ~ && rm ~/x'
works 'an ordinary user, never root' 'id -u' 'test "$(id -u)" != 0 && id -u'
echo
echo 'What is not:'
refused 'the files beside the project' 'cat ../secret' "cat '$DEMO_DIR/secret'"
refused 'the real home' "ls ~ | grep (what the host has there)" 'n=0; while IFS= read -r f; do [ -z "$f" ] || ! [ -e "$HOME/$f" ] || { echo "$f is here"; n=1; }; done < .demo-home; [ $n = 1 ] || { echo "none of $(grep -c . .demo-home) names"; false; }'
refused 'ssh keys' 'ls ~/.ssh' 'ls ~/.ssh'
refused 'an ssh agent' 'test -S "$SSH_AUTH_SOCK"' 'test -S "$SSH_AUTH_SOCK" || { echo "no socket"; false; }'
refused 'host processes: see one' "ls /proc/PID" "grep -qa '^sleep.600' /proc/[0-9]*/cmdline || { echo 'not among the '\$(ls -d /proc/[0-9]* | wc -l)' seen'; false; }"
refused 'host processes: signal one' 'kill PID' "kill $DEMO_PID"
refused 'the network: this host' 'connect to 127.0.0.1' "echo hi > /dev/tcp/127.0.0.1/$DEMO_PORT"
refused 'the network: any way out' 'ip route' 'test "$(tail -n +2 /proc/net/route | wc -l)" -gt 0 || { echo "no route, only: $(sed -n "s/^ *\([^:]*\):.*/\1/p" /proc/net/dev | xargs)"; false; }'
refused 'settings the host'\''s agent obeys' 'echo x > .claude/settings.json' 'echo x > .claude/settings.json'
refused 'the host'\''s programs: change one' '>> /usr/bin/env' ': >> /usr/bin/env'
refused 'mount, new namespaces' 'unshare -Ur' 'unshare -Ur true'
exit $bad
END
chmod +x "$project/demo-inside"
# what the host's home holds and a sandbox is not given; what it is given read-only is the manual's list
find "$HOME" -mindepth 1 -maxdepth 1 -printf '%f\n' 2>/dev/null |
	grep -vxE '\.(bashrc|bash_profile|bash_history|bash_logout|profile|zshrc|gitconfig|config|local|cache|claude|claude\.json|cargo|rustup|nvm|pyenv|npm|bun)|go' >"$project/.demo-home"

echo "A sandbox for $project:"
echo
(cd "$project" && XDG_DATA_HOME=$dir/data XDG_STATE_HOME=$dir/state "$cs" run -T -e DEMO_DIR="$dir" -e DEMO_PID=$host_sleep -e DEMO_PORT="$port" -- ./demo-inside)
status=$?
echo
echo 'And on the host, afterwards:'
after() { # WHAT TEST...
	local what=$1
	shift
	if "$@"; then printf '  %-9s %s\n' yes "$what"; else
		printf '  %-9s %s\n' BROKEN "$what"
		status=1
	fi
}
not() { ! "$@"; }
[ "$status" = 0 ] || echo "  (the demonstration inside ended with status $status)"
after 'the file and the commits made inside are here' test "$(git -C "$project" log --format=%s | head -n 2 | tr '\n' ,)" = 'again,made inside,' -a -e "$project/made"
after "the host's process still runs" kill -0 "$host_sleep"
after "nobody reached the host's server" not test -e "$dir/visits"
after 'the hook made inside is not in the repository' not test -e "$project/.git/hooks/post-commit"
after "the agent's settings are as they were" test "$(cat "$project/.claude/settings.json")" = '{}'
running() { ours ls | grep -F "$project"; }
after 'nothing is left running' not running
exit "$status"
