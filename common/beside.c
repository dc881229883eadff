/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* beside.c - see beside.h. Raw system calls only: the shim uses it too. */
#define _GNU_SOURCE
#include "common/beside.h"

#include <errno.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/rawcall.h"

#define STACK_SIZE 32768

struct errand {
	void (*run)(void *arg);
	void *arg;
};

static __attribute__((noreturn)) void begin(const struct errand *e)
{
	e->run(e->arg);
	for (;;)
		fc_call(SYS_exit, 0);
}

/* As vfork, but on a stack of its own. Nobody gets a signal for its end. Kernel result. */
static long start(unsigned long flags, long stack, const struct errand *e)
{
	register const struct errand *r8 __asm__("r8") = e;
	register void (*r9)(const struct errand *) __asm__("r9") = begin;
	long pid;

	__asm__ volatile("xor	%%edx, %%edx\n\t"
			 "xor	%%r10d, %%r10d\n\t"
			 "syscall\n\t"
			 "test	%%rax, %%rax\n\t"
			 "jnz	1f\n\t"
			 "xor	%%ebp, %%ebp\n\t"
			 "mov	%%r8, %%rdi\n\t"
			 "call	*%%r9\n"
			 "1:"
			 : "=a"(pid)
			 : "a"(SYS_clone), "D"(flags), "S"(stack), "r"(r8), "r"(r9)
			 : "rcx", "rdx", "r10", "r11", "memory", "cc");
	return pid;
}

int fc_beside(void (*run)(void *arg), void *arg, unsigned long flags)
{
	const struct errand e = { run, arg };
	long stack, pid;

	if (flags & ~(unsigned long)(CLONE_FILES | CLONE_NEWUSER)) /* the lowest bits are a signal */
		return -EINVAL;
	flags |= CLONE_VM | CLONE_VFORK;
	if (!fc_may(SYS_clone, (long)flags, 0))
		return -EPERM;
	stack = fc_call(SYS_mmap, 0, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (stack < 0 && stack > -4096)
		return (int)stack;
	pid = start(flags, stack + STACK_SIZE, &e);
	if (pid > 0)
		while (fc_call(SYS_wait4, pid, 0, __WCLONE, 0) == -EINTR)
			;
	fc_call(SYS_munmap, stack, STACK_SIZE);
	return pid < 0 ? (int)pid : 0;
}
