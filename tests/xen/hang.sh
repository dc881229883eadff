#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# hang.sh - in the lab's primary domain: a storage domain stops (is paused) under a client. The heartbeat sees it, the client gets EIO; a
# cleanup by hand is faster. When the domain runs again it lets go of everything, and can be attached anew.
. "$FC_SOURCE/tests/xen/checks.sh"

work() # Until it fails; then the time is in /run/eio.
{
	rm -f /run/busy /run/eio
	"$FARCALL" run --domain one -- sh -c 'echo >/run/busy; while echo x >/far/f; do :; done; date +%s.%N >/run/eio' 2>"$LAB/hang-err" &
	until [[ -e /run/busy ]]; do sleep 0.1; done
	sleep 0.5
}

ends_within() # SECONDS WHAT: the client's work, which is stopped now
{
	local i began=$SECONDS limit
	for ((i = 0; i < 300; i++)); do
		[[ -e /run/eio ]] && break
		sleep 0.2
	done
	i=$((SECONDS - began))
	limit=$(($1 + 3 * $(yardstick) / 1000))
	if [[ -e /run/eio ]] && ((i <= limit)); then pass "$2: EIO after $i of $limit s"; else fail "$2: no EIO within $limit s"; fi
	wait
}

comes_back() # WHAT
{
	xl unpause one || fail "$1: xl unpause"
	counters_become 'n["sessions"] + n["set_aside"] + n["requests"] == 0' || fail "$1: it does not let go"
	"$FARCALL" domain attach --timeout 20 one || fail "$1: attach again"
	if [[ $("$FARCALL" run --domain one -- sh -c 'echo again >/far/f; cat /far/f') == again ]]; then
		pass "$1: it serves again"
	else
		fail "$1: it does not serve again"
	fi
}

begin_with_one
echo 2000 >/sys/module/farcall/parameters/answer_ms
echo 500 >/sys/module/farcall/parameters/heartbeat_ms
work
xl pause one || fail "xl pause"
ends_within 9 "the heartbeat" # the beat of the old rhythm comes first
comes_back "the heartbeat"

echo 3600000 >/sys/module/farcall/parameters/answer_ms # now it is only the cleanup that can end it
work
xl pause one || fail "xl pause"
sleep 1
[[ ! -e /run/eio ]] || fail "the client has not waited"
"$FARCALL" domain cleanup one || fail "cleanup"
ends_within 2 "cleanup"
comes_back "cleanup"
end
