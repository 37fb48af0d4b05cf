#!/usr/bin/env bats
# Limits: what is asked for is in force, or the start is refused; what nobody asks for still stops a fork bomb.
load ../lib/common

# Whether a cgroup can be had here: root's of v1 on a machine like CI's, a delegated v2 elsewhere.
can_limit() { cs run -T --memory 1G -- true 2>/dev/null; }
left_groups() { find /sys/fs/cgroup -name 'claude-sandbox*' 2>/dev/null; }
idle() { [ -z "$(cs ls -q)" ] && ! left_groups | grep -qF -- "-$(id -u)-project"; }

# fork_until N: makes N processes that wait, and prints how many there were before the first refusal
fork_until='import os, sys, time
n = 0
try:
    while n < int(sys.argv[1]):
        if os.fork() == 0: time.sleep(30); os._exit(0)
        n += 1
except OSError as e:
    print(e.strerror)
print(n)'

@test "a fork bomb ends at the default, and the host can still fork" {
	need python3
	run cs run -T -- python3 -c "$fork_until" 6000
	assert_status 0
	assert_has "$output" 'temporarily unavailable'
	[ "${lines[-1]}" -ge 1000 ]
	[ "${lines[-1]}" -le 4096 ]
	wait_for 20 idle
	run bash -c 'for i in $(seq 50); do sleep 0.1 & done; wait; echo fine'
	assert_eq "$output" fine
}

@test "a real fork bomb, cut off by --timeout, leaves nothing" {
	# shellcheck disable=SC2016 # for the inner shell
	run cs run -T --timeout 2s -- bash -c 'b() { b | b & }; b; sleep 60' 2>/dev/null
	assert_status 124
	wait_for 20 idle
	run cs run -T -- echo fine
	assert_eq "$output" fine
}

@test "--pids is in force, with a cgroup or without" {
	need python3
	run cs run -T --pids 40 -- python3 -c "$fork_until" 500
	assert_status 0
	[ "${lines[-1]}" -le 40 ]
	[ "${lines[-1]}" -ge 20 ]
	wait_for 20 idle
}

@test "open files: the default, and a smaller one" {
	need python3
	local count='import os
n = 0
try:
    while n < 2000000: os.open("/dev/null", os.O_RDONLY); n += 1
except OSError as e: print(n, e.strerror)'
	run cs run -T -- python3 -c "$count"
	assert_has "$output" 'Too many open files'
	[ "${output%% *}" -le 65536 ]
	mkdir -p "$HOME/.config/claude-sandbox"
	printf '[limits]\nfiles = 100\n' >"$HOME/.config/claude-sandbox/config"
	run cs run -T -- python3 -c "$count"
	[ "${output%% *}" -le 100 ]
	run cs run -T -- sh -c 'ulimit -Hn 200'
	[ "$status" != 0 ]
}

@test "no core dumps, unless asked for; --file-size" {
	run cs run -T -- sh -c 'ulimit -c'
	assert_eq "$output" 0
	mkdir -p "$HOME/.config/claude-sandbox"
	printf '[limits]\nfile-size = 1M\n' >"$HOME/.config/claude-sandbox/config"
	run cs run -T -- sh -c 'head -c 3000000 /dev/zero >big; stat -c %s big'
	assert_eq "${lines[-1]}" 1048576
}

@test "--memory: enforced and recorded, or refused with a hint" {
	need python3 jq
	if ! can_limit; then
		run cs run -T --memory 64M -- true
		assert_status 125
		assert_has "$output" 'cannot '
		assert_has "$output" 'limit'
		assert_has "$output" 'hint:'
		return
	fi
	run cs run -T --memory 64M -- python3 -c 'b = bytearray(300 << 20); print("had it")'
	assert_lacks "$output" 'had it'
	assert_status 137
	wait_for 10 sh -c '"$1" log --all --json | grep -qE "\"(limit|oom)\".*memory|\"oom\""' sh "$CS"
	# within the limit all is well
	run cs run -T --memory 256M -- python3 -c 'b = bytearray(64 << 20); print("had it")'
	assert_eq "$output" 'had it'
	wait_for 20 idle
}

@test "--cpus: enforced, or refused" {
	need python3
	if ! can_limit; then
		run cs run -T --cpus 0.5 -- true
		assert_status 125
		return
	fi
	# half a processor: of a second and a half, at most one of work
	run cs run -T --cpus 0.5 -- python3 -c 'import time
t = time.monotonic()
while time.monotonic() - t < 1.5: pass
print(time.process_time() < 1.1)'
	assert_eq "$output" True
	wait_for 20 idle
}

@test "more open files than the session may have is refused, not lowered" {
	local hard
	hard=$(ulimit -Hn)
	[ "$hard" != unlimited ] || skip_or_fail "no hard limit on open files here"
	mkdir -p "$HOME/.config/claude-sandbox"
	printf '[limits]\nfiles = %d\n' "$((hard + 1))" >"$HOME/.config/claude-sandbox/config"
	run cs run -T -- true
	assert_status 125
	assert_has "$output" 'limits.files'
	printf '[limits]\nfiles = 100\n' >"$HOME/.config/claude-sandbox/config"
	run cs run -T -- sh -c 'ulimit -Hn'
	assert_eq "$output" 100
}
