# cs-enter by itself, driven by tests/ns/enter-drive.c: identity, mounts, pid 1, sessions, ends, keeper.
# shellcheck disable=SC2016 # scripts for the shell inside
load ../lib/common

setup() {
	cs_setup
	DRIVE=$CS_BUILD/tests/enter-drive
	H=$T/boxhome
	mkdir "$H"
}

d() { timeout -k 5 60 "$DRIVE" "$@"; }
box() { d --project "$P" --home "$H" --cwd "$P" "$@"; }

# --- identity ---

@test "an ordinary uid, no capability in any set, no_new_privs, seccomp" {
	run box -- sh -c 'id -u; id -G; grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/self/status'
	assert_status 0
	[ "${lines[0]}" != 0 ]
	assert_lacks " ${lines[1]} " " 0 "
	for set in CapInh CapPrm CapEff CapBnd CapAmb; do
		assert_has "$output" "$set:	0000000000000000"
	done
	assert_has "$output" "NoNewPrivs:	1"
	assert_has "$output" "Seccomp:	2"
}

@test "a plan that would be user 0 inside is refused" {
	[ "$CS_AS" = root ] || skip "an ordinary caller keeps its own id"
	run box --uid 0 -- true
	assert_status 125
	assert_has "$output" "user 0"
}

@test "no user namespace, and none can be allowed again" {
	run box -- sh -c 'cat /proc/sys/user/max_user_namespaces; unshare -Ur true; echo $?; unshare -m true; echo $?'
	assert_eq "${lines[0]}" 0
	assert_lacks "$output" "
0"
	run box -- sh -c 'echo 5 >/proc/sys/user/max_user_namespaces'
	[ "$status" != 0 ]
}

@test "every namespace is its own" {
	for ns in user mnt pid net ipc uts cgroup; do
		run box -- readlink /proc/self/ns/$ns
		assert_status 0
		[ "$output" != "$(readlink /proc/self/ns/$ns)" ] || fail "$ns is the host's"
	done
	run box -- cat /proc/sys/kernel/hostname
	assert_eq "$output" drive
}

@test "the network: only lo, and it is up; --net host is the host's" {
	run box -- sh -c 'grep -c : /proc/net/dev; cat /sys/class/net/lo/flags 2>/dev/null; (exec 3<>/dev/tcp/127.0.0.1/1) 2>&1'
	assert_eq "${lines[0]}" 1
	run box -- bash -c '(exec 3<>/dev/tcp/127.0.0.1/1) 2>&1'
	assert_has "$output" refused
	run box --net host -- readlink /proc/self/ns/net
	assert_eq "$output" "$(readlink /proc/self/ns/net)"
}

@test "root as caller: files are root's outside, an ordinary user's inside" {
	[ "$CS_AS" = root ] || skip "about root"
	echo secret >"$P/0600" && chmod 600 "$P/0600"
	run box -- sh -c 'stat -c %u:%a 0600; cat 0600; echo more >>0600; mkdir made; echo x >made/x; stat -c %u made/x'
	assert_status 0
	assert_eq "${lines[0]}" 1000:600
	assert_eq "${lines[1]}" secret
	assert_eq "$(stat -c %u:%g "$P/made/x" "$P/0600" | sort -u)" 0:0
	run box --op bind::/etc/shadow:/etc/shadow -- sh -c 'cat /etc/shadow; echo x >/proc/sys/kernel/core_pattern'
	[ "$status" != 0 ]
	assert_has "$output" "/etc/shadow: Permission denied"
}

# --- mounts ---

@test "mounts: read-only but for what the plan makes writable; nosuid, nodev, private everywhere" {
	run box -- sh -c 'cut -d" " -f5-7,8 /proc/self/mountinfo'
	assert_status 0
	assert_lacks "$output" shared:
	assert_lacks "$output" master:
	while read -r where options _; do
		assert_has ",$options," ,nosuid,
		case $where in
		/dev/pts | /dev/null | /dev/zero | /dev/full | /dev/random | /dev/urandom | /dev/tty) ;;
		*) assert_has ",$options," ,nodev, ;;
		esac
		case $where in
		/ | /proc | /dev | /dev/pts | /dev/shm | /tmp | /run | "$P" | "$H") assert_has "$options," rw, ;;
		*) assert_has "$options," ro, ;;
		esac
	done <<<"$output"
	run box -- sh -c 'echo x >/usr/bin/planted'
	assert_has "$output" "Read-only file system"
	run box -- sh -c 'ls /; ls /home /root'
	assert_lacks "$output" work
}

