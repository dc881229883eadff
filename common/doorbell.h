/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * doorbell.h - the one place that decides to sleep and to wake. It owns `bell` and `credit` of the request area, the
 * state word of an entry as far as sleeping goes, and the progress words of a stream. It does not own the budget: how long
 * to spin before sleeping is the caller's (spin.h).
 *
 *      client                                    worker
 *      ------                                    ------
 *      entry = ...; state = QUEUED               work: take the oldest entry, run it
 *      enqueue                                   none for long enough:
 *      full fence                     (A)          seen = bell
 *      credit < calls in flight?                   lower credit
 *        bell++, wake one on bell                  full fence                       (B)
 *                                                  queue still empty? sleep while bell == seen
 *                                                  raise credit
 *   (A) and (B): either the worker's second look finds the entry, or the client sees the lowered credit. The client
 *   changes `bell` before it wakes, so a worker between its look and its sleep does not sleep.
 *
 *   Credit is a forecast: it counts on calls that end soon. The domain lowers it before a call it knows to block; one
 *   that turns out to (disk, FIFO, frozen file system) it cannot announce. So a client that has waited FC_NUDGE_NS for a
 *   call rings once more if requests are waiting (fc_bell_nudge), and after FC_NR_INTERRUPT it always rings.
 *
 *      client                                    worker
 *      ------                                    ------
 *      spin while state == QUEUED                result = ...
 *      CAS state QUEUED -> ASLEEP                old = exchange(state, DONE)
 *      sleep while state == ASLEEP               old == ASLEEP? wake one on state
 *   One word, exchanged by both: whoever comes second knows about the first.
 *
 * How to sleep and wake is each end's struct fc_bell: futexes on the shared pages locally (futex.c), an event channel on Xen.
 */
#ifndef FC_COMMON_DOORBELL_H
#define FC_COMMON_DOORBELL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/atomic.h"
#include "common/queue.h"
#include "farcall/abi.h"

/* One end of a session's doorbell. */
struct fc_bell {
	const struct fc_bell_ops *ops;
};

/* `word` always lies in the session's request area. */
struct fc_bell_ops {
	/* Sleep while *word == seen. deadline_ns is absolute CLOCK_MONOTONIC, 0 for none. Returns 0 (woken, or the word had
	 * changed), -EINTR (a signal handler without SA_RESTART ran; with it the wait goes on by itself), -ETIMEDOUT. */
	int (*wait)(const struct fc_bell *b, const uint32_t *word, uint32_t seen, uint64_t deadline_ns);
	/* Wake up to n sleepers on *word, which the caller has changed: the other end's, or (either end may ring) workers. */
	void (*wake_peer)(const struct fc_bell *b, uint32_t *word, int n);
	void (*wake_worker)(const struct fc_bell *b, uint32_t *word, int n);
};

/* Either end's on one machine. */
extern const struct fc_bell_ops fc_bell_local_ops;
extern const struct fc_bell fc_bell_local;

/* futex.c: the same two without a session, for words that only one machine's processes share. */
int fc_futex_wait(const uint32_t *word, uint32_t seen, uint64_t deadline_ns);
/* While both are what has been seen; the second one may be null. */
int fc_futex_wait_either(const uint32_t *const word[2], const uint32_t seen[2], uint64_t deadline_ns);
void fc_futex_wake(uint32_t *word, int n);

/* Client, after an enqueue: how many calls in flight the domain serves without being rung. FC_ENTRIES or more: all there can be. */
static inline uint32_t fc_bell_credit(const struct fc_area_header *h)
{
	fc_fence(); /* enqueue before reading credit; partner: fc_worker_sleep */
	return fc_load(&h->credit);
}

/* The same as a question: must it be rung? `in_flight` counts this call. */
static inline bool fc_bell_needed(const struct fc_area_header *h, uint32_t in_flight)
{
	return fc_bell_credit(h) < in_flight;
}

/* Wake one sleeping worker. Client; and the domain, to hand the queue over before a call that blocks. */
void fc_bell_ring(const struct fc_bell *b, struct fc_area_header *h);

#define FC_NUDGE_NS 100000u

/* Client: after FC_NUDGE_NS of waiting for one call, spinning or asleep; and now and then from there on. */
static inline void fc_bell_nudge(const struct fc_bell *b, struct fc_request_area *a)
{
	if (fc_queue_peek(&a->queue))
		fc_bell_ring(b, &a->header);
}

/* Worker: the credit has been lowered to what the workers that stay awake will serve (under the workers' own lock: a
 * stale value stored late would lose wakeups). If the queue is still empty, sleep until rung. Returns at once if it is
 * not. The caller raises the credit again. `bell_seen` was read with fc_load_acquire(&h->bell) BEFORE the caller's last
 * look at its own stop and cancel flags. */
void fc_worker_sleep(const struct fc_bell *b, struct fc_area_header *h, const struct fc_queue *q, uint32_t bell_seen);

/* The same for a session whose client is mute: it cannot ring, so this wakes up at the deadline, too. */
void fc_worker_doze(const struct fc_bell *b, struct fc_area_header *h, const struct fc_queue *q, uint32_t bell_seen,
		    uint64_t deadline_ns);

/* Worker: hand an entry back. Returns true if its client sleeps: it must be woken, before this worker sleeps or blocks. */
bool fc_entry_publish(struct fc_entry *e, int64_t result);
void fc_entry_wake(const struct fc_bell *b, struct fc_entry *e);

/* Both at once; true if a client was woken. */
bool fc_entry_complete(const struct fc_bell *b, struct fc_entry *e, int64_t result);

/* Client: from spinning to sleeping on an entry, until `deadline_ns`. 0: done (or a spurious return: look again),
 * else as `wait`. The state is left ASLEEP on a timeout or a signal: just call again. */
int fc_entry_sleep(const struct fc_bell *b, struct fc_entry *e, uint64_t deadline_ns);

/* Stream: publish one more finished chunk in `mine`, and wake the peer if it sleeps on it. */
void fc_progress_publish(const struct fc_bell *b, struct fc_progress *mine, const struct fc_progress *peer);

/* Stream: sleep until peer->chunks differs from `seen`; as `wait`. */
int fc_progress_sleep(const struct fc_bell *b, struct fc_progress *mine, const struct fc_progress *peer, uint32_t seen,
		      uint64_t deadline_ns);

#endif
