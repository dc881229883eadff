/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench_start.c - times what programs do that start others, and prints the median in nanoseconds: what start.sh runs natively and
 * under farcall. Usage:
 *   bench_start run TIMES COMMAND [ARGUMENT...]   start a program and wait for it
 *   bench_start fork TIMES [FILE]                 fork, exit, wait; with FILE open meanwhile
 *   bench_start forks TIMES AT-ONCE [FILE]        so many forks, then their waits; per process
 *   bench_start files TIMES COUNT DIR             open and close so many files
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FILES 100 /* different ones */

extern char **environ;

static void die(const char *what)
{
	fprintf(stderr, "bench_start: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void reap(int count)
{
	int status;

	for (int i = 0; i < count; i++)
		if (wait(&status) < 0 || !WIFEXITED(status) || WEXITSTATUS(status))
			die("a child");
}

static void run(char **argv)
{
	pid_t pid;

	errno = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
	if (errno)
		die(argv[0]);
	reap(1);
}

static void forks(int count)
{
	for (int i = 0; i < count; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (!pid)
			_exit(0);
	}
	reap(count);
}

static void files(int count, const char *dir)
{
	char path[4096];

	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof path, "%s/f%d", dir, i % FILES);
		int fd = open(path, O_RDWR | O_CREAT, 0644);

		if (fd < 0)
			die(path);
		close(fd);
	}
}

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	int times = argc > 2 ? atoi(argv[2]) : 0, count = 1;
	uint64_t *sample = times > 0 ? calloc((size_t)times, sizeof *sample) : NULL;
	const char *held = NULL;

	if (!strcmp(what, "fork"))
		held = argv[3];
	else if (argc > 3 && (!strcmp(what, "forks") || !strcmp(what, "files")))
		count = atoi(argv[3]), held = !strcmp(what, "forks") ? argv[4] : NULL;
	else if (argc < 4 || strcmp(what, "run"))
		times = 0;
	if (!sample || times < 1 || count < 1 || (!strcmp(what, "files") && argc < 5)) {
		fprintf(stderr, "usage: bench_start run|fork|forks|files TIMES ...\n");
		return 2;
	}
	if (held && open(held, O_RDWR | O_CREAT, 0644) < 0)
		die(held);
	for (int i = 0; i < times; i++) {
		uint64_t start = now_ns();

		if (!strcmp(what, "run"))
			run(argv + 3);
		else if (!strcmp(what, "files"))
			files(count, argv[4]);
		else
			forks(count);
		sample[i] = now_ns() - start;
	}
	qsort(sample, (size_t)times, sizeof *sample, ascending);
	printf("%llu\n", (unsigned long long)(sample[times / 2] / (unsigned)count));
	return 0;
}
