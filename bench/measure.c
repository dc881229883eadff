/* SPDX-License-Identifier: GPL-2.0-or-later */
/* measure.c - cases, repetitions, medians and CSV for the measuring programs, see measure.h. */
#define _GNU_SOURCE
#include "bench/measure.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define MAX_REPEATS 101
#define N_SIZES 9
#define N_CASES (3 + 2 * N_SIZES)

#define BEYOND (3 * 4096ul)

static const size_t sizes[N_SIZES] = { 1, 64, 512, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 2 << 20 };
static struct bench_case cases[N_CASES] = { { BENCH_FCNTL, "fcntl", 0 },
					    { BENCH_FSTAT, "fstat", 0 },
					    { BENCH_OPEN, "open+close", 0 } };

struct result {
	bool wanted;
	unsigned long times; /* calls per sample */
	double ns[MAX_REPEATS];
};

static struct result results[N_CASES];
static unsigned sample_us = 1000, repeats = 31;
static char pattern[BENCH_MAX_SIZE];

static void die(const char *what, int err)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(err));
	exit(1);
}

/* Off the round address that all large mappings begin at: in an emulator's TLB, which is direct-mapped, two of them that a copy goes
 * between would push each other out with every access. */
void *bench_memory(size_t size, int flags)
{
	char *p = mmap(NULL, size + BEYOND, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED)
		die("mmap", errno);
	return p + BEYOND;
}

int bench_pin(unsigned nth)
{
	static cpu_set_t all; /* as it was before the first pinning */
	cpu_set_t one;

	if (!CPU_COUNT(&all) && sched_getaffinity(0, sizeof(all), &all))
		return -errno;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all) || nth--)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		return sched_setaffinity(0, sizeof(one), &one) ? -errno : cpu;
	}
	return -ESRCH;
}

