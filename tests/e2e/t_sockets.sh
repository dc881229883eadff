#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Unix sockets on an export: see h_sockets.c. And between programs that run under farcall and others.
. "$(dirname "$0")/../lib.sh"
need_farcall
need python3
both_sides h_sockets
[[ ! ${FC_TEST_XEN:-} ]] || finish

python=/usr/bin/python3
[[ -x $python ]] || python=$(python3 -c 'import sys; print(sys.executable)')
cat >"$TESTDIR/serve.py" <<'END'
import os, socket, struct, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(1)
c = s.accept()[0]
pid, uid, gid = struct.unpack("3i", c.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
c.sendall(b"%d %d" % (os.getpid(), pid)); c.close(); os.unlink(sys.argv[1])
END
cat >"$TESTDIR/call.py" <<'END'
import os, socket, struct, sys, time
s = socket.socket(socket.AF_UNIX)
end = time.monotonic() + (10 if len(sys.argv) > 2 else 0)
while True: # with "wait": it is there before it listens
    try:
        s.connect(sys.argv[1]); break
    except ConnectionRefusedError:
        if time.monotonic() > end: raise
        time.sleep(0.01)
pid, uid, gid = struct.unpack("3i", s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
print("right" if s.recv(100).split() == [b"%d" % pid, b"%d" % os.getpid()] else "wrong")
END
far_begin
for who in far local; do
	if [[ $who = far ]]; then
		"$FARCALL" run --domain "$far_domain" -- "$python" "$TESTDIR/serve.py" "$far/s" &
		wait_for 10 test -S "$TESTDIR/far/s" || finish
		answer=$("$python" "$TESTDIR/call.py" "$TESTDIR/far/s" wait)
	else
		"$python" "$TESTDIR/serve.py" "$TESTDIR/far/s" &
		wait_for 10 test -S "$TESTDIR/far/s" || finish
		answer=$(far "$python" "$TESTDIR/call.py" "$far/s" wait)
	fi
	wait $!
	check "bound by $who: who the peers are" test "$answer" = right
	check "bound by $who: unlinked" test ! -e "$TESTDIR/far/s"
done

# who may not write to what is there is told so, whatever it is: as natively, and where nothing is handed over
if ((EUID == 0)) && setpriv --version >/dev/null 2>&1; then
	cat >"$TESTDIR/places.py" <<'END'
import os, socket, sys
os.umask(0)
os.chdir(sys.argv[1])
def listen(name, mode):
    s = socket.socket(socket.AF_UNIX); s.bind(name); s.listen(); os.chmod(name, mode)
    return s
os.mkdir("shut", 0o700); os.mkdir("dir", 0o755); os.mkdir("dir-w", 0o777)
kept = [listen("shut/s", 0o777), listen("s", 0o755)]
for name, mode in ("dead", 0o755), ("dead-w", 0o777):
    listen(name, mode).close()
for name, mode in ("file", 0o644), ("file-w", 0o666):
    os.close(os.open(name, os.O_CREAT, mode))
    os.mkfifo("fifo-" + name, mode)
    os.mknod("device-" + name, 0o20000 | mode, os.makedev(1, 3))
END
	cat >"$TESTDIR/try.py" <<'END'
import errno, os, socket, sys
os.chdir(sys.argv[1])
def attempt(call, *arguments):
    try:
        call(*arguments)
        return "ok"
    except OSError as e:
        return errno.errorcode[e.errno]
for name in sorted(os.listdir(".")) + ["shut/s", "shut/none", "none", "file/x"]:
    print(name, attempt(socket.socket(socket.AF_UNIX).connect, name), attempt(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto, b"x", name))
END
	mkdir -m 755 "$TESTDIR/places"
	chmod 755 "$TESTDIR"
	"$python" "$TESTDIR/places.py" "$TESTDIR/places" || wrong "places"
	as=(setpriv --reuid 12345 --regid 12345 --clear-groups "$python" "$TESTDIR/try.py")
	"${as[@]}" "$TESTDIR/places" >"$TESTDIR/places.native"
	start_domain places "$TESTDIR/places:/data" "$TESTDIR/places:/nomap:nomap"
	for where in /data /nomap; do
		"$FARCALL" run --domain "$places_socket" -- "${as[@]}" "$where" >"$TESTDIR/places.far" 2>&1
		check "who may not connect below $where" diff "$TESTDIR/places.native" "$TESTDIR/places.far"
	done
	check "somebody may not" grep -q 'dir EACCES EACCES' "$TESTDIR/places.native"
fi

far_options=:nomap
both_sides h_sockets
far_options=

# in a domain that hands nothing over: between two runs, and for nobody without farcall
[[ -d $TESTDIR/places ]] || mkdir -m 755 "$TESTDIR/places"
start_domain shut "$TESTDIR/places:/shut:nomap" "$TESTDIR/places:/open"
mine=$TESTDIR/shut.sock.sockets
listing()
{
	(cd "$mine" && find . -mindepth 2 -printf '%y\n' | sort | uniq -c)
}
"$FARCALL" run --domain "$shut_socket" -- "$python" "$TESTDIR/serve.py" /shut/t </dev/null >"$TESTDIR/out" 2>&1 &
server=$!
wait_for 10 test -S "$TESTDIR/places/t" || { cat "$TESTDIR/out"; wrong "nomap: nobody binds"; finish; }
"$python" "$TESTDIR/call.py" "$TESTDIR/places/t" 2>"$TESTDIR/err"
check "nomap: not without farcall" grep -q ConnectionRefused "$TESTDIR/err"
answer=$("$FARCALL" run --domain "$shut_socket" -- "$python" "$TESTDIR/call.py" /shut/t wait)
check "nomap: who the peers are" test "$answer" = right
wait $server
check "nomap: unlinked" test ! -e "$TESTDIR/places/t"
check "nomap: one socket, and nothing of how it was bound" test "$(listing)" = "      1 s"
"$FARCALL" run --domain "$shut_socket" -- "$python" - <<'END' || wrong "nomap: many sockets"
import os, socket
os.chdir("/shut")
kept = []
for i in range(40):
    s = socket.socket(socket.AF_UNIX); s.bind("n%d" % i); s.listen()
    if i % 10 == 0:
        kept.append((s, i))
    if i % 2:
        os.unlink("n%d" % i)
for s, i in kept:
    socket.socket(socket.AF_UNIX).connect("n%d" % i)
END
check "nomap: those that nobody has are swept" test "$(listing | awk '{ print $1 }')" -le 6
stop_domain shut
check "nomap: gone with the domain" test ! -e "$mine"
finish
