#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# t_keys.sh - sockets on an export from which nothing is handed over, user against user: one who may not connect cannot, nor find the socket on this
# machine; names that are made in advance, or for a socket whose binder is gone, are not taken for it; nobody is kept from binding.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need_farcall
((EUID == 0)) || skip "needs root, to be several users"
need /usr/bin/python3 setpriv

mkdir -m 1777 "$TESTDIR/files" "$TESTDIR/home" && chmod 711 "$TESTDIR"
start_domain far "$TESTDIR/files:/data:nomap"
keys=$TESTDIR/far.sock.sockets

as() # UID COMMAND...
{
	local uid=$1
	shift

	timeout 60 setpriv --reuid "$uid" --regid "$uid" --clear-groups env HOME="$TESTDIR/home" XDG_RUNTIME_DIR= "$@"
}

far() # UID PYTHON
{
	as "$1" "$FARCALL" run --domain "$far_socket" -- /usr/bin/python3 -c "
import errno, os, socket, sys, time
def listen(path, mask=0o022):
    os.umask(mask)
    s = socket.socket(socket.AF_UNIX); s.bind(path); s.listen()
    return s
def call(path):
    s = socket.socket(socket.AF_UNIX)
    try:
        s.connect(path); s.settimeout(5)
        return s.recv(10).decode()
    except OSError as e:
        return errno.errorcode[e.errno]
$2"
}

server() # UID PATH MASK: one that says who it is to whoever calls, until its file of that name in files/stop is there
{
	far "$1" "
s = listen('$2', $3)
print('listening', flush=True)
s.settimeout(0.1)
while not os.path.exists('/data/stop'):
    try:
        s.accept()[0].send(b'$1')
    except socket.timeout:
        pass" </dev/null >"$TESTDIR/server" 2>&1 &
	server=$!
	wait_for 30 grep -q listening "$TESTDIR/server" || { wrong "no server: $(cat "$TESTDIR/server")"; finish; }
}

stop()
{
	touch "$TESTDIR/files/stop"
	wait "$server"
	rm "$TESTDIR/files/stop"
}

# a native one of user 1001's, as where it does not belong; it says so to whoever calls
intruder() # PATH...
{
	as 1001 /usr/bin/python3 - "$@" <<'END' >"$TESTDIR/intruder" 2>&1 &
import os, select, socket, sys
os.umask(0)
all = []
for path in sys.argv[1:]:
    os.makedirs(os.path.dirname(path), 0o711, exist_ok=True)
    s = socket.socket(socket.AF_UNIX); s.bind(path); s.listen(); all.append(s)
print("there", flush=True)
while True:
    for s in select.select(all, [], [])[0]:
        s.accept()[0].send(b"intruder")
END
	started+=($!)
	wait_for 30 grep -q there "$TESTDIR/intruder" || { wrong "no intruder: $(cat "$TESTDIR/intruder")"; finish; }
}

# ---- names made in advance ----

for i in {1..50}; do
	as 1001 mkdir -m 711 "$keys/1000-$i"
done
server 1000 /data/a 0o022
check "its user" test "$(far 1000 'print(call("/data/a"))')" = 1000
check "root" test "$(far 0 'print(call("/data/a"))')" = 1000
check "who may not write" test "$(far 1001 'print(call("/data/a"))')" = EACCES

# ---- past the domain ----

own=$(find "$keys" -maxdepth 1 -user 1000)
check "a directory of its user's" test -d "$own"
check "one socket" test "$(find "$keys" -type s | wc -l)" = 1
as 1001 ls "$own" >"$TESTDIR/out" 2>&1
check "which others cannot list" grep -q 'Permission denied' "$TESTDIR/out"
as 1001 touch "$own/x" 2>/dev/null
check "nor write to" test ! -e "$own/x"
as 1001 mv "$own" "$keys/1001-a" 2>/dev/null
check "nor rename" test -d "$own"
check "nor find in /proc" test "$(as 1001 grep -c "${own##*/}" /proc/net/unix)" = 0

# ---- rights that change ----

chmod 777 "$TESTDIR/files/a"
check "who may now" test "$(far 1001 'print(call("/data/a"))')" = 1000
chmod 700 "$TESTDIR/files/a"
check "who may no more" test "$(far 1001 'print(call("/data/a"))')" = EACCES
chown 1002 "$TESTDIR/files/a"
check "whom it has been given to does not find another user's" test "$(far 1002 'print(call("/data/a"))')" = ECONNREFUSED
chown 1000 "$TESTDIR/files/a"

# ---- the binder is gone, and somebody has been told the key ----

chmod 777 "$TESTDIR/files/a"
key=$(find "$own" -type s -printf '%f')
stop
check "nobody there" test "$(far 1000 'print(call("/data/a"))')" = ECONNREFUSED
intruder "$keys/1001-0/$key" "$keys/1000-51/$key" "$keys/0-1/$key" "$keys/1000-1/$key"
for uid in 0 1000 1001; do
	check "nor an intruder for $uid" test "$(far $uid 'print(call("/data/a"))')" = ECONNREFUSED
done

# ---- root's own, given away ----

server 0 /data/r 0o000
chown 1001 "$TESTDIR/files/r"
check "root's that it has given away" test "$(far 1001 'print(call("/data/r"))')" = 0
check "to others, too" test "$(far 1000 'print(call("/data/r"))')" = 0
stop

# ---- a socket of this machine, where a key of one's own would be ----

server 1001 /data/own 0
own=$(find "$keys" -type s -path '*/1001-*' ! -name "$key")
check "a directory of its own" test -S "$own"
stop
/usr/bin/python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()
while True: s.accept()[0].send(b"roots")' "$TESTDIR/home/roots" </dev/null &
started+=($!)
wait_for 5 test -S "$TESTDIR/home/roots"
as 1001 ln -sf "$TESTDIR/home/roots" "$own"
check "a link leads nowhere" test "$(far 0 'print(call("/data/own"))')" = ECONNREFUSED
stop_domain far
check "nothing is left" test ! -e "$keys"
finish
