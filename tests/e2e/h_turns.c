/* SPDX-License-Identifier: GPL-2.0-or-later */
/* h_turns.c - more threads than CPUs, each in one call after the other: all get their turns, beside a program that takes every CPU, too. */
#include "e2e.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define THREADS 16
#define BLOCK 512
#define BLOCKS 64
#define RUN_MS 800
#define SHARE 50        /* of an equal share, what each gets at least */
#define LONGEST_MS 5000 /* for one call */

static _Atomic bool stop;
static int fd;

struct worker {
	pthread_t thread;
	unsigned number;
	unsigned long calls, longest_ms, wrong;
};

static unsigned long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (unsigned long)ts.tv_sec * 1000 + (unsigned long)ts.tv_nsec / 1000000;
}

/* Its own block, which says how often it was written. */
static void *take_turns(void *arg)
{
	struct worker *w = arg;
	unsigned long buffer[BLOCK / sizeof(long)] = { 0 };
	const off_t place = (off_t)w->number * BLOCK;

	while (!stop) {
		unsigned long begun = now_ms(), took;

		buffer[0] = w->calls + 1;
		w->wrong += pwrite(fd, buffer, BLOCK, place) != BLOCK;
		buffer[0] = 0;
		w->wrong += pread(fd, buffer, BLOCK, place) != BLOCK || buffer[0] != w->calls + 1;
		w->wrong += fcntl(fd, F_GETFL) < 0;
		took = now_ms() - begun;
		w->longest_ms = took > w->longest_ms ? took : w->longest_ms;
		w->calls++;
	}
	return NULL;
}

static void all_get_turns(const char *how, unsigned threads)
{
	struct worker w[THREADS] = { 0 };
	unsigned long sum = 0, least = ~0ul;

	stop = false;
	for (unsigned i = 0; i < threads; i++) {
		w[i].number = i;
		EQUAL(pthread_create(&w[i].thread, NULL, take_turns, &w[i]), 0);
	}
	usleep(RUN_MS * 1000);
	stop = true;
	for (unsigned i = 0; i < threads; i++) {
		pthread_join(w[i].thread, NULL);
		EQUAL(w[i].wrong, 0);
		CHECK(w[i].longest_ms < LONGEST_MS);
		sum += w[i].calls;
		least = w[i].calls < least ? w[i].calls : least;
	}
	printf("%s, %u threads: %lu rounds of three calls, the least of one thread %lu\n", how, threads, sum, least);
	/* natively that is up to the kernel's locks, one of which is the file's */
	CHECK(!e2e_remote || (least > 0 && least * SHARE >= sum / threads));
}

static pid_t start_hog(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (volatile int i = 0;; i++)
			;
	return pid;
}

int main(int argc, char **argv)
{
	char name[300];
	cpu_set_t cpus;
	pid_t hog[8];
	int hogs;

	e2e_init(argc, argv);
	snprintf(name, sizeof name, "%s/turns", e2e_dir);
	fd = open(name, O_RDWR | O_CREAT, 0600);
	CHECK(fd >= 0);
	EQUAL(ftruncate(fd, BLOCKS * BLOCK), 0);
	all_get_turns("free", 1);
	all_get_turns("free", THREADS);
	all_get_turns("free", 4);
	sched_getaffinity(0, sizeof cpus, &cpus);
	hogs = CPU_COUNT(&cpus) < 8 ? CPU_COUNT(&cpus) : 8;
	for (int i = 0; i < hogs; i++)
		hog[i] = start_hog();
	all_get_turns("beside hogs", 8);
	for (int i = 0; i < hogs; i++) {
		kill(hog[i], SIGKILL);
		waitpid(hog[i], NULL, 0);
	}
	all_get_turns("free again", THREADS);
	close(fd);
	unlink(name);
	return e2e_status();
}
