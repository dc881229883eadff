/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench_writes.c - writes 16 MiB to a file that it makes, in pieces of 32 bytes, 64, up to 2 MiB: Figures 3 and 4 of the VirtuOS paper. The time is
 * that of the writes and of close, before which a write that is not waited for must be done. Prints SIZE,GB_PER_S; reads back what it has written.
 * Usage: bench_writes MS DIR, MS being the longest that one size may take: after it the file is shorter.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FILE_SIZE (16ul << 20)
#define MIN_SIZE 32ul
#define MAX_SIZE (2ul << 20)
#define LOOK_AFTER (64ul << 10) /* bytes between two looks at the clock: its cost must not be one of 32 bytes */

static char buffer[MAX_SIZE], was[MAX_SIZE], path[4096];

static void die(const char *what, int err)
{
	fprintf(stderr, "bench_writes: %s: %s: %s\n", path, what, strerror(err));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* Every piece begins with its offset, so that one in a wrong place is noticed. */
static void stamp(char *piece, uint64_t offset)
{
	memcpy(piece, &offset, sizeof offset);
}

static size_t write_pieces(int fd, size_t size, uint64_t until)
{
	size_t done = 0, look = LOOK_AFTER;

	while (done < FILE_SIZE) {
		stamp(buffer, done);
		ssize_t n = write(fd, buffer, size);

		if (n != (ssize_t)size)
			die("write", n < 0 ? errno : EIO);
		done += size;
		if (done < look)
			continue;
		if (now_ns() >= until)
			break;
		look = done + LOOK_AFTER;
	}
	return done;
}

static void check(size_t size, size_t length)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t offset = 0;
	ssize_t n;

	if (fd < 0)
		die("open", errno);
	while ((n = read(fd, was, sizeof was)) > 0) {
		for (ssize_t i = 0; i < n; i += (ssize_t)size) {
			stamp(buffer, offset + (size_t)i);
			if (n - i < (ssize_t)size || memcmp(buffer, was + i, size))
				die("these are not the bytes that were written", EIO);
		}
		offset += (size_t)n;
	}
	if (n < 0 || offset != length)
		die("it is not as long as was written", n < 0 ? errno : EIO);
	close(fd);
}

static void measure(size_t size, uint64_t limit_ns)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	uint64_t start, ns;
	size_t length;

	if (fd < 0)
		die("open", errno);
	start = now_ns();
	length = write_pieces(fd, size, start + limit_ns);
	if (close(fd))
		die("close", errno);
	ns = now_ns() - start;
	check(size, length);
	if (unlink(path))
		die("unlink", errno);
	printf("%zu,%.5f\n", size, (double)length / (double)ns);
}

int main(int argc, char **argv)
{
	unsigned long ms = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;

	if (!ms) {
		fprintf(stderr, "usage: bench_writes MS DIR\n");
		return 2;
	}
	snprintf(path, sizeof path, "%s/writes.%d", argv[2], (int)getpid());
	for (size_t i = 0; i < MAX_SIZE; i++)
		buffer[i] = (char)(1 + i % 251);
	for (size_t size = MIN_SIZE; size <= MAX_SIZE; size *= 2)
		measure(size, ms * 1000000);
	return fflush(stdout) || ferror(stdout);
}
