#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# LMDB: a shared mapping that is read by others while one writes, with and without a writable one; its lock file's shared mutexes; copies.
. "$(dirname "$0")/apps.sh"
needs "liblmdb-dev gcc" /usr/include/lmdb.h gcc
needs lmdb-utils mdb_stat mdb_copy mdb_dump mdb_load
app_tree=names
[[ $app_inside ]] || build lm -llmdb -pthread <<'C'
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define OK(call)                                                                \
	do {                                                                    \
		int r_ = (call);                                                \
		if (r_) {                                                       \
			printf("%s: %s\n", #call, mdb_strerror(r_));            \
			fflush(stdout);                                         \
			_exit(1);                                               \
		}                                                               \
	} while (0)

static MDB_env *env;

static void open_env(const char *path, unsigned flags)
{
	OK(mdb_env_create(&env));
	OK(mdb_env_set_mapsize(env, 16u << 20));
	OK(mdb_env_open(env, path, flags, 0644));
}

static void write_some(char who)
{
	char key[16], value[200];

	for (int i = 0; i < 60; i++) {
		MDB_txn *txn;
		MDB_dbi dbi;

		OK(mdb_txn_begin(env, NULL, 0, &txn));
		OK(mdb_dbi_open(txn, NULL, 0, &dbi));
		for (int j = 0; j < 10; j++) {
			MDB_val k = { (size_t)sprintf(key, "%c%05d", who, i * 10 + j), key }, v = { sizeof value, value };

			memset(value, 'a' + j, sizeof value);
			OK(mdb_put(txn, dbi, &k, &v, 0));
		}
		if (i % 10 == 9)
			mdb_txn_abort(txn);
		else
			OK(mdb_txn_commit(txn));
	}
}

/* every transaction is whole: ten entries, or none */
static int read_some(void)
{
	MDB_txn *txn;
	MDB_dbi dbi;
	MDB_stat st;
	int broken = 0;

	for (int i = 0; i < 300; i++) {
		OK(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn));
		OK(mdb_dbi_open(txn, NULL, 0, &dbi));
		OK(mdb_stat(txn, dbi, &st));
		broken += st.ms_entries % 10 != 0;
		mdb_txn_abort(txn);
	}
	return broken;
}

int main(int argc, char **argv)
{
	unsigned flags = strchr(argv[2], 'w') ? MDB_WRITEMAP : 0;
	int status, sum = 0;

	flags |= strchr(argv[2], 'n') ? MDB_NOSYNC : 0;
	for (int i = 0; i < 4; i++)
		if (!fork()) {
			open_env(argv[1], flags);
			if (i < 2)
				write_some((char)('a' + i));
			else
				_exit(read_some() != 0);
			mdb_env_close(env);
			_exit(0);
		}
	while (wait(&status) > 0)
		sum += status != 0;
	printf("%d failed\n", sum);
	return sum;
}
C

app()
{
	local how

	for how in r w n wn; do
		mkdir $how
		"$APP_PROGRAMS/lm" $how $how
		echo "status $?"
		mdb_stat -e $how | grep -e Entries -e 'Map size' -e depth
		mdb_dump $how | sha256sum
		mkdir $how.copy
		mdb_copy -c $how $how.copy
		mdb_dump $how.copy | sha256sum
	done
	mdb_dump -n r/data.mdb | mdb_load -n loaded
	mdb_dump -n loaded | sha256sum
	mdb_stat -rr r
	true
}
compare
