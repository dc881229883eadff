/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ids.c - calls that change who the process is. The local kernel decides whether it may; then every attached domain is
 * told, in a way in which a kernel vouches for it, and only then does the call return.
 *
 * From before the change until the domains know, the sessions are locked: a control message in between would come from somebody who
 * is not the session's, which ends it. Threads that the C library has make the call too, do it in a signal handler; signals are
 * blocked while a session is locked, so none of them holds what another waits for.
 */
#include <errno.h>
#include <sys/syscall.h>

#include "common/rawcall.h"
#include "libc-shim/calls/handlers.h"
#include "libc-shim/native.h"
#include "libc-shim/calls/remote.h"
#include "libc-shim/hook.h"
#include "libc-shim/lock.h"
#include "libc-shim/process/fork.h"
#include "libc-shim/process/kin.h"
#include "libc-shim/process/process.h"
#include "libc-shim/session/session.h"
#include "libc-shim/shim.h"
#include "libc-shim/transport/transport.h"

static void lock(struct shim_session *s, struct shim_lock_state *saved)
{
	shim_session_enter(s, saved);
	/* a thread that only follows the others has said nothing since they have changed */
	if (shim_is_attached(s) && shim_session_speaks(s))
		shim_transport(s)->settle(s);
}

static void tell_all(struct shim_process *p, long nr)
{
	uint64_t fsuid = UINT64_MAX, fsgid = UINT64_MAX;

	if (nr == SYS_setfsuid || nr == SYS_setfsgid) { /* these two never fail: ask what holds now */
		fsuid = (uint64_t)fc_call(SYS_setfsuid, -1);
		fsgid = (uint64_t)fc_call(SYS_setfsgid, -1);
	}
	for (unsigned d = 0; d < shim.config.ndomains; d++) {
		struct shim_session *s = &p->session[d];

		if (shim_is_attached(s) && shim_transport(s)->cred(s, fsuid, fsgid) == 0)
			s->ruid = (uint32_t)fc_call(SYS_getuid);
	}
}

long shim_do_ids(long nr, long a[6])
{
	/* a vfork child gets sessions of its own while it still is who its parent is, for it asks on its parent's */
	struct shim_process *p = shim_process_own();
	struct shim_lock_state saved[SHIM_DOMAINS];

	if (p && shim_kin_share_files(p))
		p = shim_kin_part();
	if (!p)
		return -EAGAIN;
	for (unsigned d = 0; d < shim.config.ndomains; d++)
		lock(&p->session[d], &saved[d]);
	long r = shim_native(nr, a);
	if (r >= 0)
		tell_all(p, nr);
	shim_sessions_unlock(p, saved);
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
