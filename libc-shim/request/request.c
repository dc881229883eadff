/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* request.c - the life of a request, as request.h draws it. */
#include "common/atomic.h"
#include "common/doorbell.h"
#include "common/queue.h"
#include "libc-shim/request/request.h"

#include <errno.h>
#include <sys/syscall.h>

#define ABANDON_WAIT_NS 50000000ull

/* Has the domain let go of it, or never had it? */
static bool is_over(const struct shim_requests *q, int i)
{
	const struct fc_request_area *area = q->area;
	uint32_t state = area ? fc_load_acquire(&area->entry[i].state) : FC_FREE;

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

/* Not if it is not the owner's any more: a handler may have come in between, and done the same. */
static void orphan(struct shim_requests *q, int i, shim_owner owner)
{
	if (fc_cas(&q->slot[i].owner, owner, SHIM_NOBODY))
		fc_store(&q->forgotten, 1u);
}

/* A descriptor has come that nobody will ever know: the same slot carries it back. */
static void close_opened(struct shim_requests *q, int i, shim_owner owner, int64_t fd)
{
	const struct shim_request r = { q, i };
	const uint64_t arg[6] = { (uint64_t)fd };

	shim_request_fill(&r, SYS_close, arg, false);
	shim_requests_submit(&r, 1);
	orphan(q, i, owner);
}

#define LEFT (1u << 31)

static int left(uint32_t uses)
{
	return uses & LEFT ? (int)(uses & ~LEFT) - 1 : -1;
}

/* Whoever had it uses nothing any more. What was left to him the next owner finds. */
static void unuse(struct shim_slot *slot)
{
	for (unsigned k = 0; k < SHIM_USES; k++) {
		uint32_t uses = fc_load(&slot->uses[k]);

		if (uses && !(uses & LEFT))
			fc_cas(&slot->uses[k], uses, 0u);
	}
}

/* The domain has never heard of the request that was to be interrupted: the jump came before it was in the queue. Whoever else has asked
 * about it may have been told so, too. */
static void free_unheard(struct shim_requests *q, int i, uint32_t nonce)
{
	if (fc_load(&q->slot[i].nonce) != nonce || fc_load(&q->slot[i].owner) != SHIM_NOBODY)
		return;
	fc_store(&q->slot[i].sent, 0u);
	fc_cas(&q->area->entry[i].state, FC_QUEUED, FC_FREE);
}

/* Slot i, which nobody waits for, is the caller's now, and the domain has let go of it. Make it as good as new; false: it is still
 * needed. */
static bool clear(struct shim_requests *q, int i, shim_owner owner)
{
	struct shim_slot *slot = &q->slot[i];
	const bool answered = fc_load_acquire(&q->area->entry[i].state) == FC_DONE;
	const int64_t result = q->area->entry[i].result;

	if (slot->about && result == -ENOENT)
		free_unheard(q, slot->about - 1, slot->about_nonce);
	slot->about = 0;
	unuse(slot);
	if (slot->opens && answered && result >= 0) {
		close_opened(q, i, owner, result & ~(int64_t)FC_OPENED_PIPE);
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
	if (!is_over(q, i) || !fc_cas(&slot->owner, had, owner))
		return false;
	if (!is_over(q, i)) { /* between the two it was somebody else's, who has forgotten another request in it */
		orphan(q, i, owner);
		return false;
	}
	return clear(q, i, owner);
}

/* One of the first `most`. */
static int take_among(struct shim_requests *q, unsigned most, shim_owner owner, uint16_t *hint)
{
	for (unsigned round = 0; shim_requests_open(q); round++) {
		for (unsigned n = 0; n < FC_ENTRIES; n++) {
			unsigned i = (*hint + n) % FC_ENTRIES;

			if (i >= most || !try_take(q, (int)i, owner, round > 0))
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

int shim_request_take(struct shim_requests *q, shim_owner owner, uint16_t *hint)
{
	return take_among(q, FC_ENTRIES - SHIM_MESSENGERS, owner, hint);
}

void shim_request_fill(const struct shim_request *r, unsigned nr, const uint64_t arg[6], bool opens)
{
	struct fc_entry *e = shim_entry_of(r);
	struct shim_slot *slot = shim_slot_of(r);
	const uint32_t nonce = fc_load(&slot->nonce) + 1;

	fc_store(&slot->nonce, nonce);
	slot->opens = opens;
	slot->interrupted = false;
	e->nr = (uint16_t)nr;
	e->flags = (uint16_t)((opens ? FC_REQ_HANDS : 0) | (fc_load(&r->of->posting) ? FC_REQ_AFTER : 0));
	e->nonce = nonce;
	e->thread = 0;
	for (int i = 0; i < 6; i++)
		e->arg[i] = arg[i];
}

void shim_request_number(const struct shim_request *r, int number)
{
	struct fc_entry *e = shim_entry_of(r);

	e->flags |= FC_REQ_NUMBERED;
	e->arg[5] = (uint32_t)number;
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

bool shim_requests_few(const struct shim_requests *q)
{
	return !more_in_flight(q, 1);
}

int shim_request_use(const struct shim_request *r, unsigned which, int descriptor)
{
	return left(fc_xchg(&shim_slot_of(r)->uses[which], (uint32_t)descriptor + 1));
}

/* All before any is closed: they may be the same one. */
void shim_request_let_go(const struct shim_request *r, int has_left[SHIM_USES])
{
	struct shim_slot *slot = shim_slot_of(r);

	for (unsigned k = 0; k < SHIM_USES; k++)
		has_left[k] = fc_load(&slot->uses[k]) ? left(fc_xchg(&slot->uses[k], 0u)) : -1;
}

bool shim_request_interrupted(const struct shim_request *r)
{
	return shim_slot_of(r)->interrupted;
}

static bool leave(struct shim_slot *slot, uint32_t uses)
{
	for (unsigned k = 0; k < SHIM_USES; k++)
		if (fc_load(&slot->uses[k]) == uses && fc_cas(&slot->uses[k], uses, uses | LEFT))
			return true;
	return false;
}

bool shim_requests_leave(struct shim_requests *q, int descriptor)
{
	const uint32_t used = fc_load(&q->used), uses = (uint32_t)descriptor + 1;

	for (uint32_t i = 0; i < used && i < FC_ENTRIES; i++) {
		const shim_owner owner = fc_load(&q->slot[i].owner);

		if (owner && owner != SHIM_NOBODY && leave(&q->slot[i], uses))
			return true;
	}
	return false;
}

void shim_requests_submit(const struct shim_request r[], unsigned n)
{
	struct shim_requests *q = r->of;
	struct fc_request_area *area = q->area;
	uint32_t credit;

	if (__builtin_expect(q->gone, 0))
		return;
	for (unsigned i = 0; i < n; i++) {
		fc_store(&q->slot[r[i].slot].sent, 1u);
		fc_store_release(&area->entry[r[i].slot].state, FC_QUEUED);
		if (fc_queue_enqueue(&area->queue, (uint32_t)r[i].slot) < 0)
			return shim_requests_fail(q, "the request queue is damaged");
	}
	credit = fc_bell_credit(&area->header);
	if (credit < FC_ENTRIES && more_in_flight(q, credit))
		fc_bell_ring(&q->bell, &area->header);
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

void shim_request_forget(const struct shim_request *r, shim_owner owner)
{
	orphan(r->of, r->slot, owner);
}

/* The request that carries the wish is in *m: to be waited for or forgotten. */
static bool ask_to_interrupt(const struct shim_request *r, uint32_t nonce, shim_owner owner, struct shim_request *m)
{
	struct shim_requests *q = r->of;
	const uint64_t arg[6] = { (uint64_t)r->slot, nonce };
	uint16_t hint = (uint16_t)r->slot;

	m->of = q;
	m->slot = take_among(q, FC_ENTRIES, owner, &hint);
	if (m->slot < 0)
		return false;
	shim_slot_of(m)->about_nonce = nonce;
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

	if (!ask_to_interrupt(r, fc_load(&shim_slot_of(r)->nonce), owner, &m))
		return false;
	shim_request_forget(&m, owner);
	return true;
}

void shim_request_abandon(const struct shim_request *r, shim_owner owner)
{
	struct shim_requests *q = r->of;
	const uint32_t nonce = fc_load(&shim_slot_of(r)->nonce);
	struct shim_request m;

	if (fc_load(&shim_slot_of(r)->owner) != owner)
		return; /* a handler was here before, and nobody knows whose it is now */
	if (q->area && shim_requests_open(q) && !is_over(q, r->slot) && ask_to_interrupt(r, nonce, owner, &m)) {
		/* From here on the application may count on the call being over: a read must not take what comes later. Bounded,
		 * for it may be one that nothing interrupts. */
		uint64_t deadline = shim_now_ns() + ABANDON_WAIT_NS;
		while (!is_over(q, m.slot) && shim_now_ns() < deadline)
			fc_entry_sleep(&q->bell, &q->area->entry[m.slot], deadline);
		shim_request_forget(&m, owner);
	}
	shim_request_forget(r, owner);
}

void shim_requests_abandon(struct shim_requests *q, shim_owner owner)
{
	const uint32_t used = fc_load(&q->used);

	for (uint32_t i = 0; i < used && i < FC_ENTRIES; i++)
		if (fc_load(&q->slot[i].owner) == owner)
			shim_request_abandon(&(struct shim_request){ q, (int)i }, owner);
}

void shim_requests_reclaim(struct shim_requests *q, shim_owner owner, bool look_for_dead)
{
	const uint32_t used = fc_load(&q->used);

	fc_store(&q->forgotten, 0u);
	for (uint32_t i = 0; i < used && i < FC_ENTRIES; i++) {
		shim_owner had = fc_load(&q->slot[i].owner);

		if (had && had != owner && try_take(q, (int)i, owner, look_for_dead))
			shim_request_finish(&(struct shim_request){ q, (int)i });
		else if (had == SHIM_NOBODY)
			fc_store(&q->forgotten, 1u);
	}
}
