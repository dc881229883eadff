#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An idle domain uses no measurable CPU; nor do a client blocked in flock and the domain it waits in.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need_farcall
seconds=${FC_TEST_LONG:+10}
seconds=${seconds:-4}
mkdir -p "$TESTDIR/d"

# user and system time of a process and all its descendants, in clock ticks
ticks()
{
	local pid child total

	total=0
	for pid in "$@"; do
		[[ -r /proc/$pid/stat ]] || continue
		((total += $(sed 's/.*) //' "/proc/$pid/stat" | cut -d' ' -f12,13 | tr ' ' +)))
		# shellcheck disable=SC2013
		for child in $(cat "/proc/$pid/task/"*/children 2>/dev/null); do
			((total += $(ticks "$child")))
		done
	done
	echo $total
}

idle() # WHAT PID...
{
	local what=$1 before after
	shift

	before=$(ticks "$@")
	sleep "$seconds"
	after=$(ticks "$@")
	note "$what: $((after - before)) ticks of 10 ms in $seconds s"
	# one tick may fall to anybody
	check "$what" test $((after - before)) -le 1
}

start_domain domain "$TESTDIR/d:/data"
# shellcheck disable=SC2154 # start_domain sets them
idle "a fresh domain" "$domain_pid"
"$FARCALL" run --domain "$domain_socket" -- sh -c 'for i in 1 2 3; do echo $i > /data/f$i; cat /data/f$i >/dev/null; done'
sleep 0.5
idle "a domain whose clients have gone" "$domain_pid"
"$FARCALL" run --domain "$domain_socket" -- flock /data/lock sleep 60 &
holder=$!
sleep 0.5
"$FARCALL" run --domain "$domain_socket" -- flock /data/lock true &
waiter=$!
started+=("$holder" "$waiter")
sleep 1
check "the second client waits" test -d /proc/$waiter
idle "a client blocked in flock, and its domain" "$domain_pid" $holder $waiter
check "it still waits" test -d /proc/$waiter
finish
