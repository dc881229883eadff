/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * e2e.h - what the h_*.c programs share. Each takes a directory, plain or remote, as its first argument and "native" or
 * "remote" as its second, does its work there, prints what is wrong and exits with 0 or 1. Natively all must pass: they
 * test the shim against the kernel's behaviour, not against farcall's.
 */
#ifndef FC_E2E_H
#define FC_E2E_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int e2e_failures;
static const char *e2e_dir;
static bool e2e_remote, e2e_long;

#define CHECK(cond)                                                                                    \
	do {                                                                                           \
		if (!(cond)) {                                                                         \
			int e_ = errno;                                                                \
			fprintf(stderr, "%s:%d: %s is not so (errno %s)\n", __FILE__, __LINE__, #cond, \
				strerrorname_np(e_));                                                  \
			__atomic_add_fetch(&e2e_failures, 1, __ATOMIC_RELAXED);                        \
		}                                                                                      \
	} while (0)

/* compares two numbers and shows both */
#define EQUAL(a, b)                                                                                                    \
	do {                                                                                                           \
		long a_ = (long)(a), b_ = (long)(b);                                                                   \
		int e_ = errno;                                                                                        \
		if (a_ != b_) {                                                                                        \
			fprintf(stderr, "%s:%d: %s is %ld, not %s = %ld (errno %s)\n", __FILE__, __LINE__, #a, a_, #b, \
				b_, strerrorname_np(e_));                                                              \
			__atomic_add_fetch(&e2e_failures, 1, __ATOMIC_RELAXED);                                        \
		}                                                                                                      \
	} while (0)

#define FAILS(call, error)                                                                                 \
	do {                                                                                               \
		errno = 0;                                                                                 \
		long r_ = (long)(call);                                                                    \
		int e_ = errno;                                                                            \
		if (r_ != -1 || e_ != (error)) {                                                           \
			fprintf(stderr, "%s:%d: %s gives %ld %s, not %s\n", __FILE__, __LINE__, #call, r_, \
				r_ == -1 ? strerrorname_np(e_) : "", strerrorname_np(error));              \
			__atomic_add_fetch(&e2e_failures, 1, __ATOMIC_RELAXED);                            \
		}                                                                                          \
	} while (0)

/* REFUSED(what no domain does, how it is refused there): natively it must not be refused so */
#define REFUSED(call, error)                       \
	do {                                       \
		if (e2e_remote) {                  \
			FAILS(call, error);        \
		} else {                           \
			errno = 0;                 \
			CHECK((long)(call) != -1); \
		}                                  \
	} while (0)

static inline void e2e_init(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: %s DIRECTORY native|remote\n", argv[0]);
		exit(2);
	}
	e2e_dir = argv[1];
	e2e_remote = !strcmp(argv[2], "remote");
	e2e_long = getenv("FC_TEST_LONG") != NULL;
}

static inline int e2e_status(void)
{
	if (e2e_failures)
		fprintf(stderr, "%d checks failed\n", e2e_failures);
	return e2e_failures ? 1 : 0;
}

/* DIR/name in one of four static buffers of the thread */
static inline const char *in_dir(const char *name)
{
	static __thread char path[4][1024];
	static __thread int n;

	n = (n + 1) % 4;
	snprintf(path[n], sizeof path[n], "%s/%s", e2e_dir, name);
	return path[n];
}

static inline void make_file(const char *name, const void *data, size_t n)
{
	int fd = open(in_dir(name), O_WRONLY | O_CREAT | O_TRUNC, 0644);

	CHECK(fd >= 0);
	EQUAL(write(fd, data, n), n);
	EQUAL(close(fd), 0);
}

static inline double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline void sleep_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

/* every `us` microseconds a SIGALRM; 0: no more */
static inline void alarm_every(long us)
{
	struct itimerval t = { { us / 1000000, us % 1000000 }, { us / 1000000, us % 1000000 } };

	setitimer(ITIMER_REAL, &t, NULL);
}

static inline void handle(int sig, void (*f)(int), int flags)
{
	struct sigaction sa = { .sa_handler = f, .sa_flags = flags };

	sigaction(sig, &sa, NULL);
}

static inline int wait_status(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static inline unsigned char pattern(size_t i, unsigned seed)
{
	return (unsigned char)(i * 31 + i / 251 + seed * 77 + i / 65536);
}

#endif
