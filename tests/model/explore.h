/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * explore.h - run a few small threads in every possible order.
 *
 * A scenario's threads are fibers that stop before each shared access (model_atomic.h). From every state, explore() tries every
 * thread that can go on, restores the state, and tries the next; a state that was met before is not entered again. The memory
 * is x86's (TSO): a plain store goes into its thread's store buffer and reaches memory in a later step of its own; loads see
 * their own thread's buffer; read-modify-writes, fences and system calls drain it first. Checked in every state: what the
 * threads check themselves (model_check), linearizability as a FIFO (fifo.h), and that somebody can go on until all have
 * finished.
 */
#ifndef FC_MODEL_EXPLORE_H
#define FC_MODEL_EXPLORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/doorbell.h"
#include "common/queue.h"
#include "farcall/abi.h"
#include "tests/model/fifo.h"

#define MODEL_THREADS 4
#define MODEL_WORDS 12
#define MODEL_NOW (MODEL_WORDS - 1) /* the word that has the time */
#define MODEL_OWN (320 + FC_ENTRIES * 160)

/* All memory that threads share. It is saved, restored and compared as a whole. */
struct model_shared {
	struct fc_request_area area;
	uint32_t word[MODEL_WORDS];                /* the scenario's own */
	_Alignas(64) unsigned char own[MODEL_OWN]; /* the same, of any kind; used with `bells` */
};

struct scenario {
	const char *name;
	int threads;
	void (*body[MODEL_THREADS])(void);
	void (*setup)(
		void); /* before the threads; may run some of them a few steps with model_advance. NULL: nothing */
	void (*finish)(void); /* when all have ended; accesses take effect at once */
	int stops;            /* how many of `stoppable` may stop for ever, each at any point */
	unsigned stoppable;   /* mask of threads */
	int interrupts;       /* how many sleeps may end with -EINTR */
	int preemptions; /* 0: every interleaving; else those in which at most so many runnable threads are preempted */
	bool bells;      /* uses the header, the entries, the streams or its own memory */
	bool may_hang;   /* threads may wait for ever: their partner has run out of tries */
	bool deep;       /* only with --deep */
};

extern struct model_shared *const shared;

#define model_header() (&shared->area.header)

/* in a thread */
void model_await(const uint32_t *word, uint32_t value);     /* go on when *word == value */
void model_await_not(const uint32_t *word, uint32_t value); /* ... or when it is something else */
void model_await_end(int thread);                           /* ... or when that one has ended, or stopped for ever */
void model_nap(void);                        /* ... or when any other has done something since the last nap */
void model_check(bool ok, const char *what); /* the property that must hold */

void model_forget(
	void); /* nothing of earlier calls stays on the stack, where it would make equal states look different */

/* in setup: let `thread` make n steps */
void model_advance(int thread, int n);

/* in setup: let all threads go on that await what is there already */
void model_advance_all(void);

/* the FIFO's operations, recorded for the linearizability check */
void model_enqueue(uint32_t idx);
int model_dequeue(void); /* an index or FC_QUEUE_EMPTY */
void model_drain(void);  /* in finish: dequeue as a worker would; everything must come out */

/* Run all scenarios of the list. argv: [--deep] [--only SUBSTRING]. Returns the exit status. */
int model_main(int argc, char **argv, const struct scenario *list, int count);

#endif
