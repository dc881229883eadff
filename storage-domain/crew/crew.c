/* SPDX-License-Identifier: GPL-2.0-or-later */
/* crew.c - see crew.h. Nothing of the system is used here, so that the interleaving checker runs it as it is. */
#include "storage-domain/crew/crew.h"

#include "common/atomic.h"
#include "common/spin.h"

/* ---- credit: all under the lock ---- */

static void publish_credit(struct fc_crew *c)
{
	fc_credit_publish(&c->area->header, &c->count, fc_load(&c->eager));
	fc_crew_show(c);
}

static void set_stuck(struct fc_crew *c, struct fc_member *m, bool stuck)
{
	if (fc_load(&m->stuck) == stuck)
		return;
	fc_store(&m->stuck, stuck);
	c->count.stuck += stuck ? 1 : -1;
}

/* Notice who has been in one call for too long to be counted on. */
static void find_stuck(struct fc_crew *c)
{
	uint64_t now = fc_tsc(), limit = fc_tsc_from_ns(FC_STUCK_NS);

	for (unsigned i = 0; i < FC_ENTRIES && c->member[i]; i++) {
		struct fc_member *m = c->member[i];
		uint64_t since;

		if (m->asleep || !m->live)
			continue;
		since = fc_load(&m->busy_since);
		if (since && now > since + limit)
			set_stuck(c, m, true);
	}
}

/* This worker will not look at the queue again, and has lowered the credit: somebody else must, if there is something. */
static void hand_over(struct fc_crew *c)
{
	fc_fence(); /* credit before the look at the queue; partner: fc_bell_needed */
	if (fc_queue_peek(&c->area->queue))
		fc_bell_ring(c->bell, &c->area->header);
}

static void discharge(struct fc_crew *c, struct fc_member *m)
{
	m->live = false;
	c->count.live--;
	fc_crew_discharged(c);
}

/* ---- a worker's changes ---- */

void fc_crew_enlist(struct fc_crew *c, struct fc_member *m)
{
	m->asleep = m->live = true;
	c->count.live++;
}

void fc_crew_block(struct fc_crew *c, struct fc_member *m)
{
	bool none_ready;

	fc_crew_lock(c);
	set_stuck(c, m, true);
	find_stuck(c);
	publish_credit(c);
	none_ready = c->count.awake == c->count.stuck;
	fc_crew_unlock(c);
	if (none_ready)
		hand_over(c);
}

void fc_crew_unstick(struct fc_crew *c, struct fc_member *m)
{
	fc_crew_lock(c);
	set_stuck(c, m, false);
	publish_credit(c);
	fc_crew_unlock(c);
}

bool fc_crew_sleep(struct fc_crew *c, struct fc_member *m)
{
	bool leave;

	fc_crew_lock(c);
	set_stuck(c, m, false);
	m->asleep = true;
	c->count.awake--;
	leave = c->count.live - c->count.awake > c->asleep_max;
	if (leave)
		discharge(c, m);
	find_stuck(c);
	publish_credit(c);
	fc_crew_unlock(c);
	if (leave)
		hand_over(c);
	return !leave;
}

void fc_crew_wake(struct fc_crew *c, struct fc_member *m)
{
	fc_crew_lock(c);
	m->asleep = false;
	c->count.awake++;
	find_stuck(c);
	if (c->count.awake == c->count.live && !fc_load(&c->stop))
		fc_crew_spare(c); /* no spare left; if it fails, the next one to wake tries again */
	publish_credit(c);
	fc_crew_unlock(c);
}

void fc_crew_leave(struct fc_crew *c, struct fc_member *m)
{
	fc_crew_lock(c);
	discharge(c, m);
	publish_credit(c);
	fc_crew_unlock(c);
}

void fc_crew_set_eager(struct fc_crew *c, bool eager)
{
	fc_crew_lock(c);
	fc_store(&c->eager, eager);
	publish_credit(c);
	fc_crew_unlock(c);
}

/* The queue is a FIFO: whoever has taken the earlier request said so before we took ours (fc_call_take), and says `call` until it
 * is over. */
bool fc_crew_has(struct fc_crew *c, const struct fc_member *but, uint64_t call)
{
	bool has = false;

	fc_crew_lock(c);
	for (unsigned i = 0; i < FC_ENTRIES && c->member[i] && !has; i++) {
		uint64_t its = fc_load_acquire(&c->member[i]->call);

		has = c->member[i] != but && (its == FC_CALL_NEXT || its == call);
	}
	fc_crew_unlock(c);
	return has;
}
