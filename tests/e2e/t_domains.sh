#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Shared domains: two at once in one client, one killed and the other goes on; EIO within a second; statistics; traces.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need_farcall
need jq python3
python=/usr/bin/python3
[[ -x $python ]] || python=$(python3 -c 'import sys; print(sys.executable)')

mkdir -p "$TESTDIR/a" "$TESTDIR/b"
start_domain one "$TESTDIR/a:/one:nomap" # a read of a FIFO is to wait there
start_domain two "$TESTDIR/b:/two"
# shellcheck disable=SC2154 # start_domain sets them
both=(--domain "$one_socket" --domain "$two_socket")

check "two domains" "$FARCALL" run "${both[@]}" -- sh -c 'echo 1 > /one/f && cp /one/f /two/g && cat /two/g' >"$TESTDIR/out"
check "two domains: output" test "$(cat "$TESTDIR/out")" = 1
check "two domains: files" cmp "$TESTDIR/a/f" "$TESTDIR/b/g"
"$FARCALL" run "${both[@]}" -- "$python" -c 'import os; os.rename("/one/f", "/two/h")' 2>"$TESTDIR/err"
check "rename from one to the other is EXDEV" grep -q 'Errno 18' "$TESTDIR/err"
check "mv copes" "$FARCALL" run "${both[@]}" -- mv /one/f /two/h
check "mv: result" test -f "$TESTDIR/b/h" -a ! -e "$TESTDIR/a/f"

# statistics: valid JSON, with the sessions in it
"$FARCALL" run "${both[@]}" -- sh -c 'exec 5</one/; cat /two/h; while [ ! -e "$0" ]; do sleep 0.1; done' "$TESTDIR/seen" >"$TESTDIR/said" &
started+=($!)
wait_for 20 test -s "$TESTDIR/said"
check "stat --json" "$FARCALL" stat --json --domain "$one_socket" >"$TESTDIR/stat"
check "stat --json: valid" jq -e . "$TESTDIR/stat" >/dev/null
check "stat --json: a session, with calls" jq -e \
	'[.. | objects | select(has("client_pid") or has("pid"))] | length >= 1' "$TESTDIR/stat" >/dev/null
touch "$TESTDIR/seen"
check "stat --json: calls were counted" jq -e '[.. | objects | .calls? // empty | numbers] | max > 0' "$TESTDIR/stat" >/dev/null
check "stat" "$FARCALL" stat --domain "$two_socket" >"$TESTDIR/stat.text"
check "stat: says something" test -s "$TESTDIR/stat.text"
wait $!
total_read() { "$FARCALL" stat --json --domain "$one_socket" | jq '[.. | objects | .total? // empty | .bytes_read] | max'; }
head -c 200000 /dev/zero >"$TESTDIR/a/counted"
before=$(total_read)
for ((i = 0; i < 100; i++)); do
	"$FARCALL" run --domain "$one_socket" -- cat /one/counted >/dev/null
done
check "stat --json: to the last byte, of sessions that are over" test $(($(total_read) - before)) = $((100 * 200000))

# traces
check "trace" "$FARCALL" trace -v "$TESTDIR/a:/one" -o "$TESTDIR/trace" -- sh -c 'echo hello > /one/traced; cat /one/traced' >/dev/null
check "trace: open" grep -qE 'openat?\(.*"/one/traced"' "$TESTDIR/trace"
check "trace: write" grep -qE 'write\(.*= 6' "$TESTDIR/trace"
check "trace: read" grep -qE 'read\(.*= 6' "$TESTDIR/trace"

# one is killed: its files fail with EIO within a second, waiting calls too; the other domain does not notice
cat >"$TESTDIR/lose.py" <<'END'
import errno, fcntl, os, signal, sys, threading, time
supervisor = int(sys.argv[1])
one = os.open("/one/lost", os.O_RDWR | os.O_CREAT)
two = os.open("/two/kept", os.O_RDWR | os.O_CREAT)
os.mkfifo("/one/fifo")
end = os.open("/one/fifo", os.O_RDWR)
result = {}
def wait():
    try:
        os.read(end, 1)
        result["read"] = 0
    except OSError as e:
        result["read"] = e.errno
    result["at"] = time.monotonic()
