/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * heirs.c - who will be the next child's shadow: a session that has forked gets an heir from the reserve, which waits for what its parent's
 * shadow has to leave (shadow/heir.c). An heir has the name that it will have as a session, and counts as one of the user's; but it gives way to whoever comes.
 *
 * Whether it has been used is one word in its roster slot, which the heir changes before it answers its client, and the supervisor to end it: so
 * what the client says after that is never heard before the supervisor knows it as a session.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/atomic.h"
#include "storage-domain/shadow/link.h"
#include "storage-domain/shadow/transport.h"
#include "storage-domain/supervisor/supervisor.h"

static struct fc_roster_slot *slot_of(struct fc_supervisor *v, const struct fc_session *s)
{
	return &v->shared->slot[s - v->session];
}

static struct fc_session *parent_of(struct fc_supervisor *v, const struct fc_session *s)
{
	for (unsigned i = 0; i < v->used; i++)
		if (v->session[i].state == FC_SESSION_LIVE && v->session[i].id == s->parent)
			return &v->session[i];
	return NULL;
}

int fc_heir_way(struct fc_session *s, struct fc_packet *p)
{
	if (s->way >= 0 || !fc_session_is_way(p->fd[0]))
		return -EPROTO;
	s->way = p->fd[0];
	p->fd[0] = -1;
	return 0;
}

/* ---- beginning ---- */

/* One that waits, or has not ended yet: two would take from each other what is on the way. */
static bool has_heir(const struct fc_supervisor *v, const struct fc_session *parent)
{
	for (unsigned i = 0; i < v->used; i++)
		if (v->session[i].heir && v->session[i].parent == parent->id)
			return true;
	return false;
}

static void tell_parent(struct fc_supervisor *v, struct fc_session *parent, int status, uint32_t id, uint64_t slot)
{
	struct fc_msg m = { .type = FC_LINK_HEIR, .status = status, .arg = { id, slot } };

	if (fc_control_send(parent->link.fd, &m, NULL, NULL, 0, MSG_DONTWAIT) < 0)
		fc_session_kill(v, parent);
}

/* 0 or -errno; what has been begun is ended. */
static int begin(struct fc_supervisor *v, struct fc_session *s, const struct fc_session *parent)
{
	int r = fc_session_name_child(v, s, parent, FC_TASKS_HEIR);
	struct fc_msg m = { .type = FC_LINK_HEIR, .arg = { s->token[0], s->token[1], s->id } };

	s->state = FC_SESSION_HEIR;
	s->heir = true;
	s->heir_since_ms = fc_now_ms();
	v->heirs++;
	fc_store_release(&slot_of(v, s)->heir, FC_HEIR_WAITS(s->id));
	if (r == 0)
		r = fc_control_send(s->link.fd, &m, NULL, &parent->way, 1, MSG_DONTWAIT);
	if (r < 0)
		fc_session_kill(v, s);
	return r;
}

void fc_heir_offer(struct fc_supervisor *v, struct fc_session *parent)
{
	struct fc_roster_slot *from = slot_of(v, parent);
	struct fc_session *s = NULL;
	int r = -EAGAIN;

	if (v->transport->foreign || v->stop || parent->state != FC_SESSION_LIVE || parent->way < 0)
		return;
	if (has_heir(v, parent))
		return;
	if (fc_session_fits(v, parent->payer, from->held[FC_FILES], from->tasks_max))
		s = fc_reserve_take(v);
	if (s)
		r = begin(v, s, parent);
	tell_parent(v, parent, r, s ? s->id : 0, s ? (uint64_t)(s - v->session) : 0);
}

/* ---- ending ---- */

/* End it, if it has not answered. */
static bool withdraw(struct fc_supervisor *v, struct fc_session *s)
{
	if (!fc_cas(&slot_of(v, s)->heir, FC_HEIR_WAITS(s->id), (uint64_t)0))
		return false; /* fc_heirs_look will see it */
	fc_store(&slot_of(v, s)->held[FC_TASKS], 0);
	fc_session_kill(v, s);
	return true;
}

void fc_heir_withdraw(struct fc_supervisor *v, const struct fc_session *parent)
{
	for (unsigned i = 0; i < v->used; i++)
		if (v->session[i].state == FC_SESSION_HEIR && v->session[i].parent == parent->id)
			withdraw(v, &v->session[i]);
}

bool fc_heirs_withdraw(struct fc_supervisor *v, uid_t payer)
{
	bool any = false;

	for (unsigned i = 0; i < v->used; i++)
		if (v->session[i].state == FC_SESSION_HEIR && v->session[i].payer == payer)
			any = withdraw(v, &v->session[i]) || any;
	return any;
}

/* What nobody will take any more keeps files open. */
static void clear_way(const struct fc_session *parent)
{
	char byte;

	while (recv(parent->way, &byte, sizeof byte, MSG_DONTWAIT) > 0)
		;
}

void fc_heir_buried(struct fc_supervisor *v, const struct fc_session *s)
{
	struct fc_session *parent = s->heir ? parent_of(v, s) : NULL;

	if (!parent || fc_load(&slot_of(v, s)->heir) == FC_HEIR_ANSWERED(s->id))
		return;
	clear_way(parent);
	tell_parent(v, parent, -ESRCH, s->id, 0);
}

void fc_heir_returned(struct fc_supervisor *v, struct fc_session *s)
{
	struct fc_msg m = { .type = FC_LINK_FREE };

	if (s->owner || s->way >= 0 || v->reserved >= FC_RESERVE_MOST) {
		fc_session_kill(v, s);
		return;
	}
	fc_session_clear(v, s);
	s->state = FC_SESSION_POOLED;
	v->reserved++;
	if (fc_control_send(s->link.fd, &m, NULL, NULL, 0, MSG_DONTWAIT) < 0)
		fc_session_kill(v, s);
	fc_gone_tell(v);
}

/* ---- meanwhile ---- */

void fc_heirs_look(struct fc_supervisor *v)
{
	const uint64_t now = v->heirs ? fc_now_ms() : 0;

	for (unsigned i = 0; v->heirs && i < v->used; i++) {
		struct fc_session *s = &v->session[i], *parent;

		if (s->state != FC_SESSION_HEIR)
			continue;
		if (fc_load_acquire(&slot_of(v, s)->heir) != FC_HEIR_ANSWERED(s->id)) {
			if (now - s->heir_since_ms >= FC_HEIR_IDLE_MS)
				withdraw(v, s);
			continue;
		}
		v->heirs--;
		v->attached++;
		s->state = FC_SESSION_LIVE;
		s->heir = false;
		parent = parent_of(v, s);
		if (parent)
			fc_heir_offer(v, parent);
	}
}

int fc_heirs_due_ms(const struct fc_supervisor *v)
{
	uint64_t now = v->heirs ? fc_now_ms() : 0, least = FC_HEIR_IDLE_MS;

	if (!v->heirs)
		return -1;
	for (unsigned i = 0; i < v->used; i++) {
		const struct fc_session *s = &v->session[i];
		uint64_t age = now - s->heir_since_ms;

		if (s->state == FC_SESSION_HEIR)
			least = age >= FC_HEIR_IDLE_MS ? 0 : FC_HEIR_IDLE_MS - age < least ? FC_HEIR_IDLE_MS - age : least;
	}
	return (int)least;
}
