/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worker.h - the domain's side of the models: workers that serve the queue with the shipped crew.c, credit.c and call.h. What worker.c
 * and workers.c add to them is here: the loop, threads that are there from the beginning and wait to be hired, a lock. What a request does
 * is the model's: execute().
 *
 * Whoever gets the crew's lock counts: the counts are right, and the client has been told.
 */
#ifndef FC_MODEL_WORKER_H
#define FC_MODEL_WORKER_H

#include "storage-domain/crew/crew.h"
#include "tests/model/explore.h"

#define WORKERS 3

/* shared->word; the model's own come behind. HIRED + i: 0 not yet, 1, or FIRED */
enum { FINISHED, LOCK, READY, HIRED, MODEL_OWN_WORDS = HIRED + WORKERS };
enum { FIRED = 2 };

struct model_crew {
	struct fc_crew crew;
	struct fc_member member[WORKERS];
	uint32_t hireable, discharged;
};

/* behind the model's own */
#define OWN_ROOM (MODEL_OWN - (sizeof(struct model_crew) + 63) / 64 * 64)
#define model_crew() ((struct model_crew *)(void *)(shared->own + OWN_ROOM))
#define the_crew() (&model_crew()->crew)
_Static_assert(MODEL_OWN % 64 == 0 && sizeof(struct model_crew) <= MODEL_OWN, "MODEL_OWN");

/* The result of a request. */
static int64_t execute(struct fc_member *m, const struct fc_entry *e);

/* ---- what crew.c needs ---- */

uint32_t fc_tsc_per_us = 1;

static void count_again(const struct fc_crew *c)
{
	struct fc_crew_count n = { 0 };

	for (int i = 0; i < (int)FC_ENTRIES && c->member[i]; i++) {
		const struct fc_member *m = c->member[i];

		n.live += m->live;
		n.awake += m->live && !m->asleep;
		n.stuck += m->live && m->stuck;
		model_check(!m->live || !m->asleep || !m->stuck, "asleep, but counted as stuck");
	}
	model_check(n.live == c->count.live && n.awake == c->count.awake && n.stuck == c->count.stuck, "miscounted");
	model_check(model_header()->credit == fc_credit_of(&n, c->eager),
		    "the credit is not what the workers are worth");
	model_check(n.live - n.awake <= c->asleep_max || c->stop, "more asleep than there should be");
}

void fc_crew_lock(struct fc_crew *c)
{
	do
		model_await(&shared->word[LOCK], 0);
	while (!fc_cas(&shared->word[LOCK], 0u, 1u));
	count_again(c); /* whoever had it before has let go of all its stores */
}

void fc_crew_unlock(struct fc_crew *c)
{
	(void)c;
	fc_store_release(&shared->word[LOCK], 0);
}

static void enlist(int i, bool asleep)
{
	struct fc_crew *c = the_crew();
	struct fc_member *m = &model_crew()->member[i];

	m->call = FC_CALL_NONE;
	c->member[i] = m;
	fc_crew_enlist(c, m);
	m->asleep = asleep;
	c->count.awake += !asleep;
}

void fc_crew_spare(struct fc_crew *c)
{
	uint32_t i = c->count.live;

	if (!model_crew()->hireable)
		return;
	model_crew()->hireable--;
	enlist((int)i, true);
	fc_xchg(&shared->word[HIRED + i], 1u);
}

void fc_crew_discharged(struct fc_crew *c)
{
	(void)c;
	model_crew()->discharged++;
}

void fc_crew_show(struct fc_crew *c)
{
	(void)c;
}

/* ---- workers ---- */

static void run(struct fc_member *m, int idx)
{
	struct fc_entry *e = &shared->area.entry[idx];
	struct fc_run *r = &the_crew()->run[idx];
	uint32_t tid = 1 + (uint32_t)(m - model_crew()->member);

	model_check(fc_load(&e->state) == FC_QUEUED || fc_load(&e->state) == FC_ASLEEP, "served, but not asked");
	fc_call_begin(m, r, fc_call_name(e->nonce, (uint32_t)idx), tid, model_now());
	if (fc_call_end(m, r, e, execute(m, e)))
		fc_entry_wake(&fc_bell_local, e);
	if (fc_load(&m->stuck)) {
		fc_crew_unstick(the_crew(), m);
		model_check(!fc_load(&m->stuck), "stuck in a call that is over");
	}
}

static void serve(struct fc_member *m)
{
	while (!fc_load_acquire(&the_crew()->stop) && fc_queue_peek(&shared->area.queue)) {
		int idx = fc_call_take(m, &shared->area.queue);

		model_check(idx != FC_QUEUE_BROKEN, "dequeue calls the queue broken");
		if (idx >= 0)
			run(m, idx);
	}
}

static void worker_main(int i)
{
	struct fc_crew *c = the_crew();
	struct fc_member *m = &model_crew()->member[i];
	bool awake;

	model_await_not(&shared->word[HIRED + i], 0);
	if (shared->word[HIRED + i] == FIRED)
		return;
	for (awake = !m->asleep;; awake = false) {
		if (!awake) {
			uint32_t seen = fc_load_acquire(&model_header()->bell);

			if (fc_load_acquire(&c->stop))
				break;
			fc_worker_sleep(&fc_bell_local, model_header(), &shared->area.queue, seen);
			fc_crew_wake(c, m);
		}
		serve(m);
		if (!fc_crew_sleep(c, m))
			return;
	}
	fc_crew_leave(c, m);
}

static inline void worker(void)
{
	worker_main(0);
}

static inline void worker_1(void)
{
	worker_main(1);
}

static inline void worker_2(void)
{
	worker_main(2);
}

/* The last client to finish stops the workers: as a session's end does. */
static void client_ends(uint32_t clients)
{
	if (fc_faa(&shared->word[FINISHED], 1u) + 1 != clients)
		return;
	fc_xchg(&the_crew()->stop, 1u);
	for (int i = 0; i < WORKERS; i++)
		fc_cas(&shared->word[HIRED + i], 0u, FIRED);
	fc_faa(&model_header()->bell, 1u);
	fc_futex_wake(&model_header()->bell, WORKERS);
}

/* ---- before and after ---- */

/* In the setup: the first `awake` workers are up, `asleep` more asleep, and `hireable` others may be made. */
static void crew_begin(int awake, int asleep, uint32_t hireable, bool eager)
{
	struct fc_crew *c = the_crew();

	*c = (struct fc_crew){ .area = &shared->area, .bell = &fc_bell_local, .eager = eager, .asleep_max = WORKERS };
	for (int i = 0; i < awake + asleep; i++) {
		enlist(i, i >= awake);
		shared->word[HIRED + i] = 1;
	}
	model_crew()->hireable = hireable;
	model_header()->credit = fc_credit_of(&c->count, eager);
	shared->word[READY] = 1;
	model_advance_all();
}

/* All have left, and each has been counted off once. */
static inline void crew_ended(void)
{
	const struct fc_crew *c = the_crew();
	uint32_t hired = 0;

	for (int i = 0; i < WORKERS; i++)
		hired += shared->word[HIRED + i] == 1;
	model_check(!c->count.live && !c->count.awake && !c->count.stuck, "miscounted at the end");
	model_check(model_crew()->discharged == hired, "somebody is paid for who has left, or not paid for");
}

#endif
