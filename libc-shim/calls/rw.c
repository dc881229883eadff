/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rw.c - moving data: read, write and their relatives. Three ways, by size and kind:
 *   small   up to one chunk: one request, one buffer
 *   gather  larger, at the file's own offset or with flags: all of it in one request over a list of chunks, because the
 *           kernel must see one call (the shared offset, O_APPEND)
 *   stream  larger, at an explicit offset: in chunks that pipeline, the worker moving one while the client moves the next;
 *           also what is too large to gather, after claiming its range of the file
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "common/atomic.h"
#include "common/doorbell.h"
#include "farcall/wire.h"
#include "libc-shim/calls/handlers.h"
#include "libc-shim/native.h"
#include "libc-shim/calls/fill.h"
#include "libc-shim/calls/path.h"
#include "libc-shim/calls/post.h"
#include "libc-shim/calls/remote.h"
#include "libc-shim/hook.h"
#include "libc-shim/process/process.h"
#include "libc-shim/process/thread.h"
#include "libc-shim/request/request.h"
#include "libc-shim/session/data.h"
#include "libc-shim/session/lease.h"
#include "libc-shim/calls/offset.h"
#include "libc-shim/session/session.h"
#include "libc-shim/shim.h"
#include "libc-shim/text.h"
#include "libc-shim/trace.h"

#define RW_MAX 0x7ffff000ll   /* the kernel's own limit for one call */
#define GATHER_CHUNKS_MAX 384 /* 24 MiB: leaves a quarter of the data area to other threads */
#define GATHER_MAX ((size_t)GATHER_CHUNKS_MAX * FC_CHUNK)
#define STREAM_SLOTS 4
#define SEEK_FIRST (1u << 20) /* a read at the file's offset this large first asks how much there is */
#define READ_TRIES 3          /* of a number that others open and close meanwhile */

struct transfer {
	bool write;
	uint64_t w;    /* descriptor word */
	uint64_t said; /* a write: the one whose file has been told (shim_lease_write_begin) */
	bool counts;   /* a read at the file's own offset: there is a use of the offset of */
	uint64_t used; /* this one */
	const struct iovec *iov;
	size_t iovcnt;
	size_t total;
	int64_t pos;          /* -1 = the file's own offset */
	long flags;           /* RWF_* */
	size_t at, at_offset; /* cursor in iov */
};

/* ---- the application's buffers, piece by piece ---- */

/* Copy up to n bytes between `shared` and the application's buffers at the cursor. Returns the bytes copied: fewer only
 * where the application's memory cannot be touched. */
static size_t move(struct transfer *t, char *shared, size_t n)
{
	size_t done = 0;

	while (done < n && t->at < t->iovcnt) {
		const struct iovec *v = &t->iov[t->at];
		size_t piece = v->iov_len - t->at_offset;

		if (piece > n - done)
			piece = n - done;
		char *user = (char *)v->iov_base + t->at_offset;
		size_t left = t->write ? fc_copy_from_user(shared + done, user, piece)
				       : fc_copy_to_user(user, shared + done, piece);
		done += piece - left;
		if (left)
			break;
		t->at_offset += piece;
		if (t->at_offset == v->iov_len) {
			t->at++;
			t->at_offset = 0;
		}
	}
	return done;
}

/* Bytes were read that the application's memory did not take: put the file's own offset back. */
static int64_t taken(struct shim_call *c, const struct transfer *t, size_t got, size_t moved)
{
	if (moved < got && t->pos < 0)
		shim_call_ask(c, SYS_lseek, (uint64_t) - (int64_t)(got - moved), SEEK_CUR);
	return moved || !got ? (int64_t)moved : -EFAULT;
}

static void set_wire(struct shim_call *c, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a5)
{
	c->wire[1] = a1;
	c->wire[2] = a2;
	c->wire[3] = a3;
	c->wire[4] = 0;
	c->wire[5] = a5;
}

static int64_t checked(struct shim_call *c, int64_t r, size_t most)
{
	if (unlikely(r > (int64_t)most || r < -4095))
		return shim_result(c->s, SHIM_IMPOSSIBLE);
	return r;
}