t = threading.Thread(target=wait)
t.start()
time.sleep(0.3)
killed = time.monotonic()
os.kill(supervisor, signal.SIGKILL)
def fails(what, f):
    began = time.monotonic()
    while True:
        try:
            f()
        except OSError as e:
            assert e.errno == errno.EIO, (what, e)
            break
        assert time.monotonic() - killed < 1, what + " still works after a second"
        os.pwrite(two, b"x", 0)
        time.sleep(0.01)
    assert time.monotonic() - began < 1.1, what
fails("write", lambda: os.pwrite(one, b"x", 0))
fails("open", lambda: os.open("/one/new", os.O_RDWR | os.O_CREAT))
fails("stat", lambda: os.stat("/one/lost"))
t.join(2)
assert not t.is_alive() and result["read"] == errno.EIO, result
assert result["at"] - killed < 1, result
for i in range(200):
    os.pwrite(two, b"y" * 5000, i * 5000)
assert os.fstat(two).st_size == 1000000
try:
    os.close(one) # closed it is in any case; what had been written may be lost, and it says so
except OSError as e:
    assert e.errno == errno.EIO
assert open("/two/g").read() == "1\n"
if os.fork() == 0:
    os.write(two, b"child")
    os._exit(0)
assert os.wait()[1] == 0
print("passed")
END
# shellcheck disable=SC2154
check "a domain dies" timeout 60 "$FARCALL" run "${both[@]}" -- "$python" "$TESTDIR/lose.py" "$one_pid" >"$TESTDIR/out" 2>"$TESTDIR/err" ||
	cat "$TESTDIR/err"
check "a domain dies: output" test "$(tail -n 1 "$TESTDIR/out")" = passed
check "the other one serves on" "$FARCALL" run --domain "$two_socket" -- cat /two/g >/dev/null
"$FARCALL" run --domain "$one_socket" -- true 2>"$TESTDIR/err"
check "its socket: a clear line" test "$(wc -l <"$TESTDIR/err")" = 1
check "nobody of the dead domain is left" wait_for 5 sh -c "! pgrep -f '[f]arcall-storaged.*$one_socket' >/dev/null"
# a worker's bug costs one session: kill one shadow, the other client goes on
"$FARCALL" run --domain "$two_socket" -- sh -c 'exec 5</two/g; while [ ! -e "$0" ]; do sleep 0.1; done; cat <&5; cat /two/g' "$TESTDIR/killed" >"$TESTDIR/out" 2>&1 &
other=$!
"$FARCALL" run --domain "$two_socket" -- "$python" -c 'import os, time, sys
f = os.open("/two/g", os.O_RDONLY)
open(sys.argv[1] + "/opened", "w").close()
while not os.path.exists(sys.argv[1] + "/killed"): time.sleep(0.1)
try:
    os.read(f, 1)
    print("went on")
except OSError as e:
    print("errno", e.errno)' "$TESTDIR" >"$TESTDIR/out2" 2>"$TESTDIR/err2" &
victim=$!
wait_for 20 test -e "$TESTDIR/opened"
shadow=$("$FARCALL" stat --json --domain "$two_socket" | jq -r '[.. | objects | select(.command? // "" | startswith("python"))][0].shadow_pid // empty')
check "stat names the shadow" test -n "$shadow" && kill -KILL "$shadow"
touch "$TESTDIR/killed"
wait $other $victim
check "the session whose shadow died gets EIO" grep -q 'errno 5' "$TESTDIR/out2"
check "the other session goes on" test "$(cat "$TESTDIR/out")" = "$(printf '1\n1')"
stop_domain two
check "serve ends on SIGTERM and removes its socket" test ! -S "$two_socket"
finish
