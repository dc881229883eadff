/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cohere.h - what happened in a round of h_cohere, in memory that all its processes share: each call with the times before and after it, in a log for each
 * who makes calls; and what of it cannot have happened (cohere_check.c).
 *
 * A file of blocks has BLOCKS of them, which no one cuts, and behind them an end that moves: its length is never twice the same. A value is written once,
 * so that whoever reads it says which write he has seen. The log file only grows, by records of RECORD bytes.
 */
#ifndef FC_COHERE_H
#define FC_COHERE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FILES 3 /* of blocks; the next is the log */
#define LOG FILES
#define BLOCK 64
#define BLOCKS 192
#define BODY (BLOCK * BLOCKS)
#define LENGTHS 4096 /* of the end: 1 to so many */
#define RECORD 64
#define SLOTS 12 /* who makes calls */
#define ENTRIES 60000

enum what {
	WROTE,    /* value to `count` blocks from `first` on */
	READ,     /* value in them */
	TORN,     /* value in a part of that block, and another one in its first word */
	CUT,      /* the end has value bytes from here on */
	LENGTH,   /* it has value bytes */
	APPENDED, /* `count` records, value and what follows it */
	RECORDED, /* value is record number `first` */
	REACHED,  /* the log has value bytes, says an open file */
	SEEN,     /* its name says so */
	SENT,     /* a message */
	RECEIVED, /* value: whose (high half), and which entry of his */
	ASKED     /* a request of the domain that nothing is to be said of */
};

struct entry {
	uint64_t start, end; /* 0: it has not returned */
	uint64_t value;
	uint32_t first;
	uint16_t count;
	uint8_t what, file;
};

struct slot {
	bool native;
	bool used;
	int pid;
	uint32_t serial; /* of the last value, for who comes again in another process */
	uint64_t dead;   /* when it was certain that it is */
	uint32_t n;
	struct entry e[ENTRIES];
};

struct round {
	uint64_t begin, end;
	uint32_t over;
	uint32_t busy[FILES + 1]; /* a hint: somebody wants to have it for himself for a while */
	uint32_t lengths[FILES];  /* so many have been used */
	struct slot slot[SLOTS];
};

static inline uint64_t length_of(uint32_t nth)
{
	return 1 + nth * 2731ull % LENGTHS;
}

/* The log as it was in the end: `n` records. Prints what cannot be; returns how many things. `calls` counts what was looked at, `torn` the blocks. */
unsigned check_round(struct round *r, const uint64_t *log, size_t n, uint64_t *calls, uint64_t *torn);

#endif
