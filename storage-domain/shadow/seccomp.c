/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * seccomp.c - the system calls a shadow may make: those of syscalls.def, and what its threads and its control need. A call outside
 * the list ends the shadow: nothing in it makes one, so whoever does has taken it over.
 *
 * Rules about hot calls never look at arguments, so that the kernel answers for them from its bitmap and does not run
 * the filter.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/fiemap.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/rawcall.h"
#include "storage-domain/supervisor/confine.h"
#include "storage-domain/fence.h"
#include "storage-domain/log.h"
#include "storage-domain/shadow/shadow_main.h"
#include "storage-domain/crew/worker.h"

static const int allowed[] = {
/* what requests are made of */
#define SYSCALL(name, ...) SYS_##name,
#include "farcall/syscalls.def"
	SYS_name_to_handle_at,
	SYS_dup3,
	SYS_close_range,
	/* memory and threads */
	SYS_munmap,
	SYS_madvise,
	SYS_mremap,
	SYS_brk,
	SYS_futex,
	SYS_futex_waitv,
	SYS_set_robust_list,
	SYS_rseq,
	SYS_exit,
	SYS_exit_group,
	SYS_getrandom,
	SYS_getpid,
	SYS_gettid,
	SYS_wait4,
	SYS_sched_getaffinity,
	SYS_sched_yield,
	SYS_getcpu,
	/* time */
	SYS_clock_gettime,
	SYS_clock_nanosleep,
	SYS_nanosleep,
	/* signals: a worker is interrupted by one */
	SYS_rt_sigaction,
	SYS_rt_sigprocmask,
	SYS_rt_sigreturn,
	SYS_restart_syscall,
	SYS_rt_sigtimedwait,
	/* control */
	SYS_sendmsg,
	SYS_recvmsg,
	SYS_shutdown,
	SYS_poll,
	SYS_ppoll,
	SYS_setsockopt,
	/* errands */
	SYS_bind,
	SYS_inotify_add_watch,
	SYS_getsockopt,
	/* identity */
	SYS_setfsuid,
	SYS_setfsgid,
	SYS_setgroups,
	SYS_capget,
	SYS_capset,
#ifdef FC_FENCE_SANITIZED
	SYS_gettimeofday,
	SYS_membarrier,
	SYS_getppid,
	SYS_readv,
	SYS_rt_sigpending,
	SYS_rt_sigsuspend,
	SYS_sigaltstack,
	SYS_writev,
#endif
};

static const unsigned allowed_ioctl[] = {
#define IOCTL(request, kind) request,
#include "farcall/ioctls.def"
};

static const int allowed_prctl[] = { PR_SET_NAME, PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_TIMERSLACK };

#define FC_CLONE_NAMESPACES \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

static struct sock_fprog program;

static int add_ioctls(scmp_filter_ctx ctx, const unsigned *request, size_t count)
{
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SYS_ioctl, 1,
				     SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff, request[i]));
	return r;
}

/* Calls that are allowed with one argument as it must be. */
static int add_conditional(scmp_filter_ctx ctx)
{
	const struct {
		int nr;
		struct scmp_arg_cmp when;
	} rule[] = {
		/* no code but what was here from the start */
		{ SYS_mmap, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0) },
		{ SYS_mprotect, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0) },
		/* the domain's processes have one user: one may do nothing to another but wake its workers */
		{ SYS_tgkill, SCMP_A2(SCMP_CMP_EQ, FC_WORKER_SIGNAL) },
		{ SYS_prlimit64, SCMP_A0(SCMP_CMP_EQ, 0) },
		{ SYS_sched_setaffinity, SCMP_A0(SCMP_CMP_EQ, 0) },
		{ SYS_getrusage, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)RUSAGE_THREAD) },
		{ SYS_clone, SCMP_A0(SCMP_CMP_MASKED_EQ, FC_CLONE_NAMESPACES, 0) },
		{ SYS_socketpair, SCMP_A0(SCMP_CMP_EQ, AF_UNIX) },
		{ SYS_unshare, SCMP_A0(SCMP_CMP_EQ, CLONE_FS) },
		{ SYS_memfd_create, SCMP_A1(SCMP_CMP_EQ, FC_LEND_FLAGS) },
	};
	int r = 0;

	for (size_t i = 0; i < sizeof rule / sizeof rule[0] && r == 0; i++)
		r = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, rule[i].nr, 1, &rule[i].when);
	for (size_t i = 0; i < sizeof allowed_prctl / sizeof allowed_prctl[0] && r == 0; i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SYS_prctl, 1, SCMP_A0(SCMP_CMP_EQ, allowed_prctl[i]));
	return r;
}

static int add_rules(scmp_filter_ctx ctx)
{
	int r = 0;

	for (size_t i = 0; i < sizeof allowed / sizeof allowed[0] && r == 0; i++)
		if (allowed[i] != SYS_ioctl)
			r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
	if (r == 0)
		r = add_ioctls(ctx, allowed_ioctl, sizeof allowed_ioctl / sizeof allowed_ioctl[0]);
	if (r == 0)
		r = add_conditional(ctx);
	/* its arguments are in memory, out of the filter's sight; the C library then uses clone */
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SYS_clone3, 0);
	return r;
}

/* The filter as the kernel takes it, so that a shadow enters it with one call and no library. */
static int export_program(scmp_filter_ctx ctx)
{
	int fd = memfd_create("filter", MFD_CLOEXEC), r = -1;
	struct stat st;

	if (fd < 0 || seccomp_export_bpf(ctx, fd) || fstat(fd, &st))
		goto out;
	program.filter = malloc(st.st_size);
	program.len = st.st_size / sizeof *program.filter;
	if (program.filter && pread(fd, program.filter, st.st_size, 0) == st.st_size)
		r = 0;
out:
	if (fd >= 0)
		close(fd);
	return r;
}

int fc_fence_build(const unsigned *ioctls, unsigned count)
{
	scmp_filter_ctx ctx = seccomp_init(FC_FENCE_OTHERS);
	int r = -1;

	if (ctx && !seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2) && !add_rules(ctx) &&
	    !add_ioctls(ctx, ioctls, count))
		r = export_program(ctx);
	seccomp_release(ctx);
	if (r)
		fc_log(FC_LOG_ERROR, "cannot build the system call filter");
	return r;
}

int fc_seccomp_enter(void)
{
	return fc_call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}
