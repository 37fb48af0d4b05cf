#!/usr/bin/env bats
# Everyday work inside: each command succeeds and its effect is there, or it fails and says so. Never half-way, and never
# exit 0 for what did not happen.

load guard

# today SCRIPT: must succeed inside, every command of it.
today() {
	run cs run -T -q -- bash -ec "$1"
	assert_status 0
	settled
}

@test "add, commit, branch, switch -c --track, rebase, stash, tag" {
	today 'git switch -qc base; git switch -q main
		echo a >a; git add a; git commit -qm a
		git switch -qc topic --track base; [ "$(git config branch.topic.merge)" = refs/heads/base ]
		echo b >b; git add b; git commit -qm b; git rebase -q main; [ -f a ]
		echo c >>b; git stash -q; git stash pop -q; git checkout -q b
		git branch -m topic renamed; [ "$(git config branch.renamed.merge)" = refs/heads/base ]
		git tag v1; git branch -d base; git branch -u main; git merge -q main; git commit -q --amend -m b2; git revert --no-edit HEAD >/dev/null; git reset -q --hard HEAD~1'
	assert_eq "$(git rev-parse --abbrev-ref HEAD)" renamed
	assert_eq "$(git config branch.renamed.merge)" refs/heads/main
	git fsck >/dev/null
}

@test "remote add, push -u, fetch, pull" {
	git init -q --bare remote.git
	today 'git remote add up "$PWD/remote.git"; git push -q -u up main; [ "$(git rev-parse @{u})" = "$(git rev-parse HEAD)" ]
		git fetch -q up; git pull -q; git remote -v'
	assert_eq "$(git -C remote.git rev-parse main)" "$(git rev-parse main)"
	# a path as a remote would let a push run its hooks: not taken over, but said
	[ -z "$(git config remote.up.url)" ]
	run cs log
	assert_has "$output" remote.up.url
}

@test "a new https remote and a branch's upstream are taken over; an existing remote's new address is not" {
	git remote add origin https://example.org/a.git
	today 'git remote add up https://example.org/b.git; git config branch.main.remote origin; git config branch.main.merge refs/heads/main
		git remote set-url origin https://example.org/evil.git; git config user.email agent@example.org'
	assert_eq "$(git config remote.up.url)" https://example.org/b.git
	assert_eq "$(git config remote.up.fetch)" '+refs/heads/*:refs/remotes/up/*'
	assert_eq "$(git config branch.main.remote)" origin
	assert_eq "$(git config remote.origin.url)" https://example.org/a.git
	[ -z "$(git config --local user.email)" ]
}

@test "guard.git-config = keep takes nothing over" {
	run cs run -T -q -o guard.git-config=keep -- git remote add up https://example.org/b.git
	[ "$status" = 0 ] || {
		mkdir -p "$HOME/.config/claude-sandbox"
		printf '[guard]\ngit-config = keep\n' >"$HOME/.config/claude-sandbox/config"
		run cs run -T -q -- git remote add up https://example.org/b.git
		assert_status 0
	}
	settled
	[ -z "$(git config remote.up.url)" ]
}

@test "worktree add, commit there, remove" {
	today 'git worktree add -q wt -b w; cd wt; echo x >x; git add x; git commit -qm x; cd ..; git worktree list | grep -q wt
		git worktree remove wt; [ ! -e wt ]; git worktree add -q wt w'
	assert_eq "$(git -C wt log --format=%s -1)" x
	today 'cd wt; echo y >y; git add y; git commit -qm y'
	today 'git worktree remove wt; [ ! -e .git/worktrees/wt ]'
	[ ! -e wt ]
}

@test "another worktree, outside, is not pruned from inside" {
	git worktree add -q "$T/wt"
	echo staged >"$T/wt/staged"
	git -C "$T/wt" add staged
	run cs run -T -q -- bash -c 'git worktree add -q new && git worktree remove new; git worktree prune'
	settled
	assert_eq "$(git -C "$T/wt" status --short)" 'A  staged'
}

@test "gc, fsck, repack, pack-refs, with another worktree there" {
	git worktree add -q "$T/wt"
	today 'git gc -q; git fsck --no-progress; git repack -adq; git pack-refs --all; git gc -q --prune=now; git maintenance run --quiet'
	git fsck --no-progress
	git -C "$T/wt" status >/dev/null
}

@test "submodule add, update --init, commit in it; its origin is taken over" {
	git init -q "$HOME/project/seed"
	git -C seed commit -q --allow-empty -m s
	echo seed >.git/info/exclude
	today 'git -c protocol.file.allow=always submodule --quiet add "$PWD/seed" libs/sub; git commit -qm sub
		git -C libs/sub commit -q --allow-empty -m t; git submodule status'
	assert_eq "$(git -C libs/sub log --format=%s -1)" t
	git status >/dev/null
	git clone -q . "$T/home/clone"
	cd "$T/home/clone"
	cp -r ../project/seed .
	today 'git submodule --quiet init; git config submodule.libs/sub.url "$PWD/seed"
		git -c protocol.file.allow=always submodule --quiet update; [ -e libs/sub/.git ]; git -C libs/sub log --oneline'
	[ -e libs/sub/.git ]
}

