/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worker.c - what an awake worker does: look for requests, run them, count them. Which workers are awake is crew.c's,
 * what a request does is execute.c's.
 *
 * A worker without requests spins for its budget (spin.h) if the domain has a licence left, then sleeps. It keeps its
 * licence while requests keep coming, so that a busy queue costs nothing here.
 */
#define _GNU_SOURCE
#include "storage-domain/crew/worker.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/atomic.h"
#include "common/doorbell.h"
#include "common/queue.h"
#include "storage-domain/counters.h"
#include "storage-domain/crew/workers.h"
#include "storage-domain/exec/post.h"
#include "storage-domain/roster.h"

#define LOOKS_PER_CLOCK 48 /* about a microsecond */
#define YIELDS 8           /* before a sleep */
#define QUICK_ENOUGH 64    /* calls in a row */
#define FLUSH_CALLS 64

#define NAP_PART 16          /* of the time without requests */
#define NAP_FIRST_NS 50000   /* and no less than this, */
#define NAP_LAST_NS 10000000 /* no more than this */

bool fc_worker_may_spin(struct fc_worker *w)
{
	return fc_licence_get(&w->licence);
}

void fc_worker_flush(struct fc_worker *w)
{
	fc_counters_move(&w->pool->s->slot->count, &w->exec.count);
}

/* Look for requests for as long as spinning pays; true if there are some. */
static bool spin(struct fc_worker *w)
{
	const struct fc_queue *q = &w->pool->s->area->queue;
	uint64_t start = fc_tsc(), prev = start, now, budget, gap;

	if (!w->spin.budget_ns || !fc_licence_get(&w->licence))
		return fc_queue_peek(q);
	budget = fc_tsc_from_ns(w->spin.budget_ns);
	gap = fc_tsc_from_ns(w->spin.cost->gap_ns);
	for (;;) {
		if (fc_queue_watch(q, LOOKS_PER_CLOCK)) {
			fc_spin_hit(&w->spin);
			w->exec.count.spin_hits++;
			return true;
		}
		if (fc_load_acquire(&w->pool->crew.stop))
			return false;
		if (fc_spin_policy == FC_SPIN_ALWAYS)
			continue;
		now = fc_tsc();
		if (now - prev > gap) {
			fc_spin_preempted(&w->spin);
			return false;
		}
		if (now - start > budget) {
			fc_spin_miss(&w->spin);
			return false;
		}
		prev = now;
	}
}

/* The same by giving the CPU away to the clients that are here. */
static bool yield(struct fc_worker *w)
{
	const struct fc_queue *q = &w->pool->s->area->queue;
	const bool few = w->served <= 1; /* clients that take turns with it */
	bool more = true;

	fc_licence_put(&w->licence);
	w->served = 0;
	if (fc_load(&w->pool->s->area->header.manner) != FC_YIELDING || w->pool->s->foreign)
		return false;
	for (uint32_t n = 0; more && n < YIELDS && !fc_load_acquire(&w->pool->crew.stop); n++) {
		more = fc_spin_yield(&w->spin);
		if (!fc_queue_peek(q))
			continue;
		fc_spin_came(&w->spin, few);
		if (few)
			fc_worker_move_apart(w); /* spinning for few beats changing places with them */
		return true;
	}
	fc_spin_in_vain(&w->spin);
	return false;
}

/* Look for requests for as long as that pays, one way or the other. */
static bool look(struct fc_worker *w)
{
	w->idle_since = fc_tsc();
	return spin(w) || yield(w);
}

/* Has this worker slept since it was asked last? One that was only preempted has not: its call is not one that blocks. */
static bool has_slept(struct fc_worker *w)
{
	struct rusage u;
	long before = w->sleeps;

	if (getrusage(RUSAGE_THREAD, &u))
		return true;
	w->sleeps = u.ru_nvcsw;
	return w->sleeps != before;
}

/* Count a finished call that took `ticks`. */
static void account(struct fc_worker *w, int64_t result, uint64_t ticks)
{
	bool eager = fc_load(&w->pool->crew.eager);

	w->exec.count.calls++;
	w->served++;
	if (result < 0)
		w->exec.count.errors++;
	if (w->exec.count.calls >= FLUSH_CALLS)
		fc_worker_flush(w);
	if (ticks > fc_tsc_from_ns(FC_STUCK_NS) && has_slept(w)) {
		w->quick = 0;
		if (!eager)
			fc_crew_set_eager(&w->pool->crew, true);
	} else if (eager && ++w->quick >= QUICK_ENOUGH) {
		w->quick = 0;
		fc_crew_set_eager(&w->pool->crew, false);
	}
}

static void take_identity(struct fc_worker *w)
{
	w->cred_generation = fc_cred_get(w->pool->s, &w->exec.cred);
	if (fc_cred_apply(&w->exec.cred))
		fc_shadow_poison(w->pool->s, "a worker could not take the client's identity");
}

/* The entry as the client wrote it, read once. */
static void copy_entry(struct fc_worker *w, const struct fc_entry *shared)
{
	struct fc_entry *e = &w->exec.e;

	fc_exec_fetch(e, shared, sizeof *e);
	if (e->state != FC_QUEUED && e->state != FC_ASLEEP)
		fc_shadow_poison(w->pool->s, "a queued entry is not in use");
}

static int64_t execute(struct fc_worker *w)
{
	int64_t r;

	do
		r = fc_execute(&w->exec);
	while (r == -EINTR && fc_signal_taken() && !fc_interrupted(w));
	if (r == -EINTR)
		w->exec.count.interrupts++;
	return r;
}

