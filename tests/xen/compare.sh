#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# compare.sh [SECONDS [EVERY]] - in the lab's primary domain: the table-driven comparison (tests/compare), one vector of EVERY and at least one of
# each row, as root and as an ordinary user. The native side works on an ext4 mounted here, the remote side on the same ext4 in a storage
# domain, whose prefix is that mount point.
#
# A remote vector takes 0.1 s on a quiet machine and a second beside other work: nearly all of it goes into looking at the whole tree after
# each one. So the rows come in groups, as many as there is time for; which group is the first is another one each day.
. "$FC_SOURCE/tests/xen/checks.sh"
seconds=${1:-100} every=${2:-400}
compare=$FC_BUILD/tests/compare/h_compare
dir=/run/compare mnt=/run/compare/w/l/m
groups=('[a-e]*' '[f-g]*' '[h-m]*' '[n-p]*' '[q-r]*' '[s-z]*')
first=$((10#$(date +%j) % ${#groups[@]}))

# side LOG ROWS COMMAND...: the command runs the comparison's one side
side()
{
	local log=$1 rows=$2
	shift 2
	"$@" "$compare" --side "$log" --every "$every" --rows "$rows" "$dir" || fail "a side ends with status $?"
}

both_sides() # ROWS COMMAND...
{
	local rows=$1
	shift

	mount -o loop,nosuid,nodev /run/native.img "$mnt" || { fail "mount"; return 1; }
	side "$dir/log.native" "$rows" "$@"
	umount "$mnt"
	side "$dir/log.remote" "$rows" "$@" "$FARCALL" run --domain one --
	cp "$dir"/log.* "$LAB"
	"$@" "$compare" --verdict "$dir/log.native" "$dir/log.remote"
}

groups_as() # WHAT COMMAND...: the command changes to the user
{
	local what=$1 began=$SECONDS n rows bad='' vectors=0
	shift

	for ((n = 0; n < ${#groups[@]}; n++)); do
		((n == 0 || SECONDS - began < seconds / 2)) || break
		rows=${groups[(first + n) % ${#groups[@]}]}
		both_sides "$rows" "$@" || { fail "comparison of $rows $what"; bad=1; }
		((vectors += $(grep -vc ^99999 "$dir/log.remote")))
		say "$rows $what: $SECONDS s"
	done
	((bad)) || pass "comparison $what: $n of ${#groups[@]} groups of rows, $vectors vectors, in $((SECONDS - began)) s"
}

# the local file system: its inode numbers begin beyond those of the other
mkdir -p "$dir" && mount -t tmpfs tmpfs "$dir"
touch "$dir"/{1..3000} && rm "$dir"/*
mkdir -p "$mnt"
touch -d 2001-01-01 / # or it is from `now` in the first run only
[[ ! -e /run/one.cfg ]] || end_domu one
truncate -s 64M /run/disk-one && mkfs.ext4 -q -F -m 0 /run/disk-one && cp /run/disk-one /run/native.img
FC_DOMU_PREFIX=$mnt begin_with_one
echo 1 >/sys/module/farcall/parameters/any_root # h_compare makes itself a mount namespace where nothing else can be written
groups_as "as root"

# the same for another owner of everything
mount -o loop /run/native.img "$mnt" && find "$mnt" -mindepth 1 -delete && chown 1000:1000 "$mnt" && umount "$mnt"
"$FARCALL" run --domain one -- sh -c "find $mnt -mindepth 1 -delete && chown 1000:1000 $mnt" || fail "clearing up"
rm -rf "$dir/w/l" && mkdir -p "$mnt" && chown -R 1000:1000 "$dir"
groups_as "as an ordinary user" env HOME=/run/home setpriv --reuid 1000 --regid 1000 --clear-groups
end
