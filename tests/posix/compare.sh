#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# compare.sh - PROGRAM: run on a directory that is bind-mounted, then on the same as an export; what it says each call gives must be the same.
# With FARCALL= (empty) both runs are native: that the program itself says nothing that differs.
second=far
[[ ${FARCALL-unset} ]] || second=native
. "$(dirname "$0")/../lib.sh"
need unshare
[[ $second = native ]] || need_farcall
program=$1
name=posix/$(basename "$program")
mnt=$TESTDIR/mnt
mkdir "$mnt" "$TESTDIR/first" "$TESTDIR/second"
chmod 755 "$TESTDIR" "$TESTDIR/first" "$TESTDIR/second"
umask 022

timeout -k 3 50 unshare -m --propagation private true 2>/dev/null || [[ $EUID != 0 ]] || skip "no mount namespaces"
natively "$TESTDIR/first" "$mnt" timeout -k 3 50 "$program" "$mnt" </dev/null >"$TESTDIR/first.out" 2>&1
first=$?
((first == 0)) || { tail -n 5 "$TESTDIR/first.out"; wrong "natively: status $first"; }
if [[ $second = native ]]; then
	natively "$TESTDIR/second" "$mnt" timeout -k 3 50 "$program" "$mnt" </dev/null >"$TESTDIR/second.out" 2>&1
else
	timeout -k 3 55 "$FARCALL" run -v "$TESTDIR/second:$mnt" -- timeout -k 3 50 "$program" "$mnt" </dev/null >"$TESTDIR/second.out" 2>&1
fi
status=$?
check "status $status instead of $first" test $status = $first
check "what the calls say" diff -a "$TESTDIR/first.out" "$TESTDIR/second.out"
check "what is left" same_tree "$TESTDIR/first" "$TESTDIR/second"
echo "# $(wc -l <"$TESTDIR/first.out") lines"
finish
