/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wait.c - handing an entry to the domain and waiting for it: how long to spin before sleeping, what to do when a signal
 * or a dead domain ends the sleep. The sleeping itself, and its races, are doorbell.h's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/syscall.h>
#include <time.h>

#include "common/doorbell.h"
#include "common/queue.h"
#include "common/spin.h"
#include "libc-shim/transport.h"

#define SPIN_SHORT_NS 2000u /* without a licence */

#define LICENCES 64

static uint32_t licence[LICENCES]; /* to spin for long: the thread that has it, 0 = none */
static uint32_t cpus;              /* usable ones */

uint64_t shim_now_ns(void)
{
	struct timespec ts;

	fc_call(SYS_clock_gettime, CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint32_t usable_cpus(void)
{
	if (unlikely(!cpus)) {
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
static uint32_t *licence_get(uint32_t limit, uint32_t tid)
{
	for (uint32_t i = 0; i < limit && i < LICENCES; i++)
		if (!fc_load(&licence[i]) && fc_cas(&licence[i], 0u, tid))
			return &licence[i];
	return NULL;
}

void shim_licence_put(uint32_t tid)
{
	for (int i = 0; i < LICENCES; i++)
		if (fc_load(&licence[i]) == tid)
			fc_store(&licence[i], 0u);
}

void shim_licences_reset(void)
{
	memset(licence, 0, sizeof licence);
}

/* A long spin needs a licence: one CPU stays free for those we wait for, unless they have their own. */
static enum spun spin_long(const struct fc_spin *b, uint32_t limit, const uint32_t *word, uint32_t seen,
			   const uint32_t *state, uint64_t start, uint64_t ticks)
{
	uint32_t *mine = licence_get(limit, (uint32_t)shim_self()->tid);
	enum spun how = SPUN_OUT;

	if (!mine)
		return how;
	how = spin(b, word, seen, state, start, ticks);
	fc_store(mine, 0u);
	return how;
}

struct fc_spin *shim_spin_of(const struct shim_session *s)
{
	return &shim_self()->spin[shim_transport(s)->apart];
}

bool shim_spin_until(const struct shim_session *s, const uint32_t *word, uint32_t seen, const uint32_t *state)
{
	struct fc_spin *b = shim_spin_of(s);
	uint32_t budget = b->budget_ns, limit;
	uint64_t start;
	enum spun how;

	limit = usable_cpus() - !shim_transport(s)->apart;
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

/* For the domain, whose worker would do better on another CPU. */
void shim_publish_cpu(struct shim_session *s)
{
	uint32_t cpu;

	if (fc_call(SYS_getcpu, &cpu, 0, 0) == 0)
		fc_store(&s->area->header.cpu, cpu + 1);
}

static uint32_t in_flight(const struct shim_session *s)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < FC_ENTRIES / 64; i++)
		for (uint64_t w = fc_load(&s->in_flight[i]); w; w &= w - 1)
			n++;
	return n;
}

void shim_submit(struct shim_session *s, int entry, unsigned nr, const uint64_t arg[6])
{
	struct fc_entry *e = &s->area->entry[entry];

	e->nr = (uint16_t)nr;
	e->flags = 0;
	e->nonce = ++s->slot[entry].nonce;
	e->thread = 0;
	for (int i = 0; i < 6; i++)
		e->arg[i] = arg[i];
	fc_fetch_or(&s->in_flight[entry / 64], 1ull << (entry % 64));
	fc_store_release(&e->state, FC_QUEUED);
	if (fc_queue_enqueue(&s->area->queue, (uint32_t)entry) < 0)
		shim_session_fail(s, "the request queue is damaged");
	else if (fc_bell_needed(&s->area->header, in_flight(s)))
		fc_bell_ring(&s->bell, &s->area->header);
}

int shim_interrupt(struct shim_session *s, int entry)
{
	uint64_t arg[6] = { (uint64_t)entry, s->slot[entry].nonce };
	int other = shim_entry_get(s);

	if (other < 0)
		return other;
	s->slot[other].about = (int16_t)entry;
	shim_submit(s, other, FC_NR_INTERRUPT, arg);
	/* whatever the credit: it does not count on calls that turned out to block */
	fc_bell_ring(&s->bell, &s->area->header);
	return other;
}

/* Nobody waits for the entry that carries the request: whoever needs one later takes it back. True if it is on its way. */
static bool interrupt(struct shim_session *s, int entry)
{
	int other = shim_interrupt(s, entry);

	if (other >= 0)
		shim_entry_forget(s, other);
	return other >= 0;
}

static int sleep_on(struct shim_session *s, int entry)
{
	struct fc_entry *e = &s->area->entry[entry];
	uint64_t patience = FC_NUDGE_NS;
	bool interrupted = false;

	shim_publish_cpu(s);
	shim_data_nap(s);
	for (;;) {
		if (!interrupted && unlikely(fc_cancel_pending()))
			interrupted = interrupt(s, entry);
		int r = fc_entry_sleep(&s->bell, e, shim_now_ns() + patience);
		uint32_t state = fc_load_acquire(&e->state);

		if (state == FC_DONE)
			break;
		if (state != FC_QUEUED && state != FC_ASLEEP && state != FC_FREE) {
			shim_session_fail(s, "it wrote over a request");
			return -EIO;
		}
		if (state == FC_FREE)
			return -EINTR; /* a fork in a signal handler: this is the child, the call is the parent's */
		if (r == -ETIMEDOUT) {
			if (patience == SHIM_LIVENESS_NS && !shim_session_alive(s))
				return -EIO;
			fc_bell_nudge(&s->bell, s->area);
			patience = SHIM_LIVENESS_NS;
		}
		if (r == -EINTR && !interrupted)
			interrupted = interrupt(s, entry);
	}
	return 0;
}

int64_t shim_wait(struct shim_session *s, int entry)
{
	struct fc_entry *e = &s->area->entry[entry];
	uint64_t start = fc_tsc();

	if (!shim_spin_until(s, &e->state, FC_QUEUED, &e->state)) {
		shim_frame_asleep(true);
		int r = s->state == SHIM_SESSION_DEAD ? -EIO : sleep_on(s, entry);
		shim_frame_asleep(false);

		if (r < 0)
			return r;
		fc_spin_slept(shim_spin_of(s), fc_tsc_to_ns(fc_tsc() - start));
	} else if (fc_load_acquire(&e->state) == FC_FREE) {
		return -EINTR;
	}
	int64_t result = e->result;
	shim_entry_over(s, entry);
	return result;
}
