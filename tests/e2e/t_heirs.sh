#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a child has is what its parent had when it forked: see h_heirs.c; and from the third fork on no shadow forks for it.
. "$(dirname "$0")/../lib.sh"
need_farcall
both_sides h_heirs

# forked_by_shadows: how many shadows of this domain have been forked by others
forked_by_shadows()
{
	local shadow count=0

	for shadow in $(pgrep -P "$(pgrep -P "$1" -x farcall-nursery)" -x farcall-shadow); do
		count=$((count + $(pgrep -c -P "$shadow" -x farcall-shadow)))
	done
	echo "$count"
}

far_begin
mkfifo "$TESTDIR/input"
timeout 60 "$FARCALL" run --domain "$far_domain" -- "$(helper e2e/h_heirs)" "$far" remote hold <"$TESTDIR/input" >"$TESTDIR/ready" &
held=$!
exec 9>"$TESTDIR/input"
for _ in $(seq 100); do
	grep -q ready "$TESTDIR/ready" && break
	sleep 0.1
done
check "the first two of four forks are of a shadow" test "$(forked_by_shadows "$far_pid")" = 2
exec 9>&-
check "children of heirs end well" wait "$held"

# those that have no workers: heirs, children that make no calls, the reserve
kill_heirs()
{
	local shadow

	for shadow in $(pgrep -P "$(pgrep -P "$1" -x farcall-nursery)" -x farcall-shadow); do
		[[ $(find "/proc/$shadow/task" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l) = 1 ]] && kill -KILL "$shadow" 2>/dev/null
	done
}

timeout 60 "$FARCALL" run --domain "$far_domain" -- "$(helper e2e/h_heirs)" "$far" remote storm &
storm=$!
sleep 0.5
for _ in $(seq 40); do
	kill_heirs "$far_pid"
	sleep 0.05
done
touch "$TESTDIR/far/enough"
check "heirs are killed, children are not" wait "$storm"
far_end
finish
