#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tail -f and -F: what is appended, truncated, renamed away, made anew, removed; by another process of the command, with inotify.
. "$(dirname "$0")/apps.sh"
needs coreutils tail
app_tree=names

# A line has come out
seen()
{
	until_so 15 grep -qx "$1" "$2"
}

app()
{
	echo one >log
	tail -n 10 -F log >"$APP_SIDE/F" 2>"$APP_SIDE/F.err" &
	follow=$!
	tail -n +1 -f log >"$APP_SIDE/f" 2>/dev/null &
	plain=$!
	seen one "$APP_SIDE/F"
	seen one "$APP_SIDE/f"
	echo two >>log
	seen two "$APP_SIDE/F"
	seen two "$APP_SIDE/f"
	mv log log.1
	echo three >log.new
	mv log.new log
	seen three "$APP_SIDE/F"
	echo old >>log.1
	seen old "$APP_SIDE/f"
	rm log
	until_so 15 grep -q inaccessible "$APP_SIDE/F.err"
	echo four >log
	seen four "$APP_SIDE/F"
	: >log
	until_so 15 grep -q truncated "$APP_SIDE/F.err"
	echo five >>log
	seen five "$APP_SIDE/F"
	for i in $(seq 1 200); do echo "line $i" >>log; done
	seen "line 200" "$APP_SIDE/F"
	kill $follow $plain
	wait $follow $plain
	cat "$APP_SIDE/F" "$APP_SIDE/f"
	sed "s/^.*: //" "$APP_SIDE/F.err"
	# two at once, and the end of who writes
	(sleep 0.5; echo a >>log; echo b >>log.1; sleep 0.5) &
	tail -q -n 0 -f --pid=$! -s 0.1 log log.1 | sort
	ls
}
compare
