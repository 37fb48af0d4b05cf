#!/usr/bin/env bats
# The command line: which words are ours, what is said when they are wrong, help, completion, man pages.

load ../lib/common

@test "a first word that is no command: the -- form, and the nearest name" {
	run cs lss
	assert_status 125
	assert_has "$output" "command, 'lss': no such command"
	assert_has "$output" "did you mean 'ls'? To run a program inside: claude-sandbox -- lss"
	run cs make test 'a b'
	assert_status 125
	assert_has "$output" "claude-sandbox -- make test 'a b'"
}

@test "unknown options name the nearest; status 125" {
	run cs run --timout 5 -- true
	assert_status 125
	assert_has "$output" "'--timout': unknown option"
	assert_has "$output" "did you mean --timeout?"
	run cs --memroy 5G
	assert_status 125
	assert_has "$output" "did you mean --memory?"
	run cs config --jsn
	assert_status 125
	assert_has "$output" "did you mean --json?"
	run cs run -Tz -- true
	assert_status 125
	assert_has "$output" "'-z': unknown option"
}

@test "values: checked before anything starts" {
	for bad in "--net lan" "--memory 8X" "--timeout soon" "--name a/b" "--trust 12" "--memory" "--detach=yes" "--ro=" "-e 1=2"; do
		# shellcheck disable=SC2086 # words
		run cs run $bad
		assert_status 125
	done
	run cs run --net lan -- true
	assert_has "$output" "one of: none host"
}

@test "bundled letters, values with and without =, options without run" {
	for good in "run -qT --net=none --dry-run --" "run --net none -qT --dry-run" "-qT --dry-run --" "--dry-run --net none" \
		"run -eA=1 -e B=2 --env=C=3 --dry-run" "run -w/tmp --dry-run"; do
		# shellcheck disable=SC2086 # words
		run cs $good true
		assert_status 0
	done
}

@test "-- ends our words: a program may have a command's name, and options of its own" {
	run cs --dry-run -- ls --no-such-option
	assert_status 0
	run cs run --dry-run ls --no-such-option
	assert_status 0
}

@test "help for everything, on standard output, status 0" {
	run --separate-stderr cs help
	assert_status 0
	assert_has "$output" "claude-sandbox [run]"
	assert_eq "$stderr" ""
	for word in $(cs help | sed -n 's/^  \([a-z]*\) .*/\1/p' | sort -u); do
		run --separate-stderr cs help "$word"
		assert_status 0
		assert_has "$output" "claude-sandbox $word"
		run cs "$word" --help
		assert_status 0
	done
	run cs help nonsense
	assert_status 125
	run cs --version
	assert_eq "$output" "$(cs version)"
}

@test "help fits 80 columns, and shows no option of what does not exist" {
	for word in '' run config trust; do
		# shellcheck disable=SC2086 # maybe none
		assert_eq "$(cs help $word | awk 'length > 80' | head -3)" ""
	done
	run cs help run
	assert_lacks "$output" "--allow"
	assert_lacks "$output" "--image"
	assert_lacks "$output" "podman "
}

@test "completion: the shells accept it, and bash completes commands, options, choices, names" {
	cs completion bash >"$T/bash"
	bash -n "$T/bash"
	complete_() { # WORD...: what the last one completes to
		bash --norc -c 'source "$1"; shift; COMP_WORDS=(claude-sandbox "$@"); COMP_CWORD=$#; _claude_sandbox 2>/dev/null
			printf "%s\n" "${COMPREPLY[@]}"' sh "$T/bash" "$@"
	}
	assert_eq "$(complete_ conf)" config
	assert_eq "$(complete_ config che)" check
	assert_eq "$(complete_ run --net no)" none
	assert_eq "$(complete_ run --net = ho)" host
	assert_eq "$(complete_ --time)" --timeout
	assert_eq "$(complete_ trust --rev)" --revoke
	mkdir -p "$XDG_RUNTIME_DIR/claude-sandbox/box-one"
	assert_has "$(complete_ stop bo)" box-one
	rmdir "$XDG_RUNTIME_DIR/claude-sandbox/box-one"
	if command -v zsh >/dev/null; then
		cs completion zsh >"$T/zsh"
		zsh -n "$T/zsh"
		zsh -fc "autoload -U compinit; compinit -D -u; source $T/zsh; (( \$+_comps[claude-sandbox] ))"
	fi
	if command -v fish >/dev/null; then
		cs completion fish >"$T/fish"
		fish -n "$T/fish"
		assert_eq "$(fish -c "source $T/fish; complete -C 'claude-sandbox run --net no'" | cut -f 1)" none
		assert_has "$(fish -c "source $T/fish; complete -C 'claude-sandbox conf'")" config
	fi
	run cs completion tcsh
	assert_status 125
}

@test "the man pages hold every command, option and key" {
	[ -e "$CS_BUILD/man/claude-sandbox.1" ] || skip_or_fail "no scdoc"
	page=$(sed 's/\\-/-/g; s/\\&//g; s/\\f.//g' "$CS_BUILD/man/claude-sandbox.1")
	keys=$(sed 's/\\-/-/g; s/\\&//g; s/\\f.//g' "$CS_BUILD/man/claude-sandbox-config.5")
	for o in $(cs help run | sed -n 's/.* \(--[a-z-]*\).*/\1/p' | sort -u); do assert_has "$page" "$o"; done
	for k in $(cs config show --json --all | jq -r 'keys[]'); do assert_has "$keys" "$k"; done
	for c in $(cs help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do assert_has "$page" "$c"; done
}

@test "standard input, output or error may be closed" {
	"$CS" version <&- >"$T/out"
	grep -q claude-sandbox "$T/out"
	"$CS" config check <&- >&- 2>&- || true
	# an error of ours never lands in a file that took descriptor 2
	"$CS" config check --nonsense 2>&- >"$T/out" || true
	assert_eq "$(cat "$T/out")" ""
}
