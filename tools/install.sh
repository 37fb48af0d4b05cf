#!/bin/sh
# install.sh install|uninstall: what meson lists as installed, under PREFIX (as configured) and DESTDIR. The AppArmor
# profile is loaded and unloaded too, where that can be done: without DESTDIR, as root, on a machine that has AppArmor.
set -eu
cd "$(dirname "$0")/.."
build=${BUILD:-build}

apparmor() { # -r|-R
	[ -z "${DESTDIR:-}" ] && [ "$(id -u)" = 0 ] && [ -d /sys/kernel/security/apparmor ] || return 0
	command -v apparmor_parser >/dev/null && [ -e /etc/apparmor.d/claude-sandbox ] || return 0
	apparmor_parser "$1" /etc/apparmor.d/claude-sandbox || true
}

case $1 in
install)
	DESTDIR=${DESTDIR:-} meson install -C "$build" --no-rebuild --quiet
	apparmor -r
	;;
uninstall)
	[ -e "$build/build.ninja" ] || {
		echo "uninstall: no '$build' here: the list of what was installed is the build's" >&2
		echo "  hint: make build PREFIX=... first, then make uninstall" >&2
		exit 1
	}
	apparmor -R
	meson introspect --installed "$build" | python3 -c '
import json, os, shutil, sys
destdir = sys.argv[1]
parents = set()
for path in json.load(sys.stdin).values():
    path = destdir + path if destdir else path
    if os.path.isdir(path) and not os.path.islink(path):
        if "claude-sandbox" in path.split("/"):
            shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)
    parents.add(os.path.dirname(path))
for path in sorted(parents, key=len, reverse=True):
    while "claude-sandbox" in path:
        try:
            os.rmdir(path)
        except OSError:
            break
        path = os.path.dirname(path)
' "${DESTDIR:-}"
	;;
*) exit 2 ;;
esac
