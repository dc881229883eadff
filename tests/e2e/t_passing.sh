#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# remote files in messages: see h_passing.c; to a program without farcall, and of an export that forbids it
. "$(dirname "$0")/../lib.sh"
need_farcall
need python3
[[ ! ${FC_TEST_XEN:-} ]] || skip "on Xen no file is handed over"
both_sides h_passing

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
far_end
finish
