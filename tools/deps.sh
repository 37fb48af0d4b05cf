#!/bin/sh
# deps.sh GROUP...: installs what this machine lacks of the groups, with its own package manager, and says what and why.
# Nothing missing: nothing done, nothing said. `deps.sh --list GROUP...` only lists what is missing.
# Groups: build run test bench lint.
set -eu

# group | present when: a command, or a header or file by glob | apt | dnf | pacman | apk | why
table() {
	cat <<'END'
build|cc|gcc|gcc|gcc|gcc|compiles the program
build|file:/usr/include/stdlib.h|libc6-dev|glibc-devel|glibc|musl-dev|the C library's headers
build|file:/usr/include/linux/landlock.h|linux-libc-dev|kernel-headers|linux-api-headers|linux-headers|the kernel's interfaces: namespaces, mounts, Landlock
build|libc|libc6-dev|glibc-static|glibc|musl-dev|cs-enter is static: it must load nothing from inside a sandbox
build|meson|meson|meson|meson|meson|describes the build
build|ninja|ninja-build|ninja-build|ninja|ninja|runs the build
build|pkg-config|pkg-config|pkgconf|pkgconf|pkgconf|finds the libraries
build|header:ev.h|libev-dev|libev-devel|libev|libev-dev|the supervisor's event loop
build|header:ini.h|libinih-dev|inih-devel|libinih|inih-dev|reads the configuration
build|header:json-c/json.h|libjson-c-dev|json-c-devel|json-c|json-c-dev|writes and reads JSON
build|header:sqlite3.h|libsqlite3-dev|sqlite-devel|sqlite|sqlite-dev|the audit database
build|header:seccomp.h|libseccomp-dev|libseccomp-devel|libseccomp|libseccomp-dev|compiles the system call filters at build time
build|header:sha2.h|libmd-dev|libmd-devel|libmd|libmd-dev|SHA-256: which project configuration is trusted
build|scdoc|scdoc|scdoc|scdoc|scdoc|makes the man pages
run|git|git|git|git|git|the demonstration works in a repository
test|header:cmocka.h|libcmocka-dev|libcmocka-devel|cmocka|cmocka-dev|unit tests
test|bats|bats|bats|bats|bats|end-to-end tests
test|git|git|git|git|git|the tests' projects are repositories
test|tmux|tmux|tmux|tmux|tmux|tests of what a terminal shows
test|zsh|zsh|zsh|zsh|zsh|the completions are tried in it
test|jq|jq|jq|jq|jq|tests read JSON with it
test|strace|strace|strace|strace|strace|tests see what the program asks of the kernel
test|setpriv|util-linux|util-linux|util-linux|setpriv|runs the tests as an ordinary user too
test|ip|iproute2|iproute|iproute2|iproute2|tests work in network namespaces of their own
test|clang|clang|clang|clang|clang|fuzzers
test|fuzzer|libclang-rt-dev|compiler-rt|compiler-rt|compiler-rt|fuzzers
test|node|nodejs|nodejs|nodejs|nodejs|tests of git hooks that npm packages install
test|npm|npm|npm|npm|npm|installs the coding agent that the tests run
test|sqlite3|sqlite3|sqlite|sqlite|sqlite|tests look into the audit database
test|apparmor_parser|apparmor|apparmor-parser|apparmor|apparmor|checks the AppArmor profile's syntax
test|bwrap|bubblewrap|bubblewrap|bubblewrap|bubblewrap|tests of a sandbox in a sandbox
test|openssl|openssl|openssl|openssl|openssl|tests of hashes, by another program than ours
test|perl|perl-base|perl-interpreter|perl|perl|tests of odd names and system calls
test|python3|python3|python3|python|python3|tests of sockets
test|script|bsdutils|util-linux-script|util-linux|util-linux-misc|a terminal for tests and benchmarks
test|pgrep|procps|procps-ng|procps-ng|procps|tests look for processes
test|git-lfs|git-lfs|git-lfs|git-lfs|git-lfs|tests of git in everyday use
test|pre-commit|pre-commit|pre-commit|pre-commit|pre-commit|tests of git hooks
lint|clang-tidy|clang-tidy|clang-tools-extra|clang|clang-extra-tools|lint
lint|cppcheck|cppcheck|cppcheck|cppcheck|cppcheck|lint
lint|shellcheck|shellcheck|ShellCheck|shellcheck|shellcheck|lint of the scripts
bench|bwrap|bubblewrap|bubblewrap|bubblewrap|bubblewrap|measured beside
bench|firejail|firejail|firejail|firejail|firejail|measured beside
bench|strace|strace|strace|strace|strace|shows an idle supervisor asleep
bench|git|git|git|git|git|measured inside and outside
bench|socat|socat|socat|socat|socat|sandbox-runtime needs it
bench|rg|ripgrep|ripgrep|ripgrep|ripgrep|sandbox-runtime needs it
bench|node|nodejs|nodejs|nodejs|nodejs|measured inside and outside
bench|npm|npm|npm|npm|npm|installs sandbox-runtime, measured beside
END
}

