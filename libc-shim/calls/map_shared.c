/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * map_shared.c - see map_shared.h. The memory is ours, or of our kernel's making, the domain has it too, and keeps it and the file the same: how, and how far, is
 * said in storage-domain/exec/map.c. Here is known where in the address space it is, so that the domain is told when the application
 * does msync, and when nothing of it is mapped any more.
 *
 * A region is a part of a file that the domain knows as one mapping. We keep one mapping of it for ourselves, of which those that the
 * application sees are duplicates: they can be cut, moved and made again, as long as they lie within it.
 */
#define _GNU_SOURCE
#include "libc-shim/calls/map_shared.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "common/atomic.h"
#include "common/rawcall.h"
#include "farcall/abi.h"
#include "libc-shim/calls/handlers.h"
#include "libc-shim/calls/remote.h"
#include "libc-shim/lock.h"
#include "libc-shim/native.h"
#include "libc-shim/process/process.h"
#include "libc-shim/session/session.h"
#include "libc-shim/shim.h"

#define RANGES 256
#define PAGE_UP(n) (((n) + FC_PAGE_SIZE - 1) & ~(uint64_t)(FC_PAGE_SIZE - 1))

struct region {
	uint64_t dev, ino, offset, length; /* length 0: free */
	long memory;
	unsigned domain;
	int number;
	bool writable;
	uint32_t ranges;
};

struct range {
	uint64_t start, end; /* addresses; end 0: free */
	uint64_t at;         /* in the region */
	int protection;      /* as it was mapped */
	struct region *of;
};

static struct region region[FC_MAPS_MAX];
static struct range range[RANGES];
static uint32_t ranges; /* in use */
static struct shim_lock lock;

bool shim_maps_any(void)
{
	return fc_load(&ranges);
}

bool shim_maps_in(unsigned domain)
{
	for (unsigned i = 0; i < FC_MAPS_MAX && fc_load(&ranges); i++)
		if (region[i].length && region[i].domain == domain)
			return true;
	return false;
}

void shim_maps_forked(void)
{
	lock.word = 0;
}

/* About what `fd` stands for, in w, which is then a0; or w is 0. SHIM_OTHER: it is another by now. */
static long ask_on(const struct region *g, long fd, uint64_t w, unsigned nr, uint64_t a0, uint64_t a1, uint64_t a2,
		   uint64_t a3)
{
	struct shim_process *p = shim_process_own();
	struct shim_frame *f = p ? shim_frame_begin() : NULL;
	struct shim_call c = { .path = { NULL, NULL } };

	if (!f)
		return p ? -EDEADLK : -ENOMEM;
	long r = w ? shim_call_begin_on(&c, fc_row_by_nr(SYS_fsync), p, fd, w, f)
		   : shim_call_begin(&c, fc_row_by_nr(SYS_fsync), p, g->domain, f);
	if (r == 0) {
		c.wire[0] = a0;
		c.wire[1] = a1;
		c.wire[2] = a2;
		c.wire[3] = a3;
		r = shim_result(c.s, shim_call_run(&c, nr));
	}
	shim_frame_end(f);
	return r;
}

static long ask(const struct region *g, unsigned nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	return ask_on(g, -1, 0, nr, a0, a1, a2, a3);
}

/* ---- regions ---- */

/* The domain does not use it any more. */
static void memory_end(const struct region *g)
{
	struct shim_process *p = shim_process_own();

	fc_call(SYS_munmap, g->memory, g->length);
	if (p)
		shim_hand_return(p, g->domain, g->number);
}

static void region_end(struct region *g)
{
	ask(g, FC_NR_UNMAP, (uint64_t)g->number, 0, 0, 0);
	memory_end(g);
	g->length = 0;
}

static struct region *region_find(const struct region *want)
{
	for (unsigned i = 0; i < FC_MAPS_MAX; i++) {
		struct region *g = &region[i];

		if (g->length && g->domain == want->domain && g->dev == want->dev && g->ino == want->ino &&
		    (g->writable || !want->writable) && g->offset <= want->offset &&
		    want->offset + want->length <= g->offset + g->length)
			return g;
	}
	return NULL;
}

/* Of the file of descriptor fd, whose word is w. Or w is 0, and `old` the region of the same file whose place it takes; that is known to nobody any more, but
 * its memory is still there. */
