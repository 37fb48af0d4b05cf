# The front: make's targets, what they install and take away again.
load ../lib/common

@test "make help names every target" {
	run make -s -C "$CS_TOP" help
	assert_status 0
	for t in build run test bench lint fuzz install uninstall clean; do assert_has "$output" "make $t"; done
}

@test "deps: nothing missing, nothing said" {
	run "$CS_TOP/tools/deps.sh" --list build
	assert_status 0
	assert_eq "$output" ''
	run "$CS_TOP/tools/deps.sh" build
	assert_status 0
	assert_eq "$output" ''
}

@test "deps: an unknown group is an error" {
	run "$CS_TOP/tools/deps.sh" nonsense
	assert_status 1
	assert_has "$output" "unknown group 'nonsense'"
}

@test "make install: the installed program works; make uninstall leaves nothing" {
	export BUILD=$T/build
	make -s -C "$CS_TOP" install PREFIX="$T/prefix"
	[ -x "$T/prefix/bin/claude-sandbox" ]
	mv "$T/build" "$T/away" # it must not need the build
	CS=$T/prefix/bin/claude-sandbox run cs run -T -- echo installed
	mv "$T/away" "$T/build"
	assert_status 0
	assert_eq "$output" installed

	make -s -C "$CS_TOP" install PREFIX="$T/prefix" DESTDIR="$T/dest"
	[ -x "$T/dest$T/prefix/bin/claude-sandbox" ]
	make -s -C "$CS_TOP" uninstall PREFIX="$T/prefix" DESTDIR="$T/dest"
	assert_eq "$(find "$T/dest" -type f -o -type l)" ''
	[ -x "$T/prefix/bin/claude-sandbox" ]

	make -s -C "$CS_TOP" uninstall PREFIX="$T/prefix"
	assert_eq "$(find "$T/prefix" -type f -o -type l -o -name 'claude-sandbox*')" ''
}

@test "the demonstration: everything as promised, and nothing left behind" {
	run "$CS_TOP/tools/demo.sh" "$CS"
	echo "$output"
	assert_status 0
	assert_has "$output" 'What is not:'
	assert_lacks "$output" BROKEN
	assert_lacks "$output" LEAKED
	assert_eq "$(find "$TMPDIR" -mindepth 1)" ''
	[ ! -e "$HOME/.local/share/claude-sandbox" ]
}

@test "the demonstration notices what is not as promised" {
	printf '#!/bin/sh\nwhile [ "$1" != -- ]; do case $1 in -e) export "$2"; shift;; esac; shift; done; shift; exec "$@"\n' >"$T/no-sandbox"
	chmod +x "$T/no-sandbox"
	run "$CS_TOP/tools/demo.sh" "$T/no-sandbox"
	assert_status 1
	assert_has "$output" LEAKED
}

@test "make run on a terminal: a shell in a sandbox of the directory" {
	BUILD=$CS_BUILD tmux_start "$CS_TOP/tools/run.sh"
	tmux_wait 20 'detach:'
	tmux_type 'echo "here: $(pwd) $CLAUDE_SANDBOX uid $(id -u)"'
	tmux_keys Enter
	tmux_wait 20 "^here: $CS_TOP .* uid [1-9]"
	tmux_type exit
	tmux_keys Enter
	over() { ! tmux_ has-session -t t 2>/dev/null; }
	wait_for 15 over
}
