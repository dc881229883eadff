#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# t_start.sh - what a start, a fork and an exec have been spared: a shadow's table of descriptors is long enough before it has threads, also
# when it is forked, and then grows once; the text of the C library is shared by all programs that are hooked.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need_farcall
need pgrep
mkdir "$TESTDIR/d"
start_domain one "$TESTDIR/d:/data"

# fd_sizes: the length of each shadow's table
fd_sizes()
{
	local pid

	# shellcheck disable=SC2154 # start_domain's
	for pid in $(pgrep -P "$one_pid,$(pgrep -P "$one_pid" -x farcall-nursery)" -x farcall-shadow); do
		sed -n 's/^FDSize:[[:space:]]*//p' "/proc/$pid/status" 2>/dev/null
	done
}

# shorter_than N: how many of them are
shorter_than()
{
	fd_sizes | awk -v n="$1" '$1 < n' | wc -l
}

wait_for 5 test "$(fd_sizes | wc -l)" -ge 1 || wrong "no shadow waits for a client"
wait_for 2 test "$(shorter_than 1024)" = 0 || wrong "tables of shadows that wait are short: $(fd_sizes | xargs)"
# one that has a client, and one that has been forked: both have threads by now
cat >"$TESTDIR/hold" <<'END'
exec 3>/data/held
echo before >&3
(echo forked >&3; : >"$1/forked"; read -r _ <"$1/end") &
: >"$1/ready"
wait
END
mkfifo "$TESTDIR/end"
# shellcheck disable=SC2154 # start_domain's
"$FARCALL" run --domain "$one_socket" bash "$TESTDIR/hold" "$TESTDIR" &
wait_for 10 test -e "$TESTDIR/ready" -a -e "$TESTDIR/forked" || wrong "no process with a forked one"
check "tables in use" test "$(shorter_than 1024)" = 0
echo >"$TESTDIR/end"
wait $!
check "what they wrote" test "$(cat "$TESTDIR/d/held")" = $'before\nforked'

# more files than that: once longer, for all that it may open
if (($(ulimit -Hn) >= 9000)) 2>/dev/null || [[ $(ulimit -Hn) == unlimited ]]; then
	cat >"$TESTDIR/many.py" <<'END'
import os, sys
held = [os.open("/data/many", os.O_RDWR | os.O_CREAT) for _ in range(1100)]
os.write(held[-1], b"last")
open(sys.argv[1], "w").close()
os.read(0, 1)
print(os.pread(held[0], 4, 0).decode())
END
	need python3
	mkfifo "$TESTDIR/in"
	(
		ulimit -Sn 8000
		exec "$FARCALL" run --domain "$one_socket" python3 "$TESTDIR/many.py" "$TESTDIR/opened" <"$TESTDIR/in" >"$TESTDIR/out"
	) &
	exec 4>"$TESTDIR/in"
	wait_for 20 test -e "$TESTDIR/opened" || wrong "no process with many files"
	check "the table of one with many files" test "$(fd_sizes | sort -n | tail -1)" -ge 4096
	exec 4>&-
	wait $!
	check "its files" test "$(cat "$TESTDIR/out")" = last
fi

# the text of the C library: no page of it is the process' own
smaps()
{
	"$FARCALL" run --domain "$one_socket" cat /proc/self/smaps |
		awk '/^[0-9a-f]+-[0-9a-f]+ / { text = $2 == "r-xp" && /\.ready$/ } text && /^(Anonymous|Rss):/ { n[$1] += $2 }
			END { print (n["Rss:"] > 0), n["Anonymous:"] }'
}
check "the text of the C library is shared" test "$(smaps)" = "1 0"
finish
