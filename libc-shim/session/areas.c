/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * areas.c - a session's memory: the request area, and a data area that grows and shrinks by segments. Where its pages come
 * from is the transport's; what a chunk of it is used for is data.c's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "common/atomic.h"
#include "common/queue.h"
#include "common/rawcall.h"
#include "common/spin.h"
#include "farcall/abi.h"
#include "libc-shim/native.h"
#include "libc-shim/lock.h"
#include "libc-shim/process/process.h"
#include "libc-shim/session/data.h"
#include "libc-shim/session/session.h"
#include "libc-shim/text.h"
#include "libc-shim/transport/transport.h"

static void area_init(struct fc_request_area *area)
{
	area->header.magic = FC_ABI_MAGIC;
	area->header.major = FC_ABI_MAJOR;
	area->header.minor = FC_ABI_MINOR;
	area->header.entries = FC_ENTRIES;
	area->header.size = sizeof *area;
	fc_queue_init(&area->queue);
}

static void chunks_add(struct shim_session *s, uint32_t count)
{
	memset(&s->chunk_owner[s->chunks], 0, count * sizeof s->chunk_owner[0]);
	fc_store_release(&s->chunks, s->chunks + count);
}

/* Address space that holds nothing, for the data area from `offset` on; at a place of the kernel's choice if there is none. */
static long reserve(struct shim_session *s, size_t offset, size_t size)
{
	char *at = s->data ? s->data + offset : NULL;
	long r = fc_call(SYS_mmap, at, size, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (at ? MAP_FIXED : 0), -1, 0);

	if (!shim_is_error(r))
		fc_call(SYS_madvise, r, size, MADV_DONTFORK);
	return r;
}

int shim_borrow(struct shim_session *s, size_t size)
{
	struct shim_lock_state saved;
	int r;

	if (size > FC_DATA_MAX || !shim_transport(s)->memory)
		return -EFBIG;
	shim_session_lock(s, &saved);
	r = s->state == SHIM_SESSION_DEAD ? -EIO : shim_transport(s)->memory(s, size);
	shim_unlock(&s->lock, &saved);
	return r;
}

void shim_areas_unmap(struct shim_session *s)
{
	if (s->requests.area)
		fc_call(SYS_munmap, s->requests.area, sizeof *s->requests.area);
	if (s->data)
		fc_call(SYS_munmap, s->data, FC_DATA_MAX);
	s->requests.area = NULL;
	s->data = NULL;
}

int shim_areas(struct shim_session *s)
{
	long data = reserve(s, 0, FC_DATA_MAX);

	if (shim_is_error(data))
		return (int)data;
	s->data = (char *)data;
	fc_tsc_calibrate();
	int r = shim_transport(s)->areas(s, area_init);
	if (r < 0) {
		shim_areas_unmap(s);
		return r;
	}
	chunks_add(s, FC_DATA_MIN / FC_CHUNK);
	fc_store_release(&s->state, SHIM_SESSION_READY);
	return 0;
}

int shim_grow(struct shim_session *s)
{
	struct shim_lock_state saved;
	uint32_t had = fc_load(&s->chunks);
	size_t size = (size_t)had * FC_CHUNK; /* as large as all before it */
	int r = -ENOMEM;

	shim_session_lock(s, &saved);
	if (s->chunks != had)
		r = 0; /* another thread was faster */
	else if (s->state == SHIM_SESSION_READY && size + size <= FC_DATA_MAX && !shim_process()->shared) {
		r = shim_transport(s)->grow(s, size);
		if (r == 0)
			chunks_add(s, had);
	}
	shim_unlock(&s->lock, &saved);
	return r;
}

void shim_shrink(struct shim_session *s)
{
	struct shim_lock_state saved;

	shim_session_lock(s, &saved);
	uint32_t half = s->chunks / 2; /* the last segment */
	if (s->state == SHIM_SESSION_READY && !shim_process()->shared && half >= FC_DATA_MIN / FC_CHUNK &&
	    shim_chunks_take(s, half, half)) {
		size_t length = (size_t)half * FC_CHUNK;

		if (shim_transport(s)->shrink(s, length) == 0) {
			s->chunks = half;
			reserve(s, length, length);
		} else { /* both ends have it still */
			shim_chunks_give(s, half, half);
		}
	}
	shim_unlock(&s->lock, &saved);
}
