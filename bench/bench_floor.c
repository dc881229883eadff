/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench_floor.c - the floor: what handing a call to another CPU costs at the very least. Two pinned threads share one
 * cache line; the client writes the request into it, the server polls it, makes the call and writes the result back.
 * Data goes through one shared buffer with one copy between it and the client's own. No queue, no checks, no sleeping.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/measure.h"

enum state { DONE, ASKED };
enum op { OP_FCNTL, OP_FSTAT, OP_OPEN, OP_CLOSE, OP_PREAD, OP_PWRITE, OP_STOP };

/* Written by the client while DONE, by the server while ASKED. */
struct line {
	_Alignas(64) _Atomic uint32_t state;
	uint32_t op;
	int64_t fd;
	uint64_t size;
	int64_t offset;
	int64_t result; /* or -errno */
};
_Static_assert(sizeof(struct line) == 64, "the handoff is one cache line");

static struct line *line;
static char *shared; /* BENCH_MAX_SIZE bytes */
static int server_pinned;

static long execute(uint32_t op, int fd, size_t size, off_t offset)
{
	long r;

	switch (op) {
	case OP_FCNTL:
		r = fcntl(fd, F_GETFL);
		break;
	case OP_FSTAT:
		r = fstat(fd, (struct stat *)shared);
		break;
	case OP_OPEN:
		r = open(shared, O_RDONLY | O_CLOEXEC);
		break;
	case OP_CLOSE:
		r = close(fd);
		break;
	case OP_PREAD:
		r = pread(fd, shared, size, offset);
		break;
	case OP_PWRITE:
		r = pwrite(fd, shared, size, offset);
		break;
	default:
		return -ENOSYS;
	}
	return r < 0 ? -errno : r;
}

/* Neither side uses the pause instruction: it would lengthen the round trip. */
static void await(enum state s)
{
	while (atomic_load_explicit(&line->state, memory_order_acquire) != s)
		;
}

static void *serve(void *arg)
{
	uint32_t op;

	(void)arg;
	server_pinned = bench_pin(1);
	do {
		atomic_store_explicit(&line->state, DONE, memory_order_release);
		await(ASKED);
		op = line->op;
		line->result = op == OP_STOP ? 0 : execute(op, line->fd, line->size, line->offset);
	} while (op != OP_STOP);
	atomic_store_explicit(&line->state, DONE, memory_order_release);
	return NULL;
}

static long ask(enum op op, int fd, size_t size, off_t offset)
{
	line->op = op;
	line->fd = fd;
	line->size = size;
	line->offset = offset;
	atomic_store_explicit(&line->state, ASKED, memory_order_release);
	await(DONE);
	return line->result;
}

static long transfer(struct bench *b, const struct bench_case *c, off_t offset)
{
	long r;

	if (c->call == BENCH_PWRITE) {
		memcpy(shared, b->buffer, c->size);
		return ask(OP_PWRITE, b->fd, c->size, offset);
	}
	r = ask(OP_PREAD, b->fd, c->size, offset);
	if (r > 0)
		memcpy(b->buffer, shared, r);
	return r;
}

static long open_and_close(struct bench *b)
{
	long fd;

	memcpy(shared, b->path, strlen(b->path) + 1);
	fd = ask(OP_OPEN, -1, 0, 0);
	return fd < 0 ? fd : ask(OP_CLOSE, fd, 0, 0);
}

static int make(struct bench *b, const struct bench_case *c, unsigned long times)
{
	off_t offset = 0;
	long r = 0;

	for (; times && r >= 0; times--) {
		switch (c->call) {
		case BENCH_FCNTL:
			r = ask(OP_FCNTL, b->fd, 0, 0);
			break;
		case BENCH_FSTAT:
			r = ask(OP_FSTAT, b->fd, 0, 0);
			memcpy(b->buffer, shared, sizeof(struct stat));
			break;
		case BENCH_OPEN:
			r = open_and_close(b);
			break;
		default:
			r = transfer(b, c, offset);
			if (r >= 0 && r != (long)c->size)
				r = -EIO;
			offset = bench_next(offset, c->size);
		}
	}
	return r < 0 ? r : 0;
}

int main(int argc, char **argv)
{
	struct bench b = { .make = make };
	pthread_t server;
	int status;

	line = bench_memory(sizeof(*line), MAP_SHARED);
	shared = bench_memory(BENCH_MAX_SIZE, MAP_SHARED);
	atomic_init(&line->state, ASKED);
	line->op = OP_FCNTL;
	if (pthread_create(&server, NULL, serve, NULL))
		return 1;
	await(DONE);
	if (bench_pin(0) < 0 || server_pinned < 0) {
		fprintf(stderr, "%s: needs two CPUs\n", program_invocation_short_name);
		return 77;
	}
	status = bench_main(&b, argc, argv);
	ask(OP_STOP, -1, 0, 0);
	pthread_join(server, NULL);
	return status;
}