/* ---- small ---- */

static int64_t run_small(struct shim_call *c, struct transfer *t)
{
	/* O_DIRECT: the same alignment as the application's own buffer, so that the kernel judges what it would have */
	size_t skew = t->w & SHIM_FD_DIRECT && t->iovcnt ? (uintptr_t)t->iov[0].iov_base & 511 : 0;
	uint64_t buffer = shim_call_room(c, t->total + skew);
	size_t n = t->total;

	if (buffer == FC_NULL)
		return -ENOMEM;
	buffer += skew;
	char *shared = shim_call_at(c, buffer);
	if (t->write && n) {
		n = move(t, shared, n);
		if (!n) { /* let the kernel weigh EFAULT against its other errors */
			buffer = FC_NULL;
			n = t->total;
		}
	}
	if (!t->write && n && t->iov[0].iov_len && !shim_can_write(t->iov[0].iov_base))
		buffer = FC_NULL; /* before the file's offset moves */
	if (likely(!t->flags)) {
		set_wire(c, buffer, n, (uint64_t)t->pos, 0);
		unsigned nr =
			t->write ? (t->pos < 0 ? SYS_write : SYS_pwrite64) : (t->pos < 0 ? SYS_read : SYS_pread64);
		int64_t r = checked(c, shim_call_run(c, nr), n);
		return r <= 0 || t->write ? r : taken(c, t, (size_t)r, move(t, shared, (size_t)r));
	}
	uint64_t list = shim_call_room(c, sizeof(struct fc_iovec));
	if (list == FC_NULL || buffer == FC_NULL)
		return -EFAULT;
	*(struct fc_iovec *)shim_call_at(c, list) = (struct fc_iovec){ buffer, n };
	set_wire(c, list, 1, (uint64_t)t->pos, (uint64_t)t->flags);
	int64_t r = checked(c, shim_call_run(c, t->write ? SYS_pwritev2 : SYS_preadv2), n);
	return r <= 0 || t->write ? r : taken(c, t, (size_t)r, move(t, shared, (size_t)r));
}

/* ---- gather ---- */

/* Bytes from the file's own offset to its end; -1 if that is not easily known. */
static int64_t bytes_left(struct shim_call *c)
{
	uint64_t at = shim_call_room(c, sizeof(struct stat));
	int64_t pos = at == FC_NULL ? -1 : shim_call_ask(c, SYS_lseek, 0, SEEK_CUR);
	struct stat st;

	if (pos < 0 || shim_call_ask(c, SYS_fstat, at, 0) < 0)
		return -1;
	memcpy(&st, shim_call_at(c, at), sizeof st);
	if (!S_ISREG(st.st_mode) || st.st_size < 0)
		return -1;
	return st.st_size > pos ? st.st_size - pos : 0;
}

/* A write from memory that cannot be read: the domain's kernel says EFAULT, if nothing else is wrong first. */
static int64_t run_fault(struct shim_call *c, const struct transfer *t)
{
	set_wire(c, FC_NULL, t->total, (uint64_t)t->pos, 0);
	int64_t r = shim_call_run(c, t->pos < 0 ? SYS_write : SYS_pwrite64);
	return r > 0 ? -EFAULT : r;
}

