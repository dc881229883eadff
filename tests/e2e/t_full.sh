#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# All descriptors in use: see h_full.c. And domains that are started where the limit is low.
. "$(dirname "$0")/../lib.sh"
need_farcall
both_sides h_full

mkdir -p "$TESTDIR/d" && echo content >"$TESTDIR/d/f" || exit 1
(ulimit -S -n 64 && "$FARCALL" run -v "$TESTDIR/d:/data" -- cat /data/f) >"$TESTDIR/soft" 2>&1 </dev/null
check "a domain raises its soft limit" grep -qx content "$TESTDIR/soft"

if setpriv --help 2>&1 | grep -q bounding-set && ((EUID == 0)); then
	# without the right to raise the hard one
	low=(setpriv --bounding-set=-sys_resource)
else
	low=()
fi
(ulimit -n 64 && "${low[@]}" timeout 60 "$FARCALL" run -v "$TESTDIR/d:/data" -- cat /data/f) >"$TESTDIR/hard" 2>&1 </dev/null
check "a domain that has too few says so" grep -q 'ulimit -Hn' "$TESTDIR/hard"
(ulimit -f 16 && "${low[@]}" timeout 60 "$FARCALL" run -v "$TESTDIR/d:/data" -- cat /data/f) >"$TESTDIR/size" 2>&1 </dev/null
check "a domain that may have no large file says so" grep -q 'ulimit -Hf' "$TESTDIR/size"
(ulimit -S -f 16 && "$FARCALL" run -v "$TESTDIR/d:/data" -- cat /data/f) >"$TESTDIR/soft" 2>&1 </dev/null
check "a domain raises its soft limit of file sizes" grep -qx content "$TESTDIR/soft"
(ulimit -n 128 && "${low[@]}" timeout 60 "$FARCALL" run -v "$TESTDIR/d:/data" -- cat /data/f) >"$TESTDIR/few" 2>&1 </dev/null
check "a domain can do with few" grep -qx content "$TESTDIR/few"
finish
