/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* post.c - see post.h. */
#define _GNU_SOURCE
#include "libc-shim/session/post.h"

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "common/atomic.h"
#include "common/doorbell.h"
#include "common/ring.h"
#include "farcall/wire.h"
#include "libc-shim/hook.h"
#include "libc-shim/process/process.h"
#include "libc-shim/process/thread.h"
#include "libc-shim/request/request.h"
#include "libc-shim/session/session.h"
#include "libc-shim/session/store.h"
#include "libc-shim/shim.h"

#define DATA_SIZE ((uint64_t)sizeof(((struct fc_ring *)0)->data))
#define PASS \
	10000 /* rounds until the turn of another thread is over, for who would have it write elsewhere: a second or so */
#define LONG 1024 /* rounds of waiting, in which a domain that runs writes anything */
#define WORTH 64  /* writes that waiting for one of them takes away */
#define WORTH_MAX (WORTH * 64)
#define POSITION_MAX (1ll << 40) /* beyond, a file system may say that it has no room for that */
#define ROOM_ROUNDS \
	(SHIM_ROUNDS_BUSY + 40) /* without a sign of life: the domain has been woken, and is milliseconds late */
#define NOT_FOR 32              /* times that there is no room; */
#define NOT_FOR_LONG 2048       /* where others compute on this CPU */
#define NEVER (INT32_MIN / 2)

void shim_posts_begin(struct shim_session *s, uint64_t at)
{
	struct shim_posts *o = &s->posts;
	struct fc_ring *r = (struct fc_ring *)(void *)(s->data + at);

	o->tail = o->done = o->published = fc_load(&r->tail);
	o->head = 0;
	o->rung = UINT64_MAX;
	o->errors = fc_load_acquire(&r->errors);
	fc_store_release(&o->ring, r);
}

void shim_posts_end(struct shim_session *s)
{
	fc_store(&s->posts.ring, (struct fc_ring *)NULL);
	s->posts.asked = 0;
	s->posts.owner = 0;
	s->posts.noting = 0;
	s->requests.posting = 0;
}

bool shim_gather(char *to, const struct iovec *iov, size_t iovcnt)
{
	for (size_t i = 0; i < iovcnt; i++) {
		if (fc_copy_from_user(to, iov[i].iov_base, iov[i].iov_len))
			return false; /* the kernel knows what of it can be read */
		to += iov[i].iov_len;
	}
	return true;
}

/* ---- one write ---- */

/* A handler on top of one that posts must not wait for it. */
static bool take_turn(struct shim_session *s)
{
	struct shim_posts *o = &s->posts;
	const uint32_t self = shim_owner_self();

	for (unsigned i = 0; i < SHIM_ROUNDS_BUSY; i++) {
		uint32_t owner = fc_load(&o->owner);

		if (!owner && fc_cas(&o->owner, 0u, self))
			return true;
		if (owner == self || fc_load(&o->endless) == fc_load(&o->turns) + 1 || !shim_wait_busy(&s->requests, i))
			return false;
	}
	return false;
}

static void end_turn(struct shim_posts *o)
{
	fc_store(&o->turns, o->turns + 1);
	fc_store_release(&o->owner, 0u);
}

/* How much is done? The domain may say what it likes: it is not believed to have done more than there was. */
static void look(struct shim_posts *o, const struct fc_ring *ring)
{
	const uint64_t done = fc_load_acquire(&ring->done);

	if (done - o->done <= o->tail - o->done)
		o->done = done;
}

static bool has_room(const struct shim_posts *o, uint64_t head, uint64_t n)
{
	const uint32_t used = o->done == o->tail ? 0 : (uint32_t)head - o->begin[o->done % FC_POSTS];

	return o->tail - o->done < FC_POSTS && used + n <= DATA_SIZE;
}

/* Where n bytes that are not divided go, or UINT64_MAX. */
static uint64_t find_room(struct shim_posts *o, const struct fc_ring *ring, uint64_t n)
{
	const uint64_t over = o->head % DATA_SIZE;
	const uint64_t head = over + n > DATA_SIZE ? o->head + DATA_SIZE - over : o->head;

	if (!has_room(o, head, n))
		look(o, ring);
	return has_room(o, head, n) ? head : UINT64_MAX;
}

