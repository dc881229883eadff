/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * data.c - buffers in the data area: chunks of FC_CHUNK bytes, each with the entry that has it, in private memory. Each request
 * entry keeps the chunk it got first, so that a thread, which comes back to the same entry, has its own; larger calls take
 * extra chunks and give them back at their end. Lock-free, so that signal handlers may call in at any point.
 */
#include "common/atomic.h"
#include "libc-shim/request/request.h"
#include "libc-shim/session/data.h"
#include "libc-shim/session/session.h"
#include "libc-shim/shim.h"

#define NAPS_BEFORE_SHRINKING 32  /* sleeps in which half of the data area was not needed */
#define PATIENCE_NS 1000000000ull /* for a full data area, before a call fails with ENOMEM */

#define TAKEN UINT16_MAX /* the owner of a chunk that is going */

/* A free chunk for the entry, looked for from `from` on and then below. */
static int chunk_try(struct shim_session *s, int entry, uint32_t from)
{
	uint32_t chunks = fc_load_acquire(&s->chunks);

	for (uint32_t n = 0; n < chunks; n++) {
		uint32_t i = from + n < chunks ? from + n : from + n - chunks;

		if (fc_load(&s->chunk_owner[i]) || !fc_cas(&s->chunk_owner[i], 0, (uint16_t)(entry + 1)))
			continue;
		if (unlikely(i > fc_load(&s->peak)))
			fc_store(&s->peak, i);
		return (int)i;
	}
	return -1;
}

static int chunk_more(struct shim_session *s, int entry, uint32_t from)
{
	int chunk = chunk_try(s, entry, from);

	while (chunk < 0 && shim_grow(s) == 0)
		chunk = chunk_try(s, entry, from);
	return chunk;
}

/* One that stays with a slot which nobody has now: where there can be no more, that would be for ever. */
static int chunk_of_idle(struct shim_session *s, int entry)
{
	struct shim_requests *q = &s->requests;
	uint32_t used = fc_load(&q->used);

	for (uint32_t i = 0; i < used && i < FC_ENTRIES; i++) {
		struct shim_slot *slot = &q->slot[i];

		if (fc_load(&slot->owner) || !slot->chunk || !fc_cas(&slot->owner, 0u, shim_owner_self()))
			continue;
		int chunk = slot->chunk - 1;
		slot->chunk = 0;
		if (chunk >= 0)
			fc_store(&s->chunk_owner[chunk], (uint16_t)(entry + 1));
		fc_store_release(&slot->owner, 0u);
		if (chunk >= 0)
			return chunk;
	}
	return -1;
}

static int chunk_get(struct shim_session *s, int entry)
{
	int chunk = chunk_try(s, entry, 0);
	uint64_t deadline;

	if (likely(chunk >= 0))
		return chunk;
	shim_requests_reclaim(&s->requests, shim_owner_self(), true);
	chunk = chunk_more(s, entry, 0);
	if (chunk < 0)
		chunk = chunk_of_idle(s, entry);
	/* all of it is in use: by calls that end, so wait a little */
	deadline = chunk < 0 ? shim_now_ns() + PATIENCE_NS : 0;
	for (unsigned i = 0; chunk < 0 && shim_now_ns() < deadline && shim_wait_for_room(&s->requests, i); i++) {
		shim_requests_reclaim(&s->requests, shim_owner_self(), i % 64 == 0);
		chunk = chunk_try(s, entry, 0);
		if (chunk < 0)
			chunk = chunk_of_idle(s, entry);
	}
	return chunk;
}

bool shim_chunks_take(struct shim_session *s, uint32_t first, uint32_t count)
{
	for (uint32_t i = first; i < first + count; i++) {
		if (fc_cas(&s->chunk_owner[i], 0, TAKEN))
			continue;
		shim_chunks_give(s, first, i - first);
		return false;
	}
	return true;
}

void shim_chunks_give(struct shim_session *s, uint32_t first, uint32_t count)
{
	for (uint32_t i = first; i < first + count; i++)
		fc_store_release(&s->chunk_owner[i], 0);
}

void shim_data_nap(struct shim_session *s)
{
	if (unlikely(fc_load(&s->requests.forgotten)))
		shim_requests_reclaim(&s->requests, shim_owner_self(), false);
	if (likely(s->chunks == FC_DATA_MIN / FC_CHUNK) || fc_faa(&s->naps, 1u) < NAPS_BEFORE_SHRINKING)
		return;
	if (fc_load(&s->peak) < s->chunks / 2)
		shim_shrink(s);
	fc_store(&s->peak, 0u);
	fc_store(&s->naps, 0u);
}

int shim_entry_chunk(struct shim_session *s, int entry)
{
	struct shim_slot *slot = &s->requests.slot[entry];

	if (unlikely(!slot->chunk))
		slot->chunk = (uint16_t)(chunk_get(s, entry) + 1);
	return slot->chunk - 1;
}

int shim_entry_extra(struct shim_session *s, int entry)
{
	struct shim_slot *slot = &s->requests.slot[entry];
	/* whoever has some already makes do with them: waiting for more could be waiting for each other */
	int chunk = slot->extra ? chunk_more(s, entry, slot->extra - 1u) : chunk_get(s, entry);

	if (chunk >= 0)
		slot->extra = (uint16_t)(chunk + 1);
	return chunk;
}

void shim_extra_free(struct shim_session *s, int entry)
{
	struct shim_slot *slot = &s->requests.slot[entry];
	uint32_t chunks = fc_load(&s->chunks);

	for (uint32_t i = 0; i < chunks; i++)
		if (fc_load(&s->chunk_owner[i]) == entry + 1 && i + 1 != slot->chunk)
			fc_store_release(&s->chunk_owner[i], 0);
	slot->extra = 0;
	shim_room(&s->requests);
}

void shim_buffers_free(struct shim_requests *q, int slot)
{
	shim_extra_free(shim_session_of(q), slot);
}

void shim_buffers_rest(struct shim_requests *q)
{
	shim_data_nap(shim_session_of(q));
}
