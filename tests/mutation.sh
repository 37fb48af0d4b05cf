#!/usr/bin/env bash
# mutation.sh [MACRO...]: takes one protection out at a time and wants the tests to notice. Prints "ok MACRO ..." or "not ok ...".
#
# The sources hold a hook for each protection (`#ifndef CS_MUTATE_NO_X`). A build of its own, build-mutation, is made whole; then
# for each line of the table the objects that know the macro are compiled again with it, what links them is linked again, and
# the oracle runs: it must find what the line says. Then the objects are made as they were. With the build whole the
# same oracle must find nothing, or its finding would say nothing.
#
# The oracles run as an ordinary user where root started this, in a network namespace with only a loopback interface: a
# sandbox without its own network must not reach the machine's.
set -u
cd "$(dirname "$0")/.." || exit 1
top=$PWD
build=$top/build-mutation
uid=${CS_TEST_UID:-21007}

# macro | oracle | what it must find. The oracle `probe`: attempts of cs-probe, all of which must get through; `sh`: a script, run
# inside, then what the host's git reads: the pattern must match a line of both.
table() {
	cat <<'END'
CS_MUTATE_NO_SECCOMP|probe|seccomp-filter io_uring_setup
CS_MUTATE_NO_NEW_PRIVS|sh true|cannot put on
CS_MUTATE_NO_BOUNDING|probe|capabilities
CS_MUTATE_NO_UNDUMPABLE|probe|pid1-maps pid1-fds
CS_MUTATE_NO_MAXUSERNS|sh cat /proc/sys/user/max_user_namespaces|^[1-9]
CS_MUTATE_NO_PIDNS|sh true|cannot make a /proc
CS_MUTATE_NO_IPCNS|probe|sysv-shm
CS_MUTATE_NO_NETNS|probe|host-tcp
CS_MUTATE_NO_UTSNS|sh hostname|^mutation-host$
CS_MUTATE_NO_LANDLOCK|probe --net=host|abstract-stream
CS_MUTATE_NO_ENVLIST|sh env|^HOST_CANARY=
CS_MUTATE_NO_MASK="sys"|probe|proc-sys-walk
CS_MUTATE_NO_MASK="@P/.vscode"|probe|vscode-create
CS_MUTATE_NO_MASK="@P/.envrc"|probe|envrc-write
CS_MUTATE_NO_MASK="@P/.git"|probe|git-move
CS_MUTATE_NO_MASK="@P/.git/config"|sh git config core.fsmonitor evil|^host's.*evil
END
}

T=$(mktemp -d /var/tmp/cs-mutation.XXXXXX)
chmod 755 "$T"
cleanup() {
	[ -z "${helper:-}" ] || kill "$helper" 2>/dev/null
	rm -rf "$T"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

[ -e "$build/build.ninja" ] || meson setup "$build" -Dtests=disabled >"$T/log" 2>&1 || { cat "$T/log"; exit 1; }
ninja -C "$build" >"$T/log" 2>&1 || { cat "$T/log"; exit 1; }

# recompile MACRO[=VALUE] | recompile --whole: the objects whose sources or headers know the macro, with it or without
recompile() {
	local name=${1%%=*}
	python3 - "$build" "$top" "$name" "$1" "${2:-}" <<'END'
import json, os, shlex, subprocess, sys
build, top, name, define, whole = sys.argv[1:]
bad = 0
deps = subprocess.run(["ninja", "-C", build, "-t", "deps"], stdout=subprocess.PIPE, text=True).stdout
headers, current = {}, None
for line in deps.splitlines():
    if line and not line[0].isspace():
        current = line.split(":")[0]
    elif line.strip() and current:
        headers.setdefault(current, []).append(line.strip())
knows = {}
def mentions(path):
    path = os.path.normpath(os.path.join(build, path))
    if path not in knows:
        knows[path] = False
        if path.startswith(top + "/src/"):
            with open(path, errors="replace") as f:
                knows[path] = name in f.read()
    return knows[path]
found = 0
for e in json.load(open(build + "/compile_commands.json")):
    if not any(mentions(p) for p in headers.get(e["output"], []) + [e["file"]]):
        continue
    found += 1
    cmd = shlex.split(e["command"])
    if not whole:
        cmd += ["-D" + define, "-Wno-unused", "-Wno-error"]
    # ninja must not see that the object is another: only that what links it is gone
    path = os.path.join(build, e["output"])
    stat = os.stat(path)
    bad |= subprocess.run(cmd, cwd=build).returncode
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    for linked in (e["output"].split(".p/")[0], "cs-enter", "cs-guard", "claude-sandbox"):
        if os.path.exists(os.path.join(build, linked)):
            os.unlink(os.path.join(build, linked))
if not found:
    print("no source knows " + name)
    bad = 1
sys.exit(bad)
END
}

# What the probe may find on a host: made here, in this network namespace, by this user.
cat >"$T/oracle" <<'END'
#!/bin/bash
# oracle BUILD PROJECT KIND WHAT...
set -u
cs=$1/claude-sandbox probe=$1/cs-probe project=$2 kind=$3
shift 3
cd "$project" || exit 2
cp "$probe" .cs-probe
rm -f .host
case $kind in
sh*)
	timeout 60 "$cs" run -T -- sh -c "${kind#sh }" </dev/null
	echo "host's git: $(git config --file .git/config --list | tr '\n' ' ')"
	git config --file .git/config --unset core.fsmonitor
	exit 0
	;;
