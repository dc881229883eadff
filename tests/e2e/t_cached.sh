#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What it costs to use a delegated file (h_cached.c): little memory, no system call, few instructions, and, to read at an explicit offset, none that locks the bus.
. "$(dirname "$0")/../lib.sh"
need_farcall
[[ ! ${FC_TEST_XEN:-} ]] || skip "its files are made beside"
h=$(helper e2e/h_cached) || exit 77
far_begin
head -c 4096 /dev/urandom >"$TESTDIR/far/file"

cost() { sed -n "s/^$1:.* \(-*[0-9]*\) $2.*/\1/p" "$TESTDIR/$3"; } # WAY WHAT RUN

timeout 60 "$h" steps "$h" uses "$TESTDIR/far/file" >"$TESTDIR/native" || skip "no single steps: $(cat "$TESTDIR/native")"
# watched from inside: `farcall run` itself may have to stay, and its child is not what is watched then
check "steps" timeout 60 "$FARCALL" run --domain "$far_domain" -- "$h" steps "$h" uses "$far/file" >"$TESTDIR/remote"
cat "$TESTDIR/remote"
for way in pread preadv "pread at the end" read lseek; do
	check "$way natively: one call" test "$(cost "$way" calls native)" = 1
	check "$way: no call" test "$(cost "$way" calls remote)" = 0
	check "$way: each function returns" test "$(cost "$way" open remote)" = 0
done
check "few instructions" test "$(cost "pread at the end" instructions remote)" -lt 540
check "write: little is locked" test "$(cost write locked remote)" -le 5 # one of them, if the domain has to be woken
check "write: it is posted" test "$(cost write calls remote)" -le 1
for way in pread "pread at the end"; do
	check "$way: nothing is locked" test "$(cost "$way" locked remote)" = 0
done
check "lseek: it would be seen" test "$(cost lseek locked remote)" -gt 0
check "memory" far "$h" memory "$far/file" 256
far_end

far_options=:nocache
far_begin
head -c 4096 /dev/urandom >"$TESTDIR/far/file"
check "steps, :nocache" timeout 60 "$FARCALL" run --domain "$far_domain" -- "$h" steps "$h" uses "$far/file" >"$TESTDIR/nocache"
check "pread, :nocache: it is asked for" test "$(cost pread locked nocache)" -gt 0
far_end
finish