static int64_t run_gather(struct shim_call *c, struct transfer *t)
{
	size_t n = t->total, filled = 0;

	if (!t->write && t->pos < 0 && n > SEEK_FIRST) {
		int64_t left = bytes_left(c);

		if (left >= 0 && (size_t)left + FC_CHUNK < n)
			n = (size_t)left + FC_CHUNK; /* it may grow meanwhile; a short read is no lie */
	}
	size_t chunks = (n + FC_CHUNK - 1) / FC_CHUNK;
	if (chunks > GATHER_CHUNKS_MAX)
		chunks = GATHER_CHUNKS_MAX;
	uint64_t at = shim_call_room(c, chunks * sizeof(struct fc_iovec));
	if (at == FC_NULL)
		return -ENOMEM;
	struct fc_iovec *list = (struct fc_iovec *)shim_call_at(c, at);
	int16_t used[GATHER_CHUNKS_MAX];
	size_t count = 0;
	while (count < chunks && filled < n) {
		int chunk = shim_entry_extra(c->s, c->frame->request.slot);
		if (chunk < 0)
			break; /* other threads have the rest: a shorter transfer */
		size_t want = n - filled < FC_CHUNK ? n - filled : FC_CHUNK, have = want;
		if (t->write)
			have = move(t, shim_chunk_address(c->s, chunk), want);
		list[count] = (struct fc_iovec){ shim_chunk_offset(chunk), have };
		used[count++] = (int16_t)chunk;
		filled += have;
		if (have < want)
			break;
	}
	if (!filled && count)
		return run_fault(c, t);
	if (!filled)
		return -ENOMEM;
	set_wire(c, at, count, (uint64_t)t->pos, (uint64_t)t->flags);
	int64_t r = checked(c, shim_call_run(c, t->write ? SYS_pwritev2 : SYS_preadv2), filled);
	if (r <= 0 || t->write)
		return r;
	size_t moved = 0;
	for (size_t i = 0; i < count && moved < (size_t)r; i++) {
		size_t piece = (size_t)r - moved < FC_CHUNK ? (size_t)r - moved : FC_CHUNK;
		size_t done = move(t, shim_chunk_address(c->s, used[i]), piece);
		moved += done;
		if (done < piece)
			break;
	}
	return taken(c, t, (size_t)r, moved);
}

/* ---- stream ---- */

struct stream {
	struct shim_call *c;
	struct fc_stream *shared;
	const uint32_t *state; /* the entry's */
	int slots;
	int16_t chunk[STREAM_SLOTS];
	uint32_t mine; /* chunks this side has finished with */
};

static bool stream_over(const struct stream *st)
{
	uint32_t state = fc_load_acquire(st->state);

	return state != FC_QUEUED && state != FC_ASLEEP;
}

static int64_t stream_begin(struct stream *st, struct shim_call *c, const struct transfer *t)
{
	uint64_t list = shim_call_room(c, STREAM_SLOTS * sizeof(uint64_t));

	if (list == FC_NULL)
		return -ENOMEM;
	st->c = c;
	st->shared = &c->s->requests.area->stream[c->frame->request.slot];
	st->state = &shim_entry_of(&c->frame->request)->state;
	st->mine = 0;
	for (st->slots = 0; st->slots < STREAM_SLOTS; st->slots++) {
		int chunk = shim_entry_extra(c->s, c->frame->request.slot);

		if (chunk < 0)
			break;
		st->chunk[st->slots] = (int16_t)chunk;
		((uint64_t *)shim_call_at(c, list))[st->slots] = shim_chunk_offset(chunk);
	}
	if (!st->slots)
		return -ENOMEM;
	memset(st->shared, 0, sizeof *st->shared);
	st->shared->client.end = t->total;
	c->wire[1] = t->total;
	c->wire[2] = (uint64_t)t->pos;
	c->wire[3] = list;
	c->wire[4] = (uint64_t)st->slots;
	c->wire[5] = 0;
	return 0;
}

static void stream_submit(struct stream *st, unsigned nr)
{
	shim_request_fill(&st->c->frame->request, nr, st->c->wire, false);
	shim_requests_submit(&st->c->frame->request, 1);
}

static size_t chunk_bytes(uint64_t total, uint32_t n)
{
	uint64_t start = (uint64_t)n * FC_CHUNK;

	return total - start < FC_CHUNK ? (size_t)(total - start) : FC_CHUNK;
}

static void stream_publish(struct stream *st)
{
	st->mine++;
	fc_progress_publish(&st->c->s->requests.bell, &st->shared->client, &st->shared->domain);
}

/* The application's memory ended at `bytes`: so does the transfer. */
static void stream_cut(struct stream *st, uint64_t bytes)
{
	fc_store(&st->shared->client.end, bytes);
	stream_publish(st);
}

