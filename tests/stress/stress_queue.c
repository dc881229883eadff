/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stress_queue.c - the request queue under load from real threads and processes: each producer owns some entries and puts each
 * in again as soon as it is done. Checked: nothing lost (every producer gets every answer), nothing served twice or without
 * having been asked, and what one producer put in comes out in that order. The doorbell is in use too: who finds nothing to do
 * sleeps.
 *
 * Build: gcc -std=gnu11 -O1 -g -pthread -fsanitize=thread (or address,undefined) -I. -Iinclude tests/stress/stress_queue.c
 *            common/queue.c common/doorbell.c common/futex.c
 * Run:   stress_queue [seconds [producers [consumers]]]: half of the time with threads, half with processes over a memfd
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/atomic.h"
#include "common/doorbell.h"
#include "common/queue.h"

#define MANY 16
#define OWNED 4 /* entries per producer */
#define SPIN 200

/* Shared by all; under the areas of a session, the test's own counters. */
struct ground {
	struct fc_request_area area;
	uint32_t lock; /* guards awake and credit, as the workers' own lock does */
	uint32_t awake;
	uint32_t in_flight;
	uint32_t stop;  /* producers: no more */
	uint32_t ended; /* producers that have ended */
	uint32_t failed;
	uint64_t calls;
	/* the highest sequence number that has come out, per producer and consumer: what ONE consumer takes from one producer
	 * grows */
	uint64_t last[MANY][MANY];
	uint32_t producers, consumers;
};

static struct ground *g;

struct role {
	unsigned number;
	bool consumer;
};

static void fail(const char *what)
{
	if (!fc_xchg(&g->failed, 1u))
		fprintf(stderr, "stress_queue: %s\n", what);
}

static void credit_add(uint32_t change)
{
	while (fc_xchg(&g->lock, 1u))
		fc_pause();
	g->awake += change;
	fc_store(&g->area.header.credit, g->awake);
	fc_store_release(&g->lock, 0u);
}

/* ---- consumers ---- */

static void serve(unsigned self, int idx)
{
	struct fc_entry *e = &g->area.entry[idx];
	uint32_t state = fc_load_acquire(&e->state);
	unsigned producer = e->thread;

	if (state != FC_QUEUED && state != FC_ASLEEP)
		fail("an entry came out that was not in");
	if (producer != (unsigned)idx / OWNED)
		fail("an entry came out with another's contents");
	else if (e->arg[0] <= g->last[self][producer])
		fail("entries of one producer came out in the wrong order");
	else
		g->last[self][producer] = e->arg[0];
	fc_entry_complete(&fc_bell_local, e, (int64_t)(e->arg[0] ^ e->arg[1]));
}

static void consume(unsigned self)
{
	credit_add(1);
	for (;;) {
		uint32_t seen = fc_load_acquire(&g->area.header.bell);
		int idx;

		if (fc_load_acquire(&g->ended) == g->producers)
			return;
		while (fc_queue_watch(&g->area.queue, SPIN) && !fc_load(&g->failed)) {
			idx = fc_queue_dequeue(&g->area.queue);
			if (idx == FC_QUEUE_BROKEN)
				fail("dequeue calls the queue broken");
			else if (idx >= 0)
				serve(self, idx);
		}
		credit_add(-1u);
		fc_worker_sleep(&fc_bell_local, &g->area.header, &g->area.queue, seen);
		credit_add(1);
	}
}

/* ---- producers ---- */

static void put_in(unsigned self, unsigned idx, uint64_t sequence)
{
	struct fc_entry *e = &g->area.entry[idx];
	uint32_t in_flight = fc_faa(&g->in_flight, 1u) + 1;

	e->thread = self;
	e->arg[0] = sequence;
	e->arg[1] = sequence * 0x9e3779b97f4a7c15u;
	fc_store_release(&e->state, FC_QUEUED);
	if (fc_queue_enqueue(&g->area.queue, idx))
		fail("enqueue gave up");
	if (fc_bell_needed(&g->area.header, in_flight))
		fc_bell_ring(&fc_bell_local, &g->area.header);
}