@test "the host's submounts below a read-only bind are read-only too, and FLAT leaves them out for root" {
	mkdir "$T/src" "$T/src/sub"
	run unshare -Urm sh -c 'mount -t tmpfs none "$1/sub" && echo y >"$1/sub/f" && shift && exec "$@"' sh "$T/src" \
		setpriv --reuid=0 true
	[ "$status" = 0 ] || skip_or_fail "no mounts in a namespace here"
	[ "$CS_AS" = root ] || skip "needs a mount namespace with our own ids"
	run unshare -m sh -c 'mount -t tmpfs none "$1/sub" && chmod 777 "$1/sub" && shift && exec "$@"' sh "$T/src" \
		"$DRIVE" --op "bind::$T/src:/src" -- sh -c 'echo x >/src/sub/g'
	assert_has "$output" "Read-only file system"
	run unshare -m sh -c 'mount -t tmpfs none "$1/sub" && touch "$1/sub/g" && shift && exec "$@"' sh "$T/src" \
		"$DRIVE" --op "bind:f:$T/src:/src" -- ls /src/sub
	assert_eq "$output" ""
}

@test "/proc: read-only and covered where it speaks for the machine" {
	run box -- sh -c 'for f in sys/kernel/core_pattern sys/vm/drop_caches irq/default_smp_affinity sysrq-trigger; do
		[ -e /proc/$f ] || continue; (echo x >/proc/$f) 2>/dev/null && echo wrote $f; done
		for f in kcore keys timer_list kallsyms sysrq-trigger kmsg; do
		[ -e /proc/$f ] && [ "$(head -c1 /proc/$f 2>/dev/null | wc -c)" != 0 ] && echo read $f; done; ls /proc/acpi /proc/scsi 2>/dev/null
		cat /proc/meminfo /proc/cpuinfo /proc/self/stat >/dev/null && echo fine'
	assert_eq "$(grep -v '^/proc' <<<"$output" | grep -v '^$')" fine
}

@test "only the sandbox's own processes are seen" {
	run box -- sh -c 'ls -d /proc/[0-9]* | wc -l; cat /proc/[0-9]*/cmdline | tr "\0" "\n"'
	[ "${lines[0]}" -le 6 ]
	assert_lacks "$output" bats
}

@test "/dev: the usual devices, links and a pty of its own" {
	run box -- sh -c 'echo x >/dev/null; head -c2 /dev/zero | wc -c; head -c4 /dev/urandom | wc -c; echo x | cat /dev/stdin
		touch /dev/shm/a && ls /dev; (mknod /dev/shm/b c 1 3) 2>&1'
	assert_eq "${lines[0]}" 2
	assert_eq "${lines[1]}" 4
	assert_has "$output" "ptmx"
	assert_lacks "$output" kvm
	[[ $output == *b:\ Operation\ not* || $output == *b:\ Permission* ]]
}

@test "Landlock is a wall of its own: a tmpfs the mounts leave writable can't be written" {
	run box -- sh -c 'touch /planted; touch /tmp/fine && touch "$PWD/fine" && mkdir a b && touch a/f && mv a/f b/f && echo ok'
	assert_has "$output" "/planted': Permission denied"
	assert_has "$output" ok
}

@test "seal, dir, tmpfs, symlink, file, mask operations" {
	run box --op dir:::/one/two --op tmpfs:::/scratch --op symlink::two:/one/link --op file::text:/one/file \
		--op "mask::nothing:/etc/passwd" --op mask::x:/one/two --op mask::x:/absent --op seal::x:/ -- \
		sh -c 'ls /one; cat /one/file; readlink /one/link; wc -c </etc/passwd; ls -A /one/two; echo x >/scratch/x && ls -A /'
	assert_status 0
	assert_eq "$(head -7 <<<"$output" | tr '\n' ' ')" "file link two texttwo 0 bin dev "
	assert_lacks "$output" .empty
	assert_has "$output" scratch
}

