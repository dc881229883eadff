/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * t_pipes.c - pipes behind FIFOs: what is in one is the kernel's memory, charged to nobody but the domain. A client has no more of it
 * than is left for others, cannot make one larger, and gets back what it has closed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "tests/attack/attack.h"

#define FIFOS 3000
#define MEMORY_MB 60
#define CHUNK 65536

static int64_t make_and_open(struct session *s, unsigned i)
{
	char name[32];
	uint64_t path;

	snprintf(name, sizeof name, "/data/fifo%u", i);
	path = session_put(s, 0, name);
	CALL(s, SYS_mknodat, (uint64_t)AT_FDCWD, path, S_IFIFO | 0600, 0);
	return CALL(s, SYS_openat, (uint64_t)AT_FDCWD, session_put(s, 0, name), O_RDWR | O_NONBLOCK, 0);
}

static int64_t pipes[FIFOS];

static void fill(void)
{
	struct session s;
	int64_t fd = 0, size;
	unsigned n, i;

	if (attack_open(&s)) {
		attack_wrong("cannot attach");
		return;
	}
	for (n = 0; n < FIFOS; n++) {
		fd = make_and_open(&s, n);
		if (fd < 0)
			break;
		pipes[n] = fd;
		CALL(&s, SYS_fcntl, (uint64_t)fd, F_SETPIPE_SZ, 1 << 20);
		while (CALL(&s, SYS_write, (uint64_t)fd, 4096, CHUNK) > 0)
			;
	}
	printf("# %u pipes, then: %s\n", n, fd < 0 ? strerror((int)-fd) : "no end");
	EXPECT(n >= 16 && n < FIFOS && fd == -ENFILE, "one user has %u pipes open", n);
	size = CALL(&s, SYS_fcntl, (uint64_t)pipes[0], F_GETPIPE_SZ, 0);
	EXPECT(size > 0 && size <= CHUNK, "a pipe has %lld bytes", (long long)size);
	/* what is closed is there to be had again, as often as one likes; a quarter stays free for those who come and go beside it */
	for (i = 0; i < n / 4; i++)
		EXPECT(CALL(&s, SYS_close, (uint64_t)pipes[i]) == 0, "close");
	for (i = 0, fd = pipes[n / 4]; i < 5 * n && fd > 0; i++) {
		EXPECT(CALL(&s, SYS_close, (uint64_t)fd) == 0, "close");
		fd = make_and_open(&s, i % n);
	}
	EXPECT(fd > 0, "a pipe instead of one that was closed: %s", strerror((int)-fd));
	session_close(&s);
}

int main(void)
{
	static const struct attack_setup setup = { .memory_mb = MEMORY_MB, .greedy = true };

	attack_begin(&setup);
	attack_by(ATTACKER, "pipes", fill);
	return attack_end();
}
