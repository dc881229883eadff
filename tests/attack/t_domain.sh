#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# t_domain.sh - a hostile domain (h_domain.c), run by user 1000, and real programs of root and of user 1001 under the shim: it is not used
# unless --trust-domain says so; and then it cannot make them act on files of this machine that it could not also reach
# natively, with a symbolic link in its own file system. Its late answers end no session.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need_farcall
need python3 setpriv
((EUID == 0)) || skip "needs root, to be several users"
python=/usr/bin/python3
[[ -x $python ]] || python=$(python3 -c 'import sys; print(sys.executable)')
hostile=$(helper attack/h_domain) || exit 77
shim=${FARCALL_SHIM:-$FC_BUILD/libfarcall.so}
if "$FARCALL" run --help | grep -q -e --trust-domain; then trust=(--trust-domain); else trust=(); fi

as() # UID COMMAND...
{
	local uid=$1
	shift

	setpriv --reuid "$uid" --regid "$uid" --clear-groups env HOME="$TESTDIR/home" XDG_RUNTIME_DIR= "$@"
}

chmod 711 "$TESTDIR"
mkdir -m 1777 "$TESTDIR/evil"
mkdir -m 777 "$TESTDIR/home"
number=0

# domain RULE...: a new hostile domain; $socket and $log are its
domain()
{
	((++number))
	socket=$TESTDIR/evil/$number.sock
	log=$TESTDIR/evil.$number
	: >"$log"
	as 1000 "$hostile" "$socket" /data "$@" </dev/null >"$log" 2>&1 &
	domain_pid=$!
	started+=($!)
	wait_for 5 grep -q listening "$log" || { wrong "the hostile domain does not start: $(cat "$log")"; finish; }
}

end_domain()
{
	kill "$domain_pid" 2>/dev/null || { wrong "the hostile domain has ended by itself"; tail -n 5 "$log"; }
	wait "$domain_pid" 2>/dev/null
}

# ---- nobody's domain but root's and one's own ----

domain
for uid in 0 1001; do
	as $uid "$FARCALL" run --domain "$socket" -- true 2>"$TESTDIR/err"
	check "as $uid: not used" test $? = 125
	check "as $uid: one line" test "$(wc -l <"$TESTDIR/err")" = 1
	check "as $uid: which says what to do" grep -q -e "user 1000.*--trust-domain" "$TESTDIR/err"
	as $uid "$FARCALL" config --domain "$socket" "$TESTDIR/home/config.$uid" 2>/dev/null
	check "as $uid: not in a configuration" test $? = 125
done
check "it was told nothing" test "$(cat "$log")" = listening
as 1000 "$FARCALL" run --domain "$socket" -- true
check "its own user's use it" test $? = 0
end_domain

# the same of the shim alone: a configuration that does not say that the domain is trusted
domain
mkdir -m 755 "$TESTDIR/config"
mkdir -m 555 "$TESTDIR/config/placeholder"
"$FARCALL" run -v "$TESTDIR/home:/data" -- sh -c 'grep ^sites "$FARCALL_DIR/config"' >"$TESTDIR/sites"
{
	printf 'farcall-config 1\ndomain %s\nmount 0 rw /data\npreload %s\n' "$socket" "$shim"
	cat "$TESTDIR/sites"
} >"$TESTDIR/config/config"
for uid in 0 1001; do
	as $uid env FARCALL_DIR="$TESTDIR/config" LD_PRELOAD="$shim" cat /data/x >/dev/null 2>"$TESTDIR/err"
	check "the shim of $uid: not used" grep -q "cat: /data/x: Input/output error" "$TESTDIR/err"
	check "the shim of $uid: says why" grep -q -e "--trust-domain" "$TESTDIR/err"
done
check "it was told nothing by the shim" test "$(cat "$log")" = listening
end_domain

# ---- continuations ----

# A fresh tree whose files only the victim should touch, and what it looks like.
victim=$TESTDIR/victim
fresh()
{
	rm -rf "$victim"
	mkdir -p "$victim/empty" "$victim/own"
	echo treasure >"$victim/secret"
	echo mine >"$victim/own/file"
	ln -s secret "$victim/link"
	chown -hR "$1" "$victim"
	touch -h -d '2001-01-01' "$victim/secret" "$victim/link" "$victim/empty"
	state >"$TESTDIR/before"
}

