#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What /proc says of what a process has open, and what can be done with it: descriptors, directory and fdinfo of remote files as of local
# ones, by all names that lead there; the program prints, natively and remotely. And nowhere is a placeholder to be seen.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need_farcall
need python3

cat >"$TESTDIR/own.py" <<'E2'
import errno, os, sys, threading
top = sys.argv[1]
os.chdir(top)
open("f", "w").write("text of f\n"); os.mkdir("d"); open("d/in", "w").write("in\n"); os.symlink("in", "d/link")
local = sys.argv[2]
def show(what, call):
    try: r = call()
    except OSError as e: r = errno.errorcode[e.errno]
    print(what, str(r).replace(top, "W").replace(local, "L"))
def text(path, flags=os.O_RDONLY, dir_fd=None):
    fd = os.open(path, flags, dir_fd=dir_fd)
    try: return os.read(fd, 5)
    finally: os.close(fd)
f, d, p = os.open("f", os.O_RDWR), os.open("d", os.O_RDONLY | os.O_DIRECTORY), os.open("f", os.O_PATH)
own = os.open("/proc/self", os.O_RDONLY | os.O_DIRECTORY)
fds = os.open("/proc/self/fd", os.O_RDONLY | os.O_DIRECTORY)
infos = os.open("/proc/self/fdinfo", os.O_PATH)
of = lambda fd, rest="": "/proc/self/fd/%d%s" % (fd, rest)
forms = ["/proc/self/fd/%d", "/proc/thread-self/fd/%d", "/dev/fd/%d", "/proc/%d/fd/%%d" % os.getpid(), "//proc/./self//fd/%d", "/proc/self/task/../fd/%d",
    "/proc/self/task/%d/fd/%%d" % os.getpid(), "/proc/self/root/proc/self/fd/%d", "/proc/%d/task/%d/fd/%%d" % (os.getpid(), os.getpid())]
