#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# compare.sh [EVERY [ROWS]] - in the lab's primary domain: the table-driven comparison (tests/compare), one vector of EVERY, as root and as an
# ordinary user. The native side works on an ext4 mounted here, the remote side on the same ext4 in a storage domain, whose prefix is that mount point.
. "$FC_SOURCE/tests/xen/checks.sh"
every=${1:-20} rows=${2:-}
compare=$FC_BUILD/tests/compare/h_compare
dir=/run/compare mnt=/run/compare/w/l/m

# side LOG COMMAND...: the command runs the comparison's one side
side()
{
	local log=$1 began=$SECONDS
	shift
	"$@" "$compare" --side "$log" --every "$every" ${rows:+--rows "$rows"} "$dir" || fail "a side ends with status $?"
	say "${log##*/}: $(wc -l <"$log") vectors in $((SECONDS - began)) s"
}

both_sides() # WHAT COMMAND...: the command changes to the user
{
	local what=$1
	shift

	mount -o loop,nosuid,nodev /run/native.img "$mnt" || { fail "mount"; return; }
	side "$dir/log.native" "$@"
	umount "$mnt"
	side "$dir/log.remote" "$@" "$FARCALL" run --domain one --
	cp "$dir"/log.* "$LAB"
	if "$@" "$compare" --verdict "$dir/log.native" "$dir/log.remote"; then pass "comparison $what"; else fail "comparison $what"; fi
}

# the local file system: its inode numbers begin beyond those of the other
mkdir -p "$dir" && mount -t tmpfs tmpfs "$dir"
touch "$dir"/{1..3000} && rm "$dir"/*
mkdir -p "$mnt"
touch -d 2001-01-01 / # or it is from `now` in the first run only
truncate -s 64M /run/disk-one && mkfs.ext4 -q -F -m 0 /run/disk-one && cp /run/disk-one /run/native.img
FC_DOMU_PREFIX=$mnt begin_with_one
echo 1 >/sys/module/farcall/parameters/any_root # h_compare makes itself a mount namespace where nothing else can be written
both_sides "as root"

# the same for another owner of everything
mount -o loop /run/native.img "$mnt" && find "$mnt" -mindepth 1 -delete && chown 1000:1000 "$mnt" && umount "$mnt"
"$FARCALL" run --domain one -- sh -c "find $mnt -mindepth 1 -delete && chown 1000:1000 $mnt" || fail "clearing up"
rm -rf "$dir/w/l" && mkdir -p "$mnt" && chown -R 1000:1000 "$dir"
both_sides "as an ordinary user" env HOME=/run/home setpriv --reuid 1000 --regid 1000 --clear-groups
end
