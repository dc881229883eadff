/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* request.c - the life of a request, as request.h draws it. */
#include "libc-shim/request/request.h"

#include <errno.h>
#include <sys/syscall.h>

#include "common/queue.h"

#define ABANDON_WAIT_NS 50000000ull

/* Has the domain let go of it, or never had it? */
static bool is_over(const struct shim_requests *q, int i)
{
	uint32_t state = fc_load_acquire(&q->area->entry[i].state);

	return state == FC_DONE || state == FC_FREE;
}

/* The call in slot i is over: the entry is ours again. */
static void set_over(struct shim_requests *q, int i)
{
	fc_store(&q->slot[i].sent, 0u);
	fc_store(&q->area->entry[i].state, FC_FREE);
}

static void note_used(struct shim_requests *q, uint32_t i)
{
	uint32_t used;

	while ((used = fc_load(&q->used)) <= i)
		fc_cas(&q->used, used, i + 1);
}

static void orphan(struct shim_requests *q, int i)
{
	fc_store_release(&q->slot[i].owner, SHIM_NOBODY);
	fc_store(&q->forgotten, 1u);
}

/* A descriptor has come that nobody will ever know: the same slot carries it back. */
static void close_opened(struct shim_requests *q, int i, int64_t fd)
{
	const struct shim_request r = { q, i };
	const uint64_t arg[6] = { (uint64_t)fd };

	shim_request_fill(&r, SYS_close, arg, false);
	shim_requests_submit(&r, 1);
	orphan(q, i);
}

/* Slot i, which nobody waits for, is the caller's now, and the domain has let go of it. Make it as good as new; false: it is still
 * needed. */
static bool clear(struct shim_requests *q, int i)
{
	struct shim_slot *slot = &q->slot[i];
	const bool answered = fc_load_acquire(&q->area->entry[i].state) == FC_DONE;
	const int64_t result = q->area->entry[i].result;
	const int about = slot->about;

	slot->about = 0;
	if (about && result == -ENOENT)
		set_over(q, about - 1); /* the jump came before the call was in the queue */
	if (slot->opens && answered && result >= 0) {
		close_opened(q, i, result);
		return false;
	}
	set_over(q, i);
	shim_buffers_free(q, i);
	return true;
}

/* Take slot i if it is free, or if whoever had it is gone and the domain has let go of it. */
static bool try_take(struct shim_requests *q, int i, shim_owner owner, bool look_for_dead)
{
	struct shim_slot *slot = &q->slot[i];
	shim_owner had = fc_load(&slot->owner);

	if (__builtin_expect(!had, 1))
		return fc_cas(&slot->owner, 0u, owner);
	if (had != SHIM_NOBODY && (!look_for_dead || had == owner || shim_owner_alive(had)))
		return false;
	return is_over(q, i) && fc_cas(&slot->owner, had, owner) && clear(q, i);
}

int shim_request_take(struct shim_requests *q, shim_owner owner, uint16_t *hint)
{
	for (unsigned round = 0; shim_requests_open(q); round++) {
		for (unsigned n = 0; n < FC_ENTRIES; n++) {
			unsigned i = (*hint + n) % FC_ENTRIES;

			if (!try_take(q, (int)i, owner, round > 0))
				continue;
			*hint = (uint16_t)i;
			if (i >= fc_load(&q->used))
				note_used(q, i);
			return (int)i;
		}
		if (!shim_wait_for_room(q, round))
			break;
	}
	return -EIO;
}

void shim_request_fill(const struct shim_request *r, unsigned nr, const uint64_t arg[6], bool opens)
{
	struct fc_entry *e = shim_entry_of(r);
	struct shim_slot *slot = shim_slot_of(r);

	slot->opens = opens;
	e->nr = (uint16_t)nr;
	e->flags = 0;
	e->nonce = ++slot->nonce;
	e->thread = 0;
	for (int i = 0; i < 6; i++)
		e->arg[i] = arg[i];
}

/* Are more calls in flight than `n`? Of two that ask at once, after they have sent theirs, at least one counts both. */
static bool more_in_flight(const struct shim_requests *q, uint32_t n)
{
	const uint32_t used = fc_load(&q->used);
	uint32_t count = 0;

	for (uint32_t i = 0; i < used && i < FC_ENTRIES; i++)
		if (fc_load(&q->slot[i].sent) && ++count > n)
			return true;
	return false;
}

