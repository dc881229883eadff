/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hook_touch.c - a preloaded object that has changed the C library's text before the hook is put in, as others do that rewrite code. The
 * hook's constructor is the first of all, so this is done where a function's implementation is chosen, when the object is
 * relocated.
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>

static long call(long nr, long a, long b, long c)
{
	__asm__ volatile("syscall" : "+a"(nr) : "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return nr;
}

static void nothing(void)
{
}

static void (*choose(void))(void)
{
	volatile char *at = (volatile char *)(uintptr_t)&qsort;
	long page = (long)((uintptr_t)at & ~4095ul);

	if (call(SYS_mprotect, page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC) == 0)
		*at = *at; /* a copy of its own is what counts */
	call(SYS_mprotect, page, 4096, PROT_READ | PROT_EXEC);
	return nothing;
}

void hook_touch(void) __attribute__((ifunc("choose")));
void (*const hook_touch_pointer)(void) = hook_touch;
