/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * b_handoff.c - what the domain's request path costs: nop, fcntl and pread of 4 KiB through queue and worker, beside
 * the same call made natively and through a bare handoff of one cache line between two pinned threads (the floor).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/atomic.h"
#include "common/rawcall.h"
#include "play.h"

#define BUF 16384u
#define ROUNDS 3000
#define REPEATS 101
#define QUANTILE 10 /* of 101: what a quiet machine does, also on a busy one */

static char private_buffer[4096];

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

/* ---- the floor ---- */

static struct {
	_Atomic uint64_t turn;
	long result;
	char pad[48];
	char buffer[4096];
} line __attribute__((aligned(64)));

struct what {
	const char *name;
	long nr;
	long length;
};

static int native_fd;
static const struct what *current;

static long do_native(const struct what *w, void *buffer)
{
	switch (w->nr) {
	case SYS_fcntl:
		return fc_call(SYS_fcntl, native_fd, F_GETFL, 0);
	case SYS_pread64:
		return fc_call(SYS_pread64, native_fd, buffer, w->length, 0);
	default:
		return 0;
	}
}

static void *floor_server(void *arg)
{
	for (uint64_t n = 0;; n++) {
		uint64_t t;

		while ((t = atomic_load_explicit(&line.turn, memory_order_acquire)) != 2 * n + 1)
			if (t == UINT64_MAX)
				return arg;
			else
				fc_pause();
		line.result = do_native(current, line.buffer);
		atomic_store_explicit(&line.turn, 2 * n + 2, memory_order_release);
	}
}

static double floor_ns(const struct what *w)
{
	pthread_t t;
	uint64_t start;

	current = w;
	line.turn = 0;
	pin(1); /* inherited */
	pthread_create(&t, NULL, floor_server, NULL);
	pin(0);
	start = play_ns();
	for (uint64_t n = 0; n < ROUNDS; n++) {
		atomic_store_explicit(&line.turn, 2 * n + 1, memory_order_release);
		while (atomic_load_explicit(&line.turn, memory_order_acquire) != 2 * n + 2)
			fc_pause();
		if (w->length)
			memcpy(private_buffer, line.buffer, w->length);
	}
	start = play_ns() - start;
	line.turn = UINT64_MAX;
	pthread_join(t, NULL);
	return (double)start / ROUNDS;
}

static double native_ns(const struct what *w)
{
	uint64_t start = play_ns();

	for (int i = 0; i < ROUNDS; i++)
		do_native(w, private_buffer);
	return (double)(play_ns() - start) / ROUNDS;
}

static double domain_ns(const struct what *w, int64_t fd)
{
	uint64_t start = play_ns();

	for (int i = 0; i < ROUNDS; i++) {
		if (w->nr == SYS_fcntl)
			CALL(SYS_fcntl, fd, F_GETFL);
		else if (w->nr == SYS_pread64)
			CALL(SYS_pread64, fd, BUF, w->length, 0);
		else
			CALL(w->nr);
		if (w->length)
			memcpy(private_buffer, play_at(BUF), w->length);
	}
	return (double)(play_ns() - start) / ROUNDS;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

int main(void)
{
	static const struct what what[] = {
		{ "nop", 1027, 0 },
		{ "fcntl", SYS_fcntl, 0 },
		{ "pread 512", SYS_pread64, 512 },
		{ "pread 4096", SYS_pread64, 4096 },
	};
	double t[3][REPEATS];
	int64_t fd;

	play_world();
	play_start(1 << 20);
	pin(0);
	fd = CALL(SYS_openat, (uint64_t)AT_FDCWD, play_put(0, "/data/x"), O_CREAT | O_RDWR, 0600);
	CALL(SYS_pwrite64, fd, BUF, 8192, 0);
	native_fd = open("/data/x", O_RDWR);
	printf("%-12s %10s %10s %10s %8s\n", "ns", "native", "floor", "domain", "ratio");
	for (unsigned i = 0; i < sizeof what / sizeof *what; i++) {
		for (int k = 0; k < REPEATS; k++) {
			t[0][k] = native_ns(&what[i]);
			t[1][k] = floor_ns(&what[i]);
			t[2][k] = domain_ns(&what[i], fd);
		}
		for (int k = 0; k < 3; k++)
			qsort(t[k], REPEATS, sizeof t[k][0], by_value);
		printf("%-12s %10.0f %10.0f %10.0f %8.2f\n", what[i].name, t[0][QUANTILE], t[1][QUANTILE],
		       t[2][QUANTILE], t[2][QUANTILE] / t[1][QUANTILE]);
	}
	printf("spin hits %lu, sleeps %lu, wakeups %lu\n", play.slot->count.spin_hits, play.slot->count.sleeps,
	       play.slot->count.wakeups);
	return play_stop();
}
