#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Posted writes for which there is no room: who asks about that file is told, once, and nobody else, whatever has become of the descriptor.
# And what is not posted at all: what is to be on the disk when a write returns. As root, for it mounts.
. "$(dirname "$0")/../lib.sh"
need_farcall
need jq python3 fallocate
((!EUID)) || skip "only root can mount"
[[ ! ${FC_TEST_XEN:-} ]] || exit 77 # its files are not on such a file system

# The program: posts to a file, has the file system filled, posts more, and then does what `how` says. Prints what it was told.
cat >"$TESTDIR/failing.py" <<'END'
import errno, os, sys, time
where, signs, how = sys.argv[1:4]

def told(what, *arguments):
    try:
        what(*arguments)
        return "nothing"
    except OSError as e:
        return errno.errorcode[e.errno]

if how == "executed":
    print(told(os.fsync, int(sys.argv[4])), told(os.fsync, int(sys.argv[4])))
    sys.exit()
other = os.open(where + "/other", os.O_RDWR | os.O_CREAT, 0o600)
os.write(other, bytes(65536))
fd = os.open(where + "/file", os.O_RDWR | os.O_CREAT, 0o600)
os.write(fd, bytes(1 << 20))
for i in range(3000):
    os.write(fd, b"x" * 50)
open(signs + "/full?", "w").close()
while not os.path.exists(signs + "/full"):
    time.sleep(0.01)
lost = [told(os.write, fd, b"y" * 4000) for i in range(3)]
time.sleep(0.2)
if how == "read":
    for i in range(1000):
        os.pread(fd, 65536, 0)
    # of native writes the first has said it already
    print("ENOSPC" if "ENOSPC" in lost else told(os.fsync, fd), told(os.fsync, fd), told(os.close, fd))
elif how == "onto":
    os.dup2(other, fd)
    new = os.open(where + "/other", os.O_RDWR)
    print(told(os.pwrite, new, b"z", 0), told(os.fsync, new), told(os.close, new))
elif how == "closed":
    told(os.close, fd)
    new = os.open(where + "/other", os.O_RDWR)
    print(told(os.pwrite, new, b"z", 0), told(os.fsync, new), told(os.close, new))
elif how == "exec":
    os.set_inheritable(fd, True)
    if "ENOSPC" in lost:
        print("ENOSPC nothing")
    else:
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, sys.argv[0], where, signs, "executed", str(fd)])
END

# failing WHERE HOW COMMAND...: runs it there, and fills the file system when it asks for that
failing()
{
	local where=$1 how=$2 signs=$TESTDIR/signs
	shift 2

	rm -rf "$signs" && mkdir "$signs" && rm -f "$TESTDIR"/far/*
	"$@" python3 "$TESTDIR/failing.py" "$where" "$signs" "$how" &
	wait_for 30 test -e "$signs/full?"
	fallocate -l 200M "$TESTDIR/far/all" 2>/dev/null # as much of that as there is
	dd if=/dev/zero of="$TESTDIR/far/rest" bs=64k 2>/dev/null
	mv "$signs/full?" "$signs/full"
	wait $!
}

# The export is a file system of its own.
on_tmpfs() # OPTIONS
{
	umount "$TESTDIR/far" 2>/dev/null
	mkdir -p "$TESTDIR/far"
	mount -t tmpfs -o "$1" none "$TESTDIR/far" || skip "nothing can be mounted here"
}

counted() { "$FARCALL" stat --json --domain "$far_domain" | jq "[.[].total$1] | add"; }

clean_mount()
{
	local status=$?

	umount -l "$TESTDIR/far" 2>/dev/null
	return $status
}
trap 'clean_mount; clean_up' EXIT

on_tmpfs size=100m
for far_options in "" :nomap; do
	start_domain far "$TESTDIR/far:$far$far_options"
	far_domain=$far_socket
	for how in read onto closed exec; do
		posts=$(counted .posts)
		native=$(failing "$TESTDIR/far" $how env)
		remote=$(failing "$far" $how far)
		check "${far_options:-handed over}, $how: natively '$native', remotely '$remote'" test "$remote" = "$native"
		check "${far_options:-handed over}, $how: it was posted" test $(($(counted .posts) - posts)) -gt 1000
	done
	stop_domain far
done

# ---- what is to be on the disk ----
on_tmpfs size=200m,sync
start_domain far "$TESTDIR/far:$far"
far_domain=$far_socket
far python3 -c "import os
f = os.open('$far/sync', os.O_RDWR | os.O_CREAT)
for i in range(5000): os.write(f, b'x' * 50)"
check "all of it is there" test "$(stat -c %s "$TESTDIR/far/sync")" = 250000
check "nothing is posted on a file system that is mounted so" test "$(counted .posts)" = 0
stop_domain far
clean_mount
finish
