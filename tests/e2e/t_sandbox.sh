#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Programs under seccomp: the same natively and remotely; and a client that may not ring costs next to nothing while it does nothing.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need_farcall
program=$(helper e2e/h_sandbox) || exit 77

mkdir "$TESTDIR/native"
check "natively" timeout 60 "$program" "$TESTDIR/native" >"$TESTDIR/native.out"
far_begin
check "remotely" timeout -k 5 60 "$FARCALL" run --domain "$far_domain" -- "$program" "$far" >"$TESTDIR/far.out" 2>"$TESTDIR/far.err"
check "the same is seen" diff "$TESTDIR/native.out" "$TESTDIR/far.out"
check "nothing is said" test ! -s "$TESTDIR/far.err"
[[ ${FC_TEST_XEN:-} ]] || check "the same is left" same_tree "$TESTDIR/native" "$TESTDIR/far"
grep -q 'strict mode: exit 0' "$TESTDIR/native.out" || wrong "the native run is not what it should be"

far_end
finish
