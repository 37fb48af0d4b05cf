#!/usr/bin/env bats
# Sandboxes that last: terminals, detaching, attaching, other sessions.
load ../lib/common

PROMPT='\$ *$|# *$'
shell_open() { # the sandbox's shell on the terminal
	tmux_start bash --norc
	tmux_type "PS1='host> '; '$CS' $*"
	tmux_keys Enter
	tmux_wait 15 'detach: ctrl-\]'
	tmux_type 'PS1="in> "'
	tmux_keys Enter
	tmux_wait 10 '^in> *$'
}
type_line() { tmux_type "$1"; tmux_keys Enter; }
clients() { cs inspect --json project | sed -n 's/^ *"clients": *\([0-9]*\).*/\1/p' | head -1; }
no_clients() { [ "$(clients)" = 0 ]; }

@test "a shell with a terminal, its size, and its exit status" {
	shell_open
	type_line 'tty; stty size'
	tmux_wait 5 '^/dev/pts/'
	tmux_wait 5 '^30 100'
	tmux_ resize-window -t t -x 90 -y 25
	type_line 'stty size'
	tmux_wait 5 '^25 90'
	type_line 'exit 6'
	tmux_wait 10 '^host> *$'
	type_line 'echo status=$?; stty -a | grep -o " icanon"'
	tmux_wait 5 'status=6'
	tmux_wait 5 '^ icanon'
	assert_eq "$(cs ls -q)" ""
}

@test "the keys detach, attach shows what was there, and it goes on" {
	shell_open
	type_line 'echo before-$((40+2))'
	tmux_wait 5 'before-42'
	tmux_keys C-] d
	tmux_wait 5 'detached'
	type_line 'echo status=$?; clear'
	wait_for 5 no_clients
	assert_eq "$(cs ls -q)" project
	type_line "'$CS' attach"
	tmux_wait 10 'before-42'
	type_line 'echo after-$((40+3))'
	tmux_wait 5 'after-43'
	cs stop
	tmux_wait 10 '^host> *$'
}

@test "the first detach key alone is passed on after a moment" {
	shell_open
	type_line 'cat -v'
	tmux_keys C-]
	sleep 1.2
	tmux_keys Enter
	tmux_wait 5 '\^\]'
	tmux_keys C-] x Enter
	tmux_wait 5 '\^\]x'
	cs stop
}

@test "the terminal's end detaches" {
	shell_open
	tmux_ kill-server
	wait_for 5 no_clients
	assert_eq "$(cs ls -q)" project
	assert_eq "$(cs exec -T -- echo alive)" alive
	cs stop
}

@test "SIGTERM of the client detaches, the terminal is itself again" {
	shell_open
	pid=$(pgrep -n -f "^$CS" -P "$(tmux_ display -p -t t '#{pane_pid}')")
	kill -TERM "$pid"
	tmux_wait 5 'detached'
	type_line 'echo status=$?; stty -a | grep -o " icanon"'
	tmux_wait 5 'status=143'
	tmux_wait 5 '^ icanon'
	cs stop
}

@test "a second claude-sandbox opens another shell; the sandbox ends with the last" {
	shell_open
	tmux_ split-window -t t "'$CS'; sleep 2"
	wait_for 10 bash -c '[ "$("$CS" inspect --json project | grep -c "\"kind\": *\"shell\"")" = 1 ]'
	type_line 'exit'
	sleep 1
	assert_eq "$(cs ls -q)" project
	cs stop
}

@test "conflicting options for a running one are refused, other settings are not" {
	name=$(cs run -d -- sleep 300)
	assert_eq "$name" project
	run cs run -t --net host -- true
	assert_status 125
	assert_has "$output" "--net"
	assert_has "$output" "hint:"
	run cs run -t --ro /srv -- true
	assert_status 125
	run cs run -d --net none -- true
	assert_status 0
	cs stop
}

@test "-d: runs, logs, attach, stop" {
	name=$(cs run -d -- sh -c 'echo started; exec sleep 300')
	wait_for 5 bash -c '"$CS" logs | grep -q started'
	assert_has "$(cs ls)" "$name"
	assert_has "$(cs ps)" "sleep 300"
	cs stop "$name"
	assert_eq "$(cs ls -q)" ""
	run cs logs
	assert_status 125
}

@test "exec: status, pipes, environment, directory, not found" {
	cs run -d -- sleep 300
	run cs exec -T -- sh -c 'exit 5'
	assert_status 5
	assert_eq "$(echo x | cs exec -T project cat)" x
	assert_eq "$(cs exec -T -e A=b -- sh -c 'echo $A')" b
	mkdir sub
	assert_eq "$(cd sub && cs exec -T project pwd)" "$P/sub"
	run cs exec -T -- no-such-program
	assert_status 127
	cs stop
}

@test "a killed exec client takes its command along, and nothing else" {
	cs run -d -- sleep 300
	bg "$CS" exec -T -- sh -c 'echo ready; exec sleep 299'
	wait_for 5 grep -q ready "$T/bg.$BGN.out"
	kill -KILL "$BG"
	wait_for 5 bash -c '! "$CS" ps | grep -q "sleep 299"'
	assert_has "$(cs ps)" "sleep 300"
	cs stop
}

