#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Connections that are held and never used, by a user whose id others take too: root's program that becomes that user for a moment keeps its
# session, and so does everybody of a crowd that comes at once.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need_farcall
((EUID == 0)) || skip "needs root"
need /usr/bin/python3 setpriv # one that any user may execute

mkdir -p "$TESTDIR/files" && chmod 755 "$TESTDIR" && echo here >"$TESTDIR/files/f"
DOMAIN_MODE=666
start_domain far "$TESTDIR/files:/data"

setpriv --reuid 1000 --regid 1000 --clear-groups /usr/bin/python3 -c '
import ctypes, select, signal, socket, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
held = []
while True:
    while len(held) < 100:
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.connect(sys.argv[1])
        held.append(s)
        if len(held) == 100: print("held", flush=True)
    gone = set(select.select(held, [], [], 1)[0])
    held = [s for s in held if s not in gone]
' "$far_socket" >"$TESTDIR/holder" 2>&1 &
started+=($!)
wait_for 10 grep -q held "$TESTDIR/holder" || { wrong "the connections cannot be held: $(cat "$TESTDIR/holder")"; finish; }

# shellcheck disable=SC2016
check "root becomes that user and root again" timeout 60 "$FARCALL" run --domain "$far_socket" -- /usr/bin/python3 -c '
import os
os.stat("/data/f")
for i in range(40):
    os.seteuid(1000); os.stat("/data/f"); os.seteuid(0); os.stat("/data/f")
'

check "a crowd of one user" timeout 60 setpriv --reuid 1000 --regid 1000 --clear-groups env HOME="$TESTDIR" "$FARCALL" run --domain "$far_socket" -- \
	/usr/bin/python3 -c '
import os, time
start = time.time() + 1
children = []
for i in range(240):
    pid = os.fork()
    if not pid:
        time.sleep(max(0, start - time.time()))
        try:
            os.stat("/data/f"); os._exit(0)
        except OSError as e:
            os.write(2, (str(e) + "\n").encode()); os._exit(1)
    children.append(pid)
lost = sum(os.waitpid(pid, 0)[1] != 0 for pid in children)
print("# %d of 240 lost" % lost)
raise SystemExit(lost != 0)
'
finish
