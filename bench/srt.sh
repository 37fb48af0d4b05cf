#!/usr/bin/env bash
# srt.sh: sandbox-runtime at the version of this file, by the npm client, into a cache; prints its program. It wants
# bubblewrap, socat and ripgrep; where one is missing it says so and prints nothing.
set -eu
version=0.0.83
if [ "$(id -u)" = 0 ]; then cache=/var/cache/claude-sandbox-tests; else cache=${XDG_CACHE_HOME:-$HOME/.cache}/claude-sandbox-tests; fi
for c in node npm bwrap socat rg; do
	command -v $c >/dev/null || {
		echo "sandbox-runtime: not measured: no $c" >&2
		exit 1
	}
done
dir=$cache/srt-$version
if [ ! -x "$dir/node_modules/.bin/srt" ]; then
	mkdir -p "$dir"
	(cd "$dir" && npm install --silent --no-save --ignore-scripts "@anthropic-ai/sandbox-runtime@$version" >npm.log 2>&1) || {
		cat "$dir/npm.log" >&2
		exit 1
	}
	chmod -R a+rX "$dir"
fi
echo "$dir/node_modules/.bin/srt"
