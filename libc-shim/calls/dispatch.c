/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dispatch.c - which handler gets a system call: the one that syscalls.def or local.def names, else by the shape of the row. It knows no
 * single call.
 */
#include <sys/syscall.h>

#include "common/atomic.h"
#include "farcall/wire.h"
#include "libc-shim/calls/handlers.h"
#include "libc-shim/native.h"
#include "libc-shim/calls/path.h"
#include "libc-shim/hook.h"
#include "libc-shim/process/sandbox.h"
#include "libc-shim/process/thread.h"
#include "libc-shim/shim.h"

#define PASS NULL
#define REFUSE(error) shim_do_local
#define BY(handler) shim_do_##handler
#define CLIENT(name, handler) [SYS_##name] = BY(handler),
#define LOCAL(nr, name, site, handler, ...) [nr] = handler,

static shim_handler *handlers[FC_NUMBERS] = {
#include "farcall/syscalls.def"
#include "farcall/local.def"
};

/* what uClibc-ng's threads begin with */
long shim_do_thread(long nr, long a[6])
{
	fc_thread_begins();
	return shim_native(nr, a);
}

long shim_do_rt_sigaction(long nr, long a[6])
{
	(void)nr;
	return fc_sys_rt_sigaction(a);
}

long shim_do_rt_sigprocmask(long nr, long a[6])
{
	(void)nr;
	return fc_sys_rt_sigprocmask(a);
}

static shim_handler *regular(long nr)
{
	long none[6] = { 0 };
	const struct fc_row *row = shim_canonical(nr, none, none);

	if (!row)
		return NULL;
	for (int i = 0; i < 6; i++)
		if (row->arg[i].kind == FC_KIND_PATH || row->arg[i].kind == FC_KIND_PATH_OPT)
			return shim_do_path;
	return row->arg[0].kind == FC_KIND_FD ? shim_do_fd : NULL;
}

void shim_handlers_init(void)
{
	for (long nr = 0; nr < FC_NUMBERS; nr++)
		if (!handlers[nr])
			handlers[nr] = regular(nr);
}

long shim_dispatch(long nr, long a[6])
{
	shim_handler *h = likely((unsigned long)nr < FC_NUMBERS) ? handlers[nr] : NULL;

	shim_frames_check();
	return h ? h(nr, a) : shim_native_fd(nr, a);
}

/* What the program has forbidden itself goes to the kernel, wherever its file is: to be refused, trapped or punished there. */
static long dispatch(long nr, long a[6])
{
	if (unlikely(fc_guard != NULL) && !shim_sandbox_lets_pass(nr, a))
		return shim_native(nr, a);
	return shim_dispatch(nr, a);
}

/* `as`: a, if it is a call at which the thread may be cancelled, else null. A jump may come at any instruction. */
__attribute__((noinline)) static long dispatch_as(const long *as, long nr, long a[6])
{
	const long *before = fc_cancellable_now.a;
	long r;

	if (unlikely(fc_cancel_pending()))
		shim_frame_interrupt(); /* musl's handler of the cancelling signal makes a call */
	fc_cancellable_now.a = as;
	r = dispatch(nr, a);
	fc_cancellable_now.a = before;
	return r;
}

long fc_dispatch(long nr, long a[6])
{
	if (likely(!fc_cancellable_now.a))
		return dispatch(nr, a);
	return dispatch_as(NULL, nr, a);
}

long fc_dispatch_cancellable(long nr, long a[6], const volatile int *cancelled)
{
	fc_cancellable_now.cancelled = cancelled; /* the same for all calls of a thread */
	fc_signal_fence();
	return dispatch_as(a, nr, a);
}
