#!/usr/bin/env bats
# The configuration: layers, what is shown of it, and changes to it.

load ../lib/common

setup() {
	cs_setup
	C=$HOME/.config/claude-sandbox
	mkdir -p "$C"
}

# json FILTER: of `config show --json --all`
json() { cs config show --json --all | jq -r "$1"; }

@test "the example of the design reads, each value with its layer, file and line" {
	mkdir -p "$HOME/work/api"
	cat >"$C/config" <<'END'
profile = claude
engine = native
[limits]
memory = 8G
[agent]
args = --permission-mode acceptEdits
[project "~/work/api"]
guard = !.vscode
read-only = ~/work/protos
END
	cd "$HOME/work/api"
	assert_eq "$(json '."limits.memory" | "\(.value) \(.layer) \(.where)"')" "8589934592 user $C/config:4"
	assert_eq "$(json '."agent.args".entries | map(.value) | join(" ")')" "--permission-mode acceptEdits"
	assert_eq "$(json '."read-only".entries[0] | "\(.value) \(.layer) \(.where)"')" "$HOME/work/protos project section $C/config:9"
	assert_eq "$(json '.guard.entries | map(select(.value == ".vscode")) | length')" 0
	cd "$P"
	assert_eq "$(json '.guard.entries | map(select(.value == ".vscode")) | length')" 1
	assert_eq "$(json '."read-only".entries | length')" 0
}

@test "layers: config.d over the user's file, a section over both, the command line over all" {
	mkdir "$C/config.d"
	printf 'limits.pids = 100\n[project "%s"]\nlimits.pids = 300\n' "$P" >"$C/config"
	echo 'limits.pids = 200' >"$C/config.d/a.conf"
	assert_eq "$(json '."limits.pids".value')" 300
	cd "$HOME"
	assert_eq "$(json '."limits.pids" | "\(.value) \(.layer)"')" "200 config.d"
}

@test "--config reads another file, which must be there" {
	run cs run --config "$T/none" --dry-run -- true
	assert_status 125
	assert_has "$output" "$T/none"
}

@test "what is wrong in a file is told with file, line and the nearest key" {
	printf '\n\nnetwrk.mode = none\n' >"$C/config"
	run cs config check
	assert_status 125
	assert_has "$output" "$C/config:3': unknown key 'netwrk.mode'"
	assert_has "$output" "did you mean 'network.mode'?"
	printf '[limits]\nmemory = much\n' >"$C/config"
	run cs config check
	assert_status 125
	assert_has "$output" "$C/config:2': limits.memory = much: not a size"
	# nothing starts with it
	run cs run -T -- true
	assert_status 125
	assert_has "$output" "$C/config:2'"
}

@test "a line that the reader would cut is an error, not a shorter value" {
	printf 'shell = /%06000d\n' 0 >"$C/config"
	run cs config check
	assert_status 125
	assert_has "$output" "$C/config:1': the line is longer than"
}

@test "an unreadable file is an error, not an empty one" {
	[ "$(id -u)" != 0 ] || skip "root reads everything"
	echo 'profile = none' >"$C/config"
	chmod 000 "$C/config"
	run cs config check
	assert_status 125
	assert_has "$output" "Permission denied"
}

@test "set keeps comments and order, and the link of a dotfile repository" {
	mkdir "$HOME/dotfiles"
	printf '# mine\nprofile = claude # not a comment: part of no choice\n' >"$HOME/dotfiles/config"
	printf '# mine\nprofile = claude\n\n# network\n[network]\n# why\nmode = host\n\n[limits]\npids = 9\n' >"$HOME/dotfiles/config"
	chmod 640 "$HOME/dotfiles/config"
	ln -s ../../dotfiles/config "$C/config"
	cs config set network.mode none
	cs config set limits.memory 2G
	cs config set read-only ~/a ~/b
	cs config set --add read-only "$HOME/c d"
	[ -L "$C/config" ]
	assert_eq "$(stat -c %a "$HOME/dotfiles/config")" 640
	diff - "$HOME/dotfiles/config" <<END
# mine
profile = claude
read-only = $HOME/a
read-only = $HOME/b
read-only = $HOME/c d

# network
[network]
# why
mode = none

[limits]
pids = 9
memory = 2G
END
	cs config set --unset network.mode
	run ! grep -q '^mode' "$C/config"
	assert_eq "$(ls -A "$C")" config
}

@test "set --project writes this project's section" {
	cs config set --project network.mode host
	cs config set --project guard '!.vscode'
	assert_eq "$(cat "$C/config")" '[project "~/project"]
network.mode = host
guard = !.vscode'
	assert_eq "$(json '."network.mode".value')" host
	cd "$HOME"
	assert_eq "$(json '."network.mode".value')" none
}