clients_are() { [ "$(clients)" = "$1" ]; }
second_terminal() { # CMD...: in another window; its pid in $STUCK
	tmux_ new-window -d -t t: -n second "exec $*"
	wait_for 5 clients_are "$want"
	STUCK=$(tmux_ list-panes -t t:second -F '#{pane_pid}')
}

@test "two terminals show one session; a stuck one holds up neither the other nor the sandbox" {
	cs run -d -- bash --norc
	tmux_start "$CS" attach
	tmux_wait 5 'detach'
	want=2 second_terminal "'$CS' attach"
	kill -STOP "$STUCK"
	tmux_type 'seq 1 300000; echo end-$((1+1))'
	tmux_keys Enter
	tmux_wait 20 'end-2'
	kill -CONT "$STUCK"
	cs stop
}

@test "a lone stuck client does not stop the sandbox" {
	cs run -d -- sh -c 'sleep 1.5; seq 1 400000; touch done; exec sleep 300'
	tmux_start sleep 300
	want=1 second_terminal "'$CS' attach"
	kill -STOP "$STUCK"
	wait_for 15 test -e 'done'
	kill -CONT "$STUCK"
	cs stop
}

@test "attach replays the last MiB, not more" {
	cs run -d -- sh -c 'seq 1 400000; echo the-end; exec sleep 300'
	wait_for 20 bash -c '"$CS" logs | tail -1 | grep -q the-end'
	n=$(cs logs | wc -c)
	[ "$n" -le $((1 << 20)) ]
	[ "$n" -ge $((1 << 19)) ]
	cs stop
}

@test "ls, inspect and ps as JSON" {
	need python3
	cs run -d -- sleep 300
	cs ls --json | python3 -c 'import json,sys; v=json.load(sys.stdin); assert v[0]["name"]=="project" and v[0]["net"]=="none", v'
	cs inspect --json | python3 -c 'import json,sys; v=json.load(sys.stdin); assert v["sessions"][0]["command"]=="sleep 300", v'
	cs ps --json | python3 -c 'import json,sys; v=json.load(sys.stdin); assert any("sleep" in p["command"] for p in v), v'
	cs stop
}

@test "-t without a terminal still gives one inside" {
	run bash -c 'echo "tty; exit 3" | "$CS" run -t -q --new -- sh'
	assert_status 3
	assert_has "$output" "/dev/pts/"
}

@test "idle-stop warns, then stops" {
	mkdir -p "$HOME/.config/claude-sandbox"
	echo 'idle-stop = 2s' >"$HOME/.config/claude-sandbox/config"
	cs run -d -- sleep 300
	wait_for 5 bash -c '"$CS" logs 2>/dev/null | grep -q idle'
	wait_for 10 bash -c '[ -z "$("$CS" ls -q)" ]'
}

@test "an idle supervisor sleeps" {
	need strace
	cs run -d -- sleep 300
	sleep 1
	pid=$(cs inspect --json | sed -n 's/^ *"pid": *\([0-9]*\).*/\1/p' | head -1)
	sleep 0.5
	timeout 3 strace -f -o "$T/trace" -p "$pid" 2>/dev/null || true
	run grep -c 'epoll_wait.*=' "$T/trace"
	[ "$output" -le 1 ] || fail "$(cat "$T/trace")"
	cs stop
}

@test "what a session switched on is on again after attaching, and off after leaving" {
	cs run -d -- sh -c 'printf "\033[?1049h\033[?2004h"; seq 1 300000; exec sleep 300'
	wait_for 20 bash -c '"$CS" logs | tail -1 | grep -q 300000'
	tmux_start bash --norc
	tmux_type "PS1='host> '; '$CS' attach"
	tmux_keys Enter
	tmux_wait 10 '300000'
	assert_eq "$(tmux_ display -p -t t '#{alternate_on}')" 1
	tmux_keys C-] d
	tmux_wait 5 '^host> *$'
	assert_eq "$(tmux_ display -p -t t '#{alternate_on}')" 0
	cs stop
}

@test "the clipboard and the title's report are out of a session's reach" {
	tmux_start bash --norc
	tmux_ set-option -s set-clipboard on
	tmux_type "'$CS' run -t -q --new -- printf 'a\\033]52;c;aGVsbG8=\\a\\033[21tb\\n'"
	tmux_keys Enter
	tmux_wait 15 '^ab'
	assert_eq "$(tmux_ list-buffers)" ""
}

@test "answers to a session's questions are not typed into the shell" {
	need python3
	cs run -d -- sh -c 'stty raw -echo; while :; do printf "\033[c"; sleep 0.05; done'
	run timeout 30 env TERM=xterm python3 "$CS_TOP/tests/lib/slowterm.py" "'$CS' attach"
	cs stop --time 1
	assert_eq "$output" "typed:"
}
