/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * queue_pingpong.c - what the request queue adds to a bare handoff. Two threads on two CPUs; a round trip is: fill the entry,
 * enqueue, spin on its state / watch the queue, dequeue, read the entry, complete. The floor hands the same line over
 * without a queue. Prints medians of several rounds, taken alternately, in nanoseconds.
 *
 * Build: gcc -std=gnu11 -O2 -pthread -I. -Iinclude bench/queue_pingpong.c common/queue.c common/doorbell.c common/futex.c
 * Run:   queue_pingpong [rounds [round trips per round]]
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/atomic.h"
#include "common/doorbell.h"
#include "common/queue.h"

#define ROUNDS_MAX 64
#define LOOKS 64 /* as a worker does */

enum mode { FLOOR, QUEUE, MODES };

static struct fc_request_area *area;
static unsigned stop;
static int cpus[2];

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static int64_t entry_run(struct fc_entry *e)
{
	int64_t sum = e->nr + e->nonce;

	for (int i = 0; i < 6; i++)
		sum += (int64_t)e->arg[i];
	return sum;
}

static void *floor_serve(void *unused)
{
	struct fc_entry *e = &area->entry[0];

	(void)unused;
	pin(cpus[1]);
	while (!fc_load(&stop)) {
		if (fc_load_acquire(&e->state) == FC_QUEUED) {
			fc_store(&e->result, entry_run(e));
			fc_store_release(&e->state, FC_DONE);
		}
		fc_pause();
	}
	return NULL;
}

static void *queue_serve(void *unused)
{
	(void)unused;
	pin(cpus[1]);
	while (!fc_load(&stop)) {
		int idx;

		if (!fc_queue_watch(&area->queue, LOOKS))
			continue;
		idx = fc_queue_dequeue(&area->queue);
		if (idx >= 0)
			fc_entry_complete(&fc_bell_local, &area->entry[idx], entry_run(&area->entry[idx]));
	}
	return NULL;
}

static void ask(enum mode mode, uint32_t nonce)
{
	struct fc_entry *e = &area->entry[0];

	e->nr = 72;
	e->flags = 0;
	e->nonce = nonce;
	e->thread = 0;
	for (int i = 0; i < 6; i++)
		e->arg[i] = nonce + i;
	if (mode == FLOOR) {
		fc_store_release(&e->state, FC_QUEUED);
	} else {
		fc_store(&e->state, FC_QUEUED);
		if (fc_queue_enqueue(&area->queue, 0))
			abort();
		if (fc_bell_needed(&area->header, 1))
			abort(); /* credit is 1 throughout */
	}
	while (fc_load_acquire(&e->state) != FC_DONE)
		fc_pause();
	if (e->result != (int64_t)(72 + 15 + 7 * (uint64_t)nonce))
		abort();
}

static double round_ns(enum mode mode, unsigned trips)
{
	struct timespec from, to;
	pthread_t server;

	memset(area, 0, sizeof(*area));
	fc_queue_init(&area->queue);
	area->header.credit = 1;
	fc_store(&stop, 0);
	pthread_create(&server, NULL, mode == FLOOR ? floor_serve : queue_serve, NULL);
	pin(cpus[0]);
	for (unsigned i = 0; i < trips / 10; i++)
		ask(mode, i);
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (unsigned i = 0; i < trips; i++)
		ask(mode, i);
	clock_gettime(CLOCK_MONOTONIC, &to);
	fc_store(&stop, 1);
	pthread_join(server, NULL);
	return ((to.tv_sec - from.tv_sec) * 1e9 + (to.tv_nsec - from.tv_nsec)) / trips;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int find_cpus(void)
{
	cpu_set_t set;
	int n = 0;

	if (sched_getaffinity(0, sizeof(set), &set))
		return -1;
	for (int i = 0; i < CPU_SETSIZE && n < 2; i++)
		if (CPU_ISSET(i, &set))
			cpus[n++] = i;
	return n == 2 ? 0 : -1;
}

int main(int argc, char **argv)
{
	static const char *const name[MODES] = { "one-line handoff", "queue" };
	unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 15;
	unsigned trips = argc > 2 ? (unsigned)atoi(argv[2]) : 300000;
	double ns[MODES][ROUNDS_MAX];

	if (rounds < 1 || rounds > ROUNDS_MAX || trips < 1) {
		fprintf(stderr, "usage: queue_pingpong [rounds (1-%d) [round trips per round]]\n", ROUNDS_MAX);
		return 2;
	}
	if (find_cpus()) {
		fprintf(stderr, "queue_pingpong: two CPUs are needed\n");
		return 77;
	}
	area = aligned_alloc(FC_PAGE_SIZE, sizeof(*area));
	if (!area)
		return 1;
	for (unsigned i = 0; i < rounds; i++)
		for (int m = 0; m < MODES; m++)
			ns[m][i] = round_ns(m, trips);
	for (int m = 0; m < MODES; m++) {
		qsort(ns[m], rounds, sizeof(double), by_value);
		printf("%-18s %6.1f ns  (least %.1f, most %.1f)\n", name[m], ns[m][rounds / 2], ns[m][0],
		       ns[m][rounds - 1]);
	}
	printf("%-18s %6.1f ns\n", "the queue adds", ns[QUEUE][rounds / 2] - ns[FLOOR][rounds / 2]);
	free(area);
	return 0;
}
