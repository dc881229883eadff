/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_request.c - libc-shim/request/ without a domain: who gets a slot, what comes of a result, of a signal, of a domain that dies or
 * scribbles, of a call that nobody waits for. A thread of the test's plays the workers. The orders in which things can happen are
 * tests/model's.
 */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/queue.h"
#include "common/spin.h"
#include "libc-shim/request/request.h"

TestSuite(request, .timeout = 30);

#define ME 7
#define ANOTHER 8

static struct shim_slot slots[FC_ENTRIES];
static struct shim_requests q;
static _Atomic bool lost, another_is_dead;
static const char *failed;

/* ---- what request.h needs of those above it ---- */

static __thread struct fc_spin spin_local;

bool shim_owner_alive(shim_owner owner)
{
	return owner != ANOTHER || !another_is_dead;
}

shim_owner shim_owner_self(void)
{
	return ME;
}

struct fc_spin *shim_spin_of(const struct shim_requests *of)
{
	(void)of;
	if (!spin_local.cost)
		fc_spin_init(&spin_local, &fc_spin_local);
	return &spin_local;
}

bool shim_requests_apart(const struct shim_requests *of)
{
	(void)of;
	return false;
}

bool shim_requests_open(const struct shim_requests *of)
{
	(void)of;
	return !lost;
}

bool shim_requests_alive(struct shim_requests *of)
{
	(void)of;
	return !lost;
}

void shim_requests_fail(struct shim_requests *of, const char *why)
{
	(void)of;
	failed = why;
	lost = true;
}

void shim_asleep(bool asleep)
{
	(void)asleep;
}

bool shim_told_to_end(void)
{
	return false;
}

void shim_buffers_free(struct shim_requests *of, int slot)
{
	of->slot[slot].extra = 0;
}

void shim_buffers_rest(struct shim_requests *of)
{
	(void)of;
}

void shim_vdso_clock(struct timespec *now);
void shim_vdso_clock(struct timespec *now)
{
	clock_gettime(CLOCK_MONOTONIC, now);
}

uint32_t shim_vdso_cpu(void);
uint32_t shim_vdso_cpu(void)
{
	return 0;
}

/* ---- the domain ---- */

/* Take the oldest request, wait for it if there is none; its entry. */
static struct fc_entry *served(void)
{
	int i;

	while ((i = fc_queue_dequeue(&q.area->queue)) == FC_QUEUE_EMPTY)
		usleep(100);
	cr_assert_geq(i, 0, "the queue is broken");
	return &q.area->entry[i];
}

static void answer(struct fc_entry *e, int64_t result)
{
	fc_entry_complete(&fc_bell_local, e, result);
}

