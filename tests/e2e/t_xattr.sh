#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Attributes that only CAP_SYS_ADMIN gives, of files, by every call; and those of users. As natively, for root and for a user.
. "$(dirname "$0")/../lib.sh"
need_farcall
need python3
need strace
[[ ! ${FC_TEST_XEN:-} ]] || skip "on Xen nothing is handed over"
((EUID == 0)) || skip "only root has them"

cat >"$TESTDIR/script.py" <<'EOF2'
import ctypes, errno, os, sys
if len(sys.argv) > 2:
    os.setgroups([])
    os.setgid(int(sys.argv[2]))
    os.setuid(int(sys.argv[2]))
os.chdir(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)

def say(what, call):
    try:
        print(what, call())
    except OSError as e:
        print(what, errno.errorcode[e.errno])

class Args(ctypes.Structure):
    _fields_ = [("value", ctypes.c_void_p), ("size", ctypes.c_uint32), ("flags", ctypes.c_uint32)]

def at(nr, dir, path, flags, *rest):
    r = libc.syscall(ctypes.c_long(nr), dir, path, flags, *rest)
    if r < 0:
        raise OSError(ctypes.get_errno(), "")
    return r

fd = os.open("f", os.O_RDWR)
path = os.open("f", os.O_PATH)
here = os.open(".", os.O_RDONLY)
for name in "security.a", "trusted.a", "trusted.b", "user.a", "security.capability", "trusted.", "security", "nothing.a", "trusted." + 300 * "x":
    for where in "f", fd, path, "link", sys.argv[1] + "/f", "none":
        say((name, where, "set"), lambda: os.setxattr(where, name, b"value"))
        say((name, where, "make"), lambda: os.setxattr(where, name, b"other", os.XATTR_CREATE))
        say((name, where, "get"), lambda: os.getxattr(where, name))
        say((name, where, "list"), lambda: sorted(os.listxattr(where)))
        say((name, where, "remove"), lambda: os.removexattr(where, name))
        say((name, where, "get"), lambda: os.getxattr(where, name))
        say((name, where, "again"), lambda: os.setxattr(where, name, b"again"))
for name in b"trusted.at", b"security.at":
    value = ctypes.create_string_buffer(b"at", 100)
    args = Args(ctypes.addressof(value), 2, 0)
    for dir, where, flags in (here, b"f", 0), (-100, b"f", 0x100), (here, b"link", 0), (fd, b"", 0x1000), (-100, b"none", 0), (here, b"f", 0x40000):
        args.size = 2
        say((name, where, "set"), lambda: at(463, dir, where, flags, name, ctypes.byref(args), ctypes.c_size_t(16)))
        args.size = 100
        say((name, where, "get"), lambda: at(464, dir, where, flags, name, ctypes.byref(args), ctypes.c_size_t(16)))
        out = ctypes.create_string_buffer(500)
        say((name, where, "list"), lambda: at(465, dir, where, flags, out, ctypes.c_size_t(500)) and sorted(out.raw.split(b"\0")))
        say((name, where, "remove"), lambda: at(466, dir, where, flags, name))
out = ctypes.create_string_buffer(500)
for size in 0, 3, 500:
    r = libc.listxattr(b"f", out, ctypes.c_size_t(size))
    print("list", size, r, r < 0 and errno.errorcode[ctypes.get_errno()])
say("fault", lambda: at(191, 0, 0, 0, 0))
EOF2
for d in native far; do
	mkdir "$TESTDIR/$d"
	chmod 777 "$TESTDIR/$d"
	: >"$TESTDIR/$d/f"
	chmod 666 "$TESTDIR/$d/f"
	ln -s f "$TESTDIR/$d/link"
done
[[ ! -e /fc-xattr ]] || skip "/fc-xattr exists"
chmod 755 "$TESTDIR"
run=(python3 "$TESTDIR/script.py" /fc-xattr)
compare()
{
	mkdir /fc-xattr
	natively "$TESTDIR/native" /fc-xattr "${run[@]}" "${@:2}" >"$TESTDIR/native.out" 2>"$TESTDIR/native.err"
	rmdir /fc-xattr
	remotely "$TESTDIR/far" /fc-xattr "${run[@]}" "${@:2}" >"$TESTDIR/far.out" 2>"$TESTDIR/far.err"
	check "$1" diff "$TESTDIR/native.out" "$TESTDIR/far.out"
	check "$1: it ran" test "$(grep -c again "$TESTDIR/far.out")" -gt 20
	cat "$TESTDIR/far.err"
}
compare "as root"
compare "as a user" 1234
finish
