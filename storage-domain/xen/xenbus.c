/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xenbus.c - finds front ends in xenstore and does the handshake with them; farcall/xen.h says how it goes. What is in their
 * pages is front.c's.
 *
 * Each event leads to a look at everything there is, so none needs to be understood and none can be missed.
 *
 *   ours           front end's                    what we do
 *   idle           Initialised                    connect, Connected
 *                  Initialising                   Initialising: it may begin (again)
 *                  Closing, Closed                Closed
 *                  Connected                      Closing: its back end was another process, which is gone
 *   connected      all but Initialised, Connected, or gone   Closing, end its sessions; then idle, Closed
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/io/xenbus.h>

#include "storage-domain/xen/front.h"
#include "storage-domain/log.h"

#define BACKEND "backend/" FC_XEN_TYPE
#define PATH_MAX_LENGTH 256

/* ---- nodes ---- */

/* A node's text, to be freed; null if it is not there. */
static char *get(struct xs_handle *store, const char *directory, const char *name)
{
	char path[PATH_MAX_LENGTH];

	if (snprintf(path, sizeof path, "%s/%s", directory, name) >= (int)sizeof path)
		return NULL;
	return xs_read(store, XBT_NULL, path, NULL);
}

/* A decimal number. Returns 0 or -1. */
static int parse(const char *text, uint32_t *number)
{
	char *end;
	unsigned long n;

	if (!text || *text < '0' || *text > '9')
		return -1;
	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno || *end || n > UINT32_MAX)
		return -1;
	*number = (uint32_t)n;
	return 0;
}

static int get_number(struct xs_handle *store, const char *directory, const char *name, uint32_t *number)
{
	char *text = get(store, directory, name);
	int r = parse(text, number);

	free(text);
	return r;
}

static void directory_of(const struct fc_front *f, char path[PATH_MAX_LENGTH])
{
	snprintf(path, PATH_MAX_LENGTH, BACKEND "/%u/%u", f->domid, f->id);
}

static unsigned own_state(struct fc_supervisor *v, const struct fc_front *f)
{
	char directory[PATH_MAX_LENGTH];
	uint32_t state;

	directory_of(f, directory);
	return get_number(v->xen->store, directory, "state", &state) ? XenbusStateUnknown : state;
}

void fc_xenbus_state(struct fc_supervisor *v, const struct fc_front *f, unsigned state)
{
	struct xs_handle *store = v->xen->store;
	char directory[PATH_MAX_LENGTH], path[PATH_MAX_LENGTH + 8], text[8], *old;
	xs_transaction_t t;
	bool done;

	directory_of(f, directory);
	snprintf(path, sizeof path, "%s/state", directory);
	snprintf(text, sizeof text, "%u", state);
	do {
		t = xs_transaction_start(store);
		if (t == XBT_NULL)
			return;
		/* a write would bring a node back that has been removed */
		old = xs_read(store, t, path, NULL);
		done = old && strcmp(old, text) && xs_write(store, t, path, text, strlen(text));
		free(old);
	} while (!xs_transaction_end(store, t, !done) && errno == EAGAIN);
}

/* ---- the handshake ---- */

static int read_offer(struct xs_handle *store, const struct fc_front *f, struct fc_front_offer *offer)
{
	uint32_t protocol;

	if (get_number(store, f->path, "protocol", &protocol) ||
	    get_number(store, f->path, "ring-ref", &offer->ring_ref) ||
	    get_number(store, f->path, "bells-ref", &offer->bells_ref) ||
	    get_number(store, f->path, "event-channel", &offer->ring_port) ||
	    get_number(store, f->path, "bells-channel", &offer->bells_port))
		return -EINVAL;
	return protocol == FC_XEN_VERSION ? 0 : -EPROTONOSUPPORT;
}

static void take_offer(struct fc_supervisor *v, struct fc_front *f)
{
	struct fc_front_offer offer;
	int r = read_offer(v->xen->store, f, &offer);

	if (r == 0)
		r = fc_front_connect(v, f, &offer);
	if (r < 0) {
		fc_log(FC_LOG_ERROR, "cannot connect to the front end in domain %u: %s", f->domid, strerror(-r));
		f->broken = true;
		fc_xenbus_state(v, f, XenbusStateClosing);
		fc_xenbus_state(v, f, XenbusStateClosed);
		return;
	}
	fc_log(FC_LOG_INFO, "connected to the front end in domain %u", f->domid);
	fc_xenbus_state(v, f, XenbusStateConnected);
	fc_front_requests(v, f);
}

