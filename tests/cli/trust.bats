#!/usr/bin/env bats
# The project's own file: it may tighten, and nothing else, until it is trusted.

load ../lib/common

value() { cs config show --json --all | jq -r ".\"$1\".value"; }

@test "it tightens without being asked" {
	printf '[limits]\npids = 100\n[guard]\nabsent = strict\n' >.claude-sandbox.conf
	assert_eq "$(value limits.pids)" 100
	assert_eq "$(cs config show --json | jq -r '."guard.absent".where')" "$P/.claude-sandbox.conf:4"
}

@test "what it asks for beyond that is refused, with the reason and the way to agree" {
	printf 'network.mode = host\nread-only = %s/.ssh\n' "$HOME" >.claude-sandbox.conf
	for command in "run -T -- true" "run --dry-run -- true" "config check"; do
		# shellcheck disable=SC2086 # words
		run cs $command
		assert_status 125
		assert_has "$output" "$P/.claude-sandbox.conf': asks for more than is allowed, and is not trusted"
		assert_has "$output" "claude-sandbox trust"
	done
}

@test "trust shows what loosens, agrees to exactly that content, and worktrees share it" {
	printf 'network.mode = host\nguard = Makefile\n' >.claude-sandbox.conf
	run cs trust
	assert_status 125
	assert_has "$output" "network.mode: none -> host"
	assert_has "$output" "guard: + Makefile"
	assert_has "$output" "no terminal to ask on"
	run cs config check
	assert_status 125
	cs trust --yes
	assert_eq "$(value network.mode)" host
	assert_eq "$(cs trust --list --json | jq -r '.[0].project')" "$P"

	git worktree add -q ../tree
	cp .claude-sandbox.conf ../tree/
	assert_eq "$(cd ../tree && value network.mode)" host

	echo '# changed' >>.claude-sandbox.conf
	run cs config check
	assert_status 125
	assert_has "$output" "not trusted"
	(cd ../tree && cs trust --revoke)
	run cs trust --list
	assert_eq "$output" ""
	cd ../tree
	run cs config check
	assert_status 125
}

@test "another project with the same file is not trusted" {
	echo 'network.mode = host' >.claude-sandbox.conf
	cs trust --yes
	make_project "$HOME/other"
	cp .claude-sandbox.conf "$HOME/other/"
	cd "$HOME/other"
	run cs config check
	assert_status 125
	assert_has "$output" "not trusted"
}

@test "a directory that only claims to be a worktree of a trusted repository is not trusted" {
	echo 'network.mode = host' >.claude-sandbox.conf
	cs trust --yes
	mkdir "$HOME/fake"
	cp .claude-sandbox.conf "$HOME/fake/"
	mkdir -p "$HOME/fake/meta"
	echo "gitdir: $HOME/fake/meta" >"$HOME/fake/.git"
	echo "$P/.git" >"$HOME/fake/meta/commondir"
	echo "$HOME/fake/.git" >"$HOME/fake/meta/gitdir"
	cd "$HOME/fake"
	run cs config check
	assert_status 125
	assert_has "$output" "not trusted"
}

@test "run --trust HASH agrees to that content for that run, and to no other" {
	echo 'limits.pids = 60000' >.claude-sandbox.conf
	hash=$(sha256sum .claude-sandbox.conf | cut -d ' ' -f 1)
	assert_eq "$(cs trust --hash)" "$hash"
	run cs run --trust "${hash//[0-9]/0}" --dry-run -- true
	assert_status 125
	assert_has "$output" "not the content that --trust names"
	run cs run --trust short --dry-run -- true
	assert_status 125
	run cs run --trust "$hash" --dry-run -- true
	assert_status 0
	run cs config check
	assert_status 125
}

@test "its reader takes no links, no devices, nothing large, no nonsense" {
	ln -s /etc/passwd .claude-sandbox.conf
	run cs config check
	assert_status 125
	assert_has "$output" "symbolic link"
	rm .claude-sandbox.conf
	mkfifo .claude-sandbox.conf
	run timeout 10 "$CS" config check
	assert_status 125
	assert_has "$output" "not a regular file"
	rm .claude-sandbox.conf
	head -c 100000 /dev/zero | tr '\0' '#' >.claude-sandbox.conf
	run cs config check
	assert_status 125
	head -c 5000 /dev/urandom >.claude-sandbox.conf
	run cs config check
	assert_status 125
	assert_has "$output" ".claude-sandbox.conf"
	printf 'name = \033]0;title\a\n' >.claude-sandbox.conf
	run cs config check
	assert_status 125
	assert_lacks "$output" $'\033'
}

@test "on a terminal trust asks, and only yes is yes" {
	echo 'network.mode = host' >.claude-sandbox.conf
	tmux_start bash --norc
	tmux_type "$CS trust; echo status=\$?"
	tmux_keys Enter
	tmux_wait 10 'Trust exactly this content of .claude-sandbox.conf\? \[y/N\]'
	tmux_keys Enter
	tmux_wait 10 'status=125'
	run cs config check
	assert_status 125
	tmux_type "clear; $CS trust; echo status=\$?"
	tmux_keys Enter
	tmux_wait 10 '\[y/N\]'
	tmux_type y
	tmux_keys Enter
	tmux_wait 10 'status=0'
	assert_eq "$(value network.mode)" host
}