for n, form in enumerate(forms):
    show("readlink %d" % n, lambda: os.readlink(form % f)); show("read", lambda: text(form % f)); show("below", lambda: text(form % d + "/in"))
    show("same", lambda: os.path.samefile(form % f, "f")); show("up", lambda: text(form % d + "/../f")); show("slash", lambda: sorted(os.listdir(form % d + "/")))
    show("file as directory", lambda: text(form % f + "/x")); show("exclusive", lambda: os.open(form % f, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    show("none", lambda: os.readlink(form % 777)); show("unlink", lambda: os.unlink(form % f)); show("nofollow", lambda: text(form % f, os.O_NOFOLLOW))
os.mkfifo(local + "/none")
for name, target in ("tofd", of(f)), ("todir", of(d)), ("tocwd", "/proc/self/cwd"), ("tofds", "/proc/self/fd"), ("toproc", "/proc/self"): os.symlink(target, local + "/" + name)
L = local + "/"
show("by link", lambda: text(L + "tofd")); show("stat", lambda: os.stat(L + "tofd").st_size); show("write", lambda: os.write(os.open(L + "tofd", os.O_WRONLY | os.O_APPEND), b"more\n"))
show("create", lambda: os.close(os.open(L + "tofd", os.O_WRONLY | os.O_CREAT, 0o600))); show("chmod", lambda: os.chmod(L + "tofd", 0o641)); show("mode", lambda: oct(os.fstat(f).st_mode))
show("truncate", lambda: os.truncate(L + "tofd", 7)); show("size", lambda: os.fstat(f).st_size); show("list", lambda: sorted(os.listdir(L + "todir"))); show("below", lambda: text(L + "todir/in"))
show("make", lambda: os.mkdir(L + "todir/new")); show("made", lambda: os.rmdir("d/new")); show("chdir", lambda: os.chdir(L + "todir")); show("there", os.getcwd); show("by link to cwd", lambda: text(L + "tocwd/in"))
show("readlink", lambda: os.readlink(L + "tofds/%d" % f)); show("readlink", lambda: os.readlink(L + "toproc/cwd")); show("link's own", lambda: os.readlink(L + "tofd")); show("lstat", lambda: oct(os.lstat(L + "tofd").st_mode))
os.chdir(top)
for dirfd, name in (own, "fd/%d" % f), (own, "cwd/f"), (fds, str(f)), (fds, "%d/in" % d), (own, "task/%d/fd/%d" % (os.getpid(), f)):
    show("at", lambda: os.readlink(name, dir_fd=dirfd)); show("at", lambda: text(name, dir_fd=dirfd)); show("at", lambda: os.stat(name, dir_fd=dirfd).st_ino == os.stat(of(f) if name[-1] != "n" else "d/in").st_ino)
    show("at", lambda: os.chmod(name, 0o640, dir_fd=dirfd)); show("at", lambda: oct(os.stat(name, dir_fd=dirfd).st_mode))
os.chdir("/proc/self"); show("relative", lambda: os.readlink("fd/%d" % f)); show("relative", lambda: text("fd/%d" % f)); show("relative", lambda: text("fd/%d/in" % d))
os.chdir("/proc/self/fd"); show("relative", lambda: os.readlink(str(f))); show("relative", lambda: text(str(f))); show("stat", lambda: os.stat(str(f)).st_size)
os.chdir(top)
for path in "/proc/self/fd", "/dev/fd", "/proc/self/fdinfo", "/proc/%d/task/%d/fd" % (os.getpid(), os.getpid()):
    show("nothing else", lambda: [e.name for e in os.scandir(path) if not os.path.lexists(e.path)]); show("all", lambda: {str(f), str(d), str(p)} <= set(os.listdir(path)))
for path in "/proc/self/cwd", "/proc/thread-self/cwd", "/proc/%d/cwd" % os.getpid(), "/proc/self/task/%d/cwd" % os.getpid():
    show("cwd", lambda: os.readlink(path)); show("f", lambda: text(path + "/f")); show("list", lambda: sorted(os.listdir(path))); show("list", lambda: sorted(os.listdir(path + "/d")))
    show("same", lambda: os.path.samefile(path, ".")); show("link", lambda: os.path.islink(path)); show("unlink", lambda: os.unlink(path)); show("chdir", lambda: os.chdir(path + "/d")); show("there", os.getcwd)
    show("up", lambda: text(path + "/../f")); show("chdir", lambda: os.chdir(path + "/..")); show("there", os.getcwd); show("real", lambda: os.path.realpath(path + "/d/link"))
    show("make", lambda: os.close(os.open(path + "/made", os.O_CREAT | os.O_WRONLY))); show("rename", lambda: os.rename(path + "/made", path + "/d/made")); show("made", lambda: os.unlink("d/made"))
    show("statvfs", lambda: os.statvfs(path).f_blocks == os.statvfs(".").f_blocks); show("statvfs", lambda: os.statvfs(path + "/d").f_blocks == os.statvfs("d").f_blocks)
def attributes(path, follow=True):
    show("set", lambda: os.setxattr(path, "user.a", b"v", follow_symlinks=follow)); show("get", lambda: os.getxattr(path, "user.a", follow_symlinks=follow))
    show("list", lambda: [a for a in os.listxattr(path, follow_symlinks=follow) if a[:5] == "user."]); show("remove", lambda: os.removexattr(path, "user.a", follow_symlinks=follow))
for path in of(f), of(p), of(d), of(d, "/in"), "/proc/self/cwd", "/proc/self/cwd/f", L + "tofd": attributes(path)
attributes(of(f), False)
for path in of(f), of(p), of(d), of(d, "/in"), "/proc/self/cwd", "/proc/self/cwd/f":
    show("truncate", lambda: os.truncate(path, 6)); show("utime", lambda: os.utime(path, (3, 4))); show("mtime", lambda: os.stat(path).st_mtime); show("access", lambda: os.access(path, os.W_OK)); show("chdir", lambda: os.chdir(path))
    os.chdir(top)
show("link", lambda: os.link(of(f), "linked", follow_symlinks=True)); show("linked", lambda: os.stat("f").st_nlink); show("not", lambda: os.link(of(f), "linked2", follow_symlinks=False))
show("rename over", lambda: os.rename("linked", of(f))); show("rename", lambda: os.rename(of(f), "linked3"))
nofollow = os.open(of(f), os.O_PATH | os.O_NOFOLLOW); show("a descriptor of the link", lambda: os.readlink("", dir_fd=nofollow))
gone = os.open("gone", os.O_CREAT | os.O_RDWR); os.write(gone, b"gone"); os.unlink("gone")
show("gone", lambda: os.readlink(of(gone))); show("gone", lambda: text(of(gone))); show("gone", lambda: os.truncate(of(gone), 2)); show("gone", lambda: os.stat(of(gone)).st_size)
os.mkdir("left"); os.chdir("left"); os.rmdir(top + "/left"); show("left", lambda: os.readlink("/proc/self/cwd")); show("left", lambda: os.listdir("/proc/self/cwd")); os.chdir(top)
def info(path, dir_fd=None):
    fd = os.open(path, os.O_RDONLY, dir_fd=dir_fd)
    lines = dict(l.split(":\t") for l in os.read(fd, 1000).decode().splitlines())
    ino = lines.pop("ino") == str(os.stat("d" if path[-len(str(d)):] == str(d) else "f").st_ino); lines.pop("mnt_id")
    return lines, ino, os.read(fd, 1), os.close(fd)
os.lseek(f, 3, 0); os.set_inheritable(d, True)
for fd in f, d, p:
    for n, path in enumerate(("/proc/self/fdinfo/%d", "/proc/thread-self/fdinfo/%d", "/proc/%d/fdinfo/%%d" % os.getpid())): show("info %d" % n, lambda: info(path % fd))
    show("info at", lambda: info(str(fd), infos)); show("info at", lambda: info("fdinfo/%d" % fd, own))
a = os.open("f", os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK); show("info", lambda: info("/proc/self/fdinfo/%d" % a)); show("info", lambda: os.open("/proc/self/fdinfo/777", 0)); show("info", lambda: os.stat("/proc/self/fdinfo/%d" % f).st_size)
import socket
def listener(path):
    s = socket.socket(socket.AF_UNIX); s.bind(path); s.listen(); return s
for n, path in enumerate((of(d, "/sock"), "/proc/self/cwd/sock", L + "todir/sock2")):
    s = listener(path); show("there", lambda: oct(os.stat(path).st_mode)[:4])
    c = socket.socket(socket.AF_UNIX); show("connect", lambda: c.connect(path)); show("sockets", lambda: [len([x for x in os.listdir(at) if "sock" in x]) for at in (".", "d")])
def thread():
    show("thread", lambda: text("/proc/self/task/%d/fd/%d" % (threading.get_native_id(), f))); show("thread", lambda: os.readlink("/proc/%d/fd/%d" % (threading.get_native_id(), f))); show("thread", lambda: text("/proc/thread-self/cwd/d/in"))
t = threading.Thread(target=thread); t.start(); t.join()
child = os.fork()
if not child:
    show("child", lambda: os.readlink(of(f))); show("child", lambda: text("/proc/self/cwd/f")); sys.stdout.flush(); os._exit(0)
os.waitpid(child, 0)
for fd in os.listdir("/proc/self/fd"):
    try: seen = "placeholder" in os.readlink(of(int(fd)))
    except OSError: continue
    if seen: print(fd, os.readlink(of(int(fd))))
E2

# compare NAME ARG...: what the program NAME.py prints of a fresh directory, remotely at $prefix
prefix=/data
compare()
{
	local program=$1 dir
	shift

	rm -rf "$TESTDIR/$program".{native,far,local.native,local.far}

	for dir in native far local.native local.far; do
		mkdir "$TESTDIR/$program.$dir"
		chmod 777 "$TESTDIR/$program.$dir"
	done
	timeout 60 python3 "$TESTDIR/$program.py" "$TESTDIR/$program.native" "$TESTDIR/$program.local.native" "$@" >"$TESTDIR/$program.expected" 2>&1
	timeout 60 "$FARCALL" run -v "$TESTDIR/$program.far:$prefix" -- python3 "$TESTDIR/$program.py" "$prefix" "$TESTDIR/$program.local.far" "$@" >"$TESTDIR/$program.seen" 2>&1
	check "$program: the program" test "$(wc -l <"$TESTDIR/$program.expected")" -gt 15
	check "$program" diff "$TESTDIR/$program.expected" "$TESTDIR/$program.seen"
}

cat >"$TESTDIR/others.py" <<'E2'
import ctypes, errno, os, subprocess, sys
top, local = sys.argv[1:3]
os.chmod(top, 0o777); os.chdir(top)
def show(what, call):
    try: r = call()
    except OSError as e: r = errno.errorcode[e.errno]
    print(what, str(r).replace(top, "W").replace(local, "L"), flush=True)
def text(path, flags=os.O_RDONLY):
    fd = os.open(path, flags)
    try: return os.read(fd, 5)
    finally: os.close(fd)
def info(path):
    lines = dict(l.split(":\t") for l in open(path).read().splitlines())
    return lines["pos"], lines["flags"], int(lines["ino"]) == os.stat("f").st_ino
def look(pid, f, d, w):
    of = lambda fd, rest="": "/proc/%d/fd/%d%s" % (pid, fd, rest)
    cwd = "/proc/%d/cwd" % pid
    for fd in f, d, w, 777: show("readlink", lambda: os.readlink(of(fd)))
    show("read", lambda: text(of(f))); show("task", lambda: text("/proc/%d/task/%d/fd/%d" % (pid, pid, f))); show("stat", lambda: os.stat(of(f)).st_size); show("same", lambda: os.path.samefile(of(f), "f"))
    show("below", lambda: text(of(d, "/in"))); show("up", lambda: text(of(d, "/../f"))); show("list", lambda: sorted(os.listdir(of(d)))); show("slash", lambda: sorted(os.listdir(of(d) + "/")))
    show("write", lambda: os.write(os.open(of(w), os.O_WRONLY | os.O_APPEND), b"x")); show("write what is read-only there", lambda: os.close(os.open(of(f), os.O_RDWR)))
    show("statvfs", lambda: os.statvfs(of(f)).f_blocks == os.statvfs("f").f_blocks); show("truncate", lambda: os.truncate(of(w), 3)); show("chmod", lambda: os.chmod(of(w), 0o666)); show("access", lambda: os.access(of(f), os.R_OK))
    show("rename", lambda: os.rename(of(d, "/x"), of(d, "/y"))); show("between", lambda: os.rename(of(d, "/y"), cwd + "/x")); show("back", lambda: os.rename(cwd + "/x", of(d, "/x")))
    show("info", lambda: info("/proc/%d/fdinfo/%d" % (pid, f))); show("info", lambda: info("/proc/%d/fdinfo/%d" % (pid, w)))
    show("cwd", lambda: os.readlink(cwd)); show("list", lambda: sorted(os.listdir(cwd))); show("f", lambda: text(cwd + "/../f")); show("real", lambda: os.path.realpath(cwd + "/link")); show("stat", lambda: os.path.samefile(cwd, "d"))
    here = os.getcwd(); show("chdir", lambda: os.chdir(cwd)); show("there", os.getcwd); os.chdir(here); show("chdir", lambda: os.chdir(of(d))); show("there", os.getcwd); os.chdir(here)
    show("of no process", lambda: os.readlink("/proc/%d/fd/%d" % (2 ** 22 + 1, f))); show("unlink", lambda: os.unlink(of(f)))
    os.symlink(of(f), local + "/link"); show("by link", lambda: text(local + "/link")); os.unlink(local + "/link")
    seen = {n for n in os.listdir("/proc/%d/fd" % pid)}
    for n in sorted(map(int, seen)):
        try:
            if os.readlink(of(n)).endswith("placeholder"): print(n, "is a placeholder")
        except OSError: pass
def opened():
    f, d, w = os.open("f", os.O_RDONLY), os.open("d", os.O_RDONLY | os.O_DIRECTORY), os.open("w", os.O_RDWR | os.O_CREAT, 0o666)
    os.write(w, b"12345"); os.lseek(f, 2, 0); os.chdir("d")
    return f, d, w
if len(sys.argv) > 3: # a program of its own, which says what it has open and waits
    what = opened()
    if sys.argv[3] == "dup": what = os.dup(what[0]), os.dup2(what[1], 60), os.dup2(what[2], what[2] + 100); os.closerange(3, what[0])
    if sys.argv[3] == "hidden": ctypes.CDLL(None).prctl(4, 0)
    if sys.argv[3] == "user": os.setgid(12345), os.setuid(12345)
    print(*what, flush=True); sys.stdin.read(); sys.exit()
open("f", "w").write("text of f\n"); os.chmod("f", 0o644); os.mkdir("d", 0o777); os.chmod("d", 0o777); open("d/in", "w").write("in\n"); os.symlink("in", "d/link"); open("d/x", "w"); os.chmod(local, 0o777)
class Program:
    def __init__(self, how):
        self.p = subprocess.Popen([sys.executable, sys.argv[0], top, local, how], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.open = [int(n) for n in self.p.stdout.readline().split()]
    def end(self):
        self.p.stdin.close(); self.p.wait()
def in_child(call):
    pid = os.fork()
    if not pid:
        try: call()
        finally: os._exit(0)
    os.waitpid(pid, 0)
for how in "plain", "dup": # of a child, and of a sibling
    print("==", how, flush=True); p = Program(how); look(p.p.pid, *p.open); in_child(lambda: look(p.p.pid, *p.open)); p.end()
    show("gone", lambda: os.readlink("/proc/%d/cwd" % p.p.pid))
print("== of the parent", flush=True)
parent, mine = os.getpid(), opened(); os.chdir(top); gone = os.open("gone", os.O_CREAT | os.O_RDWR); os.write(gone, b"gone"); os.unlink("gone")
def of_parent():
    look(parent, *mine); os.closerange(3, 50); os.chdir("/")
    show("closed here", lambda: text("/proc/%d/fd/%d" % (parent, mine[0]))); show("gone", lambda: os.readlink("/proc/%d/fd/%d" % (parent, gone))); show("gone", lambda: text("/proc/%d/fd/%d" % (parent, gone)))
    show("local", lambda: os.readlink("/proc/%d/cwd" % parent))
in_child(of_parent)
print("== from elsewhere", flush=True); show("sh", lambda: subprocess.run("cat /proc/$PPID/fd/%d; readlink /proc/$PPID/cwd /proc/$PPID/fd/%d; (cd /proc/$PPID/cwd/d && pwd -P && ls)" % mine[:2], shell=True, stdout=subprocess.PIPE).stdout.decode())
if os.geteuid() == 0:
    def as_user(uid, call):
        os.setgroups([]); os.setgid(uid); os.setuid(uid); call()
    p, u, h = Program("plain"), Program("user"), Program("hidden")
    print("== root at a user's", flush=True); look(u.p.pid, *u.open)
    print("== a user at root's", flush=True); in_child(lambda: as_user(12345, lambda: look(p.p.pid, *p.open)))
    print("== at its own", flush=True); in_child(lambda: as_user(12345, lambda: (show("f", lambda: text("/proc/%d/fd/%d" % (u.p.pid, u.open[0]))), show("cwd", lambda: os.readlink("/proc/%d/cwd" % u.p.pid)))))
    print("== at another's", flush=True); in_child(lambda: as_user(12346, lambda: look(u.p.pid, *u.open)))
    print("== root at one that hides", flush=True); look(h.p.pid, *h.open); p.end(); u.end(); h.end()
E2

cat >"$TESTDIR/maps.py" <<'E2'
import ctypes, errno, mmap, os, sys
top, local = sys.argv[1:3]
def show(what, call):
    try: r = call()
    except OSError as e: r = errno.errorcode[e.errno]
    print(what, str(r).replace(top, "W"), flush=True)
name, me = top + "/m", os.getpid()
of = lambda pid, map: "/proc/%d/map_files/%s" % (pid, map)
def maps(pid): return ["%x-%x" % tuple(int(x, 16) for x in l.split()[0].split("-")) for l in open("/proc/%d/maps" % pid) if name in l]
def opened(path, flags):
    fd = os.open(path, flags)
    try: return os.readlink("/proc/self/fd/%d" % fd), os.read(fd, 3) if flags == os.O_RDONLY else os.write(fd, b"y") if flags == os.O_WRONLY else 0
    finally: os.close(fd)
def look(pid):
    for path in [of(pid, map) for map in maps(pid)] + [of(pid, "1000-2000"), of(pid, "x")]:
        show("readlink", lambda: os.readlink(path)); show("lstat", lambda: oct(os.lstat(path).st_mode)); show("stat", lambda: os.stat(path).st_size); show("same", lambda: os.path.samefile(path, name)); show("listed", lambda: os.path.basename(path) in os.listdir("/proc/%d/map_files" % pid))
        for flags in os.O_RDONLY, os.O_WRONLY, os.O_PATH, os.O_RDONLY | os.O_NOFOLLOW, os.O_WRONLY | os.O_CREAT: show("open", lambda: opened(path, flags))
        show("truncate", lambda: os.truncate(path, 8192)); show("chmod", lambda: os.chmod(path, 0o640)); show("access", lambda: os.access(path, os.W_OK)); show("statvfs", lambda: os.statvfs(path).f_bsize); show("set", lambda: os.setxattr(path, "user.a", b"v")); show("get", lambda: os.getxattr(path, "user.a"))
        show("unlink", lambda: os.unlink(path)); show("rename", lambda: os.rename(path, name + "3")); show("link", lambda: os.link(path, name + "3")); show("below", lambda: os.stat(path + "/x")); show("up", lambda: os.path.samefile(path + "/../../cwd", "."))
        os.symlink(path, local + "/link"); show("by link", lambda: opened(local + "/link", os.O_RDONLY)); os.unlink(local + "/link")
        at = os.open("/proc/%d/map_files" % pid, os.O_RDONLY); show("at", lambda: os.readlink(os.path.basename(path), dir_fd=at)); show("at", lambda: os.stat(os.path.basename(path), dir_fd=at).st_size); os.close(at)
    for map in os.listdir("/proc/%d/map_files" % pid): show("placeholder", lambda: "placeholder" in os.readlink(of(pid, map))) if "placeholder" in os.readlink(of(pid, map)) else None
def everybody():
    look(me)
    for whose in "child at its parent's", "child at its own":
        print("==", whose, flush=True); child = os.fork()
        if not child: look(me if "parent" in whose else os.getpid()); os._exit(0)
        os.waitpid(child, 0)
    r, w = os.pipe(); child = os.fork()
    if not child: os.close(w); os.read(r, 1); os._exit(0)
    print("== parent at its child's", flush=True); look(child); os.close(w); os.waitpid(child, 0); os.close(r)
f = os.open(name, os.O_RDWR | os.O_CREAT, 0o644); os.write(f, b"x" * 12288)
mapped = mmap.mmap(f, 4096), mmap.mmap(f, 4096, mmap.MAP_PRIVATE, offset=4096), mmap.mmap(f, 4096, offset=8192, prot=mmap.PROT_READ); os.close(f)
if len(sys.argv) > 3: os.setgroups([]); os.setgid(12345); os.setuid(12345); ctypes.CDLL(None).prctl(4, 1)
everybody()
if len(sys.argv) == 3: print("== renamed, removed", flush=True); os.rename(name, name + "2"); look(me); os.unlink(name + "2"); open(name, "w").write("another"); everybody(); os.unlink(name); look(me)
E2

chmod 755 "$TESTDIR" # natively, too, others come here
compare own
compare others
compare maps
((EUID)) || compare maps user
mkdir "$TESTDIR/covered"
prefix=$TESTDIR/covered
compare maps # where every path is walked
finish
