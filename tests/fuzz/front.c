/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * front.c - fuzz target: the supervisor with a hostile front end in another Xen domain, besides what supervisor.c has: a ring whose
 * requests and indices are anything, bells, and shadows that answer on the proxies what they like. No Xen below: mapped pages are
 * allocations, copies from granted pages come from the input.
 *
 * When the ring's watch is ready, the input says how many requests come, then each; see put_request().
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xengnttab.h>

#include "storage-domain/xen/front.h"
#include "storage-domain/xen/check.h"
#include "storage-domain/xen/shadow.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/supervisor.h"

#define WILD 0xff

xengnttab_handle *fc_gnttab;
static struct fc_xen xen;
static struct fc_watch ring_watch, bells_watch;
static unsigned pages; /* mapped */
static uint16_t next_id;

/* ---- Xen ---- */

static void *map_page(void)
{
	void *page = aligned_alloc(FC_PAGE_SIZE, FC_PAGE_SIZE);

	if (!page)
		abort();
	pages++;
	return memset(page, 0, FC_PAGE_SIZE);
}

void *xengnttab_map_grant_ref(xengnttab_handle *h, uint32_t domid, uint32_t ref, int protection)
{
	(void)h, (void)domid, (void)ref, (void)protection;
	return map_page();
}

void *xengnttab_map_grant_ref_notify(xengnttab_handle *h, uint32_t domid, uint32_t ref, int protection, uint32_t offset,
				     evtchn_port_t port)
{
	(void)h, (void)domid, (void)ref, (void)protection, (void)offset, (void)port;
	return map_page();
}

int xengnttab_unmap(xengnttab_handle *h, void *page, uint32_t count)
{
	(void)h, (void)count;
	free(page);
	pages--;
	return 0;
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *h, uint32_t domid, evtchn_port_t port)
{
	(void)h, (void)domid;
	return port;
}

int xenevtchn_unbind(xenevtchn_handle *h, evtchn_port_t port)
{
	(void)h, (void)port;
	return 0;
}

int xenevtchn_notify(xenevtchn_handle *h, evtchn_port_t port)
{
	(void)h, (void)port;
	return 0;
}

void fc_xenbus_state(struct fc_supervisor *v, const struct fc_front *f, unsigned state)
{
	(void)v, (void)f, (void)state;
}

void fc_xen_again(struct fc_front *f)
{
	f->more = true;
}

/* As many grants as the text needs are looked at. */
static void look_at_grants(const uint32_t *ref, uint32_t size)
{
	static volatile uint32_t sink;

	for (uint32_t i = 0; i < (size + FC_PAGE_SIZE - 1) / FC_PAGE_SIZE; i++)
		sink ^= ref[i];
}

int fc_gntdev_read(uint32_t domid, const uint32_t *ref, void *to, uint32_t size)
{
	(void)domid;
	look_at_grants(ref, size);
	memset(to, 0, size);
	fuzz_take(to, size < 64 ? size : 64);
	return fuzz_back(1) == WILD ? -EFAULT : 0;
}

int fc_gntdev_write(uint32_t domid, const uint32_t *ref, const void *from, uint32_t size)
{
	static char copy[1 << 20];

	(void)domid;
	look_at_grants(ref, size);
	if (size > FC_XEN_TEXT_MAX)
		fuzz_fail("%u bytes are written to %u pages", size, FC_XEN_TEXT_PAGES);
	memcpy(copy, from, size);
	return fuzz_back(1) == WILD ? -EFAULT : 0;
}

/* ---- the front end ---- */

static uint32_t usual_size(const struct fc_xen_request *q)
{
	switch (q->type) {
	case FC_XEN_HELLO:
	case FC_XEN_STAT:
		return FC_PAGE_SIZE;
	case FC_XEN_ATTACH:
	case FC_XEN_CRED:
		return sizeof(struct fc_xen_cred);
	case FC_XEN_AREAS:
		return (FC_XEN_REQUEST_PAGES + FC_XEN_DATA_PAGES) * sizeof(uint32_t);
	case FC_XEN_GROW:
	case FC_XEN_MAP:
		return (uint32_t)(q->arg[0] / FC_PAGE_SIZE * sizeof(uint32_t));
	default:
		return 0;
	}
}

/* Type, session (above 0xf0: four more bytes), which arguments follow (0x80: so does the size of the text), those. */
static void put_request(struct fc_xen_sring *ring, RING_IDX at)
{
	struct fc_xen_request q = { .id = next_id++, .type = fuzz_front(1), .session = fuzz_front(1) };
	unsigned follow;

	if (q.session > 0xf0)
		q.session = fuzz_front(4);
	follow = fuzz_front(1);
	for (int i = 0; i < 3; i++)
		if (follow >> i & 1)
			q.arg[i] = fuzz_front(follow & 8 ? 8 : 1);
	q.text_size = follow & 0x80 ? fuzz_front(4) : usual_size(&q);
	ring->ring[at & (FC_CALLS_MAX - 1)].req = q;
}

static void ring_ready(struct fc_supervisor *v, struct fc_watch *w, uint32_t events)
{
	struct fc_front *f = &xen.front[0];
	unsigned n = fuzz_front(1);

	(void)w, (void)events;
	f->more = false;
	if (f->state != FC_FRONT_CONNECTED)
		return;
	if (n == WILD) {
		f->sring->req_prod = fuzz_front(4);
		f->sring->rsp_event = fuzz_front(4);
	} else {
		for (; n & 3; n--)
			put_request(f->sring, f->sring->req_prod++);
	}
	fc_front_requests(v, f);
	if (f->state == FC_FRONT_CONNECTED && f->ring.rsp_prod_pvt > f->ring.req_cons)
		fuzz_fail("%u answers to %u requests", f->ring.rsp_prod_pvt, f->ring.req_cons);
}

static void bells_ready(struct fc_supervisor *v, struct fc_watch *w, uint32_t events)
{
	struct fc_front *f = &xen.front[0];

	(void)w, (void)events;
	if (f->state != FC_FRONT_CONNECTED)
		return;
	f->bells->to_back[fuzz_front(1) % (FC_XEN_SESSIONS / 64)] = fuzz_front(8);
	fc_front_rung(v, f);
}

/* ---- */

void supervisor_begins(struct fc_supervisor *v)
{
	struct fc_front *f = &xen.front[0];
	const struct fc_front_offer offer = { 1, 2, 3, 4 };

	memset(f, 0, sizeof *f);
	f->state = FC_FRONT_IDLE;
	f->domid = 9;
	f->ring_port = f->bells_port = -1;
	for (unsigned i = 0; i < FC_XEN_SESSIONS; i++) {
		f->remote[i].front = f;
		f->remote[i].proxy.fd = -1;
	}
	v->xen = &xen;
	v->stat_ready = fc_calls_stat;
	pages = next_id = 0;
	ring_watch.fd = bells_watch.fd = -1;
	if (fc_front_connect(v, f, &offer) || fc_watch_add(v, &ring_watch, supervisor_fd(), ring_ready) ||
	    fc_watch_add(v, &bells_watch, supervisor_fd(), bells_ready))
		fuzz_end();
}

/* The pages stay mapped as long as there are sessions. */
void supervisor_ends(struct fc_supervisor *v)
{
	struct fc_front *f = &xen.front[0];

	if (f->state == FC_FRONT_CONNECTED || f->state == FC_FRONT_ENDING)
		fc_front_over(v, f);
}

/* However it ended. */
void supervisor_after(void)
{
	free(xen.front[0].sring);
	free(xen.front[0].bells);
	memset(&xen.front[0], 0, sizeof xen.front[0]);
}
