#!/usr/bin/env bats
# Git directories prepared so that the host's git runs or writes something: found by the hostile review. What an earlier
# session left lying counts as prepared too.

load guard

# A git directory whose status runs the canary.
mk='mk() { git init -q --bare "$1" && git --git-dir="$1" config core.fsmonitor "$CANARY;false" && git --git-dir="$1" config core.bare false; }'

@test "a worktree's directory whose common directory is not one that looks like git's" {
	attack "$mk"'; mkdir -p docs foo/worktrees/x; mk /tmp/g; cp -r /tmp/g/objects /tmp/g/refs /tmp/g/config foo/
		echo "ref: refs/heads/main" >foo/worktrees/x/HEAD; echo ../.. >foo/worktrees/x/commondir
		echo "gitdir: ../foo/worktrees/x" >docs/.git'
	host_git docs
}

@test "a gitfile that leads through a link, into what is not watched and into the sandbox's home" {
	attack "$mk"'; mkdir -p docs node_modules; mk node_modules/g; ln -s node_modules/g lnk; echo "gitdir: ../lnk" >docs/.git'
	host_git docs
	attack "$mk"'; mk ~/g; rm -rf docs lnk; mkdir docs; ln -s "$1" lnk; echo "gitdir: ../lnk/g" >docs/.git' \
		"$HOME/.local/share/claude-sandbox/homes/project"
	host_git docs
	attack "$mk"'; rm -rf docs later; mkdir -p docs; mk node_modules/h; echo "gitdir: ../later" >docs/.git; sleep 0.3; ln -s node_modules/h later'
	host_git docs
}

@test "a gitfile with a newline in its path, one behind a link, one that is padded" {
	attack "$mk"'; mkdir -p docs node_modules; mk "node_modules/g
x"; printf "gitdir: ../node_modules/g\nx\n" >docs/.git'
	host_git docs
	attack "$mk"'; rm -rf docs; mkdir -p docs; mk ~/g; echo "gitdir: $1/g" >gf; ln -s ../gf docs/.git' \
		"$HOME/.local/share/claude-sandbox/homes/project"
	host_git docs
	attack "$mk"'; rm -rf docs; mkdir -p docs; mk node_modules/p; { printf "gitdir: ../node_modules/p"; head -c 9000 /dev/zero | tr "\0" "\n"; } >docs/.git'
	host_git docs
}

@test "what an earlier session prepared is not old because its files are" {
	attack "$mk"'; mkdir -p node_modules/e node_modules/f hk; mk node_modules/e/.git; mk node_modules/f/.git
		printf "#!/bin/sh\n%s\n" "$CANARY" >hk/post-checkout; chmod +x hk/post-checkout'
	sleep 0.1
	attack 'mv node_modules/e docs; mkdir sub; echo "gitdir: ../node_modules/f/.git" >sub/.git
		git init -q new && rm -r new/.git/hooks && mv hk new/.git/hooks; cd new && echo a >a && git add a && git commit -qm x'
	host_git docs sub
	(cd new && git checkout -q -b y) || true
	canary_dead
}

@test "links in .git: the host's git writes nothing through them" {
	printf 'mine\n' >"$HOME/precious"
	attack 'rm .git/logs/HEAD .git/COMMIT_EDITMSG; ln -s "$1" .git/logs/HEAD; ln -s "$1" .git/COMMIT_EDITMSG; ln -s "$1" .git/FETCH_HEAD
		ln -s "$1" .git/logs/refs/heads/x; mkdir .git/rebase-merge; ln -s "$1" .git/rebase-merge/message; mkfifo .git/MERGE_MSG; mv .git/info i
		mkdir d; ln -s "$1" d/HEAD; mv d .git/info; true' "$HOME/precious"
	git commit -q --allow-empty -m hello
	git fetch -q . HEAD
	git checkout -q -b x
	[ "$(cat "$HOME/precious")" = mine ]
	[ -z "$(find .git -type l)" ]
	[ ! -p .git/MERGE_MSG ]
	quarantined HEAD
}

