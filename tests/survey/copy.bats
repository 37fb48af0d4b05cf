#!/usr/bin/env bats
# project-mode copy: the sandbox works on a copy, which is kept; the project is neither changed nor visible.
load ../lib/common

D() { echo "$HOME/.local/share/claude-sandbox/copies"; }
copies() { find "$(D)" -mindepth 2 -maxdepth 2 2>/dev/null | sort; }
tree() { (cd "$1" && find . -printf '%P %y %m %s %l\n' | sort && find . -type f -print0 | sort -z | xargs -0 sha256sum); }
none_runs() { [ "$(cs ls --json | tr -d ' \n')" = '[]' ]; }
copy() { cs run -T --project-mode copy -- sh -c "$1" sh "${@:2}"; }

@test "the project stays as it was, the copy has the changes, and is named" {
	local before c
	ln -s README link
	ln -s "$P/README" absolute
	ln -s /etc/passwd out
	ln README hard
	chmod 700 hard
	before=$(tree "$P")
	run -0 --separate-stderr copy 'pwd; cat README absolute; echo changed >README; echo new >new; rm link
		git add -A && git commit -qm second && git log --oneline | wc -l'
	assert_eq "$output" "$P
hello
hello
2"
	assert_eq "$(tree "$P")" "$before"
	[ "$(copies | wc -l)" = 1 ]
	c=$(copies)
	assert_eq "$(cat "$c/README" "$c/hard" "$c/new")" "changed
changed
new"
	[ ! -e "$c/link" ]
	assert_eq "$(readlink "$c/out")" /etc/passwd
	assert_eq "$(stat -c %a "$(D)")" 700
	# shellcheck disable=SC2154 # run sets it
	assert_has "$stderr" "diff -r --no-dereference $P $c"
	# the commands of the receipt, as they are
	run -1 sh -c "$(sed -n 's/.*see its changes: *//p' <<<"$stderr")"
	assert_has "$output" 'Only in'
	sh -c "$(sed -n 's/.*take them: *//p' <<<"$stderr")"
	assert_eq "$(cat README new)" "changed
new"
	assert_eq "$(git log --oneline | wc -l)" 2
}

@test "nothing of the real project is there, whichever way it is asked for" {
	mkdir sub
	echo original >sub/file
	run -0 cs run -T --project-mode copy --rw "$P/sub" --ro "$P/README" -- \
		sh -c 'echo changed >sub/file; echo x >>README 2>/dev/null; cat sub/file'
	assert_has "$output" changed
	assert_eq "$(cat sub/file README)" "original
hello"
	mkdir -p "$HOME/all/deep"
	mv "$P" "$HOME/all/deep/p"
	cd "$HOME/all/deep/p"
	run -0 cs run -T --project-mode copy --rw "$HOME/all" -- \
		sh -c 'echo mine >README; cat ~/all/deep/p/README; touch ~/all/beside; ls '"$(D)"' 2>&1; true'
	assert_eq "$(cat README)" hello
	[ -e "$HOME/all/beside" ]
	assert_has "$output" 'No such file'
}

@test "what the host would obey is guarded in the copy too" {
	local c
	mkdir .vscode
	echo '{}' >.vscode/settings.json
	run -0 copy '(echo x >.vscode/settings.json) 2>/dev/null && echo wrote; (echo x >.git/hooks/pre-commit) 2>/dev/null
		git config core.fsmonitor "'"$(canary_cmd)"'"; git config core.fsmonitor; git branch other
		echo x >.envrc; sleep 0.5; true'
	assert_lacks "$output" wrote
	c=$(copies)
	assert_eq "$(cat "$c/.vscode/settings.json")" '{}'
	[ ! -e "$c/.git/hooks/pre-commit" ]
	wait_for 10 test ! -e "$c/.envrc"
	assert_has "$output" "$(basename "$c")/.envrc"
	git -C "$c" status >/dev/null
	canary_dead
	git -C "$c" rev-parse -q --verify other >/dev/null
	run -0 cs run -T --project-mode copy --guard '!.vscode' -- sh -c 'echo x >.vscode/settings.json'
}

