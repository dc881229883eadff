/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * heirs.c - who will be the next child's shadow: a session that has forked gets an heir from the reserve, which waits for what its parent's
 * shadow has to leave (shadow/heir.c). An heir has the name that it will have as a session, and counts as one of the user's; but it gives way
 * to whoever comes. One whose client has come and gone without asking for anything is kept, for its parent's next child.
 *
 * Whether it has been used is one word in its roster slot, which the heir changes before it answers its client, and the supervisor to end it: so
 * what the client says after that is never heard before the supervisor knows it as a session.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/atomic.h"
#include "common/doorbell.h"
#include "common/rawcall.h"
#include "storage-domain/shadow/link.h"
#include "storage-domain/shadow/transport.h"
#include "storage-domain/supervisor/supervisor.h"

#define FC_WAY_MOST 64 /* messages at once, whoever goes on sending */

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

static void set_next(struct fc_supervisor *v, const struct fc_session *parent, uint64_t next)
{
	struct fc_roster_slot *slot = slot_of(v, parent);

	if (fc_xchg(&slot->next, next) == FC_NEXT_COMING)
		fc_futex_wake((uint32_t *)&slot->next, 1);
}

static void rest(struct fc_supervisor *v, struct fc_session *s)
{
	s->unused = true;
	s->unused_since_ms = fc_now_ms();
	v->heirs++;
}

static struct fc_session *kept_by(struct fc_supervisor *v, const struct fc_session *parent, unsigned *count)
{
	struct fc_session *found = NULL;

	*count = 0;
	for (unsigned i = 0; i < v->used; i++) {
		if (v->session[i].state != FC_SESSION_KEPT || v->session[i].parent != parent->id)
			continue;
		found = &v->session[i];
		++*count;
	}
	return found;
}

static struct fc_session *take(struct fc_supervisor *v, const struct fc_session *parent)
{
	unsigned count;
	struct fc_session *s = kept_by(v, parent, &count);

	v->heirs -= s != NULL;
	return s ? s : fc_reserve_take(v);
}

/* 0 or -errno; what has been begun is ended. */
static int begin(struct fc_supervisor *v, struct fc_session *s, const struct fc_session *parent)
{
	int r = fc_session_name_child(v, s, parent, FC_TASKS_HEIR);
	struct fc_msg m = { .type = FC_LINK_HEIR, .arg = { s->token[0], s->token[1], s->id } };

	s->state = FC_SESSION_HEIR;
	s->heir = true;
	rest(v, s);
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
		s = take(v, parent);
	if (s)
		r = begin(v, s, parent);
	set_next(v, parent, r < 0 ? FC_NEXT_NONE : FC_NEXT(s->id, (uint32_t)(s - v->session)));
}

/* ---- ending ---- */

static bool waits(const struct fc_session *s)
{
	return s->state == FC_SESSION_HEIR || s->state == FC_SESSION_KEPT;
}

/* End it, if it has not answered. */
static bool withdraw(struct fc_supervisor *v, struct fc_session *s)
{
	if (s->state == FC_SESSION_HEIR && !fc_cas(&slot_of(v, s)->heir, FC_HEIR_WAITS(s->id), (uint64_t)0))
		return false; /* fc_heirs_look will see it */
	fc_store(&slot_of(v, s)->held[FC_TASKS], 0);
	fc_session_kill(v, s);
	return true;
}

void fc_heir_withdraw(struct fc_supervisor *v, const struct fc_session *parent)
{
	for (unsigned i = 0; i < v->used; i++)
		if (waits(&v->session[i]) && v->session[i].parent == parent->id)
			withdraw(v, &v->session[i]);
}

bool fc_heirs_withdraw(struct fc_supervisor *v, uid_t payer)
{
	bool any = false;

	for (unsigned i = 0; i < v->used; i++)
		if (waits(&v->session[i]) && v->session[i].payer == payer)
			any = withdraw(v, &v->session[i]) || any;
	return any;
}

