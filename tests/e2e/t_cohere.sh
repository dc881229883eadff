#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Clients and native processes on the same few files: everything that they have seen can have been so. See h_cohere.c.
# On Xen all are clients. FC_COHERE_SECONDS: for how long (16, 40 with FC_TEST_LONG; by hand 1800); FC_COHERE_SEED; FC_COHERE_CLIENTS=1: not natively.
. "$(dirname "$0")/../lib.sh"
need_farcall
need jq
h=$(helper e2e/h_cohere) || exit 77
seconds=${FC_COHERE_SECONDS:-${FC_TEST_LONG:+40}}
seconds=${seconds:-16}
seed=${FC_COHERE_SEED:-$RANDOM}
share=375 # of a second: a quarter natively, half of the rest below :nomap
[[ ! ${FC_COHERE_CLIENTS:-} ]] || share=500
ms=$((seconds * share))
counted() { "$FARCALL" stat --json --domain "$far_domain" | jq "[.[].total.$1] | add"; } # of all sessions that have been

mkdir "$TESTDIR/native"
[[ ${FC_COHERE_CLIENTS:-}${FC_TEST_XEN:-} ]] || check "natively" timeout $((seconds + 90)) "$h" drive "$TESTDIR/native" $((seconds * 250)) "$seed"
drive=("$h" drive "$TESTDIR/far") options=("" :nomap) few=4
[[ ! ${FC_TEST_XEN:-} ]] || options=("") few=0 # an emulated machine is slow
for far_options in "${options[@]}"; do
	far_begin
	[[ ! ${FC_TEST_XEN:-} ]] || drive=("$FARCALL" run --domain "$far_domain" -- "$h" drive "$far")
	check "with clients $far_options" timeout $((seconds + 90)) "${drive[@]}" $ms "$seed" "$far" "$FARCALL" run --domain "$far_domain" --
	note "${far_options:-mapped}: $(counted leases) delegations, $(counted leases_broken) taken back, $(counted posts) writes posted"
	check "delegations were taken back $far_options" test "$(counted leases_broken)" -gt $few
	check "writes were posted $far_options" test "$(counted posts)" -gt 200
	far_end
done
finish
