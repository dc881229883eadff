/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ring.h - who sees what first of a ring of posted writes (abi.h, struct fc_ring) and of the word of a delegation: each of the four is a store that must
 * be seen before a load of the same thread is made, and is half of a pair.
 *
 *   the client                                       the domain
 *   fc_ring_publish: the write is there, then        fc_ring_revoke: the word is gone, then what is there is done
 *                    does the word hold?
 *   fc_ring_publish, then fc_ring_wakes: does it     fc_ring_rest: it sleeps, then is there something?
 *                    sleep?
 */
#ifndef FC_COMMON_RING_H
#define FC_COMMON_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/atomic.h"

/* All writes before `tail` are there. True: the delegation of that name held after that, so that whoever ends it does them first. */
static inline bool fc_ring_publish(uint64_t *shared_tail, uint64_t tail, const uint64_t *word, uint64_t name)
{
	(void)fc_xchg(shared_tail, tail);
	return fc_load_acquire(word) == name;
}

/* After that: does the domain sleep, deeper than `how`? */
static inline bool fc_ring_sleeps(const uint32_t *asleep, uint32_t how)
{
	return fc_load(asleep) > how;
}

/* From here on no write is posted but what a look at the tail finds, or its client waits for. */
static inline void fc_ring_revoke(uint64_t *word)
{
	fc_store_release(word, (uint64_t)0);
	fc_fence();
}

/* About to sleep: until *bell is not *seen any more. False: not yet, there is something. */
static inline bool fc_ring_rest(uint32_t *asleep, uint32_t how, const uint32_t *bell, uint32_t *seen,
				const uint64_t *tail, uint64_t done)
{
	*seen = fc_load_acquire(bell);
	fc_store(asleep, how);
	fc_fence();
	return fc_load_acquire(tail) == done;
}

#endif
