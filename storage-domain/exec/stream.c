/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stream.c - stream_read and stream_write: one pread or pwrite in chunks, so that the worker copies one chunk
 * while the client copies another. It owns the domain's line of the entry's fc_stream; the rules are in abi.h.
 *
 * A client that does not advance holds nothing but this worker, which has announced that it blocks. `chunks` and `end`
 * are the client's and may be nonsense: the number of chunks is bounded by the length that came with the request.
 */
#define _GNU_SOURCE
#include "storage-domain/exec/execute.h"

#include <string.h>
#include <sys/syscall.h>

#include "common/atomic.h"
#include "common/doorbell.h"
#include "common/rawcall.h"
#include "storage-domain/exec/host.h"

#ifndef RWF_APPEND
#define RWF_APPEND 0x10
#endif
#define LENGTH_MAX 0x7ffff000u /* MAX_RW_COUNT: what one kernel call moves at most */

struct transfer {
	struct fc_exec *x;
	struct fc_stream *stream;
	bool writing;
	int fd;
	uint64_t length, position;
	uint32_t rwf;
	unsigned slots;
	char *buffer[FC_STREAM_SLOTS_MAX];
};

static int set_up(struct transfer *t)
{
	struct fc_exec *x = t->x;
	const uint64_t *arg = x->e.arg, *list;

	t->stream = &x->s->area->stream[x->index];
	t->fd = fc_exec_fd(arg[0]);
	t->length = arg[1] < LENGTH_MAX ? arg[1] : LENGTH_MAX;
	t->position = arg[2];
	t->slots = arg[4];
	t->rwf = arg[5];
	if (arg[4] < 1 || arg[4] > FC_STREAM_SLOTS_MAX)
		fc_exec_refuse(x, "a stream with no or too many buffers");
	list = fc_exec_at(x, arg[3], t->slots * sizeof *list);
	if (!list)
		fc_exec_refuse(x, "a stream without buffers");
	for (unsigned i = 0; i < t->slots; i++) {
		uint64_t at;

		fc_exec_fetch(&at, &list[i], sizeof at);
		t->buffer[i] = fc_exec_at(x, at, FC_CHUNK);
		if (!t->buffer[i])
			fc_exec_refuse(x, "a stream with a null buffer");
	}
	if (t->writing &&
	    ((t->rwf & RWF_APPEND) || (fc_call(SYS_fcntl, t->fd, F_GETFL) & (O_APPEND | O_PATH)) == O_APPEND))
		return -EOPNOTSUPP;
	return 0;
}

/* Where the transfer ends, as the client says now. */
static uint64_t end_now(const struct transfer *t)
{
	uint64_t end = fc_load_acquire(&t->stream->client.end);

	return end < t->length ? end : t->length;
}

static bool ready(const struct transfer *t, uint64_t need, uint64_t offset)
{
	return fc_load_acquire(&t->stream->client.chunks) >= need || end_now(t) <= offset;
}

static bool spin(const struct transfer *t, uint64_t need, uint64_t offset)
{
	struct fc_worker *w = t->x->worker;
	uint64_t start = fc_tsc(), prev = start, now, budget = fc_tsc_from_ns(t->x->stream_spin.budget_ns);

	if (!budget || !fc_worker_may_spin(w))
		return false;
	for (;;) {
		if (ready(t, need, offset)) {
			fc_spin_hit(&t->x->stream_spin);
			return true;
		}
		fc_pause();
		now = fc_tsc();
		if (now - prev > fc_tsc_from_ns(t->x->stream_spin.cost->gap_ns)) {
			fc_spin_preempted(&t->x->stream_spin);
			return false;
		}
		if (now - start > budget) {
			fc_spin_miss(&t->x->stream_spin);
			return false;
		}
		prev = now;
	}
}

/* Wait until the client has published `need` chunks, or has lowered the end to `offset` or less. 0 or -EINTR. */
static int wait_for(const struct transfer *t, uint64_t need, uint64_t offset)
{
	struct fc_worker *w = t->x->worker;
	uint64_t start;

	if (ready(t, need, offset) || spin(t, need, offset))
		return 0;
	start = fc_tsc();
	fc_block_begin(w);
	while (!ready(t, need, offset)) {
		uint32_t seen = fc_load_acquire(&t->stream->client.chunks);

		if (fc_interrupted(w))
			return -EINTR;
		if (!ready(t, need, offset))
			fc_progress_sleep(t->x->s->bell, &t->stream->domain, &t->stream->client, seen, 0);
	}
	fc_worker_move_apart(w);
	fc_spin_slept(&t->x->stream_spin, fc_tsc_to_ns(fc_tsc() - start));
	return 0;
}

static int64_t move(const struct transfer *t, uint64_t n, uint64_t length)
{
	struct iovec iov = { t->buffer[n % t->slots], length };
	uint64_t at = t->position + n * FC_CHUNK;
	int64_t r;

	do {
		if (t->rwf)
			r = fc_call(t->writing ? SYS_pwritev2 : SYS_preadv2, t->fd, &iov, 1, at, 0, t->rwf);
		else
			r = fc_call(t->writing ? SYS_pwrite64 : SYS_pread64, t->fd, iov.iov_base, length, at);
	} while (r == -EINTR && fc_signal_taken() && !fc_interrupted(t->x->worker));
	return r;
}

static int64_t transfer(const struct transfer *t)
{
	uint64_t done = 0, want, end;
	int64_t r = 0;

	for (uint64_t n = 0;; n++) {
		/* a read needs its buffer emptied of chunk n - slots, a write its chunk filled */
		r = wait_for(t, t->writing ? n + 1 : n < t->slots ? 0 : n - t->slots + 1, done);
		if (r)
			break;
		end = end_now(t);
		if (done >= end)
			break;
		want = end - done < FC_CHUNK ? end - done : FC_CHUNK;
		r = move(t, n, want);
		if (r < 0)
			break;
		done += r;
		if ((uint64_t)r < want || done >= end)
			break;
		fc_progress_publish(t->x->s->bell, &t->stream->domain, &t->stream->client);
	}
	return done || r >= 0 ? (int64_t)done : r;
}

int64_t fc_exec_stream(struct fc_exec *x, bool writing)
{
	struct transfer t = { .x = x, .writing = writing };
	int64_t r = set_up(&t);

	if (!r)
		r = transfer(&t);
	if (r > 0 && writing)
		x->count.bytes_in += r;
	else if (r > 0)
		x->count.bytes_out += r;
	return r;
}
