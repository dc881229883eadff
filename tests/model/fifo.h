/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fifo.h - is what the threads have seen so far the behaviour of a FIFO? Owns the set of all FIFO histories that agree
 * with the calls and returns up to now (linearizability, decided on the fly). An enqueue or dequeue takes effect somewhere
 * between its call and its return; a stopped one may or may not have.
 */
#ifndef FC_MODEL_FIFO_H
#define FC_MODEL_FIFO_H

#include <stdbool.h>
#include <stdint.h>

#define FIFO_CALLERS 5    /* the threads and the main program */
#define FIFO_HISTORIES 96 /* that may be possible at once */

#define FIFO_DEQUEUE (-1)
#define FIFO_EMPTY (-1)

struct fifo {
	int8_t calling[FIFO_CALLERS]; /* 0 nothing, 1 dequeue, 2 + i enqueue of i */
	uint8_t count;
	uint8_t pad[2];
	/*
	 * Sorted. What is in the queue: length (4 bits), then indices (4 bits each, at most 8, oldest first). From bit 40 on, 4 bits per
	 * caller: 0 not yet taken effect, 1 an enqueue that has, 2 a dequeue that found nothing, 3 + i one that took i.
	 */
	uint64_t history[FIFO_HISTORIES];
};

void fifo_init(struct fifo *f);
/* `what`: an index to enqueue, or FIFO_DEQUEUE */
void fifo_call(struct fifo *f, int caller, int what);
/* `result`: of a dequeue the index or FIFO_EMPTY. False if no FIFO behaves like that. */
bool fifo_return(struct fifo *f, int caller, int result);

#endif