state()
{
	(cd "$victim" && find . -printf '%P %y %m %U:%G %s %l\n' | sort && stat -c '%n %Y' secret link empty &&
		cat secret own/file && getfattr -hd -m - . link secret 2>/dev/null)
}

# attack WHAT "RULE RULE..." COMMAND...: the command fails, and the victim's files are as they were. For root and for user 1001.
attack()
{
	local what=$1 uid status rules
	read -ra rules <<<"$2"
	shift 2

	domain "${rules[@]}"
	for uid in 0 1001; do
		fresh $uid
		timeout 20 setpriv --reuid $uid --regid $uid --clear-groups env HOME="$TESTDIR/home" XDG_RUNTIME_DIR= \
			"$FARCALL" run "${trust[@]}" --domain "$socket" -- "$@" >"$TESTDIR/out" 2>"$TESTDIR/err" </dev/null
		status=$?
		((status && status < 124)) || wrong "$what, as $uid: status $status"
		state | cmp -s - "$TESTDIR/before" || { wrong "$what, as $uid: the victim's files are no more what they were"; state | diff "$TESTDIR/before" - ; }
		grep -q " = " "$log" || { wrong "$what, as $uid: the domain was not asked"; cat "$log" "$TESTDIR/err"; }
	done
	end_domain
}

# call EXPRESSION: in Python, with what it may need
call()
{
	echo "
import ctypes, os, struct
libc = ctypes.CDLL(None, use_errno=True)
own = '$victim/own'
def openat2(directory, path, flags, resolve):
    how = struct.pack('QQQ', flags, 0o600 if flags & os.O_CREAT else 0, resolve)
    fd = libc.syscall(437, directory, path.encode(), how, len(how))
    if fd < 0:
        raise OSError(ctypes.get_errno(), 'openat2')
    return fd
$1"
}