static void fresh(void)
{
	struct fc_request_area *area =
		mmap(NULL, sizeof *area, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq(area, MAP_FAILED);
	fc_tsc_calibrate();
	fc_queue_init(&area->queue);
	memset(slots, 0, sizeof slots);
	q = (struct shim_requests){ .area = area, .bell = fc_bell_local, .slot = slots };
	lost = another_is_dead = false;
	failed = NULL;
}

static struct shim_request taken(shim_owner owner, uint16_t *hint)
{
	struct shim_request r = { &q, shim_request_take(&q, owner, hint) };

	cr_assert_geq(r.slot, 0);
	return r;
}

static struct shim_request sent(shim_owner owner, unsigned nr, bool opens)
{
	const uint64_t arg[6] = { 1, 2, 3, 4, 5, 6 };
	uint16_t hint = 0;
	struct shim_request r = taken(owner, &hint);

	shim_request_fill(&r, nr, arg, opens);
	shim_requests_submit(&r, 1);
	return r;
}

static pthread_t begin(void *(*run)(void *))
{
	pthread_t t;

	cr_assert_eq(pthread_create(&t, NULL, run, NULL), 0);
	return t;
}

/* ---- slots ---- */

Test(request, a_thread_comes_back_to_its_slot, .init = fresh)
{
	uint16_t mine = 5, others = 5;
	struct shim_request r = taken(ME, &mine), s = taken(ANOTHER, &others);

	cr_assert_eq(r.slot, 5);
	cr_assert_eq(s.slot, 6, "the next one");
	cr_assert_eq(others, 6, "and stays there");
	shim_request_finish(&r);
	shim_request_finish(&s);
	cr_assert_eq(taken(ANOTHER, &others).slot, 6);
	cr_assert_eq(taken(ME, &mine).slot, 5);
}

static void *finish_one(void *arg)
{
	(void)arg;
	usleep(20000);
	shim_request_finish(&(struct shim_request){ &q, 99 });
	return NULL;
}

Test(request, who_finds_none_waits_for_one, .init = fresh)
{
	uint16_t hint = 0;
	pthread_t t;

	for (unsigned i = 0; i < FC_ENTRIES - SHIM_MESSENGERS; i++)
		taken(ANOTHER, &hint);
	t = begin(finish_one);
	cr_assert_eq(taken(ME, &hint).slot, 99);
	pthread_join(t, NULL);
	lost = true;
	cr_assert_eq(shim_request_take(&q, ME, &hint), -EIO, "not of a session that is over");
}

Test(request, what_the_dead_had_is_free_when_the_domain_lets_go, .init = fresh)
{
	struct shim_request r = sent(ANOTHER, 1, false);
	struct fc_entry *e = served();

	another_is_dead = true;
	shim_requests_reclaim(&q, ME, true);
	cr_assert_eq(slots[r.slot].owner, ANOTHER, "the domain has it");
	answer(e, 0);
	shim_requests_reclaim(&q, ME, true);
	cr_assert_eq(slots[r.slot].owner, 0);
	cr_assert_eq(e->state, FC_FREE);
}

/* ---- submitting ---- */

Test(request, the_domain_gets_what_was_filled_in, .init = fresh)
{
	struct shim_request r = sent(ME, 77, false);
	struct fc_entry *e = served();

	cr_assert_eq(e, &q.area->entry[r.slot]);
	cr_assert_eq(e->nr, 77);
	cr_assert_eq(e->nonce, 1);
	for (uint64_t i = 0; i < 6; i++)
		cr_assert_eq(e->arg[i], i + 1);
}

Test(request, it_rings_only_for_more_than_the_credit, .init = fresh)
{
	struct fc_area_header *h = &q.area->header;

	sent(ME, 1, false);
	cr_assert_eq(h->bell, 1, "nobody is awake");
	h->credit = 2;
	sent(ME, 1, false);
	cr_assert_eq(h->bell, 1, "the second of two");
	sent(ME, 1, false);
	cr_assert_eq(h->bell, 2, "the third");
	h->credit = FC_ENTRIES;
	sent(ME, 1, false);
	cr_assert_eq(h->bell, 2);
	h->credit = 0;
	answer(served(), 0);
	shim_request_wait(&(struct shim_request){ &q, 0 });
	h->credit = 4;
	sent(ME, 1, false);
	cr_assert_eq(h->bell, 2, "one of them is over");
}

Test(request, a_queue_that_is_none_ends_the_session, .init = fresh)
{
	memset(q.area->queue.slot, 0, sizeof q.area->queue.slot); /* all of them taken, and nobody takes them out */
	sent(ME, 1, false);
	cr_assert(lost);
	cr_assert_not_null(failed);
}

/* ---- waiting ---- */

static void *answer_one(void *arg)
{
	struct fc_entry *e = served();

	(void)arg;
	usleep(20000); /* so that it sleeps */
	answer(e, 4711);
	return NULL;
}

Test(request, the_result_comes_back, .init = fresh)
{
	pthread_t t = begin(answer_one);
	struct shim_request r = sent(ME, 1, false);

	cr_assert_eq(shim_request_wait(&r), 4711);
	cr_assert_eq(slots[r.slot].sent, 0);
	cr_assert_eq(q.area->entry[r.slot].state, FC_FREE);
	pthread_join(t, NULL);
}

static void *lose(void *arg)
{
	(void)arg;
	usleep(20000);
	lost = true;
	return NULL;
}

Test(request, a_domain_that_dies_is_noticed_in_the_sleep, .init = fresh)
{
	struct shim_request r = sent(ME, 1, false);
	pthread_t t = begin(lose);
	struct timespec from, to;

	clock_gettime(CLOCK_MONOTONIC, &from);
	cr_assert_eq(shim_request_wait(&r), -EIO);
	clock_gettime(CLOCK_MONOTONIC, &to);
	cr_assert_lt(to.tv_sec - from.tv_sec, 2);
	pthread_join(t, NULL);
	cr_assert_eq(shim_request_wait(&r), -EIO, "and at once the next time");
}

static void *scribble(void *arg)
{
	struct fc_entry *e = served();

	(void)arg;
	usleep(20000);
	fc_xchg(&e->state, 12345u);
	fc_futex_wake(&e->state, 1);
	return NULL;
}

Test(request, a_state_that_cannot_be_ends_the_session, .init = fresh)
{
	pthread_t t = begin(scribble);
	struct shim_request r = sent(ME, 1, false);

	cr_assert_eq(shim_request_wait(&r), -EIO);
	cr_assert_not_null(failed);
	pthread_join(t, NULL);
}

/* A fork in a signal handler: the child finds zeroes where its parent's areas were. */
Test(request, in_a_forks_child_the_parents_call_ends, .init = fresh)
{
	struct shim_request r = sent(ME, 1, false);

	memset(q.area, 0, sizeof *q.area);
	cr_assert_eq(shim_request_wait(&r), -EINTR);
}

static void on_signal(int sig)
{
	(void)sig;
}

static pthread_t waiter;

static void *interrupt(void *arg)
{
	struct fc_entry *e = served(), *wish;

	(void)arg;
	usleep(20000);
	pthread_kill(waiter, SIGUSR1);
	wish = served();
	cr_assert_eq(wish->nr, FC_NR_INTERRUPT);
	cr_assert_eq((long)wish->arg[0], e - q.area->entry);
	cr_assert_eq(wish->arg[1], e->nonce);
	answer(e, -EINTR);
	answer(wish, 0);
	return NULL;
}

Test(request, a_signal_interrupts_the_call, .init = fresh)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct shim_request r;
	pthread_t t;

	waiter = pthread_self();
	sigaction(SIGUSR1, &sa, NULL);
	t = begin(interrupt);
	r = sent(ME, 1, false);
	cr_assert_eq(shim_request_wait(&r), -EINTR);
	pthread_join(t, NULL);
	shim_request_finish(&r);
	shim_requests_reclaim(&q, ANOTHER, true);
	for (unsigned i = 0; i < FC_ENTRIES; i++)
		cr_assert_eq(slots[i].owner, 0, "slot %u", i);
}

