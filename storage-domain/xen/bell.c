/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bell.c - the storage domain's end of a session's doorbell on Xen. When to sleep and to wake is doorbell.h's; farcall/xen.h
 * has the bells page.
 *
 *      front end                      supervisor                     worker
 *      ---------                      ----------                     ------
 *      word changed                   event: to_back = 0             r = rung
 *      to_back |= session             rung++                         word != seen? go on
 *      was it clear? event            wake one on rung               sleep while rung == r
 *
 * A worker sleeps on a word of its roster slot, because nobody can wake it through a futex in granted memory. It looks at the
 * client's word between reading `rung` and sleeping, so a ring is not lost.
 *
 * Who is woken. All idle workers wait for the same word (the header's `bell`), and a ring means one of them, but several rings may
 * have become one event: the first to wake counts them by `bell` and passes the others on. One that goes to sleep between the
 * ring and the event may be woken in an older one's stead and go back to sleep: it had read the new `bell`, and looked at the
 * queue after that, which is all that the ring asked for. Streams wait for words of their own, each of which may be the one
 * meant: they are all woken, on a futex word that idle workers are not on.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/sys/evtchn.h>

#include "farcall/xen.h"
#include "storage-domain/fds.h"
#include "storage-domain/log.h"
#include "storage-domain/xen/shadow.h"

static struct {
	struct fc_bell bell;
	struct fc_shadow *s;
	struct fc_xen_bells *bells; /* null: the supervisor rings for us */
	uint32_t answered;          /* value of the header's `bell` up to which rings have led to wakeups */
} own;

/* ---- sleeping ---- */

/* `bell` counts rings: more than one since the last wakeup means more workers than the one that has found out. */
static void pass_on(const uint32_t *word)
{
	uint32_t now = fc_load(word), more = now - fc_xchg(&own.answered, now) - 1;

	if (more && more < FC_ENTRIES)
		fc_futex_wake(&own.s->slot->rung, (int)more);
}

static int sleep_on(const uint32_t *rung, const uint32_t *word, uint32_t seen, uint64_t deadline_ns)
{
	for (;;) {
		uint32_t r = fc_load_acquire(rung);
		int status;

		fc_fence(); /* rung before word; partner: fc_xen_ring_workers */
		if (fc_load_acquire(word) != seen)
			return 0;
		status = fc_futex_wait(rung, r, deadline_ns);
		if (status)
			return status;
	}
}

static int wait(const struct fc_bell *b, const uint32_t *word, uint32_t seen, uint64_t deadline_ns)
{
	struct fc_roster_slot *slot = own.s->slot;
	int r;

	(void)b;
	if (word == &own.s->area->header.bell) {
		r = sleep_on(&slot->rung, word, seen, deadline_ns);
		if (r == 0)
			pass_on(word);
		return r;
	}
	fc_faa(&slot->streaming, 1);
	r = sleep_on(&slot->stream_bell, word, seen, deadline_ns);
	fc_faa(&slot->streaming, -1);
	return r;
}

/* ---- waking ---- */

static void wake_worker(const struct fc_bell *b, uint32_t *word, int n)
{
	(void)b;
	(void)word;
	fc_faa(&own.s->slot->rung, 1);
	fc_futex_wake(&own.s->slot->rung, n);
}

/* Through the supervisor, which has the page. */
static void ask_for_ring(void)
{
	uint64_t one = 1;

	if (!fc_xchg(&own.s->slot->rings, 1) && write(FC_FD_RINGS, &one, sizeof one) != sizeof one)
		fc_log(FC_LOG_ERROR, "the supervisor cannot be told that a client is to be rung");
}

static void wake_peer(const struct fc_bell *b, uint32_t *word, int n)
{
	struct ioctl_evtchn_notify notify = { fc_xen_place.bells_port };
	uint64_t bit = 1ull << fc_xen_place.number % 64;

	(void)b;
	(void)word;
	(void)n;
	if (!own.bells)
		ask_for_ring();
	/* a front end that has closed its port is told of our end in other ways */
	else if (!(fc_fetch_or(&own.bells->to_front[fc_xen_place.number / 64], bit) & bit))
		ioctl(FC_FD_EVTCHN, IOCTL_EVTCHN_NOTIFY, &notify);
}

static const struct fc_bell_ops ops = { .wait = wait, .wake_peer = wake_peer, .wake_worker = wake_worker };

int fc_bell_xen_begin(struct fc_shadow *s)
{
	void *at = NULL;
	uint64_t index;
	int r = 0;

	if (fc_xen_place.number < FC_XEN_BELLS_MAPS)
		r = fc_gntdev_map(fc_xen_place.domid, &fc_xen_place.bells_ref, 1, NULL, &index, &at);
	own.bell.ops = &ops;
	own.s = s;
	own.bells = at;
	own.answered = 0;
	s->bell = &own.bell;
	return r;
}
