#!/bin/sh
# rooms.sh: the edges between rooms (ARCHITECTURE.md): a file includes only headers of its own room and of lower floors.
set -eu
cd "$(dirname "$0")/../src"

floor() {
	case $1 in
	base) echo 0 ;;
	wire) echo 1 ;;
	policy | kernel) echo 2 ;;
	survey | sandbox | guard | audit | report) echo 3 ;;
	engine) echo 4 ;;
	supervisor) echo 5 ;;
	cli) echo 6 ;;
	bin) echo 7 ;;
	*) return 1 ;;
	esac
}

bad=0
for dir in */; do
	floor "${dir%/}" >/dev/null || {
		echo "rooms: 'src/$dir' is no room: give it a floor in tools/rooms.sh"
		bad=1
	}
done
edges=$(grep -Eno '^#[[:space:]]*include[[:space:]]+"[^"]+"' ./*/*.[ch] | sed -E 's/^\.\///; s/#[[:space:]]*include[[:space:]]+//; s/"//g')
while IFS=: read -r file line header; do
	from=${file%%/*}
	case $header in
	*/*) to=${header%%/*} ;;
	*) continue ;; # generated, or beside the file
	esac
	[ "$from" != "$to" ] || continue
	if ! f=$(floor "$to"); then
		echo "src/$file:$line: includes '$header', which is no room's"
		bad=1
	elif [ "$(floor "$from")" -le "$f" ]; then
		echo "src/$file:$line: room $from may not include '$header': $to is not on a lower floor"
		bad=1
	fi
done <<END
$edges
END
exit $bad
