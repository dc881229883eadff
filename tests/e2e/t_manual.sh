#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What farcall(7) lists as what differs, where no other test has it, in that page's order: calls and their errno (h_manual.c), programs, Unix sockets where
# nothing is handed over, delegated files, mappings, sandboxes (h_fenced_in.c), LIMITS; what takes more than a call is in h_listed.c. See also tests/posix/border, t_table.sh, t_maps.sh, t_libraries.sh, t_passing.sh.
. "$(dirname "$0")/../lib.sh"
need_farcall
need python3
[[ ! ${FC_TEST_XEN:-} ]] || skip "it is about a domain on this machine"
python=/usr/bin/python3
[[ -x $python ]] || python=$(python3 -c 'import sys; print(sys.executable)')
manual=$(helper e2e/h_manual) || exit 77
fenced=$(helper e2e/h_fenced_in) || exit 77
listed=$(helper e2e/h_listed) || exit 77
chmod 711 "$TESTDIR"
mkdir -m 755 "$TESTDIR/data" "$TESTDIR/home"
data=$TESTDIR/data
as_user=(env)
if ((EUID == 0)); then
	as_user=(env HOME="$TESTDIR/home" XDG_RUNTIME_DIR="$TESTDIR/home" setpriv --reuid 1000 --regid 1000 --clear-groups)
	chown 1000:1000 "$TESTDIR/home"
fi

# ---- calls ----

