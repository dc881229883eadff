#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Writes that a client makes in its own mapping of a file: see h_store.c; and that it makes them.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need_farcall
need jq
[[ ! ${FC_TEST_XEN:-} ]] || skip "nothing is handed over there"
h=$(helper e2e/h_store) || exit 77
WRITES=20000
counted() { "$FARCALL" stat --json --domain "$far_domain" | jq "[.[].total.$1] | add"; } # of all sessions that have been

mkdir "$TESTDIR/native"
check "natively" timeout 100 "$h" "$TESTDIR/native" native
for far_options in "" :nomap; do
	far_begin
	check "remotely ${far_options:-}" far timeout -k 5 100 "$h" "$far" remote
	far_end
done

# ---- in memory, and little of it ----
mkdir "$TESTDIR/memory"
mount -t tmpfs -o size=100m none "$TESTDIR/memory" 2>/dev/null || { note "nothing can be mounted here"; finish; }
clean_mount()
{
	local status=$?

	umount -l "$TESTDIR/memory"
	return "$status"
}
trap 'clean_mount; clean_up' EXIT
check "natively, when it is full" timeout 100 "$h" "$TESTDIR/memory" native full
stop_domain far
start_domain far "$TESTDIR/memory:$far"
far_domain=$far_socket
check "remotely, when it is full" far timeout -k 5 100 "$h" "$far" remote full
native=$("$h" "$TESTDIR/memory" native fine) remote=$(far timeout 60 "$h" "$far" remote fine)
note "of 100 writes those see the time who have looked just before: of $native natively, of $remote remotely"
check "times are as fine as natively" test "$remote" -ge $((native - 5))

# What goes by the domain is counted there in bytes, the rest only as writes.
before=$(counted bytes_written) posts=$(counted posts)
check "many are written" far timeout 60 "$h" "$far" remote $WRITES
check "they are counted" test $(($(counted posts) - posts)) -gt $((WRITES * 9 / 10))
bytes=$(($(counted bytes_written) - before - 1048576))
check "most of them do not go by the domain (of $((WRITES * 1024)) bytes, $bytes do)" test $bytes -lt $((WRITES * 1024 / 2))
stop_domain far
finish
