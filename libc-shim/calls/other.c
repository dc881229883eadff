/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * other.c - what other processes have open: their shadows have it, and the domain, which knows whose they are, hands out a descriptor of
 * the same file. Which domain it is in nobody here knows: they are asked one after the other.
 */
#define _GNU_SOURCE
#include "libc-shim/calls/other.h"

#include <errno.h>

#include "common/atomic.h"
#include "libc-shim/calls/remote.h"
#include "libc-shim/process/thread.h"
#include "libc-shim/session/session.h"
#include "libc-shim/shim.h"

#define SINCE_MINOR 2

static int ask(struct shim_process *p, unsigned domain, const struct shim_link *link, struct shim_other *o)
{
	struct shim_lock_state saved;
	struct shim_session *s;
	int r = shim_session_get(p, domain, &s);

	if (r < 0)
		return r;
	if (!shim_transport(s)->other || fc_load(&shim.minor[domain]) < SINCE_MINOR)
		return -ENOENT;
	shim_session_lock(s, &saved);
	r = s->state == SHIM_SESSION_READY ? shim_transport(s)->other(s, link->pid, link->number, shim_procfs_self(), o)
					   : -EIO;
	shim_unlock(&s->lock, &saved);
	return r;
}

/* Those first that this process has a session with: no other is begun if they know. Returns which domain it is, or -errno. */
static int ask_all(struct shim_process *p, const struct shim_link *link, struct shim_other *o)
{
	int r = -ENOENT;

	for (int round = 0; round < 2; round++)
		for (unsigned d = 0; d < shim.config.ndomains; d++) {
			if (shim_is_attached(&p->session[d]) == (round == 1))
				continue;
			int said = ask(p, d, link, o);
			if (said == 0)
				return (int)d;
			if (said != -ENOENT)
				r = said;
		}
	return r;
}

long shim_other_open(struct shim_process *p, const struct shim_link *link, struct shim_other *o)
{
	struct shim_thread *t = shim_self();
	int domain = ask_all(p, link, o), placeholder;

	if (domain < 0)
		return domain;
	t->for_us = true;
	placeholder = shim_placeholder(p, true, 0);
	t->for_us = false;
	if (placeholder < 0) {
		if (o->descriptor >= FC_DOMAIN_FD_FIRST)
			shim_simple(p, (unsigned)domain, SYS_close, o->descriptor, 0, 0);
		return placeholder;
	}
	return shim_install(p, (unsigned)domain, o->descriptor < 0 ? INT64_MAX : o->descriptor, placeholder, 0);
}
