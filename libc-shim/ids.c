/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ids.c - calls that change who the process is. The local kernel decides whether it may; then every attached domain is
 * told on a fresh connection, where its kernel sees for itself, and only then does the call return.
 */
#include <errno.h>
#include <sys/syscall.h>

#include "libc-shim/shim.h"

static void sync_one(struct shim_session *s, uint64_t fsuid, uint64_t fsgid)
{
	struct shim_lock_state saved;

	shim_lock(&s->lock, &saved);
	int sock = shim_connect(s->domain, &s->packet);
	if (sock >= 0) {
		struct fc_msg m = { .type = FC_MSG_CRED, .arg = { s->token[0], s->token[1], fsuid, fsgid } };

		if (fc_control_ask(sock, &m, NULL, NULL, 0, &s->packet) < 0)
			shim_session_fail(s, "it did not follow a change of user");
		fc_packet_drop(&s->packet);
		fc_call(SYS_close, sock);
	} else {
		shim_session_fail(s, "it could not be told about a change of user");
	}
	shim_unlock(&s->lock, &saved);
}

long shim_do_ids(long nr, long a[6])
{
	long r = shim_native(nr, a);
	struct shim_process *p = shim_process();
	bool fs = nr == SYS_setfsuid || nr == SYS_setfsgid;
	uint64_t fsuid = UINT64_MAX, fsgid = UINT64_MAX;

	if (r < 0)
		return r;
	if (fs) { /* these two never fail: ask what holds now */
		fsuid = (uint64_t)fc_call(SYS_setfsuid, -1);
		fsgid = (uint64_t)fc_call(SYS_setfsgid, -1);
	}
	for (unsigned d = 0; d < shim.config.ndomains; d++) {
		if (!shim_is_attached(&p->session[d]))
			continue;
		if (fc_in_vfork_child() && !shim_holds_state(p, d))
			continue; /* the child will attach by itself, as whoever it is then */
		if ((p = shim_process_own()))
			sync_one(&p->session[d], fsuid, fsgid);
		else
			return r;
	}
	return r;
}

long shim_do_umask(long nr, long a[6])
{
	struct shim_process *p = shim_process();
	long old = shim_native(nr, a);
	bool any = false;

	for (unsigned d = 0; d < shim.config.ndomains; d++)
		any |= shim_is_attached(&p->session[d]);
	if (fc_in_vfork_child() && !any)
		return old;
	if (!(p = shim_process_own()))
		return old;
	p->umask = (uint32_t)a[0] & 0777;
	for (unsigned d = 0; d < shim.config.ndomains; d++)
		if (shim_is_attached(&p->session[d]))
			shim_simple(p, d, SYS_umask, a[0], 0, 0);
	return old;
}
