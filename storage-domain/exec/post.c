/* SPDX-License-Identifier: GPL-2.0-or-later */
/* post.c - see post.h. The ring is the client's memory: each write is copied and checked once, and where the domain is in it stands here. */
#define _GNU_SOURCE
#include "storage-domain/exec/post.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#include "common/atomic.h"
#include "common/doorbell.h"
#include "common/rawcall.h"
#include "common/region.h"
#include "common/ring.h"
#include "storage-domain/exec/execute.h"
#include "storage-domain/roster.h"

#define PIECES 64               /* of memory in one kernel call */
#define BATCH_MAX (48u << 10)   /* a quarter of the ring: the client fills it again while the next one is written */
#define LOOK_AT_ROOM (1u << 20) /* bytes written in between */
#define YIELDS 1000             /* about as long as it takes to wake somebody, more than once */
#define FLUSH_LOOK_NS 1000000u
#define ROOM_MIN ((uint64_t)64 << 20) /* all sessions' rings together are no larger */

/* Writes that can be done at once: the first, and those that follow it in the ring and the file. */
struct batch {
	struct fc_post first;
	uint64_t end;   /* the position behind it */
	unsigned posts; /* so many */
	uint64_t bytes; /* in all */
	int pieces;
	struct iovec iov[PIECES];
};

static struct fc_ring *ring_of(const struct fc_shadow *s)
{
	const uint64_t at = s->posts.at - 1, length = fc_load(&s->data_length);
	unsigned segment;

	if (!s->posts.at || !fc_region_ok(length, at, FC_RING_SIZE))
		return NULL;
	segment = fc_segment_of(at);
	if (!fc_region_ok(fc_segment_end(segment), at, FC_RING_SIZE))
		return NULL;
	return (struct fc_ring *)(void *)(fc_load(&s->segment[segment]) + (at - fc_segment_start(segment)));
}

/* What the client rings for who looks for posted writes; in another machine it rings for the session (xen/bell.c). */
static const uint32_t *bell_of(const struct fc_shadow *s, const struct fc_ring *r)
{
	return s->foreign ? &s->slot->stream_bell : &r->bell;
}

static bool is_written(const struct fc_posts *o, uint64_t n)
{
	return o->written[n % FC_POSTS / 64] >> n % 64 & 1;
}

static void mark(struct fc_posts *o, uint64_t n, bool written)
{
	uint64_t *word = &o->written[n % FC_POSTS / 64], bit = 1ull << n % 64;

	*word = written ? *word | bit : *word & ~bit;
}

static void fetch(struct fc_shadow *s, struct fc_post *p, const struct fc_ring *r, uint64_t n)
{
	fc_exec_fetch(p, &r->post[n % FC_POSTS], sizeof *p);
	if (!p->length || !fc_region_ok(sizeof r->data, p->offset, p->length) || fc_post_index(p->word) >= FC_LEASES)
		fc_shadow_poison(s, "it has posted what is no write");
}

static bool follows(const struct batch *b, const struct fc_post *p)
{
	return p->word == b->first.word && p->descriptor == b->first.descriptor &&
	       (p->position == FC_NULL ? b->first.position == FC_NULL : p->position == b->end);
}

/* False: there is no place for it any more. */
static bool add(struct batch *b, struct fc_ring *r, const struct fc_post *p)
{
	struct iovec *last = b->pieces ? &b->iov[b->pieces - 1] : NULL;
	char *at = r->data + p->offset;

	if (b->posts && b->bytes + p->length > BATCH_MAX)
		return false;
	if (last && at == (char *)last->iov_base + last->iov_len) {
		last->iov_len += p->length;
	} else {
		if (b->pieces == PIECES)
			return false;
		b->iov[b->pieces++] = (struct iovec){ at, p->length };
	}
	b->posts++;
	b->bytes += p->length;
	if (b->first.position != FC_NULL)
		b->end += p->length;
	return true;
}

static void collect(struct fc_shadow *s, struct batch *b, struct fc_ring *r, uint64_t n, uint64_t tail)
{
	struct fc_post p;

	b->posts = 0;
	b->bytes = 0;
	b->pieces = 0;
	b->end = b->first.position;
	add(b, r, &b->first);
	for (n++; n != tail && !is_written(&s->posts, n); n++) {
		fetch(s, &p, r, n);
		if (!follows(b, &p) || !add(b, r, &p))
			return;
	}
}

