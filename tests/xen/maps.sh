#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# maps.sh - in the lab's primary domain: the memory of shared mappings, as the module counts it: what there is of it is granted, and no more
# than there may be; it goes with the last process that has it mapped, at once, and the sessions go on. A fork that would have more fails.
. "$FC_SOURCE/tests/xen/checks.sh"
begin_with_one

cat >/run/maps.py <<'END'
import errno, mmap, os, sys, time

PAGE = 4096
COUNTERS = '/sys/kernel/debug/farcall/counters'

def counters():
    return dict((n, int(v)) for n, v in (line.split()[:2] for line in open(COUNTERS)))

def become(pages, what):
    for i in range(100):
        now = counters()
        if now['pages'] == pages and now['set_aside'] == 0:
            print('PASS xen:', what)
            return
        time.sleep(0.1)
    print('FAIL xen:', what, '-', now, 'not', pages)

def expect(good, what):
    print('PASS xen:' if good else 'FAIL xen:', what)

def error(make):
    try:
        make()
    except OSError as e:
        return errno.errorcode[e.errno]
    return 'none'

if len(sys.argv) > 1: # what has been executed
    before = int(sys.argv[1])
    os.stat('/far/m')
    become(before, 'a mapping does not outlive its program')
    sys.exit()

f = open('/far/m', 'w+b', 0)
f.truncate(32 << 20)
fd = f.fileno()
os.read(fd, 1)
before = counters()['pages']

m = mmap.mmap(fd, 16 << 20)
become(before + (16 << 20) // PAGE, 'as many pages as are mapped')
m[(16 << 20) - 6:] = b'at end'
expect(os.pread(fd, 6, (16 << 20) - 6) == b'at end', 'all of it is the file')
m.close()
become(before, 'what is not mapped is not granted')
expect(error(lambda: mmap.mmap(fd, (16 << 20) + PAGE)) == 'ENOMEM', 'no more than 16 MiB')
become(before, 'and what is refused is not either')

all = [mmap.mmap(fd, PAGE, offset=i * 2 * PAGE) for i in range(64)]
become(before + 64, '64 mappings')
expect(error(lambda: mmap.mmap(fd, PAGE, offset=1 << 20)) == 'ENOMEM', 'not 65')
become(before + 64, 'nothing is left of that')
while all:
    all.pop().close()
become(before, 'nor of the others')

m = mmap.mmap(fd, 256 * PAGE)
go, gone = os.pipe(), os.pipe()
pid = os.fork()
if pid == 0:
    os.read(go[0], 1)
    m[0:5] = b'child'
    time.sleep(1)
    m[100:105] = b'still'
    os.write(gone[1], b'x')
    os.read(go[0], 1)
    os._exit(0 if os.pread(fd, 5, 100) == b'still' else 1)
os.write(go[1], b'x')
for i in range(1000):
    if m[0:5] == b'child':
        break
    time.sleep(0.01)
expect(m[0:5] == b'child', "a child's mapping is its parent's")
m.close()
os.read(gone[0], 1)
expect(counters()['pages'] >= before + 256, 'it is there until both have unmapped it')
os.write(go[1], b'x')
expect(os.waitpid(pid, 0)[1] == 0, "and is the child's file")
expect(os.pread(fd, 5, 100) == b'still', "and everybody's")
become(before, 'after that it is not')

m = mmap.mmap(fd, PAGE)
m[0:8] = b'orphaned'
pid = os.fork()
if pid == 0:
    m[10:15] = b'alone'
    os.kill(os.getpid(), 9)
os.waitpid(pid, 0)
expect(os.pread(fd, 5, 10) == b'alone', 'who is killed has stored it')
m.close()
f.close()
become(before, 'the same, and a fork')
f = open('/far/m', 'r+b', 0)
m = mmap.mmap(f.fileno(), 4 * PAGE)
sys.stdout.flush()
os.execv(sys.executable, [sys.executable, '/run/maps.py', str(before)])
END
"$FARCALL" run --domain one -- python3 /run/maps.py || fail "maps.py ends with $?"

# as many children as there can be: then no more, and no child that has not got the file
cat >/run/forks.py <<'END'
import errno, mmap, os, sys

size, who = int(sys.argv[1]), sys.argv[2]
fd = os.open('/far/forks', os.O_RDWR | os.O_CREAT)
os.ftruncate(fd, size)
m = mmap.mmap(fd, size)
go, children, why = os.pipe(), [], 'none'
for i in range(100):
    try:
        pid = os.fork()
    except OSError as e:
        why = errno.errorcode[e.errno]
        break
    if pid == 0:
        os.close(go[1])
        os.read(go[0], 1)
        m[i] = 1
        try:
            os._exit(0 if os.pread(fd, 1, i) == b'\1' else 1)
        except OSError:
            os._exit(1)
    children.append(pid)
os.close(go[1])
bad = sum(os.waitpid(pid, 0)[1] != 0 for pid in children)
good = why == 'ENOMEM' and children and not bad and os.pread(fd, len(children), 0) == b'\1' * len(children)
print('PASS xen:' if good else 'FAIL xen:', '%s: %d children with a mapping, %d without, then %s' % (who, len(children) - bad, bad, why))
os.unlink('/far/forks')
END
"$FARCALL" run --domain one -- python3 /run/forks.py 4096 "as many as Xen counts" || fail "forks.py ends with $?"
"$FARCALL" run --domain one -- chmod 1777 /far
mkdir -p /run/user && chown 1000:1000 /run/user
setpriv --reuid 1000 --regid 1000 --clear-groups env HOME=/run XDG_RUNTIME_DIR=/run/user "$FARCALL" run --domain one -- \
	python3 /run/forks.py $((16 << 20)) "as many as a user has pages for" || fail "forks.py ends with $?"
"$FARCALL" run --domain one -- rm -f /far/m
end
