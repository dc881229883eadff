/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xen.c - the devices and the events of a storage domain in a Xen domain of its own, see xen.h. */
#define _GNU_SOURCE
#include "common/atomic.h"
#include "storage-domain/xen/xen.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <xen/io/xenbus.h>

#include "storage-domain/fds.h"
#include "storage-domain/xen/front.h"
#include "storage-domain/log.h"
#include "storage-domain/xen/shadow.h"

static int fail(const char *what, const char *hint, int error)
{
	fc_log(FC_LOG_ERROR, "--xen: cannot open %s (%s): %s", what, strerror(error), hint);
	return -1;
}

int fc_xen_open(struct fc_supervisor *v)
{
	struct fc_xen *x = calloc(1, sizeof *x);
	int r, rings;

	if (!x)
		return fail("anything", "no memory", ENOMEM);
	v->xen = x;
	x->store_events.fd = x->evtchn_events.fd = x->rings.fd = -1;
	r = fc_gntdev_open();
	if (r < 0)
		return fail("/dev/xen/gntdev", "is this a Xen domain, with the module xen-gntdev?", -r);
	/* as with gntdev.c: the lowest free number is the one it is to have */
	close(FC_FD_EVTCHN);
	x->evtchn = xenevtchn_open(NULL, 0);
	if (!x->evtchn || xenevtchn_fd(x->evtchn) != FC_FD_EVTCHN)
		return fail("/dev/xen/evtchn", "is this a Xen domain, with the module xen-evtchn?", errno);
	rings = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (rings < 0 || dup3(rings, FC_FD_RINGS, O_CLOEXEC) < 0)
		return fail("an eventfd", "too few descriptors?", errno);
	close(rings);
	x->store = xs_open(0);
	if (!x->store)
		return fail("xenstore", "is /dev/xen/xenbus there?", errno);
	return 0;
}

/* ---- events ---- */

static void evtchn_ready(struct fc_supervisor *v, struct fc_watch *w, uint32_t events)
{
	struct fc_xen *x = v->xen;
	int port = xenevtchn_pending(x->evtchn);

	(void)w;
	(void)events;
	if (port < 0)
		return;
	/* first: what comes while we look is another event */
	xenevtchn_unmask(x->evtchn, port);
	for (unsigned i = 0; i < FC_FRONTS_MAX; i++) {
		struct fc_front *f = &x->front[i];

		if (f->state != FC_FRONT_CONNECTED)
			continue;
		if (port == f->ring_port)
			fc_front_requests(v, f);
		else if (port == f->bells_port)
			fc_front_rung(v, f);
	}
}

void fc_xen_again(struct fc_front *f)
{
	uint64_t one = 1;

	f->more = true;
	if (write(FC_FD_RINGS, &one, sizeof one) != sizeof one)
		fc_log(FC_LOG_ERROR, "cannot write to an eventfd: %s", strerror(errno));
}

/* Shadows that have not mapped the bells page want their clients rung; or a ring is to be looked at again. */
static void rings_ready(struct fc_supervisor *v, struct fc_watch *w, uint32_t events)
{
	uint64_t count;

	(void)events;
	if (read(w->fd, &count, sizeof count) != sizeof count)
		return;
	for (uint32_t i = 0; i < fc_load(&v->shared->used) && i < FC_SESSIONS_MAX; i++) {
		const struct fc_session *s = &v->session[i];
		struct fc_remote *remote = s->owner_data;

		if (!fc_load(&v->shared->slot[i].rings) || !fc_xchg(&v->shared->slot[i].rings, 0) || !remote ||
		    remote->front->state != FC_FRONT_CONNECTED)
			continue;
		fc_front_ring(v, remote->front, remote->front->bells->to_front, remote - remote->front->remote);
	}
	for (unsigned i = 0; i < FC_FRONTS_MAX; i++) {
		struct fc_front *f = &v->xen->front[i];
		bool more = f->more;

		f->more = false;
		if (more && f->state == FC_FRONT_CONNECTED)
			fc_front_requests(v, f);
	}
}

int fc_xen_start(struct fc_supervisor *v)
{
	struct fc_xen *x = v->xen;
	int r = fc_watch_add(v, &x->evtchn_events, FC_FD_EVTCHN, evtchn_ready);

	v->stat_ready = fc_calls_stat;
	if (r == 0)
		r = fc_watch_add(v, &x->rings, FC_FD_RINGS, rings_ready);
	if (r == 0)
		r = fc_xenbus_start(v);
	if (r < 0)
		fc_log(FC_LOG_ERROR, "--xen: cannot look for front ends: %s", strerror(-r));
	return r < 0 ? -1 : 0;
}

/* ---- the end ---- */

void fc_xen_leave(struct fc_supervisor *v)
{
	for (unsigned i = 0; i < FC_FRONTS_MAX; i++) {
		struct fc_front *f = &v->xen->front[i];

		if (f->state == FC_FRONT_CONNECTED)
			fc_xenbus_state(v, f, XenbusStateClosing);
	}
}

void fc_xen_close(struct fc_supervisor *v)
{
	for (unsigned i = 0; i < FC_FRONTS_MAX; i++) {
		struct fc_front *f = &v->xen->front[i];

		if (f->state != FC_FRONT_CONNECTED && f->state != FC_FRONT_ENDING)
			continue;
		fc_front_over(v, f);
		fc_xenbus_state(v, f, XenbusStateClosed);
	}
}