/* 0 or -errno. */
static int64_t write_all(struct batch *b, int fd)
{
	struct iovec *iov = b->iov;
	uint64_t at = b->first.position;

	while (b->pieces) {
		int64_t n = fc_call(SYS_pwritev2, fd, iov, b->pieces, at, 0, 0);

		if (n == -EINTR)
			continue;
		if (n <= 0 && iov->iov_len)
			return n ? n : -EIO;
		if (at != FC_NULL)
			at += (uint64_t)n;
		for (; b->pieces && (uint64_t)n >= iov->iov_len; iov++, b->pieces--)
			n -= (int64_t)iov->iov_len;
		if (b->pieces) {
			iov->iov_base = (char *)iov->iov_base + n;
			iov->iov_len -= (uint64_t)n;
		}
	}
	return 0;
}

/* Nothing more is to be posted for it. */
static void withdraw(struct fc_shadow *s, uint64_t word)
{
	fc_cas(&s->area->header.lease[fc_post_index(word)], word, 0ull);
	fc_store(&s->posts.withdrawn, true);
}

static void fail(struct fc_shadow *s, struct fc_ring *r, const struct fc_post *p, int64_t error)
{
	const uint32_t n = s->posts.errors;

	s->posts.bad[fc_post_index(p->word)] = p->word;
	r->error[n % FC_RING_ERRORS].file = p->file;
	r->error[n % FC_RING_ERRORS].error = error;
	withdraw(s, p->word); /* who sees the error posts no more: what comes behind it is not written */
	fc_store_release(&r->errors, n + 1);
	s->posts.errors = n + 1;
}

bool fc_post_is_tight(int fd)
{
	struct statfs st;

	return fc_call(SYS_fstatfs, fd, &st) < 0 || (uint64_t)st.f_bavail * (uint64_t)st.f_bsize < ROOM_MIN;
}

static void run_batch(struct fc_shadow *s, struct fc_ring *r, struct batch *b, int fd)
{
	struct fc_posts *o = &s->posts;
	uint64_t bytes = 0;
	int64_t error;

	if (o->bad[fc_post_index(b->first.word)] == b->first.word)
		return; /* one before it has failed */
	for (int i = 0; i < b->pieces; i++)
		bytes += b->iov[i].iov_len;
	error = write_all(b, fd);
	if (error)
		fail(s, r, &b->first, error);
	else
		fc_faa(&s->slot->count.bytes_in, bytes);
	fc_faa(&s->slot->count.posts, (uint64_t)b->posts);
	o->unlooked += bytes;
	if (o->unlooked < LOOK_AT_ROOM)
		return;
	o->unlooked = 0;
	if (fc_post_is_tight(fd))
		withdraw(s, b->first.word);
}

/* As a write does it, and with the right to that. Who is neither the owner nor may act for him has to set both. */
static void touch(int fd)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_nsec = UTIME_NOW } };
	const int64_t flags = fc_call(SYS_fcntl, fd, F_GETFL);

	if (flags < 0 || (flags & O_ACCMODE) != O_RDWR)
		return;
	if (fc_call(SYS_utimensat, fd, NULL, times, 0) < 0)
		fc_call(SYS_utimensat, fd, NULL, NULL, 0);
}

/* The descriptor may be another file's by now. */
static bool is_stored(const struct fc_posts *o, unsigned i, int fd)
{
	struct stat st;

	return fc_call(SYS_fstat, fd, &st) == 0 && st.st_dev == o->stored[i].device && st.st_ino == o->stored[i].inode;
}

/* The files of a word of bits. False: the caller does not find some, and leaves these. */
static bool touch_word(const struct fc_posts *o, uint32_t *word, unsigned first, fc_post_file *file)
{
	bool all = true;

	for (uint32_t bits = fc_load(word); bits; bits &= bits - 1) {
		const unsigned i = first + (unsigned)__builtin_ctz(bits);
		const struct fc_post p = { .word = o->stored[i].word, .descriptor = o->stored[i].descriptor };
		const int fd = p.word ? file(&p) : -1; /* < 0: who has ended the delegation has seen to it */

		if (fd >= 0 && !is_stored(o, i, fd)) {
			all = false;
			continue;
		}
		fc_fetch_and(word, ~(bits & -bits));
		if (fd >= 0)
			touch(fd);
	}
	return all;
}

static bool is_any_stored(const struct fc_ring *r)
{
	uint32_t any = 0;

	for (unsigned k = 0; k < FC_RING_STORED; k++)
		any |= fc_load(&r->stored[k]);
	return any != 0;
}

/* The times of files that the client has written to by itself. False: some are left. */
static bool touch_all(struct fc_shadow *s, struct fc_ring *r, fc_post_file *file)
{
	struct fc_posts *o = &s->posts;
	const uint32_t stores = fc_load(&r->stores);
	bool all = true;

	fc_faa(&s->slot->count.posts, (uint64_t)(stores - o->stores));
	o->stores = stores;
	fc_store(&r->touching, 1u);
	fc_fence();
	for (unsigned k = 0; k < FC_RING_STORED; k++)
		all = touch_word(o, &r->stored[k], 32 * k, file) && all;
	if (all)
		fc_store_release(&r->passes, ++o->passes);
	fc_store_release(&r->touching, 0u);
	return all;
}

