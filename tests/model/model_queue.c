/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * model_queue.c - common/queue.c in every interleaving, for small queues: it behaves like a FIFO, loses and duplicates nothing,
 * and a thread that stops for ever at any point of its enqueue or dequeue takes at most its own element with it.
 *
 * An index is enqueued again only after it came out, as an entry is; that is what reuses slots and cycles.
 *
 * Build: gcc -std=gnu11 -O2 -fcf-protection=none -fno-stack-protector -DFC_ENTRY_ORDER=1 -DFC_PAGE_SIZE=256 -DFC_QUEUE_GRACE=1
 *            -DFC_ATOMIC_HEADER='"tests/model/model_atomic.h"' -I. -Iinclude tests/model/model_queue.c
 *            tests/model/explore.c tests/model/fifo.c common/queue.c    (no sanitizers: fibers)
 * Run:   model_queue [--deep] [--only PART-OF-A-SCENARIO-NAME]
 */
#include "tests/model/explore.h"

/* shared->word[i]: times that index i has come out */

static void take(int times)
{
	while (times--) {
		int idx = model_dequeue();

		if (idx >= 0)
			shared->word[idx]++; /* not a step: visible at the very moment of the return */
	}
}

/* As a worker: looks first. */
static void take_seen(int times)
{
	while (times--) {
		if (!fc_queue_peek(&shared->area.queue))
			continue;
		take(1);
	}
}

static void give(uint32_t idx, uint32_t times)
{
	for (uint32_t i = 0; i < times; i++) {
		if (i)
			model_await(&shared->word[idx], i);
		model_enqueue(idx);
	}
}

#define DOES(name, what)       \
	static void name(void) \
	{                      \
		what;          \
	}

DOES(give_0, give(0, 1))
DOES(give_1, give(1, 1))
DOES(give_0_twice, give(0, 2))
DOES(give_1_twice, give(1, 2))
DOES(give_1_thrice, give(1, 3))
DOES(give_0_and_1, model_enqueue(0); model_enqueue(1))
DOES(take_1, take(1))
DOES(take_2, take(2))
DOES(take_3, take(3))
DOES(take_4, take(4))
DOES(take_seen_2, take_seen(2))
DOES(take_seen_3, take_seen(3))

static void cycle(int times)
{
	while (times--) {
		model_enqueue(1);
		model_check(model_dequeue() == 1, "setup: an element did not come out");
	}
}

/* Start somewhere else than at the first slot, threshold armed; and with it nearly run out. */
static void used_queue(void)
{
	cycle(3);
}

/* Enqueuers (thread 0) that draw a position and are passed over cost the threshold. */
static void miss(int times)
{
	while (times--) {
		model_advance(0, 1);
		model_check(model_dequeue() == FC_QUEUE_EMPTY, "setup: an element out of nothing");
		model_advance(0, 2);
	}
}

static void nearly_out(void)
{
	cycle(1);
	miss(3 * FC_ENTRIES - 2);
}

static void run_out(void)
{
	cycle(1);
	miss(3 * FC_ENTRIES);
}

/* A dequeuer (thread 0) that holds a position but has not emptied its slot, while everybody else goes once around. */
#define DEQUEUE_STEPS_TO_TAKE 4 /* head, slot (peek); FAA head; slot: then stands before the OR */
static void lapped_dequeuer(void)
{
	model_enqueue(0);
	model_advance(0, DEQUEUE_STEPS_TO_TAKE);
	cycle(FC_QUEUE_SLOTS - 1);
}

/* An enqueuer (thread 0) that holds a position but has not filled its slot, while everybody else goes once around. */
static void lapped_enqueuer(void)
{
	model_advance(0, 1);
	cycle(FC_QUEUE_SLOTS - 1);
}

static void lapped_enqueuer_short(void)
{
	model_advance(0, 1);
	cycle(FC_QUEUE_SLOTS - 2);
}

#define QUEUE(what, n, ...) .name = what, .threads = n, .body = { __VA_ARGS__ }, .finish = model_drain, .may_hang = true

static const struct scenario list[] = {
	{ QUEUE("one gives, one takes", 2, give_0_twice, take_3) },
	{ QUEUE("one gives two, two take", 3, give_0_and_1, take_1, take_1) },
	{ QUEUE("two give, one takes", 3, give_0, give_1, take_2) },
	{ QUEUE("two give, one takes, used queue", 3, give_0, give_1, take_2), .setup = used_queue },
	{ QUEUE("two give, one takes, threshold nearly out", 3, give_0, give_1, take_2), .setup = nearly_out },
	{ QUEUE("two give, one takes, threshold out", 3, give_0, give_1, take_2), .setup = run_out },
	{ QUEUE("two give, two take", 4, give_0, give_1, take_1, take_1) },
	{ QUEUE("two give, two look and take", 4, give_0, give_1, take_seen_2, take_seen_2), .setup = run_out,
	  .preemptions = 3 },
	{ QUEUE("two give again, one takes", 3, give_0_twice, give_1_twice, take_4), .preemptions = 5 },
	{ QUEUE("one gives again and again, two take", 3, give_1_thrice, take_3, take_2), .preemptions = 5 },
	{ QUEUE("a dequeuer lapped", 4, take_1, give_1, take_1, take_1), .setup = lapped_dequeuer, .preemptions = 4 },
	{ QUEUE("a dequeuer lapped, then reuse", 3, take_1, give_1_twice, take_3), .setup = lapped_dequeuer },
	{ QUEUE("an enqueuer lapped", 3, give_0, give_1, take_2), .setup = lapped_enqueuer },
	{ QUEUE("an enqueuer nearly lapped", 3, give_0, give_1, take_2), .setup = lapped_enqueuer_short },
	{ QUEUE("one enqueuer stops", 3, give_0, give_1, take_2), .stops = 1, .stoppable = 1 },
	{ QUEUE("one enqueuer stops, threshold out", 3, give_0, give_1, take_seen_2), .setup = run_out, .stops = 1,
	  .stoppable = 1 },
	{ QUEUE("both enqueuers stop, threshold out", 3, give_0, give_1, take_seen_2), .setup = run_out, .stops = 2,
	  .stoppable = 3 },
	{ QUEUE("one enqueuer stops, the other goes on", 3, give_0, give_1_twice, take_3), .stops = 1, .stoppable = 1,
	  .preemptions = 3 },
	{ QUEUE("a dequeuer stops", 3, take_1, give_0_and_1, take_1), .stops = 1, .stoppable = 1 },

	{ QUEUE("two give, two take twice", 4, give_0, give_1, take_2, take_2), .preemptions = 6, .deep = true },
	{ QUEUE("two give again, two take", 4, give_0_twice, give_1_twice, take_2, take_2), .preemptions = 5,
	  .deep = true },
	{ QUEUE("two give again, two take, threshold out", 4, give_0_twice, give_1_twice, take_3, take_seen_3),
	  .setup = run_out, .preemptions = 4, .deep = true },
	{ QUEUE("anybody stops", 4, take_1, give_0, give_1, take_2), .setup = used_queue, .stops = 2, .stoppable = 7,
	  .preemptions = 4, .deep = true },
	{ QUEUE("three take", 4, give_0_twice, take_2, take_2, take_2), .setup = run_out, .preemptions = 4,
	  .deep = true },
};

int main(int argc, char **argv)
{
	return model_main(argc, argv, list, sizeof(list) / sizeof(list[0]));
}
