/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_swap.c - numbers that are now one file's and now another's, while another thread uses them; and what several threads tell of one that posts.
 * And who closes does not wait for one whom a handler has jumped away from.
 * usage: h_swap dup|length|jump DIR | tell FILE FIFO | hear FILE FIFO
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define BYTES 8192
#define CUT 5000
#define SECONDS (getenv("FC_TEST_LONG") ? 3 : 1)
#define READS 50 /* enough for a delegation */
#define TELLERS 3
#define RECORD 64

static int file[2], swapped, out;
static bool stop;
static uint64_t written;
static char all[BYTES];

static bool over(void)
{
	return __atomic_load_n(&stop, __ATOMIC_RELAXED);
}

static void *ring(void *arg)
{
	(void)arg;
	sleep(SECONDS);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	return NULL;
}

static void *swap(void *arg)
{
	(void)arg;
	for (unsigned n = 0; !over(); n++) {
		dup2(file[n % 2], swapped);
		usleep(n * 7919 % 700);
	}
	return NULL;
}

static void read_often(int fd)
{
	char to[BYTES];

	for (int i = 0; i < READS; i++)
		if (pread(fd, to, BYTES, 0) < 0)
			return;
}

/* What is written by a copy is read by the number that it is a copy of. */
static unsigned write_by_copy(int copy, ino_t first, uint64_t n)
{
	uint64_t is = 0;
	struct stat st;

	read_often(file[0]);
	if (dup2(swapped, copy) < 0 || fstat(copy, &st))
		return 1;
	if (st.st_ino != first)
		return 0;
	read_often(file[0]);
	return pwrite(copy, &n, sizeof n, 0) != sizeof n || pread(file[0], &is, sizeof is, 0) != sizeof is || is != n;
}

/* Whichever has been cut is as long as it says. */
static unsigned cut(void)
{
	char to[BYTES];
	struct stat st;
	unsigned wrong = 0;

	for (int i = 0; i < 2; i++)
		read_often(file[i]);
	(void)!ftruncate(swapped, CUT);
	for (int i = 0; i < 2; i++) {
		wrong += fstat(file[i], &st) || pread(file[i], to, BYTES, 0) != st.st_size;
		wrong += pwrite(file[i], all, BYTES, 0) != BYTES;
	}
	return wrong;
}

static unsigned swap_them(const char *dir, bool cuts)
{
	unsigned wrong = 0;
	pthread_t threads[2];
	struct stat first;
	uint64_t n = 0;
	char path[256];
	int copy;

	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "%s/swap%d", dir, i);
		file[i] = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
		if (file[i] < 0 || write(file[i], all, BYTES) != BYTES)
			return 1;
	}
	swapped = dup(file[0]);
	copy = dup(file[1]);
	fstat(file[0], &first);
	pthread_create(&threads[0], NULL, ring, NULL);
	pthread_create(&threads[1], NULL, swap, NULL);
	for (; !over(); n++)
		wrong += cuts ? cut() : write_by_copy(copy, first.st_ino, n);
	pthread_join(threads[1], NULL);
	printf("%s: %lu rounds, %u wrong\n", cuts ? "length" : "dup", (unsigned long)n, wrong);
	return wrong;
}

static void *tell(void *arg)
{
	(void)arg;
	while (!over()) {
		uint64_t n = __atomic_load_n(&written, __ATOMIC_SEQ_CST);

		if (write(out, &n, sizeof n) != sizeof n)
			break;
		for (volatile int i = 0; i < 3000; i++)
			;
	}
	return NULL;
}

static unsigned write_and_tell(const char *path, const char *fifo)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	pthread_t threads[TELLERS + 1];

	signal(SIGPIPE, SIG_IGN);
	out = open(fifo, O_WRONLY);
	pthread_create(&threads[TELLERS], NULL, ring, NULL);
	for (int i = 0; i < TELLERS; i++)
		pthread_create(&threads[i], NULL, tell, NULL);
	while (!over()) {
		if (write(fd, all, RECORD) != RECORD)
			return 1;
		if (__atomic_add_fetch(&written, RECORD, __ATOMIC_SEQ_CST) % (16 * RECORD) == 0)
			nanosleep(&(struct timespec){ .tv_nsec = 20000 }, NULL);
	}
	return 0; /* and nobody tells any more */
}

#define JUMPS 1000
#define CLOSES 40
#define CLOSES_S 4 /* all of them; natively some microseconds */

static sigjmp_buf back;

static void jump(int sig)
{
	(void)sig;
	siglongjmp(back, 1);
}

static void *close_often(void *path)
{
	struct timespec begun, now;

	clock_gettime(CLOCK_MONOTONIC, &begun);
	for (int i = 0; i < CLOSES; i++)
		close(open(path, O_RDONLY));
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec - begun.tv_sec > CLOSES_S ? path : NULL;
}

/* Where that happens cannot be told, so it is often. */
static unsigned jump_away(const char *dir)
{
	const struct itimerval soon = { .it_value = { 0, 150 } };
	static volatile int jumps;
	pthread_t thread;
	char path[256];
	void *slow;

	snprintf(path, sizeof path, "%s/jump", dir);
	file[0] = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
	for (int i = 0; i < 300; i++) /* enough to post */
		(void)!pwrite(file[0], all, RECORD, 0);
	signal(SIGALRM, jump);
	sigsetjmp(back, 1);
	while (jumps < JUMPS) {
		jumps++;
		setitimer(ITIMER_REAL, &soon, NULL);
		for (;;)
			(void)!pwrite(file[0], all, RECORD, 0);
	}
	pthread_create(&thread, NULL, close_often, path);
	pthread_join(thread, &slow);
	printf("jump: closing is %s\n", slow ? "slow" : "quick");
	return slow != NULL;
}

static unsigned hear(const char *path, const char *fifo)
{
	int in = open(fifo, O_RDONLY);
	unsigned heard = 0, wrong = 0;
	struct stat st;
	uint64_t n;

	for (; read(in, &n, sizeof n) == sizeof n; heard++)
		wrong += stat(path, &st) || (uint64_t)st.st_size < n;
	printf("heard %u times, %u of them too early\n", heard, wrong);
	return wrong + !heard;
}

int main(int argc, char **argv)
{
	memset(all, 'x', sizeof all);
	if (argc == 4 && !strcmp(argv[1], "tell"))
		return write_and_tell(argv[2], argv[3]) != 0;
	if (argc == 4 && !strcmp(argv[1], "hear"))
		return hear(argv[2], argv[3]) != 0;
	if (argc == 3 && !strcmp(argv[1], "jump"))
		return jump_away(argv[2]) != 0;
	return argc < 3 || swap_them(argv[2], !strcmp(argv[1], "length")) != 0;
}