@test "a symlink is masked as itself" {
	ln -s /etc/hosts "$P/secret-link"
	run box --op "mask:k::$P/secret-link" -- cat secret-link
	assert_status 0
	assert_eq "$output" ""
}

@test "the plan's errors name the path and the reason" {
	run box --op bind::/nonexistent/x:/x -- true
	assert_status 125
	assert_has "$output" "'/nonexistent/x': No such file or directory"
	run box --op bind:o:/nonexistent/x:/x -- true
	assert_status 0
	ln -s /etc "$T/link"
	run box --op "bind:l:$T/link:/x" -- true
	assert_status 125
	assert_has "$output" "$T/link"
	run box --op bind::/etc/hosts:/usr/share/nowhere/f -- true
	assert_status 125
	assert_has "$output" "hint: "
}

@test "hostile home: what stands in the way is moved aside, nothing outside is touched" {
	mkdir "$T/victim" "$T/tool"
	echo tool >"$T/tool/f"
	ln -s "$T/victim" "$H/.tool"
	echo file >"$H/.dir"
	mkdir -p "$H/a"
	ln -s ../../victim "$H/a/b"
	run box --events --op "bind:h:$T/tool:$H/.tool" --op "bind:h:$T/tool:$H/.dir" --op "bind:h:$T/tool/f:$H/a/b/c" -- \
		sh -c 'cat "$1/.tool/f" "$1/.dir/f" "$1/a/b/c"; readlink "$1/.tool.displaced-1"' sh "$H"
	assert_status 0
	assert_eq "$(grep -c '^tool$' <<<"$output")" 3
	assert_has "$output" "event displaced $H/.tool .tool.displaced-1"
	assert_eq "$(ls -A "$T/victim")" ""
	assert_eq "$(cat "$H/.dir.displaced-1")" file
}

@test "a friendly place is never healed: the start fails" {
	mkdir "$T/tool"
	ln -s "$T" "$H/.tool"
	run box --op "bind::$T/tool:$H/.tool" -- true
	assert_status 125
	[ -L "$H/.tool" ]
}

# --- pid 1 ---