static void idle(struct fc_supervisor *v, struct fc_front *f, unsigned theirs)
{
	switch (theirs) {
	case XenbusStateInitialised:
		if (!f->broken)
			take_offer(v, f);
		break;
	case XenbusStateInitialising:
		f->broken = false;
		fc_xenbus_state(v, f, XenbusStateInitialising);
		break;
	case XenbusStateClosing:
	case XenbusStateClosed:
		f->broken = false;
		fc_xenbus_state(v, f, XenbusStateClosed);
		break;
	case XenbusStateConnected:
		if (own_state(v, f) < XenbusStateClosing)
			fc_xenbus_state(v, f, XenbusStateClosing);
		break;
	default:
		break;
	}
}

static void watch(struct fc_supervisor *v, struct fc_front *f, bool on)
{
	char path[PATH_MAX_LENGTH];

	if (snprintf(path, sizeof path, "%s/state", f->path) >= (int)sizeof path)
		return;
	if (on ? !xs_watch(v->xen->store, path, "front") : !xs_unwatch(v->xen->store, path, "front"))
		fc_log(FC_LOG_WARNING, "xenstore: cannot watch %s: %s", path, strerror(errno));
}

static void update(struct fc_supervisor *v, struct fc_front *f)
{
	char directory[PATH_MAX_LENGTH];
	uint32_t theirs = XenbusStateUnknown;

	f->seen = true;
	directory_of(f, directory);
	if (!f->path) {
		f->path = get(v->xen->store, directory, "frontend");
		if (!f->path)
			return; /* the node is still being made */
		watch(v, f, true);
	}
	get_number(v->xen->store, f->path, "state", &theirs);
	if (f->state == FC_FRONT_IDLE)
		idle(v, f, theirs);
	else if (f->state == FC_FRONT_CONNECTED && theirs != XenbusStateInitialised && theirs != XenbusStateConnected)
		fc_front_end(v, f);
}

/* ---- coming and going ---- */

static struct fc_front *find(struct fc_supervisor *v, uint32_t domid, uint32_t id)
{
	struct fc_front *free = NULL;

	for (unsigned i = 0; i < FC_FRONTS_MAX; i++) {
		struct fc_front *f = &v->xen->front[i];

		if (f->state == FC_FRONT_NONE)
			free = f;
		else if (f->domid == domid && f->id == id)
			return f;
	}
	if (!free) {
		fc_log(FC_LOG_WARNING, "more than %d front ends: that of domain %u is left alone", FC_FRONTS_MAX,
		       domid);
		return NULL;
	}
	memset(free, 0, sizeof *free);
	free->state = FC_FRONT_IDLE;
	free->domid = domid;
	free->id = id;
	free->ring_port = free->bells_port = -1;
	for (unsigned i = 0; i < FC_XEN_SESSIONS; i++) {
		free->remote[i].proxy.fd = -1;
		free->remote[i].front = free;
	}
	return free;
}

static void look_at_domain(struct fc_supervisor *v, const char *name)
{
	char directory[PATH_MAX_LENGTH];
	unsigned count = 0;
	uint32_t domid, id;
	char **ids;

	if (parse(name, &domid) || snprintf(directory, sizeof directory, BACKEND "/%s", name) >= (int)sizeof directory)
		return;
	ids = xs_directory(v->xen->store, XBT_NULL, directory, &count);
	for (unsigned i = 0; ids && i < count; i++) {
		struct fc_front *f = parse(ids[i], &id) ? NULL : find(v, domid, id);

		if (f)
			update(v, f);
	}
	free(ids);
}

static void forget(struct fc_supervisor *v, struct fc_front *f)
{
	if (f->path)
		watch(v, f, false);
	free(f->path);
	f->path = NULL;
	f->state = FC_FRONT_NONE;
}

void fc_xenbus_look(struct fc_supervisor *v)
{
	struct fc_xen *x = v->xen;
	unsigned count = 0;
	char **domains;

	for (unsigned i = 0; i < FC_FRONTS_MAX; i++)
		x->front[i].seen = false;
	domains = xs_directory(x->store, XBT_NULL, BACKEND, &count);
	for (unsigned i = 0; domains && i < count; i++)
		look_at_domain(v, domains[i]);
	free(domains);
	for (unsigned i = 0; i < FC_FRONTS_MAX; i++) {
		struct fc_front *f = &x->front[i];

		if (f->seen)
			continue;
		if (f->state == FC_FRONT_CONNECTED)
			fc_front_end(v, f);
		if (f->state == FC_FRONT_IDLE)
			forget(v, f);
	}
}

static void store_ready(struct fc_supervisor *v, struct fc_watch *w, uint32_t events)
{
	char **event;

	(void)w;
	(void)events;
	while ((event = xs_check_watch(v->xen->store)))
		free(event);
	fc_xenbus_look(v);
}

int fc_xenbus_start(struct fc_supervisor *v)
{
	struct fc_xen *x = v->xen;

	/* the first event comes at once; the library makes a thread that reads for us, which no forked shadow has */
	if (!xs_watch(x->store, BACKEND, "back"))
		return -errno;
	return fc_watch_add(v, &x->store_events, xs_fileno(x->store), store_ready);
}