@test "set refuses what could not be read back, and leaves the file alone" {
	echo 'profile = none' >"$C/config"
	for bad in "network.mode lan" "netwrk.mode none" "limits.pids -1" "read-only relative" "timeout" "profile none claude"; do
		# shellcheck disable=SC2086 # words
		run cs config set $bad
		assert_status 125
		assert_eq "$(cat "$C/config")" 'profile = none'
	done
	run cs config set env $'A=1\nB=2'
	assert_status 125
	assert_eq "$(cat "$C/config")" 'profile = none'
}

@test "edit: takes what is in order, keeps the old file where it is not" {
	echo 'profile = none' >"$C/config"
	EDITOR="sed -i s/none/claude/" cs config edit
	assert_eq "$(cat "$C/config")" 'profile = claude'
	EDITOR="sed -i s/claude/clade/" run cs config edit
	assert_status 125
	assert_eq "$(cat "$C/config")" 'profile = claude'
	assert_has "$output" "did you mean 'claude'"
	EDITOR=false run cs config edit
	assert_status 125
	assert_eq "$(cat "$C/config")" 'profile = claude'
}

@test "edit begins a new file with the commented example, and that is in order" {
	EDITOR="sed -i s/^#//" run cs config edit
	# uncommented, its prose is none; so only its settings are
	EDITOR=true cs config edit
	grep -q '^#read-only' "$C/config"
	sed -i -n 's/^#\([a-z].* = .*\)/\1/p; /^#*\[/{s/^#//;p}' "$C/config"
	cs config check
	assert_eq "$(json '."limits.memory".value')" 8589934592
}

@test "many at once: each change is kept" {
	for i in 1 2 3 4 5 6 7 8; do cs config set --add mask "f$i" & done
	wait
	assert_eq "$(grep -c '^mask' "$C/config")" 8
}

@test "a full disk is told, and the old file stays" {
	[ -e /dev/full ] || skip_or_fail "no /dev/full"
	run bash -c '"$CS" config show --all >/dev/full'
	assert_status 125
	assert_has "$output" "No space left"
	[ "$(id -u)" = 0 ] || skip "mounting takes root"
	echo 'profile = none' >"$C/config"
	run unshare -m sh -c "mount -t tmpfs -o size=8k none '$C' && echo 'profile = none' >'$C/config' && head -c 100000 /dev/zero >'$C/fill';
		'$CS' config set limits.pids 9; s=\$?; cat '$C/config'; ls -A '$C'; exit \$s"
	assert_status 125
	assert_has "$output" "profile = none"
	assert_lacks "$output" "config.tmp"
}

@test "path names every layer, and whether it is there" {
	run cs config path --json
	assert_eq "$(jq -r 'map(.layer) | join(",")' <<<"$output")" "system,user,config.d,project file"
	assert_eq "$(jq -r '.[1].path' <<<"$output")" "$C/config"
}

@test "show prints what is set, one key, or everything" {
	run cs config show
	assert_eq "$output" ""
	echo 'timeout = 5m' >"$C/config"
	run cs config show
	assert_has "$output" "timeout  5m     user   $C/config:1"
	run cs config show network.mode
	assert_has "$output" "network.mode  none"
	run cs config show netwrk.mode
	assert_status 125
	assert_has "$output" "did you mean 'network.mode'?"
	run cs config shw
	assert_status 125
	assert_has "$output" "did you mean 'show'?"
}

@test "a configuration that is linked into the project is guarded there; in a read-write mount it is refused" {
	echo 'stop-grace = 5s' >settings
	ln -s "$P/settings" "$C/config"
	run cs run -T -- sh -c 'echo "network.mode = host" >>settings; mv settings x; rm -f settings; cat settings'
	assert_has "$output" "stop-grace = 5s"
	assert_eq "$(cat settings)" "stop-grace = 5s"
	mkdir "$HOME/dot"
	mv settings "$HOME/dot/"
	ln -sfn "$HOME/dot/settings" "$C/config"
	run cs run --rw "$HOME/dot" -T -- true
	assert_status 125
	assert_has "$output" "refused, the configuration '$HOME/dot/settings' lies there"
}

@test "--verbose tells which files were read, on standard error" {
	echo 'stop-grace = 5s' >"$C/config"
	run --separate-stderr cs run --verbose -T -- echo out
	assert_status 0
	assert_eq "$output" out
	# shellcheck disable=SC2154 # run sets it
	assert_has "$stderr" "$C/config"
}
