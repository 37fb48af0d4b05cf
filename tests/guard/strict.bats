#!/usr/bin/env bats
# guard.absent = strict: a guarded name that is absent cannot be made at all, by any call, and everything else can.
load ../lib/common

setup() {
	cs_setup
	mkdir -p "$HOME/.config/claude-sandbox"
	printf '[guard]\nabsent = strict\n' >"$HOME/.config/claude-sandbox/config"
}
teardown() { cs_teardown; }

# Nothing guarded stands in the project, and nothing was moved away either: it never came into being.
untouched() {
	[ ! -e .envrc ] && [ ! -L .envrc ]
	[ ! -e .vscode ]
	[ ! -e .claude/settings.json ]
	run cs log --json
	[[ "$output" != *quarantined* ]]
}

@test "strict: open, mkdir, symlink, rename, link, mknod of a guarded name are refused" {
	run cs run -T -- bash -c '
		echo a >plain
		echo x >.envrc && echo MADE open
		mkdir .vscode && echo MADE mkdir
		ln -s plain .envrc && echo MADE symlink
		ln plain .envrc && echo MADE link
		mv plain .envrc && echo MADE rename
		mkfifo .envrc && echo MADE fifo
		ln -s .envrc innocent; echo x >innocent && echo MADE through a link
		mkdir x; echo x >x/settings.json; mv x .claude && echo MADE directory
		ln -s x .claude && echo MADE ancestor
		cd / && echo x >"$OLDPWD/.envrc" && echo MADE absolute
		exit 0'
	[ "$status" = 0 ]
	[[ "$output" != *MADE* ]]
	[[ "$output" == *"Permission denied"* ]]
	[ -f plain ]
	untouched
}

@test "strict: everyday work goes on" {
	cs run -T -- bash -ec '
		echo a >a; mkdir -p d/e; mv a d/a; ln d/a d/b; ln -s d/a link;
		git add a d 2>/dev/null || git add d; git commit -qm more; git switch -qc topic; git stash -u -q; git stash pop -q; (umask 077; echo p >private)
		echo h >~/.h; mv ~/.h ~/.i; echo t >/tmp/t; mktemp >/dev/null; (echo later >later) & wait'
	[ "$(stat -c %a private)" = 600 ]
	[ "$(git rev-parse --abbrev-ref HEAD)" = topic ]
	[ -L link ]
	[ -f later ]
	untouched
}

@test "strict: the plan shows the names" {
	run cs run --dry-run
	[ "$status" = 0 ]
	[[ "$output" == *"absent "*"/.envrc"* ]]
}