attack "rm" "unlinkat=>$victim/secret newfstatat=file" rm -f /data/x
attack "rm of a name that is there" "unlinkat=>$victim/secret newfstatat=file" rm -f /data/secret
attack "rm in the current directory" "unlinkat=>$victim/secret newfstatat=file" sh -c 'cd /data && exec rm -f secret'
attack "rm through .." "unlinkat=>$victim/secret newfstatat=file" rm -f /data/../secret
attack "rm of the neighbour" "unlinkat=>$victim/secret newfstatat=file" rm -f /data/d/other
attack "rm -r, a path for a name" "newfstatat,a/secret=file newfstatat=dir fstat=dir getdents64=entry:a/secret unlinkat,a/secret=>$victim/secret" rm -rf /data/d
attack "rm -r, a path for a name, upwards" "newfstatat,../../a/secret=file newfstatat=dir fstat=dir getdents64=entry:../../a/secret unlinkat,../../a/secret=>$victim/secret" rm -rf /data/d
attack "rmdir" "unlinkat=>$victim/empty" rmdir /data/empty
attack "mkdir" "mkdirat=>$victim/new" mkdir /data/new
attack "mkdir of another name" "mkdirat=>$victim/other" mkdir /data/d/new
attack "ln -s" "symlinkat=>$victim/new newfstatat=#-2" ln -s target /data/new
attack "mkfifo" "mknodat=>$victim/new" mkfifo /data/new
attack "mv to" "renameat2=>>$victim/secret newfstatat=#-2" "$python" -c "$(call 'os.rename("/data/a", "/data/secret")')"
attack "mv from" "renameat2=>$victim/secret" "$python" -c "$(call 'os.rename("/data/secret", "/data/b")')"
attack "mv away to here" "*,/data/secret=>$victim/secret *,/data/=>$victim/" "$python" -c "$(call 'os.rename("/data/secret", own + "/stolen")')"
attack "mv of a directory with a slash" "*,/data/empty/=>$victim/empty/ *,/data/=>$victim/" "$python" -c "$(call 'os.rename("/data/empty/", own + "/stolen")')"
attack "mv over it from here" "*,/data/secret=>$victim/secret *,/data/=>$victim/" "$python" -c "$(call 'os.rename(own + "/file", "/data/secret")')"
attack "link to here" "*,/data/new=>$victim/new *,/data/=>$victim/" "$python" -c "$(call 'os.link(own + "/file", "/data/new")')"
attack "link from" "linkat=>$victim/secret newfstatat=file" "$python" -c "$(call 'os.link("/data/secret", "/data/new")')"
attack "touch -h" "utimensat=>$victim/link" touch -h /data/link
attack "chown -h" "fchownat=>$victim/link newfstatat=link" chown -h 1001:1001 /data/link
attack "lsetxattr" "lsetxattr=>$victim/secret" "$python" -c "$(call 'os.setxattr("/data/secret", "user.x", b"y", follow_symlinks=False)')"
attack "O_EXCL" "openat=>$victim/new" "$python" -c "$(call 'os.open("/data/new", os.O_CREAT | os.O_EXCL | os.O_WRONLY)')"
attack "O_NOFOLLOW" "openat=>$victim/secret" "$python" -c "$(call 'os.open("/data/secret", os.O_NOFOLLOW | os.O_WRONLY | os.O_TRUNC)')"
attack "the mount itself" "openat=>$victim/secret" "$python" -c "$(call 'os.open("/data", os.O_WRONLY | os.O_TRUNC)')"
attack "cd .." "chdir=>$victim" sh -c 'cd /data && cd -P .. && [ -e secret ]'
for resolve in 0x08 0x10 0x01 0x04; do # BENEATH, IN_ROOT, NO_XDEV, NO_SYMLINKS
	attack "openat2, resolve $resolve" "openat2=>$victim/secret" \
		"$python" -c "$(call "openat2(os.open('/data', os.O_RDONLY), 'a/secret', os.O_WRONLY | os.O_TRUNC, $resolve)")"
	attack "openat2, resolve $resolve, .." "openat2=>$victim/secret" \
		"$python" -c "$(call "openat2(os.open('/data', os.O_RDONLY), 'a/../../secret', os.O_WRONLY | os.O_TRUNC, $resolve)")"
done
for text in /etc/passwd "/data/..$victim/secret" etc/passwd; do
	attack "the path of a descriptor, $text" "openat=#40 readlinkat=text:$text" \
		"$python" -c "$(call 'print(os.readlink("/proc/self/fd/%d" % os.open("/data/x", os.O_RDONLY)))')"
	attack "a path through a descriptor, $text" "openat=#40 readlinkat=text:$text" \
		"$python" -c "$(call 'os.truncate("/proc/self/fd/%d/secret" % os.open("/data/d", os.O_RDONLY), 0)')"
done

# ---- answers that cannot be ----

impossible() # WHAT "RULES" COMMAND...: and the session is lost, with a line
{
	attack "$@"
	grep -q "storage domain lost" "$TESTDIR/err" || wrong "$1: the session goes on"
}

long=$(printf 'a/%.0s' {1..3000})
impossible "no absolute path" "openat=>etc/passwd" cat /data/x
impossible "a path without end" "openat=>/$long" cat /data/x
impossible "a path for no path" "openat=>3>/etc/passwd" cat /data/x
impossible "another argument's" "openat=#-8192" cat /data/x
impossible "no result of any call" "openat=#-5000" cat /data/x
impossible "a descriptor of the domain's own" "openat=#5" cat /data/x
impossible "a huge descriptor" "openat=#0x7fffffffffff" cat /data/x
impossible "more than was read" "openat=#40 read=#1000000" "$python" -c "$(call 'os.read(os.open("/data/x", os.O_RDONLY), 100)')"
impossible "more than was read, large" "preadv2=#70001" "$python" -c "$(call 'os.pread(os.open("/data/x", os.O_RDONLY), 70000, 0)')"
impossible "a longer link" "readlinkat=#5000" readlink /data/x
impossible "a longer directory" "getdents64=#40000 fstat=dir newfstatat=dir statx=dir" ls -f /data/d
impossible "an entry of no length" "getdents64=record:0 fstat=dir newfstatat=dir statx=dir" ls -f /data/d
impossible "an entry that is too long" "getdents64=record:4096 fstat=dir newfstatat=dir statx=dir" ls -f /data/d
impossible "an entry that is a path" "getdents64=entry:/etc/passwd fstat=dir newfstatat=dir statx=dir" ls -f /data/d
impossible "an entry without a name" "getdents64=entry: fstat=dir newfstatat=dir statx=dir" ls -f /data/d
impossible "a directory of this machine" "getcwd=text:/etc" "$python" -c "$(call 'os.chdir("/data"); print(os.getcwd())')"

