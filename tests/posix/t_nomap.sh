#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The programs of this directory on an export from which nothing is handed over: what they say is the same as natively, but for what `border` lists.
. "$(dirname "$0")/../lib.sh"
. "$FC_SOURCE/tests/posix/border.sh"
need_farcall
((EUID == 0)) || need unshare
umask 022
user=user
((EUID)) || user=root
mnt=$TESTDIR/mnt
chmod 755 "$TESTDIR"

for program in "${border_programs[@]}"; do
	binary=$(helper "posix/$program") || exit 77
	dir=$TESTDIR/$program
	mkdir -p "$mnt" "$dir/first" "$dir/second"
	chmod -R 755 "$dir"
	check "$program natively" natively "$dir/first" "$mnt" timeout -k 3 50 "$binary" "$mnt" </dev/null >"$dir/first.out" 2>&1
	check "$program remotely" timeout -k 3 55 "$FARCALL" run -v "$dir/second:$mnt:nomap" -- timeout -k 3 50 "$binary" "$mnt" \
		</dev/null >"$dir/second.out" 2>&1
	check "$program: what the calls say" border_same "$program" "nomap $user" "$dir/first.out" "$dir/second.out"
done
finish
