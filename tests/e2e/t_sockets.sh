#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Unix sockets on an export: see h_sockets.c. And between programs that run under farcall and others.
. "$(dirname "$0")/../lib.sh"
need_farcall
need python3
[[ ! ${FC_TEST_XEN:-} ]] || skip "on Xen no socket has its path in a domain"
both_sides h_sockets

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
import os, socket, struct, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
pid, uid, gid = struct.unpack("3i", s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
print("right" if s.recv(100).split() == [b"%d" % pid, b"%d" % os.getpid()] else "wrong")
END
far_begin
for who in far local; do
	if [[ $who = far ]]; then
		"$FARCALL" run --domain "$far_domain" -- "$python" "$TESTDIR/serve.py" "$far/s" &
		wait_for 10 test -S "$TESTDIR/far/s" || finish
		answer=$("$python" "$TESTDIR/call.py" "$TESTDIR/far/s")
	else
		"$python" "$TESTDIR/serve.py" "$TESTDIR/far/s" &
		wait_for 10 test -S "$TESTDIR/far/s" || finish
		answer=$(far "$python" "$TESTDIR/call.py" "$far/s")
	fi
	wait $!
	check "bound by $who: who the peers are" test "$answer" = right
	check "bound by $who: unlinked" test ! -e "$TESTDIR/far/s"
done

# in a domain that hands nothing over, as on a file system without sockets
far_options=:nomap
far_begin
far "$python" "$TESTDIR/serve.py" "$far/s" 2>"$TESTDIR/err"
check "nomap: EPERM" grep -q 'Errno 1]' "$TESTDIR/err"
far_end
finish
