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
#include "storage-domain/exec/post.h"
#include "storage-domain/shadow/shadow_main.h"
#include "storage-domain/shadow/thread.h"

#define DOZE_NS 1000000ull    /* so late may be what nobody asks for */
#define AWAKE_NS 100000000ull /* after the last write, then it sleeps until it is woken */

static uint32_t wanted, done; /* futex word: so many times somebody has waited for it, and has been waited for */

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

static void tell(uint32_t ticket)
{
	if (ticket == fc_load(&done))
		return;
	fc_store_release(&done, ticket);
	fc_futex_wake(&done, INT32_MAX);
}

static void *serve(void *arg)
{
	struct fc_shadow *s = arg;
	struct fc_post_nap nap;
	uint64_t last = now_ns(), now;
	uint32_t generation = fc_load(&s->cred_generation) - 1, ticket;

	for (;;) {
		ticket = fc_load_acquire(&wanted);
		take_identity(s, &generation);
		now = now_ns();
		if (fc_posts_serve(s, fc_lease_file, now - last > AWAKE_NS, &nap))
			last = now;
		tell(ticket);
		if (fc_posts_withdrawn(s))
			fc_leases_nudge(); /* who has the right to give them back */
		fc_futex_wait(nap.word, nap.seen, now - last > AWAKE_NS ? 0 : now + DOZE_NS);
	}
	return NULL;
}

/* What it sleeps on the client can write to, so it may have to be woken more than once. */
void fc_poster_flush(struct fc_shadow *s)
{
	const uint32_t ticket = fc_faa(&wanted, 1u) + 1;
	uint32_t seen;

	while ((int32_t)((seen = fc_load_acquire(&done)) - ticket) < 0) {
		fc_posts_rouse(s);
		fc_futex_wait(&done, seen, now_ns() + DOZE_NS);
	}
}

bool fc_poster_begin(struct fc_shadow *s)
{
	wanted = done = 0;
	return fc_thread_start(serve, s) == 0;
}
