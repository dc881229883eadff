#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a program keeps of files that are delegated to it, where they are not handed over (farcall(7), Delegated files), is what is there. See h_cache.c.
. "$(dirname "$0")/../lib.sh"
need_farcall
need jq
[[ ! ${FC_TEST_XEN:-} ]] || skip "on Xen nothing is delegated"
h=$(helper e2e/h_cache) || exit 77
counted() { "$FARCALL" stat --json --domain "$far_domain" | jq "[.[].total.$1] | add"; } # of all sessions that have been
cached() { "$FARCALL" run --domain "$far_domain" --cache "$1" -- timeout 60 "${@:2}"; }

check "natively" "$h" calls "$TESTDIR/native"
for far_options in "" :nomap; do
	far_begin
	for size in 0 128K 64M; do
		check "each call, $size $far_options" cached $size "$h" calls "$far/f"
		check "threads, $size $far_options" cached $size "$h" threads "$far/f"
	done
	before=$(counted calls)
	check "ten thousand reads $far_options" far "$h" count "$far/f" 10000
	asked=$(($(counted calls) - before))
	check "are few requests ($asked) $far_options" test "$asked" -lt 500
	note "$asked requests, $(counted leases) delegations"
	far_end
done
finish
