#!/bin/sh
# fuzz.sh: every fuzzer for $FUZZ_SECONDS under ASan and UBSan, from its committed corpus. What crashes one is left in
# build-fuzz/ and named; it belongs into tests/corpus/NAME/, where it runs as a test from then on.
set -eu
cd "$(dirname "$0")/.."
[ -e build-fuzz/build.ninja ] ||
	CC=clang meson setup build-fuzz -Dfuzzers=true -Db_sanitize=address,undefined -Db_lundef=false >/dev/null
ninja -C build-fuzz >build-fuzz/ninja.log 2>&1 || {
	cat build-fuzz/ninja.log >&2
	exit 1
}
found=0
bad=0
for f in $(find build-fuzz/src -type f -name 'fuzz-*' -perm -u+x | sort); do
	name=$(basename "$f")
	name=${name#fuzz-}
	found=1
	mkdir -p "build-fuzz/corpus/$name"
	seed=tests/corpus/$name
	[ -d "$seed" ] || seed=
	echo "fuzzing $name for ${FUZZ_SECONDS:-60} s"
	"$f" -max_total_time="${FUZZ_SECONDS:-60}" -artifact_prefix="build-fuzz/$name-" -print_final_stats=0 -verbosity=0 \
		"build-fuzz/corpus/$name" ${seed:+"$seed"} || bad=1
done
[ $found = 1 ] || {
	echo "fuzz: no fuzzers were built" >&2
	exit 1
}
exit $bad
