/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_unhooked.c - makes system calls that no hook sees, on what h_count.c calls remote (descriptor 5, paths under /remote-test) and
 * on other things, for FARCALL_CHECK to report the former. Prints each call's result, to compare with a run without check.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/rawcall.h"

static void on_alarm(int sig)
{
	(void)sig;
}

static void *thread(void *arg)
{
	char c;

	return (void *)fc_call(SYS_pread64, 5, &c, 1, 0, arg); /* reported: threads are watched too */
}

int main(void)
{
	struct sigaction a = { .sa_handler = on_alarm };
	struct {
		long s, ns;
	} nap = { 0, 50000000 };
	int status = 0;
	pthread_t t;
	char b[8];
	long pid;

	dup2(0, 5);
	/* reported */
	printf("%ld\n", fc_call(SYS_openat, AT_FDCWD, "/remote-test/file", O_RDONLY, 0));
	printf("%ld\n", fc_call(SYS_open, "/remote-test/file", O_RDONLY, 0));
	printf("%ld\n", fc_call(SYS_read, 5, b, 1));
	printf("%ld\n", fc_call(SYS_renameat, AT_FDCWD, "/nonexistent", AT_FDCWD, "/remote-test/b"));
	printf("%ld\n", fc_call(SYS_mmap, 0, 4096, 1, 2, 5, 0));
	printf("%ld\n", fc_call(SYS_dup2, 1, 5));
	printf("%ld\n", fc_call(SYS_execve, "/remote-test/program", 0, 0));
	printf("%ld\n", fc_call(SYS_mount, "/nonexistent", "/remote-test/", "ext4", 0, 0));
	printf("%ld\n", fc_call(SYS_close_range, 5, 5, 0));
	/* not reported */
	printf("%ld\n", fc_call(SYS_openat, AT_FDCWD, "/nonexistent/file", O_RDONLY, 0));
	printf("%ld\n", fc_call(SYS_openat, AT_FDCWD, (char *)8, O_RDONLY, 0));
	printf("%ld\n", fc_call(SYS_read, -1, b, 1));
	printf("%d\n", fc_call(SYS_getppid) == getppid());
	/* calls that would go wrong in a signal handler */
	pid = fc_call(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (!pid)
		fc_call(SYS_exit_group, 3);
	fc_call(SYS_wait4, pid, &status, 0, 0);
	printf("clone %d\n", WEXITSTATUS(status));
	sigaction(SIGALRM, &a, NULL);
	ualarm(10000, 0);
	printf("interrupted %d\n", fc_call(SYS_nanosleep, &nap, 0) == -EINTR);
	pthread_create(&t, NULL, thread, NULL);
	pthread_join(t, NULL);
	return 0;
}
