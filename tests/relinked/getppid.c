/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * getppid.c - prints how many instructions the smallest system call takes. They are counted one by one, ptrace(2): what they take in time
 * is lost, on many a machine, in how much the trap itself takes now and then.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALLS 100

/* Of a process that calls it so many times; < 0: it could not be traced. */
static long instructions(int calls)
{
	long n = 0;
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(1);
		raise(SIGSTOP);
		for (int i = 0; i < calls; i++)
			getppid();
		_exit(0);
	}
	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status) && !ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL))
		n++;
	return WIFEXITED(status) && !WEXITSTATUS(status) ? n : -1;
}

int main(void)
{
	long none, all;

	instructions(1); /* what is only done once is done */
	none = instructions(0);
	all = instructions(CALLS);
	if (none < 0 || all < 0)
		return EXIT_FAILURE;
	return printf("%.2f\n", (double)(all - none) / CALLS) < 0;
}