Test(request, one_can_be_interrupted_when_there_is_no_room, .init = fresh)
{
	struct shim_request r = sent(ME, 1, false);
	uint16_t hint = 0;

	for (unsigned i = 1; i < FC_ENTRIES - SHIM_MESSENGERS; i++)
		taken(ANOTHER, &hint);
	cr_assert(shim_request_interrupt(&r, ME));
	served();
	cr_assert_eq(served()->nr, FC_NR_INTERRUPT);
}

/* ---- what calls are about ---- */

static int second; /* of what the last one has been left */

static int let_go(const struct shim_request *r)
{
	int left[SHIM_USES];

	shim_request_let_go(r, left);
	second = left[1];
	return left[0];
}

Test(request, who_uses_a_descriptor_closes_it, .init = fresh)
{
	uint16_t hint = 0;
	struct shim_request r = taken(ME, &hint), s = taken(ANOTHER, &hint);

	cr_assert_not(shim_requests_leave(&q, 40), "nobody uses it");
	cr_assert_eq(shim_request_use(&r, 0, 40), -1);
	cr_assert_eq(shim_request_use(&s, 0, 41), -1);
	cr_assert_not(shim_requests_leave(&q, 42));
	cr_assert(shim_requests_leave(&q, 40));
	cr_assert_not(shim_requests_leave(&q, 40), "once");
	cr_assert_eq(let_go(&s), -1, "not what nobody has left");
	cr_assert_eq(let_go(&r), 40);
	cr_assert_eq(let_go(&r), -1);
	cr_assert_not(shim_requests_leave(&q, 41));
}