# ---- what is handed over ----

# hands WHAT ERRNO works|lost SECONDS "RULES" PYTHON: what `act` does fails with one of these (0: not at all), in that time, leaves no descriptor
# behind, and then the session goes on or does not.
hands()
{
	local what=$1 rules
	read -ra rules <<<"$5"

	domain openat,/data/pipe=#$((0x40000000 + 40)) "${rules[@]}"
	timeout 60 "$FARCALL" run "${trust[@]}" --domain "$socket" -- "$python" -c "$(call "
import errno, socket, time
fd = os.open('/data/x', os.O_RDONLY)
libc.mmap.restype = ctypes.c_long
libc.mmap.argtypes = [ctypes.c_long] * 6
def failed(r):
    if r == -1:
        raise OSError(ctypes.get_errno(), 'failed')
def mmap(flags=1):
    failed(libc.mmap(0, 4096, 1, flags, fd, 0))
def descriptors():
    return [(n, os.readlink('/proc/self/fd/' + n)) for n in os.listdir('/proc/self/fd') if os.path.lexists('/proc/self/fd/' + n)]
sock = socket.socket(socket.AF_UNIX)
left, right = socket.socketpair()
watches = libc.inotify_init()
os.pread(fd, 10, 0)
before, began, said = descriptors(), time.monotonic(), 0
try:
$6
except OSError as e:
    said = e.errno
took = time.monotonic() - began
assert said in ($2,), said
assert $4 <= took < $4 + 2, took
assert descriptors() == before, (before, descriptors())
for i in range(3):
    try:
        os.pread(fd, 10, 0)
        os.chmod('/data/x', 0o600) if 0 else None
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        assert '$3' == 'works', 'the session goes on'
    except OSError as e:
        assert '$3' == 'lost' and e.errno == errno.EIO, e")" >"$TESTDIR/out" 2>"$TESTDIR/err" </dev/null ||
		wrong "handed over: $what: $(tail -n 1 "$TESTDIR/err")"
	end_domain
}

map='    mmap()'
hands "a file" 0 works 0 HAND=file "$map"
for what in dir device socket epoll two type serial status:-5000 status:1; do
	hands "mmap: $what" errno.EIO lost 0 HAND=$what "$map"
done
hands "mmap: a pipe" errno.ENODEV works 0 HAND=pipe "$map"
hands "mmap: a socket's inode" errno.EBADF works 0 HAND=named "$map"
hands "mmap: nothing" errno.EMFILE works 0 HAND=none "$map"
hands "mmap: the file with the second answer" errno.EMFILE works 0 HAND=early "$map"
hands "mmap: a file with each answer" 0 works 0 HAND=both "$map"
hands "mmap: an error, and a file" errno.EACCES works 0 HAND=status:-13 "$map"
hands "mmap: no second answer" 0 works 10 HAND=once "$map"
hands "mmap: late" errno.EIO works 10 "HAND=file HAND~11" "    try:
        mmap()
    finally:
        time.sleep(2); began += 2"
pipe='    os.close(os.open("/data/pipe", os.O_RDONLY))'
hands "a pipe" 0 works 0 HAND=pipe "$pipe"
for what in file dir device socket named epoll two; do
	hands "a pipe: $what" errno.EIO lost 0 HAND=$what "$pipe"
