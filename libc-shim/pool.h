/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool.h - small pieces of private memory, all of one size, without malloc and without a lock: a handler may take one in the middle of
 * another's taking. They are named by numbers, so that a copy of the pool (a fork's, or shim_pool_copy) has the same ones under the same
 * names. Memory that has been mapped once stays.
 */
#ifndef FC_SHIM_POOL_H
#define FC_SHIM_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/atomic.h"

#define SHIM_POOL_ORDER \
	14 /* the first block has 2^14 bytes for pieces, each further one twice as many as the one before */
#define SHIM_POOL_BLOCKS 11

struct shim_pool {
	uint64_t free;  /* the last one given back, and how often that has changed << 32 */
	uint32_t top;   /* those from here on were never taken, and number 0 */
	uint32_t order; /* each has 2^order bytes: 8 at least; constant */
	char *block[SHIM_POOL_BLOCKS];
};

static inline unsigned shim_pool_block(uint32_t order, uint32_t n)
{
	return 31 - (unsigned)__builtin_clz((n >> (SHIM_POOL_ORDER - order)) + 1);
}

static inline uint64_t shim_pool_block_size(unsigned block)
{
	return 1ull << (SHIM_POOL_ORDER + block);
}

/* Where piece `n` is; null: there can be none. Block b begins with piece (2^b - 1) * 2^(SHIM_POOL_ORDER - order). Of a pool whose order is known when this is
 * compiled it takes half as long. */
static inline void *shim_pool_find(const struct shim_pool *p, uint32_t order, uint32_t n)
{
	const unsigned b = shim_pool_block(order, n);
	char *block = n && n < fc_load(&p->top) ? fc_load_acquire(&p->block[b]) : NULL;

	return block ? block + (((uint64_t)n << order) - shim_pool_block_size(b) + shim_pool_block_size(0)) : NULL;
}
static inline void *shim_pool_at(const struct shim_pool *p, uint32_t n)
{
	return shim_pool_find(p, p->order, n);
}

/* None mapped yet. */
static inline void shim_pool_init(struct shim_pool *p, unsigned order)
{
	*p = (struct shim_pool){ .top = 1, .order = order };
}

/* A piece, with whatever was in it; 0: there is none to be had. */
uint32_t shim_pool_take(struct shim_pool *p);
void shim_pool_give(struct shim_pool *p, uint32_t n);

/* All that is taken in `from`, in memory of its own; what is free there is not had again. False: there is none. Nobody else has `to`;
 * others may change `from` meanwhile. */
bool shim_pool_copy(struct shim_pool *to, const struct shim_pool *from);
void shim_pool_unmap(struct shim_pool *p);

#endif
