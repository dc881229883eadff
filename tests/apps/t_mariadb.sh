#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# MariaDB: InnoDB with native AIO and O_DIRECT, a socket on the export, clients at once, killed and recovered.
. "$(dirname "$0")/apps.sh"
needs mariadb-server mariadbd mariadb mariadb-install-db
app_tree=none
app_limit=120

server()
{
	mariadbd --no-defaults --user=mysql --datadir="$PWD/db" --socket="$PWD/run/sock" --skip-networking --innodb-use-native-aio=1 \
		--innodb-flush-method=O_DIRECT --innodb-buffer-pool-size=16M --innodb-log-file-size=8M --pid-file="$PWD/run/pid" \
		--aria-pagecache-buffer-size=8M --log-error="$PWD/log" &
	server=$!
	until_so 60 client -e 'SELECT 1' || { tail -n 20 log; exit 1; }
}

client()
{
	mariadb --no-defaults -N -u root -S "$PWD/run/sock" "$@"
}

app()
{
	local i

	mkdir db run
	chown mysql: db run .
	chmod 755 .
	mariadb-install-db --no-defaults --user=mysql --datadir="$PWD/db" --skip-test-db \
		--innodb-log-file-size=8M >install 2>&1
	echo "install $?"
	server
	client -e "CREATE DATABASE d; CREATE TABLE d.t(who INT, n INT, filler VARCHAR(300), KEY(n)) ENGINE=InnoDB;
		INSERT INTO d.t SELECT 0, seq, REPEAT('x', seq % 300) FROM d.seq_1_to_20000; CREATE TABLE d.a ENGINE=Aria AS SELECT * FROM d.t"
	for i in 1 2 3; do
		for ((n = 0; n < 30; n++)); do echo "INSERT INTO d.t VALUES($i, $n, 'y');"; done | client &
		eval "job$i=$!"
	done
	wait "$job1" "$job2" "$job3"
	client -e "SELECT who, COUNT(*), SUM(n), SUM(LENGTH(filler)) FROM d.t GROUP BY who ORDER BY who; CHECKSUM TABLE d.t, d.a"
	kill -KILL $server
	wait $server
	server
	client -e "SELECT COUNT(*) FROM d.t; CHECKSUM TABLE d.t; CHECK TABLE d.t; DELETE FROM d.t WHERE n % 2; OPTIMIZE TABLE d.t; SELECT COUNT(*) FROM d.t"
	client -e "SELECT * FROM d.t ORDER BY who, n INTO OUTFILE '$PWD/run/out'"
	sha256sum <run/out
	client -e SHUTDOWN
	wait $server
	echo "server $?"
	ls db db/d
}
compare
