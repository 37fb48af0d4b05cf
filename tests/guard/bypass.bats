#!/usr/bin/env bats
# Every known way around a guarded .git (FACTS, kernel and git facts 3 to 6, escapes 1, 8, 21, 23, 24), tried from inside.

load guard

@test "git config inside: core.fsmonitor stays in the private copy" {
	attack 'git config core.fsmonitor "$CANARY" && git config core.fsmonitor'
	assert_has "$output" touch
	assert_lacks "$(cat .git/config)" fsmonitor
	host_git
}

@test ".git/config written, replaced, removed, renamed, linked: refused or private" {
	attack 'set -x
		printf "[core]\n\tfsmonitor = %s\n" "$CANARY" >evil
		cp evil .git/config; mv -f evil .git/config; rm -f .git/config; ln -sf /x .git/config; mv .git/config .git/c2
		printf "[core]\n\tfsmonitor = %s\n" "$CANARY" >>.git/config; true'
	assert_lacks "$(cat .git/config)" fsmonitor
	host_git
}

@test "mv .git around the guard" {
	attack 'mv .git g && mkdir .git && cp -r g/* .git/ && printf "[core]\nfsmonitor=%s\n" "$CANARY" >>.git/config'
	assert_has "$stderr" 'Device or resource busy'
	[ ! -e g ]
	host_git
}

@test ".git/hooks: what is written stays inside, and is named" {
	attack 'printf "#!/bin/sh\n%s\n" "$CANARY" >.git/hooks/pre-commit && chmod +x .git/hooks/pre-commit
		cp .git/hooks/pre-commit .git/hooks/post-index-change; cp .git/hooks/pre-commit .git/hooks/reference-transaction'
	assert_status 0
	[ ! -e .git/hooks/pre-commit ]
	git commit -q --allow-empty -m x
	host_git
}

@test ".git/commondir created" {
	attack 'mkdir c && cp -r .git/. c/ && printf "[core]\nfsmonitor=%s\n" "$CANARY" >>c/config && echo ../c >.git/commondir'
	[ ! -e .git/commondir ]
	quarantined commondir
	host_git
}

@test ".git/HEAD removed, and a bare layout in the project's top" {
	attack 'cp -r .git/objects .git/refs . && cp .git/HEAD HEAD && printf "[core]\nfsmonitor=%s\nworktree=.\n" "$CANARY" >config
		rm .git/HEAD; sleep 0.3'
	[ -f .git/HEAD ]
	[ ! -e HEAD ]
	host_git
	git status
}

@test ".git/HEAD made nonsense, a directory, a link; .git/objects and .git/refs moved away" {
	local how
	for how in 'echo nonsense >.git/HEAD' 'rm .git/HEAD; mkdir .git/HEAD' 'rm .git/HEAD; ln -s /nowhere .git/HEAD' \
		'mv .git/objects o' 'mv .git/refs r' 'rm -rf .git/refs' 'chmod 000 .git/refs'; do
		attack "cp -r .git/objects .git/refs . ; cp .git/HEAD HEAD; printf '[core]\nfsmonitor=%s\nworktree=.\n' \"\$CANARY\" >config; $how; sleep 0.2"
		chmod 755 .git/refs
		host_git || fail "after: $how"
		rm -rf HEAD objects refs config o r
		[ -f .git/HEAD ] && [ -d .git/objects ] && [ -d .git/refs ] || fail "no repository after: $how"
	done
}

