/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench_files.c - what programs do with whole files, wherever their directory may be: read one from end to end, write one from end to end, open one for a
 * little. All that a case does is waited for: after the writes comes a call that knows of them.
 *   bench_files [-r REPEATS] DIR   prints NAME,SIZE,NS_PER_STEP,GB_PER_S: medians
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LARGE (512l << 20)            /* the file that is read: eight times 64 MiB */
#define STEPS_READ (64l << 20) / 4096 /* of it in one sample */
#define MAX_REPEATS 101
#define MAX_SIZE 65536

static char buffer[MAX_SIZE];
static char large[4096], small[4096], log_name[4096];
static long at; /* in the large file */

static void die(const char *what)
{
	fprintf(stderr, "bench_files: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- the cases: each makes so many steps ---- */

static void read_on(size_t size, long steps)
{
	static int fd = -1;

	if (fd < 0)
		fd = open(large, O_RDONLY);
	for (; steps; steps--) {
		if (pread(fd, buffer, size, at) != (ssize_t)size)
			die(large);
		at = (at + (long)size) % LARGE;
	}
}

static void write_on(size_t size, long steps)
{
	int fd = open(log_name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	const off_t end = (off_t)size * steps;

	for (; steps; steps--)
		if (write(fd, buffer, size) != (ssize_t)size)
			die(log_name);
	if (lseek(fd, 0, SEEK_END) != end || close(fd))
		die(log_name);
}

static void with_small(int flags, size_t size, long steps)
{
	for (; steps; steps--) {
		int fd = open(small, flags);
		ssize_t n = flags == O_RDONLY ? read(fd, buffer, size) : write(fd, buffer, size);

		if (n != (ssize_t)size || close(fd))
			die(small);
	}
}

static void open_read(size_t size, long steps)
{
	with_small(O_RDONLY, size, steps);
}

static void open_write(size_t size, long steps)
{
	with_small(O_WRONLY, size, steps);
}

static const struct {
	const char *name;
	size_t size;
	void (*make)(size_t size, long steps);
	long steps; /* in a sample */
} cases[] = {
	{ "read on", 4096, read_on, STEPS_READ },       { "write on", 64, write_on, 20000 },
	{ "write on", 512, write_on, 20000 },           { "write on", 4096, write_on, 5000 },
	{ "write on", 65536, write_on, 500 },           { "open+read+close", 4096, open_read, 1000 },
	{ "open+write+close", 4096, open_write, 1000 },
};
#define CASES (sizeof cases / sizeof cases[0])

/* ---- measuring ---- */

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void make_files(const char *dir)
{
	int fd;

	snprintf(large, sizeof large, "%s/files.%d.large", dir, (int)getpid());
	snprintf(small, sizeof small, "%s/files.%d.small", dir, (int)getpid());
	snprintf(log_name, sizeof log_name, "%s/files.%d.log", dir, (int)getpid());
	memset(buffer, 'x', sizeof buffer);
	fd = open(large, O_WRONLY | O_CREAT | O_EXCL, 0600);
	for (long i = 0; i < LARGE; i += MAX_SIZE)
		if (write(fd, buffer, MAX_SIZE) != MAX_SIZE)
			die(large);
	close(fd);
	fd = open(small, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (write(fd, buffer, 4096) != 4096 || close(fd))
		die(small);
}

int main(int argc, char **argv)
{
	static double ns[CASES][MAX_REPEATS];
	int repeats = 15, opt;

	while ((opt = getopt(argc, argv, "r:")) == 'r')
		repeats = atoi(optarg);
	if (opt != -1 || optind != argc - 1 || repeats < 1 || repeats > MAX_REPEATS) {
		fprintf(stderr, "usage: bench_files [-r REPEATS] DIR\n");
		return 2;
	}
	make_files(argv[optind]);
	for (int r = -1; r < repeats; r++) /* the first time for nothing */
		for (size_t i = 0; i < CASES; i++) {
			double start = now_ns();

			cases[i].make(cases[i].size, cases[i].steps);
			if (r >= 0)
				ns[i][r] = (now_ns() - start) / (double)cases[i].steps;
		}
	unlink(large);
	unlink(small);
	unlink(log_name);
	for (size_t i = 0; i < CASES; i++) {
		qsort(ns[i], (size_t)repeats, sizeof ns[i][0], by_value);
		printf("%s,%zu,%.1f,%.4f\n", cases[i].name, cases[i].size, ns[i][repeats / 2],
		       (double)cases[i].size / ns[i][repeats / 2]);
	}
	return 0;
}
