/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* shelter.c - see sandbox.h: what is made ready before a filter closes. */
#include "common/atomic.h"
#include "common/doorbell.h"
#include "libc-shim/process/process.h"
#include "libc-shim/process/sandbox.h"
#include "libc-shim/process/thread.h"
#include "libc-shim/request/request.h"
#include "libc-shim/session/lease.h"
#include "libc-shim/calls/offset.h"
#include "libc-shim/session/session.h"
#include "libc-shim/shim.h"
#include "libc-shim/transport/transport.h"

#define MUTE_MINOR 3 /* of the ABI: domains look after mute clients since then */

/* The workers are woken, all of them: each sleeps for a time from then on. */
static void be_mute(struct shim_session *s)
{
	struct fc_area_header *h = &s->requests.area->header;

	if (fc_load(&shim.minor[s->domain]) < MUTE_MINOR) {
		shim_session_fail(s, "it is too old to serve a program that may not wake it");
		return;
	}
	fc_store_release(&h->mute, 1u);
	fc_faa(&h->bell, 1u); /* mute before bell; partner: rest() in the domain's worker.c */
	s->requests.bell.ops->wake_worker(&s->requests.bell, &h->bell, (int)FC_ENTRIES);
}

static void shelter(struct shim_process *p, unsigned domain, bool talks, bool rings)
{
	struct shim_lock_state saved;
	struct shim_session *s;

	if (shim_session_get(p, domain, &s) < 0)
		return;
	if (!talks) {
		shim_session_lock(s, &saved);
		shim_offsets_leave(p, (int)domain);
		shim_leases_end(p, domain); /* it could not give them back any more */
		shim_unlock(&s->lock, &saved);
	}
	if (!talks && !shim_self()->depth && !shim_sandbox_crowd())
		shim_areas_keep(s);
	while (!talks && s->state == SHIM_SESSION_READY && fc_load(&s->chunks) < SHIM_DIVIDED_CHUNKS)
		if (shim_grow(s) < 0)
			break;
	if (!talks && s->state == SHIM_SESSION_READY) {
		shim_rooms_divide(s);
		if (shim_transport(s)->deafen && !shim_sandbox_crowd())
			shim_transport(s)->deafen(s, true);
	}
	if (!rings && s->state == SHIM_SESSION_READY)
		be_mute(s);
}

void shim_shelter_undo(void)
{
	struct shim_process *p = shim_process();

	for (unsigned d = 0; d < shim.config.ndomains && shim_sandbox_talks(); d++)
		if (shim_is_attached(&p->session[d]) && p->session[d].deaf)
			shim_transport(&p->session[d])->deafen(&p->session[d], false);
}

void shim_shelter(bool talks, bool rings)
{
	struct shim_process *p = talks && rings ? NULL : shim_process_own();

	if (!p)
		return;
	shim_wait_prepare();
	for (unsigned d = 0; d < shim.config.ndomains; d++)
		shelter(p, d, talks, rings);
}
