#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# t_nursery.sh - the process that forks shadows: it may be killed or stopped, and sessions go on, and new ones come; what a shadow dies of is in the
# log; none of the domain's processes outlives the supervisor.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need_farcall
need pgrep
mkdir "$TESTDIR/d"
start_domain one "$TESTDIR/d:/data"

# shellcheck disable=SC2154 # start_domain's
nursery()
{
	pgrep -P "$one_pid" -x farcall-nursery
}

shadows()
{
	pgrep -P "$one_pid${1:+,$1}" -x farcall-shadow
}

# a client that says after each line what it has written
cat >"$TESTDIR/hold" <<'END'
exec 3>/data/held
while read -r line; do echo "$line" >&3; echo "$line" >"$1/said"; done
END
mkfifo "$TESTDIR/in"
"$FARCALL" run --domain "$one_socket" bash "$TESTDIR/hold" "$TESTDIR" <"$TESTDIR/in" &
client=$!
exec 4>"$TESTDIR/in"

# goes_on TEXT: the client, and five new ones, which is more than wait
goes_on()
{
	local i

	echo "$1" >&4
	check "$1: a session goes on" wait_for 5 grep -sqx "$1" "$TESTDIR/said"
	for i in 1 2 3 4 5; do
		timeout 20 "$FARCALL" run --domain "$one_socket" sh -c "echo $1$i >/data/new" || wrong "$1: new client $i"
	done
	check "$1: what the last one wrote" test "$(cat "$TESTDIR/d/new")" = "${1}5"
}

goes_on first
old=$(nursery)
check "there is one" test -n "$old"
kill -KILL "$old"
goes_on killed
check "it is replaced" test -n "$(nursery)" -a "$(nursery)" != "$old"
kill -STOP "$(nursery)"
stopped=$(nursery)
goes_on stopped
check "one that is stopped is no more" wait_for 5 test ! -e "/proc/$stopped"
# three that wait, and the client's; none that nobody knows
all_shadows() { [[ $(shadows "$(pgrep -P "$one_pid" -d,)" | wc -l) == 4 ]]; }
check "each shadow is wanted" wait_for 10 all_shadows

# a shadow that waits in the reserve, and dies of a fault
victim=$(shadows "$(nursery)" | tail -1)
kill -SEGV "$victim"
check "what it died of is said" wait_for 5 grep -q "process $victim of the domain has ended by signal 11" "$TESTDIR/one.log"
goes_on faulted

all=$(pgrep -f "farcall-storaged.*$TESTDIR/d:/data")
kill -KILL "$one_pid"
ends()
{
	local pid

	for pid in $all; do
		! grep -q '^State:[[:space:]]*[^Z]' "/proc/$pid/status" 2>/dev/null || return 1
	done
}
check "nothing of the domain outlives its supervisor" wait_for 5 ends
exec 4>&-
wait "$client"
finish
