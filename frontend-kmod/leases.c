// SPDX-License-Identifier: GPL-2.0-only
/*
 * leases.c - delegations, as the domain grants them and a process gives them back. What they mean is between those two: the word that says whether one
 * holds is in memory that both have, and the domain takes it away there without us.
 */
#include <linux/slab.h>

#include "kmod.h"

/* @value: what the domain answers. */
static int ask_locked(struct fc_session *session, u16 type, u64 arg0, u64 arg1, u64 value[2])
{
	struct fc_request *request = fc_session_request(session, type, 0);
	int r;

	if (IS_ERR(request))
		return PTR_ERR(request);
	request->wire.arg[0] = arg0;
	request->wire.arg[1] = arg1;
	request->patient = true; /* what is posted is written before a delegation ends */
	r = fc_request_run(session->domain, request);
	if (!r)
		memcpy(value, request->value, sizeof(request->value));
	fc_request_put(request);
	return r;
}

static int ask(struct fc_session *session, u16 type, u64 arg0, u64 arg1, u64 value[2])
{
	int r;

	if (session->domain->minor < FC_XEN_LEASES_SINCE)
		return -EOPNOTSUPP;
	if (mutex_lock_killable(&session->lock))
		return -EINTR;
	r = ask_locked(session, type, arg0, arg1, value);
	mutex_unlock(&session->lock);
	return r;
}

int fc_session_lease(struct fc_session *session, struct fc_ioc_lease *a)
{
	u64 value[2];
	int r = ask(session, FC_XEN_LEASE, a->descriptor, a->wants, value);

	if (!r) {
		a->word = value[0];
		a->bytes = value[1];
	}
	return r;
}

int fc_session_return(struct fc_session *session, const struct fc_ioc_return *a)
{
	u64 value[2];

	return ask(session, FC_XEN_RETURN, a->which, a->word, value);
}