# calls WHAT OPTIONS [AS...]: h_manual natively (OPTIONS native) or on an export that is below a directory of this machine
calls()
{
	local what=$1 options=$2 local=$TESTDIR/local.${1// /-}
	shift 2
	[[ ! $options =~ nomap ]] || local -x FC_NOMAP=1

	mkdir "$local" "$local.far"
	chmod 777 "$local" "$local.far"
	if [[ $options == native ]]; then
		mkdir -m 777 "$local/far"
		check "$what" timeout 20 "$@" "$manual" "$local/far" native "$local"
	else
		check "$what" timeout -k 3 20 "$@" "$FARCALL" run -v "$local.far:$local/far$options" -- \
			"$manual" "$local/far" remote "$local"
	fi
}
unset FC_NOMAP
calls "natively" native env
calls "handed over" "" env
calls "nomap" :nomap env
if ((EUID == 0)); then
	calls "natively, as a user" native "${as_user[@]}"
	calls "handed over, as a user" "" "${as_user[@]}"
	calls "nomap, as a user" :nomap "${as_user[@]}"
fi

# ---- programs that the shim cannot get into ----

mkdir "$data/p"
echo far >"$data/p/f"
# a_stranger KIND: $TESTDIR/stranger, a cat of that kind, is refused as the command, and runs locally as a descendant
a_stranger()
{
	"${as_user[@]}" "$FARCALL" run -v "$data/p:/data" -- "$TESTDIR/stranger" /data/f >"$TESTDIR/out" 2>"$TESTDIR/err"
	check "$1: refused ($?)" test $? = 2
	check "$1: with a line" test "$(wc -l <"$TESTDIR/err")" = 1
	# shellcheck disable=SC2016
	"${as_user[@]}" "$FARCALL" run -v "$data/p:/data" -- sh -c '"$0" /data/f; "$0" </data/f; :' "$TESTDIR/stranger" >"$TESTDIR/out" 2>"$TESTDIR/err"
	check "$1: nothing remote is found" grep -q 'data/f: No such file' "$TESTDIR/err"
	check "$1: its descriptor is a directory's" grep -qE ': (Is a directory|Bad file descriptor)$' "$TESTDIR/err"
	check "$1: a line each" test "$(grep -c '^farcall' "$TESTDIR/err")" -ge 1
	check "$1: nothing is read" test ! -s "$TESTDIR/out"
	FARCALL_STRICT=1 "${as_user[@]}" "$FARCALL" run -v "$data/p:/data" -- "$python" -c '
import errno, os, sys
try: os.execv(sys.argv[1], ["x"])
except OSError as e: print(errno.errorcode[e.errno])' "$TESTDIR/stranger" >"$TESTDIR/out" 2>"$TESTDIR/err"
	check "$1: refused by FARCALL_STRICT" grep -qx EACCES "$TESTDIR/out"
}
if ((EUID == 0)); then # who is somebody else by them
	cp "$(command -v cat)" "$TESTDIR/stranger"
	chmod 4755 "$TESTDIR/stranger"
	a_stranger setuid
fi
if ((EUID == 0)) && command -v setcap >/dev/null; then
	cp --remove-destination "$(command -v cat)" "$TESTDIR/stranger"
	chmod 755 "$TESTDIR/stranger"
	setcap cap_net_raw+ep "$TESTDIR/stranger" && a_stranger "with file capabilities"
fi

# ---- where there is nothing ----

# what is above a prefix
mkdir "$data/c"
"$FARCALL" run -v "$data/c:$TESTDIR/no/such/place" -- "$python" - "$TESTDIR/no/such/place" >"$TESTDIR/out" <<'END'
import errno, os, sys
for path in "", "/.", "/..", "/../..", "/../place":
    try: print(os.path.isdir(sys.argv[1] + path) and os.stat(sys.argv[1] + path) and "there")
    except OSError as e: print(errno.errorcode[e.errno])
END
check "above a prefix" test "$(xargs <"$TESTDIR/out")" = "there there False False there"

# ---- what others have open, as a /proc of another PID namespace has it ----

if ((EUID == 0)); then
	echo seen >"$data/c/f"
	DOMAIN_ANY_ROOT=1 start_domain any "$data/c:/data"
	# shellcheck disable=SC2016
	script='exec 3</data/f; cat /proc/$$/fd/3; ls -d /proc/$$/fd/3 >/dev/null && echo named; :'
	check "in one namespace" test "$("$FARCALL" run --domain "$any_socket" -- sh -c "$script" | xargs)" = "seen named"
	"$FARCALL" run --domain "$any_socket" -- unshare -fp --mount-proc sh -c "$script" >"$TESTDIR/out" 2>"$TESTDIR/err"
	check "in another" test "$(cat "$TESTDIR/out")" = named
	check "in another: ENOENT" grep -q 'No such file' "$TESTDIR/err"
	stop_domain any
fi

# ---- tickets ----

mkdir -p "$data/t"
"$listed" "$data/t" native ticket >"$TESTDIR/out"
check "a directory, received natively" test $? = 0
if ! grep -q ring "$TESTDIR/out"; then
	check "by a ring, natively" test "$(xargs <"$TESTDIR/out")" = "directory directory"
	FARCALL_IO_URING=local "$FARCALL" run -v "$data/t:/data" -- "$listed" /data remote ticket >"$TESTDIR/out"
	check "a ticket, received by a ring" test "$(xargs <"$TESTDIR/out")" = "socket nothing directory"
fi

# ---- Unix sockets below :nomap ----

cat >"$TESTDIR/sockets.py" <<'END'
import ctypes, errno, os, resource, socket, sys
def attempt(call, *arguments):
    try:
        call(*arguments)
        return "ok"
    except OSError as e:
        return errno.errorcode[e.errno]
def bound(path):
    s = socket.socket(socket.AF_UNIX)
    s.bind(path)
    s.listen()
    return s
def reach(path): return attempt(socket.socket(socket.AF_UNIX).connect, path)
def bind(path): return attempt(socket.socket(socket.AF_UNIX).bind, path)
what, path = sys.argv[1:3]
if what == "reach": print(reach(path))
if what == "serve":
    s = bound(path)
    print("bound", flush=True)
    sys.stdin.read()
if what == "few": # processes
    resource.setrlimit(resource.RLIMIT_NPROC, (1, 1)); print(bind(path))
if what == "bind": print(bind(path))
if what == "connected": # beyond the domain's end
    s = bound(path); c = socket.socket(socket.AF_UNIX); c.connect(path); a = s.accept()[0]
    print("ready", flush=True); sys.stdin.readline()
    c.send(b"still"); print(a.recv(9).decode(), flush=True); sys.stdin.readline()
END
mkdir -m 777 "$data/s"
start_domain shut "$data/s:/shut:nomap"
sockets()
{
	"$FARCALL" run --domain "$shut_socket" -- "$python" "$TESTDIR/sockets.py" "$@" 2>&1
}
# serving COMMAND...: in the background, until its standard input ends; it has said something
serving()
{
	rm -f "$TESTDIR/in" "$TESTDIR/served"
	mkfifo "$TESTDIR/in"
	"$@" <"$TESTDIR/in" >"$TESTDIR/served" 2>&1 &
	server=$!
	exec 5>"$TESTDIR/in"
	check "$*" wait_for 10 grep -q . "$TESTDIR/served"
}
served_end()
{
	exec 5>&-
	wait "$server"
}
serving "$python" "$TESTDIR/sockets.py" serve "$data/s/theirs"
check "a socket of a program without farcall" test "$(sockets reach /shut/theirs)" = ECONNREFUSED
served_end
serving "$FARCALL" run --domain "$shut_socket" -- "$python" "$TESTDIR/sockets.py" connected /shut/old
stop_domain shut
start_domain shut "$data/s:/shut:nomap"
check "bound before the domain was started anew" test "$(sockets reach /shut/old)" = ECONNREFUSED
echo >&5
check "connected before it" wait_for 5 grep -q still "$TESTDIR/served"
served_end
rm -rf "$shut_socket.sockets"
check "no directory of sockets" test "$(sockets bind /shut/nowhere)" = EPERM
stop_domain shut
if ((EUID == 0)); then # between users
	DOMAIN_MODE=0666 start_domain shut "$data/s:/shut:nomap"
	user_sockets=("${as_user[@]}" "$FARCALL" run --domain "$shut_socket" -- "$python" "$TESTDIR/sockets.py")
	check "no process left for bind" test "$("${user_sockets[@]}" few /shut/few 2>&1)" = EAGAIN
	serving "${user_sockets[@]}" serve /shut/given
	check "a user's socket" test "$(sockets reach /shut/given)" = ok
	chown 4321 "$data/s/given"
	check "its inode is given away" test "$(sockets reach /shut/given)" = ECONNREFUSED
	served_end
	# who may neither change his root nor make a user namespace
	# shellcheck disable=SC2016
	"${as_user[@]}" unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_user_namespaces && "$0" run --trust-domain --domain "$1" -- \
		setpriv --bounding-set -sys_chroot "$2" "$3" bind "$4"; "$0" run --trust-domain --domain "$1" -- "$2" "$3" bind "$4"' \
		"$FARCALL" "$shut_socket" "$python" "$TESTDIR/sockets.py" /shut/rootless >"$TESTDIR/out" 2>&1
	check "an absolute path without a root of one's own" test "$(xargs <"$TESTDIR/out")" = "EPERM ok"
	stop_domain shut
fi

# ---- Delegated files ----

cat >"$TESTDIR/reads.py" <<'END'
import fcntl, mmap, os, socket, sys
path, what = sys.argv[1:3]
fd = os.open(path, (os.O_RDONLY | os.O_DIRECT) if what == "direct" else os.O_RDONLY)
if what == "forked":
    r, w = os.pipe()
    child = os.fork()
    if not child:
        os.close(w); os.read(r, 1); os._exit(0)
if what == "sent":
    a, b = socket.socketpair(); socket.send_fds(a, [b"x"], [fd])
if what == "owned": fcntl.fcntl(fd, fcntl.F_SETOWN, os.getpid())
if what == "leased":
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK); fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
buffer = mmap.mmap(-1, 4096)
for _ in range(500): os.preadv(fd, [buffer], 0)
if what == "times":
    os.utime(path, (1000000000, os.stat(path).st_mtime))
    for _ in range(500): os.preadv(fd, [buffer], 0)
    print(int(os.stat(path).st_atime), flush=True)
