/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* store.c - see store.h. */
#define _GNU_SOURCE
#include "libc-shim/session/store.h"

#include <fcntl.h>
#include <sys/uio.h>

#include "common/atomic.h"
#include "common/spin.h"
#include "farcall/wire.h"
#include "libc-shim/hook.h"
#include "libc-shim/process/file.h"
#include "libc-shim/session/post.h"
#include "libc-shim/session/session.h"
#include "libc-shim/shim.h"
#include "libc-shim/vdso.h"

#define NOT_FOR 32 /* writes after a slow one; */
#define NOT_FOR_LONG 2048
#define OUTGROWN 64
#define SLOW_NS 1000u /* a write in a mapping, and for each page: */
#define SLOW_PAGE_NS 750u
#define SLOW_DISK_NS 100000u
#define NEVER (INT32_MIN / 2)

struct delegated {
	uint64_t tick;  /* in which a write was posted last */
	uint64_t reach; /* behind the last byte that has been posted to */
	int32_t again;  /* so many have been posted below that, and behind what is mapped */
};

/* Of each session. Not there, where a vfork child copies it. */
static struct stores {
	uint32_t slow;     /* so many writes are not made in a mapping, because one took long there; */
	uint32_t slow_for; /* so many the last time */
	struct delegated of[FC_STORED];
} stores[SHIM_DOMAINS];

void shim_store_begin(const struct shim_session *s, uint64_t word)
{
	const unsigned index = shim_lease_index(word);

	if (index >= FC_STORED)
		return;
	fc_store(&stores[s->domain].of[index].tick, 0ull);
	fc_store(&stores[s->domain].of[index].reach, 0ull);
	fc_store(&stores[s->domain].of[index].again, 0);
}

/* As many as make good for mapping it anew. */
bool shim_store_outgrown(const struct shim_session *s, const struct shim_file *f)
{
	const uint64_t bytes = fc_load(&f->lease.bytes) & ~SHIM_LEASE_FLAGS;
	const unsigned index = shim_lease_index(fc_load(&f->lease.word));

	return index < FC_STORED &&
	       fc_load(&stores[s->domain].of[index].again) > OUTGROWN + (int32_t)(bytes >> 16 & INT16_MAX);
}

void shim_store_stay_behind(const struct shim_session *s, uint64_t word)
{
	if (shim_lease_index(word) < FC_STORED)
		fc_store(&stores[s->domain].of[shim_lease_index(word)].again, NEVER);
}

/* One that is not in the mapping, because that ends before it. */
static void note_behind(struct delegated *d, uint64_t end)
{
	if (fc_load(&d->reach) < end)
		fc_store(&d->reach, end);
	else
		fc_store(&d->again, fc_load(&d->again) + 1);
}

/* Has one been posted in this tick? */
static bool is_noticed(struct delegated *d)
{
	const uint64_t tick = shim_vdso_tick();

	if (fc_load(&d->tick) == tick)
		return true;
	fc_store(&d->tick, tick);
	return false;
}

/* What is posted and not written yet would be written over it. */
static bool is_in_order(const struct shim_session *s, const struct fc_ring *ring, const struct fc_post *p)
{
	return fc_load_acquire(&ring->done) == s->posts.tail ||
	       !shim_posts_touch(s, p->word, p->position, p->position + p->length);
}

/* The domain sets the times of file `index`. */
static void note_stored(struct fc_ring *ring, unsigned index)
{
	uint32_t *word = &ring->stored[index / 32];
	const uint32_t bit = 1u << index % 32;

	fc_store(&ring->stores, ring->stores + 1);
	fc_fence();
	if (!(fc_load(word) & bit))
		fc_fetch_or(word, bit);
}

/* A look first: what a page fault for reading brings is more than one for writing does. */
static bool copy_to(char *to, const struct iovec *iov, size_t iovcnt)
{
	char first;

	return !fc_copy_from_user(&first, to, 1) && shim_gather(to, iov, iovcnt);
}

/* A page fault makes one slow, and soon there are none; a disk that must be read is asked ever less often. */
static void note_speed(struct stores *o, uint64_t ns, uint64_t length)
{
	if (ns <= SLOW_NS + length / 4096 * SLOW_PAGE_NS)
		o->slow_for = 0;
	else if (ns <= SLOW_DISK_NS)
		o->slow = NOT_FOR;
	else
		o->slow = o->slow_for = o->slow_for < NOT_FOR_LONG ? 2 * o->slow_for + NOT_FOR : o->slow_for;
}

bool shim_store(const struct shim_session *s, struct fc_ring *ring, const struct shim_file *f, const struct fc_post *p,
		const struct iovec *iov, size_t iovcnt)
{
	struct stores *o = &stores[s->domain];
	const struct fc_request_area *area = fc_load(&s->requests.area);
	const uint64_t all = fc_load(&f->lease.bytes), bytes = all & ~SHIM_LEASE_FLAGS;
	const unsigned index = shim_lease_index(p->word);
	uint64_t start;

	if (!(all & SHIM_LEASE_STORES) || p->position == FC_NULL || index >= FC_STORED || !area ||
	    fc_load(&f->flags) & O_APPEND)
		return false;
	if (p->position + p->length > bytes) {
		note_behind(&o->of[index], p->position + p->length);
		return false;
	}
	if (o->slow && o->slow--)
		return false;
	if (!is_noticed(&o->of[index]) || !is_in_order(s, ring, p) || fc_load(&f->lease.word) != p->word)
		return false;
	start = fc_tsc();
	if (!copy_to((char *)fc_load(&f->lease.base) + p->position, iov, iovcnt))
		return false;
	note_speed(o, fc_tsc_to_ns(fc_tsc() - start), p->length);
	note_stored(ring, index);
	return fc_load_acquire(&area->header.lease[index]) == p->word && fc_load(&f->lease.word) == p->word;
}
