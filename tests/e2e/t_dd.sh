#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# dd writes and reads through the shim: the right bytes, and no storage call on the prefix reaches the client's own kernel.
. "$(dirname "$0")/../lib.sh"
need_farcall
need strace

mkdir -p "$TESTDIR/d" "$TESTDIR/mnt"
prefix=$TESTDIR/mnt
count=${FC_TEST_LONG:+10000}
count=${count:-2500}

dd if=/dev/urandom of="$TESTDIR/random" bs=4k count="$count" status=none

check "dd writes" "$FARCALL" run -v "$TESTDIR/d:/data" -- dd if="$TESTDIR/random" of=/data/f bs=4k status=none
check "the bytes arrive" cmp "$TESTDIR/random" "$TESTDIR/d/f"
check "dd reads" "$FARCALL" run -v "$TESTDIR/d:/data" -- dd if=/data/f of="$TESTDIR/back" bs=64k status=none
check "the bytes come back" cmp "$TESTDIR/random" "$TESTDIR/back"
check "dd in large blocks" "$FARCALL" run -v "$TESTDIR/d:/data" -- \
	dd if=/data/f of=/data/g bs=3M conv=fsync status=none
check "the same bytes" cmp "$TESTDIR/d/f" "$TESTDIR/d/g"
check "dd from urandom" "$FARCALL" run -v "$TESTDIR/d:/data" -- \
	dd if=/dev/urandom of=/data/u bs=4k count="$count" status=none
check "all of it" test "$(stat -c %s "$TESTDIR/d/u")" = $((4096 * count))
check "seek, skip, conv=notrunc" "$FARCALL" run -v "$TESTDIR/d:/data" -- \
	dd if="$TESTDIR/random" of=/data/f bs=1k skip=3 seek=11 count=7 conv=notrunc status=none
dd if="$TESTDIR/random" of="$TESTDIR/random2" bs=4k status=none
dd if="$TESTDIR/random" of="$TESTDIR/random2" bs=1k skip=3 seek=11 count=7 conv=notrunc status=none
check "in the right place" cmp "$TESTDIR/random2" "$TESTDIR/d/f"
echo stop >"$TESTDIR/d/full"
check "nothing to tell on stderr" test -z "$("$FARCALL" run -v "$TESTDIR/d:/data" -- dd if=/data/f of=/data/h status=none 2>&1)"

start_domain domain "$TESTDIR/d:$prefix"
straced "$domain_socket" "$TESTDIR/strace" dd if=/dev/urandom of="$prefix/s" bs=4k count=100 status=none
check "dd under strace" test $? = 0
check "its file" test "$(stat -c %s "$TESTDIR/d/s")" = 409600
check "the trace saw dd" grep -q "$prefix/s" "$TESTDIR/strace"
check "no storage call on the prefix reaches the client's kernel" leaks "$TESTDIR/strace" "$prefix"
finish