static int64_t run_stream_write(struct stream *st, struct transfer *t)
{
	uint32_t chunks = (uint32_t)((t->total + FC_CHUNK - 1) / FC_CHUNK);
	uint64_t sent = 0;

	stream_submit(st, FC_NR_STREAM_WRITE);
	while (st->mine < chunks) {
		uint32_t theirs = fc_load_acquire(&st->shared->domain.chunks);

		if (theirs > st->mine) {
			shim_session_fail(st->c->s, "it wrote more than it was given");
			break;
		}
		if (st->mine - theirs >= (uint32_t)st->slots) {
			if (!shim_wait_for_chunks(&st->c->frame->request, theirs))
				break;
			continue;
		}
		if (stream_over(st))
			break;
		size_t want = chunk_bytes(t->total, st->mine);
		size_t have = move(t, shim_chunk_address(st->c->s, st->chunk[st->mine % (uint32_t)st->slots]), want);
		sent += have;
		if (have < want) {
			stream_cut(st, sent);
			break;
		}
		stream_publish(st);
	}
	int64_t r = checked(st->c, shim_request_wait(&st->c->frame->request), t->total);
	return r == 0 && !sent ? run_fault(st->c, t) : r;
}

static int64_t run_stream_read(struct stream *st, struct transfer *t)
{
	uint64_t got = 0;
	bool fault = false;

	stream_submit(st, FC_NR_STREAM_READ);
	/* Full chunks as they come; the last one comes with the result. */
	while (!fault && got + FC_CHUNK < t->total && shim_wait_for_chunks(&st->c->frame->request, st->mine)) {
		if (stream_over(st))
			break;
		size_t have =
			move(t, shim_chunk_address(st->c->s, st->chunk[st->mine % (uint32_t)st->slots]), FC_CHUNK);
		got += have;
		if (have < FC_CHUNK) {
			fault = true;
			stream_cut(st, got);
		} else {
			stream_publish(st);
		}
	}
	int64_t r = checked(st->c, shim_request_wait(&st->c->frame->request), t->total);
	if (r < 0 && !got)
		return r;
	while (!fault && r > 0 && got < (uint64_t)r) {
		size_t want = (uint64_t)r - got < FC_CHUNK ? (size_t)((uint64_t)r - got) : FC_CHUNK;
		size_t have = move(t, shim_chunk_address(st->c->s, st->chunk[st->mine % (uint32_t)st->slots]), want);
		got += have;
		st->mine++;
		fault = have < want;
	}
	return got || !fault ? (int64_t)got : -EFAULT;
}

static int64_t run_stream(struct shim_call *c, struct transfer *t)
{
	struct stream st;
	int64_t r = stream_begin(&st, c, t);

	if (r < 0)
		return r;
	r = t->write ? run_stream_write(&st, t) : run_stream_read(&st, t);
	if (r == -EOPNOTSUPP) { /* O_APPEND: nothing has been moved yet */
		shim_extra_free(c->s, c->frame->request.slot);
		t->at = t->at_offset = 0;
		return run_gather(c, t);
	}
	return r;
}

/*
 * A transfer at the file's own offset that is larger than the data area. The range is claimed by moving the offset over it, which
 * the kernel does in one step; then it is a transfer at an explicit offset. So nobody who shares the open file gets in
 * between, and what a shorter transfer has not used is given back. Not for O_APPEND, where the offset is not what counts.
 */
static int64_t run_claimed(struct shim_call *c, struct transfer *t)
{
	int64_t left = bytes_left(c), n = (int64_t)t->total;

	if (left < 0 || (t->write && (shim_call_ask(c, SYS_fcntl, F_GETFL, 0) & O_APPEND)))
		return run_gather(c, t);
	if (!t->write && n > left)
		n = left;
	int64_t end = n > (int64_t)GATHER_MAX ? shim_call_ask(c, SYS_lseek, (uint64_t)n, SEEK_CUR) : -1;
	if (end < n)
		return run_gather(c, t);
	t->pos = end - n;
	t->total = (size_t)n;
	int64_t r = run_stream(c, t);
	if (r < n)
		shim_call_ask(c, SYS_lseek, (uint64_t)((r > 0 ? r : 0) - n), SEEK_CUR);
	return r;
}