static long region_make(struct shim_process *p, long fd, uint64_t w, const struct region *want,
			const struct region *old, struct region **is)
{
	struct region *g = NULL;

	for (unsigned i = 0; i < FC_MAPS_MAX && !g; i++)
		if (!region[i].length)
			g = &region[i];
	if (!g || want->length > FC_MAP_MAX)
		return -ENOMEM;
	*g = *want;
	long r = g->number = shim_hand_memory(p, g->domain, g->length, g->writable, &g->memory);
	if (r >= 0) {
		r = ask_on(g, fd, w, FC_NR_MAP, w ? (uint64_t)shim_fd_number(w) : (uint64_t)-1, (uint64_t)g->number,
			   g->offset, old ? (uint64_t)old->number + 1 : 0);
		if (r < 0)
			memory_end(g);
	}
	if (r < 0) {
		g->length = 0;
		return r == -EOPNOTSUPP ? -ENODEV : r;
	}
	fc_call(SYS_mprotect, g->memory, g->length, PROT_NONE);
	*is = g;
	return 0;
}

/* ---- ranges ---- */

static uint32_t room(void)
{
	return RANGES - ranges;
}

static void add(struct region *g, uint64_t start, uint64_t end, uint64_t at, int protection)
{
	for (unsigned i = 0; i < RANGES; i++)
		if (!range[i].end) {
			range[i] = (struct range){ start, end, at, protection, g };
			g->ranges++;
			fc_store(&ranges, ranges + 1);
			return;
		}
}

static void drop(struct region *g)
{
	if (--g->ranges == 0)
		region_end(g);
}

static bool meets(const struct range *r, uint64_t start, uint64_t end)
{
	return r->end && r->start < end && start < r->end;
}

/* These addresses are something else now. */
static void cut(uint64_t start, uint64_t end)
{
	for (unsigned i = 0; i < RANGES; i++) {
		const struct range was = range[i];

		if (!meets(&was, start, end))
			continue;
		if (was.end > end)
			add(was.of, end, was.end, was.at + (end - was.start), was.protection);
		if (was.start < start) {
			range[i].end = start;
			continue;
		}
		range[i].end = 0;
		fc_store(&ranges, ranges - 1);
		drop(was.of);
	}
}

/* Tell the domain to write back what is there. `disk`: as msync(MS_SYNC). */
static long sync_range(uint64_t start, uint64_t end, bool disk)
{
	long r = 0;

	for (unsigned i = 0; i < RANGES; i++)
		if (meets(&range[i], start, end)) {
			long one = ask(range[i].of, FC_NR_MAP_SYNC, (uint64_t)range[i].of->number, disk, 0, 0);

			r = one < 0 ? one : r;
		}
	return r;
}

/* A native call by which something else comes to be at these addresses. The lock is held. */
static long replace(long nr, const long a[6], uint64_t start, uint64_t length)
{
	long r;

	if (!room())
		return -ENOMEM;
	r = shim_native(nr, a);
	if (!shim_is_error(r))
		cut(start, start + PAGE_UP(length));
	return r;
}

/* ---- calls ---- */

