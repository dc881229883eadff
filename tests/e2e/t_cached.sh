#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What it costs to read a delegated file (h_cached.c): little memory, no system call, and, at an explicit offset, no instruction that locks the bus.
. "$(dirname "$0")/../lib.sh"
need_farcall
[[ ! ${FC_TEST_XEN:-} ]] || skip "on Xen nothing is delegated"
h=$(helper e2e/h_cached) || exit 77
far_begin
head -c 4096 /dev/urandom >"$TESTDIR/far/file"

cost() { sed -n "s/^$1: .* \([0-9]*\) $2.*/\1/p" "$TESTDIR/$3"; } # WAY WHAT RUN

timeout 60 "$h" steps "$h" reads "$TESTDIR/far/file" >"$TESTDIR/native" || skip "no single steps: $(cat "$TESTDIR/native")"
# watched from inside: `farcall run` itself may have to stay, and its child is not what is watched then
check "steps" timeout 60 "$FARCALL" run --domain "$far_domain" -- "$h" steps "$h" reads "$far/file" >"$TESTDIR/remote"
cat "$TESTDIR/remote"
for way in pread preadv "pread at the end" read lseek; do
	check "$way natively: one call" test "$(cost "$way" calls native)" = 1
	check "$way: no call" test "$(cost "$way" calls remote)" = 0
done
for way in pread "pread at the end"; do
	check "$way: nothing is locked" test "$(cost "$way" locked remote)" = 0
done
check "lseek: it would be seen" test "$(cost lseek locked remote)" -gt 0
check "memory" far "$h" memory "$far/file" 256
far_end

far_options=:nocache
far_begin
head -c 4096 /dev/urandom >"$TESTDIR/far/file"
check "steps, :nocache" timeout 60 "$FARCALL" run --domain "$far_domain" -- "$h" steps "$h" reads "$far/file" >"$TESTDIR/nocache"
check "pread, :nocache: it is asked for" test "$(cost pread locked nocache)" -gt 0
far_end
finish
