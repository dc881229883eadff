#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limits.sh - in the lab's primary domain, with few grants (lab.sh --xen gnttab_max_frames=16): sessions up to the limit work, the next one
# gets ENOSPC at once, and what is given back can be had again. And: one process uses two domains at once.
. "$FC_SOURCE/tests/xen/checks.sh"
begin_with_one

cat >/run/many.py <<'E2'
import errno, fcntl, os, struct, sys, time
ATTACH, AREAS = 0xc030fc01, 0x4008fc02
files = []
try:
    while True:
        fd = os.open("/dev/syscall", os.O_RDWR)
        files.append(fd)
        fcntl.ioctl(fd, ATTACH, struct.pack("II32sII", 48, 0o22, b"one", 0, 0))
        began = time.time()
        fcntl.ioctl(fd, AREAS, struct.pack("II", 8, 0))
except OSError as e:
    when = "at once" if time.time() - began < 1 else "late"
    def lives(fd): # the domain may refuse a session when it has been made here already
        try:
            fcntl.ioctl(fd, AREAS, struct.pack("II", 8, 0))
        except OSError as e:
            return e.errno != errno.EIO
        return True
    time.sleep(1)
    print(errno.errorcode[e.errno], sum(map(lives, files)), when)
E2
for round in 1 2; do
	read -r error count when < <(python3 /run/many.py)
	if [[ $error == ENOSPC && $when == "at once" && $count -gt 20 ]]; then
		pass "round $round: $count sessions, then ENOSPC at once"
	else
		fail "round $round: $error after $count sessions, $when"
	fi
	counters_become 'n["sessions"] == 0' || fail "round $round: sessions are left"
done
[[ $("$FARCALL" run --domain one -- sh -c 'echo works >/far/w && cat /far/w') == works ]] || fail "it does not work afterwards"

if start_domu two /away && "$FARCALL" domain attach --timeout 20 two; then
	"$FARCALL" domain list
	if "$FARCALL" run --domain one --domain two -- python3 -c '
import os
a, b = open("/far/a", "w+b"), open("/away/b", "w+b")
for i in range(50):
    a.write(b"a%d\n" % i); a.flush()
    b.write(b"b%d\n" % i); b.flush()
a.seek(0); b.seek(0)
assert len(a.read()) == len(b.read()) == 190
pid = os.fork()
if pid == 0:
    a.write(b"child"); b.write(b"child"); a.flush(); b.flush(); os._exit(0)
os.waitpid(pid, 0)
assert a.seek(0, 1) == b.seek(0, 1) == 195, (a.tell(), b.tell())
os.system("xl destroy two >/dev/null 2>&1")
try:
    for i in range(200): b.write(b"x"); b.flush()
    raise SystemExit("two still works")
except OSError as e:
    assert e.errno == 5, e
a.write(b"and on"); a.flush(); a.seek(0); assert len(a.read()) == 201
os._exit(0)'; then
		pass "one process with two domains, of which one dies"
	else
		fail "one process with two domains"
	fi
	"$FARCALL" domain cleanup two || fail "cleanup"
else
	fail "a second domain"
fi
end
