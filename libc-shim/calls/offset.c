/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* offset.c - see offset.h. */
#define _GNU_SOURCE
#include "libc-shim/calls/offset.h"

#include <stdio.h>
#include <sys/syscall.h>

#include "common/atomic.h"
#include "libc-shim/calls/remote.h"
#include "libc-shim/hook.h"
#include "libc-shim/process/process.h"
#include "libc-shim/shim.h"

/*
 * What stands in the record: 0 or more: the offset, which is kept here. Below: the domain has it, and so many calls less one are under way that use it;
 * MOVING: whoever holds the lock is moving it, in one direction or the other.
 */
#define MOVING INT64_MIN

int64_t shim_offset_read(const struct shim_process *p, struct shim_file *f, const struct iovec *iov, size_t iovcnt,
			 uint64_t total)
{
	int64_t at, r;

	do {
		at = fc_load(&f->lease.offset);
		r = at < 0 ? -1 : shim_lease_read(p, f, iov, iovcnt, total, at);
	} while (r > 0 && !fc_cas(&f->lease.offset, at, at + r)); /* another thread has read, too: it has these bytes */
	return r;
}

/* Only to where the file has bytes, or ends: how much further one may go is for its file system to say. */
int64_t shim_offset_seek(const struct shim_process *p, struct shim_file *f, int64_t by, int whence)
{
	const int64_t length = shim_lease_length(p, f);
	int64_t at, to, from;

	do {
		at = fc_load(&f->lease.offset);
		from = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? at : whence == SEEK_END ? length : -1;
		if (at < 0 || from < 0 || __builtin_add_overflow(by, from, &to) || to < 0 || to > length)
			return -1;
	} while (to != at && !fc_cas(&f->lease.offset, at, to));
	return to;
}

/* ---- moving it ---- */

static void take_home(struct shim_process *p, int fd, uint64_t w, struct shim_file *f)
{
	long at;

	if (!fc_cas(&f->lease.offset, (int64_t)SHIM_OFFSET_AWAY, MOVING))
		return; /* others are at it in the domain */
	at = shim_simple_on(p, fd, w, SYS_lseek, 0, SEEK_CUR);
	if (at < 0 || shim_file_shared(p, f) || fc_load(&f->bars) & 1 || fc_load(&p->leaving))
		at = SHIM_OFFSET_AWAY;
	fc_store_release(&f->lease.offset, (int64_t)at);
}

static void bring(struct shim_process *p, int fd, uint64_t w, struct shim_file *f)
{
	struct shim_lock_state saved;

	if (fc_load(&f->lease.offset) != SHIM_OFFSET_AWAY || (fc_load(&f->lease.bytes) & SHIM_LEASE_AWAY) ||
	    shim_lease_length(p, f) < 0 || !shim_process_first(p) || fc_load(&p->leaving))
		return;
	shim_lock(&p->moving, &saved);
	take_home(p, fd, w, f);
	shim_unlock(&p->moving, &saved);
}

bool shim_offset_leave(struct shim_process *p, int fd, uint64_t w)
{
	struct shim_file *f = shim_file_of(p, w);
	struct shim_lock_state saved;
	int64_t at;
	long r = 0;

	if (!f || likely(fc_load(&f->lease.offset) < 0 && fc_load(&f->lease.offset) != MOVING))
		return true;
	shim_lock(&p->moving, &saved);
	do
		at = fc_load(&f->lease.offset);
	while (at >= 0 && !fc_cas(&f->lease.offset, at, MOVING));
	if (at >= 0) {
		r = shim_simple_on(p, fd, w, SYS_lseek, at, SEEK_SET);
		fc_store_release(&f->lease.offset, r == SHIM_OTHER ? at : (int64_t)SHIM_OFFSET_AWAY);
	}
	shim_unlock(&p->moving, &saved);
	return r != SHIM_OTHER;
}

void shim_offsets_leave(struct shim_process *p, int domain)
{
	for (uint32_t fd = 0; fd < fc_load(&p->fd_top); fd++) {
		uint64_t w;

		do
			w = fc_load(&p->fd[fd]);
		while (w && (domain < 0 || shim_fd_domain(w) == (unsigned)domain) && !shim_offset_leave(p, (int)fd, w));
	}
}

/* ---- calls at the domain's ---- */

uint64_t shim_offset_begin(struct shim_process *p, int fd)
{
	uint64_t w = shim_fd_get(p, fd), held;
	struct shim_file *f = shim_file_of(p, w);
	int64_t at;

	if (!f || !shim_file_reads(f) || !(held = shim_file_hold(p, &p->fd[fd], w)))
		return 0;
	do {
		if (unlikely(!shim_offset_leave(p, fd, w))) {
			shim_file_drop(p, held);
			return 0;
		}
		at = fc_load(&f->lease.offset);
	} while (at >= 0 || at == MOVING || !fc_cas(&f->lease.offset, at, at - 1));
	return held;
}

bool shim_offset_is_begun(const struct shim_process *p, uint64_t w, uint64_t held)
{
	const struct shim_file *f = shim_file_of(p, w);

	return !f || !shim_file_reads(f) || p->shared || shim_fd_file(held) == shim_fd_file(w);
}

void shim_offset_end(struct shim_process *p, int fd, uint64_t held, bool keep)
{
	struct shim_file *f = shim_file_of(p, held);
	uint64_t w = shim_fd_get(p, fd);
	int64_t at;

	if (!held)
		return;
	do /* in a child that was forked in the middle of the call it is not counted */
		at = fc_load(&f->lease.offset);
	while (at < SHIM_OFFSET_AWAY && at != MOVING && !fc_cas(&f->lease.offset, at, at + 1));
	if (keep && shim_fd_file(w) == shim_fd_file(held))
		bring(p, fd, w, f);
	shim_file_drop(p, held);
}
