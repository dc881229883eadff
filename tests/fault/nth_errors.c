/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nth_errors.c - which errnos a system call may well fail with, whatever its arguments (nth.h). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "farcall/numbers.h"
#include "tests/fault/nth.h"

#define ERRORS_MAX 5

static const struct {
	long nr;
	int errors[ERRORS_MAX];
} row[] = {
	{ SYS_accept4, { EMFILE, ENFILE, ENOMEM, ECONNABORTED } },
	{ SYS_clone, { EAGAIN, ENOMEM } },
	{ SYS_clone3, { EAGAIN, ENOMEM } },
	{ SYS_close, { EINTR } }, /* it is closed all the same */
	{ SYS_close_range, { ENOMEM, EMFILE } },
	{ SYS_connect, { EAGAIN, ECONNREFUSED, EINTR } },
	{ SYS_dup, { EMFILE } },
	{ SYS_dup2, { EINTR, EMFILE } },
	{ SYS_dup3, { EINTR, EMFILE } },
	{ SYS_epoll_ctl, { ENOMEM, ENOSPC } },
	{ SYS_epoll_wait, { EINTR } },
	{ SYS_eventfd2, { EMFILE, ENFILE, ENOMEM } },
	{ SYS_execve, { ENOMEM, EAGAIN, E2BIG } },
	{ SYS_execveat, { ENOMEM, EAGAIN, E2BIG } },
	{ SYS_fcntl, { EMFILE, ENOMEM, EPERM } }, /* but see nth_fails */
	{ SYS_fork, { EAGAIN, ENOMEM } },
	{ SYS_ftruncate, { ENOMEM, ENOSPC, EFBIG, EINTR } },
	{ SYS_futex_waitv, { EAGAIN, EINTR } },
	{ SYS_getrandom, { EINTR } },
	{ SYS_lseek, { EIO } },
	{ SYS_madvise, { ENOMEM, EAGAIN, EINVAL } },
	{ SYS_memfd_create, { EMFILE, ENFILE, ENOMEM } },
	{ SYS_mmap, { ENOMEM, EAGAIN } },
	{ SYS_mprotect, { ENOMEM } },
	{ SYS_munmap, { ENOMEM } },
	{ SYS_nanosleep, { EINTR } },
	{ SYS_openat, { EMFILE, ENFILE, ENOMEM } },
	{ SYS_openat2, { EMFILE, ENFILE, ENOMEM, EAGAIN } },
	{ SYS_pidfd_open, { EMFILE, ENOMEM, ESRCH } },
	{ SYS_pidfd_send_signal, { ESRCH } },
	{ SYS_poll, { EINTR, ENOMEM } },
	{ SYS_pread64, { EIO, EINTR } },
	{ SYS_pwrite64, { ENOSPC, EIO } },
	{ SYS_read, { EIO, EINTR } },
	{ SYS_recvmsg, { EINTR, ENOMEM, ECONNRESET } },
	{ SYS_sendmsg, { EINTR, ENOBUFS, ETOOMANYREFS, EPIPE } },
	{ SYS_sendto, { EINTR, ENOBUFS, ENOMEM } },
	{ SYS_socket, { EMFILE, ENFILE, ENOMEM } },
	{ SYS_socketpair, { EMFILE, ENFILE, ENOMEM } },
	{ SYS_vfork, { EAGAIN, ENOMEM } },
	{ SYS_wait4, { EINTR } },
	{ SYS_waitid, { EINTR } },
	{ SYS_write, { ENOSPC, EAGAIN, EINTR } },
	{ SYS_writev, { EAGAIN, EINTR } },
};

/*
 * What cannot fail with the arguments that it gets: it asks the kernel for a number it has, or sets what is always allowed. glibc takes
 * some of these for impossible as well and aborts, a futex wake has nothing to fail by, and fstat is asked about descriptors of our own only. What ends a process or a handler does not return.
 */
static const long never[] = {
	SYS_alarm,       SYS_arch_prctl,      SYS_brk,       SYS_clock_gettime,   SYS_clock_nanosleep, SYS_exit,
	SYS_exit_group,  SYS_futex,           SYS_getcpu,    SYS_getegid,         SYS_geteuid,         SYS_getgid,
	SYS_getpid,      SYS_getppid,         SYS_getresgid, SYS_getresuid,       SYS_gettid,          SYS_getuid,
	SYS_fstat,       SYS_restart_syscall, SYS_rseq,      SYS_rt_sigaction,    SYS_rt_sigprocmask,  SYS_rt_sigreturn,
	SYS_sched_yield, SYS_setfsgid,        SYS_setfsuid,  SYS_set_robust_list, SYS_set_tid_address, SYS_umask,
};

const int *nth_errors(long nr, bool socket)
{
	static const int socket_read[] = { EINTR, 0 }, socket_write[] = { EINTR, ENOBUFS, 0 };
	static const int other[] = { ENOMEM, EPERM, 0 };

	for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
		if (never[i] == nr)
			return NULL;
	if (socket && nr == SYS_read)
		return socket_read;
	if (socket && nr == SYS_write)
		return socket_write;
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++)
		if (row[i].nr == nr)
			return row[i].errors;
	return other;
}

bool nth_fails(long nr, const uint64_t arg[6])
{
	if (nr == SYS_fcntl && (arg[1] == F_GETFD || arg[1] == F_SETFD || arg[1] == F_GETFL || arg[1] == F_GET_SEALS))
		return false; /* of a descriptor that there is */
	return nth_errors(nr, false) != NULL;
}

const char *nth_name(long nr)
{
	static const struct {
		long nr;
		const char *name;
	} names[] = {
#define SYSCALL(name, ...) { SYS_##name, #name },
#include "farcall/syscalls.def"
#define NAME(name) { SYS_##name, #name }
		NAME(accept4),     NAME(capget),
		NAME(capset),      NAME(clone),
		NAME(clone3),      NAME(close_range),
		NAME(connect),     NAME(dup2),
		NAME(dup3),        NAME(epoll_ctl),
		NAME(epoll_wait),  NAME(execve),
		NAME(execveat),    NAME(fork),
		NAME(futex_waitv), NAME(getrandom),
		NAME(getsockopt),  NAME(kill),
		NAME(madvise),     NAME(memfd_create),
		NAME(mmap),        NAME(mprotect),
		NAME(munmap),      NAME(nanosleep),
		NAME(pidfd_open),  NAME(pidfd_send_signal),
		NAME(poll),        NAME(prctl),
		NAME(prlimit64),   NAME(recvmsg),
		NAME(seccomp),     NAME(mremap),
		NAME(sendmsg),     NAME(sendto),
		NAME(setgroups),   NAME(setsockopt),
		NAME(sigaltstack), NAME(socket),
		NAME(socketpair),  NAME(unshare),
		NAME(vfork),       NAME(wait4),
		NAME(waitid),
	};
	static char number[24];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (names[i].nr == nr)
			return names[i].name;
	snprintf(number, sizeof number, "call %ld", nr);
	return number;
}