esac
python3 -c '
import ctypes, os, signal, socket
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGALRM])
signal.alarm(300)
t = socket.create_server(("127.0.0.1", 0))
a = socket.socket(socket.AF_UNIX); a.bind("\0cs-mutation"); a.listen()
libc = ctypes.CDLL(None)
shm = libc.shmget(0x6d757461, 4096, 0o1666)
print(t.getsockname()[1], os.getpid(), flush=True)
signal.sigwait([signal.SIGTERM, signal.SIGALRM])
libc.shmctl(shm, 0, None)
' > .host </dev/null &
host=$!
trap 'kill $host' EXIT
for i in $(seq 100); do [ -s .host ] && break; sleep 0.05; done
read -r tcp pid < .host
for name; do
	timeout 60 "$cs" run -T ${kind#probe} -- ./.cs-probe --only "$name" project="$project" tcp="$tcp" pid="$pid" \
		abstract=cs-mutation shmkey=$((0x6d757461)) </dev/null
done
END
chmod +x "$T/oracle"

oracle() { # KIND WHAT...
	local run=(timeout -k 5 120 env HOST_CANARY=1 HOME="$T/home" XDG_RUNTIME_DIR="$T/run" TMPDIR="$T/tmp" "$T/oracle" "$build" "$P" "$@")
	if [ "$(id -u)" = 0 ]; then
		unshare --net --uts sh -c 'ip link set lo up; hostname mutation-host; exec "$@"' sh \
			setpriv --reuid="$uid" --regid="$uid" --clear-groups "${run[@]}"
	else
		unshare --user --map-root-user --net --uts sh -c 'ip link set lo up; hostname mutation-host; exec "$@"' sh \
			unshare --user --map-user="$uid" "${run[@]}"
	fi 2>&1
}

P=$T/home/project
mkdir -p "$P/.vscode" "$T/tmp"
echo '{}' >"$P/.vscode/settings.json"
echo 'export X=1' >"$P/.envrc"
mkdir -m 700 "$T/run"
printf '[user]\n\tname = Test\n\temail = test@example.org\n' >"$T/home/.gitconfig"
HOME=$T/home git -C "$P" init -q
HOME=$T/home git -C "$P" commit -q --allow-empty -m first
[ "$(id -u)" != 0 ] || chown -R "$uid:$uid" "$T"

# judge KIND WHAT OUTPUT: true where the oracle found all that it was to find
judge() {
	local name
	case $1 in
	sh*) grep -qE -- "$2" <<<"$3" ;;
	*)
		for name in $2; do
			grep -qE "^[^	]*	$name	ESCAPED" <<<"$3" || return 1
		done
		;;
	esac
}

bad=0
declare -A whole
while IFS='|' read -r macro kind what; do
	[ $# = 0 ] || case " $* " in *" ${macro%%=*} "*) ;; *) continue ;; esac
	macro=${macro//@P/$P}
	read -ra names <<<"$what"
	if [ -z "${whole[$kind$what]:-}" ]; then
		out=$(oracle "$kind" "${names[@]}")
		whole[$kind$what]=1
		if judge "$kind" "$what" "$out" || grep -q '^claude-sandbox: cannot' <<<"$out" || ! { [[ $kind == sh* ]] || grep -q contained <<<"$out"; }; then
			echo "# ${out//$'\n'/$'\n'# }"
			echo "not ok $macro: with everything in place '$what' is not contained"
			bad=1
			continue
		fi
	fi
	if ! { recompile "$macro" && ninja -C "$build"; } >"$T/log" 2>&1; then
		sed 's/^/# /' "$T/log"
		echo "not ok $macro: does not build"
		bad=1
	else
		out=$(oracle "$kind" "${names[@]}")
		if judge "$kind" "$what" "$out"; then
			echo "ok $macro: $what"
		else
			echo "# ${out//$'\n'/$'\n'# }"
			echo "not ok $macro: no test noticed ($what)"
			bad=1
		fi
	fi
	{ recompile "$macro" --whole && ninja -C "$build"; } >"$T/log" 2>&1 || {
		cat "$T/log"
		exit 1
	}
done < <(table)
exit $bad
