/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call.h - a call from the queue to its answer, and what others may know of it meanwhile: which worker has it, and that it is to end. It
 * owns these marks. How a call is ended early is interrupt.h's, what it does execute.h's.
 *
 * In a header: three steps on every call's way.
 */
#ifndef FC_DOMAIN_CALL_H
#define FC_DOMAIN_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/atomic.h"
#include "common/doorbell.h"
#include "common/queue.h"
#include "farcall/abi.h"

/* Between two calls: a worker that wants the next one may have it already. */
#define FC_CALL_NONE UINT64_MAX
#define FC_CALL_NEXT (UINT64_MAX - 1)

/* One worker as the others see it. */
struct fc_member {
	uint64_t busy_since; /* TSC when the running call began, 0: none runs */
	uint64_t begun;      /* how many calls it has begun */
	uint64_t call;       /* what it runs: FC_CALL_*, else nonce << 32 | index */
	uint32_t stuck;      /* counted in fc_crew; set under the lock, by anyone */
	bool asleep, live;   /* under the lock */
};

/* What runs under one entry index; private to the domain. */
struct fc_run {
	uint64_t key;  /* worker: nonce << 32 | tid while a call runs, else 0 */
	uint64_t mark; /* interrupter: nonce << 32 | 1: this call is to end with EINTR */
} __attribute__((aligned(64)));

static inline uint64_t fc_call_name(uint32_t nonce, uint32_t index)
{
	return (uint64_t)nonce << 32 | index;
}

static inline uint64_t fc_call_mark(uint32_t nonce)
{
	return (uint64_t)nonce << 32 | 1;
}

/* The index of the next request, or as fc_queue_dequeue. */
static inline int fc_call_take(struct fc_member *m, struct fc_queue *q)
{
	int index;

	/* before a position of the queue is drawn, which is a full fence; partner: fc_crew_has */
	fc_store_release(&m->call, FC_CALL_NEXT);
	index = fc_queue_dequeue(q);
	if (index == FC_QUEUE_EMPTY)
		fc_store_release(&m->call, FC_CALL_NONE);
	return index;
}

/* It has been taken and looked at. From here on it can be interrupted. */
static inline void fc_call_begin(struct fc_member *m, struct fc_run *run, uint64_t name, uint32_t tid, uint64_t now)
{
	fc_store_release(&run->key, (name & ~(uint64_t)UINT32_MAX) | tid);
	fc_store(&m->begun,
		 m->begun + 1); /* before it says that it runs, and so before it has ended; partner: fc_workers_still */
	fc_store_release(&m->call, name);
	fc_store(&m->busy_since, now);
}

/* It is over: hand the entry back. True if the client sleeps, and is to be woken. */
static inline bool fc_call_end(struct fc_member *m, struct fc_run *run, struct fc_entry *e, int64_t result)
{
	bool sleeps;

	fc_store_release(&run->key, 0); /* before the entry is the client's again and may be queued anew */
	sleeps = fc_entry_publish(e, result);
	fc_store_release(&m->call, FC_CALL_NONE);
	fc_store(&m->busy_since, 0);
	return sleeps;
}

/* Whether the call `nonce` is to end. */
static inline bool fc_call_marked(const struct fc_run *run, uint32_t nonce)
{
	return fc_load_acquire(&run->mark) == fc_call_mark(nonce);
}

#endif
