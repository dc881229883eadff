#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# chroot to a local directory, and back: see h_chroot.c; a program that is started there.
. "$(dirname "$0")/../lib.sh"
need_farcall
[[ ! ${FC_TEST_XEN:-} ]] || skip "it is about a local prefix"
((EUID == 0)) || skip "only root can"
program=$(helper e2e/h_chroot) || exit 77
[[ ! -e /fc-jail ]] || skip "/fc-jail exists"

mkdir "$TESTDIR"/{far,jail,root}
echo far >"$TESTDIR/far/f"
ln -s /in "$TESTDIR/far/out"
echo jail >"$TESTDIR/jail/in"
mkdir /fc-jail
natively "$TESTDIR/far" /fc-jail "$program" /fc-jail "$TESTDIR/jail" >"$TESTDIR/native"
rmdir /fc-jail
remotely "$TESTDIR/far" /fc-jail timeout 20 "$program" /fc-jail "$TESTDIR/jail" >"$TESTDIR/remote"
check "chroot and back" diff "$TESTDIR/native" "$TESTDIR/remote"

# a jail with all that a program needs, the shim too
if mount --bind / "$TESTDIR/root"; then
	# shellcheck disable=SC2016
	remotely "$TESTDIR/far" /fc-jail sh -c 'exec 3</fc-jail/f; chroot "$0" sh -c "cat <&3; cat /fc-jail/f"' "$TESTDIR/root" \
		>"$TESTDIR/out" 2>"$TESTDIR/err" && wrong "a program in a jail sees what is outside"
	check "what is open stays open" test "$(cat "$TESTDIR/out")" = far
	check "the file is not found" grep -q "/fc-jail/f" "$TESTDIR/err"
	umount "$TESTDIR/root"
fi
finish
