#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# module.sh [TIMES] - in the lab's primary domain: the module is loaded and unloaded, with and without a domain and clients; with clients
# it does not go.
. "$FC_SOURCE/tests/xen/checks.sh"
times=${1:-100}

for ((i = 0; i < times; i++)); do
	insmod "$FC_BUILD/kmod/farcall.ko" || { fail "load, round $i"; exit 1; }
	rmmod farcall || { fail "unload, round $i"; exit 1; }
done
pass "loaded and unloaded $times times"
begin_with_one
for ((i = 0; i < 10; i++)); do
	"$FARCALL" run --domain one -- sh -c 'echo busy >/far/f; touch /run/busy; exec sleep 1000 </far/f' &
	until [[ -e /run/busy ]]; do sleep 0.1; done
	rmmod farcall 2>/dev/null && { fail "round $i: it unloads under a client"; exit 1; }
	kill $!
	wait
	rm -f /run/busy
	counters_become 'n["sessions"] == 0' || fail "round $i: a session is left"
	rmmod farcall 2>/dev/null && { fail "round $i: it unloads under an attached domain"; exit 1; }
	"$FARCALL" domain detach one || fail "round $i: detach"
	rmmod farcall || fail "round $i: it does not unload"
	insmod "$FC_BUILD/kmod/farcall.ko"
	"$FARCALL" domain attach --timeout 20 one || { fail "round $i: attach again"; exit 1; }
done
pass "10 times with a domain and clients before; refused while they are there"
end
