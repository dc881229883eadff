/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_queue.c - common/queue.c from one thread: order, capacity, wrap-around, stopped enqueuers played by hand, and memory that a
 * hostile peer has written. Concurrency is tests/model's and tests/stress's.
 *
 * Build: gcc -std=gnu11 -O2 -I. -Iinclude tests/unit/test_queue.c common/queue.c -lcriterion
 */
#include <criterion/criterion.h>
#include <string.h>
#include <time.h>

#include "common/queue.h"

static struct fc_queue q;

TestSuite(queue, .timeout = 60);

static void fresh(void)
{
	memset(&q, 0xa5, sizeof(q));
	fc_queue_init(&q);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

Test(queue, is_empty_at_first)
{
	fresh();
	cr_assert_eq(fc_queue_dequeue(&q), FC_QUEUE_EMPTY);
	cr_assert_not(fc_queue_peek(&q));
	cr_assert_not(fc_queue_watch(&q, 10));
	cr_assert_eq(fc_queue_depth(&q), 0);
}

Test(queue, keeps_the_order_and_holds_every_entry)
{
	fresh();
	for (unsigned i = 0; i < FC_ENTRIES; i++) {
		cr_assert_eq(fc_queue_depth(&q), i);
		cr_assert_eq(fc_queue_enqueue(&q, FC_ENTRIES - 1 - i), 0);
		cr_assert(fc_queue_peek(&q));
		cr_assert(fc_queue_watch(&q, 0));
	}
	for (unsigned i = 0; i < FC_ENTRIES; i++)
		cr_assert_eq(fc_queue_dequeue(&q), (int)(FC_ENTRIES - 1 - i));
	cr_assert_eq(fc_queue_dequeue(&q), FC_QUEUE_EMPTY);
	cr_assert_not(fc_queue_peek(&q));
}

Test(queue, refuses_an_index_out_of_range)
{
	fresh();
	cr_assert_eq(fc_queue_enqueue(&q, FC_ENTRIES), -1);
	cr_assert_eq(fc_queue_enqueue(&q, UINT32_MAX), -1);
	cr_assert_eq(fc_queue_dequeue(&q), FC_QUEUE_EMPTY);
}

Test(queue, goes_round_many_times_at_every_fill)
{
	for (unsigned fill = 1; fill <= FC_ENTRIES; fill += 17) {
		unsigned in = 0, out = 0;

		fresh();
		while (in < fill)
			cr_assert_eq(fc_queue_enqueue(&q, in++ % FC_ENTRIES), 0);
		for (unsigned i = 0; i < 10 * FC_QUEUE_SLOTS; i++) {
			cr_assert_eq(fc_queue_dequeue(&q), (int)(out++ % FC_ENTRIES));
			cr_assert_eq(fc_queue_enqueue(&q, in++ % FC_ENTRIES), 0);
		}
		while (out < in)
			cr_assert_eq(fc_queue_dequeue(&q), (int)(out++ % FC_ENTRIES));
		cr_assert_eq(fc_queue_dequeue(&q), FC_QUEUE_EMPTY);
	}
}

Test(queue, an_empty_dequeue_changes_nothing)
{
	struct fc_queue before;

	fresh();
	for (unsigned i = 0; i < 5; i++) {
		fc_queue_enqueue(&q, i);
		fc_queue_dequeue(&q);
	}
	before = q;
	for (unsigned i = 0; i < 10000; i++)
		cr_assert_eq(fc_queue_dequeue(&q), FC_QUEUE_EMPTY);
	cr_assert_arr_eq(&before, &q, sizeof(q));
}

/* An enqueuer stopped between drawing its position and filling it has done exactly this. */
static void stopped_enqueuer(void)
{
	q.tail++;
}

Test(queue, passes_over_stopped_enqueuers)
{
	fresh();
	for (unsigned i = 0; i < FC_ENTRIES - 4; i++) {
		stopped_enqueuer();
		if (i % 3 == 0)
			stopped_enqueuer();
		cr_assert_eq(fc_queue_enqueue(&q, 1), 0);
		cr_assert_eq(fc_queue_enqueue(&q, 2), 0);
		cr_assert(fc_queue_peek(&q));
		cr_assert_eq(fc_queue_dequeue(&q), 1);
		cr_assert_eq(fc_queue_dequeue(&q), 2);
		cr_assert_eq(fc_queue_dequeue(&q), FC_QUEUE_EMPTY);
	}
}

Test(queue, does_not_look_for_ever_for_a_stopped_enqueuer)
{
	fresh();
	stopped_enqueuer();
	for (unsigned i = 0; fc_queue_peek(&q); i++) {
		cr_assert_lt(i, 4 * FC_ENTRIES);
		cr_assert_eq(fc_queue_dequeue(&q), FC_QUEUE_EMPTY);
	}
	cr_assert_eq(fc_queue_enqueue(&q, 7), 0);
	cr_assert_eq(fc_queue_dequeue(&q), 7);
}

Test(queue, finds_an_element_whose_enqueuer_stopped_before_rearming)
{
	fresh();
	stopped_enqueuer();
	cr_assert_eq(fc_queue_enqueue(&q, 9), 0);
	q.threshold = -1;
	cr_assert(fc_queue_peek(&q));
	cr_assert_eq(fc_queue_dequeue(&q), 9);
}

Test(queue, notices_an_index_that_cannot_be)
{
	fresh();
	cr_assert_eq(fc_queue_enqueue(&q, 0), 0);
	for (unsigned i = 0; i < FC_QUEUE_SLOTS; i++)
		q.slot[i] |= FC_ENTRIES;
	cr_assert_eq(fc_queue_dequeue(&q), FC_QUEUE_BROKEN);
}

Test(queue, notices_a_tail_far_ahead)
{
	fresh();
	fc_queue_enqueue(&q, 0);
	fc_queue_dequeue(&q);
	q.tail += (uint64_t)1 << 40;
	cr_assert(fc_queue_peek(&q));
	cr_assert_leq(fc_queue_depth(&q), FC_ENTRIES);
	cr_assert_eq(fc_queue_dequeue(&q), FC_QUEUE_BROKEN);
}

/* Every function, once; each must end soon, with an answer of its contract. */
static void poke(uint64_t *longest)
{
	uint64_t from = now_ns();
	int r = fc_queue_dequeue(&q);

	cr_assert(r == FC_QUEUE_EMPTY || r == FC_QUEUE_BROKEN || (r >= 0 && r < (int)FC_ENTRIES), "dequeue: %d", r);
	fc_queue_peek(&q);
	fc_queue_watch(&q, 8);
	cr_assert_leq(fc_queue_depth(&q), FC_ENTRIES);
	r = fc_queue_enqueue(&q, 3);
	cr_assert(r == 0 || r == -1, "enqueue: %d", r);
	from = now_ns() - from;
	if (from > *longest)
		*longest = from;
}

static const uint64_t nasty[] = { 0,
				  1,
				  UINT64_MAX,
				  UINT64_MAX - 1,
				  INT64_MAX,
				  (uint64_t)INT64_MIN,
				  FC_QUEUE_SLOTS,
				  FC_QUEUE_SLOTS - 1,
				  (uint64_t)1 << 32,
				  ~(uint64_t)0 << 10 };
#define NASTY (sizeof(nasty) / sizeof(nasty[0]))

Test(queue, ends_on_random_bytes)
{
	uint64_t seed = 88172645463325252u, longest = 0;

	for (unsigned round = 0; round < 3000; round++) {
		for (unsigned i = 0; i < sizeof(q) / 8; i++)
			((uint64_t *)&q)[i] = random_next(&seed);
		/* near values are nastier than far ones */
		if (round & 1)
			q.head = q.tail + random_next(&seed) % 2048 - 1024;
		if (round & 2)
			q.threshold = INT64_MAX;
		for (unsigned i = 0; i < 4; i++)
			poke(&longest);
	}
	cr_assert_lt(longest, 500000000u, "one round took %llu ns", (unsigned long long)longest);
}

Test(queue, ends_on_chosen_counters)
{
	uint64_t longest = 0;

	for (unsigned h = 0; h < NASTY; h++)
		for (unsigned t = 0; t < NASTY; t++)
			for (unsigned th = 0; th < NASTY; th++) {
				uint64_t filling = nasty[(h + t + th) % NASTY];

				fresh();
				if (th & 1)
					for (unsigned i = 0; i < FC_QUEUE_SLOTS; i++)
						q.slot[i] = filling;
				q.head = nasty[h];
				q.tail = nasty[t];
				q.threshold = (int64_t)nasty[th];
				poke(&longest);
				poke(&longest);
			}
	cr_assert_lt(longest, 500000000u, "one round took %llu ns", (unsigned long long)longest);
}
