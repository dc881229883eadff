/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* data.h - buffers in the data area of a session: chunks, of which every request may keep one. */
#ifndef FC_SHIM_DATA_H
#define FC_SHIM_DATA_H

#include "libc-shim/session/session.h"

#define SHIM_CHUNK_SOMEBODYS (UINT16_MAX - 1) /* the owner of a chunk in another process' room (guest.c) */

/* Take chunks [first, first + count), all or none of them. */
bool shim_chunks_take(struct shim_session *s, uint32_t first, uint32_t count);
void shim_chunks_give(struct shim_session *s, uint32_t first, uint32_t count); /* those that have been taken */
/* A thread goes to sleep: a moment to give back what has not been needed for a while. */
void shim_data_nap(struct shim_session *s);
/* The chunk that stays with the entry; -1 if there is none to be had. */
int shim_entry_chunk(struct shim_session *s, int entry);
/* One more chunk for the call in progress, freed with it. */
int shim_entry_extra(struct shim_session *s, int entry);
void shim_extra_free(struct shim_session *s, int entry);
static inline char *shim_chunk_address(struct shim_session *s, int chunk)
{
	return s->data + (size_t)chunk * FC_CHUNK;
}
static inline uint64_t shim_chunk_offset(int chunk)
{
	return (uint64_t)chunk * FC_CHUNK;
}

#endif