/* ---- the calls ---- */

static int64_t run(struct shim_call *c, struct transfer *t)
{
	if (t->total > (uint64_t)RW_MAX)
		t->total = RW_MAX;
	if (likely(t->total + 512 + sizeof(struct fc_iovec) <= FC_CHUNK))
		return run_small(c, t);
	if (t->flags || t->total < 2 * FC_CHUNK || (t->w & SHIM_FD_DIRECT) || shim.no_stream)
		return run_gather(c, t);
	if (t->pos >= 0)
		return run_stream(c, t);
	return t->total > GATHER_MAX ? run_claimed(c, t) : run_gather(c, t);
}

/* The number may be another file's since that one has been told. */
static int64_t run_told(struct shim_call *c, struct transfer *t)
{
	struct shim_file *f = t->write && t->w != t->said ? shim_file_of(c->p, t->w) : NULL;
	uint32_t begun;
	int64_t r;

	if (likely(!f))
		return run(c, t);
	begun = shim_lease_write_begin(f, -1, 0);
	r = run(c, t);
	shim_lease_write_end(f, begun);
	return r;
}

static long transfer(long fd, struct transfer *t, const struct fc_row *row, const long a[6])
{
	struct shim_frame *f = shim_frame_begin();
	struct shim_process *p = shim_process_own();
	const bool placed = t->pos >= 0;
	struct shim_call c;
	bool again = false;
	int64_t r = -EBADF;

	if (!f)
		return -EDEADLK;
	if (p && (t->w = shim_fd_get(p, fd)) && unlikely(t->counts && !shim_offset_is_begun(p, t->w, t->used))) {
		r = SHIM_OTHER;
	} else if (p && t->w) {
		r = shim_call_begin_on(&c, row, p, fd, t->w, f);
		again = unlikely(r == SHIM_OTHER);
		if (r == 0) {
			c.wire[0] = (uint64_t)shim_fd_number(t->w);
			r = shim_call_own(&c, run_told(&c, t));
			r = shim_result(c.s, r);
			/* the parent does it, and as nothing depends on the file's offset, so may we: no such call is interrupted */
			again = unlikely(c.s->requests.gone) && placed;
			if (unlikely(shim.trace_fd >= 0)) {
				c.path[0] = c.path[1] = NULL;
				shim_trace(row, a, c.path, r);
			}
		}
	}
	shim_frame_end(f);
	if (unlikely(again)) {
		t->at = t->at_offset = 0;
		return transfer(fd, t, row, a);
	}
	return (long)r;
}

/* What a request has read counts for a delegation, from which later ones are read: at explicit offsets, without a word to the domain. */
static long read_at(long fd, struct transfer *t, const struct fc_row *row, const long a[6])
{
	struct shim_process *p = shim_process();
	uint64_t w = shim_fd_get(p, fd);
	struct shim_file *f = shim_file_of(p, w);
	bool may = f && fc_load(&f->lease.word) && !(w & SHIM_FD_DIRECT); /* F_SETFL may have set it since */
	long r = may ? shim_lease_read(p, f, t->iov, t->iovcnt, t->total, t->pos) : -1;

	if (may && r < 0 && shim_fill(p, (int)fd, w, f, t->total, (uint64_t)t->pos))
		r = shim_lease_read(p, f, t->iov, t->iovcnt, t->total, t->pos);
	if (r >= 0 && likely(shim_fd_get(p, fd) == w)) { /* else the record may be another file's by now */
		if (unlikely(shim.trace_fd >= 0))
			shim_trace(row, a, (char *const[2]){ NULL, NULL }, r);
		return r;
	}
	r = transfer(fd, t, row, a);
	if (r > 0 && f)
		shim_lease_count(p, (int)fd, w, f, r);
	return r;
}