if what == "offset":
    for _ in range(100): os.read(fd, 100)
    print(os.getpid(), fd, flush=True)
    sys.stdin.read()
if what == "forked": os.close(w)
END
far_begin
calls_of() # WHAT FILE: requests of a program that reads 500 times
{
	local before
	before=$(total)
	far "$python" "$TESTDIR/reads.py" "$far/$2" "$1" >"$TESTDIR/out" 2>&1 || { cat "$TESTDIR/out" >&2; echo -1; return; }
	echo $(($(total) - before))
}
total()
{
	"$FARCALL" stat --domain "$far_domain" --json | "$python" -c 'import json, sys; print(json.load(sys.stdin)[0]["total"]["calls"])'
}
head -c 20000 /dev/zero | tr '\0' x >"$TESTDIR/far/f"
truncate -s 1M "$TESTDIR/far/hole"
fewest=$(calls_of plain f)
if ((fewest < 200)); then
	for what in "direct f" "forked f" "sent f" "owned f" "leased f" "plain hole"; do
		# shellcheck disable=SC2086
		n=$(calls_of $what)
		check "not delegated: $what ($n requests, $fewest if it is)" test "$n" -ge 500
	done
	calls_of times f >/dev/null
	check "the time of the last access" test "$(cat "$TESTDIR/out")" = 1000000000
	serving "$FARCALL" run --domain "$far_domain" -- "$python" "$TESTDIR/reads.py" "$far/f" offset
	read -r pid fd <"$TESTDIR/served"
	check "its offset, to others" test "$(far awk '/^pos/ { print $2 }' "/proc/$pid/fdinfo/$fd")" != 10000
	served_end
	# somebody who only opens it to read cuts it: he waits for who could write to it, and for nobody else
	holding() # AS: in the background, until there is a $TESTDIR/far/go
	{
		rm -f "$TESTDIR/far/go" "$TESTDIR/held"
		head -c 20000 /dev/zero | tr '\0' x >"$TESTDIR/far/held"
		FC_HOLD=$1 timeout 30 "$FARCALL" run --domain "$far_domain" -- "$listed" "$far" remote hold >"$TESTDIR/held" &
		holder=$!
		check "held: $1" wait_for 20 grep -q held "$TESTDIR/held"
	}
	let_go()
	{
		touch "$TESTDIR/far/go"
		wait "$holder"
	}
	for as in "$listed $TESTDIR/far native cut" "far $listed $far remote cut"; do
		holding r
		# shellcheck disable=SC2086
		check "cut by who only reads: ${as%% *}" test "$($as)" = cut
		check "and it is cut for who reads" let_go
	done
	holding w
	check "who could write is waited for" test "$("$listed" "$TESTDIR/far" native cut)" = EAGAIN
	kill "$holder" && wait "$holder"
