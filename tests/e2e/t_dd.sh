#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# dd writes and reads through the shim: the right bytes, and no storage call on the prefix reaches the client's own kernel.
. "$(dirname "$0")/../lib.sh"
need_farcall
[[ ${FC_TEST_XEN:-} ]] || need strace

count=${FC_TEST_LONG:+10000}
count=${count:-2500}
dd if=/dev/urandom of="$TESTDIR/random" bs=4k count="$count" status=none
far_begin

check "dd writes" far dd if="$TESTDIR/random" of="$far/f" bs=4k status=none
check "the bytes arrive" cmp "$TESTDIR/random" <(stored f)
check "dd reads" far dd if="$far/f" of="$TESTDIR/back" bs=64k status=none
check "the bytes come back" cmp "$TESTDIR/random" "$TESTDIR/back"
check "dd in large blocks" far dd if="$far/f" of="$far/g" bs=3M conv=fsync status=none
check "the same bytes" cmp <(stored f) <(stored g)
check "dd from urandom" far dd if=/dev/urandom of="$far/u" bs=4k count="$count" status=none
check "all of it" test "$(stored u | wc -c)" = $((4096 * count))
check "seek, skip, conv=notrunc" \
	far dd if="$TESTDIR/random" of="$far/f" bs=1k skip=3 seek=11 count=7 conv=notrunc status=none
dd if="$TESTDIR/random" of="$TESTDIR/random2" bs=4k status=none
dd if="$TESTDIR/random" of="$TESTDIR/random2" bs=1k skip=3 seek=11 count=7 conv=notrunc status=none
check "in the right place" cmp "$TESTDIR/random2" <(stored f)
check "nothing to tell on stderr" test -z "$(far dd if="$far/f" of="$far/h" status=none 2>&1)"
far_end
[[ ${FC_TEST_XEN:-} ]] && finish # the rest looks at this machine's own file system from both sides

mkdir -p "$TESTDIR/d" "$TESTDIR/mnt"
prefix=$TESTDIR/mnt
start_domain domain "$TESTDIR/d:$prefix"
straced "$domain_socket" "$TESTDIR/strace" dd if=/dev/urandom of="$prefix/s" bs=4k count=100 status=none
check "dd under strace" test $? = 0
check "its file" test "$(stat -c %s "$TESTDIR/d/s")" = 409600
check "the trace saw dd" grep -q "$prefix/s" "$TESTDIR/strace"
check "no storage call on the prefix reaches the client's kernel" leaks "$TESTDIR/strace" "$prefix"
finish
