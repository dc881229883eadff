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
#include "libc-shim/process/beyond.h"
#include "libc-shim/process/process.h"
#include "libc-shim/process/sandbox.h"
#include "libc-shim/session/data.h"
#include "libc-shim/session/session.h"
#include "libc-shim/text.h"
#include "libc-shim/transport/transport.h"

#define SETTLE_NS 1000000000ull
#define SETTLE_LOOK_NS 100000

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
	if (!shim_sandbox_talks())
		return -EPERM;
	shim_session_lock(s, &saved);
	r = s->state == SHIM_SESSION_DEAD ? -EIO : shim_transport(s)->memory(s, size);
	shim_unlock(&s->lock, &saved);
	return r;
}

long shim_map_for_reading(int fd, long at, size_t size)
{
	char path[SHIM_FD_PATH];
	long again = shim_make_fd(shim_process(), SYS_openat, AT_FDCWD, (long)shim_fd_path(path, fd),
				  O_RDONLY | O_CLOEXEC, 0),
	     r = again;

	if (again >= 0) {
		r = fc_call(SYS_mmap, 0, size, PROT_READ, MAP_SHARED, again, 0);
		shim_done_with(shim_process(), (int)again);
	}
	fc_call(SYS_munmap, at, size);
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
	shim_posts_end(s);
}

void shim_part_keep(struct shim_session *s, int fd, size_t size)
{
	struct shim_process *p = shim_process();
	int kept = s->keep && s->kept < SHIM_PARTS ? shim_hide_fd(p, fd) : -1;

	if (kept < 0) { /* one that is wanting makes the others useless */
		shim_done_with(p, fd);
		shim_parts_close(s);
		s->keep = false;
		return;
	}
	s->part[s->kept++] = (struct shim_part){ kept, (uint32_t)size };
}

void shim_parts_close(struct shim_session *s)
{
	while (s->kept)
		shim_hidden_close(shim_process(), s->part[--s->kept].fd);
}

/* What the image before had in flight the domain still has, and where its answer goes: it must be over before that is used again. */
static bool settled(struct shim_session *s)
{
	struct shim_requests *q = &s->requests;
	const uint64_t deadline = shim_now_ns() + SETTLE_NS;

	const struct shim_room mine = shim_room_own(s);

	for (uint32_t i = mine.slot; i < mine.slots_end; i++) {
		struct fc_entry *e = &q->area->entry[i];
		uint32_t state;

		while ((state = fc_load_acquire(&e->state)) == FC_QUEUED || state == FC_ASLEEP) {
			if (shim_now_ns() > deadline)
				return false;
			shim_wait_ns(SETTLE_LOOK_NS);
		}
		q->slot[i].nonce = e->nonce;
		fc_store(&e->state, FC_FREE);
	}
	return true;
}

/* The memory of the image before, which this one cannot make. Children have it too (guest.c). */
static int map_kept(struct shim_session *s)
{
	size_t at = 0;
	long r = fc_call(SYS_mmap, 0, s->part[0].size, PROT_READ | PROT_WRITE, MAP_SHARED, s->part[0].fd, 0);

	if (shim_is_error(r))
		return (int)r;
	s->requests.area = (struct fc_request_area *)r;
	for (uint32_t i = 1; i < s->kept; i++) {
		r = fc_call(SYS_mmap, s->data + at, s->part[i].size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			    s->part[i].fd, 0);
		if (shim_is_error(r))
			return (int)r;
		at += s->part[i].size;
	}
	if (!settled(s))
		return -EIO;
	chunks_add(s, (uint32_t)(at / FC_CHUNK));
	if (s->divided)
		shim_room_enter(s, s->room);
	return 0;
}

static int make(struct shim_session *s)
{
	int r = shim_transport(s)->areas(s, area_init);

	if (r == 0)
		chunks_add(s, FC_DATA_MIN / FC_CHUNK);
	return r;
}

int shim_areas_keep(struct shim_session *s)
{
	struct shim_lock_state saved;
	int r = 0;

	if (!shim_transport(s)->keeps)
		return 0;
	shim_session_lock(s, &saved);
	if (s->state == SHIM_SESSION_READY && !s->kept) {
		memset(s->requests.slot, 0, s->requests.used * sizeof *s->requests.slot);
		s->requests.used = s->requests.forgotten = 0;
		s->chunks = s->peak = 0;
		s->keep = true;
		fc_store(&s->state, SHIM_SESSION_BARE);
		shim_areas_unmap(s);
		r = shim_areas(s);
	}
	shim_unlock(&s->lock, &saved);
	return r;
}

int shim_areas(struct shim_session *s)
{
	s->requests.area = NULL; /* after a fork it may be one that is nobody's */
	long data = reserve(s, 0, FC_DATA_MAX);

	if (shim_is_error(data))
		return (int)data;
	s->data = (char *)data;
	fc_tsc_calibrate();
	int r = s->kept ? map_kept(s) : make(s);
	if (r < 0) {
		shim_areas_unmap(s);
		return r;
	}
	fc_store_release(&s->state, SHIM_SESSION_READY);
	return 0;
}

int shim_grow(struct shim_session *s)
{
	struct shim_lock_state saved;
	uint32_t had = fc_load(&s->chunks);
	size_t size = (size_t)had * FC_CHUNK; /* as large as all before it */
	int r = -ENOMEM;

	if (!shim_sandbox_talks())
		return r;
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

	if (unlikely(fc_guard != NULL))
		return; /* it might not grow again */
	/* a thread that waits for an answer may be the one that has the lock, as when ids change (ids.c) */
	if (!shim_try_lock(&s->lock, &saved))
		return;
	uint32_t half = s->chunks / 2; /* the last segment */
	if (s->state == SHIM_SESSION_READY && !s->leaving && shim_session_speaks(s) && !shim_process()->shared &&
	    half >= FC_DATA_MIN / FC_CHUNK && shim_chunks_take(s, half, half)) {
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
