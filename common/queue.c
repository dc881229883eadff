/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * queue.c - the request queue of queue.h: SCQ over struct fc_queue. Owns the slots and the three counters; knows nothing of
 * entries, sleeping or waking.
 *
 * A position (a value of head or tail) belongs to one slot (position mod FC_QUEUE_SLOTS, spread over the lines) and one
 * cycle (position div FC_QUEUE_SLOTS). A slot is one word: cycle | safe | index. Index NONE: vacant. An enqueuer that drew
 * position T fills the slot if it is of an older cycle, vacant, and safe; or else draws another position. A dequeuer that
 * drew H takes the element if the slot is of H's cycle. If the slot is older, nobody may fill it for H any more: a vacant
 * one is advanced to H's cycle, an occupied one (its own dequeuer is still on its way) loses its safe bit.
 *
 * Synchronization: which step decides between two operations that meet
 *
 *              | enqueue                      | dequeue                      | stopped anywhere
 *   -----------+------------------------------+------------------------------+--------------------------------------------
 *   enqueue    | FAA tail: distinct positions | CAS of the slot: filled      | its position is skipped by the others' CAS
 *              |                              | before it is skipped, or not | or, if filled, served like any other
 *   dequeue    | CAS of the slot, as above    | FAA head: distinct positions | its slot, still occupied, is marked unsafe
 *              |                              |                              | and passed over by enqueuers (n others free)
 *   peek,depth | loads only: no effect on anybody, except that a line becomes shared
 *
 * Barriers (x86: every read-modify-write is a full one)
 *   - CAS of the slot (enqueue) publishes the entry's contents; partner: the acquiring load of the slot (dequeue).
 *   - FAA tail before CAS of the slot (enqueue): so an element's position is below any tail read after it; partner: head is
 *     loaded before tail wherever "nothing there" is concluded (look): positions below that tail are then all drawn.
 *   - CAS of the slot before the load of threshold, and exchange, not store, to re-arm it (enqueue); partner: FAA of threshold
 *     after the slot was inspected (dequeue). An element that is in is therefore found before 3n-1 more misses.
 *
 * Lines: an enqueue writes tail and one slot line, a dequeue head and that slot line. Tail is read by the domain only when the
 * head slot is not ready, head by the client only for an unsafe slot; threshold stays shared by all until a dequeue misses.
 *
 * Differences from the paper: an enqueue first tries the value that the slot has if nothing unusual happened, instead of reading
 * it (one line transfer less). A dequeue of an empty queue only loads. Before it moves on over a position that an enqueuer has drawn
 * but not filled, it gives him a moment. When threshold has run out, and an element is in whose enqueuer was stopped before he
 * re-armed it, the dequeuer re-arms it for him. All loops are bounded, because the memory is a peer's.
 */
#include "common/queue.h"

#include "common/atomic.h"

#define INDEX_BITS (FC_ENTRY_ORDER + 1)
#define NONE ((uint64_t)FC_QUEUE_SLOTS - 1) /* all index bits set, so that one OR vacates a slot */
#define SAFE ((uint64_t)FC_QUEUE_SLOTS)
#define CYCLE_SHIFT (INDEX_BITS + 1)
#define CYCLE_MASK (~(uint64_t)0 >> CYCLE_SHIFT)

#define THRESHOLD (3 * (int64_t)FC_ENTRIES - 1)

/* Tries before the memory is declared broken. An honest enqueue or dequeue is disturbed by at most 3n misses for each element
 * that somebody else puts in meanwhile, and every one of them needs another thread at just that place: this many is not bad
 * luck. It takes less than a millisecond. */
#define TRIES_MAX (1u << 13)

/* Honest distance of tail before head: n elements, n enqueuers under way, and positions passed over because of at most n
 * occupied slots, for two laps at most: below 6n. */
#define AHEAD_MAX (16 * (uint64_t)FC_ENTRIES)

/* Looks at a head slot that is drawn but not filled, before a dequeue moves on: a running enqueuer needs a few line transfers. */
#ifndef FC_QUEUE_GRACE /* the interleaving checker needs no more than one */
#define FC_QUEUE_GRACE 32
#endif

#define SLOTS_PER_LINE_BITS 3

static inline uint64_t position_cycle(uint64_t position)
{
	return (position >> INDEX_BITS) & CYCLE_MASK;
}

/* Neighbouring positions live in different lines: rotate the slot number left by the bits that count slots in a line. */
static inline unsigned position_slot(uint64_t position)
{
	unsigned i = position & (FC_QUEUE_SLOTS - 1);

#if FC_ENTRY_ORDER + 1 > SLOTS_PER_LINE_BITS
	i = (i << SLOTS_PER_LINE_BITS | i >> (INDEX_BITS - SLOTS_PER_LINE_BITS)) & (FC_QUEUE_SLOTS - 1);
#endif
	return i;
}

static inline uint64_t slot_make(uint64_t cycle, uint64_t safe, uint64_t index)
{
	return cycle << CYCLE_SHIFT | safe | index;
}

static inline uint64_t slot_cycle(uint64_t slot)
{
	return slot >> CYCLE_SHIFT;
}

static inline bool slot_vacant(uint64_t slot)
{
	return (slot & NONE) == NONE;
}

void fc_queue_init(struct fc_queue *q)
{
	for (unsigned i = 0; i < FC_QUEUE_SLOTS; i++)
		fc_store(&q->slot[i], slot_make(0, SAFE, NONE));
	fc_store(&q->head, FC_QUEUE_SLOTS);
	fc_store(&q->tail, FC_QUEUE_SLOTS);
	fc_store(&q->threshold, -1);
}