@test "each start has a copy of its own; rm and prune ask before they remove one" {
	local name
	run -0 copy 'echo one >README'
	run -0 copy 'cat README; echo two >README'
	assert_has "$output" hello
	[ "$(copies | wc -l)" = 2 ]
	name=$(basename "$(dirname "$(copies | head -n 1)")")
	run -0 cs df
	assert_has "$output" copies/
	wait_for 10 none_runs
	run -0 cs rm "$name"
	assert_has "$output" 'rm --copies'
	run -125 cs rm --copies "$name"
	assert_has "$output" '--yes'
	[ "$(copies | wc -l)" = 2 ]
	run -0 cs prune --yes
	[ "$(copies | wc -l)" = 2 ]
	run -0 cs reset --yes
	[ "$(copies | wc -l)" = 2 ]
	sleep 2.1
	run -125 cs prune --older-than 1s
	[ "$(copies | wc -l)" = 2 ]
	run -0 cs rm --copies --yes "$name"
	assert_lacks "$(copies)" "/$name/"
	run -0 copy 'true'
	wait_for 10 none_runs
	sleep 2.1
	run -0 cs prune --older-than 1s --yes
	assert_eq "$(copies)" ''
	run -125 cs rm --copies ../homes
}

@test "a running one: a second shell shares it, its copy is in use, a kill leaves it" {
	local c
	need tmux jq
	tmux_start "$CS" run --project-mode copy
	tmux_wait 20 '\$|#|%'
	tmux_type 'echo shared >README; echo re''ady'
	tmux_keys Enter
	tmux_wait 20 '^ready'
	run -0 cs exec -T project -- cat README
	assert_eq "$output" shared
	run -125 cs run --project-mode ro -t -- true
	run -125 cs rm --copies --yes project
	run -0 cs prune --older-than 0s --yes
	c=$(copies)
	assert_eq "$(cs inspect --json project | jq -r .copy)" "$c"
	kill -KILL "$(cs inspect --json project | jq .pid)"
	wait_for 10 none_runs
	assert_eq "$(cat "$c/README")" shared
	assert_eq "$(cat README)" hello
	run -0 copy 'git log --oneline | wc -l'
}

@test "odd names" {
	local odd n
	# shellcheck disable=SC2016
	for odd in '-rf' 'a b $HOME `x` '\''q' $'new\nline' $'\xff\xfe'; do
		rm -rf "$(D)"
		mkdir -p "$HOME/odd/$odd"
		cd "$HOME/odd/$odd"
		echo x >"$odd"
		echo y >-t
		ln -s -- "$odd" --link
		run -0 copy 'cat ./*; echo z >-t'
		assert_has "$output" x
		assert_eq "$(cat ./-t)" y
		n=$(find "$(D)" -name -t | wc -l)
		[ "$n" = 1 ]
	done
}

@test "--dry-run copies nothing and shows it" {
	run -0 cs run --project-mode copy --dry-run -- true
	assert_has "$output" 'copy of the project'
	assert_has "$output" "$P/.git/config"
	[ ! -e "$(D)" ]
}

@test "refused: a linked worktree, copies within the project, what cannot be read" {
	git worktree add -q "$HOME/linked"
	cd "$HOME/linked"
	run -125 copy true
	assert_has "$output" 'git clone'
	cd "$P"
	XDG_DATA_HOME=$P/data run -125 copy true
	assert_has "$output" XDG_DATA_HOME
	[ "$CS_AS" = user ] || return 0
	echo x >closed
	chmod 0 closed
	run -125 copy true
	assert_has "$output" 'could not be copied whole'
	assert_eq "$(find "$(D)" -mindepth 1)" ''
}

@test "no room: refused before anything is copied, with the sizes" {
	local small=$T/small who
	[ "$CS_AS" = root ] || skip "mounting needs root"
	# shellcheck disable=SC2016
	as_user sh -c 'head -c 4000000 /dev/urandom >"$U/home/project/big"'
	cp "$U/home/project/big" .
	mkdir "$small"
	for who in env as_user; do
		[ "$who" = env ] || cd "$U/home/project"
		# shellcheck disable=SC2016
		run -125 unshare -m --propagation private bash -c '
			. "$CS_TOP/tests/lib/common.bash"
			mount -t tmpfs -o size=2m,mode=1777 none "$1" || exit
			export XDG_DATA_HOME=$1
			"$2" timeout 60 "$CS" run -T --project-mode copy -- true; r=$?
			[ -z "$(find "$1" -path "*/copies/*")" ] || echo left
			exit $r' sh "$small" "$who"
		assert_has "$output" MiB
		assert_has "$output" 'claude-sandbox df'
		assert_lacks "$output" left
	done
}

@test "a start that fails leaves no copy" {
	run cs run -T --project-mode copy --memory 64M -- true
	[ "$status" = 125 ] || { # this machine has control groups to give
		assert_status 0
		[ "$(copies | wc -l)" = 1 ]
		return 0
	}
	assert_has "$output" memory
	wait_for 10 sh -c "[ -z \"\$(find '$(D)' -mindepth 1)\" ]"
}