/*
 * As long as the domain goes on there soon is some, and a request would have to wait for all that is there. If that was in vain, because the domain is not
 * running, say, it is left alone for a while.
 */
static uint64_t await_room(struct shim_session *s, const struct fc_ring *ring, uint64_t n)
{
	struct shim_posts *o = &s->posts;
	uint64_t head = find_room(o, ring, n), done;
	bool pays = true;

	if (head == UINT64_MAX && o->vain && o->vain--)
		return head;
	for (unsigned i = 0; head == UINT64_MAX && pays && i < ROOM_ROUNDS; i++) {
		pays = shim_wait_busy(&s->requests, i);
		done = o->done;
		head = find_room(o, ring, n);
		if (o->done != done)
			i = 0;
	}
	if (head == UINT64_MAX || !pays)
		o->vain = pays ? NOT_FOR : NOT_FOR_LONG;
	return head;
}

static void ring_bell(const struct shim_session *s, struct fc_ring *ring)
{
	const struct fc_bell *b = &s->requests.bell;

	fc_faa(&ring->bell, 1u);
	b->ops->wake_worker(b, &ring->bell, 1);
}

/* The domain is woken if it sleeps for good, or if half of the ring is full. */
static void wake_if_due(struct shim_session *s, struct fc_ring *ring)
{
	struct shim_posts *o = &s->posts;

	if (!fc_ring_sleeps(&ring->asleep, FC_RING_AWAKE))
		return;
	if (!fc_ring_sleeps(&ring->asleep, FC_RING_DOZES) && o->tail - o->done < FC_POSTS / 2 &&
	    (uint32_t)o->head - o->begin[o->done % FC_POSTS] < DATA_SIZE / 2)
		return;
	look(o, ring);
	if (o->rung == o->done || o->done == o->tail)
		return;
	o->rung = o->done;
	ring_bell(s, ring);
}

/* From here on requests and local calls come after what is posted. Nobody takes that back as long as this has the turn. */
static void tell_of(struct shim_session *s)
{
	fc_store(&s->requests.posting, 1u);
	if (!(fc_load_acquire(&shim.posting) & 1u << s->domain))
		fc_fetch_or(&shim.posting, 1u << s->domain);
}

static enum shim_posted publish(struct shim_session *s, struct fc_ring *ring, struct shim_file *f,
				const struct fc_post *p, uint64_t head)
{
	const struct fc_request_area *area = fc_load(&s->requests.area);
	struct shim_posts *o = &s->posts;
	bool holds;

	if (!area)
		return SHIM_POST_NOT;
	o->begin[o->tail % FC_POSTS] = (uint32_t)head;
	ring->post[o->tail % FC_POSTS] = *p;
	o->head = head + p->length;
	o->tail++;
	tell_of(s);
	holds = fc_ring_publish(&ring->tail, o->tail, &area->header.lease[shim_lease_index(p->word)], p->word);
	/* Not before the domain can see it: a handler on top of this would wait for ever. */
	fc_store(&o->published, o->tail);
	wake_if_due(s, ring);
	return holds && fc_load(&f->lease.word) == p->word ? SHIM_POSTED : SHIM_POST_PENDING;
}

/* `ring`: null in a child that a handler on top of this has forked, and if that comes later memory of its own: what its parent writes it has not to. */
static enum shim_posted write_to(struct shim_session *s, struct fc_ring *ring, struct shim_file *f,
				 struct fc_post *post, const struct iovec *iov, size_t iovcnt, const uint64_t *number,
				 uint64_t w)
{
	struct shim_posts *o = &s->posts;
	const uint64_t head = ring ? await_room(s, ring, post->length) : UINT64_MAX;

	post->offset = (uint32_t)(head % DATA_SIZE);
	if (head == UINT64_MAX || !shim_gather(ring->data + post->offset, iov, iovcnt))
		return SHIM_POST_NOT;
	if (fc_load_acquire(number) != w) /* a handler has closed it meanwhile */
		return SHIM_POST_NOT;
	o->worth += o->worth < WORTH_MAX;
	return publish(s, ring, f, post, head);
}

