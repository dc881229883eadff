#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What is mounted and unmounted below an export while programs use it: seen as natively, read-only where the export is, without devices and
# set-id bits, no procfs, and the domain keeps nothing busy.
. "$(dirname "$0")/../lib.sh"
need_farcall
[[ ! ${FC_TEST_XEN:-} ]] || skip "on Xen the exports are the domain's"
((EUID == 0)) || skip "only root can mount natively"
need mkfs.ext2 losetup setpriv python3

dir=$TESTDIR/dir
mkdir -p "$dir"/{now,later,file,deep/er,dev,gone,shared,other}
chmod 755 "$TESTDIR" "$dir" "$dir"/*
touch "$dir/target"
mount -t tmpfs none "$dir/now" || skip "nothing can be mounted here"
mount -t tmpfs none "$dir/gone"
echo N >"$dir/now/f"
echo G >"$dir/gone/f"
# A mount that the domain is just looking at is busy for that moment.
unmount()
{
	local path

	for path; do
		wait_for 5 umount "$path" 2>/dev/null || wrong "$path stays mounted"
	done
}

unmount_all()
{
	local path

	while read -r path; do
		umount -l "$path" 2>/dev/null
	done < <(findmnt -rno TARGET | grep "^$TESTDIR/" | tac)
	clean_up
}
trap unmount_all EXIT

start_domain d "$dir:/rw" "$dir:/ro:ro"
far()
{
	"$FARCALL" run --domain "$d_socket" -- "$@"
}
says()
{
	[[ $(far "${@:2}" 2>&1) == "$1" ]]
}

# a program that is there all the time
mkfifo "$TESTDIR/ask" "$TESTDIR/answer"
# shellcheck disable=SC2016
far bash -c 'cd /rw; while read -r line; do eval "$line" 2>&1; echo .; done' <"$TESTDIR/ask" >"$TESTDIR/answer" 2>&1 &
exec 5>"$TESTDIR/ask" 6<"$TESTDIR/answer"
ask()
{
	local line answer=

	echo "$1" >&5
	while read -r -t 20 line <&6 && [[ $line != . ]]; do
		answer+=$line
	done
	[[ $answer == "$2" ]]
}
check "what was there" ask 'read x <now/f; echo $x' N
check "nothing yet" ask 'echo later/*' 'later/*'
mount -t tmpfs none "$dir/later"
echo L >"$dir/later/f"
check "what is mounted later" wait_for 5 ask 'read x <later/f; echo $x' L
check "by its other name" says L cat /ro/later/f
check "it can be written" ask 'echo W >later/w' ''
check "it is the same" test "$(cat "$dir/later/w")" = W
check "not below a read-only export" ask 'true >/ro/later/x' 'bash: line 1: /ro/later/x: Read-only file system'
check "and nothing is" test ! -e "$dir/later/x"
check "its place is busy" ask 'rmdir later 2>/dev/null; mv later earlier 2>/dev/null; echo later/f' 'later/f'
check "another device" ask 'ln later/f f 2>/dev/null || echo no' no

# one in it, one on a file, one on it
mkdir "$dir/later/in"
mount -t tmpfs none "$dir/later/in"
echo I >"$dir/later/in/f"
check "one in the other" wait_for 5 ask 'cat later/in/f' I
mount --bind "$dir/now/f" "$dir/target"
check "on a file" wait_for 5 ask 'cat target' N
mount -t tmpfs none "$dir/later"
echo O >"$dir/later/f"
check "on one another" wait_for 5 ask 'cat later/f' O
unmount "$dir/later"
check "and off it" wait_for 5 ask 'cat later/f later/in/f' LI
unmount "$dir/later/in" "$dir/target"
check "unmounted from it" wait_for 5 ask 'ls later/in; cat target' ''

# not what would lead to more than the exports
mount -t tmpfs -o dev,suid none "$dir/dev"
mknod -m 666 "$dir/dev/null" c 1 3
mount -t proc proc "$dir/deep"
mount --bind /dev "$dir/other"
check "no device" wait_for 5 ask 'test -e dev/null && cat dev/null' 'cat: dev/null: Permission denied'
check "nor from a tree of them" wait_for 5 ask 'test -c other/zero && cat other/zero' 'cat: other/zero: Permission denied'
check "no procfs" ask 'ls deep' 'er'
unmount "$dir"/{dev,deep,other}

# nothing is kept busy: neither what came later, nor what was there
truncate -s 4M "$TESTDIR/image"
if mkfs.ext2 -q "$TESTDIR/image" && loop=$(losetup -f --show "$TESTDIR/image" 2>/dev/null) && mount "$loop" "$dir/file" 2>/dev/null; then
	echo D >"$dir/file/f"
	check "a disk" wait_for 5 ask 'cat file/f' D
	check "is unmounted" wait_for 5 umount "$dir/file"
	check "and let go of" wait_for 5 python3 -c 'import os, sys; os.open(sys.argv[1], os.O_RDWR | os.O_EXCL)' "$loop" 2>"$TESTDIR/busy"
	losetup -d "$loop"
else
	note "no disk can be made here"
fi
unmount "$dir/gone"
check "what was there when it started" wait_for 5 ask 'echo gone/*' 'gone/*'
check "stays what stays" ask 'cat now/f' N
unmount "$dir/later"
check "the last" wait_for 5 ask 'echo later/*' 'later/*'

# another file system that is mounted over a part of it, and what is then mounted there, is not below the export
mkdir -p "$dir/deep/er/est" "$TESTDIR/else/er/est"
mount --bind "$TESTDIR/else" "$dir"
mount -t tmpfs none "$dir/er" 2>/dev/null && echo X >"$dir/er/f"
sleep 0.3
check "what hides the export is not in it" says '' sh -c 'ls /rw/er 2>/dev/null'
unmount "$dir/er" "$dir"
exec 5>&- 6<&-
for i in {1..200}; do
	mount -t tmpfs none "$dir/later" && echo "$i" >"$dir/later/f" && unmount "$dir/later"
done
mount -t tmpfs none "$dir/later"
echo last >"$dir/later/f"
check "after many" wait_for 5 says last cat /rw/later/f
unmount "$dir/later"
check "it is unmounted" wait_for 5 says '' ls /rw/later
helper=$(pgrep -x farcall-mounts -P "$(pgrep -P "$d_pid" | head -1),$d_pid" | head -1)
check "there is one who looks" test -n "$helper"
kill -STOP "$helper" && sleep 0.2 && kill -CONT "$helper" # as ^Z and fg do
mount -t tmpfs none "$dir/later"
echo on >"$dir/later/f"
check "who goes on when he was stopped" wait_for 5 says on cat /rw/later/f
unmount "$dir/later"
stop_domain d
check "and it ends" wait_for 5 test ! -e "/proc/$helper"

# an ordinary user's domain, to which the kernel brings what is mounted on shared mounts
mount --bind "$dir/shared" "$dir/shared"
mount --make-shared "$dir/shared"
mkdir "$dir/shared/m"
chown 12345:12345 "$TESTDIR" "$dir"
as=(setpriv --reuid 12345 --regid 12345 --clear-groups env HOME="$TESTDIR")
mkdir "$dir"/{shared/kept,private} "$dir/private/m"
mount -t tmpfs -o mode=777 none "$dir/shared/kept"
echo K >"$dir/shared/kept/f"
mount --bind "$dir/private" "$dir/private"
mount --make-private "$dir/private"
if "${as[@]}" unshare -Urm true 2>/dev/null; then
	"${as[@]}" "$FARCALL" serve -v "$dir/shared:/rw" -v "$dir/shared:/ro:ro" -v "$dir/private:/private" --socket "$TESTDIR/user.sock" </dev/null >"$TESTDIR/user.log" 2>&1 &
	started+=($!)
	wait_for 10 test -S "$TESTDIR/user.sock" || { cat "$TESTDIR/user.log"; wrong "a user's domain does not start"; finish; }
	user()
	{
		[[ $("${as[@]}" "$FARCALL" run --domain "$TESTDIR/user.sock" -- "${@:2}" 2>&1) == "$1" ]]
	}
	check "a user sees nothing" user '' ls /rw/m
	mount -t tmpfs -o mode=777 none "$dir/shared/m"
	echo U >"$dir/shared/m/f"
	check "a user sees what is mounted" wait_for 5 user U cat /rw/m/f
	check "and cannot write it by way of a read-only export" user 'sh: 1: cannot create /ro/m/x: Read-only file system' sh -c 'true >/ro/m/x'
	check "a user's domain keeps nothing busy" umount "$dir/shared/m"
	check "a user sees that it is gone" wait_for 5 user '' ls /rw/m
	mount -t tmpfs -o mode=777 none "$dir/private/m"
	echo P >"$dir/private/m/f"
	umount "$dir/shared/kept"
	sleep 0.5
	check "not what is mounted where it is not shared" user '' ls /private/m
	check "and what was there when it started stays" user K cat /rw/kept/f
fi
finish
