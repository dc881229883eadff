/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host.h - what the execution of a request asks of the worker that runs it. crew/ has the worker; nothing else of it is known here.
 */
#ifndef FC_DOMAIN_HOST_H
#define FC_DOMAIN_HOST_H

#include <stdbool.h>
#include <stdint.h>

struct fc_worker;

/* About to make a call that may block for long: from here on this worker is not counted on, and another one is awake if requests are
 * waiting. Ends by itself with the request. */
void fc_block_begin(struct fc_worker *w);

/* Whether the running call is to end with -EINTR: it was interrupted, or the workers are to stop. */
bool fc_interrupted(const struct fc_worker *w);

/* Whether the signal that interrupts has arrived at the calling thread since this was last asked. */
bool fc_signal_taken(void);

/* Run FC_NR_INTERRUPT. */
int64_t fc_interrupt(struct fc_worker *w, uint64_t index, uint64_t nonce);

/* Whether this worker may spin now: takes a licence and keeps it until the worker sleeps or blocks. */
bool fc_worker_may_spin(struct fc_worker *w);

/* After a sleep: leave the client's CPU if this worker has been woken there and spinning would pay elsewhere. */
void fc_worker_move_apart(struct fc_worker *w);

#endif