/* The beginning of the next message; descriptors that it brings are left out. */
static long head_of(int sock, void *at, size_t size, int flags)
{
	struct iovec iov = { at, size };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	return fc_call(SYS_recvmsg, sock, &m, flags | MSG_DONTWAIT);
}

/* What nobody will take any more keeps files open. */
static void clear_way(const struct fc_session *parent)
{
	char byte = 0;

	for (int i = 0; i < FC_WAY_MOST && head_of(parent->way, &byte, sizeof byte, 0) > 0; i++)
		;
}

void fc_heir_buried(struct fc_supervisor *v, const struct fc_session *s)
{
	struct fc_msg m = { .type = FC_LINK_HEIR, .arg = { s->id } };
	struct fc_session *parent = s->heir ? parent_of(v, s) : NULL;

	if (!parent || fc_load(&slot_of(v, s)->heir) == FC_HEIR_ANSWERED(s->id))
		return;
	clear_way(parent);
	set_next(v, parent, FC_NEXT_NONE);
	if (fc_control_send(parent->link.fd, &m, NULL, NULL, 0, MSG_DONTWAIT) < 0)
		fc_session_kill(v, parent);
}

bool fc_heir_is_free(const struct fc_session *s)
{
	struct fc_msg m = { .type = 0 };

	/* a shadow that says it has said nothing else before: its client has not asked for anything */
	return s->link.fd >= 0 && head_of(s->link.fd, &m, sizeof m, MSG_PEEK) == sizeof m && m.type == FC_LINK_FREE;
}

void fc_heir_returned(struct fc_supervisor *v, struct fc_session *s)
{
	struct fc_session *parent = parent_of(v, s);
	unsigned kept = 0;

	if (parent)
		kept_by(v, parent, &kept);
	/* only its shadow says that nothing has been done there: if that is not so, it is for whoever has the same identity, and the same parent */
	if (!parent || s->owner || s->way >= 0 || s->cred_serial || kept >= FC_KEPT_MOST) {
		fc_session_kill(v, s);
		return;
	}
	fc_session_clear(v, s);
	s->state = FC_SESSION_KEPT;
	s->parent = parent->id;
	s->payer = parent->payer;
	slot_of(v, s)->owner = parent->payer;
	slot_of(v, s)->held[FC_TASKS] = FC_TASKS_HEIR;
	rest(v, s);
	fc_gone_tell(v);
}

/* ---- meanwhile ---- */

void fc_heirs_look(struct fc_supervisor *v)
{
	const uint64_t now = v->heirs ? fc_now_ms() : 0;

	for (unsigned i = 0; v->heirs && i < v->used; i++) {
		struct fc_session *s = &v->session[i], *parent;

		if (!waits(s))
			continue;
		if (s->state == FC_SESSION_KEPT || fc_load_acquire(&slot_of(v, s)->heir) != FC_HEIR_ANSWERED(s->id)) {
			if (now >= s->unused_since_ms + FC_HEIR_IDLE_MS) /* it may have been begun only now */
				withdraw(v, s);
			continue;
		}
		v->heirs--;
		v->attached++;
		s->state = FC_SESSION_LIVE;
		s->heir = s->unused = false;
		parent = parent_of(v, s);
		if (parent)
			fc_heir_offer(v, parent);
	}
}

int fc_heirs_due_ms(const struct fc_supervisor *v)
{
	uint64_t now, due = UINT64_MAX;

	if (!v->heirs)
		return -1;
	for (unsigned i = 0; i < v->used; i++) {
		const struct fc_session *s = &v->session[i];

		if (waits(s) && s->unused_since_ms + FC_HEIR_IDLE_MS < due)
			due = s->unused_since_ms + FC_HEIR_IDLE_MS;
	}
	now = fc_now_ms();
	return due > now ? (int)(due - now) : 0;
}