void fc_posts_stored_begin(struct fc_shadow *s, uint64_t word, uint32_t descriptor, const struct stat *st)
{
	const unsigned i = (unsigned)fc_post_index(word);
	struct fc_ring *r;

	if (i >= FC_STORED)
		return;
	pthread_mutex_lock(&s->posts.lock);
	s->posts.stored[i].word = word;
	s->posts.stored[i].device = st->st_dev;
	s->posts.stored[i].inode = st->st_ino;
	s->posts.stored[i].descriptor = descriptor;
	r = ring_of(s);
	if (r) /* of a delegation before this, whose end the client has seen after it had set it */
		fc_fetch_and(&r->stored[i / 32], ~(1u << i % 32));
	pthread_mutex_unlock(&s->posts.lock);
}

void fc_posts_stored_end(struct fc_shadow *s, uint64_t word)
{
	const unsigned i = (unsigned)fc_post_index(word);

	if (i < FC_STORED)
		s->posts.stored[i].word = 0;
}

/* Locked. What the caller has not to do with stays; so does what is behind it in the count, but it is written. */
static bool run(struct fc_shadow *s, struct fc_ring *r, fc_post_file *file)
{
	struct fc_posts *o = &s->posts;
	const uint64_t tail = fc_load_acquire(&r->tail);
	struct batch b;
	bool any = false;
	int fd;

	if (tail - o->done > FC_POSTS)
		fc_shadow_poison(s, "it has posted more than there is room for");
	for (uint64_t n = o->done; n != tail;) {
		if (!is_written(o, n)) {
			fetch(s, &b.first, r, n);
			fd = file(&b.first);
			if (fd < 0) {
				n++;
				continue;
			}
			collect(s, &b, r, n, tail);
			run_batch(s, r, &b, fd);
			for (unsigned i = 0; i < b.posts; i++)
				mark(o, n + i, true);
			any = true;
		}
		for (; o->done != tail && is_written(o, o->done); o->done++)
			mark(o, o->done, false);
		fc_store_release(&r->done, o->done);
		n = n < o->done ? o->done : n + 1;
	}
	return any;
}

/* Nothing that could keep the writer waiting: who takes a delegation back waits for that. */
int fc_post_by_number(const struct fc_post *p)
{
	const int fd = fc_exec_fd(p->descriptor);
	struct stat st;

	if (fd < 0 || fc_call(SYS_fstat, fd, &st) < 0 || !S_ISREG(st.st_mode))
		return FC_DOMAIN_FD_MAX; /* which is not open */
	return fd;
}

void fc_posts_init(struct fc_shadow *s)
{
	memset(&s->posts, 0, sizeof s->posts);
	pthread_mutex_init(&s->posts.lock, NULL);
}

int64_t fc_posts_open(struct fc_shadow *s, uint64_t at)
{
	struct fc_posts *o = &s->posts;
	struct fc_ring *r;
	uint64_t before;

	pthread_mutex_lock(&o->lock);
	before = o->at;
	fc_store(&o->at, at == FC_NULL || at % FC_PAGE_SIZE
				 ? (uint64_t)0
				 : at + 1); /* others look, whether there is one, without the lock */
	r = ring_of(s);
	if (at != FC_NULL && (!r || before))
		fc_shadow_poison(s, "its ring of posted writes is not what it must be");
	memset(o->written, 0, sizeof o->written);
	o->done = r ? fc_load(&r->tail) : 0;
	o->stores = r ? fc_load(&r->stores) : 0;
	o->passes = r ? fc_load(&r->passes) : 0;
	for (unsigned k = 0; r && k < FC_RING_STORED; k++)
		fc_store(&r->stored[k], 0u); /* a client from before there were any has not */
	if (r)
		fc_store_release(&r->done, o->done);
	fc_store(&s->slot->posts, r ? 1u : 0u); /* from before the first of them */
	fc_posts_rouse(s);
	pthread_mutex_unlock(&o->lock);
	return 0;
}

bool fc_posts_run(struct fc_shadow *s, fc_post_file *file)
{
	struct fc_ring *r;
	bool all = true;

	if (!fc_load(&s->posts.at))
		return true;
	fc_faa(&s->posts.waiting, 1u);
	pthread_mutex_lock(&s->posts.lock);
	fc_faa(&s->posts.waiting, -1u);
	r = ring_of(s);
	if (r)
		run(s, r, file);
	if (r && is_any_stored(r))
		all = touch_all(s, r, file);
	pthread_mutex_unlock(&s->posts.lock);
	return all;
}

