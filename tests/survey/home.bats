#!/usr/bin/env bats
# The homes of sandboxes: seeds, sharing, export and import, removal; what a sandbox leaves there is never followed.
load ../lib/common

D() { echo "$HOME/.local/share/claude-sandbox/homes"; }

@test "seeded once; nothing of it is written again" {
	inside true
	[ -f "$(D)/project/.bashrc" ]
	[ -f "$(D)/project/.zshrc" ]
	[ "$(stat -c %a "$(D)/project")" = 700 ]
	inside 'rm ~/.zshrc; echo mine >~/.bashrc'
	inside true
	[ ! -e "$(D)/project/.zshrc" ]
	assert_eq "$(cat "$(D)/project/.bashrc")" mine
}

@test "links that a sandbox planted where the host or the next start would write are not followed" {
	echo safe >"$HOME/victim"
	mkdir "$HOME/victimdir"
	mkdir -p "$HOME/.config/nvim" && echo cfg >"$HOME/.config/nvim/init.lua"
	inside 'v='"$HOME"'; cd ~; rm -rf .config .bashrc .claude .claude.json .gitconfig .local .cache; for l in .bashrc .claude.json .gitconfig; do ln -s "$v/victim" $l; done
		for l in .config .claude .local .cache; do ln -s "$v/victimdir" $l; done; ls -la ~' >/dev/null || true
	run cs run -T -- sh -c 'cat ~/.config/nvim/init.lua; git config user.name'
	assert_has "$output" cfg
	assert_eq "$(cat "$HOME/victim")" safe
	assert_eq "$(ls -A "$HOME/victimdir")" ""
}

@test "first starts at once: one home, made whole" {
	local i
	for i in 1 2 3 4 5 6; do bg "$CS" run -T -- sh -c 'test -f ~/.bashrc && test -f ~/.claude.json && echo whole'; done
	for i in $BG_ALL; do wait "$i"; done
	[ "$(cat "$T"/bg.*.out | grep -c whole)" = 6 ]
	[ "$(ls "$(D)")" = "project
project.owner" ]
}

@test "home = NAME shares one between projects; without it each has its own" {
	make_project "$HOME/other"
	inside 'echo one >~/note'
	cd "$HOME/other"
	run -0 inside 'cat ~/note 2>/dev/null || echo none'
	assert_eq "$output" none
	cs run -T --home both -- sh -c 'echo shared >~/note'
	cd "$P"
	run -0 cs run -T --home both -- cat "$HOME/note"
	assert_eq "$output" shared
	run -125 cs run -T --home ../x -- true
}

@test "two projects of one name have two homes" {
	make_project "$HOME/a/api"
	make_project "$HOME/b/api"
	(cd "$HOME/a/api" && inside 'echo a >~/note')
	cd "$HOME/b/api"
	run -0 inside 'cat ~/note 2>/dev/null || echo none'
	assert_eq "$output" none
	run -0 cs home ls
	assert_has "$output" "$HOME/a/api"
	assert_has "$output" "$HOME/b/api"
}

@test "export and import, to a file and through pipes" {
	inside 'mkdir -p ~/d; echo kept >~/d/"odd name"; ln -s d/"odd name" ~/l; chmod 600 ~/d/"odd name"'
	run -0 cs home export project "$T/p.tar.gz"
	[ "$(stat -c %a "$T/p.tar.gz")" = 600 ]
	run -0 cs home import "$T/p.tar.gz" --name second
	run -0 cs run -T --home second -- sh -c 'cat ~/l; stat -c %a ~/d/*'
	assert_eq "${lines[*]}" "kept 600"
	cs home export project - | cs home import - --name third
	run -0 cs run -T --home third -- cat "$HOME/l"
	assert_eq "$output" kept
	run -125 cs home import "$T/p.tar.gz" --name third
	assert_has "$output" "File exists"
	run -125 cs home export nothing
	assert_has "$output" "hint:"
}

@test "an archive that would write elsewhere writes nothing there" {
	need python3
	python3 - "$T/evil.tar.gz" "$T" <<'P'
import io, sys, tarfile
with tarfile.open(sys.argv[1], "w:gz") as t:
    def add(name, text=b"x", **k):
        i = tarfile.TarInfo(name); i.size = len(text)
        for a, v in k.items(): setattr(i, a, v)
        t.addfile(i, io.BytesIO(text))
    add("../escaped"); add(sys.argv[2] + "/absolute")
    add("link", b"", type=tarfile.SYMTYPE, linkname=sys.argv[2])
    add("link/through"); add("suid", mode=0o6755)
    add("dev", b"", type=tarfile.CHRTYPE, devmajor=1, devminor=3)
P
	run cs home import "$T/evil.tar.gz" --name evil
	[ ! -e "$T/escaped" ] && [ ! -e "$T/absolute" ] && [ ! -e "$T/through" ]
	[ ! -e "$(D)/../escaped" ] && [ ! -e "$(D)/escaped" ]
	assert_eq "$(find "$(D)" -perm /6000 -o -type c)" ""
	# not half-made either
	[ -z "$(find "$(D)" -maxdepth 1 -name '*.new-*')" ]
	printf 'no archive' >"$T/bad.tar.gz"
	run -125 cs home import "$T/bad.tar.gz"
	[ ! -e "$(D)/bad" ]
}

@test "rm asks, refuses without a terminal, and while it is in use" {
	inside true
	run -125 cs home rm project
	assert_has "$output" "--yes"
	cs run -d -- sleep 60
	run -125 cs home rm --yes project
	assert_has "$output" "claude-sandbox stop"
	cs stop --all
	run -0 cs home rm --yes project
	[ ! -e "$(D)/project" ]
	run -0 cs home ls --json
	assert_eq "${output//[[:space:]]/}" "[]"
	run -125 cs home rm --yes project
}

@test "a full disk: an error, and no half-made home" {
	[ "$CS_AS" = root ] || skip "mounting needs root"
	mkdir -p "$T/small"
	# shellcheck disable=SC2016
	run -0 unshare -m sh -c 'mount -t tmpfs -o size=64k tmpfs "$1" && dd if=/dev/zero of="$1/fill" bs=1k count=56 2>/dev/null
		XDG_DATA_HOME=$1 timeout 30 "$2" run -T -- true; echo "status $?"; find "$1" -name "*.new-*"' sh "$T/small" "$CS"
	assert_has "$output" "No space left"
	assert_has "$output" "status 125"
	assert_lacks "$output" ".new-"
}
