/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* dispatch.c - which handler gets a system call. Regular calls by the shape of their row, irregular ones by name. */
#include <sys/syscall.h>

#include "libc-shim/shim.h"

#define CALLS 512

static shim_handler *handlers[CALLS];

/* what uClibc-ng's threads begin with */
static long shim_do_thread(long nr, long a[6])
{
	fc_thread_begins();
	return shim_native(nr, a);
}

static const struct {
	uint16_t nr;
	shim_handler *handler;
} irregular[] = {
	{ SYS_read, shim_do_read },
	{ SYS_pread64, shim_do_read },
	{ SYS_write, shim_do_write },
	{ SYS_pwrite64, shim_do_write },
	{ SYS_readv, shim_do_vector },
	{ SYS_writev, shim_do_vector },
	{ SYS_preadv, shim_do_vector },
	{ SYS_pwritev, shim_do_vector },
	{ SYS_preadv2, shim_do_vector },
	{ SYS_pwritev2, shim_do_vector },
	{ SYS_copy_file_range, shim_do_copy },
	{ SYS_sendfile, shim_do_copy },
	{ SYS_close, shim_do_close },
	{ SYS_close_range, shim_do_close_range },
	{ SYS_dup, shim_do_dup },
	{ SYS_dup2, shim_do_dup },
	{ SYS_dup3, shim_do_dup },
	{ SYS_fcntl, shim_do_fcntl },
	{ SYS_ioctl, shim_do_ioctl },
	{ SYS_getdents64, shim_do_getdents64 },
	{ SYS_newfstatat, shim_do_fstatat },
	{ SYS_utime, shim_do_times },
	{ SYS_utimes, shim_do_times },
	{ SYS_futimesat, shim_do_times },
	{ SYS_umask, shim_do_umask },
	{ SYS_chdir, shim_do_chdir },
	{ SYS_fchdir, shim_do_fchdir },
	{ SYS_getcwd, shim_do_getcwd },
	/* not storage calls, but they meet descriptors, paths, processes */
	{ SYS_mmap, shim_do_mmap },
	{ SYS_splice, shim_do_splice },
	{ SYS_inotify_add_watch, shim_do_refuse_path },
	{ SYS_name_to_handle_at, shim_do_refuse_path },
	{ SYS_chroot, shim_do_refuse_path },
	{ SYS_fork, shim_do_fork },
	{ SYS_clone, shim_do_fork },
	{ SYS_clone3, shim_do_fork },
	{ SYS_execve, shim_do_execve },
	{ SYS_execveat, shim_do_execve },
	{ SYS_exit_group, shim_do_exit },
	{ SYS_exit, shim_do_exit_thread },
	{ SYS_set_robust_list, shim_do_thread },
	{ SYS_wait4, shim_do_wait },
	{ SYS_waitid, shim_do_wait },
	{ SYS_setuid, shim_do_ids },
	{ SYS_setgid, shim_do_ids },
	{ SYS_setreuid, shim_do_ids },
	{ SYS_setregid, shim_do_ids },
	{ SYS_setresuid, shim_do_ids },
	{ SYS_setresgid, shim_do_ids },
	{ SYS_setfsuid, shim_do_ids },
	{ SYS_setfsgid, shim_do_ids },
	{ SYS_setgroups, shim_do_ids },
	{ SYS_capset, shim_do_ids },
	{ SYS_setrlimit, shim_do_rlimit },
	{ SYS_prlimit64, shim_do_rlimit },
	{ SYS_rt_sigaction, shim_do_rt_sigaction },
	{ SYS_rt_sigprocmask, shim_do_rt_sigprocmask },
};

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
	for (long nr = 0; nr < CALLS; nr++)
		handlers[nr] = regular(nr);
	for (unsigned i = 0; i < sizeof irregular / sizeof irregular[0]; i++)
		handlers[irregular[i].nr] = irregular[i].handler;
}

static long dispatch(long nr, long a[6])
{
	shim_handler *h = likely((unsigned long)nr < CALLS) ? handlers[nr] : NULL;

	shim_frames_check();
	return h ? h(nr, a) : shim_native_fd(nr, a);
}

/* `as`: a, if it is a call at which the thread may be cancelled, else null. A jump may come at any instruction. */
static long dispatch_as(const long *as, long nr, long a[6])
{
	const long *before = fc_cancellable_now.a;
	long r;

	if (unlikely(fc_cancel_pending()))
		shim_frame_hurry(); /* musl's handler of the cancelling signal makes a call */
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
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return dispatch_as(a, nr, a);
}
