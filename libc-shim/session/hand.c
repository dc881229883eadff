/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hand.c - files that a domain on this machine hands over: what has to be the kernel's own is made of these. What is made, others know. */
#include <errno.h>

#include "common/atomic.h"
#include "libc-shim/process/process.h"
#include "libc-shim/session/session.h"
#include "libc-shim/shim.h"
#include "libc-shim/transport/transport.h"

#define SINCE_MINOR 2

int shim_hand(struct shim_process *p, unsigned domain, int descriptor)
{
	struct shim_session *s = &p->session[domain];
	struct shim_lock_state saved;
	int r = -EOPNOTSUPP;

	if (!shim_transport(s)->hand)
		return r;
	shim_session_lock(s, &saved);
	if (s->state == SHIM_SESSION_DEAD || !shim_is_attached(s))
		r = -EIO;
	else if (fc_load(&shim.minor[domain]) >= SINCE_MINOR)
		r = shim_transport(s)->hand(s, descriptor);
	shim_unlock(&s->lock, &saved);
	return r == -ETIMEDOUT ? -EIO : r;
}