/* The same at the file's own offset, if that is kept here. The record is held: whoever moves the offset must know whose it is. */
static long read_here(long fd, struct transfer *t, const struct fc_row *row, const long a[6])
{
	struct shim_process *p = shim_process();
	uint64_t w = shim_fd_get(p, fd), held;
	struct shim_file *f = shim_file_of(p, w);
	int64_t at;
	long r;

	if (!f || fc_load(&f->lease.offset) < 0 || (w & SHIM_FD_DIRECT) ||
	    !(held = shim_file_hold(p, &p->fd[(uint32_t)fd], w)))
		return -1;
	r = shim_offset_read(p, f, t->iov, t->iovcnt, t->total);
	at = fc_load(&f->lease.offset);
	if (r < 0 && at >= 0) {
		if (shim_fill(p, (int)fd, w, f, t->total, (uint64_t)at))
			r = shim_offset_read(p, f, t->iov, t->iovcnt, t->total);
		else
			shim_lease_away(f);
	}
	shim_file_drop(p, held);
	if (r >= 0 && unlikely(shim.trace_fd >= 0))
		shim_trace(row, a, (char *const[2]){ NULL, NULL }, r);
	return r;
}

/* At the file's own offset, wherever that is kept. With flags it is a request, for they are the kernel's to heed. */
static long read_on(long fd, struct transfer *t, const struct fc_row *row, const long a[6])
{
	long r = t->flags ? -1 : read_here(fd, t, row, a);
	struct shim_process *p = r < 0 ? shim_process_own() : NULL;
	uint64_t held, w;

	if (r >= 0)
		return r;
	if (!p)
		return -ENOMEM;
	t->counts = true;
	do {
		held = t->used = shim_offset_begin(p, (int)fd);
		w = shim_fd_get(p, fd);
		r = transfer(fd, t, row, a);
		if (r > 0 && held && shim_fd_file(held) == shim_fd_file(w))
			shim_lease_count(p, (int)fd, w, shim_file_of(p, held), r);
		shim_offset_end(p, (int)fd, held, r > 0);
	} while (unlikely(r == SHIM_OTHER));
	return r;
}

/* A write, which is posted if its file is delegated; what a request has written counts for that. */
static long write_it(struct shim_process *p, long fd, uint64_t w, struct shim_file *f, struct transfer *t,
		     const struct fc_row *row, const long a[6])
{
	long r = f && (fc_load(&f->lease.bytes) & SHIM_LEASE_POSTS) && !t->flags
			 ? shim_post_write(p, (int)fd, w, t->iov, t->iovcnt, t->total, t->pos)
			 : -1;
	if (r >= 0) {
		if (unlikely(shim.trace_fd >= 0))
			shim_trace(row, a, (char *const[2]){ NULL, NULL }, r);
		return r;
	}
	r = transfer(fd, t, row, a);
	if (r > 0 && f && t->total <= SHIM_POST_MAX) {
		if (shim_lease_due(f, r))
			shim_posts_open(p, shim_fd_domain(w));
		shim_lease_count(p, (int)fd, w, f, r);
	}
	return r;
}

static long write_on(long fd, struct transfer *t, const struct fc_row *row, const long a[6])
{
	struct shim_process *p = shim_process();
	uint64_t w = shim_fd_get(p, fd);
	struct shim_file *f = shim_file_of(p, w);
	long r = f ? shim_post_error(p, f) : 0;

	if (unlikely(r < 0))
		return shim_result(&p->session[f->domain], r);
	t->said = w;
	const uint32_t begun = f ? shim_lease_write_begin(f, t->pos, t->total) : 0;
	r = write_it(p, fd, w, f, t, row, a);
	if (f)
		shim_lease_write_end(f, begun);
	return r;
}

