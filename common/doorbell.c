/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* doorbell.c - when to sleep and when to wake, see doorbell.h. How is the transport's (struct fc_bell). */
#include "common/doorbell.h"

void fc_bell_ring(const struct fc_bell *b, struct fc_area_header *h)
{
	fc_faa(&h->bell, 1);
	b->ops->wake_worker(b, &h->bell, 1);
}

void fc_worker_doze(const struct fc_bell *b, struct fc_area_header *h, const struct fc_queue *q, uint32_t bell_seen,
		    uint64_t deadline_ns)
{
	fc_fence(); /* credit before the last look at the queue; partner: fc_bell_needed */
	if (!fc_queue_peek(q))
		b->ops->wait(b, &h->bell, bell_seen, deadline_ns);
}

void fc_worker_sleep(const struct fc_bell *b, struct fc_area_header *h, const struct fc_queue *q, uint32_t bell_seen)
{
	fc_worker_doze(b, h, q, bell_seen, 0);
}

bool fc_entry_publish(struct fc_entry *e, int64_t result)
{
	fc_store(&e->result, result);
	return fc_xchg(&e->state, FC_DONE) == FC_ASLEEP;
}

void fc_entry_wake(const struct fc_bell *b, struct fc_entry *e)
{
	b->ops->wake_peer(b, &e->state, 1);
}

bool fc_entry_complete(const struct fc_bell *b, struct fc_entry *e, int64_t result)
{
	bool sleeps = fc_entry_publish(e, result);

	if (sleeps)
		fc_entry_wake(b, e);
	return sleeps;
}

int fc_entry_sleep(const struct fc_bell *b, struct fc_entry *e, uint64_t deadline_ns)
{
	if (!fc_cas(&e->state, FC_QUEUED, FC_ASLEEP) && fc_load_acquire(&e->state) != FC_ASLEEP)
		return 0;
	return b->ops->wait(b, &e->state, FC_ASLEEP, deadline_ns);
}

void fc_progress_publish(const struct fc_bell *b, struct fc_progress *mine, const struct fc_progress *peer)
{
	fc_store_release(&mine->chunks, fc_load(&mine->chunks) + 1);
	fc_fence(); /* chunks before reading asleep; partner: fc_progress_sleep */
	if (fc_load(&peer->asleep))
		b->ops->wake_peer(b, &mine->chunks, 1);
}

int fc_progress_sleep(const struct fc_bell *b, struct fc_progress *mine, const struct fc_progress *peer, uint32_t seen,
		      uint64_t deadline_ns)
{
	int r = 0;

	fc_store(&mine->asleep, 1);
	fc_fence(); /* asleep before the last look at chunks; partner: fc_progress_publish */
	if (fc_load(&peer->chunks) == seen)
		r = b->ops->wait(b, &peer->chunks, seen, deadline_ns);
	fc_store(&mine->asleep, 0);
	return r;
}
