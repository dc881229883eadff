/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wait.c - all waiting of the shim for its domain: how long to spin before sleeping, what to do when a signal or a dead domain
 * ends the sleep. The sleeping itself, and its races, are doorbell.h's. One sleep is one system call.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/syscall.h>
#include <time.h>

#include "common/atomic.h"
#include "common/doorbell.h"
#include "common/queue.h"
#include "common/rawcall.h"
#include "common/spin.h"
#include "libc-shim/request/request.h"
#include "libc-shim/vdso.h"

#define SPIN_SHORT_NS 2000u      /* without a licence */
#define YIELDS 16                /* before a sleep */
#define ROUNDS_IN_VAIN 3         /* yields */
#define SPINS 2u                 /* neither yields nor sleeps */
#define LIVENESS_NS 400000000ull /* a waiter looks after its domain this often */
#define PATIENCE_GROWS 8         /* from one look to the next */
#define STREAM_LOOK_NS 200000    /* at the end of a stream's call, which is not announced on the word slept on */
#define ROOM_LOOK_NS 1000000     /* whoever gives room may have looked for waiters too early */
#define ROOM_ROUNDS_PER_LIVENESS 256

/* where a sandbox forbids to sleep on a word */
#define AWAKE_PAUSES 32
#define AWAKE_ROUNDS_FREE 64   /* without a sleep */
#define AWAKE_ROUNDS_SHORT 256 /* with short ones */
#define AWAKE_SHORT_NS 20000
#define AWAKE_LONG_NS 500000

#define LICENCES 64

static uint32_t licence[LICENCES]; /* to spin for long: the owner that has it, 0 = none */
static uint32_t cpus;              /* usable ones */

