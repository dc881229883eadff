/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fill.c - see fill.h. */
#include "libc-shim/calls/fill.h"

#include <sys/syscall.h>

#include "common/atomic.h"
#include "farcall/wire.h"
#include "libc-shim/calls/remote.h"
#include "libc-shim/session/cache.h"
#include "libc-shim/session/lease.h"
#include "libc-shim/shim.h"

#define BYTES_MAX (256u << 10) /* of a read: larger ones are as fast without, for they are pipelined */
#define LARGE (32u << 10)      /* reads that are not to push everything else out, */
#define LARGE_SHARE 2          /* from a file with more than this part of the cache */

struct missing {
	int fd;
	uint64_t w, length;
	struct shim_cache_fill to;
	uint64_t block, end; /* from that block on, to that position */
};

static void put(const struct missing *m, const char *from, uint64_t n)
{
	for (uint64_t at = 0, bytes; at < n; at += bytes) {
		bytes = n - at < SHIM_BLOCK ? n - at : SHIM_BLOCK;
		shim_cache_put(&m->to, m->block + at / SHIM_BLOCK, from + at, (uint32_t)bytes,
			       m->block * SHIM_BLOCK + at >= m->end);
	}
}

/* What follows what is there is read on, and so is a file's beginning: as much as goes in one request. */
static uint64_t window(const struct missing *m)
{
	const uint64_t start = m->block * SHIM_BLOCK, left = m->length - start;
	uint64_t n = (m->end - start + SHIM_BLOCK - 1) / SHIM_BLOCK * SHIM_BLOCK;

	if (n > FC_CHUNK || !m->block || shim_cache_has(m->to.key, m->block - 1))
		n = FC_CHUNK;
	return n < left ? n : left;
}

static bool ask(const struct missing *m, struct shim_call *c)
{
	const uint64_t n = window(m);
	uint64_t buffer = shim_call_room(c, n);

	if (buffer == FC_NULL)
		return false;
	c->wire[0] = (uint64_t)shim_fd_number(m->w);
	c->wire[1] = buffer;
	c->wire[2] = n;
	c->wire[3] = m->block * SHIM_BLOCK;
	if (shim_call_own(c, shim_call_run(c, SYS_pread64)) != (int64_t)n)
		return false;
	put(m, shim_call_at(c, buffer), n);
	return true;
}

static bool bring(struct shim_process *p, const struct missing *m)
{
	struct shim_frame *f = shim_frame_begin();
	struct shim_call c = { .path = { NULL, NULL } };
	bool brought;

	if (!f)
		return false;
	brought = shim_call_begin_on(&c, fc_row_by_nr(SYS_pread64), p, m->fd, m->w, f) == 0 && ask(m, &c);
	shim_frame_end(f);
	return brought;
}

static bool bring_all(struct shim_process *p, struct missing *m)
{
	for (; m->block * SHIM_BLOCK < m->end; m->block++)
		if (!shim_cache_has(m->to.key, m->block) && !(bring(p, m) && shim_cache_has(m->to.key, m->block)))
			return false;
	return true;
}

bool shim_fill(struct shim_process *p, int fd, uint64_t w, struct shim_file *f, uint64_t total, uint64_t at)
{
	struct missing m = { .fd = fd, .w = w, .block = at / SHIM_BLOCK, .to.file = f };
	bool filled;
	uint64_t held;

	if (!shim_process_first(p) || total > BYTES_MAX || !shim_cache_fill_begin(&m.to) ||
	    !shim_lease_cached(p, f, &m.to.key, &m.length) || at >= m.length)
		return false;
	if ((total > LARGE && m.length > shim.config.cache / LARGE_SHARE) || !shim_cache_pays())
		return false;
	held = shim_file_hold(p, &p->fd[(uint32_t)fd], w);
	if (!held)
		return false;
	m.end = m.length - at < total ? m.length : at + total;
	filled = bring_all(p, &m);
	shim_file_drop(p, held);
	return filled;
}
