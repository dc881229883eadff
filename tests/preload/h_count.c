/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_count.c - the hook with the smallest dispatcher there can be: it counts, and makes every call natively. Together with
 * libc-shim/glibc it is a preload object, for t_hook.sh and for measuring the bare hook.
 *
 * Environment: FC_TEST_SITES, the directory with the site tables; FC_TEST_COUNTS, a file that gets one line "NR COUNT" per
 * number and process at its exit and before each exec. To let strace's output say which calls came through the hook, the
 * constructor ends with a readahead of descriptor -77 whose arguments are the bounds of this object's text.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>

#include "common/atomic.h"
#include "common/rawcall.h"
#include "libc-shim/hook/line.h"
#include "libc-shim/hook/patch.h"
#include "libc-shim/hook.h"

#define NUMBERS 512

static uint32_t count[NUMBERS];
static const char *counts_file;
static bool check;
static int remote_fd = -2; /* for FARCALL_CHECK: what is called remote here */

bool fc_fd_is_remote(int fd)
{
	return fd == remote_fd;
}

bool fc_path_is_remote(int dirfd, const char *path)
{
	static const char prefix[] = "/remote-test/";

	(void)dirfd;
	for (unsigned i = 0; i < sizeof(prefix) - 1; i++)
		if (path[i] != prefix[i])
			return false;
	return true;
}

static void write_counts(void)
{
	long fd;

	if (!counts_file)
		return;
	fd = fc_call(SYS_openat, AT_FDCWD, counts_file, O_WRONLY | O_APPEND | O_CREAT, 0600);
	for (unsigned i = 0; i < NUMBERS; i++) {
		struct fc_line l = { 0 };
		uint32_t n = fc_xchg(&count[i], 0u);

		if (!n)
			continue;
		fc_line_number(&l, i, 10);
		fc_line_char(&l, ' ');
		fc_line_number(&l, n, 10);
		fc_line_end(&l);
		fc_call(SYS_write, fd, l.text, l.n);
	}
	fc_call(SYS_close, fd);
}

/* as the shim's core does, with all signals blocked */
static long forward_fork(long nr, const long a[6])
{
	uint64_t all = ~0ull, mask;
	long r;

	fc_call(SYS_rt_sigprocmask, SIG_SETMASK, &all, &mask, sizeof(mask));
	r = fc_raw(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (!r) {
		for (unsigned i = 0; i < NUMBERS; i++)
			count[i] = 0;
		if (check)
			fc_check_arm();
	}
	fc_call(SYS_rt_sigprocmask, SIG_SETMASK, &mask, 0, sizeof(mask));
	return r;
}

long fc_dispatch(long nr, long a[6])
{
	if ((unsigned long)nr < NUMBERS)
		fc_faa(&count[nr], 1u);
	switch (nr) {
	case SYS_execve:
	case SYS_execveat: {
		long r;

		if (!fc_vfork_depth)
			write_counts();
		fc_signal_before_exec();
		r = fc_raw(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
		fc_signal_after_failed_exec();
		return r;
	}
	case SYS_exit_group:
		if (!fc_vfork_depth)
			write_counts();
		break;
	case SYS_set_robust_list:
		fc_thread_begins();
		break;
	case SYS_rt_sigaction:
		return fc_sys_rt_sigaction(a);
	case SYS_rt_sigprocmask:
		return fc_sys_rt_sigprocmask(a);
	case SYS_clone:
	case SYS_fork:
		return forward_fork(nr, a);
	default:
		break;
	}
	return fc_raw(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

long fc_dispatch_cancellable(long nr, long a[6], const volatile int *cancelled)
{
	(void)cancelled;
	return fc_dispatch(nr, a);
}

void fc_thread_ends(void)
{
}

void fc_thread_storage(char *tls)
{
	(void)tls;
}

int fc_clone_prepare(uint64_t flags, uint64_t stack)
{
	(void)flags, (void)stack;
	return 0;
}

void fc_clone_done(long r)
{
	(void)r;
}

static const char *variable(char **envp, const char *name)
{
	for (; *envp; envp++) {
		unsigned n = 0;

		while (name[n] && (*envp)[n] == name[n])
			n++;
		if (!name[n] && (*envp)[n] == '=')
			return *envp + n + 1;
	}
	return NULL;
}

extern char **environ __attribute__((weak)); /* not yet set in glibc, but the only way in other libraries */

/* Linked to be initialised first: libc's own constructors, and with them getenv, come later. */
__attribute__((constructor)) static void start(int argc, char **argv, char **envp)
{
	const char *dir, *remote;
	int n;

	(void)argc;
	(void)argv;
	if (&environ && environ)
		envp = environ;
	dir = variable(envp, "FC_TEST_SITES");
	remote = variable(envp, "FC_TEST_REMOTE_FD");
	check = variable(envp, "FARCALL_CHECK") != NULL;
	counts_file = variable(envp, "FC_TEST_COUNTS");
	if (remote)
		remote_fd = remote[0] - '0';
	n = fc_hook_install(dir ? dir : "/nonexistent", check);
	if (n < 0)
		fc_call(SYS_exit_group, 99);
	fc_signal_init();
	if (check && fc_check_arm())
		fc_call(SYS_exit_group, 98);
	fc_call(SYS_readahead, -77, fc_shim_text.start, fc_shim_text.end);
}
