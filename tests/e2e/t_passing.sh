#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# remote files in messages: see h_passing.c; to a program without farcall, and of an export that forbids it
. "$(dirname "$0")/../lib.sh"
need_farcall
need python3
[[ ! ${FC_TEST_XEN:-} ]] || skip "on Xen no file is handed over"
both_sides h_passing

# of a program of another run by the same user: no descriptor of its placeholder, either
cat >"$TESTDIR/getfd.py" <<'END'
import ctypes, errno, os, sys
libc = ctypes.CDLL(None, use_errno=True)
pidfd = os.pidfd_open(int(sys.argv[1]))
for fd in sys.argv[2:]:
    got = libc.syscall(438, pidfd, int(fd), 0)
    print(errno.errorcode[ctypes.get_errno()] if got < 0 else os.readlink("/proc/self/fd/%d" % got))
END
mkdir "$TESTDIR/one" "$TESTDIR/two"
echo text >"$TESTDIR/one/f"
"$FARCALL" run -v "$TESTDIR/one:/one" -- sh -c "exec 7</one/f 8</one 9</dev/null; echo \$\$ >$TESTDIR/pid; exec sleep 100" &
started+=($!)
wait_for 10 test -s "$TESTDIR/pid"
check "of another run" test "$("$FARCALL" run -v "$TESTDIR/two:/two" -- python3 "$TESTDIR/getfd.py" "$(<"$TESTDIR/pid")" 7 8 9 | xargs)" = "EPERM EPERM /dev/null"
check "of another program of one domain" test "$("$FARCALL" run -v "$TESTDIR/two:/two" -- sh -c "exec 7</two; python3 $TESTDIR/getfd.py \$\$ 7")" = EPERM
kill "$(<"$TESTDIR/pid")"

python=/usr/bin/python3
[[ -x $python ]] || python=$(python3 -c 'import sys; print(sys.executable)')
cat >"$TESTDIR/take.py" <<'END'
import os, socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(1)
c = s.accept()[0]; m, fds, flags, a = socket.recv_fds(c, 10, 5)
print(m.decode(), *[os.pread(fd, 10, 0).decode().strip() for fd in fds])
END
cat >"$TESTDIR/give.py" <<'END'
import errno, socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
f = open(sys.argv[2])
try: socket.send_fds(s, [b"given"], [f.fileno()])
except OSError as e: s.send(errno.errorcode[e.errno].encode())
END
for far_options in "" :nomap; do
	far_begin
	far sh -c "echo text >$far/f"
	rm -f "$TESTDIR/s"
	"$python" "$TESTDIR/take.py" "$TESTDIR/s" >"$TESTDIR/taken" &
	wait_for 10 test -S "$TESTDIR/s"
	far "$python" "$TESTDIR/give.py" "$TESTDIR/s" "$far/f"
	wait $!
	want="given text"
	[[ ! $far_options ]] || want=ENOTSUP # another name of EOPNOTSUPP
	check "given to a program without farcall$far_options" test "$(cat "$TESTDIR/taken")" = "$want"
done

# directories, and what is open for its place, between programs of one domain: the domain keeps them until they are claimed
cat >"$TESTDIR/take_places.py" <<'END'
import os, socket, stat, sys, time
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(1)
os.stat(sys.argv[2])  # known to the domain from here on
c = s.accept()[0]
while c.recv(1) != b"!":
    pass
time.sleep(0.3)  # who has sent them is gone
for flags in socket.MSG_PEEK, 0:
    m, fds, f, a = socket.recv_fds(c, 10, 5, flags)
    print(m.decode())
    d, p, l = fds
    print("dir", sorted(os.listdir(d)), os.path.basename(os.readlink(f"/proc/self/fd/{d}")), os.get_inheritable(d))
    print(os.read(os.open("f", os.O_RDONLY, dir_fd=d), 9), os.readlink("", dir_fd=l), stat.S_ISLNK(os.fstat(l).st_mode), sorted(os.listdir(os.open(".", os.O_RDONLY, dir_fd=p))))
    for fd, call in (p, lambda fd: os.read(fd, 1)), (d, lambda fd: os.read(fd, 1)), (l, os.fchdir):
        try: call(fd)
        except OSError as e: print(e.errno)
    os.fchdir(d); print(open("f").read(), os.listdir(".") == os.listdir(p)); os.chdir("/")
    for fd in fds: os.close(fd)
print(socket.recv_fds(c, 10, 5)[:2])
END
cat >"$TESTDIR/give_places.py" <<'END'
import errno, os, socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
d = sys.argv[2]
fds = os.open(d, os.O_RDONLY), os.open(d, os.O_PATH), os.open(d + "/l", os.O_PATH | os.O_NOFOLLOW)
s.send(b"!")
try: socket.send_fds(s, [b"places"], fds)
except OSError as e: s.send(errno.errorcode[e.errno].encode())
END
for far_options in "" :nomap; do
	far_begin
	mkdir -p "$TESTDIR"/{far,near}/d
	for side in far near; do
		echo text >"$TESTDIR/$side/d/f"
		ln -sfn f "$TESTDIR/$side/d/l"
		rm -f "$TESTDIR/s"
		d=$far/d run=(far "$python")
		[[ $side = far ]] || d=$TESTDIR/near/d run=("$python")
		"${run[@]}" "$TESTDIR/take_places.py" "$TESTDIR/s" "$d" >"$TESTDIR/taken.$side" 2>&1 &
		wait_for 10 test -S "$TESTDIR/s"
		"${run[@]}" "$TESTDIR/give_places.py" "$TESTDIR/s" "$d"
		wait $!
	done
	check "directories given to another client$far_options" diff "$TESTDIR/taken.near" "$TESTDIR/taken.far"
	check "they have come" grep -q "^dir .'f', 'l'" "$TESTDIR/taken.far"
done

# whoever is no client gets none
far_options=
far_begin
mkdir "$TESTDIR/far/d"
ln -s f "$TESTDIR/far/d/l"
rm -f "$TESTDIR/s"
"$python" "$TESTDIR/take_places.py" "$TESTDIR/s" / >"$TESTDIR/taken" 2>&1 &
wait_for 10 test -S "$TESTDIR/s"
far "$python" "$TESTDIR/give_places.py" "$TESTDIR/s" "$far/d"
wait $!
check "no directory to a program without farcall" grep -q ENOTSUP "$TESTDIR/taken"

# as many as may be under way, and no more; what nobody takes is let go of
cat >"$TESTDIR/many.py" <<'END'
import errno, os, socket, sys
d = os.open(sys.argv[1], os.O_RDONLY)
def fill():
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    a.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    for n in range(1000):
        try: socket.send_fds(a, [b"x"], [d])
        except OSError as e: return a, b, n, errno.errorcode[e.errno]
print(*fill()[2:])
print(*fill()[2:])
a, b, n, e = fill()
print(sum(os.listdir(socket.recv_fds(b, 1, 1)[1][0]) == os.listdir(d) for _ in range(n)), n, e)
END
check "tickets run out, and come back" test "$(far "$python" "$TESTDIR/many.py" "$far/d" 2>&1)" = "128 ETOOMANYREFS
128 ETOOMANYREFS
128 128 ETOOMANYREFS"
far_end
finish
