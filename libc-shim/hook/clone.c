/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* clone.c - tells the trampolines which clone, clone3 and vfork calls, and calls of threads that end, must run in place. It makes
 * none itself. */
#define _GNU_SOURCE
#include <linux/sched.h>
#include <sched.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "common/rawcall.h"
#include "libc-shim/hook/trampoline.h"
#include "libc-shim/hook.h"

__thread unsigned fc_vfork_depth;
__thread int fc_vfork_caller;

unsigned fc_clone_class(long nr, const long a[6]) __attribute__((visibility("hidden")));

bool fc_in_vfork_child(void)
{
	return fc_vfork_depth && fc_call(SYS_gettid) != fc_vfork_caller;
}

static unsigned class_vfork(void)
{
	if (!fc_vfork_depth) /* of nested ones the outermost: its children are all children */
		fc_vfork_caller = (int)fc_call(SYS_gettid);
	return FC_CLASS_VFORK;
}

bool fc_clone_arguments(long nr, const long a[6], uint64_t *flags, uint64_t *stack)
{
	struct clone_args args;

	*flags = *stack = 0;
	if (nr == SYS_clone) {
		*flags = (uint64_t)a[0];
		*stack = (uint64_t)a[1];
	} else if (nr == SYS_clone3) {
		/* what the kernel will not like is the kernel's to say */
		if ((uint64_t)a[1] < CLONE_ARGS_SIZE_VER0 ||
		    fc_copy_from_user(&args, (const void *)a[0], CLONE_ARGS_SIZE_VER0))
			return false;
		*flags = args.flags;
		*stack = args.stack ? args.stack + args.stack_size : 0;
	}
	return true;
}

/* Where the new thread's own storage is; null: not to be seen, or this one's. */
static char *tls_of(long nr, const long a[6])
{
	struct clone_args args = { 0 };

	if (nr == SYS_clone)
		args.tls = (uint64_t)a[4];
	else
		fc_copy_from_user(&args, (const void *)a[0], CLONE_ARGS_SIZE_VER0);
	return (char *)args.tls;
}

unsigned fc_clone_class(long nr, const long a[6])
{
	uint64_t flags, stack;
	int r;

	if (nr == SYS_vfork)
		return class_vfork();
	if (nr == SYS_munmap) { /* of a thread's own stack, its last call but one */
		if ((uintptr_t)__builtin_frame_address(0) - (uintptr_t)a[0] < (uintptr_t)a[1]) {
			fc_thread_ends();
			fc_check_no_more();
		}
		return FC_CLASS_NATIVE;
	}
	if (!fc_clone_arguments(nr, a, &flags, &stack))
		return FC_CLASS_NATIVE;
	if ((flags & (CLONE_VM | CLONE_VFORK | CLONE_FILES | CLONE_FS)) == (CLONE_VM | CLONE_VFORK))
		return class_vfork();
	if (!(flags & CLONE_VM) && !stack)
		return FC_CLASS_DISPATCH;
	if (flags & CLONE_VM) {
		if (flags & CLONE_SETTLS)
			fc_thread_storage(tls_of(nr, a));
		fc_signal_before_thread();
	}
	r = fc_clone_prepare(flags, stack);
	return r < 0 ? FC_CLASS_DISPATCH : r ? FC_CLASS_TOLD : FC_CLASS_NATIVE;
}
