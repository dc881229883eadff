#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Redis: a Unix socket on the export, snapshots of a forked child, the append-only file and its rewriting, killed and loaded again.
. "$(dirname "$0")/apps.sh"
needs redis-server redis-server redis-cli redis-check-rdb redis-check-aof
app_tree=none

server()
{
	redis-server --port 0 --unixsocket "$PWD/sock" --dir "$PWD" --appendonly yes --appendfsync always --save '' --daemonize no \
		--logfile "$PWD/log" &
	server=$!
	until_so 20 cli ping
}

cli()
{
	redis-cli -s "$PWD/sock" "$@"
}

app()
{
	server
	seq 1 400 | awk '{ print "SET key" $1 " " $1 "\nLPUSH list " $1 "\nINCR n" }' | cli | sort | uniq -c | sort -n | tail -n 1
	seq 1 100 | sed 's/.*/INCRBY n 2/' | cli >/dev/null &
	one=$!
	seq 1 100 | sed 's/.*/INCRBY n 3/' | cli >/dev/null &
	wait $one $!
	cli get n; cli dbsize
	cli save
	cli bgsave
	until_so 20 eval 'cli info persistence | grep -q rdb_bgsave_in_progress:0'
	redis-check-rdb dump.rdb | grep -c keys
	cli bgrewriteaof
	until_so 20 eval 'cli info persistence | grep -q aof_rewrite_in_progress:0 && cli info persistence | grep -q aof_rewrite_scheduled:0'
	cli info persistence | grep _status
	cli set after rewriting
	kill -KILL $server
	wait $server
	rm -f sock
	server
	cli get n; cli get after; cli llen list; cli dbsize
	cli shutdown nosave
	wait $server
	echo "server $?"
	yes | redis-check-aof appendonlydir/appendonly.aof.manifest >check
	echo "check $?"
	ls . appendonlydir
}
compare
