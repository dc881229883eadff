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
#define MODEL_WORDS 8

/* All memory that threads share. It is saved, restored and compared as a whole. */
struct model_shared {
	struct fc_queue queue;
	union {
		/* the lines of struct fc_area_header that are in use; the rest of its page would only be copied around */
		_Alignas(64) unsigned char header[4 * FC_CACHE_LINE];
	};
	struct fc_entry entry[FC_ENTRIES];
	struct fc_stream stream;
	uint32_t word[MODEL_WORDS]; /* the scenario's own */
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
	bool bells;      /* uses the header, the entries or the stream */
	bool may_hang;   /* threads may wait for ever: their partner has run out of tries */
	bool deep;       /* only with --deep */
};

extern struct model_shared *const shared;

#define model_header() ((struct fc_area_header *)(void *)shared->header)

/* in a thread */
void model_await(const uint32_t *word, uint32_t value); /* go on when *word == value */
void model_check(bool ok, const char *what);            /* the property that must hold */

/* in setup: let `thread` make n steps */
void model_advance(int thread, int n);

/* the FIFO's operations, recorded for the linearizability check */
void model_enqueue(uint32_t idx);
int model_dequeue(void); /* an index or FC_QUEUE_EMPTY */
void model_drain(void);  /* in finish: dequeue as a worker would; everything must come out */

/* Run all scenarios of the list. argv: [--deep] [--only SUBSTRING]. Returns the exit status. */
int model_main(int argc, char **argv, const struct scenario *list, int count);

#endif
