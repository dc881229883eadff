/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_load.c FILE BEGUN - reads and writes FILE until that fails. Writes a line to BEGUN once it is under way; in the end, to stdout: the
 * error, the milliseconds that the call which failed took, and how many calls there were. Exit status 0 if there was an error.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <errno.h>
#include <unistd.h>

#define BLOCK 16384

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int one_call(int fd, unsigned long n)
{
	static char block[BLOCK];

	if (n % 50 == 49)
		return fsync(fd);
	if (n % 2)
		return pread(fd, block, BLOCK, 0) < 0 ? -1 : 0;
	return pwrite(fd, block, BLOCK, (off_t)(n % 64 * BLOCK)) == BLOCK ? 0 : -1;
}

int main(int argc, char **argv)
{
	int fd = argc == 3 ? open(argv[1], O_RDWR | O_CREAT, 0600) : -1, begun;
	unsigned long n = 0;
	long since;

	if (fd < 0) {
		fprintf(stderr, "h_load FILE BEGUN: %s\n", strerror(errno));
		return 1;
	}
	do {
		if (n == 40) {
			begun = open(argv[2], O_WRONLY);
			if (begun < 0 || write(begun, "begun\n", 6) != 6)
				return 1;
		}
		since = now_ms();
	} while (!one_call(fd, n++));
	printf("%s %ld %lu\n", strerrorname_np(errno), now_ms() - since, n);
	return 0;
}
