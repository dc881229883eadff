#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Threads that change what a number stands for, or tell others, under the feet of one that has delegations, or has
# just begun a call. See h_swap.c and h_reuse.c.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need_farcall
[[ ! ${FC_TEST_XEN:-} ]] || skip "whoever hears is not there"
h=$(helper e2e/h_swap) || exit 77
reuse=$(helper e2e/h_reuse) || exit 77
# Those of h_reuse that go wrong most often with these options, where nothing is done about it.
kinds()
{
	echo writes reads
	case $far_options in
	"") echo splices flags lengths directories maps passes ;;
	:nomap) echo copies locks reopens maps ;;
	esac
}

for far_options in "" :nomap :nocache; do
	far_begin
	for what in dup length jump; do
		check "$what $far_options" far timeout 60 "$h" $what "$far"
	done
	for what in $(kinds); do
		long=${FC_TEST_LONG:-}
		[[ $what != @(flags|lengths|directories) ]] || long=1 # seldom wrong
		check "$what $far_options" far timeout 60 env ${long:+FC_TEST_LONG=1} "$reuse" "$what" "$far"
	done
	rm -f "$TESTDIR/fifo"
	mkfifo "$TESTDIR/fifo"
	timeout 60 "$h" hear "$TESTDIR/far/told" "$TESTDIR/fifo" &
	check "telling $far_options" far timeout 60 "$h" tell "$far/told" "$TESTDIR/fifo"
	check "what is told is there $far_options" wait $!
	far_end
done
finish
