#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Clients and native processes on the same few files: everything that they have seen can have been so. See h_cohere.c.
# FC_COHERE_SECONDS: for how long (16, 40 with FC_TEST_LONG; by hand 1800); FC_COHERE_SEED; FC_COHERE_CLIENTS=1: not natively.
. "$(dirname "$0")/../lib.sh"
need_farcall
need jq
[[ ! ${FC_TEST_XEN:-} ]] || skip "on Xen nothing is delegated"
h=$(helper e2e/h_cohere) || exit 77
seconds=${FC_COHERE_SECONDS:-${FC_TEST_LONG:+40}}
seconds=${seconds:-16}
seed=${FC_COHERE_SEED:-$RANDOM}
share=375 # of a second: a quarter natively, half of the rest below :nomap
[[ ! ${FC_COHERE_CLIENTS:-} ]] || share=500
ms=$((seconds * share))
counted() { "$FARCALL" stat --json --domain "$far_domain" | jq "[.[].total.$1] | add"; } # of all sessions that have been

mkdir "$TESTDIR/native"
[[ ${FC_COHERE_CLIENTS:-} ]] || check "natively" timeout $((seconds + 90)) "$h" drive "$TESTDIR/native" $((seconds * 250)) "$seed"
for far_options in "" :nomap; do
	far_begin
	check "with clients $far_options" timeout $((seconds + 90)) "$h" drive "$TESTDIR/far" $ms "$seed" "$far" "$FARCALL" run --domain "$far_domain" --
	note "${far_options:-mapped}: $(counted leases) delegations, $(counted leases_broken) taken back, $(counted posts) writes posted"
	check "delegations were taken back $far_options" test "$(counted leases_broken)" -gt 4
	check "writes were posted $far_options" test "$(counted posts)" -gt 200
	far_end
done
finish
