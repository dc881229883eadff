/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * poster.c - the thread that does what has been posted, if no request comes after it. It has the table of descriptors of the thread that hands over, as
 * whoever ends a delegation has; and the client's identity, which those have not: what a write does to a set-id bit, and whom a file server sees, is the
 * client's. So who ends a delegation has it do what has been posted, and waits.
 */
#define _GNU_SOURCE
#include <time.h>

#include "common/atomic.h"
#include "common/doorbell.h"
#include "common/spin.h"
#include "storage-domain/exec/post.h"
#include "storage-domain/licence.h"
#include "storage-domain/roster.h"
#include "storage-domain/shadow/shadow_main.h"
#include "storage-domain/shadow/thread.h"

#define PAUSES 16 /* between two looks */
#define SLICE_NS \
	1000000ull /* for what a ring holds: somebody else had the CPU, and spinning takes what is left of ours */
#define DOZE_NS 1000000ull    /* so late may be what nobody asks for */
#define AWAKE_NS 100000000ull /* after the last write, then it sleeps until it is woken */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void take_identity(struct fc_shadow *s, uint32_t *generation)
{
	struct fc_cred cred;

	if (*generation == fc_load_acquire(&s->cred_generation))
		return;
	*generation = fc_cred_get(s, &cred);
	if (fc_cred_apply(&cred))
		fc_shadow_poison(s, "who does what it has posted could not take its identity");
}

/* Look for more for as long as that pays: a client that fills the ring faster than its writer could be woken would wait for each wake. The licence stays
 * with the caller. */
static bool spin(struct fc_shadow *s, struct fc_spin *budget, struct fc_licensee *licence, uint32_t generation)
{
	const uint64_t start = fc_tsc(), end = start + fc_tsc_from_ns(budget->budget_ns);
	uint64_t prev = start, now = start;

	while (now < end && fc_licence_get(licence)) {
		if (fc_posts_pressing(s) || fc_load(&s->posts.generation) != generation) {
			fc_spin_hit(budget);
			return true;
		}
		for (unsigned i = 0; i < PAUSES; i++)
			fc_pause();
		now = fc_tsc();
		if (now - prev > fc_tsc_from_ns(budget->cost->gap_ns)) {
			fc_spin_preempted(budget);
			break;
		}
		prev = now;
	}
	if (now >= end)
		fc_spin_miss(budget);
	return false;
}

static void *serve(void *arg)
{
	struct fc_shadow *s = arg;
	struct fc_post_nap nap;
	struct fc_licensee licence = fc_roster_licensee(s->shared);
	struct fc_spin budget;
	uint64_t last = now_ns(), now, idle = 0;
	uint32_t cred = fc_load(&s->cred_generation) - 1, generation, wanted;
	bool any, much, spun, deep, rests, again = false;

	fc_spin_init(&budget, s->cost);
	for (;;) {
		generation = fc_load_acquire(&s->posts.generation);
		wanted = fc_load_acquire(&s->posts.wanted);
		take_identity(s, &cred);
		now = now_ns();
		any = fc_posts_serve(s, fc_lease_file, &much);
		if (any)
			last = now;
		fc_posts_served(s, wanted);
		if (fc_posts_withdrawn(s))
			fc_leases_nudge(); /* who has the right to give them back */
		if (much && now_ns() - now > SLICE_NS)
			fc_spin_preempted(&budget);
		else if (much && idle)
			fc_spin_slept(&budget, now - idle);
		idle = 0;
		spun = any && much && spin(s, &budget, &licence, generation);
		fc_licence_put(&licence); /* a write may take long */
		if (spun)
			continue;
		deep = now - last > AWAKE_NS;
		rests = fc_posts_rest(s, deep, &nap);
		/* what there is, is new; or it is for others to do, if a second look finds nothing to do */
		again = !rests && (any || !again);
		if (again)
			continue;
		nap.seen[0] = generation; /* roused since this looked who waits: no sleep */
		idle = now_ns();
		fc_futex_wait_either(nap.word, nap.seen, !deep ? now + DOZE_NS : rests ? 0 : now + AWAKE_NS);
	}
	return NULL;
}

bool fc_poster_begin(struct fc_shadow *s)
{
	if (s->foreign)
		fc_faa(&s->slot->streaming, 1u);
	return fc_thread_start(serve, s) == 0;
}
