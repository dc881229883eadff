/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lock.c - a futex lock for rare control operations (attach, grow, fork). Signals stay blocked while it is held. */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <signal.h>
#include <sys/syscall.h>

#include "common/atomic.h"
#include "common/rawcall.h"
#include "libc-shim/lock.h"

void shim_lock(struct shim_lock *l, struct shim_lock_state *saved)
{
	uint64_t all = ~0ull;

	fc_call(SYS_rt_sigprocmask, SIG_SETMASK, &all, &saved->mask, sizeof all);
	if (fc_cas(&l->word, 0u, 1u))
		return;
	while (fc_xchg(&l->word, 2u))
		fc_call(SYS_futex, &l->word, FUTEX_WAIT, 2, 0);
}

bool shim_try_lock(struct shim_lock *l, struct shim_lock_state *saved)
{
	uint64_t all = ~0ull;

	fc_call(SYS_rt_sigprocmask, SIG_SETMASK, &all, &saved->mask, sizeof all);
	if (fc_cas(&l->word, 0u, 1u))
		return true;
	fc_call(SYS_rt_sigprocmask, SIG_SETMASK, &saved->mask, 0, sizeof saved->mask);
	return false;
}

void shim_unlock(struct shim_lock *l, const struct shim_lock_state *saved)
{
	if (fc_xchg(&l->word, 0u) == 2)
		fc_call(SYS_futex, &l->word, FUTEX_WAKE, 1);
	fc_call(SYS_rt_sigprocmask, SIG_SETMASK, &saved->mask, 0, sizeof saved->mask);
}
