#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Delegated files (farcall(7)): they are read without a request, and what programs that know nothing of farcall do to them is seen at once. See h_lease.c.
# FC_LEASE_MS: how long they are changed (3000, 8000 with FC_TEST_LONG; by hand 1800000).
. "$(dirname "$0")/../lib.sh"
need_farcall
[[ ! ${FC_TEST_XEN:-} ]] || skip "whoever looks is not there"
h=$(helper e2e/h_lease)
there=$TESTDIR/far
ms=${FC_TEST_LONG:+8000}
ms=${ms:-3000}

calls()
{
	"$FARCALL" stat --domain "$far_domain" --json | python3 -c 'import json,sys; print(json.load(sys.stdin)[0]["total"]["calls"])'
}

hold() # somebody has f delegated
{
	head -c 20000 /dev/zero >"$there/f"
	: >"$TESTDIR/hold" # of the one before
	"$FARCALL" run --domain "$far_domain" -- "$h" hold "$far/f" >"$TESTDIR/hold" &
	holder=$!
	wait_for 10 grep -q held "$TESTDIR/hold" || wrong "not held"
}

release() # [SIGNAL]
{
	kill "${1:--TERM}" "$holder"
	wait "$holder" 2>/dev/null
}

soon() # WHAT COMMAND...: opens f, in milliseconds
{
	local what=$1 ms
	shift
	ms=$("$@") || wrong "$what: does not open"
	check "$what: opens soon ($ms ms)" test "${ms:-9999}" -lt 500
}

# What is cut by an open for reading alone, which ends no lease for reading, is not read for long where it is not mapped.
cut_by_reader()
{
	hold
	python3 -c 'import os, sys; os.open(sys.argv[1], os.O_RDONLY | os.O_TRUNC)' "$there/f"
	check "an open for reading cuts it" wait_for 3 grep -q cut "$TESTDIR/hold"
	release
}

for far_options in "" :nomap; do
	note "export options: ${far_options:-none}"
	far_begin
	head -c 20000 /dev/zero >"$there/f"
	before=$(calls)
	check "ten thousand reads" far "$h" count "$far/f" 10000
	asked=$(($(calls) - before))
	check "are few requests ($asked)" test "$asked" -lt 200

	check "changed while it is read" "$h" drive "$there/g" "${FC_LEASE_MS:-$ms}" "$FARCALL" run --domain "$far_domain" -- "$h" read "$far/g"
	hold
	soon "a program beside farcall" "$h" open "$there/f" b
	release
	hold
	soon "another client" far "$h" open "$far/f" b
	release
	hold
	soon "another client that does not wait" far "$h" open "$far/f" n
	release
	hold
	check "a program beside farcall that does not wait" grep -q 'temporarily unavailable' <("$h" open "$there/f" n 2>&1)
	release
	hold
	kill -STOP "$holder"
	soon "the holder is stopped" "$h" open "$there/f" b
	release -KILL
	hold
	release -KILL
	soon "the holder is dead" "$h" open "$there/f" b
	cut_by_reader
	far_end
done

for how in "" "--cache 0"; do
	far_options=:nocache
	[[ ! $how ]] || far_options=:nomap
	far_begin
	head -c 20000 /dev/zero >"$there/f"
	before=$(calls)
	# shellcheck disable=SC2086
	check "$far_options $how" "$FARCALL" run --domain "$far_domain" $how -- "$h" count "$far/f" 5000
	check "$far_options $how: requests" test $(($(calls) - before)) -gt 5000
	far_end
done
finish
