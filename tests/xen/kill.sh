#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# kill.sh [ROUNDS] - in the lab's primary domain: a storage domain is destroyed, or crashes, while programs use it. Whoever waits gets EIO
# within two seconds, nothing is left behind, and the restarted domain serves again.
. "$FC_SOURCE/tests/xen/checks.sh"
rounds=${1:-3}

loader() # N: read and write until it fails; then the time, and the error
{
	"$FARCALL" run --domain one -- python3 -c '
import os, sys, time, errno
fd = os.open("/far/load%s" % sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
block = os.urandom(16384)
n = 0
try:
    while True:
        os.pwrite(fd, block, n % 64 * 16384); os.fsync(fd) if n % 50 == 0 else os.pread(fd, 16384, 0)
        n += 1
        if n == 20:
            open(sys.argv[2], "w").close()
except OSError as e:
    print(time.time(), errno.errorcode[e.errno], n)
' "$1" "$LAB/begun$1" >"$LAB/load$1" 2>"$LAB/load$1.err" &
}

all_begun()
{
	local n
	for n in 1 2 3 4; do [[ -e $LAB/begun$n ]] || return 1; done
}

round() # NUMBER
{
	local how='xl destroy one' n began when error bad=0
	(($1 % 2)) || how='xl sysrq one c'
	rm -f "$LAB"/load* "$LAB"/begun*
	for n in 1 2 3 4; do loader $n; done
	for ((n = 0; n < 300; n++)); do all_begun && break; sleep 0.1; done
	all_begun || { fail "round $1: the load does not run"; cat "$LAB"/load*.err; return; }
	began=$(date +%s.%N)
	$how || fail "round $1: $how"
	for ((n = 0; n < 100; n++)); do
		[[ $(jobs -rp) ]] || break
		sleep 0.1
	done
	for n in 1 2 3 4; do
		read -r when error _ <"$LAB/load$n" || { fail "round $1 ($how): client $n got no error"; bad=1; continue; }
		[[ $error == EIO ]] || { fail "round $1 ($how): client $n got $error"; bad=1; }
		awk -v from="$began" -v to="$when" 'BEGIN { exit to - from < 2 ? 0 : 1 }' ||
			{ fail "round $1 ($how): client $n waited until $when, from $began"; bad=1; }
	done
	wait
	counters_only_domain || { fail "round $1 ($how): something is left"; bad=1; }
	"$FARCALL" domain restart one /run/one.cfg >"$LAB/restart" 2>&1 || { fail "round $1: restart"; cat "$LAB/restart"; return; }
	[[ $("$FARCALL" run --domain one -- sh -c 'echo again >/far/again && cat /far/again') == again ]] ||
		{ fail "round $1: it does not serve again"; bad=1; }
	((bad)) || pass "round $1: $how"
}

begin_with_one
for ((i = 1; i <= rounds; i++)); do
	round $i
done
end
