#!/usr/bin/env bash
# run.sh [FILE.bats...]: every test there is, and the sum as the last line: "N passed, N failed, N skipped".
#
#   unit      meson's tests in $BUILD, and again in build-san under ASan and UBSan (fuzz corpora among them)
#   bats      tests/*/*.bats, each file in a process of its own under tests/lib/reap; as root each file runs twice,
#             once as root and once as an ordinary user
#   mutation  variants with one protection taken out each must fail a named test (tests/mutation.sh)
#   lint      tools/lint.sh
#
# With file names only those run. A file that says `# serial` in its first lines runs with nothing beside it; `# root only`
# and `# user only` leave out the other turn. CS_TEST_PHASES="unit san bats mutation lint" picks phases.
set -u
cd "$(dirname "$0")/.." || exit 1
top=$PWD
build=$top/${BUILD:-build}
phases=${CS_TEST_PHASES:-unit san bats mutation lint}
export CS_TEST_UID=${CS_TEST_UID:-21007}
jobs=$(nproc)
[ "$jobs" -le 4 ] || jobs=4

work=$(mktemp -d /var/tmp/cs-tests.XXXXXX)
chmod 755 "$work"
cleanup() {
	local p
	for p in $(jobs -p); do kill "$p" 2>/dev/null; done
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
mkdir "$work/results"

# result NAME PASSED FAILED SKIPPED: counted at the end; files, because jobs run beside each other
result() { echo "$2 $3 $4" >"$work/results/${1//[\/ ]/_}"; }
say() { printf '%s\n' "$*"; }
has_phase() { case " $phases " in *" $1 "*) return 0 ;; esac; return 1; }

# --- meson's tests ---

