# What the tests of real agents share: the agent, as the host would have it, and the mock that plays its model.

AGENT_KEY=sk-ant-mock-0123456789abcdefghij

# The agent in the native installer's layout in this test's home, on PATH.
agent_on_host() {
	local version
	CS_AGENT_DIR=${CS_AGENT_DIR:-$("$CS_TOP/tests/agents/install.sh")} || true
	[ -x "$CS_AGENT_DIR/claude" ] || skip_or_fail "the agent could not be fetched"
	version=${CS_AGENT_DIR##*-}
	mkdir -p "$HOME/.local/bin" "$HOME/.local/share/claude/versions"
	cp --reflink=auto "$CS_AGENT_DIR/claude" "$HOME/.local/share/claude/versions/$version"
	ln -s "../share/claude/versions/$version" "$HOME/.local/bin/claude"
	PATH=$HOME/.local/bin:$PATH
}

# mock STEP...: the model's script, in the project beside the server, which runs inside.
mock() {
	mkdir -p "$P/.mock"
	cp "$CS_BUILD/tests/mockapi" "$P/.mock/mockapi"
	printf '%s\n' "$@" >"$P/.mock/script"
	rm -f "$P/.mock/log"*
}

# agent [-t] ARG...: the agent in a sandbox of this project, with the mock as its model.
agent_argv() {
	local tty=-T
	if [ "$1" = -t ]; then
		tty=-t
		shift
	fi
	AGENT_ARGV=("$CS" run "$tty" -e "ANTHROPIC_API_KEY=$AGENT_KEY" -e CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1
		-e CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL=1
		-- "$P/.mock/mockapi" "$P/.mock/script" "$P/.mock/log" -- claude "$@")
}
agent() {
	agent_argv "$@"
	timeout -k 5 "$CS_TEST_TIMEOUT" "${AGENT_ARGV[@]}" </dev/null
}

# Past the first-run questions: what a person answers once, in the sandbox's own home.
agent_onboarded() {
	inside 'printf "%s" "$1" > ~/.claude.json' "{\"hasCompletedOnboarding\":true,\
\"customApiKeyResponses\":{\"approved\":[\"${AGENT_KEY: -20}\"],\"rejected\":[]},\
\"projects\":{\"$P\":{\"hasTrustDialogAccepted\":true}}}"
}

mock_log() { cat "$P/.mock/log"; }
