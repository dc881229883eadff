/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * front.c - a front end's pages and channels: mapping them, the ring and its indices, the bells. What a request asks for is
 * control.c's. A front end can stop at any time, or write anything at any time: nothing is read twice, and nothing it writes makes
 * this loop longer than the ring.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xen/io/xenbus.h>

#include "storage-domain/xen/front.h"
#include "storage-domain/log.h"
#include "storage-domain/xen/shadow.h"

/* ---- connecting ---- */

static int bind_port(struct fc_xen *x, uint32_t domid, uint32_t theirs)
{
	int port = xenevtchn_bind_interdomain(x->evtchn, domid, theirs);

	return port < 0 ? -errno : port;
}

static int bind_both(struct fc_xen *x, struct fc_front *f, const struct fc_front_offer *offer)
{
	int port = bind_port(x, f->domid, offer->ring_port);

	if (port < 0)
		return port;
	f->ring_port = port;
	port = bind_port(x, f->domid, offer->bells_port);
	if (port < 0)
		return port;
	f->bells_port = port;
	return 0;
}

int fc_front_connect(struct fc_supervisor *v, struct fc_front *f, const struct fc_front_offer *offer)
{
	int r = bind_both(v->xen, f, offer);

	if (r == 0) {
		f->sring = xengnttab_map_grant_ref(fc_gnttab, f->domid, offer->ring_ref, PROT_READ | PROT_WRITE);
		if (!f->sring)
			r = -errno;
	}
	if (r == 0) {
		f->bells = xengnttab_map_grant_ref_notify(fc_gnttab, f->domid, offer->bells_ref, PROT_READ | PROT_WRITE,
							  offsetof(struct fc_xen_bells, up), f->bells_port);
		if (!f->bells)
			r = -errno;
	}
	if (r < 0) {
		fc_front_over(v, f);
		return r;
	}
	f->bells_ref = offer->bells_ref;
	fc_store_release(&f->bells->up, 1);
	BACK_RING_INIT(&f->ring, f->sring, FC_PAGE_SIZE);
	f->state = FC_FRONT_CONNECTED;
	return 0;
}

/* ---- the end ---- */

static void unmap(void **page)
{
	/* there is no process to end here that would do it in our stead; the front end finds the page in use and sets it aside */
	if (*page && xengnttab_unmap(fc_gnttab, *page, 1))
		fc_log(FC_LOG_ERROR, "cannot unmap a front end's page: %s", strerror(errno));
	*page = NULL;
}

static void unbind(struct fc_xen *x, int *port)
{
	if (*port >= 0 && xenevtchn_unbind(x->evtchn, *port))
		fc_log(FC_LOG_ERROR, "cannot unbind event channel %d: %s", *port, strerror(errno));
	*port = -1;
}

void fc_front_over(struct fc_supervisor *v, struct fc_front *f)
{
	/* the bells first: their going is told on a channel */
	unmap((void **)&f->bells);
	unmap((void **)&f->sring);
	unbind(v->xen, &f->ring_port);
	unbind(v->xen, &f->bells_port);
	memset(f->call, 0, sizeof f->call);
	for (unsigned i = 0; i < FC_XEN_SESSIONS; i++) {
		fc_watch_close(v, &f->remote[i].proxy);
		f->remote[i].state = FC_REMOTE_FREE;
		f->remote[i].session = NULL;
	}
	f->more = false;
	f->state = FC_FRONT_IDLE;
}

/* Returns whether there are any. A child that has just been forked and has no number yet ends by itself: its connection is gone. */
static bool kill_sessions(struct fc_supervisor *v, struct fc_front *f)
{
	bool any = false;

	for (unsigned i = 0; i < FC_XEN_SESSIONS; i++) {
		if (!f->remote[i].session)
			continue;
		any = true;
		fc_session_kill(v, f->remote[i].session);
	}
	return any;
}

void fc_front_end(struct fc_supervisor *v, struct fc_front *f)
{
	f->state = FC_FRONT_ENDING;
	fc_xenbus_state(v, f, XenbusStateClosing);
	if (kill_sessions(v, f))
		return;
	fc_front_over(v, f);
	fc_xenbus_state(v, f, XenbusStateClosed);
}

void fc_front_break(struct fc_supervisor *v, struct fc_front *f, const char *why)
{
	fc_log(FC_LOG_ERROR, "the front end in domain %u does not keep to the protocol (%s): it is disconnected",
	       f->domid, why);
	f->broken = true;
	fc_front_end(v, f);
}

/* ---- the ring ---- */

void fc_front_requests(struct fc_supervisor *v, struct fc_front *f)
{
	int more = 1;

	for (unsigned n = 0; n < FC_CALLS_MAX && more; n++) {
		struct fc_xen_request q;
		RING_IDX prod = fc_load_acquire(&f->sring->req_prod);

		if (RING_REQUEST_PROD_OVERFLOW(&f->ring, prod)) {
			fc_front_break(v, f, "more requests than the ring holds");
			return;
		}
		if (prod == f->ring.req_cons) {
			RING_FINAL_CHECK_FOR_REQUESTS(&f->ring, more);
			continue;
		}
		RING_COPY_REQUEST(&f->ring, f->ring.req_cons, &q);
		f->ring.req_cons++;
		fc_call_take(v, f, &q);
		if (f->state != FC_FRONT_CONNECTED)
			return;
	}
	if (more)
		fc_xen_again(f);
}

void fc_front_respond(struct fc_supervisor *v, struct fc_front *f, const struct fc_xen_response *response)
{
	int notify;

	if (f->state != FC_FRONT_CONNECTED)
		return;
	*RING_GET_RESPONSE(&f->ring, f->ring.rsp_prod_pvt) = *response;
	f->ring.rsp_prod_pvt++;
	RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(&f->ring, notify);
	if (notify)
		xenevtchn_notify(v->xen->evtchn, f->ring_port);
}

/* ---- the bells ---- */

/* As bell.c has it drawn. */
static void ring_workers(struct fc_roster_slot *slot)
{
	fc_faa(&slot->rung, 1);
	fc_futex_wake(&slot->rung, 1);
	if (!fc_load(&slot->streaming))
		return;
	fc_faa(&slot->stream_bell, 1);
	fc_futex_wake(&slot->stream_bell, FC_ENTRIES);
}

void fc_front_rung(struct fc_supervisor *v, struct fc_front *f)
{
	for (unsigned i = 0; i < FC_XEN_SESSIONS / 64; i++) {
		uint64_t word = fc_load(&f->bells->to_back[i]) ? fc_xchg(&f->bells->to_back[i], 0) : 0;

		for (; word; word &= word - 1) {
			const struct fc_session *s = f->remote[64 * i + (unsigned)__builtin_ctzll(word)].session;

			if (s)
				ring_workers(&v->shared->slot[s - v->session]);
		}
	}
}

void fc_front_ring(struct fc_supervisor *v, struct fc_front *f, uint64_t *bits, uint32_t number)
{
	uint64_t bit = 1ull << number % 64;

	if (!(fc_fetch_or(&bits[number / 64], bit) & bit))
		xenevtchn_notify(v->xen->evtchn, f->bells_port);
}