static void list_transfers(void)
{
	for (unsigned i = 0; i < N_SIZES; i++) {
		cases[3 + i] = (struct bench_case){ BENCH_PREAD, "pread", sizes[i] };
		cases[3 + N_SIZES + i] = (struct bench_case){ BENCH_PWRITE, "pwrite", sizes[i] };
	}
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

/* The file holds the pattern and every write writes it, so that whatever a case leaves behind can be checked. */
static bool file_holds_pattern(struct bench *b)
{
	for (off_t off = 0; off < BENCH_FILE_SIZE; off += BENCH_MAX_SIZE) {
		if (pread(b->fd, b->buffer, BENCH_MAX_SIZE, off) != BENCH_MAX_SIZE ||
		    memcmp(b->buffer, pattern, BENCH_MAX_SIZE))
			return false;
	}
	return true;
}

/* One sample: ns for `times` calls, or -errno; -EIO also when the bytes are not the right ones. */
static int64_t sample(struct bench *b, const struct bench_case *c, unsigned long times)
{
	uint64_t start;
	int err;

	if (c->call == BENCH_PREAD)
		memset(b->buffer, 0, c->size);
	else
		memcpy(b->buffer, pattern, c->size);
	start = now_ns();
	err = b->make(b, c, times);
	start = now_ns() - start;
	if (err)
		return err;
	if (c->call == BENCH_PREAD && memcmp(b->buffer, pattern, c->size))
		return -EIO;
	return start;
}

/* Finds how many calls fill a sample. The better of two samples counts, for a single slow call (a cold cache, a lost
 * CPU) would make all later samples too short to mean anything. Returns 0 or -errno. */
static int calibrate(struct bench *b, const struct bench_case *c, struct result *r)
{
	const int64_t want_ns = sample_us * 1000ll;
	int64_t ns, again;

	for (r->times = 1;; r->times *= 4) {
		ns = sample(b, c, r->times);
		if (ns < 0)
			return ns;
		if (ns < want_ns / 4)
			continue;
		again = sample(b, c, r->times);
		if (again < 0)
			return again;
		if (again < ns)
			ns = again;
		if (ns >= want_ns / 4)
			break;
	}
	r->times = (double)r->times * want_ns / ns;
	if (!r->times)
		r->times = 1;
	return 0;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print_case(const struct bench_case *c, struct result *r)
{
	double ns;

	qsort(r->ns, repeats, sizeof(r->ns[0]), by_value);
	ns = repeats % 2 ? r->ns[repeats / 2] : (r->ns[repeats / 2 - 1] + r->ns[repeats / 2]) / 2;
	printf("%s,%zu,%.1f,%.4f\n", c->name, c->size, ns, c->size / ns);
}

/* The repetitions go round all cases, so that a slow moment of the machine does not hit one case's samples alone. */
static void measure(struct bench *b)
{
	int64_t ns;

	for (size_t i = 0; i < N_CASES; i++) {
		if (!results[i].wanted)
			continue;
		ns = calibrate(b, &cases[i], &results[i]);
		if (ns == -EOPNOTSUPP)
			results[i].wanted = false;
		else if (ns < 0)
			die(cases[i].name, -ns);
	}
	for (unsigned n = 0; n < repeats; n++) {
		for (size_t i = 0; i < N_CASES; i++) {
			if (!results[i].wanted)
				continue;
			ns = sample(b, &cases[i], results[i].times);
			if (ns < 0)
				die(cases[i].name, -ns);
			results[i].ns[n] = (double)ns / results[i].times;
		}
	}
}

static int usage(void)
{
	fprintf(stderr,
		"usage: %s [-t US] [-r REPEATS] [-o NAME[:SIZE]]... DIR\n"
		"  -t US       length of one sample in microseconds (1000)\n"
		"  -r REPEATS  samples per case, of which the median is printed (31)\n"
		"  -o CASE     measure only this call, at this size if given: fcntl, fstat, open+close, pread, pwrite\n"
		"Prints NAME,SIZE,NS_PER_CALL,GB_PER_S for calls on a file in DIR.\n",
		program_invocation_short_name);
	return 2;
}

/* Returns false if no case is meant. */
static bool select_case(const char *text)
{
	const char *colon = strchr(text, ':');
	size_t length = colon ? (size_t)(colon - text) : strlen(text);
	bool found = false;

	for (size_t i = 0; i < N_CASES; i++) {
		if (strlen(cases[i].name) != length || strncmp(cases[i].name, text, length) ||
		    (colon && cases[i].size != strtoul(colon + 1, NULL, 0)))
			continue;
		results[i].wanted = found = true;
	}
	return found;
}

/* Returns the directory, or NULL on wrong usage. */
static const char *read_options(int argc, char **argv)
{
	bool selected = false;
	int opt;

	while ((opt = getopt(argc, argv, "t:r:o:")) != -1) {
		if (opt == 't')
			sample_us = strtoul(optarg, NULL, 0);
		else if (opt == 'r')
			repeats = strtoul(optarg, NULL, 0);
		else if (opt == 'o' && select_case(optarg))
			selected = true;
		else
			return NULL;
	}
	if (optind != argc - 1 || !sample_us || !repeats || repeats > MAX_REPEATS)
		return NULL;
	for (size_t i = 0; i < N_CASES && !selected; i++)
		results[i].wanted = true;
	return argv[optind];
}

static void make_file(struct bench *b, const char *dir)
{
	snprintf(b->path, sizeof(b->path), "%s/calls.%d", dir, (int)getpid());
	b->fd = open(b->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (b->fd < 0)
		die(b->path, errno);
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = 1 + i % BENCH_STEP % 251;
	for (off_t off = 0; off < BENCH_FILE_SIZE; off += BENCH_MAX_SIZE) {
		if (pwrite(b->fd, pattern, BENCH_MAX_SIZE, off) != BENCH_MAX_SIZE)
			die(b->path, errno);
	}
}

int bench_main(struct bench *b, int argc, char **argv)
{
	const char *dir;
	bool right;

	list_transfers();
	dir = read_options(argc, argv);
	if (!dir)
		return usage();
	b->buffer = bench_memory(BENCH_MAX_SIZE, MAP_PRIVATE);
	make_file(b, dir);
	measure(b);
	right = file_holds_pattern(b);
	if (unlink(b->path))
		die(b->path, errno);
	if (!right) {
		fprintf(stderr, "%s: %s: the calls left wrong bytes behind\n", program_invocation_short_name, b->path);
		return 1;
	}
	for (size_t i = 0; i < N_CASES; i++) {
		if (results[i].wanted)
			print_case(&cases[i], &results[i]);
	}
	return fflush(stdout) || ferror(stdout);
}