/* Of what is posted to two domains who knows which is done first? */
static bool others_pending(const struct shim_process *p, unsigned domain)
{
	for (unsigned d = 0; d < shim.config.ndomains; d++)
		if (d != domain && shim_posts_pending(&p->session[d]))
			return true;
	return false;
}

/* As long as *number is w. */
static enum shim_posted write_by(struct shim_session *s, struct fc_ring *ring, struct shim_file *f,
				 struct fc_post *post, const struct iovec *iov, size_t iovcnt, const uint64_t *number,
				 uint64_t w)
{
	if (fc_load_acquire(number) != w) /* partner: shim_posts_pass */
		return SHIM_POST_NOT;
	if (!ring || !shim_store(s, ring, f, post, iov, iovcnt))
		return post->length > SHIM_POST_MAX ? SHIM_POST_NOT
						    : write_to(s, ring, f, post, iov, iovcnt, number, w);
	s->posts.worth += s->posts.worth < WORTH_MAX;
	tell_of(s);
	if (fc_ring_sleeps(&ring->asleep, FC_RING_DOZES)) /* it sets the file's times */
		ring_bell(s, ring);
	return SHIM_POSTED;
}

enum shim_posted shim_post(struct shim_process *p, int fd, struct shim_file *f, uint64_t w, const struct iovec *iov,
			   size_t iovcnt, uint64_t total, int64_t pos)
{
	struct shim_session *s = &p->session[f->domain];
	struct shim_posts *o = &s->posts;
	struct fc_post post = { .word = fc_load_acquire(&f->lease.word),
				.position = pos < 0 ? FC_NULL : (uint64_t)pos,
				.file = shim_fd_file(w),
				.descriptor = (uint32_t)shim_fd_number(w),
				.length = (uint32_t)total };
	enum shim_posted r = SHIM_POST_NOT;
	uint32_t looks;

	if (total > SHIM_STORE_MAX || !total || pos > POSITION_MAX || o->worth < 0 || !o->ring ||
	    !shim_lease_posts(p, f, post.word) || others_pending(p, f->domain))
		goto not ;
	if (!take_turn(s))
		goto not ;
	looks = shim_look_begin();
	r = write_by(s, fc_load(&o->ring), f, &post, iov, iovcnt, &p->fd[fd], w);
	shim_look_end(looks);
	end_turn(o);
	return r;
	not : o->worth += o->worth < 0 && o->worth > NEVER;
	return SHIM_POST_NOT;
}

bool shim_posts_pass(struct shim_session *s)
{
	struct shim_posts *o = &s->posts;
	const uint32_t turns = fc_load_acquire(&o->turns), self = shim_owner_self();
	uint32_t owner;

	for (unsigned i = 0; fc_load(&o->ring) && fc_load_acquire(&o->turns) == turns; i++) {
		owner = fc_load_acquire(&o->owner);
		if (!owner)
			return true;
		if (owner == self || fc_load(&o->endless) == turns + 1)
			return false;
		if (i == PASS) /* a handler has jumped out of it, most likely */
			fc_store(&o->endless, turns + 1);
		shim_wait_round(i);
	}
	return true;
}

/* ---- errors ---- */

/* Which of them is not known any more. */
static void fail_all(struct shim_process *p, const struct shim_session *s)
{
	for (uint32_t n = 1; n < p->files.records.top; n++) {
		struct shim_file *f = shim_file_of(p, shim_fd_file_bits(n));

		if (f && f->domain == s->domain && !shim_file_reads(f))
			fc_store(&f->failed, (uint8_t)EIO);
	}
}