done
hands "a pipe: nothing" errno.EMFILE works 0 HAND=none "$pipe"
exec='    os.execv("/data/x", ["x"])'
hands "exec: a pipe" errno.EACCES works 0 "HAND=pipe fstat=file faccessat=#0 faccessat2=#0" "$exec"
for what in dir device socket two; do
	hands "exec: $what" errno.EIO lost 0 "HAND=$what fstat=file faccessat=#0 faccessat2=#0" "$exec"
done
reach='    sock.connect("/data/x")'
hands "connect" 0 works 0 HAND=named "$reach"
hands "connect: a file" errno.ECONNREFUSED works 0 HAND=file "$reach"
for what in dir device socket two; do
	hands "connect: $what" errno.EIO lost 0 HAND=$what "$reach"
done
send='    socket.send_fds(left, [b"x"], [fd])'
hands "a message" 0 works 0 HAND=file "$send"
for what in dir device socket two; do
	hands "a message: $what" errno.EIO lost 0 HAND=$what "$send"
done
watch='    failed(libc.inotify_add_watch(watches, b"/data/x", 0xfff))'
hands "a watch" 0 works 0 WATCH=arg:7 "$watch"
hands "a watch: an error" errno.ENOSPC works 0 WATCH=status:-28 "$watch"
for what in arg:0 arg:0x80000000 status:1 status:-5000; do
	hands "a watch: $what" errno.EIO lost 0 WATCH=$what "$watch"
done
reads='    for i in range(100):
        os.pread(fd, 10, 0)'
hands "a delegation: an error" 0 works 0 LEASE=status:-28 "$reads"
for what in status:0 arg:600 status:1 status:-5000; do
	hands "a delegation: $what" errno.EIO lost 0 "LEASE=$what" "$reads"
done
hands "bind: an error" errno.EADDRINUSE works 0 BIND=status:-98 '    sock.bind("/data/s")'
hands "bind: no error" errno.EIO lost 0 BIND=status:98 '    sock.bind("/data/s")'
# of another process: in a child
other='    pid = os.fork()
    if pid == 0:
        try:
            os.open("/proc/%d/fd/%d" % (os.getppid(), fd), os.O_RDONLY)
        except OSError as e:
            os._exit(e.errno)
        os._exit(0)
    said = os.waitpid(pid, 0)[1] >> 8'
for what in arg:5 arg:0x7fffffffffffffff status:-5000 status:5; do
	hands "of another process: $what" errno.EIO works 0 OTHER=$what "$other"
done
hands "of another process: an error" errno.EACCES works 0 OTHER=status:-13 "$other"

# ---- what goes on, for it does natively ----

fresh 0
domain "unlinkat=>$victim/secret" "newfstatat=file" "openat,/data/link=>$victim/own/file" "newfstatat,/data/..=>/" "statx,/data/..=>/"
far() { "$FARCALL" run "${trust[@]}" --domain "$socket" -- "$@"; }
check "a link is followed" test "$(far cat /data/link)" = mine
check "..: the directory above the prefix" test "$(far stat -c %i /data/..)" = "$(stat -c %i /)"
check "rm through a link to a directory" far rm -f /data/d/secret
check "rm through a link to a directory: done" test ! -e "$victim/secret"
end_domain

# ---- answers that are late ----

# late "RULES" PROGRAM: in the background
late()
{
	local rules
	read -ra rules <<<"$1"

	domain "${rules[@]}"
	timeout 60 "$FARCALL" run "${trust[@]}" --domain "$socket" -- "$python" -c "$(call "
import errno, signal, time
fd = os.open('/data/x', os.O_RDONLY)
def works():
    assert os.pread(fd, 10, 0) is not None
    pid = os.fork()
    if pid == 0:
        os._exit(0 if len(os.pread(fd, 10, 0)) == 10 else 1)
    assert os.waitpid(pid, 0)[1] == 0
began = time.monotonic()
def waited():
    took = time.monotonic() - began
    assert 9.5 < took < 11.8, took
    works()
    time.sleep(3) # the answer comes
    works()
    big()
    works()
def big():
    assert len(os.pread(fd, 8 << 20, 0)) == 8 << 20
$2
waited()")" >"$TESTDIR/late.$number" 2>&1 &
	waits+=($!)
}

waits=()
late "FORK~12" '
try:
    os.fork()
    sys.exit("fork")
