/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* doorbell.c - sleeping and waking, see doorbell.h. Local transport: futexes on shared pages. */
#define _GNU_SOURCE
#include "common/doorbell.h"

#include <errno.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>

#include "common/rawcall.h"

int fc_bell_wait(const uint32_t *word, uint32_t seen, uint64_t deadline_ns)
{
	/* futex_waitv, not FUTEX_WAIT: with a timeout the latter always fails with EINTR after a handler, the former
	 * only after one without SA_RESTART, which is what the interrupted system call would have done. */
	struct futex_waitv w = { .val = seen, .uaddr = (uintptr_t)word, .flags = FUTEX_32 };
	struct timespec ts = { deadline_ns / 1000000000u, deadline_ns % 1000000000u };
	long r = fc_raw(SYS_futex_waitv, (long)&w, 1, 0, deadline_ns ? (long)&ts : 0, CLOCK_MONOTONIC, 0);

	return r == -EINTR || r == -ETIMEDOUT ? (int)r : 0;
}

void fc_bell_wake(uint32_t *word, int n)
{
	fc_raw(SYS_futex, (long)word, FUTEX_WAKE, n, 0, 0, 0);
}

void fc_bell_ring(struct fc_area_header *h)
{
	fc_faa(&h->bell, 1);
	fc_bell_wake(&h->bell, 1);
}

void fc_worker_sleep(struct fc_area_header *h, const struct fc_queue *q, uint32_t credit, uint32_t bell_seen)
{
	fc_store(&h->credit, credit);
	fc_fence(); /* credit before the last look at the queue; partner: fc_bell_needed */
	if (!fc_queue_peek(q))
		fc_bell_wait(&h->bell, bell_seen, 0);
}

bool fc_entry_complete(struct fc_entry *e, int64_t result)
{
	e->result = result;
	if (fc_xchg(&e->state, FC_DONE) != FC_ASLEEP)
		return false;
	fc_bell_wake(&e->state, 1);
	return true;
}

int fc_entry_sleep(struct fc_entry *e, uint64_t deadline_ns)
{
	if (!fc_cas(&e->state, FC_QUEUED, FC_ASLEEP) && fc_load_acquire(&e->state) != FC_ASLEEP)
		return 0;
	return fc_bell_wait(&e->state, FC_ASLEEP, deadline_ns);
}

void fc_progress_publish(struct fc_progress *mine, const struct fc_progress *peer)
{
	fc_store_release(&mine->chunks, mine->chunks + 1);
	fc_fence(); /* chunks before reading asleep; partner: fc_progress_sleep */
	if (fc_load(&peer->asleep))
		fc_bell_wake(&mine->chunks, 1);
}

int fc_progress_sleep(struct fc_progress *mine, const struct fc_progress *peer, uint32_t seen, uint64_t deadline_ns)
{
	int r = 0;

	fc_store(&mine->asleep, 1);
	fc_fence(); /* asleep before the last look at chunks; partner: fc_progress_publish */
	if (fc_load(&peer->chunks) == seen)
		r = fc_bell_wait(&peer->chunks, seen, deadline_ns);
	fc_store(&mine->asleep, 0);
	return r;
}
