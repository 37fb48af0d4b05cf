#!/bin/sh
# build.sh [MESON-OPTION...]: configures $BUILD where it is not yet as asked, and builds it.
set -eu
cd "$(dirname "$0")/.."
build=${BUILD:-build}
if [ ! -e "$build/build.ninja" ]; then
	rm -rf "$build"
	meson setup "$build" "$@" >"$build.log" 2>&1 || {
		cat "$build.log" >&2
		exit 1
	}
	mv "$build.log" "$build/setup.log"
elif [ $# -gt 0 ] && [ "$(cat "$build/asked" 2>/dev/null)" != "$*" ]; then
	meson setup --reconfigure "$build" "$@" >"$build/setup.log" 2>&1 || {
		cat "$build/setup.log" >&2
		exit 1
	}
fi
[ $# = 0 ] || echo "$*" >"$build/asked"
ninja -C "$build" >"$build/ninja.log" 2>&1 || {
	grep -v '^\[' "$build/ninja.log" >&2 || cat "$build/ninja.log" >&2
	exit 1
}
echo "built: $build/claude-sandbox"
