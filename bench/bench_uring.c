/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench_uring.c - the same calls through io_uring, one at a time, with a submission-polling kernel thread on the
 * second CPU and the caller polling for the completion on the first: no trap, no second copy. io_uring has no fcntl.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/measure.h"

#define SQ_IDLE_MS 1000 /* longer than any pause between two samples */

static struct io_uring ring;
static bool file_registered;

/* Submits the one prepared entry and polls for its completion. Returns the result or -errno. */
static int finish(void)
{
	struct io_uring_cqe *cqe;
	int r = io_uring_submit(&ring);

	if (r < 0)
		return r;
	while (io_uring_peek_cqe(&ring, &cqe))
		;
	r = cqe->res;
	io_uring_cqe_seen(&ring, cqe);
	return r;
}

/* The queue is never full at depth 1, but the kernel thread may not yet have published that it took the last entry. */
static struct io_uring_sqe *entry(void)
{
	struct io_uring_sqe *sqe;

	while (!(sqe = io_uring_get_sqe(&ring)))
		;
	return sqe;
}

static int open_and_close(struct bench *b)
{
	int fd;

	io_uring_prep_openat(entry(), AT_FDCWD, b->path, O_RDONLY | O_CLOEXEC, 0);
	fd = finish();
	if (fd < 0)
		return fd;
	io_uring_prep_close(entry(), fd);
	return finish();
}

static int transfer(struct bench *b, const struct bench_case *c, off_t offset)
{
	struct io_uring_sqe *sqe = entry();
	int r;

	if (c->call == BENCH_PREAD)
		io_uring_prep_read(sqe, 0, b->buffer, c->size, offset);
	else
		io_uring_prep_write(sqe, 0, b->buffer, c->size, offset);
	sqe->flags |= IOSQE_FIXED_FILE;
	r = finish();
	return r >= 0 && r != (int)c->size ? -EIO : r;
}

static int make(struct bench *b, const struct bench_case *c, unsigned long times)
{
	struct statx stx;
	off_t offset = 0;
	int r = 0;

	if (c->call == BENCH_FCNTL)
		return -EOPNOTSUPP;
	if (!file_registered) {
		r = io_uring_register_files(&ring, &b->fd, 1);
		file_registered = true;
	}
	for (; times && r >= 0; times--) {
		switch (c->call) {
		case BENCH_FSTAT:
			io_uring_prep_statx(entry(), b->fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &stx);
			r = finish();
			break;
		case BENCH_OPEN:
			r = open_and_close(b);
			break;
		default:
			r = transfer(b, c, offset);
			offset = bench_next(offset, c->size);
		}
	}
	return r < 0 ? r : 0;
}

int main(int argc, char **argv)
{
	struct io_uring_params p = {
		.flags = IORING_SETUP_SQPOLL | IORING_SETUP_SQ_AFF,
		.sq_thread_idle = SQ_IDLE_MS,
	};
	struct bench b = { .make = make };
	int cpu = bench_pin(1), r, status;

	if (cpu < 0 || bench_pin(0) < 0) {
		fprintf(stderr, "%s: needs two CPUs\n", program_invocation_short_name);
		return 77;
	}
	p.sq_thread_cpu = cpu;
	r = io_uring_queue_init_params(8, &ring, &p);
	if (r) {
		fprintf(stderr, "%s: io_uring with SQPOLL: %s\n", program_invocation_short_name, strerror(-r));
		return 77;
	}
	status = bench_main(&b, argc, argv);
	io_uring_queue_exit(&ring);
	return status;
}