@test "an index with names that git never writes" {
	cat >idx.py <<-'E'
		import hashlib, struct, subprocess, sys, os
		def blob(data):
		    return subprocess.run(["git", "hash-object", "-w", "--stdin"], input=data, capture_output=True).stdout.strip().decode()
		def entry(path, mode, sha):
		    e = struct.pack(">10I", 0, 0, 0, 0, 0, 0, mode, 0, 0, 0) + bytes.fromhex(sha) + struct.pack(">H", len(path)) + path
		    return e + b"\0" * (8 - len(e) % 8)
		evil = blob(b"#!/bin/sh\n" + os.environ["CANARY"].encode() + b"\n")
		d = b"DIRC" + struct.pack(">II", 2, 1) + entry(sys.argv[1].encode(), 0o100755, evil)
		open(".git/index", "wb").write(d + hashlib.sha1(d).digest())
	E
	local name
	for name in .git/hooks/post-checkout .GIT/hooks/post-checkout ../escaped a//b; do
		attack 'python3 idx.py "$1"' "$name"
		git checkout . >/dev/null 2>&1 || true
		git checkout . >/dev/null 2>&1 || true
		[ ! -e .git/hooks/post-checkout ]
		[ ! -e ../escaped ]
		canary_dead
		quarantined index
		git reset -q
	done
}

@test "indexes that git writes stay: versions 2 to 4, split, sparse" {
	attack 'mkdir -p d/e && echo 1 >d/e/f && git add d && for v in 2 3 4; do git update-index --index-version $v; done && git commit -qm d &&
		git update-index --split-index && echo 2 >d/g && git add -N d/g && git add d/g && git sparse-checkout set --cone d --sparse-index && sleep 0.7'
	assert_status 0
	[ -f .git/index ]
	git status
}

@test "a push on the host goes nowhere else: no branch is led to a new remote, no upstream is changed" {
	git remote add origin https://example.org/a.git
	git remote add public https://example.org/p.git
	git config branch.main.remote origin
	git config branch.main.merge refs/heads/main
	attack 'git remote add evil https://evil.example.org/x.git; git config branch.main.remote evil; git config branch.main.pushRemote evil
		git config branch.main.merge refs/heads/other; git config branch.new.remote evil; git config branch.two.remote public
		git config remote...url https://evil.example.org/x.git; git config remote.docs/x.url https://evil.example.org/x.git'
	assert_eq "$(git config branch.main.remote)" origin
	assert_eq "$(git config branch.main.merge)" refs/heads/main
	assert_eq "$(git config remote.evil.url)" https://evil.example.org/x.git
	assert_eq "$(git config branch.two.remote)" public
	[ -z "$(git config branch.main.pushRemote)$(git config branch.new.remote)$(git config remote...url)$(git config remote.docs/x.url)" ]
}

@test "a flood in the private copies holds up neither the end nor the next start" {
	attack 'python3 -c "
import os
for i in range(6000):
    f = open(\".git/hooks/h%d\" % i, \"w\"); f.truncate(1 << 20); f.close()
os.chdir(os.path.dirname(os.readlink(\".git/config\")))
f = open(\"config\", \"w\"); f.truncate(1 << 40); f.close()
for i in range(3000):
    os.mkdir(\"d\"); os.chdir(\"d\")"'
	assert_status 0
	SECONDS=0
	cs run -d -- sleep 100
	cs exec -- python3 -c '
import os
for i in range(4000):
    f = open(".git/hooks/h%d" % i, "w"); f.truncate(1 << 20); f.close()'
	cs stop
	cs run -T -- true
	[ "$SECONDS" -lt 12 ] || fail "took $SECONDS s"
}

@test "git init finds links: its own probe is left alone" {
	attack 'for i in $(seq 30); do git init -q r$i; git -C r$i config core.symlinks; done; git init -q --bare b; git clone -q . c'
	assert_eq "$output" ''
	assert_lacks "$stderr" 'a link in a git directory'
}

@test "a script in the project that the host's configuration runs by its bare name" {
	git config filter.f.clean 'sh fil.sh %f'
	printf 'cat\n' >fil.sh
	attack 'printf "%s\n" "$CANARY" >fil.sh; echo "* filter=f" >.gitattributes; echo q >>README; ls'
	git add . >/dev/null 2>&1 || true
	host_git
}
