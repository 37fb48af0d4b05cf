#!/usr/bin/env bash
# fresh.sh COMMAND...: runs a command in a clone of this repository's HEAD on a machine that has nothing but a minimal Debian
# with git, make and gcc: a root file system of its own (mmdebstrap, kept as a tar in the cache), its own mount, pid, ipc and
# uts namespaces, this machine's kernel, network and apt sources. `fresh.sh make run` is the README's first command.
# Needs root and mmdebstrap. CS_FRESH_SUITE picks another suite.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
suite=${CS_FRESH_SUITE:-bookworm}
cache=/var/cache/claude-sandbox-tests
mkdir -p "$cache"
tar=$cache/fresh-$suite.tar
[ -e "$tar" ] || {
	mmdebstrap --quiet --variant=minbase --include=git,make,gcc,ca-certificates "$suite" "$tar.new" \
		/etc/apt/sources.list.d/*.sources >&2
	mv "$tar.new" "$tar"
}
root=$(mktemp -d /var/tmp/cs-fresh.XXXXXX)
# shellcheck disable=SC2329 # called by the trap
cleanup() { [ -n "${CS_FRESH_KEEP:-}" ] || rm -rf "$root"; }
trap cleanup EXIT
chmod 755 "$root"
tar -xf "$tar" -C "$root"
for f in /etc/resolv.conf /etc/hosts /etc/npmrc /etc/ssl/certs/ca-certificates.crt /etc/apt/apt.conf.d/* "$HOME/.npmrc"; do
	[ ! -f "$f" ] || { mkdir -p "$root$(dirname "$f")" && cp -L "$f" "$root$f"; }
done
git clone -q "$top" "$root/root/claude-sandbox"
pass=()
while IFS= read -r -d '' v; do
	case $v in
	npm_config_* | NPM_CONFIG_* | NODE_EXTRA_CA_CERTS=* | SSL_CERT_* | *_proxy=* | *_PROXY=* | CI=* | CS_TEST_*) pass+=("$v") ;;
	esac
done < <(env -0)
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --ipc --uts --fork --kill-child sh -euc '
	root=$1
	shift
	mount --make-rprivate /
	mount --bind "$root" "$root"
	cd "$root"
	mount -t proc proc proc
	mount -t sysfs -o ro sysfs sys
	mount -t tmpfs -o mode=755 tmpfs dev
	for n in null zero full random urandom tty; do touch dev/$n; mount --bind /dev/$n dev/$n; done
	mkdir dev/pts dev/shm
	mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts dev/pts
	mount -t tmpfs -o mode=1777 tmpfs dev/shm
	ln -s pts/ptmx dev/ptmx
	ln -s /proc/self/fd dev/fd
	ln -s fd/0 dev/stdin
	ln -s fd/1 dev/stdout
	ln -s fd/2 dev/stderr
	hostname fresh
	# pivot, not chroot: the kernel refuses user namespaces to a process in a chroot
	pivot_root . .
	umount -l .
	cd /root/claude-sandbox
	exec env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM=xterm USER=root "$@"
' sh "$root" "${pass[@]}" "$@" </dev/null