else
	note "no file is delegated here"
fi
far_end
[[ ${far_pid:-} ]] && stop_domain far

# ---- Shared mappings: what cannot be written, and as many files as may be ----

cat >"$TESTDIR/mapped.py" <<'END'
import errno, mmap, os, sys
def attempt(call):
    try:
        call()
        return "ok"
    except OSError as e:
        return errno.errorcode[e.errno]
os.chdir(sys.argv[1])
f = os.open("f", os.O_RDWR | os.O_CREAT, 0o644)
os.ftruncate(f, 100 * 4096)
m = mmap.mmap(f, 100 * 4096)
for i in range(100): m[i * 4096] = 65
print(attempt(m.flush))
os.unlink("big")
print(attempt(m.flush))
m.close(); os.close(f)
maps = []
for i in range(20):
    f = os.open("f%d" % i, os.O_RDWR | os.O_CREAT, 0o644)
    os.write(f, b"x")
    try: maps.append(mmap.mmap(f, 1))
    except OSError as e: print(i, errno.errorcode[e.errno]); break
END
if ((EUID == 0)); then
	mkdir "$data/small"
	# shellcheck disable=SC2016
	timeout 20 unshare -m sh -c 'mount -t tmpfs -o size=900k none "$1" && head -c 600k /dev/zero >"$1/big" &&
		"$2" run -v "$1:/data:nomap" -- "$3" "$4" /data; dd if="$1/f" bs=1 skip=204800 count=1 status=none' \
		sh "$data/small" "$FARCALL" "$python" "$TESTDIR/mapped.py" >"$TESTDIR/out" 2>&1
	check "no room" test "$(xargs <"$TESTDIR/out")" = "ENOSPC ok 15 ENOMEM A"
fi

mkdir "$data/kept"
check "a mapping that is kept, natively" timeout 20 "$listed" "$data/kept" native kept
check "a mapping that is kept" timeout -k 3 20 "$FARCALL" run -v "$data/kept:/data:nomap" -- "$listed" /data remote kept
if [[ ${FC_TEST_LONG:-} ]]; then # which takes 2 GiB of memory
	mkdir "$data/large"
	timeout -k 3 100 "$FARCALL" run -v "$data/large:/data:nomap" -- "$listed" /data remote gibibyte >"$TESTDIR/out"
	check "mappings of 1 GiB" test $? = 0
	check "and one page more" test "$(cat "$TESTDIR/out")" = "4: ENOMEM"