static void get_back(unsigned idx, uint64_t sequence)
{
	struct fc_entry *e = &g->area.entry[idx];
	struct timespec ts;

	for (int i = 0; i < SPIN && fc_load_acquire(&e->state) != FC_DONE; i++)
		fc_pause();
	while (fc_load_acquire(&e->state) != FC_DONE && !fc_load(&g->failed)) {
		clock_gettime(CLOCK_MONOTONIC, &ts);
		if (fc_entry_sleep(&fc_bell_local, e, (uint64_t)(ts.tv_sec + 30) * 1000000000u) == 0)
			continue;
		if (fc_load_acquire(&e->state) != FC_DONE)
			fail("no answer for 30 seconds: an element or a wakeup is lost");
	}
	if (!fc_load(&g->failed) && e->result != (int64_t)(sequence ^ sequence * 0x9e3779b97f4a7c15u))
		fail("a wrong answer");
	fc_store(&e->state, FC_FREE);
	fc_faa(&g->in_flight, -1u);
}

static void produce(unsigned self)
{
	uint64_t sequence = 0, of[OWNED] = { 0 };
	unsigned first = self * OWNED;

	while (!fc_load(&g->stop) && !fc_load(&g->failed)) {
		unsigned n = 1 + sequence % OWNED;

		for (unsigned i = 0; i < n; i++)
			put_in(self, first + i, of[i] = ++sequence);
		for (unsigned i = 0; i < n; i++)
			get_back(first + i, of[i]);
	}
	fc_faa(&g->calls, sequence);
	fc_faa(&g->ended, 1u);
	for (unsigned i = 0; i < g->consumers; i++)
		fc_bell_ring(&fc_bell_local, &g->area.header);
}

/* ---- the two grounds ---- */

static void *play(void *arg)
{
	struct role *r = arg;

	if (r->consumer)
		consume(r->number);
	else
		produce(r->number);
	return NULL;
}

static void wait_seconds(double seconds)
{
	struct timespec ts = { (time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9) };

	nanosleep(&ts, NULL);
	fc_store(&g->stop, 1u);
}

static void with_threads(struct role *role, unsigned n, double seconds)
{
	pthread_t thread[2 * MANY];

	for (unsigned i = 0; i < n; i++)
		if (pthread_create(&thread[i], NULL, play, &role[i]))
			abort();
	wait_seconds(seconds);
	for (unsigned i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
}

static void with_processes(struct role *role, unsigned n, double seconds)
{
	pid_t pid[2 * MANY];

	fflush(NULL);
	for (unsigned i = 0; i < n; i++) {
		pid[i] = fork();
		if (pid[i] < 0)
			abort();
		if (!pid[i]) {
			play(&role[i]);
			_exit(0);
		}
	}
	wait_seconds(seconds);
	for (unsigned i = 0; i < n; i++) {
		int status;

		if (waitpid(pid[i], &status, 0) != pid[i] || status)
			fail("a process died");
	}
}

static int run(const char *name, void (*with)(struct role *, unsigned, double), unsigned producers, unsigned consumers,
	       double seconds)
{
	struct role role[2 * MANY];
	unsigned n = 0;

	memset(g, 0, sizeof(*g));
	fc_queue_init(&g->area.queue);
	g->producers = producers;
	g->consumers = consumers;
	for (unsigned i = 0; i < producers; i++)
		role[n++] = (struct role){ i, false };
	for (unsigned i = 0; i < consumers; i++)
		role[n++] = (struct role){ i, true };
	with(role, n, seconds);
	printf("%-10s %u producers, %u consumers: %llu calls: %s\n", name, producers, consumers,
	       (unsigned long long)g->calls, g->failed ? "FAILED" : "ok");
	if (!g->failed && fc_queue_depth(&g->area.queue)) {
		fprintf(stderr, "stress_queue: something was left in the queue\n");
		return 1;
	}
	return (int)g->failed;
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 4;
	int producers = argc > 2 ? atoi(argv[2]) : 4, consumers = argc > 3 ? atoi(argv[3]) : 3;
	int fd, bad;

	if (seconds <= 0 || producers < 1 || producers > MANY || consumers < 1 || consumers > MANY) {
		fprintf(stderr, "usage: stress_queue [seconds [producers (1-%d) [consumers (1-%d)]]]\n", MANY, MANY);
		return 2;
	}
	fd = memfd_create("stress_queue", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, sizeof(*g)))
		return 1;
	g = mmap(NULL, sizeof(*g), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (g == MAP_FAILED)
		return 1;
	bad = run("threads", with_threads, (unsigned)producers, (unsigned)consumers, seconds / 2);
	if (!bad)
		bad = run("processes", with_processes, (unsigned)producers, (unsigned)consumers, seconds / 2);
	return bad;
}