meson_tests() { # LABEL BUILD
	local log=$2/meson-logs/testlog.json
	rm -f "$log"
	meson test -C "$2" --no-rebuild --print-errorlogs --num-processes "$jobs" >"$work/$1.out" 2>&1
	[ -s "$log" ] || {
		# meson writes no log where it has no tests
		grep -q 'No tests defined' "$work/$1.out" && { result "$1" 0 0 0; say "ok $1: no tests"; return; }
		sed 's/^/# /' "$work/$1.out"
		say "not ok $1: meson test did not run"
		result "$1" 0 1 0
		return
	}
	local sum
	sum=$(python3 -c '
import json, sys
n = {"ok": 0, "bad": 0, "skip": 0}
bad = []
for line in open(sys.argv[1]):
    t = json.loads(line)
    if t["result"] in ("OK", "EXPECTEDFAIL"): n["ok"] += 1
    elif t["result"] == "SKIP": n["skip"] += 1
    else:
        n["bad"] += 1
        bad.append(t)
for t in bad:
    print("not ok", t["name"], "(" + t["result"] + ")", file=sys.stderr)
    for s in ("stdout", "stderr"):
        for l in t.get(s, "").splitlines()[-40:]: print("#  ", l, file=sys.stderr)
print(n["ok"], n["bad"], n["skip"])' "$log" 2>"$work/$1.bad")
	cat "$work/$1.bad"
	# shellcheck disable=SC2086 # three numbers
	result "$1" $sum
	say "$1: $sum (passed, failed, skipped)"
}

# The same programs once more as the ordinary user; meson itself would want to write its log into the build.
meson_tests_as_user() { # BUILD
	local sum
	meson introspect --tests "$1" >"$work/tests.json"
	sum=$(user_run python3 -c '
import json, os, subprocess, sys
n = {"ok": 0, "bad": 0, "skip": 0}
for t in json.load(open(sys.argv[1])):
    try:
        r = subprocess.run(t["cmd"], env={**os.environ, **t["env"]}, cwd=t["workdir"] or "/", timeout=t["timeout"] or 30,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        status, out = r.returncode, r.stdout
    except (OSError, subprocess.TimeoutExpired) as e:
        status, out = 1, str(e).encode()
    n["ok" if status == 0 else "skip" if status == 77 else "bad"] += 1
    if status not in (0, 77):
        print("not ok", t["name"], "(user) status", status, file=sys.stderr)
        for l in out.decode(errors="replace").splitlines()[-40:]: print("#  ", l, file=sys.stderr)
print(n["ok"], n["bad"], n["skip"])' "$work/tests.json" 2>"$work/unit-user.bad") || sum='0 1 0'
	cat "$work/unit-user.bad"
	# shellcheck disable=SC2086 # three numbers
	result "unit user" $sum
	say "unit (user): $sum (passed, failed, skipped)"
}

sanitizer_build() {
	[ -e build-san/build.ninja ] || meson setup build-san -Dtests=enabled -Db_sanitize=address,undefined -Db_lundef=false >"$work/san.out" 2>&1 || {
		sed 's/^/# /' "$work/san.out"
		return 1
	}
	ninja -C build-san >"$work/san.out" 2>&1 || {
		grep -v '^\[' "$work/san.out" | sed 's/^/# /'
		return 1
	}
}

# --- bats ---

# The ordinary user: known by name in this run's own view of /etc/passwd, nowhere else.
user_run() { # CMD...
	local home=$work/user d path=
	while IFS= read -r -d : d; do
		case $d in "$HOME"/* | '') ;; *) path=$path:$d ;; esac
	done <<<"$PATH:"
	if [ ! -d "$home" ]; then
		mkdir "$home" "$home/tmp"
		mkdir -m 700 "$home/run"
		chown -R "$CS_TEST_UID:$CS_TEST_UID" "$home"
		{ cat /etc/passwd; echo "tester:x:$CS_TEST_UID:$CS_TEST_UID:Test User:$home:/bin/bash"; } >"$work/passwd"
		{ cat /etc/group; echo "tester:x:$CS_TEST_UID:"; } >"$work/group"
	fi
	local env=(env PATH="${path#:}" HOME="$home" XDG_RUNTIME_DIR="$home/run" TMPDIR="$home/tmp" USER=tester LOGNAME=tester
		CS_REAL_HOME="$home" setpriv --reuid="$CS_TEST_UID" --regid="$CS_TEST_UID" --clear-groups)
	if unshare -m true 2>/dev/null; then
		# shellcheck disable=SC2016 # for the inner shell
		unshare -m sh -c 'mount --bind "$1/passwd" /etc/passwd && mount --bind "$1/group" /etc/group && shift && exec "$@"' \
			sh "$work" "${env[@]}" "$@"
	else
		"${env[@]}" "$@"
	fi
}

bats_file() { # FILE root|user SOURCE-TREE
	local rel=${1#"$top"/tests/} label out start ok bad skip plan status
	label="${rel%.bats} ($2)"
	out=$work/$(printf %s "$label" | tr '/ ()' '____').tap
	start=$SECONDS
	local cmd=("$3/${BUILD:-build}/tests/test-reap" timeout -k 10 "${CS_TEST_FILE_TIMEOUT:-600}" bats --tap "$3/tests/$rel")
	export CS_BUILD=$3/${BUILD:-build} CS=$3/${BUILD:-build}/claude-sandbox
	if [ "$2" = user ] && [ "$(id -u)" = 0 ]; then
		(cd / && user_run "${cmd[@]}") >"$out" 2>&1 </dev/null
	else
		"${cmd[@]}" >"$out" 2>&1 </dev/null
	fi
	status=$?
	plan=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$out" | head -n 1)
	skip=$(grep -cE '^ok .*# skip' "$out")
	ok=$(($(grep -c '^ok ' "$out") - skip))
	bad=$(grep -c '^not ok ' "$out")
	# what never ran has failed; so has a file whose tests passed but which left something running
	[ $((ok + bad + skip)) -ge "${plan:-1}" ] || bad=$((bad + ${plan:-1} - ok - bad - skip))
	[ "$status" = 0 ] || [ "$bad" -gt 0 ] || bad=1
	result "bats $label" "$ok" "$bad" "$skip"
	if [ "$bad" -gt 0 ]; then
		grep -vE '^(ok |1\.\.)' "$out" | head -n 300
		say "not ok $label: $ok passed, $bad failed, $skip skipped, status $status, $((SECONDS - start)) s"
	else
		grep -E '^ok .*# skip' "$out"
		say "ok $label: $ok passed, $skip skipped, $((SECONDS - start)) s"
	fi
}

# A tree that the ordinary user can read, built: this one where that is so, else a copy.
user_tree() {
	if [ -d "$work/tree/tests" ]; then
		echo "$work/tree"
		return
	fi
	if [ "$(id -u)" != 0 ] || user_run test -r "$build/build.ninja" -a -r "$top/tests/run.sh"; then
		echo "$top"
		return
	fi
	mkdir "$work/tree"
	git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -at "$work/tree" || return
	(cd "$work/tree" && meson setup "${BUILD:-build}" -Dtests=enabled && ninja -C "${BUILD:-build}") >"$work/tree.out" 2>&1 || {
		cat "$work/tree.out" >&2
		return 1
	}
	echo "$work/tree"
}

bats_all() { # FILE...
	local f who tree both turn head queue=() serial=()
	case " $* " in
	*/agents/*)
		CS_AGENT_DIR=$(tests/agents/install.sh) || say "no agent could be fetched"
		export CS_AGENT_DIR
		;;
	esac
	case " $* " in
	*/guard/*) tests/guard/packages.sh >/dev/null || say "no packages could be fetched" ;;
	esac
	tree=$(user_tree) || {
		say "not ok the tree could not be built for the ordinary user"
		result "bats tree" 0 1 0
		tree=
	}
	# root's turn in the same one: its tests, too, do things as the ordinary user
	both=${tree:-$top}
	for f; do
		head=$(head -n 5 "$f")
		for who in root user; do
			[ "$who" = user ] || [ "$(id -u)" = 0 ] || continue
			case $head in *"# root only"*) [ "$who" = root ] || continue ;; esac
			case $head in *"# user only"*) [ "$who" = user ] || continue ;; esac
			[ "$who" = root ] || [ -n "$tree" ] || continue
			case $head in *"# serial"*) serial+=("$who $f") ;; *) queue+=("$who $f") ;; esac
		done
	done
	user_run true 2>/dev/null # its files, before any job needs them
	for turn in "${queue[@]}"; do
		while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done
		who=${turn%% *}
		if [ "$who" = root ]; then bats_file "${turn#* }" root "$both" & else bats_file "${turn#* }" user "$tree" & fi
	done
	wait
	for turn in "${serial[@]}"; do
		who=${turn%% *}
		if [ "$who" = root ]; then bats_file "${turn#* }" root "$both"; else bats_file "${turn#* }" user "$tree"; fi
	done
}

# --- phases ---

# lines_of NAME CMD...: a program that prints "ok NAME", "not ok NAME" and "skip NAME" lines
lines_of() {
	local name=$1 ok bad skip status
	shift
	"$@" 2>&1 </dev/null | tee "$work/$name.out"
	status=${PIPESTATUS[0]}
	ok=$(grep -c '^ok ' "$work/$name.out")
	bad=$(grep -c '^not ok ' "$work/$name.out")
	skip=$(grep -c '^skip ' "$work/$name.out")
	[ "$status" = 0 ] || [ "$bad" -gt 0 ] || bad=1
	result "$name" "$ok" "$bad" "$skip"
	say "$name: $ok $bad $skip (passed, failed, skipped)"
}

if [ $# -gt 0 ]; then
	files=()
	for f; do files+=("$(realpath "$f")"); done
	bats_all "${files[@]}"
else
	if has_phase unit; then
		meson_tests unit "$build"
		[ "$(id -u)" != 0 ] || meson_tests_as_user "$(user_tree)/${BUILD:-build}"
	fi
	if has_phase san; then
		if sanitizer_build; then meson_tests sanitizers "$top/build-san"; else
			say "not ok the sanitizer build failed"
			result sanitizers 0 1 0
		fi
	fi
	if has_phase bats; then
		bats_all "$top"/tests/*/*.bats
	fi
	if has_phase mutation; then lines_of mutation "$(user_tree)/tests/mutation.sh"; fi
	if has_phase lint; then lines_of lint tools/lint.sh; fi
fi

passed=0 failed=0 skipped=0
while read -r p f s; do
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done < <(cat "$work"/results/*)
say "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
