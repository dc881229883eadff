#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Calls of all kinds on one file, by chance, against a model of it (h_fsx.c): natively, and on exports with delegations, without, and without posted writes.
# FC_FSX_CALLS: how many in each of FC_FSX_RUNS runs (6,000 in 3; with FC_TEST_LONG 60,000 in 6); FC_FSX_SEED: the first one's.
. "$(dirname "$0")/../lib.sh"
need_farcall
need jq
[[ ! ${FC_TEST_XEN:-} ]] || skip "nobody beside"
h=$(helper e2e/h_fsx) || exit 77
calls=${FC_FSX_CALLS:-${FC_TEST_LONG:+60000}} runs=${FC_FSX_RUNS:-${FC_TEST_LONG:+6}}
seed=${FC_FSX_SEED:-$RANDOM}
echo "seed $seed"

counted() { "$FARCALL" stat --json --domain "$far_domain" | jq "[.[].total.$1] | add"; }
check "natively" timeout 100 "$h" "$TESTDIR/file" "$TESTDIR/file" 2000 "$seed"
for far_options in "" :nocache :sync; do
	far_begin
	for ((i = 0; i < ${runs:-3}; i++)); do
		check "${far_options:-with delegations}, seed $((seed + i))" far timeout -k 5 600 "$h" "$far/file" "$TESTDIR/far/file" "${calls:-6000}" $((seed + i))
	done
	echo "${far_options:-with delegations}: $(counted leases) delegations, $(counted posts) writes posted"
	case $far_options in
	:nocache) check "none" test "$(counted leases)" = 0 ;;
	:sync) check "none is posted" test "$(counted posts)" = 0 ;;
	*) check "some are posted" test "$(counted posts)" -gt 100 ;;
	esac
	far_end
done
finish
