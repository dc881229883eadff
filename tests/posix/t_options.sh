#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the programs of this directory that are about regular files say on exports whose files are not delegated, or to which no writes are posted: the same
# as natively. Without these options each program compares itself.
. "$(dirname "$0")/../lib.sh"
need_farcall
need unshare
umask 022
mnt=$TESTDIR/mnt
mkdir "$mnt"
chmod 755 "$TESTDIR"

for program in t_attr t_delegated t_dir t_link t_limit t_lock t_map t_offset t_open t_post t_read t_reread; do
	binary=$(helper "posix/$program") || exit 77
	dir=$TESTDIR/$program
	mkdir -p "$dir"/{first,nocache,sync}
	chmod -R 755 "$dir"
	check "$program natively" natively "$dir/first" "$mnt" timeout -k 3 50 "$binary" "$mnt" </dev/null >"$dir/first.out" 2>&1
	for option in nocache sync; do
		check "$program, :$option" timeout -k 3 55 "$FARCALL" run -v "$dir/$option:$mnt:$option" -- timeout -k 3 50 "$binary" "$mnt" \
			</dev/null >"$dir/$option.out" 2>&1
		check "$program, :$option: what the calls say" diff -a "$dir/first.out" "$dir/$option.out"
		check "$program, :$option: what is left" same_tree "$dir/first" "$dir/$option" 2>/dev/null # of what is too deep for a name
	done
done
finish
