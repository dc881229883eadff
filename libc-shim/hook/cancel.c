/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cancel.c - cancellable system calls of a relinked musl (cancel.h). It cancels nobody: it lets musl see that it should. */
#define _GNU_SOURCE
#include "libc-shim/hook/cancel.h"

#include <stddef.h>

#include "libc-shim/hook.h"

fc_cancellable_call *fc_cancel_native;

__thread struct fc_cancellable_state fc_cancellable_now;

long fc_cancellable(const volatile int *cancelled, long nr, long a1, long a2, long a3, long a4, long a5, long a6)
{
	long a[6] = { a1, a2, a3, a4, a5, a6 };

	if (*cancelled)
		return fc_cancel_native(cancelled, nr, a1, a2, a3, a4, a5, a6);
	return fc_dispatch_cancellable(nr, a, cancelled);
}

long fc_call_cancellable(long nr, const long a[6])
{
	long r = fc_cancel_native(fc_cancellable_now.cancelled, nr, a[0], a[1], a[2], a[3], a[4], a[5]);

	fc_check_again();
	return r;
}
