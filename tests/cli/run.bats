#!/usr/bin/env bats
# run -T: the command's input, output and exit status are the caller's.
load ../lib/common

@test "the exit status passes through" {
	run cs run -T -- sh -c 'exit 7'
	assert_status 7
	run cs -T -- true
	assert_status 0
	run cs -T -- sh -c 'kill -9 $$'
	assert_status 137
	run cs -T -- sh -c 'kill -TERM $$'
	assert_status 143
}

@test "not found is 127, not executable 126, each with a reason" {
	run cs -T -- no-such-program
	assert_status 127
	assert_has "$output" "no-such-program"
	echo 'echo no' >script
	run cs -T -- ./script
	assert_status 126
	assert_has "$output" "./script"
}

@test "a pipe in, a pipe out" {
	run bash -c 'echo x | "$CS" run -T -- cat'
	assert_eq "$output" x
}

@test "files: read, written, appended, both outputs into one in order" {
	echo from-file >in
	run bash -c '"$CS" run -T -- cat <in'
	assert_eq "$output" from-file
	"$CS" run -T -- sh -c 'echo one; echo two >&2; echo three' >out 2>&1
	assert_eq "$(cat out)" $'one\ntwo\nthree'
	"$CS" run -T -- echo four >>out
	assert_eq "$(tail -1 out)" four
}

@test "stdout is the command's alone" {
	run --separate-stderr cs run -T -- sh -c 'echo out; echo err >&2'
	assert_eq "$output" out
	assert_eq "$stderr" err
}

@test "a gigabyte through pipes and through files is the same afterwards" {
	head -c 256M /dev/urandom >"$T/big"
	want=$(sha256sum <"$T/big")
	assert_eq "$(cat "$T/big" | "$CS" run -T -- cat | sha256sum)" "$want"
	"$CS" run -T -- cat <"$T/big" >"$T/big2"
	assert_eq "$(sha256sum <"$T/big2")" "$want"
}

@test "output is drained before the end, also to a slow reader" {
	n=$("$CS" run -T -- sh -c 'seq 1 200000' | (sleep 0.5; wc -l))
	assert_eq "$n" 200000
	"$CS" run -T -- seq 1 200000 >out
	assert_eq "$(tail -1 out)" 200000
}

@test "a reader that has enough ends the writer (SIGPIPE)" {
	run bash -c 'timeout 20 "$CS" run -T -- yes | head -1; echo "${PIPESTATUS[0]}"'
	assert_eq "${lines[0]}" y
	assert_eq "${lines[1]}" 141
}

@test "end of input reaches the command" {
	run bash -c 'printf "a\nb\n" | "$CS" run -T -- wc -l'
	assert_eq "$output" 2
	run cs run -T -- cat </dev/null
	assert_status 0
}

@test "closed standard descriptors" {
	run bash -c '"$CS" run -T -- sh -c "cat; echo in-closed" <&-'
	assert_eq "$output" in-closed
	run bash -c '"$CS" run -T -- sh -c "echo out-closed; exit 3" >&-'
	assert_status 3
	run bash -c '"$CS" run -T -- true <&- >&- 2>&-'
	assert_status 0
}

@test "a directory as a standard descriptor is refused and nothing is started" {
	run bash -c '"$CS" run -T -- cat <.'
	assert_status 125
	assert_has "$output" "directory"
	assert_eq "$(cs ls -q)" ""
}

@test "a file open for reading cannot be reopened for writing inside" {
	echo keep >f
	run bash -c '"$CS" run -T -- sh -c "echo gone >/proc/self/fd/0" <f'
	assert_eq "$(cat f)" keep
}

@test "a full device loses output loudly" {
	run bash -c '"$CS" run -T -- echo lost >/dev/full'
	assert_status 125
	assert_has "$output" "standard output"
}

@test "--timeout ends it with 124" {
	run cs run -T --timeout 500ms -- sleep 30
	assert_status 124
}

@test "inherited descriptors do not reach the command" {
	run bash -c 'exec 7<README; "$CS" run -T -- sh -c "ls /proc/self/fd"'
	assert_lacks "$output" 7
}

@test "no terminal inside with -T, and none prompts" {
	run cs run -T -- tty
	assert_has "$output" "not a tty"
}

@test "without -t or -T: no terminal where input or output is none" {
	run bash -c '"$CS" -- tty </dev/null'
	assert_has "$output" "not a tty"
}

@test "large arguments and environment" {
	run cs run -T -e "BIG=$(head -c 60000 /dev/zero | tr '\0' x)" -- sh -c 'echo ${#BIG} ${#1}' sh "$(head -c 60000 /dev/zero | tr '\0' y)"
	assert_eq "$output" "60000 60000"
}

@test "-w, and the caller's directory" {
	mkdir -p sub/deep
	assert_eq "$(cs run -T -w sub/deep -- pwd)" "$P/sub/deep"
	cd sub || return
	assert_eq "$(cs run -T --project "$P" -- pwd)" "$P/sub"
}

@test "--receipt is written before the client returns" {
	cs run -T --receipt r.json -- sh -c 'exit 3' || true
	run cat r.json
	assert_has "$output" '"status":3'
}

@test "nothing is left: no process, no directory" {
	cs run -T -- true
	wait_for 5 bash -c '[ -z "$(ls "$XDG_RUNTIME_DIR/claude-sandbox")" ]'
}

@test "no XDG_RUNTIME_DIR, a long one, one open to others" {
	assert_eq "$(env -u XDG_RUNTIME_DIR "$CS" run -T -- echo ok)" ok
	long=$T/$(printf 'd%.0s' {1..200})
	mkdir -m 700 "$long"
	assert_eq "$(XDG_RUNTIME_DIR=$long "$CS" run -T -- echo ok)" ok
	mkdir -p "$T/open/claude-sandbox"
	chmod 755 "$T/open/claude-sandbox"
	XDG_RUNTIME_DIR=$T/open run "$CS" run -T -- echo ok
	assert_status 125
	assert_has "$output" "hint:"
}

@test "a runtime directory that cannot be written is an error, not a hang" {
	[ "$CS_AS" = user ] || skip_or_fail "root writes everywhere"
	mkdir -m 500 "$T/ro"
	XDG_RUNTIME_DIR=$T/ro run "$CS" run -T -- true
	assert_status 125
	assert_has "$output" "runtime directory"
}