@test "pid 1 cannot be killed, read, traced or slowed; secrets of the host's environment are nowhere" {
	SECRET_WORD=$(plant_secret .secret)
	export SECRET_WORD
	run box -- sh -c 'kill -KILL 1; kill -STOP 1; for f in environ mem maps fd/0 cwd root; do
		head -c1 /proc/1/$f >/dev/null 2>&1 && echo opened $f; ls -d /proc/1/$f/. >/dev/null 2>&1 && echo entered $f; done
		renice -n 5 -p 1; taskset -p 1 1; prlimit --pid 1 --nofile=5; ionice -c 3 -p 1; grep -a "$1" /proc/*/environ && echo leaked
		kill -0 1 && echo alive' sh "$SECRET_WORD"
	assert_lacks "$output" opened
	assert_lacks "$output" entered
	assert_lacks "$output" leaked
	assert_has "$output" alive
	for tool in renice taskset prlimit ionice; do
		grep -qi "$tool.*\(not permitted\|permission denied\)" <<<"$output" || fail "$tool: $output"
	done
}

@test "descriptors: only the three" {
	exec 7</etc/hosts 8<.
	run box -- sh -c 'ls /proc/self/fd | tr "\n" " "'
	assert_eq "$output" "0 1 2 3 "
	exec 7<&- 8<&-
}

@test "system calls: new ones are unknown, refused ones refused" {
	need perl
	run box -- perl -e 'for my $n (425, 435, 437, 500) { syscall($n, 0, 0, 0); printf "%d %d\n", $n, $! + 0; }
		$! = 0; syscall(428, 0, 0, 0); printf "428 %d\n", $! + 0;'
	assert_eq "$(tr '\n' ' ' <<<"$output")" "425 38 435 38 437 38 500 38 428 1 "
}

@test "no set-id file can be left on the host" {
	run box -- sh -c 'cp /bin/true t; chmod u+s t; chmod 2755 t; chmod 755 t; install -m 4755 /bin/true i'
	assert_eq "$(find "$P" -perm /6000)" ""
	assert_eq "$(stat -c %a "$P/t")" 755
}

# --- sessions and ends ---

@test "exit statuses, 126, 127, signals" {
	run box -- sh -c 'exit 7'
	assert_status 7
	run box -- no-such-command
	assert_status 127
	run box -- /etc/hosts
	assert_status 126
	run box -- sh -c 'kill -TERM $$'
	assert_status 143
	run box --cwd /nowhere -- true
	assert_status 125
	assert_has "$output" "'/nowhere': No such file or directory"
}

@test "standard streams pass through" {
	run bash -c 'printf "a\0b" | "$1" --cwd / -- cat | od -c | head -1' bash "$DRIVE"
	assert_has "$output" 'a  \0   b'
	run box -- sh -c 'echo out; echo err >&2'
	assert_has "$output" out
	assert_has "$output" err
}

@test "signals, ids and masks are fresh" {
	run box -- sh -c 'grep -E "^Sig(Blk|Ign|Cgt)" /proc/self/status; umask; ps -o pid=,pgid=,sid= -p $$'
	assert_has "$output" "SigBlk:	0000000000000000"
	assert_has "$output" "SigIgn:	0000000000000000"
	assert_has "$output" 0022
}

@test "a terminal of its own: tty, size, job control, hang-up" {
	run box --tty -- sh -c 'tty; stty size; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo three; set -m; sleep 1 & kill %1; echo jobs' </dev/null
	assert_has "$output" /dev/pts/0
	assert_has "$output" "24 80"
	assert_has "$output" three
	assert_has "$output" jobs
	run box --tty --after 300:int -- sh -c 'trap "echo interrupted; exit 9" INT; while :; do sleep 0.1; done' </dev/null
	assert_status 9
	assert_has "$output" interrupted
}

@test "the end of a sole session is everybody's: nothing writes after it" {
	run box -- sh -c '(trap "" TERM HUP; setsid sh -c "while :; do echo x >>late; sleep 0.01; done") & sleep 0.2; exit 4'
	assert_status 4
	n=$(wc -l <"$P/late")
	sleep 0.2
	assert_eq "$(wc -l <"$P/late")" "$n"
}

@test "shutdown: TERM, then KILL after the grace" {
	run box --stay --after 300:shutdown -- sh -c 'trap "echo bye; exit 3" TERM; while :; do sleep 0.05; done'
	assert_status 3
	assert_has "$output" bye
	SECONDS=0
	run box --stay --after 300:shutdown -- sh -c 'trap "" TERM HUP INT; while :; do sleep 0.05; done'
	assert_status 137
	[ $SECONDS -le 5 ]
}

@test "INNER_KILL reaches the session's group" {
	run box --after 300:term -- sh -c 'sh -c "trap \"echo inner\" TERM; sleep 5 & wait"; echo outer'
	[ "$status" != 0 ]
	[ $SECONDS -le 5 ]
}

@test "ps" {
	run box --after 300:ps --after 500:term -- sleep 5
	grep -qE "^proc [0-9]+	1	S	[0-9]+	[0-9]+	1	sleep 5" <<<"$output" || fail "$output"
}

@test "the supervisor dies: everything dies" {
	run box --pids --after 500:hangup -- sh -c 'touch started; (setsid sleep 1234 &); sleep 1000'
	assert_status 137
	[ -e "$P/started" ]
	launcher=$(sed -n 's/^launcher //p' <<<"$output")
	pid1=$(sed -n 's/^pid1 //p' <<<"$output")
	wait_for 5 gone "$launcher"
	wait_for 5 gone "$pid1"
}

@test "the keeper dies: everything dies" {
	bg box --pids -- sh -c 'touch started; sleep 1000'
	wait_for 10 test -e "$P/started"
	launcher=$(sed -n 's/^launcher //p' "$T/bg.1.out")
	pid1=$(sed -n 's/^pid1 //p' "$T/bg.1.out")
	kill -KILL "$launcher"
	wait_for 5 gone "$pid1"
	wait_for 5 gone "$BG"
}

@test "pid 1 and the keeper are locked up" {
	bg box --pids --op "guard:k::$P/README" -- sh -c 'touch started; sleep 1000'
	wait_for 10 test -e "$P/started"
	launcher=$(sed -n 's/^launcher //p' "$T/bg.1.out")
	pid1=$(sed -n 's/^pid1 //p' "$T/bg.1.out")
	for p in "$launcher" "$pid1"; do
		run cat "/proc/$p/status"
		assert_has "$output" "NoNewPrivs:	1"
		assert_has "$output" "Seccomp:	2"
		assert_eq "$(tr -d '\0' <"/proc/$p/environ" 2>/dev/null || true)" ""
	done
	assert_has "$(grep CapEff "/proc/$pid1/status")" 0000000000000000
	assert_has "$(grep CapEff "/proc/$launcher/status")" 0000000000200002
	kill -KILL "$launcher"
	wait_for 5 gone "$BG"
}

@test "processes are counted inside the sandbox" {
	run box --nproc 30 -- bash -c 'for i in {1..60}; do sleep 2 & done 2>&1; wait' 3>&-
	assert_has "$output" "Resource temporarily unavailable"
}

# --- guards ---

@test "guards: read-only, pinned, git's configuration as a link" {
	mkdir "$T/private" "$P/.claude"
	cp "$P/.git/config" "$T/private/config"
	echo x >"$P/.claude/settings.json"
	run box --op "bind:wi:$T/private:/run/private" --op "guard:pk::$P/.git" --op "guard:k::$P/.git/hooks" \
		--op "gitconfig:k:/run/private/config:$P/.git/config" --op "guard:pk::$P/.claude" \
		--op "guard:k::$P/.claude/settings.json" --op "guard:k::$P/absent" -- sh -c '
		mv .git g; rm -rf .claude; mv .claude c; echo x >.git/hooks/pre-commit; rm -f .git/config; echo y >.claude/settings.json
		mv .claude/settings.json .claude/s; echo z >.claude/new && echo other-names-work
		git config user.name Inside && git config user.email in@example.org && git commit -q --allow-empty -m inside && git log --oneline | wc -l; git status --short'
	assert_has "$output" other-names-work
	[ "$(grep -c 'busy\|Read-only' <<<"$output")" -ge 6 ]
	assert_eq "$(cat "$P/.claude/settings.json")" x
	assert_eq "$(git -C "$P" log --format=%s -1)" inside
	assert_lacks "$(cat "$P/.git/config")" Inside
	assert_has "$(cat "$T/private/config")" Inside
	[ ! -e "$P/.git/hooks/pre-commit" ]
}

@test "the keeper mounts again what the host replaced" {
	mkdir "$T/private"
	cp "$P/.git/config" "$T/private/config"
	bg box --events --op "bind:wi:$T/private:/run/private" --op "guard:pk::$P/.git" \
		--op "gitconfig:k:/run/private/config:$P/.git/config" --op "guard:k::$P/README" --op "mask:k::$P/absent" -- sh -c '
		touch started; while [ ! -e go ]; do sleep 0.02; done; echo evil >>README; echo evil >>.git/config; cat README; readlink .git/config'
	wait_for 10 test -e "$P/started"
	for i in 1 2 3 4 5; do
		git -C "$P" config user.email "host$i@example.org"
		echo "fresh $i" >"$P/README.new" && mv "$P/README.new" "$P/README"
	done
	sleep 0.3
	touch "$P/go"
	wait_for 10 gone "$BG"
	run cat "$T/bg.1.out"
	assert_has "$output" "event guard-remounted $P/README"
	assert_has "$output" "event guard-remounted $P/.git/config"
	assert_has "$output" "fresh 5"
	assert_has "$output" "/run/private/config"
	assert_eq "$(cat "$P/README")" "fresh 5"
	assert_lacks "$(cat "$P/.git/config")" evil
	assert_has "$(cat "$P/.git/config")" host5
}

@test "a guard whose file the host removes comes back with the file" {
	bg box --events --op "guard:k::$P/README" -- sh -c '
		touch started; while [ ! -e go ]; do sleep 0.02; done; echo evil >>README; cat README'
	wait_for 10 test -e "$P/started"
	rm "$P/README"
	wait_for 5 grep -q guard-lost "$T/bg.1.out"
	echo again >"$P/README"
	wait_for 5 grep -q guard-remounted "$T/bg.1.out"
	touch "$P/go"
	wait_for 10 gone "$BG"
	assert_has "$(cat "$T/bg.1.out")" again
	assert_eq "$(cat "$P/README")" again
}

# --- what a machine or a user may make different ---

@test "user namespaces forbidden: the start fails, and the hint names the sysctl" {
	run as_user unshare -U --map-current-user --keep-caps \
		sh -c 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"' sh "$DRIVE" -- true
	assert_status 125
	assert_has "$output" "cannot make a user namespace: No space left on device"
	assert_has "$output" "user.max_user_namespaces"
}

@test "namespaces used up: the start fails, nothing stays" {
	for kind in net:namespaces ipc:namespaces pid:pid.namespace; do
		run as_user unshare -U --map-current-user --keep-caps \
			sh -c 'echo 0 >/proc/sys/user/max_"$1"_namespaces && shift && exec "$@"' sh "${kind%%:*}" "$DRIVE" -- true
		assert_status 125
		grep -q "cannot make .*${kind#*:}" <<<"$output" || fail "$kind: $output"
		assert_has "$output" "hint: sysctl user.max_"
	done
}

@test "relax userns: sandboxes within the sandbox work, and only then" {
	need bwrap
	run box -- bwrap --ro-bind / / --unshare-all id -u
	[ "$status" != 0 ]
	run box --relax 1 -- bwrap --ro-bind / / --dev /dev --unshare-all sh -c 'id -u; (echo x >/proc/sys/kernel/core_pattern) 2>/dev/null && echo wrote'
	assert_eq "$output" "$(box --relax 1 -- id -u)"
}

@test "relax io_uring and perf lift just these" {
	need perl
	run box --relax 1 -- perl -e 'syscall(425, 1, 0); print $! + 0'
	assert_eq "$output" 38
	run box --relax 2 -- perl -e 'syscall(425, 1, 0); print $! + 0'
	[ "$output" != 38 ]
}

@test "mounts within the project come along, as restricted as they are outside" {
	[ "$CS_AS" = root ] || skip "needs to mount"
	mkdir "$P/ro" "$P/rw"
	run unshare -m bash -c 'mount -t tmpfs -o ro none "$1/ro"; mount -t tmpfs -o mode=777 none "$1/rw"; shift; "$@"' bash "$P" \
		"$DRIVE" --project "$P" --cwd "$P" -- sh -c 'touch ro/x; touch rw/x; stat -c %u rw/x; grep -c " $PWD/r[ow] .*nosuid,nodev" /proc/self/mountinfo'
	assert_has "$output" "ro/x': Read-only file system"
	assert_eq "$(tail -2 <<<"$output" | tr '\n' ' ')" "1000 2 "
	chmod 755 "$T" "$HOME"
	run unshare -m bash -c 'mount -t tmpfs -o mode=777 none "$1/rw"; shift; "$@"' bash "$P" \
		setpriv --reuid="$CS_TEST_UID" --regid="$CS_TEST_UID" --clear-groups \
		"$DRIVE" --project "$P" --cwd "$P" -- sh -c 'touch rw/x && stat -c %u rw/x'
	assert_eq "$output" "$CS_TEST_UID"
}

@test "root as caller: a file system without idmapped mounts is refused" {
	[ "$CS_AS" = root ] || skip "about root"
	mkdir "$T/o"
	run unshare -m bash -c 'mount -t tmpfs none "$1" && mkdir "$1"/{l,u,w,m} && mount -t overlay \
		-o "lowerdir=$1/l,upperdir=$1/u,workdir=$1/w" none "$1/m" && "$2" --project "$1/m" -- true' bash "$T/o" "$DRIVE"
	assert_status 125
	assert_has "$output" "cannot map file ownership"
	assert_has "$output" "hint: "
}

@test "a part of the program that is missing: an error, no sandbox" {
	run unshare -Urm bash -c 'mount --bind /dev/null "$1/cs-enter" && "$2" -- true' bash "$CS_BUILD" "$DRIVE"
	assert_status 125
	assert_has "$output" cs-enter
}

@test "thirty at once: all answer, nothing is left" {
	pids=
	for i in {1..30}; do
		d --home "$H" -- sh -c 'echo $$' >"$T/out.$i" 2>&1 3>&- &
		pids="$pids $!"
	done
	for p in $pids; do wait "$p"; done
	assert_eq "$(cat "$T"/out.* | sort | uniq -c | tr -s ' ')" " 30 2"
}
