#!/usr/bin/env bats
# doctor: what it finds, the mend it names, and its exit status.
load ../lib/common

verdict() { jq -r --arg c "$1" '.findings[] | select(.check == $c) | .verdict' <<<"$output"; }
mend() { jq -r --arg c "$1" '.findings[] | select(.check == $c) | .mend' <<<"$output"; }

# in_ns SCRIPT [ARG...]: as root of a user namespace of its own, where sysctls of namespaces can be set
in_ns() { unshare -Ur --mount sh -c "$1" sh "${@:2}"; }

@test "doctor finds this machine fit, and says so in text and JSON" {
	need jq
	run -0 cs doctor
	assert_has "$output" 'user-namespaces'
	run -0 --separate-stderr cs doctor --json
	assert_eq "$(jq -r .ok <<<"$output")" true
	assert_eq "$(verdict user-namespaces)" ok
	assert_eq "$(verdict kernel)" ok
	assert_eq "$(jq '[.findings[] | select(.verdict != "ok" and .mend == null)] | length' <<<"$output")" 0
	run -125 cs doctor nonsense
}

@test "doctor: no user namespaces to be had" {
	need jq
	run in_ns 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$1" doctor --json' "$CS"
	assert_status 1
	assert_eq "$(jq -r .ok <<<"$output")" false
	assert_eq "$(verdict user-namespaces)" fail
	assert_has "$(mend user-namespaces)" 'sysctl -w user.max_user_namespaces='
}

@test "doctor: a /proc that is partly covered, as in a container" {
	need jq
	run in_ns 'mount --bind /dev/null /proc/uptime && exec "$1" doctor --json' "$CS"
	assert_status 1
	assert_eq "$(verdict user-namespaces)" fail
	assert_has "$(mend user-namespaces)" 'systempaths=unconfined'
}

@test "doctor: a runtime directory that others can enter, a missing one" {
	need jq
	chmod 755 "$XDG_RUNTIME_DIR"
	run -1 --separate-stderr cs doctor --json
	assert_eq "$(verdict runtime-directory)" fail
	assert_eq "$(mend runtime-directory)" "chmod 700 '$XDG_RUNTIME_DIR'"
	eval "$(mend runtime-directory)"
	run -0 --separate-stderr cs doctor --json
	assert_eq "$(verdict runtime-directory)" ok
	XDG_RUNTIME_DIR=$T/none run -1 --separate-stderr cs doctor --json
	assert_eq "$(verdict runtime-directory)" fail
}

@test "doctor: a full disk" {
	need jq
	mkdir -p "$HOME/.local/share"
	run in_ns 'mount -t tmpfs -o size=2m none "$HOME/.local/share" && exec "$1" doctor --json' "$CS"
	assert_status 1
	assert_eq "$(verdict data-space)" fail
	assert_has "$(mend data-space)" 'claude-sandbox prune'
}

@test "doctor: configuration in disorder, a corrupted audit database" {
	need jq
	mkdir -p "$HOME/.config/claude-sandbox" "$HOME/.local/state/claude-sandbox"
	echo 'nonsense = 1' >"$HOME/.config/claude-sandbox/config"
	head -c 9000 /dev/zero | tr '\0' x >"$HOME/.local/state/claude-sandbox/audit.db"
	run -1 --separate-stderr cs doctor --json
	assert_eq "$(verdict configuration)" fail
	assert_eq "$(verdict audit)" warn
}

@test "the AppArmor profile is good syntax" {
	local p=$T/profile
	cp "$CS_BUILD/data/claude-sandbox.apparmor" "$p"
	grep -q '/cs-enter' "$p"
	PATH=$PATH:/usr/sbin:/sbin
	need apparmor_parser
	# "userns" is of ABI 4.0: an older parser checks the rest
	[ -e /etc/apparmor.d/abi/4.0 ] || sed -i '/^abi/d; /userns,/d' "$p"
	apparmor_parser -Q -K "$p"
}
