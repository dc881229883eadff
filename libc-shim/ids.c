/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ids.c - calls that change who the process is. The local kernel decides whether it may; then every attached domain is
 * told, in a way in which a kernel vouches for it, and only then does the call return.
 */
#include <errno.h>
#include <sys/syscall.h>

#include "libc-shim/transport.h"

static void sync_one(struct shim_session *s, uint64_t fsuid, uint64_t fsgid)
{
	struct shim_lock_state saved;

	shim_lock(&s->lock, &saved);
	shim_transport(s)->cred(s, fsuid, fsgid);
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
