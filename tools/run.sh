#!/bin/sh
# run.sh: what `make run` does once everything is built: on a terminal a sandbox shell here, else the demonstration.
set -eu
cd "$(dirname "$0")/.."
if [ -t 0 ] && [ -t 1 ]; then
	exec "${BUILD:-build}/claude-sandbox"
fi
exec tools/demo.sh "$PWD/${BUILD:-build}/claude-sandbox"
