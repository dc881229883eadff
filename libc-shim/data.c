/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * data.c - buffers in the data area: chunks of FC_CHUNK bytes, handed out from a bitmap in private memory. Each request
 * entry keeps the chunk it got first, so that a thread, which comes back to the same entry, has its own; larger calls take
 * extra chunks and give them back at their end. Lock-free, so that signal handlers may call in at any point.
 */
#include <errno.h>
#include <sys/syscall.h>

#include "libc-shim/shim.h"

#define PATIENCE 20000 /* looks at a full data area before a call fails with ENOMEM */

static int chunk_try(struct shim_session *s)
{
	for (unsigned w = 0; w < SHIM_CHUNKS / 64; w++) {
		uint64_t free = fc_load(&s->free_chunks[w]);

		while (free) {
			int bit = __builtin_ctzll(free);

			if (fc_cas(&s->free_chunks[w], free, free & (free - 1)))
				return (int)(w * 64) + bit;
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