fi

# ---- Sandboxes ----

# filters that were there before: a call that they forbid, of the program and of the shim
mkdir "$data/before"
start_domain before "$data/before:/data"
run_before=("$FARCALL" run --domain "$before_socket" -- sh -c)
"$listed" / native fence symlink errno "${run_before[@]}" "ln -s x /data/l; echo \$?; ln -s x $TESTDIR/l; echo \$?" >"$TESTDIR/out" 2>/dev/null
check "what a filter forbids that was there before" test "$(xargs <"$TESTDIR/out")" = "0 1"
check "it is done" test -L "$data/before/l"
# shellcheck disable=SC2016
"$listed" / native fence memfd_create trap "${run_before[@]}" 'echo here; echo there >/data/f; echo after' >"$TESTDIR/out" 2>/dev/null
check "what the shim does nevertheless: killed by SIGSYS ($?)" test $? = 159
check "when it comes to it" test "$(cat "$TESTDIR/out")" = here
"$listed" / native fence openat2 trap "${run_before[@]}" "cat $TESTDIR/nothing; echo \$?" >"$TESTDIR/out" 2>/dev/null
check "what the shim could do, it does not" test "$(cat "$TESTDIR/out")" = 1
stop_domain before

mkdir "$data/fenced"
check "sandboxes" timeout -k 3 30 "$FARCALL" run -v "$data/fenced:/data" -- "$fenced" /data remote 2>"$TESTDIR/err"
grep -v 'storage domain lost' "$TESTDIR/err"

# ---- LIMITS ----

# limit STATUS OPTION...
limit()
{
	local status
	"$FARCALL" run "${@:2}" -- true 2>"$TESTDIR/err"
	status=$?
	check "$2...: $status: $(cat "$TESTDIR/err")" test $status = "$1"
}
exports=()
for ((i = 0; i < 16; i++)); do exports+=(-v "$data:/e$i"); done
limit 0 "${exports[@]}"
limit 2 "${exports[@]}" -v "$data:/e16"
long=$(printf '/%0249d' 0)
limit 0 -v "$data:$long"
limit 2 -v "$data:${long}x"

two=()
for ((i = 0; i < 7; i++)); do
	start_domain "d$i" "$data:/d$i"
	socket=d${i}_socket
	chmod 666 "${!socket}"
	two+=(--domain "${!socket}")
done
limit 0 "${two[@]}" -v "$data:/d7"
limit 2 "${two[@]}" --domain "$TESTDIR/d8.sock"
start_domain nine "$data:/n"{0..8}
start_domain eight "$data:/m"{0..7}
limit 2 --domain "$nine_socket" --domain "$eight_socket"
for length in 107 108; do
	long=$TESTDIR/$(printf '%0*d' $((length - ${#TESTDIR} - 1)) 0)
	timeout $((length == 107 ? 1 : 20)) "$FARCALL" serve -v "$data:/data" --socket "$long" 2>"$TESTDIR/err" </dev/null
	check "$length bytes of a socket's path" test $? = $((length == 107 ? 124 : 1))
done
if ((EUID == 0)); then
	check "1024 groups" "$FARCALL" run --domain "$d0_socket" -- setpriv --groups "$(seq -s, 5000 6023)" ls -d /d0 >"$TESTDIR/out" 2>&1
	"$FARCALL" run --domain "$d0_socket" -- setpriv --groups "$(seq -s, 5000 6024)" ls -d /d0 >"$TESTDIR/out" 2>&1 && wrong "1025 groups"
	check "1025 groups: EIO" grep -q 'Input/output error' "$TESTDIR/out"
fi

# numbers that the shim takes where there are no others
cat >"$TESTDIR/numbers.py" <<'END'
import os
n = 0
try:
    while True: os.open("/dev/null", os.O_RDONLY); n += 1
except OSError: print(n)
END
if ((EUID == 0)); then
	numbers()
	{
		(ulimit -n 64 && "${as_user[@]}" "$@" "$python" "$TESTDIR/numbers.py")
	}
	check "numbers with one domain" test $(($(numbers env) - $(numbers "$FARCALL" run "${two[@]:0:2}" --))) = 4
	check "numbers with two domains" test $(($(numbers env) - $(numbers "$FARCALL" run "${two[@]:0:4}" --))) = 5
fi
finish