static long plain(long nr, long a[6], bool write)
{
	bool at = nr == SYS_pread64 || nr == SYS_pwrite64;
	struct iovec one = { (void *)a[1], (size_t)a[2] };
	struct transfer t = { .write = write, .iov = &one, .iovcnt = 1, .total = (size_t)a[2], .pos = at ? a[3] : -1 };

	if (at && a[3] < 0)
		return -EINVAL;
	if (a[2] < 0 || (uint64_t)a[1] + (uint64_t)a[2] > (1ull << 47)) {
		/* the kernel's own order of errors: let it see a length or an address that cannot be */
		t.total = 0;
		long r = transfer(a[0], &t, fc_row_by_nr((unsigned)nr), a);
		return r < 0 ? r : -EFAULT; /* access_ok comes before the check for a negative length */
	}
	if (!write)
		return at ? read_at(a[0], &t, fc_row_by_nr((unsigned)nr), a)
			  : read_on(a[0], &t, fc_row_by_nr((unsigned)nr), a);
	return write_on(a[0], &t, fc_row_by_nr((unsigned)nr), a);
}

/* After EISDIR, which may be a placeholder's: another thread is just opening or closing this number. */
static long read_again(long nr, long a[6])
{
	long r = -EISDIR;

	for (int i = 0; i < READ_TRIES && r == -EISDIR; i++) {
		if (shim_is_placeholder((int)a[0]))
			return -EBADF;
		r = shim_native(nr, a); /* a directory, or what has this number by now, if anything */
	}
	return r;
}

long shim_do_read(long nr, long a[6])
{
	long r;

	if (shim_fd_get(shim_process(), a[0]))
		return plain(nr, a, false);
	r = shim_native(nr, a);
	if (likely(r != -EISDIR))
		return r;
	return shim_fd_get(shim_process(), a[0]) ? plain(nr, a, false) : read_again(nr, a);
}

long shim_do_write(long nr, long a[6])
{
	return likely(!shim_fd_get(shim_process(), a[0])) ? shim_native(nr, a) : plain(nr, a, true);
}

/* readv and its relatives: the list is copied and checked once. */
static long vector(const struct fc_row *row, const long a[6], struct iovec *iov)
{
	bool write = row->nr == SYS_pwritev2;
	struct transfer t = { .write = write, .iov = iov, .iovcnt = (uint32_t)a[2], .pos = a[3], .flags = (int)a[5] };

	if (t.iovcnt > FC_IOV_MAX) /* 32 bits of it: as the kernel counts */
		return -EINVAL;
	if (fc_copy_from_user(iov, (void *)a[1], t.iovcnt * sizeof *iov))
		return -EFAULT;
	for (size_t i = 0; i < t.iovcnt; i++) /* of all, before the kernel looks at any address */
		if ((ssize_t)iov[i].iov_len < 0)
			return -EINVAL;
	for (size_t i = 0; i < t.iovcnt; i++) {
		if (t.iovcnt == 1 && iov[i].iov_len > RW_MAX)
			iov[i].iov_len = RW_MAX; /* a single one is cut first */
		if ((uint64_t)iov[i].iov_base + iov[i].iov_len > (1ull << 47) && iov[i].iov_len)
			return -EFAULT;
		if (iov[i].iov_len > (uint64_t)RW_MAX - t.total)
			iov[i].iov_len = (uint64_t)RW_MAX - t.total;
		t.total += iov[i].iov_len;
	}
	if (t.pos < -1)
		return -EINVAL;
	if (write)
		return write_on(a[0], &t, row, a);
	if (t.pos < 0)
		return read_on(a[0], &t, row, a);
	return t.flags ? transfer(a[0], &t, row, a) : read_at(a[0], &t, row, a);
}

long shim_do_vector(long nr, long a[6])
{
	const struct fc_row *row;
	long c[6], r;

	if (likely(!shim_fd_get(shim_process(), a[0]))) {
		r = shim_native(nr, a);
		if (likely(r != -EISDIR))
			return r;
		if (!shim_fd_get(shim_process(), a[0]))
			return read_again(nr, a);
	}
	row = shim_canonical(nr, a, c);
	if ((nr == SYS_preadv || nr == SYS_pwritev) && c[3] < 0)
		return -EINVAL;
	struct shim_frame *f = shim_frame_begin();
	if (!f)
		return -EDEADLK;
	r = vector(row, c, (struct iovec *)shim_scratch(f));
	shim_frame_end(f);
	return r;
}