present() {
	case $1 in
	file:*) [ -e "${1#file:}" ] ;;
	header:*)
		for d in /usr/include /usr/local/include /usr/include/*-linux-gnu /usr/include/inih; do
			[ -e "$d/${1#header:}" ] && return 0
		done
		return 1
		;;
	libc)
		for f in /usr/lib/libc.a /usr/lib64/libc.a /usr/lib/*-linux-*/libc.a; do
			[ -e "$f" ] && return 0
		done
		return 1
		;;
	fuzzer)
		for f in /usr/lib/llvm-*/lib/clang/*/lib/*/libclang_rt.fuzzer* /usr/lib*/clang/*/lib/*/libclang_rt.fuzzer*; do
			[ -e "$f" ] && return 0
		done
		return 1
		;;
	*) command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ] ;;
	esac
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		if [ -t 0 ]; then sudo "$@"; else sudo -n "$@"; fi
	else
		echo "deps: not root, and no sudo here" >&2
		echo "  hint: as root, run: $*" >&2
		exit 1
	fi
}

list_only=
if [ "${1:-}" = --list ]; then
	list_only=1
	shift
fi
manager=
for m in apt-get dnf pacman apk; do
	if command -v "$m" >/dev/null; then
		manager=$m
		break
	fi
done

packages=
seen=' '
for group; do
	lines=$(table | grep "^$group|") || {
		echo "deps: unknown group '$group'" >&2
		exit 1
	}
	# a group's name leads each line, for the loop to run in this shell
	while IFS='|' read -r _ what apt dnf pacman apk why; do
		present "$what" && continue
		case $manager in
		dnf) name=$dnf ;;
		pacman) name=$pacman ;;
		apk) name=$apk ;;
		*) name=$apt ;;
		esac
		case $seen in *" $name "*) continue ;; esac
		seen="$seen$name "
		[ -n "$packages" ] || [ -n "$list_only" ] || echo "installing with ${manager:-no package manager}:"
		printf '  %-18s %s\n' "$name" "$why"
		packages="$packages $name"
	done <<END
$lines
END
done
[ -n "$packages" ] || exit 0
[ -z "$list_only" ] || exit 0

# shellcheck disable=SC2086 # a list of names
case $manager in
apt-get)
	export DEBIAN_FRONTEND=noninteractive
	if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install $packages </dev/null >/dev/null 2>&1; then
		as_root apt-get -qq update
		as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install $packages </dev/null >/dev/null
	fi
	;;
dnf) as_root dnf -q -y install $packages ;;
pacman) as_root pacman -S --noconfirm --needed $packages ;;
apk) as_root apk add -q $packages ;;
*)
	echo "deps: no package manager known to this script (apt-get, dnf, pacman, apk)" >&2
	echo "  hint: install what is listed above by hand" >&2
	exit 1
	;;
esac
for group; do
	table | grep "^$group|" | while IFS='|' read -r _ what _ _ _ _ why; do
		present "$what" || echo "deps: still missing after installing: $what ($why)" >&2
	done
done
