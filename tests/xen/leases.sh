#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# leases.sh - in the lab's primary domain: files that the storage domain delegates are read from what the client keeps, and what it writes is posted;
# others see it in time, whatever becomes of who has written.
. "$FC_SOURCE/tests/xen/checks.sh"
begin_with_one

cat >/run/leases.py <<'END'
import json, os, signal, subprocess, sys, time

FARCALL = os.environ['FARCALL']
SIZE = 1 << 20

def expect(good, what):
    print('PASS xen:' if good else 'FAIL xen:', what, flush=True)

def ns_each(n, one):
    began = time.monotonic_ns()
    for i in range(n):
        one(i)
    return (time.monotonic_ns() - began) // n

class Child: # that does as it is told, and says what has come of it; from before there is a file that it would share
    def __init__(self, act):
        ours, theirs = os.pipe(), os.pipe()
        if os.fork() == 0:
            os.close(ours[1])
            os.close(theirs[0])
            while os.read(ours[0], 1):
                os.write(theirs[1], json.dumps(act()).encode())
            os._exit(0)
        os.close(ours[0])
        os.close(theirs[1])
        self.ask, self.answer = ours[1], theirs[0]
    def __call__(self):
        os.write(self.ask, b'x')
        return json.loads(os.read(self.answer, 65536))

def figures(): # of all sessions
    text = subprocess.run([FARCALL, 'stat', '--json', '--domain', 'one'], stdout=subprocess.PIPE, check=True).stdout
    return json.loads(text)[0]['total']

total = Child(figures)

def put(path, text, at):
    fd = os.open(path, os.O_RDWR)
    os.pwrite(fd, text, at)
    os.close(fd)

def seen(path, at, n):
    fd = os.open(path, os.O_RDONLY)
    text = os.pread(fd, n, at)
    os.close(fd)
    return text

def reading():
    changes = iter(range(100))
    other = Child(lambda: put('/far/l', b'%4d' % next(changes), 8))
    open('/far/l', 'wb').write(os.urandom(SIZE))
    begun = total()
    fd = os.open('/far/l', os.O_RDONLY)
    content = os.pread(fd, SIZE, 0)
    one = lambda i: os.pread(fd, 4096, i * 4096 % SIZE)
    first = ns_each(300, one)
    for i in range(1000):
        one(i)
    before = total()
    each = ns_each(3000, one)
    after = total()
    expect(after['leases'] > begun['leases'], 'a file that is read is delegated')
    expect(after['calls'] - before['calls'] < 300, 'three thousand reads are %d requests' % (after['calls'] - before['calls']))
    print('a read of 4 KiB: %d ns at first, %d ns kept' % (first, each))
    expect(all(one(i) == content[i * 4096:i * 4096 + 4096] for i in range(SIZE // 4096)), 'what is kept is the file')
    good = 0
    for i in range(20):
        other()
        good += os.pread(fd, 4, 8) == b'%4d' % i
        for j in range(100):
            one(j)
    expect(good == 20, "what others write is seen at once: %d of 20" % good)
    os.truncate('/far/l', 10000)
    expect(os.pread(fd, 4096, 8192) == content[8192:10000], 'so is an end')
    os.close(fd)

def writing():
    length = Child(lambda: len(seen('/far/q', 0, 65536)))
    fd = os.open('/far/p', os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    line = b'x' * 49 + b'\n'
    for i in range(300):
        os.write(fd, line)
    before = total()
    each = ns_each(3000, lambda i: os.write(fd, line))
    expect(total()['posts'] - before['posts'] > 2500, 'most writes are posted (%d)' % (total()['posts'] - before['posts']))
    print('a write of 50 bytes: %d ns' % each)
    expect(os.stat('/far/p').st_size == 3300 * 50, 'all that was written is there')
    time.sleep(1) # whoever looks for them sleeps by now
    os.write(fd, line)
    time.sleep(1)
    expect(os.lseek(fd, 0, os.SEEK_CUR) == 3301 * 50, 'and so is one that was waited for')
    fd = os.open('/far/q', os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    good = 0
    for i in range(100):
        os.write(fd, line)
    for i in range(20):
        os.write(fd, line)
        good += length() == 50 * (101 + i)
        os.close(os.open('/far/p', os.O_RDONLY))
    expect(good == 20, 'who hears of it sees it: %d of 20' % good)

def dying():
    line = b'z' * 49 + b'\n'
    good = 0
    for round in range(5):
        pid = os.fork()
        if pid == 0:
            fd = os.open('/far/d%d' % round, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            for i in range(2000):
                os.write(fd, line)
            os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(pid, 0)
        good += seen('/far/d%d' % round, 0, 1 << 20) == line * 2000
    expect(good == 5, 'who is killed has written: %d of 5' % good)

reading()
writing()
dying()
fd = os.dup2(os.open('/far/e', os.O_RDWR | os.O_CREAT | os.O_TRUNC), 9)
for i in range(1000):
    os.write(fd, b'a')
os.execv('/bin/sh', ['sh', '-c', 'echo b >&9; test $(wc -c </far/e) = 1002 && echo PASS xen: who executes goes on || echo FAIL xen: after exec'])
END
"$FARCALL" run --domain one -- python3 /run/leases.py || fail "leases.py ends with $?"
"$FARCALL" stat --domain one
"$FARCALL" run --domain one -- sh -c 'rm -f /far/[lpqed]*'
end
