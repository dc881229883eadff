#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# RocksDB: written by several threads with mapped reads, direct I/O or neither, compacted, closed without flush and opened again; its lock.
. "$(dirname "$0")/apps.sh"
needs "librocksdb-dev gcc" /usr/include/rocksdb/c.h gcc
app_tree=none
[[ $app_inside ]] || build rocks -lrocksdb -pthread <<'C'
#include <pthread.h>
#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static rocksdb_t *db;

static void ok(const char *what, char *error)
{
	if (!error)
		return;
	printf("%s: %s\n", what, error);
	exit(1);
}

static void *writer(void *arg)
{
	rocksdb_writeoptions_t *wo = rocksdb_writeoptions_create();
	char key[32], value[300], *error = NULL;

	for (int i = 0; i < 4000; i++) {
		int n = sprintf(key, "%c%06d", (char)(long)arg, i * 7 % 4000);

		memset(value, 'a' + i % 26, sizeof value);
		rocksdb_writeoptions_set_sync(wo, i % 400 == 0);
		rocksdb_put(db, wo, key, (size_t)n, value, (size_t)(i % 300), &error);
		ok("put", error);
	}
	return NULL;
}

static void sum(void)
{
	rocksdb_readoptions_t *ro = rocksdb_readoptions_create();
	rocksdb_iterator_t *i = rocksdb_create_iterator(db, ro);
	unsigned long n = 0, s = 0;
	size_t kl, vl;

	for (rocksdb_iter_seek_to_first(i); rocksdb_iter_valid(i); rocksdb_iter_next(i), n++) {
		const char *k = rocksdb_iter_key(i, &kl), *v = rocksdb_iter_value(i, &vl);

		for (size_t j = 0; j < kl; j++)
			s = s * 31 + (unsigned char)k[j];
		for (size_t j = 0; j < vl; j++)
			s = s * 31 + (unsigned char)v[j];
	}
	printf("%lu entries, %lx\n", n, s);
	rocksdb_iter_destroy(i);
}

int main(int argc, char **argv)
{
	rocksdb_options_t *o = rocksdb_options_create();
	rocksdb_flushoptions_t *fo = rocksdb_flushoptions_create();
	char *error = NULL;
	pthread_t t[3];

	rocksdb_options_set_create_if_missing(o, 1);
	rocksdb_options_set_write_buffer_size(o, 300000);
	if (strchr(argv[2], 'm')) {
		rocksdb_options_set_allow_mmap_reads(o, 1);
		rocksdb_options_set_allow_mmap_writes(o, 1);
	}
	if (strchr(argv[2], 'd')) {
		rocksdb_options_set_use_direct_reads(o, 1);
		rocksdb_options_set_use_direct_io_for_flush_and_compaction(o, 1);
	}
	db = rocksdb_open(o, argv[1], &error);
	ok("open", error);
	if (strchr(argv[2], 'l')) { /* its lock, held by this process */
		char *other = NULL;

		usleep(300000); /* a thread of RocksDB's has just begun, with a lock that the child would find locked for ever */
		if (!fork()) {
			rocksdb_open(o, argv[1], &other);
			printf("locked: %s\n", other ? "yes" : "no");
			fflush(stdout);
			_exit(0);
		}
		wait(NULL);
		return 0;
	}
	if (strchr(argv[2], 'w')) {
		for (long i = 0; i < 3; i++)
			pthread_create(&t[i], NULL, writer, (void *)('a' + i));
		for (int i = 0; i < 3; i++)
			pthread_join(t[i], NULL);
		rocksdb_flush(db, fo, &error);
		ok("flush", error);
		rocksdb_compact_range(db, NULL, 0, NULL, 0);
		rocksdb_put(db, rocksdb_writeoptions_create(), "zz", 2, "left in the log", 15, &error);
		ok("put", error);
	}
	sum();
	fflush(stdout);
	if (strchr(argv[2], 'w'))
		_exit(0); /* not closed */
	rocksdb_close(db);
	return 0;
}
C

app()
{
	local how

	for how in '' m d; do
		"$APP_PROGRAMS/rocks" "db$how" "w$how"
		echo "status $?"
		"$APP_PROGRAMS/rocks" "db$how" "$how"
		echo "status $?"
		[[ -e db$how/CURRENT && -e db$how/LOCK ]] || echo "files are missing"
	done
	"$APP_PROGRAMS/rocks" db l
}
compare
