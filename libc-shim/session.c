/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session.c - one process attached to one domain: its state, and who owns which request entry. How the domain is reached is
 * transport.h's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/syscall.h>
#include <time.h>

#include "common/doorbell.h"
#include "libc-shim/transport.h"

#define ABANDON_WAIT_NS 50000000ull
#define IDS_WAIT_NS 100000 /* for a change of ids in progress, between looks */
#define IDS_LOOKS 10000
#define ABANDONED UINT32_MAX /* owner of an entry whose call will never be waited for */

void shim_session_reset(struct shim_session *s, unsigned domain)
{
	memset(s, 0, sizeof *s);
	s->domain = domain;
	s->sock = -1;
	s->bell.ops = shim_transport(s)->bell;
	for (unsigned i = 0; i < FC_ENTRIES; i++)
		s->slot[i].chunk = s->slot[i].extra = s->slot[i].about = -1;
}

bool shim_session_speaks(const struct shim_session *s)
{
	uint32_t uid = (uint32_t)fc_call(SYS_getuid);

	return !uid || !shim_is_attached(s) || uid == s->ruid;
}

static void wait_for_ids(void)
{
	const struct timespec ts = { .tv_nsec = IDS_WAIT_NS };

	fc_call(SYS_nanosleep, &ts, 0);
}

void shim_session_lock(struct shim_session *s, struct shim_lock_state *saved)
{
	for (int looks = 0;; looks++) {
		shim_lock(&s->lock, saved);
		if (likely(shim_session_speaks(s)) || looks == IDS_LOOKS) {
			if (unlikely(looks == IDS_LOOKS))
				s->ruid = (uint32_t)fc_call(
					SYS_getuid); /* no change is under way: it is not waited for again */
			return;
		}
		shim_unlock(&s->lock, saved); /* the signal that changes this thread's ids is let in here */
		wait_for_ids();
	}
}

void shim_sessions_lock(struct shim_process *p, struct shim_lock_state saved[SHIM_DOMAINS])
{
	for (int looks = 0;; looks++) {
		bool all = true;

		for (unsigned d = 0; d < shim.config.ndomains; d++) {
			shim_lock(&p->session[d].lock, &saved[d]);
			all = all && shim_session_speaks(&p->session[d]);
		}
		for (unsigned d = 0; unlikely(looks == IDS_LOOKS) && d < shim.config.ndomains; d++)
			p->session[d].ruid = (uint32_t)fc_call(SYS_getuid);
		if (likely(all) || looks == IDS_LOOKS)
			return;
		shim_sessions_unlock(p, saved);
		wait_for_ids();
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
	if (fc_xchg(&s->state, SHIM_SESSION_DEAD) != SHIM_SESSION_DEAD && !fc_load(&shim.ending))
		shim_say(shim.config.domain[s->domain].address,
			 ": storage domain lost, its files fail with EIO from now on: ", why);
}

bool shim_session_alive(struct shim_session *s)
{
	const char *why;

	if (fc_load(&s->state) == SHIM_SESSION_DEAD)
		return false;
	why = shim_transport(s)->lost(s);
	if (!why && s->area && fc_load(&s->area->header.poisoned))
		why = "it has cut this process off";
	if (why)
		shim_session_fail(s, why);
	return fc_load(&s->state) != SHIM_SESSION_DEAD;
}

/* ---- request entries ---- */

static bool entry_over(struct shim_session *s, int i)
{
	uint32_t state = fc_load_acquire(&s->area->entry[i].state);

	return state == FC_DONE || state == FC_FREE;
}

void shim_entry_over(struct shim_session *s, int i)
{
	fc_fetch_and(&s->in_flight[i / 64], ~(1ull << (i % 64)));
	fc_store(&s->area->entry[i].state, FC_FREE);
}

/* Make free what a call has left that nobody waits for. */
static void entry_clear(struct shim_session *s, int i)
{
	struct shim_slot *slot = &s->slot[i];
	int about = slot->about;

	slot->about = -1;
	if (about >= 0 && s->area->entry[i].result == -ENOENT)
		shim_entry_over(s, about); /* the jump came before the call was in the queue */
	shim_entry_over(s, i);
	shim_extra_free(s, i);
}

/* Take entry i if it is free, or if whoever had it is gone and the domain has let go of it. */
static bool entry_take(struct shim_session *s, int i, uint32_t tid, bool look_for_dead)
{
	struct shim_slot *slot = &s->slot[i];
	uint32_t owner = fc_load(&slot->owner);

	if (likely(!owner))
		return fc_cas(&slot->owner, 0u, tid);
	if (owner != ABANDONED && (!look_for_dead || owner == tid || shim_tid_alive(owner)))
		return false;
	if (!entry_over(s, i) || !fc_cas(&slot->owner, owner, tid))
		return false;
	entry_clear(s, i);
	return true;
}

void shim_entries_reclaim(struct shim_session *s)
{
	uint32_t tid = (uint32_t)shim_self()->tid;

	fc_store(&s->forgotten, 0u);
	for (int i = 0; i < (int)FC_ENTRIES; i++) {
		uint32_t owner = fc_load(&s->slot[i].owner);

		if (owner && owner != tid && entry_take(s, i, tid, true))
			shim_entry_put(s, i);
		else if (owner == ABANDONED)
			fc_store(&s->forgotten, 1u);
	}
}

int shim_entry_get(struct shim_session *s)
{
	struct shim_thread *t = shim_self();

	for (unsigned round = 0; s->state == SHIM_SESSION_READY; round++) {
		for (unsigned n = 0; n < FC_ENTRIES; n++) {
			unsigned i = (t->hint + n) % FC_ENTRIES;

			if (entry_take(s, (int)i, (uint32_t)t->tid, round > 0)) {
				t->hint = (uint16_t)i;
				return (int)i;
			}
		}
		fc_call(SYS_sched_yield);
		if (round % 1024 == 1023)
			shim_session_alive(s);
	}
	return -EIO;
}

void shim_entry_put(struct shim_session *s, int i)
{
	if (unlikely(s->slot[i].extra >= 0))
		shim_extra_free(s, i);
	fc_store_release(&s->slot[i].owner, 0u);
}

void shim_entry_forget(struct shim_session *s, int i)
{
	fc_store_release(&s->slot[i].owner, ABANDONED);
	fc_store(&s->forgotten, 1u);
}

void shim_entry_abandon(struct shim_session *s, int i)
{
	int messenger;

	if (s->area && s->state == SHIM_SESSION_READY && !entry_over(s, i) && (messenger = shim_interrupt(s, i)) >= 0) {
		/* From here on the application may count on the call being over: a read must not take what comes later. Bounded,
		 * for it may be one that nothing interrupts. */
		uint64_t deadline = shim_now_ns() + ABANDON_WAIT_NS;
		while (!entry_over(s, messenger) && shim_now_ns() < deadline)
			fc_entry_sleep(&s->bell, &s->area->entry[messenger], deadline);
		shim_entry_forget(s, messenger);
	}
	shim_entry_forget(s, i);
}

void shim_entries_abandon(struct shim_session *s, uint32_t tid)
{
	for (int i = 0; i < (int)FC_ENTRIES; i++)
		if (fc_load(&s->slot[i].owner) == tid)
			shim_entry_abandon(s, i);
}
