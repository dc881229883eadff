#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# PostgreSQL: a cluster on the export, a Unix socket beside it, clients at once, a crash and what it recovers, a dump restored.
. "$(dirname "$0")/apps.sh"
bin=$(echo /usr/lib/postgresql/*/bin)
needs postgresql "${bin##* }/initdb"
bin=${bin##* }
app_tree=none
app_limit=120

pg()
{
	as postgres "$bin/$1" "${@:2}"
}

psql_()
{
	pg psql -h "$PWD/run" -d postgres -X -A -t -q -v ON_ERROR_STOP=1 "$@"
}

start()
{
	pg pg_ctl -D db -l "$PWD/log/server" -w -t 40 -s -o "-k $PWD/run -c listen_addresses= -c shared_buffers=16MB -c max_wal_size=64MB" start
	echo "start $?"
}

app()
{
	local i

	chown postgres: .
	chmod 755 .
	as postgres mkdir log run
	pg initdb -D db -A trust -U postgres --no-locale -E UTF8 >/dev/null
	echo "initdb $?"
	start
	psql_ -c "CREATE TABLE t(who int, n int, text text); CREATE INDEX ON t(n);
		INSERT INTO t SELECT 0, i, repeat('x', i % 300) FROM generate_series(1, 20000) i"
	for i in 1 2 3; do
		for ((n = 0; n < 30; n++)); do echo "INSERT INTO t VALUES($i, $n, 'y');"; done | psql_ &
	done
	wait -n; wait -n; wait -n
	psql_ -c "SELECT who, count(*), sum(n), sum(length(text)) FROM t GROUP BY who ORDER BY who"
	psql_ -c "CREATE TABLESPACE there LOCATION '$PWD/space'" 2>&1 # does not exist
	as postgres mkdir space
	psql_ -c "CREATE TABLESPACE there LOCATION '$PWD/space'"
	psql_ -c "CREATE TABLE s TABLESPACE there AS SELECT * FROM t"
	psql_ -c "VACUUM FULL t"
	psql_ -c CHECKPOINT
	psql_ -c "COPY t TO '$PWD/run/copy'; DELETE FROM t WHERE n % 2 = 0; SELECT count(*) FROM t"
	sort run/copy | sha256sum
	# a crash, and recovery from the log
	pg pg_ctl -D db -s -m immediate stop
	echo "stop $?"
	start
	psql_ -c "SELECT count(*) FROM t; SELECT count(*) FROM s"
	pg pg_dump -h "$PWD/run" postgres -U postgres -t t | grep -v '^\\[a-z]' >dump
	sort dump | sha256sum
	pg createdb -h "$PWD/run" -U postgres other
	pg psql -h "$PWD/run" -U postgres -X -q -v ON_ERROR_STOP=1 other -f "$PWD/dump" >/dev/null
	pg psql -h "$PWD/run" -U postgres -X -A -t other -c "SELECT count(*), sum(n) FROM t"
	pg pg_ctl -D db -s -w -m fast stop
	echo "stop $?"
	pg pg_checksums -D db --check 2>&1 | head -n 1
	ls db
}
compare
