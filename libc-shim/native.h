/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* native.h - a call made here, for the application. */
#ifndef FC_SHIM_NATIVE_H
#define FC_SHIM_NATIVE_H

#include <errno.h>
#include <stdbool.h>

#include "common/atomic.h"
#include "common/rawcall.h"
#include "libc-shim/hook.h"
#include "libc-shim/session/post.h"
#include "libc-shim/shim.h"

static inline bool shim_is_error(long r)
{
	return r < 0 && r > -4096;
}

static inline long shim_native(long nr, const long a[6])
{
	if (unlikely(fc_load(&shim.posting)))
		shim_posts_tell(nr);
	if (unlikely(fc_is_cancellable(a)))
		return fc_call_cancellable(nr, a);
	return fc_raw(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* process.c: the same for a call that may make a descriptor: for the last ones ours have to make room. */
long shim_native_again(long nr, const long a[6]);
static inline long shim_native_fd(long nr, const long a[6])
{
	long r = shim_native(nr, a);

	return likely(r != -EMFILE) ? r : shim_native_again(nr, a);
}

#endif