uint64_t shim_now_ns(void)
{
	struct timespec ts;

	shim_vdso_clock(&ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint32_t usable_cpus(void)
{
	if (__builtin_expect(!cpus, 0)) {
		uint64_t mask[16] = { 0 };
		long n = fc_call(SYS_sched_getaffinity, 0, sizeof mask, mask);
		uint32_t count = 0;

		for (long i = 0; i < n / 8; i++)
			for (uint64_t w = mask[i]; w; w &= w - 1)
				count++;
		cpus = count ? count : 1;
	}
	return cpus;
}

/* ---- spinning ---- */

enum spun { SPUN_HIT, SPUN_OUT, SPUN_PREEMPTED };

/* Look until *word is not `seen` or *state not FC_QUEUED, until `ticks` after `start`. */
static enum spun spin(const struct fc_spin *b, const uint32_t *word, uint32_t seen, const uint32_t *state,
		      uint64_t start, uint64_t ticks)
{
	uint64_t last = fc_tsc(), gap = fc_tsc_from_ns(b->cost->gap_ns);

	for (;;) {
		for (int i = 0; i < 4; i++) {
			if (fc_load_acquire(word) != seen || fc_load_acquire(state) != FC_QUEUED)
				return SPUN_HIT;
			fc_pause();
		}
		uint64_t now = fc_tsc();
		if (now - last > gap)
			return fc_load_acquire(word) != seen ? SPUN_HIT : SPUN_PREEMPTED;
		if (now - start > ticks)
			return SPUN_OUT;
		last = now;
	}
}

/* By name, not by number, so that who was jumped out of a spin can give it back. */
static uint32_t *licence_get(uint32_t limit, shim_owner owner)
{
	for (uint32_t i = 0; i < limit && i < LICENCES; i++)
		if (!fc_load(&licence[i]) && fc_cas(&licence[i], 0u, owner))
			return &licence[i];
	return NULL;
}

void shim_licence_put(shim_owner owner)
{
	for (int i = 0; i < LICENCES; i++)
		if (fc_load(&licence[i]) == owner)
			fc_store(&licence[i], 0u);
}

void shim_licences_reset(void)
{
	for (int i = 0; i < LICENCES; i++)
		if (fc_load(&licence[i]))
			fc_store(&licence[i], 0u);
}

/* A long spin needs a licence: one CPU stays free for those we wait for, unless they have their own. */
static enum spun spin_long(const struct fc_spin *b, uint32_t limit, const uint32_t *word, uint32_t seen,
			   const uint32_t *state, uint64_t start, uint64_t ticks)
{
	uint32_t *mine = licence_get(limit, shim_owner_self());
	enum spun how = SPUN_OUT;

	if (!mine)
		return how;
	how = spin(b, word, seen, state, start, ticks);
	fc_store(mine, 0u);
	return how;
}

static bool spin_until(const struct shim_requests *q, struct fc_spin *b, const uint32_t *word, uint32_t seen,
		       const uint32_t *state)
{
	uint32_t budget = b->budget_ns, limit = usable_cpus() - !shim_requests_apart(q);
	uint64_t start;
	enum spun how;

	if (!budget || !limit)
		return false;
	start = fc_tsc();
	how = spin(b, word, seen, state, start, fc_tsc_from_ns(budget < SPIN_SHORT_NS ? budget : SPIN_SHORT_NS));
	if (how == SPUN_OUT && budget > SPIN_SHORT_NS)
		how = spin_long(b, limit, word, seen, state, start, fc_tsc_from_ns(budget));
	if (how == SPUN_HIT)
		fc_spin_hit(b);
	else if (how == SPUN_OUT)
		fc_spin_miss(b);
	else
		fc_spin_preempted(b);
	return how == SPUN_HIT;
}

/* For the domain, whose worker would do better on another CPU, and is to wait in the manner of its clients. */
static void publish_cpu(const struct shim_requests *q)
{
	const uint32_t manner = fc_load(&q->manner.sleeps) ? FC_SLEEPING : FC_YIELDING;

	if (fc_load(&q->area->header.manner) != manner)
		fc_store(&q->area->header.manner, manner);
	uint32_t cpu = shim_vdso_cpu() + 1;

	if (fc_load(&q->area->header.cpu) != cpu)
		fc_store(&q->area->header.cpu, cpu);
}

/* The same by giving the CPU away: here the workers may be waiting for it. */
static bool yield_until(const struct shim_requests *q, struct fc_spin *b, const uint32_t *word, uint32_t seen,
			const uint32_t *state)
{
	uint64_t nudge = fc_tsc() + fc_tsc_from_ns(FC_NUDGE_NS);
	uint32_t n = 0;
	bool more = true, nudged = false;

	if (shim_requests_apart(q) || q->gone || fc_load(&q->manner.sleeps))
		return false;
	publish_cpu(q);
	while (more && n < YIELDS) {
		more = fc_spin_yield(b);
		if (fc_load_acquire(word) != seen || fc_load_acquire(state) != FC_QUEUED) {
			fc_spin_came(b, shim_requests_few(q));
			return true;
		}
		/* all others on this CPU have had their turn, and there was no worker among them */
		if (++n < ROUNDS_IN_VAIN || nudged || fc_tsc() <= nudge)
			continue;
		fc_bell_nudge(&q->bell, q->area);
		nudged = true;
	}
	fc_spin_in_vain(b);
	return false;
}

bool shim_spin_until(const struct shim_requests *q, const uint32_t *word, uint32_t seen, const uint32_t *state)
{
	struct fc_spin *b = shim_spin_of(q);

	return spin_until(q, b, word, seen, state) || yield_until(q, b, word, seen, state);
}

/* ---- sleeping ---- */

static int sleep_on(const struct shim_request *r)
{
	struct shim_requests *q = r->of;
	struct fc_entry *e = shim_entry_of(r);
	uint64_t patience = FC_NUDGE_NS;
	bool interrupted = false;

	publish_cpu(q);
	shim_buffers_rest(q);
	for (;;) {
		if (!interrupted && __builtin_expect(shim_told_to_end(), 0))
			interrupted = shim_request_interrupt(r, shim_owner_self());
		int how = fc_entry_sleep(&q->bell, e, shim_now_ns() + patience);
		uint32_t state = fc_load_acquire(&e->state);

		if (how == -EINTR)
			shim_slot_of(r)->interrupted = true;
		if (state == FC_DONE)
			break;
		if (state != FC_QUEUED && state != FC_ASLEEP && state != FC_FREE) {
			shim_requests_fail(q, "it wrote over a request");
			return -EIO;
		}
		if (state == FC_FREE)
			return -EINTR; /* a fork in a signal handler: this is the child, the call is the parent's */
		if (how == -ETIMEDOUT) {
			if (patience == LIVENESS_NS && !shim_requests_alive(q))
				return -EIO;
			fc_bell_nudge(&q->bell, q->area);
			patience = patience * PATIENCE_GROWS < LIVENESS_NS ? patience * PATIENCE_GROWS : LIVENESS_NS;
		}
		if (how == -EINTR && !interrupted)
			interrupted = shim_request_interrupt(r, shim_owner_self());
	}
	return 0;
}

int64_t shim_request_wait(const struct shim_request *r)
{
	struct fc_entry *e = shim_entry_of(r);
	struct fc_spin *b = shim_spin_of(r->of);
	uint64_t start = fc_tsc();
	uint32_t state = FC_QUEUED, sleeps = SPINS;

	if (!spin_until(r->of, b, &e->state, FC_QUEUED, &e->state)) {
		sleeps = fc_load(&r->of->manner.sleeps);
		yield_until(r->of, b, &e->state, FC_QUEUED, &e->state);
	}
	state = fc_load_acquire(&e->state);
	if (state == FC_FREE)
		return -EINTR; /* as in sleep_on; there is no area any more */
	if (state != FC_DONE) {
		shim_asleep(true);
		int how = __builtin_expect(r->of->gone, 0) ? -EINTR : shim_requests_open(r->of) ? sleep_on(r) : -EIO;
		shim_asleep(false);

		if (how < 0)
			return how;
		fc_spin_slept(b, fc_tsc_to_ns(fc_tsc() - start));
	}
	if (__builtin_expect(sleeps != SPINS, 0))
		fc_manner_waited(&r->of->manner, sleeps, fc_tsc_to_ns(fc_tsc() - start), fc_load(&r->of->used));
	int64_t result = e->result;
	fc_store(&shim_slot_of(r)->sent, 0u);
	fc_store(&e->state, FC_FREE);
	return result;
}

static bool is_over(const struct shim_request *r)
{
	uint32_t state = fc_load_acquire(&shim_entry_of(r)->state);

	return state != FC_QUEUED && state != FC_ASLEEP;
}

bool shim_wait_for_chunks(const struct shim_request *r, uint32_t seen)
{
	struct shim_requests *q = r->of;
	struct fc_stream *s = &q->area->stream[r->slot];
	const uint32_t *word = &s->domain.chunks;
	uint64_t start;

	if (fc_load_acquire(word) != seen)
		return true;
	start = fc_tsc();
	if (!is_over(r) && shim_spin_until(q, word, seen, &shim_entry_of(r)->state))
		return fc_load_acquire(word) != seen;
	for (;;) {
		if (fc_load_acquire(word) != seen) {
			fc_spin_slept(shim_spin_of(q), fc_tsc_to_ns(fc_tsc() - start));
			return true;
		}
		if (is_over(r))
			return fc_load_acquire(word) != seen;
		publish_cpu(q);
		fc_progress_sleep(&q->bell, &s->client, &s->domain, seen, shim_now_ns() + STREAM_LOOK_NS);
		if (!is_over(r) && !shim_requests_alive(q))
			return false;
	}
}

bool shim_wait_for_room(struct shim_requests *q, unsigned round)
{
	uint32_t seen = fc_load_acquire(&q->freed);

	/* the first time for an answer that comes now; then the caller has looked again after this has been said */
	if (round)
		fc_futex_wait(&q->freed, seen, shim_now_ns() + ROOM_LOOK_NS);
	fc_store(&q->wanted, 1u);
	if (round % ROOM_ROUNDS_PER_LIVENESS == ROOM_ROUNDS_PER_LIVENESS - 1)
		return shim_requests_alive(q);
	return shim_requests_open(q);
}

void shim_wait_prepare(void)
{
	usable_cpus();
}

/* Let others run, by what a sandbox has left of such calls. `round` counts. -EINTR: a handler has run. */
static long breathe(unsigned round)
{
	const struct timespec ts = { .tv_nsec = round < AWAKE_ROUNDS_SHORT ? AWAKE_SHORT_NS : AWAKE_LONG_NS };
	long r = -EPERM;

	if (round >= AWAKE_ROUNDS_FREE)
		r = fc_call(SYS_nanosleep, &ts, 0);
	if (round >= AWAKE_ROUNDS_FREE && r == -EPERM)
		r = fc_call(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &ts, 0);
	if (round >= AWAKE_ROUNDS_SHORT && r == -EPERM)
		r = fc_call(SYS_poll, NULL, 0, 1);
	if (r == -EPERM)
		r = fc_call(SYS_sched_yield);
	for (int i = 0; i < AWAKE_PAUSES; i++)
		fc_pause();
	return r;
}

int shim_wait_awake(const uint32_t *word, uint32_t seen, uint64_t deadline_ns)
{
	for (unsigned round = 0; fc_load_acquire(word) == seen; round++) {
		if (deadline_ns && shim_now_ns() > deadline_ns)
			return -ETIMEDOUT;
		if (breathe(round) == -EINTR)
			return -EINTR;
	}
	return 0;
}

#define LOOKS 2000 /* about as long as it takes to wake somebody */
#define LOOK_NS 50000
#define LOOKS_BUSY 64 /* about a microsecond */

void shim_wait_a_moment(void)
{
	fc_call(SYS_sched_yield);
}

void shim_wait_round(unsigned round)
{
	if (round < LOOKS)
		fc_pause();
	else
		shim_wait_ns(LOOK_NS);
}

bool shim_wait_busy(const struct shim_requests *q, unsigned round)
{
	struct fc_spin *b = shim_spin_of(q);
	bool more = true;

	if (round < LOOKS_BUSY)
		fc_pause();
	else if (round < SHIM_ROUNDS_BUSY)
		more = fc_spin_yield(b);
	else
		shim_wait_ns(LOOK_NS);
	fc_spin_in_vain(b); /* it says nothing about requests */
	return more;
}

void shim_wait_ns(uint64_t ns)
{
	const struct timespec ts = { .tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000) };

	fc_call(SYS_nanosleep, &ts, 0);
}
