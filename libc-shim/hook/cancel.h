/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cancel.h - the system calls at which musl lets a thread be cancelled. musl makes them all in one function, whose program
 * counter its handler of the cancelling signal looks at: in the window between the last look at the flag and the
 * system call it ends the thread, elsewhere it leaves the signal pending and blocked, for whoever looks at the flag next. Its
 * caller takes -EINTR with the flag set for a cancellation.
 *
 * glibc and uClibc-ng cancel wherever a thread is, by unwinding: nothing here is for them.
 */
#ifndef FC_SHIM_HOOK_CANCEL_H
#define FC_SHIM_HOOK_CANCEL_H

#include <stdbool.h>

/* musl's __syscall_cp_asm, and what takes its place */
typedef long fc_cancellable_call(const volatile int *cancelled, long nr, long a1, long a2, long a3, long a4, long a5,
				 long a6);
fc_cancellable_call fc_cancellable __attribute__((visibility("hidden")));

/* what is left of the original: the look at the flag, and the system call in the window */
extern fc_cancellable_call *fc_cancel_native __attribute__((visibility("hidden")));

#endif
