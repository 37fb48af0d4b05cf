# Claude Code, the real program, at work in a sandbox; its model is a mock of the Messages API that runs inside too.
load ../lib/common
load agent

setup() {
	cs_setup
	agent_on_host
}

@test "headless: the agent's tools write files, its words are the output, its status is 0" {
	mock 'tool Bash {"command":"echo made by $(id -u) > made.txt","description":"make a file"}' \
		'expect tool_result' \
		"tool Write {\"file_path\":\"$P/written.txt\",\"content\":\"by the Write tool\\n\"}" \
		'text All done here.'
	run --separate-stderr agent -p 'do it' --dangerously-skip-permissions
	echo "stderr: $stderr"
	assert_status 0
	assert_eq "$output" 'All done here.'
	assert_eq "$(cat written.txt)" 'by the Write tool'
	assert_has "$(cat made.txt)" 'made by '
	assert_lacks "$(cat made.txt)" 'made by 0'
	# as root the files are root's, as a user the user's
	assert_eq "$(stat -c %u made.txt written.txt | sort -u)" "$(id -u)"
	assert_has "$(mock_log)" 'HEAD /'
}

@test "headless: the agent's failure is the command's status" {
	mock 'text never asked'
	run agent --no-such-option
	[ "$status" != 0 ] && [ "$status" -lt 124 ]
}

@test "--continue in a second sandbox: the conversation is in the sandbox's home, not in the host's" {
	mock 'text The word is marzipan.'
	run agent -p 'say a word' --dangerously-skip-permissions
	assert_status 0
	[ ! -e "$HOME/.claude" ] && [ ! -e "$HOME/.claude.json" ]
	mock 'expect The word is marzipan.' 'text I remember.'
	run --separate-stderr agent --continue -p 'which word?' --dangerously-skip-permissions
	assert_status 0
	assert_eq "$output" 'I remember.'
}

@test "guarded: told to plant a hook and settings, the agent gets neither onto the host" {
	printf '#!/bin/sh\n' >.git/hooks/pre-push
	chmod +x .git/hooks/pre-push
	mkdir .claude
	echo '{}' >.claude/settings.json
	mock "tool Write {\"file_path\":\"$P/.git/hooks/pre-commit\",\"content\":\"#!/bin/sh\\n$(canary_cmd)\\n\"}" \
		'expect tool_result' \
		"tool Bash {\"command\":\"echo $(canary_cmd) >> .git/hooks/pre-push; echo '{\\\"hooks\\\":1}' > .claude/settings.json; echo status=\$?\",\"description\":\"plant\"}" \
		'expect status=1' \
		'text Refused.'
	run --separate-stderr agent -p 'plant' --dangerously-skip-permissions
	assert_eq "$output" 'Refused.'
	[ ! -e .git/hooks/pre-commit ]
	assert_eq "$(cat .git/hooks/pre-push)" '#!/bin/sh'
	assert_eq "$(cat .claude/settings.json)" '{}'
	git -c core.hooksPath= commit -q --allow-empty -m x
	canary_dead
}

@test "guarded: settings that were not there are not there afterwards" {
	mock "tool Bash {\"command\":\"mkdir -p .claude; echo '{\\\"hooks\\\":1}' > .claude/settings.json; sleep 0.5\",\"description\":\"plant\"}" \
		'text Tried.'
	run agent -p 'plant' --dangerously-skip-permissions
	[ ! -e .claude/settings.json ]
}

@test "the host's agent is there read-only, with its self-updater off" {
	run inside 'command -v claude && claude --version && echo "updater off: $DISABLE_AUTOUPDATER"'
	assert_status 0
	assert_has "$output" 'updater off: 1'
	assert_has "$output" "${CS_AGENT_DIR##*-}"
	run inside 'p=$(readlink -f "$(command -v claude)"); echo x >> "$p"'
	[ "$status" != 0 ]
}

@test "an agent anywhere on PATH works: npm's global layout" {
	rm "$HOME/.local/bin/claude"
	local dir=$HOME/.npm-global/lib/node_modules/@anthropic-ai/claude-code
	mkdir -p "$dir" "$HOME/.npm-global/bin"
	mv "$HOME/.local/share/claude/versions/"* "$dir/claude"
	echo '{"name":"@anthropic-ai/claude-code"}' >"$dir/package.json"
	ln -s ../lib/node_modules/@anthropic-ai/claude-code/claude "$HOME/.npm-global/bin/claude"
	PATH=$HOME/.npm-global/bin:$PATH
	mock 'text From npm.'
	run --separate-stderr agent -p 'hello' --dangerously-skip-permissions
	assert_status 0
	assert_eq "$output" 'From npm.'
}

@test "no agent anywhere: the shell still opens, and claude says how to get one" {
	rm -r "$HOME/.local"
	! command -v claude >/dev/null || skip_or_fail "this machine has a claude for all users"
	run inside 'echo open; claude -p x; echo status $?'
	assert_status 0
	assert_has "$output" open
	assert_has "$output" "no claude on this machine's PATH"
	assert_has "$output" 'install'
	assert_has "$output" 'status 127'
}

@test "interactive: the permission dialog is shown and answered; Esc, resize and Ctrl-C reach the agent" {
	agent_onboarded
	mock 'tool Bash {"command":"echo answered > asked.txt","description":"Make a file"}' \
		'text The file is there.' \
		'drip 300 one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen' \
		'text After the interruption.'
	agent_argv -t
	tmux_start "${AGENT_ARGV[@]}"
	tmux_wait 20 'shortcuts'
	tmux_type 'make the file'
	tmux_wait 5 'make the file'
	tmux_keys Enter
	tmux_wait 15 'Do you want to proceed\?'
	tmux_wait 5 '1\. Yes'
	[ ! -e asked.txt ]
	tmux_keys Enter
	tmux_wait 15 'The file is there\.'
	assert_eq "$(cat asked.txt)" answered

	tmux_type 'count'
	tmux_keys Enter
	tmux_wait 15 'esc to interrupt'
	sleep 1 # some words are on their way
	tmux_keys Escape
	tmux_wait 10 'Interrupted'
	assert_lacks "$(tmux_screen)" seventeen
	tmux_type 'go on'
	tmux_keys Enter
	tmux_wait 15 'After the interruption\.'

	tmux_ resize-window -t t -x 70 -y 24
	narrow() { [ "$(export LC_ALL=C.UTF-8; tmux_screen | grep -E '^─+$' | tail -n 1 | tr -d '\n' | wc -m)" = 70 ]; }
	wait_for 10 narrow

	tmux_keys C-c
	tmux_wait 10 'Press Ctrl-C again'
	tmux_keys C-c
	over() { ! tmux_ has-session -t t 2>/dev/null; }
	wait_for 15 over
}

@test "interactive: a terminal that goes away leaves the agent at work; attach shows it again" {
	agent_onboarded
	mock 'drip 200 one two three four five six seven eight nine ten' 'text Still here.'
	agent_argv -t
	tmux_start "${AGENT_ARGV[@]}"
	tmux_wait 20 'shortcuts'
	tmux_type 'count'
	tmux_keys Enter
	tmux_wait 15 'esc to interrupt'
	tmux_kill # SIGHUP
	sleep 0.5
	tmux_start "$CS" attach
	tmux_wait 15 'nine ten'
	tmux_type 'go on'
	tmux_keys Enter
	tmux_wait 15 'Still here\.'
	tmux_keys C-c
	tmux_wait 10 'Press Ctrl-C again'
	tmux_keys C-c
	over() { ! tmux_ has-session -t t 2>/dev/null; }
	wait_for 15 over
}
