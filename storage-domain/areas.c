/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * areas.c - the client's memory in its shadow: checks that it is what it must be, maps it, and takes it away again. What is
 * in it is the execution side's business.
 *
 * A memfd on tmpfs that is sealed against shrinking can always be read and written up to its size; anything else could
 * raise SIGBUS under a worker, or make it wait for as long as the client likes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "storage-domain/shadow_main.h"

#define FC_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

bool fc_segment_boundary(uint64_t length)
{
	return length >= FC_DATA_MIN && length <= FC_DATA_MAX && (length & (length - 1)) == 0;
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

/* Map all of a checked memfd, at `at` if that is not null. Forks do not get it. Returns 0 or -errno. */
static int map(int fd, uint64_t size, char *at, void **mapped)
{
	void *m = mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | (at ? MAP_FIXED : 0), fd, 0);

	if (m == MAP_FAILED)
		return errno == ENOMEM ? -ENOMEM : -EPROTO; /* sealed against writing, or opened for reading only */
	if (madvise(m, size, MADV_DONTFORK))
		return -errno;
	*mapped = m;
	return 0;
}

/* The constants of the header, as the client has written them. */
static bool header_valid(const struct fc_area_header *shared)
{
	struct fc_area_header h;

	memcpy(&h, shared, sizeof h);
	return h.magic == FC_ABI_MAGIC && h.major == FC_ABI_MAJOR && h.entries == FC_ENTRIES &&
	       h.size == sizeof(struct fc_request_area);
}

/* Address space for the largest data area and a guard page, and nothing in it. */
static int reserve(struct fc_shadow *s)
{
	size_t size = FC_DATA_MAX + FC_PAGE_SIZE;
	void *m = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (m == MAP_FAILED)
		return -errno;
	if (madvise(m, size, MADV_DONTFORK)) {
		munmap(m, size);
		return -errno;
	}
	s->data = m;
	return 0;
}

static void set_length(struct fc_shadow *s, uint64_t length)
{
	atomic_store_explicit(&s->data_length, length, memory_order_release);
	s->slot->data_bytes = length;
}

static void drop(struct fc_shadow *s)
{
	if (s->area)
		munmap(s->area, sizeof *s->area);
	if (s->data)
		munmap(s->data, FC_DATA_MAX + FC_PAGE_SIZE);
	fc_areas_forget(s);
}

void fc_areas_forget(struct fc_shadow *s)
{
	s->area = NULL;
	s->data = NULL;
	set_length(s, 0);
}

int fc_areas_set(struct fc_shadow *s, const struct fc_packet *p)
{
	void *area, *segment;
	int r = 0;

	if (p->head.arg[0] != FC_DATA_MIN)
		return -EPROTO;
	if (s->workers)
		r = fc_workers_stop(s);
	if (r < 0)
		return r;
	drop(s);
	r = check(p->fd[0], sizeof *s->area);
	if (r == 0)
		r = check(p->fd[1], FC_DATA_MIN);
	if (r == 0)
		r = map(p->fd[0], sizeof *s->area, NULL, &area);
	if (r < 0)
		return r;
	s->area = area;
	r = header_valid(&s->area->header) ? reserve(s) : -EPROTO;
	if (r == 0)
		r = map(p->fd[1], FC_DATA_MIN, s->data, &segment);
	if (r == 0) {
		set_length(s, FC_DATA_MIN);
		r = fc_workers_start(s);
	}
	if (r < 0)
		drop(s);
	return r;
}

int fc_areas_grow(struct fc_shadow *s, int fd, uint64_t size)
{
	uint64_t length = s->data_length;
	void *segment;
	int r;

	/* each segment is as large as all before it */
	if (!s->area || size != length || length + size > FC_DATA_MAX)
		return -EPROTO;
	r = check(fd, size);
	if (r == 0)
		r = map(fd, size, s->data + length, &segment);
	if (r == 0)
		set_length(s, length + size);
	return r;
}

int fc_areas_shrink(struct fc_shadow *s, uint64_t length)
{
	uint64_t had = s->data_length;

	if (!s->area || !fc_segment_boundary(length) || length > had)
		return -EPROTO;
	if (length == had)
		return 0;
	set_length(s, length);
	/* private zeroes, not a hole: a worker may be in the middle of a copy */
	if (mmap(s->data + length, had - length, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED ||
	    madvise(s->data + length, had - length, MADV_DONTFORK))
		return -errno;
	return 0;
}
