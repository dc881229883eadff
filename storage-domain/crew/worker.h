/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worker.h - one worker: its state. What the code that executes a request may ask of it is exec/host.h's; how many workers there are
 * and which are awake is crew.h's; interrupts are interrupt.c's.
 */
#ifndef FC_DOMAIN_WORKER_H
#define FC_DOMAIN_WORKER_H

#include <pthread.h>
#include <signal.h>

#include "storage-domain/exec/execute.h"
#include "storage-domain/exec/host.h"
#include "storage-domain/shadow/shadow.h"
#include "common/spin.h"

/* Sent to a worker to make a blocking call return. Not a real-time signal: those queue up, and a burst of them would
 * reach into later calls. Ignored by default, so that a stray one does nothing. */
#define FC_WORKER_SIGNAL SIGURG

/* Between two calls: a worker that wants the next one may have it already. */
#define FC_CALL_NONE UINT64_MAX
#define FC_CALL_NEXT (UINT64_MAX - 1)

/* A call longer than this is no longer one that a waiting request can wait for. */
#define FC_STUCK_NS 50000u

/* Clients are woken together, but none later than this, and one call, after its result is there. */
#define FC_WAKES_MAX 16
#define FC_WAKE_NS 20000u

/* What runs under one entry index; private to the domain. */
struct fc_run {
	uint64_t key;  /* worker: nonce << 32 | tid while a call runs, else 0 */
	uint64_t mark; /* interrupter: nonce << 32 | 1: this call is to end with EINTR */
} __attribute__((aligned(64)));

struct fc_worker {
	/* others read these two now and then, under the lock */
	uint64_t busy_since; /* TSC when the running call began, 0: none runs */
	bool stuck;          /* counted in fc_workers; set under the lock, by anyone */
	bool asleep;         /* under the lock */
	bool live, joinable; /* under the lock */
	uint64_t call;       /* what it runs: FC_CALL_*, else nonce << 32 | index */

	/* the worker's own */
	bool licensed __attribute__((aligned(64))); /* holds a licence to spin */
	pid_t tid;
	pthread_t thread;
	uint32_t cred_generation;
	uint32_t quick;                     /* calls in a row that were not stuck */
	uint64_t idle_since;                /* TSC when it last ran out of requests */
	uint64_t moved;                     /* TSC when it last left its client's CPU */
	uint64_t wake_since;                /* TSC when the first of them was done: */
	uint16_t wake[FC_WAKES_MAX], wakes; /* clients that sleep and have their results: entries */
	struct fc_spin spin;
	struct fc_workers *pool;
	struct fc_run *run; /* of the entry being executed */
	struct fc_exec exec;
};

/* crew.c: whether some worker runs that call, or may do so in a moment. Asked by one who has taken a later request. */
bool fc_crew_has(struct fc_workers *p, const struct fc_worker *but, uint64_t call);

/* interrupt.c: install the handler of FC_WORKER_SIGNAL, once per process. 0 or -errno. */
int fc_interrupt_init(void);

void fc_worker_drop_licence(struct fc_worker *w);

/* Wake the clients whose results are there. */
void fc_worker_wake(struct fc_worker *w);

/* Add what the worker has counted to its session's counters. */
void fc_worker_flush(struct fc_worker *w);

/* The thread of a worker, which begins asleep. */
void *fc_worker_main(void *worker);

#endif