/* What has failed since the last look. */
static void take_errors(struct shim_process *p, struct shim_session *s, const struct fc_ring *ring)
{
	const uint32_t from = s->posts.errors, errors = fc_load_acquire(&ring->errors);

	for (uint32_t n = from; n != errors && errors - from <= FC_RING_ERRORS; n++) {
		const uint64_t file = fc_load(&ring->error[n % FC_RING_ERRORS].file);
		const int64_t error = fc_load(&ring->error[n % FC_RING_ERRORS].error);
		struct shim_file *f =
			file <= shim_fd_file(SHIM_FD_FILE) ? shim_file_of(p, shim_fd_file_bits(file)) : NULL;

		if (f && error < 0)
			fc_store(&f->failed, (uint8_t)(error >= -UINT8_MAX ? -error : EIO));
	}
	fc_load_fence();
	if (fc_load(&ring->errors) - from > FC_RING_ERRORS) /* some were written over, perhaps just now */
		fail_all(p, s);
	fc_store(&s->posts.errors, errors);
}

/* Whoever finds some waits until they stand in their records. False: a handler is on top of who takes note of them, and does so in his place. */
static bool take_noting(struct shim_posts *o)
{
	const uint32_t self = shim_owner_self();

	for (unsigned i = 0;; i++) {
		const uint32_t owner = fc_load(&o->noting);

		if (owner == self)
			return false;
		if (owner && i < PASS)
			shim_wait_round(i);
		else if (fc_cas(&o->noting, owner, self)) /* its owner has been jumped out of it, most likely */
			return true;
	}
}

static void note_errors(struct shim_process *p, struct shim_session *s)
{
	struct shim_posts *o = &s->posts;
	const uint32_t looks = shim_look_begin();
	const struct fc_ring *ring = fc_load(&o->ring);

	if (ring && unlikely(fc_load(&ring->errors) != fc_load(&o->errors))) {
		const bool mine = take_noting(o);

		if (fc_load(&o->ring)) /* else this is a child by now */
			take_errors(p, s, ring);
		if (mine)
			fc_store_release(&o->noting, 0u);
	}
	shim_look_end(looks);
}

int shim_post_error(struct shim_process *p, struct shim_file *f)
{
	struct shim_session *s = &p->session[f->domain];

	if (fc_load(&s->posts.ring))
		note_errors(p, s);
	return likely(!fc_load(&f->failed)) ? 0 : -fc_xchg(&f->failed, (uint8_t)0);
}

void shim_posts_note(struct shim_process *p)
{
	for (unsigned d = 0; d < shim.config.ndomains; d++)
		if (fc_load(&p->session[d].posts.ring))
			note_errors(p, &p->session[d]);
}

/* ---- waiting ---- */

/* Nothing is stored whose times are to be set yet. */
static bool is_touched(const struct fc_ring *ring)
{
	uint32_t any = 0;

	for (unsigned k = 0; k < FC_RING_STORED; k++)
		any |= fc_load_acquire(&ring->stored[k]);
	return !any && !fc_load_acquire(&ring->touching);
}

/* What there is at some time, by what the domain will have said when it has done that. */
struct mark {
	uint64_t posts;
	uint32_t passes;
};

static struct mark mark_now(const struct shim_session *s)
{
	const uint32_t looks = shim_look_begin();
	const struct fc_ring *ring = fc_load(&s->posts.ring);
	struct mark m = { .posts = fc_load(&s->posts.published) };

	if (ring) { /* one that has begun by now does not count */
		m.passes = fc_load_acquire(&ring->touching) ? 2 : 1;
		m.passes += fc_load_acquire(&ring->passes);
	}
	shim_look_end(looks);
	return m;
}

static bool is_reached(const struct shim_session *s, const struct mark *m)
{
	const uint32_t looks = shim_look_begin();
	const struct fc_ring *ring = fc_load(&s->posts.ring);
	const bool is = !ring || fc_load(&s->state) != SHIM_SESSION_READY ||
			((int64_t)(fc_load_acquire(&ring->done) - m->posts) >= 0 &&
			 (is_touched(ring) || (int32_t)(fc_load_acquire(&ring->passes) - m->passes) >= 0));

	shim_look_end(looks);
	return is;
}

