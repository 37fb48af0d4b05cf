#!/usr/bin/env bats
# What the user's terminal types in answer to the sandbox's questions is the sandbox's, not the user's shell's.

load ../lib/common

@test "a flood of questions just before the end: no answer is left over, however late; the status is the command's" {
	local delay
	printf '%s\n' 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do' \
		"printf '\\033[c\\033[6n\\033P\$qm\\033\\\\\\033]11;?\\007'; done; exit 3" >q.sh
	for delay in 0.001 0.01 0.03; do
		run env TERM=xterm timeout 60 python3 "$BATS_TEST_DIRNAME/../lib/answerterm.py" $delay "$CS" run -q -t -- sh q.sh
		[ "$output" = "status 3 left b''" ] || fail "with $delay: $output"
	done
}
