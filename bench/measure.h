/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * measure.h - what every measuring program of bench/ shares: the list of calls and sizes, the clock, the repetitions
 * and the CSV. How a call is made (directly, by handing it to another thread, by io_uring) is each program's own.
 *
 * Output, one line per case: NAME,SIZE,NS_PER_CALL,GB_PER_S - NS_PER_CALL is the median over the repetitions; SIZE and
 * GB_PER_S (10^9 bytes) are 0 for calls that move no data. Cases that a program cannot make are left out.
 */
#ifndef FARCALL_BENCH_MEASURE_H
#define FARCALL_BENCH_MEASURE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BENCH_FILE_SIZE (4u << 20) /* the transfers walk through a file of this size */
#define BENCH_MAX_SIZE (2u << 20)  /* of one transfer */
#define BENCH_STEP 4096u           /* offsets are multiples of this; the file's bytes repeat with this period */

enum bench_call { BENCH_FCNTL, BENCH_FSTAT, BENCH_OPEN, BENCH_PREAD, BENCH_PWRITE };

struct bench_case {
	enum bench_call call;
	const char *name;
	size_t size; /* bytes, 0 for calls that move no data */
};

struct bench {
	char path[4096]; /* the file that the cases use: BENCH_FILE_SIZE bytes of the pattern */
	int fd;          /* it, open for reading and writing */
	char *buffer;    /* private to the measuring thread, BENCH_MAX_SIZE bytes, page-aligned */
	/* Makes the case's call `times` times, walking through the file with bench_next. Returns 0 or -errno;
	 * -EOPNOTSUPP leaves the case out. */
	int (*make)(struct bench *b, const struct bench_case *c, unsigned long times);
};

/* Page-aligned zeroed memory, MAP_SHARED or MAP_PRIVATE as `flags` says, its pages present; exits if there is none. */
void *bench_memory(size_t size, int flags);

/* Binds the calling thread to the nth CPU (from 0) of those that the process might use at the first call; returns it,
 * or -ESRCH if there is none. Not for two threads at once. */
int bench_pin(unsigned nth);

/* Reads the options and the directory, prepares file and buffer, measures every case with b->make, prints the CSV and
 * removes the file. Returns the exit status: 0, 1 if the bytes were wrong in the end, 2 on wrong usage. Exits with 1,
 * and leaves the file, when a call fails. */
int bench_main(struct bench *b, int argc, char **argv);

static inline off_t bench_next(off_t offset, size_t size)
{
	offset += size > BENCH_STEP ? size : BENCH_STEP;
	return offset + size > BENCH_FILE_SIZE ? 0 : offset;
}

#endif
