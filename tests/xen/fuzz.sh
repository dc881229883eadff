#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# fuzz.sh [SECONDS [SEED]] - in the lab's primary domain: an ordinary user abuses /dev/syscall (h_fuzz.c) while an honest one works. The
# honest one is not disturbed, the kernel's log stays clean, the counters go back to zero.
. "$FC_SOURCE/tests/xen/checks.sh"
seconds=${1:-30} seed=${2:-$RANDOM}

begin_with_one
mkdir -p /run/honest && chown 1000:1000 /run/honest
"$FARCALL" run --domain one -- sh -c 'mkdir -p /far/honest && chmod 777 /far/honest'
echo "# seed $seed"
setpriv --reuid 1001 --regid 1001 --clear-groups "$FC_BUILD/tests/xen/h_fuzz" "$seconds" "$seed" one &
fuzzer=$!
rounds=0
while kill -0 $fuzzer 2>/dev/null; do
	if ! timeout 60 setpriv --reuid 1000 --regid 1000 --clear-groups env HOME=/run XDG_RUNTIME_DIR=/run/honest "$FARCALL" run --domain one -- \
		sh -c 'seq 1 5000 >/far/honest/f && test "$(cksum </far/honest/f)" = "$(seq 1 5000 | cksum)"'; then
		fail "the honest user, round $rounds"
		break
	fi
	((rounds++))
done
wait $fuzzer || fail "the fuzzer itself"
pass "the honest user worked $rounds times"
"$FARCALL" domain list
counters_become 'n["sessions"] + n["requests"] == 0' || fail "sessions are left"
cat /sys/kernel/debug/farcall/counters
"$FARCALL" stat --domain one || fail "the domain does not answer any more"
end
