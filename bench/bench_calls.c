/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench_calls.c - measures ordinary C library calls on a file, wherever its directory may be: natively, under `farcall
 * run`, on a FUSE mount. Knows of none of them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/measure.h"

static int transfer(struct bench *b, const struct bench_case *c, unsigned long times)
{
	off_t off = 0;
	ssize_t n;

	for (; times; times--, off = bench_next(off, c->size)) {
		n = c->call == BENCH_PREAD ? pread(b->fd, b->buffer, c->size, off)
					   : pwrite(b->fd, b->buffer, c->size, off);
		if (n != (ssize_t)c->size)
			return n < 0 ? -errno : -EIO;
	}
	return 0;
}

static int make(struct bench *b, const struct bench_case *c, unsigned long times)
{
	struct stat st;
	int fd;

	switch (c->call) {
	case BENCH_FCNTL:
		for (; times; times--) {
			if (fcntl(b->fd, F_GETFL) < 0)
				return -errno;
		}
		return 0;
	case BENCH_FSTAT:
		for (; times; times--) {
			if (fstat(b->fd, &st))
				return -errno;
		}
		return st.st_size == BENCH_FILE_SIZE ? 0 : -EIO;
	case BENCH_OPEN:
		for (; times; times--) {
			fd = open(b->path, O_RDONLY | O_CLOEXEC);
			if (fd < 0 || close(fd))
				return -errno;
		}
		return 0;
	default:
		return transfer(b, c, times);
	}
}

int main(int argc, char **argv)
{
	struct bench b = { .make = make };

	return bench_main(&b, argc, argv);
}
