/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_reuse.c - the domain's own numbers of files are used again at once. A call that has begun is about the file that it began with, whoever closes that
 * meanwhile, and whatever is opened then.
 * usage: h_reuse writes|reads DIR
 *   writes  threads write through a number that another one gives to one log after the other: each write succeeds, and none is in files that others open
 *   reads   one reads through a number that is now one file's, now the other's: each gives its records in order
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECONDS 4
#define RECORD 64
#define RECORDS 100000l
#define OTHERS 2

static const char *dir;
static int number, file[2];
static bool stop;
static unsigned wrong;

static bool over(void)
{
	return __atomic_load_n(&stop, __ATOMIC_RELAXED);
}

static void found(const char *what)
{
	if (__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED) < 5)
		perror(what);
}

static int opened(const char *name, unsigned n, int how)
{
	char path[256];

	snprintf(path, sizeof path, "%s/%s%u", dir, name, n);
	return open(path, how, 0644);
}

static void *write_on(void *arg)
{
	char text[RECORD] = { 0 };

	(void)arg;
	while (!over())
		if (write(number, text, RECORD) != RECORD)
			found("write");
	return NULL;
}

static void *rotate(void *arg)
{
	(void)arg;
	for (unsigned n = 0; !over(); n++) {
		int fd = opened("log", n % 4, O_RDWR | O_CREAT | O_TRUNC);

		dup2(fd, number);
		close(fd);
		usleep(n * 7919 % 400);
	}
	return NULL;
}

static void *turn(void *arg)
{
	(void)arg;
	for (unsigned n = 0; !over(); n++) {
		dup2(file[n % 2], number);
		usleep(n * 7919 % 300);
	}
	return NULL;
}

/* A file that nobody writes to, opened and closed all the time. */
static void *open_often(void *arg)
{
	struct stat st;

	for (unsigned n = 0; !over(); n++) {
		int fd = opened("other", (unsigned)(size_t)arg, O_RDWR | O_CREAT);

		usleep(n * 7919 % 200);
		if (fstat(fd, &st) || st.st_size)
			found("another file");
		close(fd);
	}
	return NULL;
}

static bool make_file(unsigned which)
{
	static long record[RECORDS];

	for (long i = 0; i < RECORDS; i++)
		record[i] = which * RECORDS + i;
	file[which] = opened("file", which, O_RDWR | O_CREAT | O_TRUNC);
	return write(file[which], record, sizeof record) == sizeof record && !lseek(file[which], 0, SEEK_SET);
}

static void *read_on(void *arg)
{
	long next[2] = { 0, 0 }, record;

	(void)arg;
	while (!over()) {
		ssize_t n = read(number, &record, sizeof record);

		if (n == 0) {
			for (int k = 0; k < 2; k++)
				if (next[k] == RECORDS)
					next[k] = lseek(file[k], 0, SEEK_SET);
		} else if (n != sizeof record || record < 0 || record >= 2 * RECORDS ||
			   record % RECORDS != next[record / RECORDS]++) {
			found("read");
			break;
		}
	}
	return NULL;
}

int main(int argc, char **argv)
{
	const bool reads = argc == 3 && !strcmp(argv[1], "reads");
	pthread_t threads[OTHERS + 3];
	unsigned n = 0;

	if (argc != 3)
		return 2;
	dir = argv[2];
	if (!make_file(0) || !make_file(1))
		return 1;
	number = dup(file[0]);
	for (size_t i = 0; i < OTHERS; i++)
		pthread_create(&threads[n++], NULL, open_often, (void *)i);
	pthread_create(&threads[n++], NULL, reads ? turn : rotate, NULL);
	for (int i = 0; i < (reads ? 1 : 2); i++) /* who reads is alone, or nobody knows the order */
		pthread_create(&threads[n++], NULL, reads ? read_on : write_on, NULL);
	sleep(SECONDS);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	while (n)
		pthread_join(threads[--n], NULL);
	printf("%s: %u wrong\n", argv[1], wrong);
	return wrong != 0;
}
