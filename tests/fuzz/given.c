/* SPDX-License-Identifier: GPL-2.0-or-later */
/* given.c - what a client passes, see given.h. The client keeps a second descriptor of each. */
#define _GNU_SOURCE
#include "tests/fuzz/given.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/queue.h"
#include "farcall/abi.h"
#include "tests/fuzz/fuzz.h"

#define FIRST 1000 /* the shadow's numbers; lower ones are the fuzzer's own */
#define MANY 64
#define ALLOCATED_MAX (1u << 21)

static struct {
	int shadow, client; /* -1: closed */
} given[MANY];
static unsigned count;

/* ---- kinds ---- */

/* The low four bits of a kind. All but the first are something that a shadow should refuse. */
enum {
	GOOD,
	SPARSE,
	FEWER_SEALS,
	OTHER_SIZE,
	READ_ONLY,
	PATH_ONLY,
	WRITE_SEALED,
	HUGE,
	TMPFS,
	DEVICE,
	PIPE,
	SOCKET,
	EPOLL,
	DIRECTORY
};

static int seals_of(uint8_t kind)
{
	unsigned which = kind >> 4;

	switch (kind & 15) {
	case FEWER_SEALS:
		return which & 1 ? F_SEAL_GROW : which & 2 ? F_SEAL_SHRINK : 0;
	case WRITE_SEALED:
		return F_SEAL_SHRINK | F_SEAL_GROW | (which & 1 ? F_SEAL_WRITE : F_SEAL_FUTURE_WRITE);
	default:
		return F_SEAL_SHRINK | F_SEAL_GROW | (which & 1 ? F_SEAL_SEAL : 0);
	}
}

/* What an honest client begins with; or a header that is wrong in one place. */
static void write_header(int fd, unsigned which)
{
	static struct fc_request_area area;
	struct fc_area_header *h = &area.header;

	*h = (struct fc_area_header){ FC_ABI_MAGIC, FC_ABI_MAJOR, FC_ABI_MINOR, FC_ENTRIES, sizeof area };
	if (which & 2)
		((uint8_t *)h)[fuzz_back(1) % 24] ^= fuzz_back(1);
	fc_queue_init(&area.queue);
	for (unsigned i = 0; i < 4; i++)
		area.entry[i].state = which & 4 ? FC_QUEUED + (i & 1) : FC_FREE;
	if (pwrite(fd, &area, sizeof area, 0) < 0)
		return;
}

static int reopen(int fd, int flags)
{
	char path[32];
	int other;

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	other = open(path, flags | O_CLOEXEC);
	close(fd);
	return other;
}

static int memory(uint8_t kind, uint64_t size)
{
	unsigned low = kind & 15;
	int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING | (low == HUGE ? MFD_HUGETLB : 0));

	if (low == OTHER_SIZE)
		size += kind & 16 ? 4096 : kind & 32 ? -1 : 1;
	if (size > FC_DATA_MAX)
		size = 0;
	if (fd < 0 || ftruncate(fd, low == HUGE ? 2 << 20 : size))
		return fd;
	if (low != SPARSE && low != HUGE && size <= ALLOCATED_MAX && fallocate(fd, 0, 0, size))
		return fd;
	if (size == sizeof(struct fc_request_area))
		write_header(fd, kind >> 4);
	fcntl(fd, F_ADD_SEALS, seals_of(kind));
	if (low == READ_ONLY)
		return reopen(fd, O_RDONLY);
	return low == PATH_ONLY ? reopen(fd, O_PATH) : fd;
}

static int one_of(int pair[2])
{
	close(pair[1]);
	return pair[0];
}

static int make(uint8_t kind, uint64_t size)
{
	int pair[2];

	switch (kind & 15) {
	case TMPFS:
		return open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	case DEVICE:
		return open(kind & 16 ? "/dev/zero" : "/dev/null", O_RDWR | O_CLOEXEC);
	case PIPE:
		return pipe2(pair, O_CLOEXEC) ? -1 : one_of(pair);
	case SOCKET:
		return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) ? -1 : one_of(pair);
	case EPOLL:
		return epoll_create1(EPOLL_CLOEXEC);
	case DIRECTORY:
		return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	default:
		return memory(kind, size);
	}
}

/* ---- whose they are ---- */

int given_open(uint8_t kind, uint64_t size)
{
	int fd = count < MANY ? make(kind, size) : -1;

	if (fd < 0)
		return -1;
	given[count].shadow = fcntl(fd, F_DUPFD_CLOEXEC, FIRST);
	given[count].client = fd;
	return given[count++].shadow;
}

bool given_has(int fd)
{
	for (unsigned i = 0; i < count; i++)
		if (given[i].shadow == fd)
			return true;
	return false;
}

bool given_close(int fd)
{
	for (unsigned i = 0; i < count; i++) {
		if (given[i].shadow != fd || fd < 0)
			continue;
		close(fd);
		given[i].shadow = -1;
		return true;
	}
	return false;
}

unsigned given_left(void)
{
	unsigned left = 0;

	for (unsigned i = 0; i < count; i++)
		left += given[i].shadow >= 0;
	return left;
}

void given_strike(void)
{
	for (unsigned i = 0; i < count; i++)
		if (given[i].client >= 0 && ftruncate(given[i].client, 0))
			continue;
}

void given_end(void)
{
	for (unsigned i = 0; i < count; i++) {
		if (given[i].shadow >= 0)
			close(given[i].shadow);
		if (given[i].client >= 0)
			close(given[i].client);
	}
	count = 0;
}