void shim_requests_submit(const struct shim_request r[], unsigned n)
{
	struct shim_requests *q = r->of;
	uint32_t credit;

	for (unsigned i = 0; i < n; i++) {
		fc_store(&q->slot[r[i].slot].sent, 1u);
		fc_store_release(&q->area->entry[r[i].slot].state, FC_QUEUED);
		if (fc_queue_enqueue(&q->area->queue, (uint32_t)r[i].slot) < 0)
			return shim_requests_fail(q, "the request queue is damaged");
	}
	credit = fc_bell_credit(&q->area->header);
	if (credit < FC_ENTRIES && more_in_flight(q, credit))
		fc_bell_ring(&q->bell, &q->area->header);
}

void shim_request_settled(const struct shim_request *r)
{
	shim_slot_of(r)->opens = false;
}

void shim_request_finish(const struct shim_request *r)
{
	struct shim_slot *slot = shim_slot_of(r);

	slot->opens = false;
	if (__builtin_expect(slot->extra != 0, 0))
		shim_buffers_free(r->of, r->slot);
	fc_store_release(&slot->owner, 0u);
	shim_room(r->of);
}

void shim_request_forget(const struct shim_request *r)
{
	orphan(r->of, r->slot);
}

/* The request that carries the wish is in *m: to be waited for or forgotten. */
static bool ask_to_interrupt(const struct shim_request *r, shim_owner owner, struct shim_request *m)
{
	struct shim_requests *q = r->of;
	const uint64_t arg[6] = { (uint64_t)r->slot, q->slot[r->slot].nonce };
	uint16_t hint = (uint16_t)r->slot;

	m->of = q;
	m->slot = shim_request_take(q, owner, &hint);
	if (m->slot < 0)
		return false;
	shim_slot_of(m)->about = (uint16_t)(r->slot + 1);
	shim_request_fill(m, FC_NR_INTERRUPT, arg, false);
	shim_requests_submit(m, 1);
	/* whatever the credit: it does not count on calls that turned out to block */
	fc_bell_ring(&q->bell, &q->area->header);
	return true;
}

bool shim_request_interrupt(const struct shim_request *r, shim_owner owner)
{
	struct shim_request m;

	if (!ask_to_interrupt(r, owner, &m))
		return false;
	shim_request_forget(&m);
	return true;
}

void shim_request_abandon(const struct shim_request *r, shim_owner owner)
{
	struct shim_requests *q = r->of;
	struct shim_request m;

	if (q->area && shim_requests_open(q) && !is_over(q, r->slot) && ask_to_interrupt(r, owner, &m)) {
		/* From here on the application may count on the call being over: a read must not take what comes later. Bounded,
		 * for it may be one that nothing interrupts. */
		uint64_t deadline = shim_now_ns() + ABANDON_WAIT_NS;
		while (!is_over(q, m.slot) && shim_now_ns() < deadline)
			fc_entry_sleep(&q->bell, &q->area->entry[m.slot], deadline);
		shim_request_forget(&m);
	}
	shim_request_forget(r);
}

void shim_requests_abandon(struct shim_requests *q, shim_owner owner)
{
	const uint32_t used = fc_load(&q->used);

	for (uint32_t i = 0; i < used && i < FC_ENTRIES; i++)
		if (fc_load(&q->slot[i].owner) == owner)
			shim_request_abandon(&(struct shim_request){ q, (int)i }, owner);
}

void shim_requests_reclaim(struct shim_requests *q, shim_owner owner)
{
	const uint32_t used = fc_load(&q->used);

	fc_store(&q->forgotten, 0u);
	for (uint32_t i = 0; i < used && i < FC_ENTRIES; i++) {
		shim_owner had = fc_load(&q->slot[i].owner);

		if (had && had != owner && try_take(q, (int)i, owner, true))
			shim_request_finish(&(struct shim_request){ q, (int)i });
		else if (had == SHIM_NOBODY)
			fc_store(&q->forgotten, 1u);
	}
}
