#!/usr/bin/env bats
# Which sandbox is meant: names, collisions, directories.
load ../lib/common

@test "two projects with the same directory name do not collide" {
	make_project "$HOME/a/api"
	make_project "$HOME/b/api"
	one=$(cd "$HOME/a/api" && cs run -d -- sleep 300)
	two=$(cd "$HOME/b/api" && cs run -d -- sleep 300)
	assert_eq "$one" api
	[[ $two =~ ^api-[0-9a-f]{4}$ ]]
	(cd "$HOME/a/api" && cs exec -T -- touch from-a)
	(cd "$HOME/b/api" && cs exec -T -- touch from-b)
	[ -e "$HOME/a/api/from-a" ] && [ ! -e "$HOME/a/api/from-b" ] && [ -e "$HOME/b/api/from-b" ]
	cs stop --all
	# and each keeps its name
	assert_eq "$(cd "$HOME/b/api" && cs run -d -- sleep 300)" "$two"
	cs stop --all
}

@test "names are made of what a host name may hold" {
	make_project "$HOME/My Ümläut Prøject"
	name=$(cd "$HOME/My Ümläut Prøject" && cs run -d -- sleep 300)
	[[ $name =~ ^[a-z0-9][a-z0-9-]*$ ]]
	assert_eq "$(cs exec -T "$name" -- hostname 2>/dev/null || cs exec -T "$name" -- cat /proc/sys/kernel/hostname)" "$name"
	cs stop --all
}

@test "--name, --new and -T have sandboxes of their own" {
	cs run -d -- sleep 300
	assert_eq "$(cs run -d --new -- sleep 300)" project-2
	assert_eq "$(cs run -d --name other -- sleep 300)" other
	assert_eq "$(cs run -T -- sh -c 'echo $CLAUDE_SANDBOX')" project-3
	assert_eq "$(cs ls -q | tr '\n' ' ')" "other project project-2 "
	cs stop other project-2
	assert_eq "$(cs ls -q)" project
	cs stop
}

@test "a name of another project's running sandbox is refused" {
	make_project "$HOME/second"
	cs run -d --name mine -- sleep 300
	cd "$HOME/second" || return
	run cs run -d --name mine -- sleep 300
	assert_status 125
	assert_has "$output" "mine"
	cs stop --all
}

@test "a name that is none" {
	run cs run -T --name '../x' -- true
	assert_status 125
	run cs attach no-such
	assert_status 125
	assert_has "$output" "no-such"
	run cs stop no-such
	assert_status 125
}

@test "without a name, this directory's sandbox is meant" {
	run cs attach
	assert_status 125
	assert_has "$output" "hint:"
	cs run -d --name one -- sleep 300
	assert_eq "$(cs exec -T -- echo here)" here
	cs run -d --name two -- sleep 300
	run cs exec -T -- true
	assert_status 125
	assert_has "$output" "name one of them"
	cs stop --all
}

@test "a stale runtime directory is cleared away and blocks nothing" {
	mkdir -p -m 700 "$XDG_RUNTIME_DIR/claude-sandbox"
	mkdir -m 700 "$XDG_RUNTIME_DIR/claude-sandbox/project"
	touch "$XDG_RUNTIME_DIR/claude-sandbox/project/"{lock,log,control}
	mkdir -m 700 "$XDG_RUNTIME_DIR/claude-sandbox/project-2"
	assert_eq "$(cs run -d -- sleep 300)" project
	assert_eq "$(cs ls -q)" project
	[ ! -e "$XDG_RUNTIME_DIR/claude-sandbox/project-2" ]
	cs stop
}

@test "two starts at once: one starts, one joins" {
	bg "$CS" run -d -- sleep 300
	one=$BGN
	bg "$CS" run -d -- sleep 301
	wait
	assert_eq "$(cat "$T/bg.$one.out")" project
	assert_eq "$(cat "$T/bg.$BGN.out")" project
	assert_eq "$(cs ls -q)" project
	assert_eq "$(cs ps | grep -c 'sleep 30[01]')" 2
	cs stop
}

@test "rm refuses what runs, stops it with --force, and keeps the home" {
	cs run -d -- sh -c 'echo kept >~/kept; exec sleep 300'
	wait_for 5 cs exec -T -- test -s "$HOME/kept"
	run cs rm project
	assert_status 125
	assert_has "$output" "--force"
	cs rm --force project
	assert_eq "$(cs ls -q)" ""
	assert_eq "$(cat "$HOME/.local/share/claude-sandbox/homes/project/kept")" kept
}

@test "the control socket takes nobody else" {
	cs run -d -- sleep 300
	sock=$XDG_RUNTIME_DIR/claude-sandbox/project
	assert_eq "$(stat -c %a "$sock")" 700
	assert_eq "$(stat -c %a "$sock/control")" 600
	cs stop
}
