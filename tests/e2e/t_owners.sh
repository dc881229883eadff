#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An ordinary user's domain lives in a user namespace that knows one user, and its clients see other users' files, groups and lists as they are
# all the same; without the clerk who says so they are nobody's, and the domain goes on.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need_farcall
need setfacl getfacl setcap getcap python3
((EUID == 0)) || skip "only root can make other users' files"
chmod 711 "$TESTDIR"
user=1047 group=1048 other=2345 # with the groups of these numbers; 1049 is another's
script=$TESTDIR/owners.sh

cat >"$script" <<'E2'
export LC_ALL=C PATH=$PATH:/sbin:/usr/sbin
cd "$1" || exit 1
said() { "$@" 2>&1; echo "= $?"; }
stat -c '%n %u %g' root both/* . .. link; stat -L -c '%u %g' link; stat -c '%u %g' - <root; ls -lna both | awk 'NR > 1 {print $3, $4, $9}'
find . -uid 2 -printf '%P %U %G\n'; test -O mine && test ! -O root && echo mine
echo "-- groups"
said chgrp 2345 mine; stat -c %g mine; said chgrp 1049 mine; said chgrp -h 2345 mylink; stat -c '%u %g' mylink; said chgrp 1048 mine
said chown 2 mine; said chown 2:2345 mine; said chgrp 2345 root; said chgrp -h 2345 link; said chgrp 2345 nothing
chmod 6755 mine; said chgrp 2345 mine; stat -c %a mine; said chgrp 1048 mine
echo "-- lists"
said setfacl -m u:5:r,g:6:x mine; getfacl -nc mine; getfacl -nc list; said setfacl -m u:5:r root; said setfacl -d -m g:7:rwx dir; mkdir dir/in; getfacl -nc dir/in; : >dir/new; getfacl -nc dir/new
cp -a mine copy; getfacl -nc copy; setfacl -b mine; setfacl -k dir; getfacl -nc mine dir
echo "-- capabilities"
getcap able
python3 - <<'E3'
import os
def say(what):
    try: print(what())
    except OSError as e: print(e.strerror)
fd, path = os.open("mine", os.O_RDWR), os.open("root", os.O_PATH)
say(lambda: os.fchown(fd, -1, 2345)); say(lambda: os.fstat(fd).st_gid); say(lambda: os.fchown(path, -1, 2345)); say(lambda: os.fstat(path).st_uid)
say(lambda: os.stat("", dir_fd=path)); say(lambda: os.getxattr(fd, "system.posix_acl_access"))
lst = os.getxattr("list", "system.posix_acl_access")
for n in (0, 1, len(lst) - 1, len(lst), 4096): # how long it is, and buffers of all sizes
    import ctypes
    libc, b = ctypes.CDLL(None, use_errno=True), ctypes.create_string_buffer(5000)
    r = libc.getxattr(b"list", b"system.posix_acl_access", b, n); print(r, r < 0 and os.strerror(ctypes.get_errno()), b.raw[:max(r, 0) if n else 0].hex())
say(lambda: os.setxattr(fd, "system.posix_acl_access", lst)); say(lambda: os.getxattr(fd, "system.posix_acl_access").hex())
say(lambda: os.setxattr(fd, "system.posix_acl_access", lst, os.XATTR_CREATE)); say(lambda: os.setxattr(fd, "system.posix_acl_access", lst[:-1]))
say(lambda: os.setxattr(fd, "system.posix_acl_access", b"\2\0\0\0" + b"junk" * 8)); say(lambda: os.setxattr("root", "system.posix_acl_access", lst))
for name in (None, b"", b"x" * 300): print([f(b"list", name, b, 100, 0) < 0 and os.strerror(ctypes.get_errno()) for f in (libc.getxattr, libc.setxattr)])
say(lambda: os.setxattr(fd, "system.posix_acl_accessories_of_a_long_name", lst)); say(lambda: os.getxattr("able", "security.capability").hex())
if os.fork() == 0: # with a session of its own
    say(lambda: [os.fstat(fd).st_gid, os.stat("root").st_uid, os.stat("both/f").st_gid]); say(lambda: os.fchown(fd, -1, 1048)); os._exit(0)
os.wait(); say(lambda: os.fstat(fd).st_gid)
import threading
wrong = []
def look(i):
    for n in range(300):
        if (os.stat("root").st_uid, os.stat("both/f").st_uid, os.stat("mine").st_uid) != (0, 2, 1047): wrong.append(i)
threads = [threading.Thread(target=look, args=(i,)) for i in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]; print(wrong)
E3
E2

make()
{
	mkdir "$1" "$1/both" "$1/dir" &&
		touch "$1/root" "$1/mine" "$1/list" "$1/able" "$1/both/f" && ln -s root "$1/link" && ln -s mine "$1/mylink" &&
		setfacl -m u:77:rwx,g:88:r "$1/list" && setcap cap_net_raw+p "$1/able" && chown 2:3 "$1/both/f" &&
		chown -h "$user:$group" "$1" "$1/mine" "$1/mylink" "$1/dir"
}
as_user=(env HOME="$TESTDIR/home" XDG_RUNTIME_DIR="$TESTDIR/home" setpriv --reuid "$user" --regid "$group" --groups "$group,$other")
mkdir -m 700 "$TESTDIR/home"
chown $user "$TESTDIR/home"
check "files are made" make "$TESTDIR/near"
check "files are made" make "$TESTDIR/far"

"${as_user[@]}" bash "$script" "$TESTDIR/near" >"$TESTDIR/near.out" 2>&1 </dev/null
check "a script runs" timeout 60 "${as_user[@]}" "$FARCALL" run -v "$TESTDIR/far:/data" -- bash "$script" /data >"$TESTDIR/far.out" 2>&1 </dev/null
check "there is something to compare" test "$(wc -l <"$TESTDIR/near.out")" -gt 100
check "all as natively" diff <(sed "s|$TESTDIR/near|/data|g" "$TESTDIR/near.out") "$TESTDIR/far.out"
check "and the same files afterwards" diff <(cd "$TESTDIR/near" && find . -printf '%P %U:%G %m\n' | sort && getfacl -nR . 2>/dev/null) \
	<(cd "$TESTDIR/far" && find . -printf '%P %U:%G %m\n' | sort && getfacl -nR . 2>/dev/null)

# shellcheck disable=SC2016
timeout 60 "${as_user[@]}" "$FARCALL" run -v "$TESTDIR/far:/data" -- bash -c '
	stat -c %u /data/root; pkill -KILL -u '$user' -x farcall-clerk; sleep 0.1
	stat -c %u /data/root /data/mine; chgrp 2345 /data/mine 2>&1; setfacl -m u:5:r /data/dir 2>&1; echo still >/data/mine && cat /data/mine' \
	>"$TESTDIR/killed.out" 2>&1 </dev/null
check "without the clerk" diff <(grep -v "the clerk is gone" "$TESTDIR/killed.out") - <<-END
	0
	65534
	$user
	chgrp: changing group of '/data/mine': Operation not permitted
	setfacl: /data/dir: Invalid argument
	still
END
check "which is said" grep -q "the clerk is gone" "$TESTDIR/killed.out"
check "no clerk is left" wait_for 5 bash -c "! pgrep -u $user farcall- >/dev/null"
finish
