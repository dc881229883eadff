#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# FARCALL_CHECK in relinked programs: what goes past the hook is reported with program and offset, and nothing comes out differently,
# not even where a thread can be cancelled.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/relinked/libraries.sh
. "$(dirname "$0")/libraries.sh"
need_farcall
need gcc

library musl
library uclibc-ng

for build in $builds; do
	[[ $build != glibc ]] || continue # tests/preload/t_hook.sh
	compile "$build" counting "$TESTDIR/h_unhooked" preload/h_unhooked.c || continue
	for check in '' 1; do
		FC_TEST_REMOTE_FD=5 ${check:+env FARCALL_CHECK=1} "$TESTDIR/h_unhooked" </dev/null 2>"$TESTDIR/messages" |
			grep -v '^[0-9]\{9,\}' >"$TESTDIR/results$check" # but for the address of a mapping
	done
	check "$build: the same results" cmp "$TESTDIR/results" "$TESTDIR/results1"
	for call in openat open read renameat mmap dup2 execve mount close_range pread64; do
		check "$build: $call is reported once" test \
			"$(grep -c "^farcall: check: un-hooked $call(...) at $TESTDIR/h_unhooked+0x[0-9a-f]*\$" "$TESTDIR/messages")" = 1
	done
	check "$build: nothing else is" test "$(wc -l <"$TESTDIR/messages")" = 10

	compile "$build" "$TESTDIR/h_cancel" e2e/h_cancel.c || continue
	for side in native remote; do
		mkdir -p "$TESTDIR/$build/native" "$TESTDIR/$build/remote"
		dir=/data
		[[ $side = remote ]] || dir=$TESTDIR/$build/native
		check "$build: cancellation, $side" env FARCALL_CHECK=1 timeout -k 5 60 "$FARCALL" run -v "$TESTDIR/$build/remote:/data:nomap" -- \
			"$TESTDIR/h_cancel" "$dir" $side
	done
done
finish