except OSError as e:
    assert e.errno == errno.EAGAIN, e'
late "GROW~12" '
try:
    assert len(os.pread(fd, 8 << 20, 0)) > 0 # with less memory
except OSError as e:
    assert e.errno in (errno.EIO, errno.ENOMEM), e'
late "GONE~12" '
pid = os.fork()
if pid == 0:
    os.kill(os.getpid(), signal.SIGKILL)
assert os.waitpid(pid, 0)[1] == signal.SIGKILL'
late "RLIMIT~12" '
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, 1 << 30))'
for ((i = 0; i < ${#waits[@]}; i++)); do
	wait "${waits[i]}" || { wrong "an answer that is late"; cat "$TESTDIR/late.$((number - ${#waits[@]} + 1 + i))"; }
done
# but not of a change of user
domain "CRED~12"
timeout 60 "$FARCALL" run "${trust[@]}" --domain "$socket" -- "$python" -c "$(call "
fd = os.open('/data/x', os.O_RDONLY)
os.seteuid(1001)
os.pread(fd, 10, 0)")" >"$TESTDIR/out" 2>"$TESTDIR/err"
check "a change of user that is late ends the session" grep -q "Errno 5" "$TESTDIR/err"
end_domain
# ---- sockets whose inode is not handed over ----

# Somebody's who does not want to hear of it, and has one that he does.
secret=$TESTDIR/evil/secret
as 1001 "$python" -c '
import os, select, socket, sys
both = [socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)]
for s, path in zip(both, sys.argv[1:]):
    s.bind(path); s.listen()
print("listening", flush=True)
while True:
    for s in select.select(both, [], [])[0]:
        s.accept()
        print("called", both.index(s), flush=True)
' "$secret" "$secret.own" </dev/null >"$TESTDIR/secret" 2>&1 &
started+=($!)
wait_for 5 grep -q listening "$TESTDIR/secret" || { wrong "nobody listens"; finish; }
chmod 777 "$secret" "$secret.own"

# meets WHAT ERRNO works|lost KEY: root connects to what the domain says is user 1000's socket, and is called so
meets()
{
	domain HAND=status:-95 fstat=socket "key=#$4"
	as 1000 mkdir -m 1777 "$socket.sockets"
	as 1000 mkdir -m 711 "$socket.sockets/1000-0"
	mkdir -m 711 "$socket.sockets/1000-1"
	as 1000 ln -s "$secret" "$socket.sockets/1000-0/0000000000000007"
	ln "$secret" "$socket.sockets/1000-0/0000000000000008"
	ln "$secret" "$socket.sockets/1000-1/0000000000000009"
	as 1000 ln -s "$TESTDIR/evil" "$socket.sockets/1000-3"
	as 1000 ln -s "$secret" "$socket.sockets/1000-0/000000000000000a"
	"$FARCALL" run "${trust[@]}" --domain "$socket" -- "$python" -c "
import errno, os, socket
said, fds = 0, os.listdir('/proc/self/fd')
try:
    s = socket.socket(socket.AF_UNIX)
    s.connect('/data/x')
except OSError as e:
    said = e.errno
s.close()
assert said == $2, said
assert os.listdir('/proc/self/fd') == fds
try:
    os.lstat('/data/x')
    went_on = True
except OSError as e:
    went_on = e.errno != errno.EIO
assert went_on == ('$3' == 'works'), e" >"$TESTDIR/out" 2>"$TESTDIR/err" </dev/null || wrong "sockets: $1: $(tail -n 1 "$TESTDIR/err")"
	end_domain
}

meets "a link to somebody else's" errno.ECONNREFUSED works 7
meets "somebody else's by another name" errno.ECONNREFUSED works 8
meets "in a directory that is not its user's" errno.ECONNREFUSED works 9
meets "nobody's" errno.ECONNREFUSED works 11
meets "no key" errno.EIO lost -5000
meets "a refusal" errno.EACCES works -13
meets "it does not know" errno.ECONNREFUSED works -38
check "sockets: nobody was called" test "$(cat "$TESTDIR/secret")" = listening
finish
