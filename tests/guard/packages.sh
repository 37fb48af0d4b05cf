#!/usr/bin/env bash
# packages.sh: husky and lefthook at the versions and with the hashes of packages.lock, as tarballs, fetched once by the npm
# client into a cache outside the repository. Prints the directory.
set -eu
lock=$(realpath "$(dirname "$0")/packages.lock")
if [ -n "${CS_PACKAGES_CACHE:-}" ]; then
	cache=$CS_PACKAGES_CACHE
elif [ "$(id -u)" = 0 ]; then
	cache=/var/cache/claude-sandbox-tests # the ordinary user's tests read it too
elif [ -r /var/cache/claude-sandbox-tests/packages ]; then
	cache=/var/cache/claude-sandbox-tests
else
	cache=${XDG_CACHE_HOME:-$HOME/.cache}/claude-sandbox-tests
fi
dir=$cache/packages
mkdir -p "$dir"
grep -v '^#' "$lock" | while read -r package version hash; do
	file=$dir/$package-$version.tgz
	[ ! -f "$file" ] || continue
	work=$(mktemp -d "$dir/fetch.XXXXXX")
	(cd "$work" && npm pack --silent "$package@$version" >/dev/null 2>npm.log) || { cat "$work/npm.log" >&2; exit 1; }
	got=sha512-$(openssl dgst -sha512 -binary "$work"/*.tgz | base64 -w0)
	[ "$got" = "$hash" ] || { echo "packages: $package $version has the hash $got, packages.lock says $hash" >&2; exit 1; }
	chmod 644 "$work"/*.tgz
	mv "$work"/*.tgz "$file"
	rm -rf "$work"
done
echo "$dir"
