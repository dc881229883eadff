/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool.c - pieces of memory of one size, see pool.h. Behind the pieces of a block there is a number for each: the next one,
 * while it is free. The count beside the head tells one head from another with the same number.
 */
#define _GNU_SOURCE
#include "libc-shim/pool.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include "common/atomic.h"
#include "common/rawcall.h"
#include "libc-shim/text.h"

/* Bytes that are mapped for a block. */
static uint64_t mapped(const struct shim_pool *p, unsigned b)
{
	return shim_pool_block_size(b) + (shim_pool_block_size(b) >> p->order) * sizeof(uint32_t);
}

/* Where the number of the piece after `n` is. It is nothing else's, so that who has lost a race for `n` may read it all the same. */
static uint32_t *next_of(const struct shim_pool *p, uint32_t n)
{
	const unsigned b = shim_pool_block(p->order, n);
	const uint64_t first = (shim_pool_block_size(b) - shim_pool_block_size(0)) >> p->order;

	return (uint32_t *)(fc_load(&p->block[b]) + shim_pool_block_size(b)) + (n - first);
}

static char *map_block(const struct shim_pool *p, unsigned b)
{
	long at = fc_call(SYS_mmap, 0, mapped(p, b), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return at < 0 && at > -4096 ? NULL : (char *)at;
}

static bool have_block(struct shim_pool *p, unsigned b)
{
	char *made;

	if (b >= SHIM_POOL_BLOCKS)
		return false;
	if (fc_load_acquire(&p->block[b]))
		return true;
	made = map_block(p, b);
	if (made && !fc_cas(&p->block[b], NULL, made))
		fc_call(SYS_munmap, made, mapped(p, b));
	return made || fc_load_acquire(&p->block[b]);
}

static uint32_t take_new(struct shim_pool *p)
{
	uint32_t n;

	do {
		n = fc_load(&p->top);
		if (!have_block(p, shim_pool_block(p->order, n)))
			return 0;
	} while (!fc_cas(&p->top, n, n + 1));
	return n;
}

uint32_t shim_pool_take(struct shim_pool *p)
{
	for (;;) {
		uint64_t head = fc_load_acquire(&p->free);
		uint32_t n = (uint32_t)head;

		if (!n)
			return take_new(p);
		/* whoever takes it meanwhile and gives it back changes this: then the count has changed, too */
		uint64_t next = fc_load(next_of(p, n));
		if (fc_cas(&p->free, head, ((head >> 32) + 1) << 32 | next))
			return n;
	}
}

void shim_pool_give(struct shim_pool *p, uint32_t n)
{
	uint64_t head;

	do {
		head = fc_load(&p->free);
		fc_store(next_of(p, n), (uint32_t)head);
	} while (!fc_cas(&p->free, head, ((head >> 32) + 1) << 32 | n));
}

bool shim_pool_copy(struct shim_pool *to, const struct shim_pool *from)
{
	uint64_t left;

	shim_pool_init(to, from->order);
	to->top = fc_load(&from->top);
	left = to->top > 1 ? (uint64_t)to->top << to->order : 0;
	for (unsigned b = 0; left; b++) {
		uint64_t n = left < shim_pool_block_size(b) ? left : shim_pool_block_size(b);

		to->block[b] = map_block(to, b);
		if (!to->block[b]) {
			shim_pool_unmap(to);
			return false;
		}
		memcpy(to->block[b], from->block[b], n);
		left -= n;
	}
	return true;
}

void shim_pool_unmap(struct shim_pool *p)
{
	for (unsigned b = 0; b < SHIM_POOL_BLOCKS; b++)
		if (p->block[b])
			fc_call(SYS_munmap, p->block[b], mapped(p, b));
	shim_pool_init(p, p->order);
}
