#!/usr/bin/env bats
# Projects and mounts: where they may be, under which names, and which are refused.
load ../lib/common

refused() { # DIR TEXT
	run -125 cs run -T --project "$1" -- true
	assert_has "$output" "$2"
	assert_has "$output" "hint:"
}

@test "odd names: blanks, line ends, UTF-8, quotes, a leading dash" {
	local d
	for d in 'with space' $'two\nlines' 'größe-日本' "a'b\"c\$d" '-dash' $'tab\there'; do
		make_project "$HOME/$d"
		cd "$HOME/$d"
		run -0 inside 'pwd; echo new >made; git status --porcelain'
		assert_has "$output" "$d"
		[ "$(cat "$HOME/$d/made")" = new ]
	done
}

@test "through a symbolic link it is the real place" {
	ln -s "$P" "$HOME/link"
	run -0 cs run -T --project "$HOME/link" -- pwd
	assert_eq "$output" "$P"
	cd "$HOME/link"
	run -0 cs run -T -- pwd
	assert_eq "$output" "$P"
}

@test "outside the home, and on another file system" {
	mkdir -p "$T/elsewhere"
	run -0 cs run -T --project "$T/elsewhere" -- sh -c 'pwd; echo y >y'
	assert_eq "$output" "$T/elsewhere"
	[ -f "$T/elsewhere/y" ]
	[ -w /dev/shm ] || skip "no other file system here"
	d=$(mktemp -d /dev/shm/cst.XXXXXX)
	run cs run -T --project "$d" -- true
	rm -rf "$d"
	assert_has "$output" "/dev"
}

@test "missing, a file, removed, unreadable" {
	refused "$HOME/nowhere" "No such file"
	: >"$HOME/file"
	refused "$HOME/file" "Not a directory"
	mkdir "$HOME/gone"
	cd "$HOME/gone"
	rmdir "$HOME/gone"
	run -125 cs run -T -- true
	assert_has "$output" "hint:"
	cd "$P"
	mkdir "$U/locked" 2>/dev/null || mkdir -p "$U/locked"
	chmod 0 "$U/locked"
	run -125 as_user "$CS" run -T --project "$U/locked" -- true
	[[ $output == *"Permission denied"* ]] || fail "$output"
}

@test "the home, /, parents of the home: always" {
	local d
	for d in "$HOME" / "$T"; do
		refused "$d" refused
		run -125 cs run -T --i-know --project "$d" -- true
		assert_has "$output" refused
	done
	ln -s "$HOME" "$T/alias"
	refused "$T/alias" "your home directory"
}

@test "sensitive directories, and what holds them: unless --i-know" {
	local d
	for d in .ssh .gnupg .aws .azure .config/gcloud .kube .docker .password-store .local/share/keyrings .mozilla/firefox/x \
		.config/google-chrome/Default .claude; do
		mkdir -p "$HOME/$d"
		refused "$HOME/$d" refused
	done
	refused "$HOME/.config" gcloud
	mkdir -p "$HOME/.ssh/deep/er"
	refused "$HOME/.ssh/deep/er" .ssh
	ln -s .ssh "$HOME/harmless"
	refused "$HOME/harmless" .ssh
	for d in /etc /usr /usr/share /proc /sys /dev /boot /run /var /tmp; do
		[ ! -d $d ] || refused $d refused
	done
	run -0 cs run -T --i-know --project "$HOME/.kube" -- pwd
	run -125 cs run -T --i-know --project /proc -- true
}

@test "mounts: keys, sockets of daemons, the home are refused" {
	mkdir -p "$HOME/.ssh" "$HOME/docs"
	echo doc >"$HOME/docs/a"
	ln -s ../.ssh "$HOME/docs/keys"
	for opt in --ro --rw; do
		for d in "$HOME/.ssh" "$HOME/docs/keys" "$HOME" / /proc; do
			run -125 cs run -T $opt "$d" -- true
			assert_has "$output" refused
		done
	done
	run -0 cs run -T --ro "$HOME/docs" -- sh -c 'cat ~/docs/a; (: >~/docs/b) 2>/dev/null && echo wrote; true'
	assert_eq "$output" doc
	run -0 cs run -T --rw "$HOME/docs" -- sh -c 'echo b >~/docs/b'
	[ -f "$HOME/docs/b" ]
	need python3
	for s in docker.sock podman.sock S.gpg-agent bus other.sock; do
		python3 -c 'import socket,sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$T/run/$s"
		run -125 cs run -T --ro "$T/run/$s" -- true
		assert_has "$output" refused
		run -125 cs run -T --device "$T/run/$s" -- true
		rm "$T/run/$s"
	done
	run -125 cs run -T --device "$HOME/docs/a" -- true
	assert_has "$output" "not a device"
}

@test "a read-only file system: an error that names the option, which works" {
	[ "$CS_AS" = root ] || skip "mounting needs root"
	run -0 unshare -m sh -c 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && cd "$1" && shift && "$@"; echo "status $?"' sh "$P" \
		timeout 30 "$CS" run -T -- true
	assert_has "$output" "Read-only file system"
	assert_has "$output" "--project-mode ro"
	run -0 unshare -m sh -c 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && cd "$1" && shift && "$@"' sh "$P" \
		timeout 30 "$CS" run -T --project-mode ro -- cat README
	assert_eq "$output" hello
}

@test "project-mode ro" {
	run -0 cs run -T --project-mode ro -- sh -c 'cat README; (: >x) 2>/dev/null && echo wrote; git log --oneline | wc -l'
	assert_eq "${lines[*]}" "hello 1"
	[ ! -e "$P/x" ]
}

@test "a home that is reached through a link" {
	mv "$HOME" "$T/real"
	ln -s "$T/real" "$HOME"
	cd "$HOME/project"
	run -0 cs run -T -- sh -c 'pwd; cd ~ && pwd -P; git config user.name; ls /run/claude-sandbox/path'
	assert_eq "${lines[0]}" "$T/real/project"
	assert_eq "${lines[1]}" "$T/real"
	assert_eq "${lines[2]}" Test
}

@test "a source that is swapped for a link between survey and mount is not followed" {
	need gcc
	mkdir -p "$HOME/.ssh" "$HOME/w/team/api"
	word=$(plant_secret .ssh/id)
	# swaps one directory for a link and back, as fast as it can: what another sandbox could do to its own project
	cat >"$T/swap.c" <<'C'
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
int main(int c, char **v) { (void)c; symlink(v[2], v[3]); for (;;) { renameat2(AT_FDCWD, v[1], AT_FDCWD, v[3], RENAME_EXCHANGE); usleep(150); } }
C
	gcc -o "$T/swap" "$T/swap.c"
	local i link
	# the last component, and one before it
	mkdir -p "$HOME/evil"
	ln -s "$HOME/.ssh" "$HOME/evil/api"
	for link in "$HOME/w/team/api=$HOME/.ssh" "$HOME/w/team=$HOME/evil"; do
		"$T/swap" "${link%=*}" "${link#*=}" "$HOME/w/other" &
		BG_ALL="${BG_ALL:-} $!"
		for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
			run cs run -T --project "$HOME/w/team/api" -- sh -c 'cat ./id; ls -A'
			assert_lacks "$output" "$word"
		done
		bg_kill
		rm -rf "$HOME/w"
		mkdir -p "$HOME/w/team/api"
	done
}
