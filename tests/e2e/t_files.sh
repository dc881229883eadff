#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the shim knows of open files stays true: `farcall trace -y` shows with each descriptor the path that the program has in mind for it, through
# dup in all forms, threads, fork, vfork, posix_spawn and exec, close_range, close-on-exec and the current directory.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need_farcall
command -v python3 >/dev/null || skip "no python3"
mkdir "$TESTDIR/served"
expected=$TESTDIR/expected trace=$TESTDIR/trace

cat >"$TESTDIR/files.py" <<'E2'
import fcntl, os, subprocess, sys, threading
log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
def mind(fd, path): # F_GETSIG is asked for nothing else here
    os.write(log, b"%d %d %s\n" % (threading.get_native_id(), fd, path.encode()))
    fcntl.fcntl(fd, fcntl.F_GETSIG)
def after_exec():
    for pair in sys.argv[3:]:
        fd, path = pair.split("=")
        mind(int(fd), path)
def spawn(fds, **how):
    subprocess.run([sys.executable, sys.argv[0], sys.argv[1], "exec"] + ["%d=%s" % pair for pair in fds.items()], check=True, **how)
if sys.argv[2] == "exec":
    after_exec()
    sys.exit(0)

make = os.O_RDWR | os.O_CREAT
a, b = os.open("/data/a", make), os.open("/data/" + "b" * 200, make)
os.mkdir("/data/d")
d = os.open("/data/d", os.O_RDONLY | os.O_DIRECTORY)
names = {a: "/data/a", b: "/data/" + "b" * 200, d: "/data/d"}
for fd in names: mind(fd, names[fd])
inside = os.open("in", make, dir_fd=d)
mind(inside, "/data/d/in")
copy = os.dup(a)
mind(copy, "/data/a")
os.close(a)
mind(copy, "/data/a")
a = fcntl.fcntl(copy, fcntl.F_DUPFD_CLOEXEC, 50)
mind(a, "/data/a")
os.dup2(b, copy)
mind(copy, names[b])
mind(a, "/data/a")
os.chdir("/data/d")
here = os.open("here", make)
mind(here, "/data/d/here")
os.fchdir(os.open("/data", os.O_RDONLY))
top = os.open("top", make)
mind(top, "/data/top")
os.chdir("/")
local = os.open("data/e", make)
mind(local, "/data/e")

keep = {b: names[b], here: "/data/d/here", top: "/data/top"}
for fd in keep: os.set_inheritable(fd, True)
spawn(keep, close_fds=False)                   # vfork
spawn(keep, close_fds=False, preexec_fn=lambda: None) # fork
spawn({0: "/data/top", 1: "/data/d/here"}, stdin=top, stdout=here) # dup2 in the child
pid = os.posix_spawn(sys.executable, [sys.executable, sys.argv[0], sys.argv[1], "exec", "70=/data/d/here", "%d=%s" % (b, names[b])], os.environ,
    file_actions=[(os.POSIX_SPAWN_DUP2, here, 70)])
assert os.waitpid(pid, 0)[1] == 0
pid = os.fork()
if pid == 0:
    for fd in keep: mind(fd, keep[fd])
    os.close(b)
    again = os.open("/data/child", make)
    mind(again, "/data/child")
    os.closerange(3, 40)
    os.set_inheritable(a, True)
    os.execv(sys.executable, [sys.executable, sys.argv[0], sys.argv[1] , "exec", "%d=/data/a" % a])
assert os.waitpid(pid, 0)[1] == 0
for fd in keep: mind(fd, keep[fd])

def work(n):
    for i in range(60):
        path = "/data/%d-%d-%s" % (n, i, "x" * (i * 4))
        fd = os.open(path, make)
        other = os.dup(fd)
        if i % 2: os.close(fd)
        mind(other, path)
        if not i % 2: mind(fd, path), os.close(fd)
        os.close(other)
threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
for t in threads: t.start()
for t in threads: t.join()
for fd in keep: mind(fd, keep[fd])
E2

ulimit -n 1024
check "the program" "$FARCALL" trace -y -o "$trace" -v "$TESTDIR/served:/data" -- python3 "$TESTDIR/files.py" "$expected" first
sed -nE 's/^([0-9]+) fcntl\(([0-9]+)<([^>]*)>, 11, .*/\1 \2 \3/p' "$trace" | sort >"$TESTDIR/seen"
sort "$expected" >"$TESTDIR/minded"
check "there is something to compare" test "$(wc -l <"$expected")" -gt 300
check "every path" diff "$TESTDIR/minded" "$TESTDIR/seen"
finish
