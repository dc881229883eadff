/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_offset.c DIR ROUNDS - threads and children that have a file's offset in common: each record is read by one of them, and none is left out, whoever keeps
 * the offset just then.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define RECORDS 20000
#define RECORD 16

static unsigned char *seen; /* shared with children */
static int fd;

static void fail(const char *what)
{
	fprintf(stderr, "h_offset: %s: %s\n", what, strerror(errno));
	_exit(1);
}

/* Up to n records. */
static void take(int n)
{
	char text[RECORD + 1] = { 0 };
	ssize_t r = 0;

	while (n-- && (r = read(fd, text, RECORD)) == RECORD)
		__atomic_fetch_add(&seen[atoi(text) % RECORDS], 1, __ATOMIC_RELAXED);
	if (r < 0)
		fail("read");
}

static void *take_all(void *arg)
{
	(void)arg;
	take(RECORDS);
	return NULL;
}

static void one_round(const char *path, unsigned dice)
{
	pthread_t thread[2];
	int status;
	volatile int wrong = 0; /* vfork */

	memset(seen, 0, RECORDS);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		fail("open");
	take(dice % 100); /* delegated before the threads begin, or not */
	for (int i = 0; i < 2; i++)
		if (pthread_create(&thread[i], NULL, take_all, NULL))
			fail("pthread_create");
	for (unsigned i = 0; i < dice / 100 % 4; i++) {
		pid_t pid = dice & 1 << (20 + i) ? vfork() : fork();

		if (!pid) {
			take(60); /* enough for it to think of a delegation of its own */
			_exit(0);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
			fail("a child");
	}
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	close(fd);
	for (int i = 0; i < RECORDS; i++)
		wrong += seen[i] != 1;
	if (wrong) {
		fprintf(stderr, "h_offset: %d records of %d were not read once\n", wrong, RECORDS);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	static char text[RECORDS * RECORD + 1];
	char path[4096];
	unsigned dice = 1;

	if (argc != 3 || snprintf(path, sizeof path, "%s/records", argv[1]) >= (int)sizeof path)
		return 2;
	seen = mmap(NULL, RECORDS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < RECORDS; i++)
		sprintf(text + i * RECORD, "%015d\n", i);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (seen == MAP_FAILED || fd < 0 || write(fd, text, RECORDS * RECORD) != RECORDS * RECORD)
		fail(path);
	close(fd);
	for (int i = atoi(argv[2]); i > 0; i--) {
		dice = dice * 1103515245 + 12345;
		one_round(path, dice >> 3);
	}
	return 0;
}
