/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * areas.c - the client's areas in its shadow: which there are, and the messages that change them. How memory is mapped is
 * memory.h's; what is in it is the execution side's business.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "common/atomic.h"
#include "common/region.h"
#include "storage-domain/exec/post.h"
#include "storage-domain/shadow/memory.h"
#include "storage-domain/shadow/shadow_main.h"

/* What a session begins with, which the domain may come to pay for: memory.h */
#define FC_BYTES_BASE (sizeof(struct fc_request_area) + FC_DATA_MIN)

bool fc_segment_boundary(uint64_t length)
{
	return length >= FC_DATA_MIN && length <= FC_DATA_MAX && (length & (length - 1)) == 0;
}

/* The constants of the header, as the client has written them. */
static bool header_valid(const struct fc_area_header *shared)
{
	struct fc_area_header h;

	memcpy(&h, shared, sizeof h);
	return h.magic == FC_ABI_MAGIC && h.major == FC_ABI_MAJOR && h.entries == FC_ENTRIES &&
	       h.size == sizeof(struct fc_request_area);
}

static void set_length(struct fc_shadow *s, uint64_t length)
{
	fc_store_release(&s->data_length, length);
	s->slot->data_bytes = length;
}

static void clear(struct fc_shadow *s)
{
	s->area = NULL;
	s->bytes_kept = 0;
	memset(s->segment, 0, sizeof s->segment);
	set_length(s, 0);
}

static void drop(struct fc_shadow *s)
{
	fc_leases_void(s);
	fc_posts_cut(s, 0);
	s->memory->unmap_all(s->area, s->segment, s->data_length);
	if (s->area)
		fc_budget_give(s->slot, FC_BYTES, FC_BYTES_BASE + s->bytes_kept);
	clear(s);
}

/* What they held is held by the parent's slot. */
void fc_areas_forget(struct fc_shadow *s)
{
	s->memory->forget();
	clear(s);
}

void fc_memory_unmap(struct fc_shadow *s, void *at, uint64_t size)
{
	if (s->memory->unmap_shared)
		s->memory->unmap_shared(at, size);
	else
		munmap(at, size);
}

int fc_memory_again(struct fc_shadow *s, void **at)
{
	return s->memory->map_again ? s->memory->map_again(at) : 0;
}

int fc_memory_reserve(char **at)
{
	size_t size = FC_DATA_MAX + FC_PAGE_SIZE;
	void *m = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int r;

	if (m == MAP_FAILED)
		return -errno;
	if (madvise(m, size, MADV_DONTFORK)) {
		r = -errno;
		munmap(m, size);
		return r;
	}
	*at = m;
	return 0;
}

/* Map the segment that follows what is there. */
static int add_segment(struct fc_shadow *s, const struct fc_packet *p, unsigned part, uint64_t size)
{
	uint64_t length = s->data_length;
	void *at;
	int r = s->memory->map_segment(p, part, length, size, &at);

	if (r < 0)
		return r;
	/* a worker may look at it at any time, whatever the client says */
	fc_store(&s->segment[fc_segment_of(length)], (char *)at);
	set_length(s, length + size);
	return 0;
}

int fc_areas_set(struct fc_shadow *s, const struct fc_packet *p)
{
	void *area;
	int r = 0;

	if (p->head.arg[0] != FC_DATA_MIN)
		return -EPROTO;
	if (s->workers)
		r = fc_workers_stop(s);
	if (r < 0)
		return r;
	drop(s);
	if (!fc_budget_take(s->shared, s->slot, FC_BYTES, FC_BYTES_BASE))
		return -ENOMEM;
	r = s->memory->map_area(p, &area);
	if (r < 0) {
		fc_budget_give(s->slot, FC_BYTES, FC_BYTES_BASE);
		return r;
	}
	s->area = area;
	r = header_valid(&s->area->header) ? add_segment(s, p, 1, FC_DATA_MIN) : -EPROTO;
	if (r == 0)
		r = fc_workers_start(s);
	if (r < 0)
		drop(s);
	return r;
}

int fc_areas_grow(struct fc_shadow *s, const struct fc_packet *p)
{
	uint64_t length = s->data_length, size = p->head.arg[0], kept = p->head.arg[1] ? size : 0;
	int r;

	/* each segment is as large as all before it */
	if (!s->area || size != length || length + size > FC_DATA_MAX)
		return -EPROTO;
	if (kept && !fc_budget_take(s->shared, s->slot, FC_BYTES, kept))
		return -ENOMEM;
	r = add_segment(s, p, 0, size);
	if (r == 0)
		s->bytes_kept += kept; /* until the areas go, whatever is given back before */
	else if (kept)
		fc_budget_give(s->slot, FC_BYTES, kept);
	return r;
}

int fc_areas_shrink(struct fc_shadow *s, uint64_t length)
{
	uint64_t had = s->data_length;
	int r = 0;

	if (!s->area || !fc_segment_boundary(length) || length > had)
		return -EPROTO;
	fc_posts_cut(s, length);
	set_length(s, length);
	for (uint64_t at = length; at < had && r == 0; at += at)
		r = s->memory->unmap_segment(s->segment[fc_segment_of(at)], at, at);
	return r;
}