@test "a nested repository's own config, there before and new" {
	git init -q old
	mkdir docs
	attack 'git -C old config core.fsmonitor "$CANARY"; git init -q docs; git -C docs config core.fsmonitor "$CANARY"
		printf "#!/bin/sh\n%s\n" "$CANARY" >docs/.git/hooks/post-index-change; chmod +x docs/.git/hooks/*
		git init -q new; git -C new config alias.st "!$CANARY"; printf "[core]\n\tfsmonitor = %s\n" "$CANARY" >>old/.git/config
		sleep 0.2'
	host_git old docs new
	assert_lacks "$(cat old/.git/config)" fsmonitor
	[ ! -e docs/.git/config ] || assert_lacks "$(cat docs/.git/config)" fsmonitor
}

@test "a harmless new repository stays, with its commits" {
	attack 'git init -q new && cd new && echo x >y && git add y && git commit -qm y'
	assert_status 0
	assert_eq "$(git -C new log --format=%s)" y
}

submodule() {
	git init -q "$T/sub"
	git -C "$T/sub" commit -q --allow-empty -m s
	git -c protocol.file.allow=always submodule --quiet add "$T/sub" libs/sub
	git commit -qm sub
}

@test "a submodule's config, hooks and gitfile repointed" {
	submodule
	attack 'git -C libs/sub config core.fsmonitor "$CANARY"
		mkdir evil; cp -r .git/modules/libs/sub/. evil/; printf "[core]\nfsmonitor=%s\n" "$CANARY" >>evil/config
		echo "gitdir: ../../evil" >libs/sub/.git; rm -f libs/sub/.git
		mv libs/sub libs/sub2; mv libs libs2; mkdir -p libs/sub; echo "gitdir: ../../evil" >libs/sub/.git
		printf "#!/bin/sh\n%s\n" "$CANARY" >.git/modules/libs/sub/hooks/post-index-change
		mv .git/modules .git/m2; sleep 0.2'
	host_git libs/sub libs/sub2 libs2/sub
	[ -d .git/modules/libs/sub ]
}

@test "a worktree's commondir repointed" {
	git worktree add -q "$T/wt"
	attack 'mkdir evil; cp -r .git/. evil/; printf "[core]\nfsmonitor=%s\n" "$CANARY" >>evil/config
		echo "$PWD/evil" >.git/worktrees/wt/commondir; mv .git/worktrees .git/w2; mv .git/worktrees/wt .git/worktrees/w; rm -rf .git/worktrees
		git worktree prune'
	(cd "$T/wt" && git status) >/dev/null
	host_git
}

@test "config.worktree, with extensions.worktreeConfig on and off" {
	attack 'git config extensions.worktreeConfig true; git config --worktree core.fsmonitor "$CANARY"; sleep 0.2'
	host_git
	git config extensions.worktreeConfig true
	host_git
	attack 'git config --worktree core.fsmonitor "$CANARY"; printf "[core]\nfsmonitor=%s\n" "$CANARY" >.git/config.worktree; sleep 0.2'
	host_git
}

@test "core.hooksPath into the project, there before and absent" {
	mkdir hooks
	printf '#!/bin/sh\nexit 0\n' >hooks/post-index-change
	chmod +x hooks/post-index-change
	git config core.hooksPath hooks
	attack 'printf "#!/bin/sh\n%s\n" "$CANARY" >hooks/post-index-change; cp hooks/post-index-change hooks/pre-commit; mv hooks h2
		mkdir hooks; printf "#!/bin/sh\n%s\n" "$CANARY" >hooks/post-index-change; chmod +x hooks/*'
	assert_has "$stderr" 'Read-only file system'
	git commit -q --allow-empty -m x
	host_git
	git config core.hooksPath later/hooks
	attack 'mkdir -p later/hooks && printf "#!/bin/sh\n%s\n" "$CANARY" >later/hooks/post-index-change && chmod +x later/hooks/*; sleep 0.2'
	git commit -q --allow-empty -m x
	host_git
}

@test "include.path into the project, there before and absent; an included file's own include" {
	printf '[include]\n\tpath = two.conf\n' >one.conf
	: >two.conf
	git config include.path ../one.conf
	git config --add include.path ../three.conf
	attack 'for f in one two three; do printf "[core]\nfsmonitor=%s\n" "$CANARY" >>$f.conf; done; mv two.conf 2; rm -f one.conf; sleep 0.2'
	host_git
}

@test "the global configuration's core.hooksPath and includes that lead into a project" {
	git config --global core.hooksPath .githooks
	attack 'mkdir .githooks && printf "#!/bin/sh\n%s\n" "$CANARY" >.githooks/post-index-change && chmod +x .githooks/*; sleep 0.2'
	host_git
}

@test "a program in the project that the host's configuration runs" {
	mkdir tools
	printf '#!/bin/sh\nexit 1\n' >tools/monitor
	chmod +x tools/monitor
	git config core.fsmonitor tools/monitor
	attack 'printf "#!/bin/sh\n%s\n" "$CANARY" >tools/monitor; mv tools t2; rm -rf tools; mkdir tools; printf "#!/bin/sh\n%s\n" "$CANARY" >tools/monitor'
	host_git
}

@test "an embedded bare repository" {
	mkdir docs
	attack 'git init -q --bare docs; git -C docs config core.fsmonitor "$CANARY"; git -C docs config core.bare false
		git -C docs config core.worktree "$PWD/docs"; sleep 0.2'
	host_git docs
	attack 'mkdir -p a/b; cd a/b; cp -r ../../.git/objects ../../.git/refs .; cp ../../.git/HEAD .
		printf "[core]\nrepositoryformatversion=0\nworktree=.\nfsmonitor=%s\n" "$CANARY" >config; sleep 0.2'
	host_git a/b
}

@test "a gitfile or link .git in a subdirectory that leads to a prepared directory" {
	mkdir docs docs2
	attack 'mkdir evil; cp -r .git/. evil/; printf "[core]\nworktree=.\nfsmonitor=%s\n" "$CANARY" >>evil/config
		echo "gitdir: ../evil" >docs/.git; ln -s ../evil docs2/.git; sleep 0.2'
	host_git docs docs2
}

@test "escape 1: an absent .claude/settings.json with a hook" {
	attack 'mkdir -p .claude && echo "{\"hooks\":{}}" >.claude/settings.json; sleep 0.2; ls .claude'
	[ ! -e .claude/settings.json ]
	assert_lacks "$output" settings.json
	quarantined settings.json
	attack 'mkdir x; echo {} >x/settings.json; rm -rf .claude; mv x .claude; sleep 0.1'
	[ ! -e .claude/settings.json ]
	attack 'mkdir y; echo {} >y/settings.json; rm -rf .claude; ln -s y .claude; sleep 0.1'
	[ ! -e .claude/settings.json ]
}

@test "every absent name of the default list is taken away" {
	attack 'for n in .envrc .mcp.json .exrc .nvim.lua .gdbinit .dir-locals.el mise.toml .claude-sandbox.conf; do echo x >$n; done
		for n in .vscode .idea .zed .cursor .devcontainer; do mkdir $n; echo x >$n/tasks.json; done; sleep 0.3; ls -A'
	local n
	for n in .envrc .mcp.json .exrc .nvim.lua .gdbinit .dir-locals.el mise.toml .claude-sandbox.conf .vscode .idea .zed .cursor .devcontainer; do
		[ ! -e "$n" ] || fail "$n is there"
	done
}

@test "what is there is refused at once: EROFS, EBUSY" {
	mkdir -p .vscode .claude
	echo '{}' >.vscode/tasks.json
	echo '{}' >.claude/settings.json
	echo x >.envrc
	attack 'echo y >.vscode/tasks.json; echo y >.vscode/new; echo y >.envrc; rm -f .envrc; mv .vscode v; mv .claude c; echo y >.claude/settings.json
		ln -sf /etc/passwd .envrc; mv -f .claude/settings.json z'
	assert_eq "$(cat .vscode/tasks.json .claude/settings.json .envrc | tr -d '\n')" '{}{}x'
	[ ! -e .vscode/new ]
	assert_has "$stderr" 'Read-only file system'
	assert_has "$stderr" 'Device or resource busy'
}

@test "escape 8: a guarded link, and one made after start" {
	mkdir elsewhere
	echo '{}' >elsewhere/settings.json
	ln -s elsewhere .claude
	attack 'echo evil >elsewhere/settings.json; echo evil >.claude/settings.json; rm -f .claude; ln -sfn /tmp .claude; mv elsewhere e2; true'
	assert_eq "$(cat .claude/settings.json)" '{}'
	attack 'mkdir t; echo x >t/tasks.json; ln -s t .vscode; sleep 0.1'
	[ ! -e .vscode ]
}

@test "escape 21: a guarded directory swapped for a link between two runs" {
	attack 'true'
	mkdir "$T/outside"
	rm -rf .git/hooks
	ln -s "$T/outside" .git/hooks
	attack 'echo x >.git/hooks/pre-commit; rm -f .git/hooks; true'
	[ ! -e "$T/outside/pre-commit" ]
	[ -L .git/hooks ]
}

@test "escape 23: a hard link to a file outside is reported" {
	echo x >"$T/outside"
	ln "$T/outside" inside.txt
	cs run -T -- true
	settled
	run cs log --json
	assert_has "$output" hardlink
	assert_has "$output" inside.txt
}

@test "escape 24: a commit in a linked worktree works, and .git of it is guarded" {
	git worktree add -q "$T/home/wt"
	cd "$T/home/wt"
	P=$PWD
	attack 'echo w >w && git add w && git commit -qm w && git log --format=%s -1 && mv .git g; echo "gitdir: /tmp" >.git
		git config core.fsmonitor "$CANARY"; echo ../../x >"$(git rev-parse --git-dir)/commondir"; echo x >"$(git rev-parse --git-common-dir)/hooks/x"'
	assert_eq "${lines[0]}" w
	assert_eq "$(git log --format=%s -1)" w
	host_git
	P=$HOME/project host_git
}

@test "a .git that points to a repository elsewhere, without that pointing back, is not mounted" {
	make_project "$HOME/other"
	echo secret >"$HOME/other/.git/secret"
	mkdir "$HOME/fake"
	echo "gitdir: $HOME/other/.git" >"$HOME/fake/.git"
	cd "$HOME/fake"
	P=$PWD
	attack "cat $HOME/other/.git/secret; git log; true"
	assert_lacks "$output$stderr" secret$'\n'
	assert_lacks "$output" secret
}

@test "the oracle works: with the guards lifted the canary runs" {
	CANARY=$(canary_cmd)
	run cs run -T -q --guard '!.git' -e CANARY="$CANARY" -- sh -c 'git config core.fsmonitor "$CANARY"'
	assert_status 0
	settled
	git status >/dev/null 2>&1 || true
	[ -e "$T/canary" ] || fail "the canary never runs: no test here means anything"
	rm -f "$T/canary"
	git config --unset core.fsmonitor
	run cs run -T -q --guard '!.git/hooks' -- sh -c 'echo x >.git/hooks/pre-push'
	assert_status 0
	[ -e .git/hooks/pre-push ]
	run cs run -T -q --guard '!.vscode' -- sh -c 'mkdir .vscode; sleep 0.1'
	[ -d .vscode ]
}

@test "a hard link to a guarded file in the project, made before it was guarded" {
	attack 'mkdir scripts; echo "exit 0" >scripts/monitor; chmod +x scripts/monitor; ln scripts/monitor scripts/.spare; echo a >.spare2'
	git config core.fsmonitor scripts/monitor
	run cs run -T -q -- true
	assert_status 125
	assert_has "$output" 'hard link'
	assert_has "$output" 'cp -p'
	cp -p scripts/monitor m && mv m scripts/monitor
	run cs run -T -q -- true
	assert_status 0
	# a second name outside the project is not reachable
	echo x >.envrc
	ln .envrc "$T/elsewhere"
	run cs run -T -q -- true
	assert_status 0
	ln .git/config gitconfig-too
	run cs run -T -q -- true
	assert_status 125
}
