/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * model_doorbell.c - common/doorbell.c (with common/queue.c under it) in every interleaving: nobody sleeps for ever while there
 * is something for him to do, results are there when an entry is done, streams get to their end. Clients and workers never
 * spin here, they always sleep: a wakeup that is lost is a thread that never goes on.
 *
 * Build: gcc -std=gnu11 -O2 -fcf-protection=none -fno-stack-protector -DFC_ENTRY_ORDER=1 -DFC_PAGE_SIZE=256 -DFC_QUEUE_GRACE=1
 *            -DFC_ATOMIC_HEADER='"tests/model/model_atomic.h"' -I. -Iinclude tests/model/model_doorbell.c
 *            '-D__builtin_ia32_rdtsc()=model_now()' tests/model/explore.c tests/model/fifo.c common/queue.c common/doorbell.c
 *            storage-domain/crew/crew.c storage-domain/crew/credit.c    (no sanitizers: fibers)
 * Run:   model_doorbell [--deep] [--only PART-OF-A-SCENARIO-NAME]
 */
#include <errno.h>

#include "tests/model/worker.h"

enum { FLAG = MODEL_OWN_WORDS }; /* shared->word */
enum { NONCE_DONE = 1000 };

/* ---- clients and workers ---- */

static uint32_t in_flight_begin(void)
{
	return fc_faa(&shared->word[FLAG], 1u) + 1;
}

static void in_flight_end(void)
{
	fc_faa(&shared->word[FLAG], -1u);
}

static void wait_for(struct fc_entry *e)
{
	while (fc_load_acquire(&e->state) != FC_DONE)
		fc_entry_sleep(&fc_bell_local, e, 0);
}

static void call(uint32_t idx, uint32_t nonce)
{
	struct fc_entry *e = &shared->area.entry[idx];
	uint32_t in_flight;

	model_await(&shared->word[READY], 1); /* bodies run up to their first step before the setup does */
	in_flight = in_flight_begin();

	fc_store(&e->nonce, nonce);
	fc_store_release(&e->state, FC_QUEUED);
	model_check(fc_queue_enqueue(&shared->area.queue, idx) == 0, "enqueue gave up");
	if (fc_bell_needed(model_header(), in_flight))
		fc_bell_ring(&fc_bell_local, model_header());
	wait_for(e);
	model_check(fc_load(&e->result) == (int64_t)nonce + NONCE_DONE, "done, but the result is not there");
	in_flight_end();
	fc_store(&e->state, FC_FREE);
}

static int64_t execute(struct fc_member *m, const struct fc_entry *e)
{
	(void)m;
	return (int64_t)fc_load(&e->nonce) + NONCE_DONE;
}

#define DOES(name, what)       \
	static void name(void) \
	{                      \
		what;          \
	}

DOES(client_0_of_1, call(0, 7); client_ends(1))
DOES(client_0_of_1_twice, call(0, 7); call(0, 8); client_ends(1))
DOES(client_0_of_2, call(0, 7); client_ends(2))
DOES(client_1_of_2, call(1, 9); client_ends(2))

static void one_awake(void)
{
	crew_begin(1, 0, 0, true);
}
static void two_awake(void)
{
	crew_begin(2, 0, 0, true);
}

/* ---- one entry, without the queue ---- */

static void asks_0(void)
{
	struct fc_entry *e = &shared->area.entry[0];

	for (uint32_t nonce = 1; nonce <= 2; nonce++) {
		fc_store(&e->nonce, nonce);
		fc_store_release(&e->state, FC_QUEUED);
		fc_store_release(&shared->word[FLAG], nonce);
		wait_for(e);
		model_check(fc_load(&e->result) == (int64_t)nonce + NONCE_DONE, "done, but the result is not there");
	}
}

static void answers_0(void)
{
	for (uint32_t nonce = 1; nonce <= 2; nonce++) {
		model_await(&shared->word[FLAG], nonce);
		fc_entry_complete(&fc_bell_local, &shared->area.entry[0], nonce + NONCE_DONE);
	}
}

/* ---- streams ---- */

#define CHUNKS 3u
#define SLOTS 1u /* the producer is at most so many chunks ahead */

/* what stands in a chunk buffer: word[0], through which chunk n goes */
static void stream_writes(void)
{
	struct fc_progress *mine = &shared->area.stream[0].client, *peer = &shared->area.stream[0].domain;

	for (uint32_t n = 0; n < CHUNKS; n++) {
		uint32_t seen;

		while ((seen = fc_load_acquire(&peer->chunks)) + SLOTS <= n)
			fc_progress_sleep(&fc_bell_local, mine, peer, seen, 0);
		fc_store(&shared->word[0], n + 1);
		fc_progress_publish(&fc_bell_local, mine, peer);
	}
}

static void stream_reads(void)
{
	struct fc_progress *mine = &shared->area.stream[0].domain, *peer = &shared->area.stream[0].client;

	for (uint32_t n = 0; n < CHUNKS; n++) {
		uint32_t seen;

		while ((seen = fc_load_acquire(&peer->chunks)) <= n)
			fc_progress_sleep(&fc_bell_local, mine, peer, seen, 0);
		model_check(fc_load(&shared->word[0]) == n + 1, "a chunk is announced, but not there");
		fc_progress_publish(&fc_bell_local, mine, peer);
	}
}

#define BELL(what, n, ...) .name = what, .threads = n, .body = { __VA_ARGS__ }, .bells = true

static const struct scenario list[] = {
	{ BELL("an entry, done and waited for", 2, asks_0, answers_0) },
	{ BELL("an entry, the sleep interrupted", 2, asks_0, answers_0), .interrupts = 2 },
	{ BELL("a stream", 2, stream_writes, stream_reads) },
	{ BELL("a stream, sleeps interrupted", 2, stream_writes, stream_reads), .interrupts = 2 },
	{ BELL("one client, one worker", 2, client_0_of_1, worker), .setup = one_awake },
	{ BELL("one client twice, one worker", 2, client_0_of_1_twice, worker), .setup = one_awake },
	{ BELL("one client, interrupted", 2, client_0_of_1, worker), .setup = one_awake, .interrupts = 1 },
	{ BELL("two clients, one worker", 3, client_0_of_2, client_1_of_2, worker), .setup = one_awake,
	  .preemptions = 3 },
	{ BELL("one client, two workers", 3, client_0_of_1, worker, worker_1), .setup = two_awake, .preemptions = 3 },
	{ BELL("two clients, two workers", 4, client_0_of_2, client_1_of_2, worker, worker_1), .setup = two_awake,
	  .preemptions = 1 },
	{ BELL("two clients, one worker, more preemptions", 3, client_0_of_2, client_1_of_2, worker),
	  .setup = one_awake, .preemptions = 6, .deep = true },
	{ BELL("two clients, two workers, more preemptions", 4, client_0_of_2, client_1_of_2, worker, worker_1),
	  .setup = two_awake, .preemptions = 3, .deep = true },
};

int main(int argc, char **argv)
{
	return model_main(argc, argv, list, sizeof(list) / sizeof(list[0]));
}
