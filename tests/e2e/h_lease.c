/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_lease.c - reads that need no request, while others change the file.
 *   h_lease drive FILE MS COMMAND...   changes the length of FILE again and again while COMMAND (h_lease read) reads it; says how often
 *   h_lease read FILE                  what it reads is right at any time: every byte, and between the lengths before and after the change
 *   h_lease hold FILE                  reads FILE until it is delegated, says so, and whether it is shorter one day
 *   h_lease open FILE ARG              opens FILE (ARG "n": without blocking) for writing, cuts it to nothing; says how many ms that took
 *   h_lease count FILE N               N reads
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MOST 4000000
#define LARGE 2000000 /* bytes of a read: long enough for a change in the middle of it */

/* On what both agree: the lengths between which the file's is. The writer counts `turn` up before and after each change. */
struct state {
	volatile unsigned turn;
	volatile long least, most;
	volatile bool over;
};

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static int fail(const char *what)
{
	fprintf(stderr, "h_lease: %s: %s\n", what, strerror(errno));
	return 1;
}

static char byte_at(long at)
{
	return (char)(1 + at % 251);
}

static struct state *state_map(int fd)
{
	struct state *s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (s == MAP_FAILED)
		exit(fail("mmap"));
	return s;
}

/* ---- the writer ---- */

static void change(struct state *s, const char *path, long *length, unsigned dice)
{
	static char text[MOST];
	int fd;
	long to = *length + dice % (dice & 4 ? 3000 : MOST / 4);

	if (dice & 1 &&
	    *length > 1000) /* by so little that the page is still there, and what was cut off is zeros in it */
		to = dice & 24 ? *length - 1 - dice % 100 : 1 + dice % *length;

	if (to > MOST)
		to = 1000 + dice % 100000;
	s->least = to < *length ? to : *length;
	s->most = to > *length ? to : *length;
	__atomic_fetch_add(&s->turn, 1, __ATOMIC_SEQ_CST);
	if (to < *length && (dice & 2)) {
		if (truncate(path, to))
			exit(fail("truncate"));
	} else {
		fd = open(path, O_WRONLY);
		for (long i = *length; i < to; i++)
			text[i] = byte_at(i);
		if (fd < 0 || (to < *length ? ftruncate(fd, to)
					    : pwrite(fd, text + *length, (size_t)(to - *length), *length) < 0))
			exit(fail("change"));
		close(fd);
	}
	s->least = s->most = *length = to;
	__atomic_fetch_add(&s->turn, 1, __ATOMIC_SEQ_CST);
}

static int drive(const char *path, int ms, char **command)
{
	int shared = memfd_create("state", 0), status, fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	struct state *s;
	long length = 0, changes = 0;
	double end;
	pid_t pid;

	if (shared < 0 || fd < 0 || ftruncate(shared, sizeof *s) || dup2(shared, 9) < 0)
		return fail("begin");
	close(fd);
	s = state_map(shared);
	srandom(1);
	for (int i = 0; i < 5; i++)
		change(s, path, &length, 399992);
	pid = fork();
	if (!pid) {
		execvp(command[0], command);
		_exit(fail(command[0]));
	}
	end = now_ms() + ms;
	for (; now_ms() < end; changes++) {
		usleep(changes % 4 ? random() % 2000
				   : 20000); /* some are too soon for a delegation to be had, others not */
		change(s, path, &length, (unsigned)random() >> 3);
	}
	s->over = true;
	if (waitpid(pid, &status, 0) < 0 || status)
		return 1;
	printf("%ld changes\n", changes);
	return 0;
}

/* ---- the reader ---- */

static long clip(long length, long at, long n)
{
	return length <= at ? 0 : length - at < n ? length - at : n;
}

/* What is cut off while it is read may be zeros, natively too: the kernel looks at the length before it copies. */
static bool was_cut(const struct state *s, unsigned turn, long least, long at)
{
	unsigned now = __atomic_load_n(&s->turn, __ATOMIC_SEQ_CST);

	return now - turn > 2 || ((now != turn || turn & 1) && at >= (s->least < least ? s->least : least));
}

static int one_read(const struct state *s, int fd, unsigned dice)
{
	static char text[LARGE];
	unsigned turn = __atomic_load_n(&s->turn, __ATOMIC_SEQ_CST);
	long least = s->least, most = s->most, n = 1 + (dice >> 8) % (dice & 6 ? 4096 : LARGE), at, got;

	at = dice & 1 ? least - n + (dice & 8 ? 0 : (dice >> 4) % 40) : (dice >> 4) % MOST;
	if (at < 0)
		at = 0;
	got = pread(fd, text, (size_t)n, at);
	for (long i = 0; i < got; i++)
		if (text[i] != byte_at(at + i) && (text[i] || !was_cut(s, turn, least, at + i)))
			return fprintf(stderr, "byte %ld of %ld at %ld is %d\n", i, got, at, text[i]), 1;
	if (__atomic_load_n(&s->turn, __ATOMIC_SEQ_CST) != turn)
		return 0; /* a change has begun or ended meanwhile: what may it have seen? */
	if (got < clip(least, at, n) || got > clip(most, at, n))
		return fprintf(stderr, "%ld bytes at %ld, of a length between %ld and %ld\n", got, at, least, most), 1;
	return 0;
}

static int reader(const char *path)
{
	const struct state *s = state_map(9);
	int fd = open(path, O_RDONLY);
	unsigned dice = 1;

	while (!s->over) {
		dice = dice * 1103515245 + 12345;
		if (one_read(s, fd, dice >> 3))
			return 1;
	}
	return 0;
}

static int count(const char *path, long n)
{
	int fd = open(path, O_RDONLY);
	char text[100];

	for (long i = 0; i < n; i++)
		if (pread(fd, text, sizeof text, i % 50) != sizeof text)
			return fail("pread");
	return 0;
}

static int hold(const char *path)
{
	if (count(path, 1000))
		return 1;
	int fd = open(path, O_RDONLY);
	char text[100];

	for (int i = 0; i < 1000; i++)
		if (pread(fd, text, sizeof text, 0) != sizeof text)
			return fail("pread");
	puts("held");
	fflush(stdout);
	while (pread(fd, text, sizeof text, 0) == sizeof text)
		usleep(10000);
	puts("cut");
	fflush(stdout);
	for (;;)
		pause();
}

static int open_it(const char *path, const char *how)
{
	double start = now_ms();
	int fd = open(path, O_WRONLY | (*how == 'n' ? O_NONBLOCK : 0));

	if (fd < 0)
		return fail("open");
	printf("%.0f\n", now_ms() - start);
	return ftruncate(fd, 0) ? fail("ftruncate") : 0;
}

int main(int argc, char **argv)
{
	if (argc > 4 && !strcmp(argv[1], "drive"))
		return drive(argv[2], atoi(argv[3]), argv + 4);
	if (argc == 3 && !strcmp(argv[1], "read"))
		return reader(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "hold"))
		return hold(argv[2]);
	if (argc == 4 && !strcmp(argv[1], "open"))
		return open_it(argv[2], argv[3]);
	if (argc == 4 && !strcmp(argv[1], "count"))
		return count(argv[2], atol(argv[3]));
	fprintf(stderr, "usage: see the source\n");
	return 2;
}
