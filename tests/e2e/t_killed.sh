#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Programs that are killed while they post writes leave what they had been told is written (h_killed.c). FC_KILLS: how many are killed (160; 1,000 with
# FC_TEST_LONG). FC_KILLED_SEED: the same again.
. "$(dirname "$0")/../lib.sh"
need_farcall
need jq
[[ ! ${FC_TEST_XEN:-} ]] || skip "an emulated machine is killed before it posts: tests/xen/leases.sh"
h=$(helper e2e/h_killed) || exit 77
kills=${FC_TEST_LONG:+1000}
kills=${FC_KILLS:-${kills:-160}}
each=$(((kills + 7) / 8)) # pairs of each kind: four kinds make them all
each=$((each * 2))
far_begin

posts() { "$FARCALL" stat --json --domain "$far_domain" | jq '[.[].total.posts] | add'; }
clean() { rm -f "$TESTDIR"/far/{killed,asked}.*; }

# Who looks is farcall's, or not; who writes was forked, or begins with a program
before=$(posts)
check "forked, and a client looks" far timeout -k 5 200 "$h" drive "$far" $each 0
clean
check "programs, and a client looks" far timeout -k 5 200 "$h" drive "$far" $each 0 "$h"
clean
check "programs, and one looks that knows nothing of farcall" timeout -k 5 200 "$h" drive "$far,$TESTDIR/far" $each 1 \
	"$FARCALL" run --domain "$far_domain" -- "$h"
check "most writes were posted: $(($(posts) - before))" test $(($(posts) - before)) -gt $((each * 100))
far_end

far_options=:sync
far_begin
check "below :sync" far timeout -k 5 200 "$h" drive "$far" $each 0
check "nothing was posted there" test "$(posts)" = 0
far_end
finish
