/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * data.c - buffers in the data area: chunks of FC_CHUNK bytes, handed out from a bitmap in private memory. Each request
 * entry keeps the chunk it got first, so that a thread, which comes back to the same entry, has its own; larger calls take
 * extra chunks and give them back at their end. Lock-free, so that signal handlers may call in at any point.
 */
#include <errno.h>
#include <sys/syscall.h>

#include "libc-shim/shim.h"

#define NAPS_BEFORE_SHRINKING 32 /* sleeps in which half of the data area was not needed */
#define PATIENCE 20000           /* looks at a full data area before a call fails with ENOMEM */

static int chunk_try(struct shim_session *s)
{
	for (unsigned w = 0; w < SHIM_CHUNKS / 64; w++) {
		uint64_t free = fc_load(&s->free_chunks[w]);

		while (free) {
			int bit = __builtin_ctzll(free);

			if (fc_cas(&s->free_chunks[w], free, free & (free - 1))) {
				uint32_t chunk = w * 64 + (uint32_t)bit;

				if (unlikely(chunk > fc_load(&s->peak)))
					fc_store(&s->peak, chunk);
				return (int)chunk;
			}
			free = fc_load(&s->free_chunks[w]);
		}
	}
	return -1;
}

static int chunk_more(struct shim_session *s)
{
	int chunk = chunk_try(s);

	while (chunk < 0 && shim_grow(s) == 0)
		chunk = chunk_try(s);
	return chunk;
}

int shim_chunk_get(struct shim_session *s, bool grow)
{
	int chunk = chunk_try(s);

	if (likely(chunk >= 0) || !grow)
		return chunk;
	shim_entries_reclaim(s);
	chunk = chunk_more(s);
	/* all of it is in use: by calls that end, so wait a little */
	for (int i = 0; chunk < 0 && i < PATIENCE && s->state == SHIM_SESSION_READY; i++) {
		fc_call(SYS_sched_yield);
		if (i % 64 == 63)
			shim_entries_reclaim(s);
		chunk = chunk_try(s);
	}
	return chunk;
}

void shim_chunk_put(struct shim_session *s, int chunk)
{
	fc_fetch_or(&s->free_chunks[chunk / 64], 1ull << (chunk % 64));
}

bool shim_chunks_take(struct shim_session *s, uint32_t first, uint32_t count)
{
	for (uint32_t i = first; i < first + count; i++) {
		uint64_t bit = 1ull << (i % 64);

		if (fc_fetch_and(&s->free_chunks[i / 64], ~bit) & bit)
			continue;
		while (i-- > first)
			shim_chunk_put(s, (int)i);
		return false;
	}
	return true;
}

void shim_data_nap(struct shim_session *s)
{
	if (unlikely(fc_load(&s->forgotten)))
		shim_entries_reclaim(s);
	if (likely(s->chunks == FC_DATA_MIN / FC_CHUNK) || fc_faa(&s->naps, 1u) < NAPS_BEFORE_SHRINKING)
		return;
	if (fc_load(&s->peak) < s->chunks / 2)
		shim_shrink(s);
	fc_store(&s->peak, 0u);
	fc_store(&s->naps, 0u);
}

int shim_entry_chunk(struct shim_session *s, int entry)
{
	struct shim_slot *slot = &s->slot[entry];

	if (unlikely(slot->chunk < 0))
		slot->chunk = (int16_t)shim_chunk_get(s, true);
	return slot->chunk;
}

int shim_entry_extra(struct shim_session *s, int entry)
{
	/* whoever has some already makes do with them: waiting for more could be waiting for each other */
	int chunk = s->slot[entry].extra >= 0 ? chunk_more(s) : shim_chunk_get(s, true);

	if (chunk >= 0) {
		s->next_chunk[chunk] = s->slot[entry].extra;
		s->slot[entry].extra = (int16_t)chunk;
	}
	return chunk;
}

void shim_extra_free(struct shim_session *s, int entry)
{
	int chunk = s->slot[entry].extra;

	s->slot[entry].extra = -1;
	while (chunk >= 0) {
		int next = s->next_chunk[chunk];

		shim_chunk_put(s, chunk);
		chunk = next;
	}
}
