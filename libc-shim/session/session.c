/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session.c - one process attached to one domain: its state. How the domain is reached is transport.h's, what is asked of it
 * request.h's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/syscall.h>

#include "common/atomic.h"
#include "common/doorbell.h"
#include "common/rawcall.h"
#include "libc-shim/lock.h"
#include "libc-shim/process/process.h"
#include "libc-shim/request/request.h"
#include "libc-shim/session/session.h"
#include "libc-shim/shim.h"
#include "libc-shim/text.h"
#include "libc-shim/transport/transport.h"

bool shim_is_attached(const struct shim_session *s)
{
	return s->state == SHIM_SESSION_BARE || s->state == SHIM_SESSION_READY;
}

#define IDS_WAIT_NS 100000 /* for a change of ids in progress, between looks */
#define IDS_LOOKS 10000
#define LEAVING_LOOKS 10000

void shim_session_reset(struct shim_session *s, unsigned domain)
{
	struct shim_slot *slot = s->requests.slot;

	memset(slot, 0, s->requests.used * sizeof *slot);
	memset(s, 0, sizeof *s);
	s->domain = domain;
	s->sock = -1;
	s->requests.slot = slot;
	s->requests.bell.ops = shim_transport(s)->bell;
}

bool shim_session_speaks(const struct shim_session *s)
{
	uint32_t uid = (uint32_t)fc_call(SYS_getuid);

	return !uid || !shim_is_attached(s) || uid == s->ruid;
}

void shim_session_enter(struct shim_session *s, struct shim_lock_state *saved)
{
	for (int looks = 0;; looks++) {
		const uint32_t leaving = (shim_lock(&s->lock, saved), fc_load(&s->leaving));

		if (likely(!leaving) || leaving == shim_owner_self())
			return;
		if (looks == LEAVING_LOOKS) /* a handler has jumped out of it */
			fc_store(&s->leaving, 0u);
		shim_unlock(&s->lock, saved);
		shim_wait_ns(IDS_WAIT_NS);
	}
}

void shim_sessions_leave(struct shim_process *p, bool leave)
{
	for (unsigned d = 0; d < shim.config.ndomains; d++) {
		struct shim_lock_state saved;

		shim_session_enter(&p->session[d], &saved);
		fc_store(&p->session[d].leaving, leave ? shim_owner_self() : 0u);
		shim_unlock(&p->session[d].lock, &saved);
	}
}

void shim_session_lock(struct shim_session *s, struct shim_lock_state *saved)
{
	for (int looks = 0;; looks++) {
		shim_session_enter(s, saved);
		if (likely(shim_session_speaks(s)) || looks == IDS_LOOKS) {
			if (unlikely(looks == IDS_LOOKS))
				s->ruid = (uint32_t)fc_call(
					SYS_getuid); /* no change is under way: it is not waited for again */
			return;
		}
		shim_unlock(&s->lock, saved); /* the signal that changes this thread's ids is let in here */
		shim_wait_ns(IDS_WAIT_NS);
	}
}

void shim_sessions_lock(struct shim_process *p, struct shim_lock_state saved[SHIM_DOMAINS])
{
	for (int looks = 0;; looks++) {
		bool all = true;

		for (unsigned d = 0; d < shim.config.ndomains; d++) {
			shim_session_enter(&p->session[d], &saved[d]);
			all = all && shim_session_speaks(&p->session[d]);
		}
		for (unsigned d = 0; unlikely(looks == IDS_LOOKS) && d < shim.config.ndomains; d++)
			p->session[d].ruid = (uint32_t)fc_call(SYS_getuid);
		if (likely(all) || looks == IDS_LOOKS)
			return;
		shim_sessions_unlock(p, saved);
		shim_wait_ns(IDS_WAIT_NS);
	}
}

void shim_sessions_unlock(struct shim_process *p, const struct shim_lock_state saved[SHIM_DOMAINS])
{
	for (unsigned d = shim.config.ndomains; d-- > 0;)
		shim_unlock(&p->session[d].lock, &saved[d]);
}

static int attach(struct shim_session *s)
{
	int r = shim_transport(s)->attach(s);

	s->ruid = (uint32_t)fc_call(SYS_getuid);
	if (r == 0)
		fc_store_release(&s->state, SHIM_SESSION_BARE);
	return r;
}

static int session_make_ready(struct shim_session *s)
{
	struct shim_lock_state saved;
	int r = 0;

	shim_session_lock(s, &saved);
	if (s->state == SHIM_SESSION_NONE)
		r = attach(s);
	if (r == 0 && s->state == SHIM_SESSION_BARE)
		r = shim_areas(s);
	if (s->state == SHIM_SESSION_DEAD)
		r = -EIO;
	shim_unlock(&s->lock, &saved);
	return r;
}

int shim_session_get(struct shim_process *p, unsigned domain, struct shim_session **out)
{
	struct shim_session *s = &p->session[domain];
	uint32_t state = fc_load_acquire(&s->state);

	*out = s;
	if (likely(state == SHIM_SESSION_READY))
		return 0;
	return state == SHIM_SESSION_DEAD ? -EIO : session_make_ready(s);
}

void shim_session_fail(struct shim_session *s, const char *why)
{
	if (fc_xchg(&s->state, SHIM_SESSION_DEAD) != SHIM_SESSION_DEAD && !shim_ending())
		shim_say(shim.config.domain[s->domain].address,
			 ": storage domain lost, its files fail with EIO from now on: ", why);
}

bool shim_session_alive(struct shim_session *s)
{
	const char *why;

	if (fc_load(&s->state) == SHIM_SESSION_DEAD)
		return false;
	why = shim_transport(s)->lost(s);
	if (!why && s->requests.area && fc_load(&s->requests.area->header.poisoned))
		why = "it has cut this process off";
	if (why)
		shim_session_fail(s, why);
	return fc_load(&s->state) != SHIM_SESSION_DEAD;
}

/* ---- what requests need of their session ---- */

bool shim_requests_open(const struct shim_requests *q)
{
	return fc_load(&shim_session_of((struct shim_requests *)q)->state) == SHIM_SESSION_READY;
}

bool shim_requests_alive(struct shim_requests *q)
{
	return shim_session_alive(shim_session_of(q));
}

void shim_requests_fail(struct shim_requests *q, const char *why)
{
	shim_session_fail(shim_session_of(q), why);
}

bool shim_requests_apart(const struct shim_requests *q)
{
	return shim_transport(shim_session_of((struct shim_requests *)q))->apart;
}
