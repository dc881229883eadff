/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * front.h - the supervisor's view of its front ends: the modules in other domains for whose processes it works. xen.c has the
 * devices and events, xenbus.c finds front ends and does the handshake, front.c owns the shared pages and the ring, control.c does
 * what requests ask for. farcall/xen.h is the protocol.
 */
#ifndef FC_DOMAIN_FRONT_H
#define FC_DOMAIN_FRONT_H

#include <stdbool.h>
#include <stdint.h>
#include <xenevtchn.h>
#include <xenstore.h>
#include <xen/io/ring.h>

#include "common/atomic.h"
#include "farcall/xen.h"
#include "storage-domain/supervisor/supervisor.h"

#undef xen_mb /* what an old interface version makes of them */
#undef xen_wmb
#define xen_mb() fc_fence()
#define xen_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
DEFINE_RING_TYPES(fc_xen, struct fc_xen_request, struct fc_xen_response);

#define FC_FRONTS_MAX 8
#define FC_CALLS_MAX 32 /* as many as the ring holds */

_Static_assert(FC_CALLS_MAX == __CONST_RING_SIZE(fc_xen, FC_PAGE_SIZE), "one call for each place in the ring");

enum fc_front_state {
	FC_FRONT_NONE,      /* this place is free */
	FC_FRONT_IDLE,      /* nothing mapped */
	FC_FRONT_CONNECTED, /* ring and bells in use */
	FC_FRONT_ENDING     /* mapped, but not listened to any more: its sessions are being ended */
};

enum fc_remote_state {
	FC_REMOTE_FREE,
	FC_REMOTE_COMING, /* ATTACH, or its parent's FORK, is under way */
	FC_REMOTE_LIVE,
	FC_REMOTE_DEAD /* over, but the front end has not said DETACH */
};

/* A session number of a front end, and the session behind it. */
struct fc_remote {
	enum fc_remote_state state;
	struct fc_session *session; /* null: none (yet) */
	struct fc_watch proxy;      /* the client's end of the session's connection */
	struct fc_front *front;
};

/* A request that has not been answered yet. */
struct fc_call {
	bool used;
	bool started;
	int status;     /* what it is to be answered with if its session ends over it; 0: -EIO */
	uint64_t order; /* as they came */
	struct fc_xen_request q;
};

struct fc_front {
	enum fc_front_state state;
	uint32_t domid, id;
	char *path;  /* of its node, which is watched; null: not known yet */
	bool seen;   /* in this look at the store */
	bool broken; /* it has not kept to the protocol: nothing more until it has closed */
	struct fc_xen_sring *sring;
	struct fc_xen_back_ring ring;
	struct fc_xen_bells *bells;
	int ring_port, bells_port; /* -1: not bound */
	uint32_t bells_ref;
	bool more; /* there may be requests that nobody will tell us about */
	uint64_t order;
	struct fc_call call[FC_CALLS_MAX];
	struct fc_remote remote[FC_XEN_SESSIONS];
};

struct fc_xen {
	struct xs_handle *store;
	xenevtchn_handle *evtchn;
	struct fc_watch store_events, evtchn_events, rings;
	struct fc_front front[FC_FRONTS_MAX];
};

/* ---- xen.c ---- */

/* Come back to this front end's ring later, when others have had their turn. */
void fc_xen_again(struct fc_front *f);

/* ---- xenbus.c ---- */

/* Watch for front ends, and look for the first time. Returns 0 or -errno. */
int fc_xenbus_start(struct fc_supervisor *v);

/* Something may have changed: look at everything and do what follows from it. */
void fc_xenbus_look(struct fc_supervisor *v);

/* Write our state (XenbusState*), if our node is still there. */
void fc_xenbus_state(struct fc_supervisor *v, const struct fc_front *f, unsigned state);

/* ---- front.c ---- */

struct fc_front_offer {
	uint32_t ring_ref, bells_ref, ring_port, bells_port;
};

/* Map and bind. Returns 0 or -errno. */
int fc_front_connect(struct fc_supervisor *v, struct fc_front *f, const struct fc_front_offer *offer);

/* End its sessions; when all are over, let go of its pages and go to FC_FRONT_IDLE (fc_front_over). */
void fc_front_end(struct fc_supervisor *v, struct fc_front *f);
void fc_front_break(struct fc_supervisor *v, struct fc_front *f, const char *why);
void fc_front_over(struct fc_supervisor *v, struct fc_front *f);

/* Take requests from the ring. */
void fc_front_requests(struct fc_supervisor *v, struct fc_front *f);
void fc_front_respond(struct fc_supervisor *v, struct fc_front *f, const struct fc_xen_response *response);

/* The front end has rung: wake workers. */
void fc_front_rung(struct fc_supervisor *v, struct fc_front *f);

/* Ring the front end for session `number`: one of the page's to_front, dead. */
void fc_front_ring(struct fc_supervisor *v, struct fc_front *f, uint64_t *bits, uint32_t number);

/* ---- control.c ---- */

/* One more request, well-formed; fewer than FC_CALLS_MAX are unanswered. */
void fc_call_take(struct fc_supervisor *v, struct fc_front *f, const struct fc_xen_request *q);

/* The figures are ready. */
void fc_calls_stat(struct fc_supervisor *v);

#endif
