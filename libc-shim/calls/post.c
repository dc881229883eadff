/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* post.c - see post.h. */
#include "libc-shim/calls/post.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "common/atomic.h"
#include "farcall/wire.h"
#include "libc-shim/calls/remote.h"
#include "libc-shim/process/beyond.h"
#include "libc-shim/process/sandbox.h"
#include "libc-shim/session/data.h"
#include "libc-shim/session/store.h"
#include "libc-shim/shim.h"
#include "libc-shim/transport/transport.h"

#define SINCE_MINOR 8
#define CHUNKS (FC_RING_SIZE / FC_CHUNK)
#define CHUNKS_MAX 32u /* of the data area, that there is tried to find room among */

/* Chunks beside each other in one segment: those behind the first segment lie so. */
static int find_chunks(struct shim_session *s)
{
	for (uint32_t first = CHUNKS; first < CHUNKS_MAX; first += CHUNKS) {
		while (fc_load(&s->chunks) < first + CHUNKS)
			if (shim_grow(s) < 0)
				return -1;
		if (shim_chunks_take(s, first, CHUNKS))
			return (int)first;
	}
	return -1;
}

/* Tell the domain. False: it knows nothing of it, or will not. */
static bool announce(struct shim_process *p, struct shim_session *s, uint64_t at)
{
	struct shim_frame *f = shim_frame_begin();
	struct shim_call c = { .path = { NULL, NULL } };
	int64_t r = -1;

	if (!f)
		return false;
	if (shim_call_begin(&c, fc_row_by_nr(SYS_lseek), p, s->domain, f) == 0 && c.s == s) {
		c.wire[0] = at;
		r = shim_call_own(&c, shim_call_run(&c, FC_NR_POSTS));
	}
	shim_frame_end(f);
	return r == 0;
}

static bool may_have_one(const struct shim_process *p, const struct shim_session *s)
{
	return shim_process_first(p) && shim_transport(s)->lease && fc_load(&shim.minor[s->domain]) >= SINCE_MINOR &&
	       shim_sandbox_talks() && !s->divided && !s->lent && !s->keep && !p->shared;
}

void shim_posts_open(struct shim_process *p, unsigned domain)
{
	struct shim_session *s = &p->session[domain];
	int first;

	if (s->posts.ring || fc_xchg(&s->posts.asked, 1u))
		return; /* there is one, or there was none to be had */
	first = may_have_one(p, s) ? find_chunks(s) : -1;
	if (first < 0)
		return;
	memset(s->data + shim_chunk_offset(first), 0, offsetof(struct fc_ring, post));
	if (announce(p, s, shim_chunk_offset(first)))
		shim_posts_begin(s, shim_chunk_offset(first));
	else if (fc_load(&s->state) == SHIM_SESSION_READY)
		shim_chunks_give(s, (uint32_t)first, CHUNKS);
}

/* A request that does nothing comes after it. */
static void wait_for(struct shim_process *p, uint64_t w)
{
	shim_simple(p, shim_fd_domain(w), SYS_fcntl, shim_fd_number(w), F_GETFL, 0);
}

void shim_posts_push(unsigned domain)
{
	shim_simple(&shim.process, domain, SYS_lseek, -1, 0, SEEK_CUR);
}

long shim_post_write(struct shim_process *p, int fd, uint64_t w, const struct iovec *iov, size_t iovcnt, uint64_t total,
		     int64_t pos)
{
	uint64_t held;
	struct shim_file *f = shim_file_of(p, w);
	enum shim_posted r;

	if (!f || p != &shim.process || (w & SHIM_FD_DIRECT) || !(held = shim_file_hold(p, &p->fd[(uint32_t)fd], w)))
		return -1;
	r = shim_post(p, fd, f, w, iov, iovcnt, total, pos);
	if (unlikely(r == SHIM_POST_PENDING))
		wait_for(p, w);
	else if (unlikely(shim_store_outgrown(&p->session[f->domain], f)))
		shim_lease_again(p, fd, w, f);
	shim_file_drop(p, held);
	return r == SHIM_POST_NOT ? -1 : (long)total;
}
