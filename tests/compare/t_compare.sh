#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every row of syscalls.def native against remote (h_compare.c), a third of the vectors; all of them with FC_TEST_LONG=1. As
# root first, then as an ordinary user.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need_farcall
compare=$FC_BUILD/tests/compare/h_compare
[[ -x $compare ]] || compare=$(helper h_compare) || exit 77
extent=${FC_TEST_LONG:+--every 1}
chmod 755 "$TESTDIR"

compare_in() # WHAT COMMAND...: the rest of the command line is the comparison's
{
	local what=$1 status
	shift

	"$@"
	status=$?
	((status != 77)) || skip "$what is not possible here"
	check "$what" test $status = 0
}

mkdir "$TESTDIR/own"
# shellcheck disable=SC2086
if ((EUID == 0)); then
	compare_in "as root" "$compare" $extent "$FARCALL" "$TESTDIR/own"
	mkdir "$TESTDIR/user" "$TESTDIR/home"
	chown 1000:1000 "$TESTDIR/user" "$TESTDIR/home"
	HOME=$TESTDIR/home XDG_RUNTIME_DIR=$TESTDIR/home compare_in "as an ordinary user" \
		setpriv --reuid 1000 --regid 1000 --clear-groups "$compare" $extent "$FARCALL" "$TESTDIR/user"
else
	compare_in "as an ordinary user" "$compare" $extent "$FARCALL" "$TESTDIR/own"
fi
finish