/* A duplicate of the region's memory from `at` on, where the application wants it. */
static long place(struct region *g, const long a[6], uint64_t at, uint64_t length)
{
	const int how = (int)a[3] & (MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_32BIT);
	const long b[6] = { a[0], (long)length, PROT_NONE, how | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0 };
	long to = replace(SYS_mmap, b, how & MAP_FIXED ? (uint64_t)a[0] : 0, how & MAP_FIXED ? length : 0), r;

	if (shim_is_error(to))
		return to;
	r = fc_call(SYS_mremap, g->memory + (long)at, 0, length, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	if (!shim_is_error(r))
		r = fc_call(SYS_mprotect, to, length, a[2]);
	if (shim_is_error(r)) {
		fc_call(SYS_munmap, to, length);
		return r;
	}
	add(g, (uint64_t)to, (uint64_t)to + length, at, (int)a[2]);
	return to;
}

static long map(struct shim_process *p, uint64_t w, const long a[6], const struct region *want)
{
	struct region *g = region_find(want);
	long r = g ? 0 : region_make(p, a[4], w, want, NULL, &g);

	if (r < 0)
		return r;
	g->ranges++; /* held, whatever is replaced */
	r = place(g, a, want->offset - g->offset, want->length);
	drop(g);
	return r;
}

long shim_map_shared(struct shim_process *p, uint64_t w, const long a[6], const struct stat *st, bool writable)
{
	const struct region want = { .dev = st->st_dev,
				     .ino = st->st_ino,
				     .offset = (uint64_t)a[5],
				     .length = PAGE_UP((uint64_t)a[1]),
				     .domain = shim_fd_domain(w),
				     .writable = writable };
	struct shim_lock_state saved;
	long r;

	if (p != &shim.process ||
	    p->shared) /* whose table is this? And its domain would forget it with this process, not with the memory */
		return -ENODEV;
	if (!want.length || want.length > FC_MAP_MAX)
		return -ENOMEM;
	if (a[5] < 0 || want.offset + want.length > INT64_MAX)
		return -EOVERFLOW;
	if (a[3] & MAP_FIXED && a[0] & (FC_PAGE_SIZE - 1))
		return -EINVAL;
	shim_lock(&lock, &saved);
	r = map(p, w, a, &want);
	shim_unlock(&lock, &saved);
	return r;
}

long shim_map_over(long nr, const long a[6])
{
	struct shim_lock_state saved;
	long r;

	shim_lock(&lock, &saved);
	r = replace(nr, a, (uint64_t)a[0], (uint64_t)a[1]);
	shim_unlock(&lock, &saved);
	return r;
}

long shim_do_munmap(long nr, long a[6])
{
	return likely(!shim_maps_any()) ? shim_native(nr, a) : shim_map_over(nr, a);
}

long shim_do_msync(long nr, long a[6])
{
	struct shim_lock_state saved;
	long r = shim_native(nr, a), own;

	if (likely(!shim_maps_any()) || r < 0)
		return r;
	shim_lock(&lock, &saved);
	own = sync_range((uint64_t)a[0], (uint64_t)a[0] + PAGE_UP((uint64_t)a[1]), a[2] & MS_SYNC);
	shim_unlock(&lock, &saved);
	return own < 0 ? own : r;
}

static struct range *at_address(uint64_t start)
{
	for (unsigned i = 0; i < RANGES; i++)
		if (meets(&range[i], start, start + 1))
			return &range[i];
	return NULL;
}

/*
 * Beyond the end of its region a mapping grows by becoming one of a larger region, if it is the only one of the old one. It must be moved
 * for that, and has the protection that it was mapped with.
 */
static long grow(const struct range *r, const long a[6], uint64_t length)
{
	const long b[6] = { a[4], (long)length, r->protection, a[3] & MREMAP_FIXED ? MAP_FIXED : 0 };
	const uint64_t from = r->start, end = r->end, at = r->at;
	struct region *old = r->of, *g;
	struct region want = *old;
	long to;

	if (old->ranges != 1 || !(a[3] & MREMAP_MAYMOVE) || (uint64_t)a[0] != from ||
	    PAGE_UP((uint64_t)a[1]) != end - from)
		return -ENOMEM;
	if (a[3] & MREMAP_FIXED &&
	    ((uint64_t)a[4] & (FC_PAGE_SIZE - 1) || ((uint64_t)a[4] < end && from < (uint64_t)a[4] + length)))
		return -EINVAL;
	want.length = at + length;
	want.ranges = 0;
	to = region_make(shim_process_own(), -1, 0, &want, old, &g);
	if (to < 0)
		return to;
	g->ranges++;
	to = place(g, b, at, length);
	if (!shim_is_error(to)) {
		fc_call(SYS_munmap, from, end - from);
		cut(from, end);
	} else { /* where it was, but the memory is the new one */
		fc_call(SYS_mremap, g->memory + (long)at, 0, end - from, MREMAP_MAYMOVE | MREMAP_FIXED, from);
		fc_call(SYS_mprotect, from, end - from, b[2]);
		cut(from, end);
		add(g, from, end, at, (int)b[2]);
	}
	drop(g);
	return to;
}

/* Of a range, or of a part of one. */
static long move(const struct range *r, const long a[6], uint64_t length)
{
	const uint64_t from = (uint64_t)a[0], had = PAGE_UP((uint64_t)a[1]), at = r->at + (from - r->start);
	const int protection = r->protection;
	struct region *g = r->of;
	long to;

	if (had > r->end - from)
		return -EFAULT;
	if (length > g->length - at)
		return length > FC_MAP_MAX ? -ENOMEM : grow(r, a, length);
	g->ranges++;
	to = a[3] & MREMAP_FIXED ? replace(SYS_mremap, a, (uint64_t)a[4], length) : shim_native(SYS_mremap, a);
	if (!shim_is_error(to)) {
		if (!(a[3] & MREMAP_DONTUNMAP))
			cut(from, from + had);
		add(g, (uint64_t)to, (uint64_t)to + length, at, protection);
	}
	drop(g);
	return to;
}

long shim_do_mremap(long nr, long a[6])
{
	const uint64_t length = PAGE_UP((uint64_t)a[2]);
	const struct range *of;
	struct shim_lock_state saved;
	long r;

	if (likely(!shim_maps_any()))
		return shim_native(nr, a);
	shim_lock(&lock, &saved);
	of = at_address((uint64_t)a[0]);
	if (room() < 2)
		r = -ENOMEM;
	else if (of && length)
		r = move(of, a, length);
	else
		r = a[3] & MREMAP_FIXED ? replace(nr, a, (uint64_t)a[4], length) : shim_native(nr, a);
	shim_unlock(&lock, &saved);
	return r;
}
