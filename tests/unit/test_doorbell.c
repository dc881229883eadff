/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_doorbell.c - common/doorbell.c and common/futex.c against the real kernel: who sleeps is woken, who need not sleep does not,
 * deadlines and signals end a sleep. The orders in which things can happen are tests/model's.
 *
 * Build: gcc -std=gnu11 -O2 -pthread -I. -Iinclude tests/unit/test_doorbell.c common/doorbell.c common/futex.c common/queue.c
 *            -lcriterion
 */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "common/doorbell.h"

#define MS 1000000u

TestSuite(doorbell, .timeout = 30);

static struct fc_request_area *area;

static void fresh(void)
{
	/* shared between processes, as in use: a private futex would do for threads and fail there */
	area = mmap(NULL, sizeof(*area), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(area, MAP_FAILED);
	fc_queue_init(&area->queue);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void pause_ms(unsigned ms)
{
	struct timespec ts = { ms / 1000, (long)(ms % 1000) * MS };

	nanosleep(&ts, NULL);
}

static pthread_t start(void *(*body)(void *))
{
	pthread_t t;

	cr_assert_eq(pthread_create(&t, NULL, body, NULL), 0);
	return t;
}

Test(doorbell, wait_returns_at_once_when_the_word_has_changed)
{
	uint32_t word = 5;

	cr_assert_eq(fc_futex_wait(&word, 4, 0), 0);
}

Test(doorbell, wait_ends_at_its_deadline)
{
	uint32_t word = 5;
	uint64_t from = now_ns();

	cr_assert_eq(fc_futex_wait(&word, 5, from + 20 * MS), -ETIMEDOUT);
	cr_assert_geq(now_ns() - from, 20 * MS);
	cr_assert_eq(fc_futex_wait(&word, 5, 1), -ETIMEDOUT, "a deadline that has passed");
}

static void nothing(int sig)
{
	(void)sig;
}

static void on_signal(int flags)
{
	struct sigaction sa = { .sa_handler = nothing, .sa_flags = flags };
	timer_t timer;
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec soon = { .it_value = { 0, 20 * MS } };

	sigaction(SIGUSR1, &sa, NULL);
	cr_assert_eq(timer_create(CLOCK_MONOTONIC, &ev, &timer), 0);
	timer_settime(timer, 0, &soon, NULL);
}

Test(doorbell, a_signal_ends_a_wait)
{
	uint32_t word = 5;

	on_signal(0);
	cr_assert_eq(fc_futex_wait(&word, 5, now_ns() + 5000ull * MS), -EINTR);
}

Test(doorbell, a_signal_with_restart_does_not)
{
	uint32_t word = 5;

	on_signal(SA_RESTART);
	cr_assert_eq(fc_futex_wait(&word, 5, now_ns() + 200 * MS), -ETIMEDOUT);
}

Test(doorbell, is_needed_when_credit_does_not_cover_the_calls)
{
	fresh();
	area->header.credit = 2;
	cr_assert_not(fc_bell_needed(&area->header, 1));
	cr_assert_not(fc_bell_needed(&area->header, 2));
	cr_assert(fc_bell_needed(&area->header, 3));
}

static void *sleeping_worker(void *unused)
{
	(void)unused;
	fc_worker_sleep(&fc_bell_local, &area->header, &area->queue, fc_load_acquire(&area->header.bell));
	return NULL;
}

Test(doorbell, ring_wakes_a_worker)
{
	pthread_t t;

	fresh();
	t = start(sleeping_worker);
	pause_ms(20);
	fc_bell_ring(&fc_bell_local, &area->header);
	cr_assert_eq(pthread_join(t, NULL), 0);
	cr_assert_eq(area->header.bell, 1);
}

Test(doorbell, a_worker_does_not_sleep_when_rung_before_or_with_work_there)
{
	fresh();
	fc_bell_ring(&fc_bell_local, &area->header);
	fc_worker_sleep(&fc_bell_local, &area->header, &area->queue, 0);
	fc_queue_enqueue(&area->queue, 3);
	fc_worker_sleep(&fc_bell_local, &area->header, &area->queue, 1);
}

Test(doorbell, nudge_rings_only_for_requests_that_wait)
{
	fresh();
	fc_bell_nudge(&fc_bell_local, area);
	cr_assert_eq(area->header.bell, 0);
	fc_queue_enqueue(&area->queue, 3);
	fc_bell_nudge(&fc_bell_local, area);
	cr_assert_eq(area->header.bell, 1);
}

static void *sleeping_client(void *unused)
{
	struct fc_entry *e = &area->entry[0];

	(void)unused;
	while (fc_load_acquire(&e->state) != FC_DONE)
		fc_entry_sleep(&fc_bell_local, e, 0);
	return (void *)(intptr_t)fc_load(&e->result);
}

Test(doorbell, complete_wakes_a_sleeping_client_only)
{
	struct fc_entry *e;
	pthread_t t;
	void *result;

	fresh();
	e = &area->entry[0];
	e->state = FC_QUEUED;
	cr_assert_not(fc_entry_complete(&fc_bell_local, e, 1), "nobody slept");
	cr_assert_eq(e->state, FC_DONE);
	cr_assert_eq(fc_entry_sleep(&fc_bell_local, e, 0), 0, "done already");

	e->state = FC_QUEUED;
	t = start(sleeping_client);
	while (fc_load(&e->state) != FC_ASLEEP)
		pause_ms(1);
	cr_assert(fc_entry_complete(&fc_bell_local, e, 42));
	cr_assert_eq(pthread_join(t, &result), 0);
	cr_assert_eq((intptr_t)result, 42);
}

Test(doorbell, an_entry_sleep_can_be_resumed_after_its_deadline)
{
	struct fc_entry *e;

	fresh();
	e = &area->entry[0];
	e->state = FC_QUEUED;
	cr_assert_eq(fc_entry_sleep(&fc_bell_local, e, now_ns() + 5 * MS), -ETIMEDOUT);
	cr_assert_eq(e->state, FC_ASLEEP);
	cr_assert_eq(fc_entry_sleep(&fc_bell_local, e, now_ns() + 5 * MS), -ETIMEDOUT);
	cr_assert(fc_entry_complete(&fc_bell_local, e, 0));
	cr_assert_eq(fc_entry_sleep(&fc_bell_local, e, 0), 0);
}

#define CHUNKS 20000u

static void *writing_end(void *unused)
{
	struct fc_stream *s = &area->stream[0];

	(void)unused;
	for (uint32_t n = 0; n < CHUNKS; n++) {
		uint32_t seen;

		while ((seen = fc_load_acquire(&s->domain.chunks)) + 2 <= n)
			fc_progress_sleep(&fc_bell_local, &s->client, &s->domain, seen, 0);
		fc_progress_publish(&fc_bell_local, &s->client, &s->domain);
	}
	return NULL;
}

Test(doorbell, a_stream_gets_to_its_end)
{
	struct fc_stream *s;
	pthread_t t;

	fresh();
	s = &area->stream[0];
	t = start(writing_end);
	for (uint32_t n = 0; n < CHUNKS; n++) {
		uint32_t seen;

		while ((seen = fc_load_acquire(&s->client.chunks)) <= n)
			fc_progress_sleep(&fc_bell_local, &s->domain, &s->client, seen, 0);
		fc_progress_publish(&fc_bell_local, &s->domain, &s->client);
	}
	cr_assert_eq(pthread_join(t, NULL), 0);
	cr_assert_eq(s->client.asleep | s->domain.asleep, 0);
}

Test(doorbell, a_stream_sleep_ends_at_its_deadline_and_disarms)
{
	struct fc_stream *s;

	fresh();
	s = &area->stream[0];
	cr_assert_eq(fc_progress_sleep(&fc_bell_local, &s->client, &s->domain, 0, now_ns() + 5 * MS), -ETIMEDOUT);
	cr_assert_eq(s->client.asleep, 0);
	cr_assert_eq(fc_progress_sleep(&fc_bell_local, &s->client, &s->domain, 1, 0), 0, "it has changed already");
}
