#!/usr/bin/env bats
# Sandboxes that another version of the program started (PROTOCOL.control).
load ../lib/common

TOOL=$CS_BUILD/tests/control-tool
V1=$CS_TOP/tests/corpus/control-v1

listed() { [ "$(cs ls -q)" = "$1" ]; }

@test "a supervisor of version 1 is listed, inspected, shown, attached to and stopped" {
	bg "$TOOL" serve old "$V1"
	wait_for 5 listed old
	assert_has "$(cs ls)" running
	assert_has "$(cs inspect old)" "project: "
	assert_has "$(cs ps old)" "sleep 300"
	tmux_start bash --norc
	tmux_type "'$CS' attach old"
	tmux_keys Enter
	tmux_wait 5 'recorded by version 1'
	tmux_keys C-] d
	tmux_wait 5 'detached'
	cs stop old
	wait "$BG"
	assert_eq "$(cs ls -q)" ""
}

@test "a client of version 1 gets its answers" {
	cs run -d -- sleep 300
	timeout 20 "$TOOL" ask project "$V1"
	assert_eq "$(cs ls -q)" ""
}

@test "unknown messages and fields are answered or passed over, and change nothing" {
	cs run -d -- sleep 300
	timeout 20 "$TOOL" unknown project
	assert_eq "$(cs ls -q)" project
	assert_eq "$(cs exec -T -- echo fine)" fine
	cs stop
}