static bool is_done(const struct shim_session *s)
{
	const uint32_t looks = shim_look_begin();
	const struct fc_ring *ring = fc_load(&s->posts.ring);
	const bool done =
		!ring || fc_load(&s->state) != SHIM_SESSION_READY ||
		((int64_t)(fc_load_acquire(&ring->done) - fc_load(&s->posts.published)) >= 0 && is_touched(ring));

	shim_look_end(looks);
	return done;
}

bool shim_posts_pending(const struct shim_session *s)
{
	return fc_load(&s->requests.posting) && !is_done(s);
}

/* A place that is used again while this looks at it is done, whatever is there. */
bool shim_posts_touch(const struct shim_session *s, uint64_t word, uint64_t at, uint64_t end)
{
	const uint32_t looks = shim_look_begin();
	const struct fc_ring *ring = fc_load(&s->posts.ring);
	uint64_t n = ring ? fc_load_acquire(&ring->done) : 0;
	const uint64_t published = fc_load_acquire(&s->posts.published);
	bool touch = ring && (int64_t)(published - n) > FC_POSTS;

	for (; ring && (int64_t)(published - n) > 0 && !touch; n++) {
		const struct fc_post *p = &ring->post[n % FC_POSTS];
		const uint64_t position = fc_load(&p->position);

		touch = fc_load(&p->word) == word &&
			(position == FC_NULL || (position < end && at < position + fc_load(&p->length)));
	}
	shim_look_end(looks);
	return touch;
}

static void hurry(struct shim_session *s)
{
	const uint32_t looks = shim_look_begin();
	struct fc_ring *ring = fc_load(&s->posts.ring);

	if (ring)
		ring_bell(s, ring);
	shim_look_end(looks);
}

/* Not for what others post meanwhile. */
static void wait_for(struct shim_session *s)
{
	struct shim_posts *o = &s->posts;
	const struct mark m = mark_now(s);

	if (is_done(s))
		return;
	if (o->worth > NEVER)
		fc_store(&o->worth, o->worth - WORTH);
	hurry(s);
	for (unsigned i = 0; !is_reached(s, &m); i++) {
		if (i % 2048 == 2047 && !shim_session_alive(s))
			return;
		if (i % LONG == LONG - 1 && !fc_in_vfork_child())
			shim_posts_push(s->domain);
		shim_wait_round(i);
	}
}

/* Nobody else posts just now, and all is done: no request need come after it. */
static void settle(struct shim_session *s)
{
	struct shim_posts *o = &s->posts;

	if (fc_load(&o->owner) || !fc_cas(&o->owner, 0u, shim_owner_self()))
		return;
	if (is_done(s)) {
		fc_store(&s->requests.posting, 0u);
		fc_fetch_and(&shim.posting, ~(1u << s->domain));
	}
	end_turn(o);
}

void shim_posts_wait(void)
{
	struct shim_process *p = &shim.process;

	for (unsigned d = 0; d < shim.config.ndomains;
	     d++) { /* until that is over other threads see that something is posted, and wait, too */
		wait_for(&p->session[d]);
		settle(&p->session[d]);
	}
}

/* Others cannot hear anything by these, and by what does not come here at all. */
static bool is_silent(long nr)
{
	switch (nr) {
	case SYS_read:
	case SYS_readv:
	case SYS_pread64:
	case SYS_preadv:
	case SYS_preadv2:
	case SYS_lseek:
	case SYS_fstat:
	case SYS_mmap:
	case SYS_rt_sigaction:
	case SYS_rt_sigprocmask:
	case SYS_wait4:
	case SYS_waitid:
	case SYS_recvmsg:
	case SYS_recvmmsg:
	case SYS_prlimit64:
		return true;
	default:
		return false;
	}
}

void shim_posts_order(unsigned domain, long nr)
{
	for (unsigned d = 0; d < shim.config.ndomains && !is_silent(nr); d++)
		if (d != domain)
			wait_for(&shim.process.session[d]);
}

void shim_posts_stop(void)
{
	shim_posts_wait();
	for (unsigned d = 0; d < shim.config.ndomains; d++)
		fc_store(&shim.process.session[d].posts.worth, INT32_MIN);
}

void shim_posts_tell(long nr)
{
	if (!is_silent(nr))
		shim_posts_wait();
}