/* The process is about to end; nothing more is done for its client. At most the workers are waited for. */
static void stand_still(const struct fc_worker *w) __attribute__((cold));
static void stand_still(const struct fc_worker *w)
{
	while (!fc_load_acquire(&w->pool->crew.stop))
		nanosleep(&(struct timespec){ .tv_sec = 1 }, NULL);
}

void fc_worker_wake(struct fc_worker *w)
{
	const struct fc_shadow *s = w->pool->s;

	w->exec.count.wakeups += w->wakes;
	for (unsigned i = 0; i < w->wakes; i++)
		fc_entry_wake(s->bell, &s->area->entry[w->wake[i]]);
	w->wakes = 0;
}

/* A client that is woken wants this CPU or another one: first what is waiting is done. */
static void note_sleeper(struct fc_worker *w, unsigned index)
{
	if (!w->wakes)
		w->wake_since = fc_tsc();
	w->wake[w->wakes++] = (uint16_t)index;
}

static void wake_if_due(struct fc_worker *w)
{
	/* where calls block, none of them waits for the next one */
	if (w->wakes &&
	    (w->wakes == FC_WAKES_MAX || fc_load(&w->pool->crew.eager) || !fc_queue_peek(&w->pool->s->area->queue) ||
	     fc_tsc() - w->wake_since > fc_tsc_from_ns(FC_WAKE_NS)))
		fc_worker_wake(w);
}

static void run(struct fc_worker *w, unsigned index)
{
	struct fc_shadow *s = w->pool->s;
	struct fc_entry *shared = &s->area->entry[index];
	uint64_t start = fc_tsc();
	int64_t result;

	copy_entry(w, shared);
	w->exec.index = index;
	w->run = &w->pool->crew.run[index];
	if (w->cred_generation != fc_load_acquire(&s->cred_generation))
		take_identity(w);
	fc_call_begin(&w->member, w->run, fc_call_name(w->exec.e.nonce, index), (uint32_t)w->tid, start);
	if (w->exec.e.flags & FC_REQ_AFTER && !fc_posts_run(s, fc_post_by_number))
		fc_posts_flush(s);
	result = execute(w);
	if (fc_call_end(&w->member, w->run, shared, result))
		note_sleeper(w, index);
	if (fc_load(&w->member.stuck))
		fc_crew_unstick(&w->pool->crew, &w->member);
	account(w, result, fc_tsc() - start);
}

/* Serve until there is nothing to do for longer than spinning pays. */
static void serve(struct fc_worker *w)
{
	struct fc_shadow *s = w->pool->s;
	bool slept = true;
	int index;

	while (!fc_load_acquire(&w->pool->crew.stop)) {
		wake_if_due(w);
		if (!look(w))
			return;
		index = fc_call_take(&w->member, &s->area->queue);
		if (index == FC_QUEUE_EMPTY)
			continue;
		if (index < 0 || index >= (int)FC_ENTRIES)
			fc_shadow_poison(s, "the request queue is broken");
		if (slept)
			fc_spin_slept(&w->spin, fc_tsc_to_ns(fc_tsc() - w->idle_since));
		slept = false;
		if (fc_load_acquire(&s->cut_off)) {
			stand_still(w);
			return;
		}
		run(w, index);
	}
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/*
 * Sleep until there may be something to do. For a mute client a worker looks by itself, at times that are a part of how long there has been nothing: it comes
 * late by that part at most, and one that is idle for seconds costs a hundred looks in each.
 */
static void rest(struct fc_worker *w, uint32_t seen)
{
	struct fc_shadow *s = w->pool->s;
	struct fc_area_header *h = &s->area->header;
	uint64_t since, now, nap;

	if (!fc_load(&h->mute)) { /* after the bell was read; partner: be_mute() in the client's shelter.c */
		fc_worker_sleep(s->bell, h, &s->area->queue, seen);
		return;
	}
	since = now = now_ns();
	do {
		nap = (now - since) / NAP_PART;
		nap = nap < NAP_FIRST_NS ? NAP_FIRST_NS : nap > NAP_LAST_NS ? NAP_LAST_NS : nap;
		fc_worker_doze(s->bell, h, &s->area->queue, seen, now + nap);
		now = now_ns();
	} while (!fc_queue_peek(&s->area->queue) && fc_load_acquire(&h->bell) == seen &&
		 !fc_load_acquire(&w->pool->crew.stop));
}

void *fc_worker_main(void *arg)
{
	struct fc_worker *w = arg;
	struct fc_shadow *s = w->pool->s;
	struct fc_crew *crew = &w->pool->crew;

	w->tid = syscall(SYS_gettid);
	w->exec.s = s;
	w->exec.worker = w;
	fc_spin_init(&w->spin, w->pool->s->cost);
	fc_spin_init(&w->exec.stream_spin, w->pool->s->cost);
	/* with --spin always one for each session, whatever the others do */
	w->licence = fc_spin_policy == FC_SPIN_ALWAYS ? (struct fc_licensee){ &w->pool->spinner, 1, 1, false }
						      : fc_roster_licensee(s->shared);
	take_identity(w);
	for (;;) {
		uint32_t seen = fc_load_acquire(&s->area->header.bell);

		if (!fc_load_acquire(&crew->stop))
			rest(w, seen);
		if (fc_load_acquire(&crew->stop))
			break;
		(void)has_slept(w);
		fc_crew_wake(crew, &w->member);
		fc_worker_move_apart(w);
		serve(w);
		fc_worker_wake(w);
		fc_licence_put(&w->licence);
		w->exec.count.sleeps++;
		fc_worker_flush(w);
		if (!fc_crew_sleep(crew, &w->member))
			return NULL;
	}
	fc_crew_leave(crew, &w->member);
	return NULL;
}