void fc_posts_flush(struct fc_shadow *s)
{
	struct fc_posts *o = &s->posts;
	const uint32_t ticket = fc_faa(&o->wanted, 1u) + 1;
	struct timespec now;
	uint32_t seen;

	while ((int32_t)((seen = fc_load_acquire(&o->served)) - ticket) < 0) {
		fc_posts_rouse(s);
		clock_gettime(CLOCK_MONOTONIC, &now);
		fc_futex_wait(&o->served, seen,
			      (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec + FLUSH_LOOK_NS);
	}
}

void fc_posts_served(struct fc_shadow *s, uint32_t wanted)
{
	if (wanted == fc_load(&s->posts.served))
		return;
	fc_store_release(&s->posts.served, wanted);
	fc_futex_wake(&s->posts.served, INT32_MAX);
}

void fc_posts_cut(struct fc_shadow *s, uint64_t length)
{
	struct fc_ring *r;

	pthread_mutex_lock(&s->posts.lock);
	r = ring_of(s);
	if (r && !fc_region_ok(length, s->posts.at - 1, FC_RING_SIZE)) {
		fc_store(&s->posts.at, 0ull);
		fc_posts_rouse(s); /* whoever sleeps there is to sleep elsewhere */
	}
	pthread_mutex_unlock(&s->posts.lock);
}

/* By a word that no client can reach: it could move whoever sleeps on one of its own elsewhere. */
void fc_posts_rouse(struct fc_shadow *s)
{
	fc_faa(&s->posts.generation, 1u);
	fc_futex_wake(&s->posts.generation, INT32_MAX);
}

/* From the first byte that has not been written to behind the last. Whatever the client has put there, it is a number. */
static uint32_t length(const struct fc_posts *o, const struct fc_ring *r, uint64_t tail)
{
	const struct fc_post *first = &r->post[o->done % FC_POSTS], *last = &r->post[(tail - 1) % FC_POSTS];
	const uint32_t from = fc_load(&first->offset), to = fc_load(&last->offset) + fc_load(&last->length);

	return to > from ? to - from : to - from + (uint32_t)sizeof r->data;
}

/* Is a quarter of the ring full? */
static bool is_much(const struct fc_posts *o, const struct fc_ring *r)
{
	const uint64_t tail = fc_load_acquire(&r->tail);

	return tail != o->done && (tail - o->done >= FC_POSTS / 4 || length(o, r, tail) >= sizeof r->data / 4);
}

/* A lock is whose who asks next, and who looks for posted writes would ask before whoever it wakes could. */
static void give_way(const struct fc_posts *o)
{
	for (unsigned i = 0; i < YIELDS && fc_load(&o->waiting); i++)
		fc_call(SYS_sched_yield);
}

bool fc_posts_serve(struct fc_shadow *s, fc_post_file *file, bool *much)
{
	struct fc_posts *o = &s->posts;
	struct fc_ring *r;
	bool any = false;

	*much = false;
	give_way(o);
	pthread_mutex_lock(&o->lock);
	r = ring_of(s);
	if (r) {
		o->rung = fc_load_acquire(bell_of(s, r));
		fc_store(&r->asleep, FC_RING_AWAKE);
		*much = is_much(o, r);
		any = run(s, r, file);
		if (is_any_stored(r))
			any = touch_all(s, r, file) || any;
	}
	pthread_mutex_unlock(&o->lock);
	return any;
}

bool fc_posts_pressing(struct fc_shadow *s)
{
	struct fc_posts *o = &s->posts;
	const struct fc_ring *r;
	bool pressing;

	if (pthread_mutex_trylock(&o->lock))
		return false; /* somebody is doing it */
	r = ring_of(s);
	pressing = r && (is_much(o, r) || fc_load_acquire(bell_of(s, r)) != o->rung);
	pthread_mutex_unlock(&o->lock);
	return pressing;
}

bool fc_posts_rest(struct fc_shadow *s, bool deep, struct fc_post_nap *nap)
{
	struct fc_posts *o = &s->posts;
	struct fc_ring *r;
	bool rests = true;

	pthread_mutex_lock(&o->lock);
	*nap = (struct fc_post_nap){ .word = { &o->generation }, .seen = { fc_load_acquire(&o->generation) } };
	r = ring_of(s);
	if (r) {
		nap->word[1] = bell_of(s, r);
		rests = fc_ring_rest(&r->asleep, deep ? FC_RING_SLEEPS : FC_RING_DOZES, nap->word[1], &nap->seen[1],
				     &r->tail, o->done) &&
			!(deep && is_any_stored(r));
	}
	pthread_mutex_unlock(&o->lock);
	return rests;
}

bool fc_posts_withdrawn(struct fc_shadow *s)
{
	return fc_load(&s->posts.withdrawn) && fc_xchg(&s->posts.withdrawn, false);
}