int fc_queue_enqueue(struct fc_queue *q, uint32_t idx)
{
	unsigned tries = 0;

	if (idx >= FC_ENTRIES)
		return -1;
	while (tries < TRIES_MAX) {
		uint64_t t = fc_faa(&q->tail, 1);
		uint64_t cycle = position_cycle(t);
		uint64_t *slot = &q->slot[position_slot(t)];
		uint64_t seen = slot_make(cycle - 1, SAFE, NONE);

		while (tries++ < TRIES_MAX) {
			if (fc_cas(slot, seen, slot_make(cycle, SAFE, idx))) {
				if (fc_load(&q->threshold) != THRESHOLD)
					fc_xchg(&q->threshold, THRESHOLD);
				return 0;
			}
			seen = fc_load(slot);
			if (slot_cycle(seen) >= cycle || !slot_vacant(seen))
				break;
			/* unsafe: the dequeuer of this position may have passed already; head tells, if it has */
			if (!(seen & SAFE) && fc_load(&q->head) > t)
				break;
		}
	}
	return -1;
}

/* Dequeuers have drawn positions that no enqueuer has: move tail up, so that enqueuers need not draw them one by one. */
static void catch_up(struct fc_queue *q, uint64_t tail, uint64_t head)
{
	for (unsigned i = 0; i < FC_ENTRIES && tail < head; i++) {
		if (fc_cas(&q->tail, tail, head))
			return;
		head = fc_load(&q->head);
		tail = fc_load(&q->tail);
	}
}

/* What position h holds: an index, or FC_QUEUE_EMPTY once no enqueuer can fill it any more, or FC_QUEUE_BROKEN. */
static int slot_take(uint64_t *slot, uint64_t cycle, unsigned *tries)
{
	while ((*tries)++ < TRIES_MAX) {
		uint64_t seen = fc_load_acquire(slot);
		uint64_t next;

		if (slot_cycle(seen) == cycle) {
			if ((seen & NONE) >= FC_ENTRIES)
				return FC_QUEUE_BROKEN;
			fc_fetch_or(slot, NONE);
			return (int)(seen & NONE);
		}
		if (slot_cycle(seen) > cycle)
			return FC_QUEUE_EMPTY;
		if (slot_vacant(seen))
			next = slot_make(cycle, seen & SAFE, NONE);
		else
			next = seen & ~SAFE;
		if (next == seen || fc_cas(slot, seen, next))
			return FC_QUEUE_EMPTY;
	}
	return FC_QUEUE_BROKEN;
}

static inline bool filled(const struct fc_queue *q, uint64_t position)
{
	return slot_cycle(fc_load_acquire(&q->slot[position_slot(position)])) == position_cycle(position);
}

static inline bool too_far_ahead(uint64_t tail, uint64_t head)
{
	return tail > head && tail - head > AHEAD_MAX;
}

enum look { NOTHING, DRAWN, READY }; /* the oldest position: not drawn by any enqueuer, drawn but not filled, filled */

static inline enum look look(const struct fc_queue *q)
{
	uint64_t h = fc_load_acquire(&q->head);

	if (filled(q, h))
		return READY;
	return fc_load_acquire(&q->tail) <= h ? NOTHING : DRAWN;
}

/* For when the threshold has run out: whether any position between head and tail is filled. */
static bool any_filled(const struct fc_queue *q)
{
	uint64_t h = fc_load_acquire(&q->head);
	uint64_t end = fc_load_acquire(&q->tail);

	if (too_far_ahead(end, h))
		return true; /* broken; dequeue says so */
	for (; h < end; h++)
		if (filled(q, h))
			return true;
	return false;
}

int fc_queue_dequeue(struct fc_queue *q)
{
	enum look found = look(q);
	unsigned tries = 0;

	for (unsigned i = 0; found == DRAWN && i < FC_QUEUE_GRACE; i++) {
		fc_pause();
		found = look(q);
	}
	if (found == NOTHING)
		return FC_QUEUE_EMPTY;
	if (found == DRAWN && fc_load(&q->threshold) < 0) {
		if (!any_filled(q))
			return FC_QUEUE_EMPTY;
		fc_xchg(&q->threshold, THRESHOLD);
	}
	while (tries < TRIES_MAX) {
		uint64_t h = fc_faa(&q->head, 1);
		int r = slot_take(&q->slot[position_slot(h)], position_cycle(h), &tries);
		uint64_t tail;

		if (r != FC_QUEUE_EMPTY)
			return r;
		tail = fc_load_acquire(&q->tail);
		if (tail <= h + 1) {
			catch_up(q, tail, h + 1);
			fc_faa(&q->threshold, -1);
			return FC_QUEUE_EMPTY;
		}
		if (too_far_ahead(tail, fc_load(&q->head)))
			return FC_QUEUE_BROKEN;
		if (fc_faa(&q->threshold, -1) <= 0)
			return FC_QUEUE_EMPTY;
	}
	return FC_QUEUE_BROKEN;
}

bool fc_queue_peek(const struct fc_queue *q)
{
	switch (look(q)) {
	case NOTHING:
		return false;
	case READY:
		return true;
	default:
		return fc_load(&q->threshold) >= 0 || any_filled(q);
	}
}

bool fc_queue_watch(const struct fc_queue *q, unsigned looks)
{
	while (looks--) {
		if (filled(q, fc_load_acquire(&q->head)))
			return true;
		fc_pause();
	}
	return fc_queue_peek(q);
}

unsigned fc_queue_depth(const struct fc_queue *q)
{
	int64_t depth = (int64_t)(fc_load(&q->tail) - fc_load(&q->head));

	return depth < 0 ? 0 : depth > (int64_t)FC_ENTRIES ? FC_ENTRIES : (unsigned)depth;
}
