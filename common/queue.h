/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * queue.h - the lock-free request queue: a bounded FIFO of entry indices in shared memory.
 *
 * SCQ (Nikolaev, "A Scalable, Portable, and Memory-Efficient Lock-Free FIFO Queue", DISC 2019): slots carry a cycle
 * tag against ABA, single-width compare-and-swap only, a thread stopped at any instruction of an enqueue or a dequeue
 * does not stop the others. It owns struct fc_queue of abi.h and nothing else: who sleeps and who is woken is
 * doorbell.h's. The memory may be written by a hostile peer: every function here ends in bounded time whatever it holds.
 */
#ifndef FC_COMMON_QUEUE_H
#define FC_COMMON_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "farcall/abi.h"

#define FC_QUEUE_EMPTY (-1)
#define FC_QUEUE_BROKEN (-2) /* the peer has scribbled over it: cut the session off */

/* Make an empty queue. The client, once, before it offers the area. */
void fc_queue_init(struct fc_queue *q);

/* Append entry index `idx` (< FC_ENTRIES). Each index is in the queue at most once, so there is always room.
 * Client; any thread; async-signal-safe. Returns 0, or -1 if the memory is not a queue (bounded retries exhausted). */
int fc_queue_enqueue(struct fc_queue *q, uint32_t idx);

/* Take the oldest index: 0..FC_ENTRIES-1, FC_QUEUE_EMPTY or FC_QUEUE_BROKEN. Domain; any thread. */
int fc_queue_dequeue(struct fc_queue *q);

/* Whether a dequeue might succeed. Loads only. May say true for an empty queue (an enqueuer half-way), but not for ever: the
 * dequeue then called passes over an enqueuer that has stopped. Never false if an element is in. */
bool fc_queue_peek(const struct fc_queue *q);

/* The same for a spinning worker: looks at the head slot `looks` times, pausing in between, and reads the client's tail
 * only once after that: a client pays a line transfer for every look at its tail. */
bool fc_queue_watch(const struct fc_queue *q, unsigned looks);

/* Elements waiting, about: a snapshot for statistics, 0..FC_ENTRIES whatever the memory holds. */
unsigned fc_queue_depth(const struct fc_queue *q);

#endif
