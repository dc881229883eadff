/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worker.h - one worker: its state. What the code that executes a request may ask of it is exec/host.h's; how many workers there are is
 * workers.h's, which of them are awake crew.h's; interrupts are interrupt.c's and signal.c's.
 */
#ifndef FC_DOMAIN_WORKER_H
#define FC_DOMAIN_WORKER_H

#include <pthread.h>
#include <signal.h>
#include <stddef.h>

#include "common/spin.h"
#include "storage-domain/crew/call.h"
#include "storage-domain/exec/execute.h"
#include "storage-domain/exec/host.h"
#include "storage-domain/licence.h"
#include "storage-domain/shadow/shadow.h"

/* Clients are woken together, but none later than this, and one call, after its result is there. */
#define FC_WAKES_MAX 16
#define FC_WAKE_NS 20000u

struct fc_worker {
	struct fc_member member; /* what others read and change now and then */
	bool joinable;           /* under the crew's lock */

	/* the worker's own */
	struct fc_licensee licence __attribute__((aligned(64)));
	pid_t tid;
	pthread_t thread;
	uint32_t cred_generation;
	uint32_t quick;                     /* calls in a row that were not stuck */
	uint32_t served;                    /* since it waited last */
	long sleeps;                        /* of the thread, when it was asked last */
	uint64_t idle_since;                /* TSC when it last ran out of requests */
	uint64_t moved;                     /* TSC when it last left its client's CPU */
	uint64_t wake_since;                /* TSC when the first of them was done: */
	uint16_t wake[FC_WAKES_MAX], wakes; /* clients that sleep and have their results: entries */
	struct fc_spin spin;
	struct fc_workers *pool;
	struct fc_run *run; /* of the entry being executed */
	struct fc_exec exec;
};

static inline struct fc_worker *fc_worker_of(struct fc_member *m)
{
	return (struct fc_worker *)(void *)((char *)m - offsetof(struct fc_worker, member));
}

/* signal.c: install the handler of FC_WORKER_SIGNAL, once per process. 0 or -errno. */
int fc_interrupt_init(void);

/* Wake the clients whose results are there. */
void fc_worker_wake(struct fc_worker *w);

/* Add what the worker has counted to its session's counters. */
void fc_worker_flush(struct fc_worker *w);

/* The thread of a worker, which begins asleep. */
void *fc_worker_main(void *worker);

#endif
