/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memory_local.c - a client's memory on the same machine: memfds.
 *
 * A memfd on tmpfs that is sealed against shrinking can always be read and written up to its size; anything else could
 * raise SIGBUS under a worker, or make it wait for as long as the client likes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "storage-domain/memory.h"

#define FC_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* Address space for the largest data area and a guard page: what is not mapped in it is not accessible. */
static char *reserved;

static bool complete(const struct fc_packet *p, unsigned parts)
{
	return p->nfds == (int)parts && !p->head.size;
}

/* Is `fd` memory of exactly `size` bytes that stays that way? Returns 0 or -EPROTO. */
static int check(int fd, uint64_t size)
{
	struct statfs fs;
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0 || (seals & FC_SEALS) != FC_SEALS || fstatfs(fd, &fs) || fs.f_type != TMPFS_MAGIC ||
	    fstat(fd, &st) || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != size)
		return -EPROTO;
	return 0;
}

/* Map all of a memfd that is what it must be, at `at` if that is not null. */
static int map(int fd, uint64_t size, char *at, void **mapped)
{
	int r = check(fd, size);
	void *m;

	if (r < 0)
		return r;
	m = mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | (at ? MAP_FIXED : 0), fd, 0);
	if (m == MAP_FAILED)
		return errno == ENOMEM ? -ENOMEM : -EPROTO; /* sealed against writing, or opened for reading only */
	if (madvise(m, size, MADV_DONTFORK))
		return -errno;
	*mapped = m;
	return 0;
}

static int map_area(const struct fc_packet *p, void **at)
{
	return map(p->fd[0], sizeof(struct fc_request_area), NULL, at);
}

static int reserve(void)
{
	size_t size = FC_DATA_MAX + FC_PAGE_SIZE;
	void *m = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (m == MAP_FAILED)
		return -errno;
	if (madvise(m, size, MADV_DONTFORK)) {
		munmap(m, size);
		return -errno;
	}
	reserved = m;
	return 0;
}

static int map_segment(const struct fc_packet *p, unsigned part, uint64_t offset, uint64_t size, void **at)
{
	int r = reserved ? 0 : reserve();

	return r < 0 ? r : map(p->fd[part], size, reserved + offset, at);
}

static int unmap_segment(void *at, uint64_t offset, uint64_t size)
{
	(void)offset;
	/* private zeroes, not a hole: a worker may be in the middle of a copy */
	if (mmap(at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) ==
		    MAP_FAILED ||
	    madvise(at, size, MADV_DONTFORK))
		return -errno;
	return 0;
}

static void forget(void)
{
	reserved = NULL;
}

static void unmap_all(void *area, char *const segment[], uint64_t length)
{
	(void)segment;
	(void)length;
	if (area)
		munmap(area, sizeof(struct fc_request_area));
	if (reserved)
		munmap(reserved, FC_DATA_MAX + FC_PAGE_SIZE);
	forget();
}

const struct fc_memory fc_memory_local = {
	.complete = complete,
	.map_area = map_area,
	.map_segment = map_segment,
	.unmap_segment = unmap_segment,
	.unmap_all = unmap_all,
	.forget = forget,
};
