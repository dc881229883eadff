#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SQLite: rollback journal and WAL, two processes that write at once, a process that is killed inside a transaction, mmap_size.
. "$(dirname "$0")/apps.sh"
needs sqlite3 sqlite3
app_tree=names

sql()
{
	sqlite3 -bail -cmd '.timeout 20000' "$@"
	echo "status $?"
}

writer() # WHO N
{
	local i

	for ((i = 1; i <= $2; i++)); do
		echo "BEGIN IMMEDIATE; INSERT INTO t VALUES('$1', $i, hex(zeroblob(200))); COMMIT;"
	done | sqlite3 -bail -cmd '.timeout 30000' x.db
}

app()
{
	local mode line

	for mode in delete truncate persist wal; do
		rm -f x.db*
		sql x.db "PRAGMA journal_mode=$mode; PRAGMA synchronous=normal; CREATE TABLE t(who, n, filler); CREATE INDEX i ON t(n);"
		writer one 40 &
		writer two 40 &
		wait
		sql x.db "SELECT who, count(*), sum(n) FROM t GROUP BY who; PRAGMA integrity_check;"
		ls x.db*
	done
	# one reads, as of the time it began, while another writes and checkpoints
	{
		echo "BEGIN; SELECT count(*) FROM t;"
		sleep 0.5
		echo "SELECT count(*) FROM t; COMMIT; SELECT count(*) FROM t;"
	} | sqlite3 x.db &
	sleep 0.2
	sql x.db "DELETE FROM t WHERE n > 10; PRAGMA wal_checkpoint(passive);" >/dev/null
	wait
	# killed in a transaction: gone
	coproc sqlite3 x.db
	echo "BEGIN; DELETE FROM t; SELECT 'deleted';" >&"${COPROC[1]}"
	read -r -u "${COPROC[0]}" line
	echo "$line"
	kill -KILL "$COPROC_PID"
	wait "$COPROC_PID"
	sql x.db "SELECT count(*) FROM t; PRAGMA mmap_size=1000000; SELECT sum(n) FROM t; VACUUM; PRAGMA integrity_check;"
	sql x.db .dump | sort | sha256sum
	sql -readonly x.db "INSERT INTO t VALUES(1, 2, 3)" 2>&1
}
compare
