#!/usr/bin/env bash
# install.sh: the coding agent that the tests run, at the version and with the hash of agent.lock, fetched once by the npm
# client into a cache outside the repository. Prints the directory, which holds the program as `claude`.
set -eu
lock=$(dirname "$0")/agent.lock
if [ -n "${CS_AGENT_CACHE:-}" ]; then
	cache=$CS_AGENT_CACHE
elif [ "$(id -u)" = 0 ]; then
	cache=/var/cache/claude-sandbox-tests # the ordinary user's tests read it too
else
	cache=${XDG_CACHE_HOME:-$HOME/.cache}/claude-sandbox-tests
fi
read -r _ package version hash < <(grep "^$(uname -m) " "$lock") || {
	echo "agent: no package for $(uname -m) in agent.lock" >&2
	exit 1
}
dir=$cache/claude-$version
[ ! -x "$dir/claude" ] || {
	echo "$dir"
	exit 0
}
mkdir -p "$cache"
work=$(mktemp -d "$cache/fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
echo "agent: fetching $package $version (the tests run it)" >&2
(cd "$work" && npm pack --silent "$package@$version" >/dev/null 2>npm.log) || {
	cat "$work/npm.log" >&2
	exit 1
}
tar=$(echo "$work"/*.tgz)
got=sha512-$(python3 -c 'import base64, hashlib, sys; print(base64.b64encode(hashlib.sha512(open(sys.argv[1], "rb").read()).digest()).decode())' "$tar")
[ "$got" = "$hash" ] || {
	echo "agent: $package $version has the hash $got, agent.lock says $hash" >&2
	exit 1
}
tar -xzf "$tar" -C "$work"
chmod 755 "$work" "$work/package" "$work/package/claude"
rm "$tar"
mv -T "$work/package" "$dir" 2>/dev/null || [ -x "$dir/claude" ] # another run was first
echo "$dir"
