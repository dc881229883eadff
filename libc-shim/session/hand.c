/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hand.c - files that a domain on this machine hands over: what has to be the kernel's own is made of these. What is made, others know. */
#include <errno.h>

#include "common/atomic.h"
#include "libc-shim/process/process.h"
#include "libc-shim/process/sandbox.h"
#include "libc-shim/session/session.h"
#include "libc-shim/shim.h"
#include "libc-shim/transport/transport.h"

#define SINCE_MINOR 2
#define PASS_SINCE_MINOR 5
#define MAPS_SINCE_MINOR 7

/* Lock the session of a domain whose transport `can`, and whose version is not before `since`, or -errno: -EOPNOTSUPP if it is not so. */
static int begin(struct shim_process *p, unsigned domain, bool can, unsigned since, struct shim_lock_state *saved)
{
	struct shim_session *s;
	int r = can ? shim_session_get(p, domain, &s) : -EOPNOTSUPP;

	if (r < 0)
		return r;
	if (fc_load(&shim.minor[domain]) < since || !shim_sandbox_talks())
		return -EOPNOTSUPP;
	shim_posts_wait();
	shim_session_lock(s, saved);
	if (s->state != SHIM_SESSION_DEAD)
		return 0;
	shim_unlock(&s->lock, saved);
	return -EIO;
}

static int begin_hand(struct shim_process *p, unsigned domain, unsigned since, struct shim_lock_state *saved)
{
	return begin(p, domain, shim_transport(&p->session[domain])->hand, since, saved);
}

static int end(struct shim_session *s, const struct shim_lock_state *saved, int r)
{
	shim_unlock(&s->lock, saved);
	return r == -ETIMEDOUT ? -EIO : r;
}

int shim_hand(struct shim_process *p, unsigned domain, int descriptor)
{
	struct shim_session *s = &p->session[domain];
	struct shim_lock_state saved;
	int r = begin_hand(p, domain, SINCE_MINOR, &saved);

	return r < 0 ? r : end(s, &saved, shim_transport(s)->hand(s, descriptor));
}

int shim_hand_bind(struct shim_process *p, unsigned domain, int sock, const char *path)
{
	struct shim_session *s = &p->session[domain];
	struct shim_lock_state saved;
	int r = begin_hand(p, domain, SINCE_MINOR, &saved);

	return r < 0 ? r : end(s, &saved, shim_transport(s)->bind(s, sock, path));
}

int shim_hand_watch(struct shim_process *p, unsigned domain, int inotify, int descriptor, uint32_t mask)
{
	struct shim_session *s = &p->session[domain];
	struct shim_lock_state saved;
	int r = begin_hand(p, domain, SINCE_MINOR, &saved);

	return r < 0 ? r : end(s, &saved, shim_transport(s)->watch(s, inotify, descriptor, mask));
}

int shim_hand_pass(struct shim_process *p, unsigned domain, int descriptor, int to, int self)
{
	struct shim_session *s = &p->session[domain];
	struct shim_lock_state saved;
	int r = begin_hand(p, domain, PASS_SINCE_MINOR, &saved);

	return r < 0 ? r : end(s, &saved, shim_transport(s)->pass(s, descriptor, to, self));
}

int shim_hand_claim(struct shim_process *p, unsigned domain, int ticket, struct shim_other *o)
{
	struct shim_session *s = &p->session[domain];
	struct shim_lock_state saved;
	int r = begin_hand(p, domain, PASS_SINCE_MINOR, &saved);

	return r < 0 ? r : end(s, &saved, shim_transport(s)->claim(s, ticket, o));
}

int shim_hand_memory(struct shim_process *p, unsigned domain, size_t size, bool writable, long *at)
{
	struct shim_session *s = &p->session[domain];
	const struct shim_transport *t = shim_transport(s);
	struct shim_lock_state saved;
	int r = begin(p, domain, t->map, MAPS_SINCE_MINOR, &saved);

	return r < 0 ? r : end(s, &saved, t->map(s, size, writable, at));
}

void shim_hand_return(struct shim_process *p, unsigned domain, int number)
{
	struct shim_session *s = &p->session[domain];
	const struct shim_transport *t = shim_transport(s);
	struct shim_lock_state saved;

	if (begin(p, domain, t->unmap, MAPS_SINCE_MINOR, &saved) == 0)
		end(s, &saved, t->unmap(s, number));
}
