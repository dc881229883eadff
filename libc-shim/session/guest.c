/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest.c - processes that go on in the session of the one that has forked them, because a sandbox forbids to ask the domain for one of
 * their own. The memory is divided into rooms, each with entries and chunks that nobody else touches: the first is the host's, each
 * guest gets the next, and there are so many and no more. What is in a room is its owner's private state, as ever; what is in another is
 * marked as somebody else's, for ever. A guest that exits leaves its room to the next one; who is killed does not.
 *
 * The descriptors in the domain that host and guest both have are one, as the open file is for a fork. It is not closed by either of them,
 * but with the session.
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/syscall.h>

#include "common/atomic.h"
#include "common/rawcall.h"
#include "libc-shim/process/process.h"
#include "libc-shim/session/data.h"
#include "libc-shim/session/session.h"
#include "libc-shim/shim.h"
#include "libc-shim/text.h"

#define ROOMS 13u /* the host's included */
#define HOST_SLOTS (FC_ENTRIES / 4)
#define HOST_CHUNKS (SHIM_DIVIDED_CHUNKS / 4)
#define GUEST_SLOTS ((FC_ENTRIES - HOST_SLOTS) / (ROOMS - 1))
#define GUEST_CHUNKS ((SHIM_DIVIDED_CHUNKS - HOST_CHUNKS) / (ROOMS - 1))

static struct shim_room room_of(uint32_t n)
{
	if (!n)
		return (struct shim_room){ 0, HOST_SLOTS, 0, HOST_CHUNKS };
	uint32_t slot = HOST_SLOTS + (n - 1) * GUEST_SLOTS, chunk = HOST_CHUNKS + (n - 1) * GUEST_CHUNKS;
	return (struct shim_room){ slot, slot + GUEST_SLOTS, chunk, chunk + GUEST_CHUNKS };
}

struct shim_room shim_room_own(const struct shim_session *s)
{
	return s->divided ? room_of(s->room) : (struct shim_room){ 0, FC_ENTRIES, 0, SHIM_CHUNKS };
}

void shim_room_enter(struct shim_session *s, uint32_t n)
{
	const struct shim_room mine = room_of(n);
	struct shim_requests *q = &s->requests;

	s->divided = true;
	s->room = n;
	for (uint32_t i = 0; i < FC_ENTRIES; i++)
		q->slot[i] = (struct shim_slot){
			.owner = i >= mine.slot && i < mine.slots_end ? 0 : SHIM_SOMEBODY,
			.nonce = fc_load(&q->area->entry[i].nonce),
		};
	for (uint32_t i = 0; i < s->chunks; i++)
		s->chunk_owner[i] = i >= mine.chunk && i < mine.chunks_end ? 0 : SHIM_CHUNK_SOMEBODYS;
	q->used = mine.slots_end;
	q->forgotten = q->wanted = 0;
}

void shim_rooms_divide(struct shim_session *s)
{
	if (s->divided || !s->kept || s->chunks != SHIM_DIVIDED_CHUNKS)
		return;
	if (fc_call(SYS_madvise, s->requests.area, sizeof *s->requests.area, MADV_DOFORK) < 0 ||
	    fc_call(SYS_madvise, s->data, FC_DATA_MAX, MADV_DOFORK) < 0)
		return;
	shim_room_enter(s, 0);
}

/* What both have is one from here on. */
static void lend(struct shim_process *p, const struct shim_session *s)
{
	for (uint32_t i = 0; i < fc_load(&p->fd_top); i++) {
		uint64_t w = fc_load(&p->fd[i]);

		if (w && shim_fd_domain(w) == s->domain)
			fc_cas(&p->fd[i], w, w | SHIM_FD_LENT);
	}
}

void shim_guest_arrive(struct shim_process *p, struct shim_session *s, uint32_t n)
{
	s->lock = (struct shim_lock){ 0 }; /* whoever held it has not come along */
	shim_posts_end(s);
	shim_room_enter(s, n);
	s->lent = true;
	lend(p, s); /* a copy of the table may be from before */
}

/* The lowest that nobody has; 0 = there is none. */
static uint32_t take_room(uint32_t *taken)
{
	for (uint32_t n = 1; n < ROOMS; n++)
		if (!(fc_load(taken) & 1u << n) && !(fc_fetch_or(taken, 1u << n) & 1u << n))
			return n;
	return 0;
}

void shim_guest_leave(struct shim_session *s)
{
	const struct shim_room mine = shim_room_own(s);
	struct fc_request_area *area = s->requests.area;

	if (!s->divided || !s->room || s->state != SHIM_SESSION_READY)
		return;
	for (uint32_t i = mine.slot; i < mine.slots_end; i++)
		if (fc_load_acquire(&area->entry[i].state) != FC_FREE)
			return; /* the domain may still write there */
	fc_fetch_and(&area->header.guests, ~(1u << s->room));
}

uint32_t shim_room_for_guest(struct shim_process *p, struct shim_session *s)
{
	uint32_t n;

	if (!s->divided || s->state != SHIM_SESSION_READY)
		return 0;
	n = take_room(&s->requests.area->header.guests);
	if (!n)
		return 0;
	s->lent = true;
	shim_files_forked(&p->files);
	lend(p, s);
	return n;
}
