#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The data area grows for a large transfer, is given back when nothing large has come for a while, and grows again.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need_farcall
need python3 taskset

mkdir -p "$TESTDIR/d"
cat >"$TESTDIR/grow.py" <<'END'
import os, time

def mapped():
    size = 0
    for line in open('/proc/self/maps'):
        if 'farcall-data' in line:
            start, end = line.split()[0].split('-')
            size += int(end, 16) - int(start, 16)
    return size

fd = os.open('/data/big', os.O_RDWR | os.O_CREAT)
data = os.urandom(1 << 20) * 20
assert mapped() == 256 << 10, mapped()
assert os.write(fd, data) == len(data)
assert mapped() == 32 << 20, mapped()
for i in range(10000):  # on one CPU nearly every call sleeps, and a sleeper looks
    os.fstat(fd)
    if mapped() == 256 << 10:
        break
    time.sleep(0.001)
assert mapped() == 256 << 10, mapped()
os.lseek(fd, 0, 0)
assert os.read(fd, len(data)) == data
assert mapped() == 32 << 20, mapped()
END
check "grows, shrinks, grows" timeout 120 "$FARCALL" run -v "$TESTDIR/d:/data" -- taskset -c 0 python3 "$TESTDIR/grow.py"
finish
