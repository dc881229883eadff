#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# kill.sh [ROUNDS] - in the lab's primary domain: a storage domain is destroyed, or crashes, while programs use it. Whoever waits gets EIO,
# nothing is left behind, and the restarted domain serves again.
#
# The heartbeat is as good as off: that they get EIO at all shows that the death itself was seen. What a client waits is the time of the call
# that fails. Where the seconds between `xl destroy` and EIO go, as measured here: nearly all of them into xl itself, which starts, reads its
# configuration and gets hold of xenstore, as slowly as `xl list` does (1 to 4 s in an emulated machine beside four programs, 20 ms elsewhere);
# the domain serves up to then. From its last answer to EIO it is 0.4 s when it is destroyed, and 1 s when it crashes: that one xl has to notice,
# and destroy, first. So the limit is two seconds and what `xl list` takes, twice.
. "$FC_SOURCE/tests/xen/checks.sh"
rounds=${1:-3}

loader() # N: until it fails, or hangs
{
	timeout 120 "$FARCALL" run --domain one -- "$FC_BUILD/tests/xen/h_load" "/far/load$1" /run/begun >"$LAB/load$1" 2>"$LAB/load$1.err" &
}

round() # NUMBER
{
	local how='xl destroy one' n error waited limit bad=0 longest=0
	(($1 % 2)) || how='xl sysrq one c'
	rm -f "$LAB"/load*
	for n in 1 2 3 4; do loader $n; done
	for n in 1 2 3 4; do
		read -r -t 120 -u 3 _ || { fail "round $1: the load does not run"; cat "$LAB"/load*.err; return; }
	done
	limit=$((2000 + 2 * $(yardstick)))
	$how || fail "round $1: $how"
	wait
	for n in 1 2 3 4; do
		read -r error waited _ <"$LAB/load$n" || { fail "round $1 ($how): client $n got no error"; bad=1; continue; }
		[[ $error == EIO ]] || { fail "round $1 ($how): client $n got $error"; bad=1; }
		((waited <= limit)) || { fail "round $1 ($how): client $n waited $waited ms, not $limit"; bad=1; }
		((waited <= longest)) || longest=$waited
	done
	counters_only_domain || { fail "round $1 ($how): something is left"; bad=1; }
	"$FARCALL" domain restart one /run/one.cfg >"$LAB/restart" 2>&1 || { fail "round $1: restart"; cat "$LAB/restart"; return; }
	[[ $("$FARCALL" run --domain one -- sh -c 'echo again >/far/again && cat /far/again') == again ]] ||
		{ fail "round $1: it does not serve again"; bad=1; }
	((bad)) || pass "round $1: $how, EIO after $longest of $limit ms"
}

begin_with_one
echo 3600000 >/sys/module/farcall/parameters/heartbeat_ms
echo 3600000 >/sys/module/farcall/parameters/answer_ms
rm -f /run/begun && mkfifo /run/begun && exec 3<>/run/begun
for ((i = 1; i <= rounds; i++)); do
	round $i
done
end