Test(request, who_uses_two_closes_both, .init = fresh)
{
	uint16_t hint = 0;
	struct shim_request r = taken(ME, &hint);

	cr_assert_eq(shim_request_use(&r, 0, 40), -1);
	cr_assert_eq(shim_request_use(&r, 1, 41), -1);
	cr_assert(shim_requests_leave(&q, 41));
	cr_assert_eq(let_go(&r), -1);
	cr_assert_eq(second, 41);
	shim_request_use(&r, 0, 40);
	shim_request_use(&r, 1, 41);
	cr_assert(shim_requests_leave(&q, 41) && shim_requests_leave(&q, 40));
	cr_assert_eq(let_go(&r), 40);
	cr_assert_eq(second, 41);
	cr_assert_not(shim_requests_leave(&q, 40) || shim_requests_leave(&q, 41));
}

Test(request, the_dead_use_nothing, .init = fresh)
{
	uint16_t hint = 0;
	struct shim_request r = taken(ANOTHER, &hint), s = { &q, -1 };

	shim_request_use(&r, 0, 40);
	shim_request_use(&r, 1, 41);
	cr_assert(shim_requests_leave(&q, 41), "that it was alive for");
	another_is_dead = true;
	shim_requests_reclaim(&q, ME, true);
	hint = (uint16_t)r.slot;
	s.slot = shim_request_take(&q, ME, &hint);
	cr_assert_eq(s.slot, r.slot);
	cr_assert_not(shim_requests_leave(&q, 40), "whoever has the slot now does not use it");
	let_go(&s);
	cr_assert_eq(second, 41, "and closes what was left");
}

Test(request, of_several_that_use_it_one_after_the_other, .init = fresh)
{
	uint16_t hint = 0;
	struct shim_request r = taken(ME, &hint), s = taken(ANOTHER, &hint);

	shim_request_use(&r, 0, 40);
	shim_request_use(&s, 0, 40);
	cr_assert(shim_requests_leave(&q, 40));
	cr_assert_eq(let_go(&r), 40);
	shim_request_finish(&r);
	cr_assert(shim_requests_leave(&q, 40), "there is another one");
	cr_assert_eq(let_go(&s), 40);
	shim_request_finish(&s);
	cr_assert_not(shim_requests_leave(&q, 40));
}

Test(request, nothing_is_left_to_who_does_not_come_back, .init = fresh)
{
	uint16_t hint = 0;
	struct shim_request r = taken(ME, &hint);

	shim_request_use(&r, 0, 40);
	cr_assert(shim_requests_leave(&q, 40));
	shim_request_finish(&r);
	r = taken(ANOTHER, &hint);
	cr_assert_eq(shim_request_use(&r, 0, 41), 40, "who has the slot next does it");
	let_go(&r);
	shim_request_finish(&r);
	r = sent(ME, 1, false);
	shim_request_use(&r, 0, 42);
	shim_request_forget(&r, ME);
	cr_assert_not(shim_requests_leave(&q, 42));
}

/* ---- what nobody waits for ---- */

Test(request, what_was_opened_for_nobody_is_closed, .init = fresh)
{
	struct shim_request r = sent(ME, SYS_openat, true);
	struct fc_entry *e = served();

	shim_request_forget(&r, ME);
	answer(e, 55);
	shim_requests_reclaim(&q, ANOTHER, true);
	e = served();
	cr_assert_eq(e->nr, SYS_close);
	cr_assert_eq(e->arg[0], 55);
	answer(e, 0);
	shim_requests_reclaim(&q, ANOTHER, true);
	cr_assert_eq(slots[r.slot].owner, 0);
	cr_assert_eq(fc_queue_dequeue(&q.area->queue), FC_QUEUE_EMPTY, "once");
}

Test(request, what_was_not_opened_is_not_closed, .init = fresh)
{
	struct shim_request r = sent(ME, SYS_openat, true);

	shim_request_forget(&r, ME);
	answer(served(), -ENOENT);
	shim_requests_reclaim(&q, ANOTHER, true);
	cr_assert_eq(fc_queue_dequeue(&q.area->queue), FC_QUEUE_EMPTY);
	cr_assert_eq(slots[r.slot].owner, 0);
}