@test "init, clone, init --bare in the project" {
	today 'git init -q a; git -C a commit -q --allow-empty -m x; git clone -q a b; git init -q --bare c.git; git -C b push -q ../c.git HEAD:main'
	assert_eq "$(git -C b log --format=%s -1)" x
	assert_eq "$(git -C c.git log --format=%s -1 main)" x
}

@test "a project that is no repository: git init inside" {
	mkdir "$HOME/plain"
	cd "$HOME/plain"
	today 'git init -q; echo x >x; git add x; git commit -qm x'
	assert_eq "$(git log --format=%s -1)" x
}

@test "lfs install --local, track, commit; lfs install says what it cannot write" {
	need git-lfs
	today 'git lfs install --local >/dev/null; git lfs track "*.bin" >/dev/null; echo x >a.bin; git add -A; git commit -qm lfs
		git lfs ls-files | grep -q a.bin'
	run cs run -T -q -- git lfs install
	[ "$status" != 0 ]
	assert_has "$output" .gitconfig
}

@test "pre-commit install: its hook runs inside, stays there, and that is said" {
	need pre-commit
	cat >.pre-commit-config.yaml <<-'END'
		repos:
		- repo: local
		  hooks:
		  - {id: a, name: a, language: system, entry: touch ran, always_run: true, pass_filenames: false}
	END
	git add -A
	git commit -qm pc
	today 'pre-commit install; git commit -q --allow-empty -m x; [ -e ran ]'
	[ ! -e .git/hooks/pre-commit ]
	run cs log
	assert_has "$output" 'git hook kept inside: pre-commit'
}

packages() {
	need npm node
	PKG=$("$BATS_TEST_DIRNAME/packages.sh")
	mkdir vendor
	cp "$PKG"/*.tgz vendor/
	echo node_modules >.gitignore
}
INSTALL='npm install --offline --no-audit --no-fund --foreground-scripts'

@test "npm install with husky: a fresh clone, an installed one, a first time" {
	packages
	echo '{"name":"x","version":"1.0.0","scripts":{"prepare":"husky"},"devDependencies":{"husky":"file:vendor/husky-9.1.7.tgz"}}' >package.json
	today "$INSTALL; [ \$(git config core.hooksPath) = .husky/_ ]; echo 'touch ran' >.husky/pre-commit; git commit -q --allow-empty -m x; [ -e ran ]"
	[ -z "$(git config core.hooksPath)" ]
	git add -A
	git commit -qm all
	rm -rf .husky/_ ran node_modules
	today "$INSTALL; git commit -q --allow-empty -m x; [ -e ran ]"
	rm -rf node_modules ran
	$INSTALL >/dev/null 2>&1
	assert_eq "$(git config core.hooksPath)" .husky/_
	today "$INSTALL; git commit -q --allow-empty -m x; [ -e ran ]"
	attack 'echo "$CANARY" >>.husky/pre-commit; echo "$CANARY" >>.husky/_/pre-commit; echo "$CANARY" >.husky/pre-push; mv .husky h'
	git commit -q --allow-empty -m y
	host_git
}

@test "npm install with lefthook" {
	packages
	printf 'pre-commit:\n  commands:\n    a:\n      run: touch ran\n' >lefthook.yml
	# its binary is a package of its own, named for the machine; given here, so that nothing is asked of a registry
	local arch
	arch=$(node -p process.arch)
	echo "{\"name\":\"x\",\"version\":\"1.0.0\",\"scripts\":{\"prepare\":\"lefthook install\"},\"devDependencies\":{\"lefthook\":\"file:vendor/lefthook-1.13.6.tgz\",\"lefthook-linux-$arch\":\"file:vendor/lefthook-linux-$arch-1.13.6.tgz\"}}" >package.json
	git add -A
	git commit -qm all
	today "$INSTALL; echo x >x; git add x; git commit -q -m x; [ -e ran ]"
	[ ! -e .git/hooks/pre-commit ]
	# and armed on the host, its configuration is guarded
	$INSTALL >/dev/null 2>&1
	[ -e .git/hooks/pre-commit ]
	attack 'printf "pre-commit:\n  commands:\n    a:\n      run: %s\n" "$CANARY" >lefthook.yml; cp lefthook.yml lefthook-local.yml
		printf "pre-commit:\n  commands:\n    b:\n      run: %s\n" "$CANARY" >lefthook-local.yml; sleep 0.2'
	echo z >z
	git add z
	git commit -q -m z
	host_git
}
