/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * poster.c - the thread that does what has been posted, if nobody has to do it before. It has the table of descriptors of the thread that hands over, as
 * whoever ends a delegation has.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <time.h>

#include "common/atomic.h"
#include "common/doorbell.h"
#include "storage-domain/exec/post.h"
#include "storage-domain/shadow/shadow_main.h"

#define STACK_SIZE (64u * 1024u)
#define DOZE_NS 1000000ull    /* so late may be what nobody asks for */
#define AWAKE_NS 100000000ull /* after the last write, then it sleeps until it is woken */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void *serve(void *arg)
{
	struct fc_shadow *s = arg;
	struct fc_post_nap nap;
	uint64_t last = now_ns(), now;

	for (;;) {
		now = now_ns();
		if (fc_posts_serve(s, fc_lease_file, now - last > AWAKE_NS, &nap))
			last = now;
		if (fc_posts_withdrawn(s))
			fc_leases_nudge(); /* who has the right to give them back */
		fc_futex_wait(nap.word, nap.seen, now - last > AWAKE_NS ? 0 : now + DOZE_NS);
	}
	return NULL;
}

bool fc_poster_begin(struct fc_shadow *s)
{
	pthread_attr_t attr;
	pthread_t thread;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	r = pthread_create(&thread, &attr, serve, s);
	pthread_attr_destroy(&attr);
	return r == 0;
}
