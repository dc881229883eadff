#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# inotify: see h_watch.c; and what others do to the files of a domain is seen, as by tail -F
. "$(dirname "$0")/../lib.sh"
need_farcall
[[ ! ${FC_TEST_XEN:-} ]] || skip "on Xen there is nobody to watch"
both_sides h_watch
far_begin
echo one >"$TESTDIR/far/log"
far timeout 20 tail -n +1 -F "$far/log" >"$TESTDIR/tail" 2>"$TESTDIR/err" &
wait_for 10 grep -q one "$TESTDIR/tail"
echo two >>"$TESTDIR/far/log"
check "tail sees what is appended" wait_for 3 grep -q two "$TESTDIR/tail"
mv "$TESTDIR/far/log" "$TESTDIR/far/log.1"
echo three >"$TESTDIR/far/log"
check "tail sees the new file" wait_for 3 grep -q three "$TESTDIR/tail"
check "tail does not poll" test ! "$(grep -i 'inotify\|poll' "$TESTDIR/err")"
kill $!
wait $! 2>/dev/null
far_end
finish
