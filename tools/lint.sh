#!/bin/sh
# lint.sh: prints one line per linter, `ok NAME` or `not ok NAME` after what it found; status 1 where any found anything.
set -u
cd "$(dirname "$0")/.." || exit 1
build=${BUILD:-build}
bad=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT

verdict() { # NAME STATUS
	if [ "$2" = 0 ]; then
		echo "ok $1"
	else
		sed 's/^/# /' "$out" | head -n 200
		echo "not ok $1"
		bad=1
	fi
}

tools/rooms.sh >"$out" 2>&1
verdict rooms $?

git ls-files '*.sh' '.ci/run' 'bench/*' 'tests/agents/*' | while read -r f; do
	head -n 1 "$f" 2>/dev/null | grep -qE '^#!.*\b(sh|bash)$' && echo "$f"
done | sort -u | xargs shellcheck -x >"$out" 2>&1
verdict shellcheck $?

git ls-files '*.bats' '*.bash' | xargs shellcheck -x -S warning -e SC1010,SC1091,SC2002,SC2012,SC2013,SC2030,SC2031,SC2034,SC2016,SC2154,SC2174,SC2119,SC2120,SC2317 >"$out" 2>&1
verdict shellcheck-bats $?

# it does not know the cleanup attribute: leaks are the sanitizers' to find
cppcheck --quiet --std=c11 --enable=warning,portability --inline-suppr --error-exitcode=1 -j 2 -I src -D_GNU_SOURCE \
	--suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches --suppress=unknownMacro --suppress=uninitvar \
	--suppress=memleak src >"$out" 2>&1
verdict cppcheck $?

# C sources of the program that were compiled here; tests and generated files are the compiler's business
python3 - "$build/compile_commands.json" <<'END' | xargs -P 2 -n 4 clang-tidy -p "$build" --quiet >"$out" 2>&1
import json, os, sys
seen = set()
for entry in json.load(open(sys.argv[1])):
    path = os.path.realpath(os.path.join(entry["directory"], entry["file"]))
    name = os.path.basename(path)
    rel = os.path.relpath(path)
    if rel.startswith("src/") and not name.startswith(("test-", "fuzz-")) and rel not in seen:
        seen.add(rel)
        print(rel)
END
verdict clang-tidy $?
exit $bad
