/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rawcall.h - a system call instruction of our own: no errno, no cancellation, never hooked. Returns -errno. */
#ifndef FC_COMMON_RAWCALL_H
#define FC_COMMON_RAWCALL_H

static inline __attribute__((always_inline)) long fc_raw(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

/*
 * fc_call: a call of our own. In the shim a program may have forbidden itself, and so us, what we would call (sandbox.h): then a guard is set, who
 * makes of it what can be made, and never lets the kernel see what it would punish. fc_raw is for what the program itself has called.
 */
#ifdef FC_SHIM
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct fc_guard {
	long (*call)(long nr, const long a[6]); /* kernel result; -EPERM: it has not been made */
	bool (*allows)(long nr, const long a[6]);
	uint64_t (*tsc)(void);
	bool (*clock)(struct timespec *now); /* false: ask the system */
};
extern const struct fc_guard *fc_guard
	__attribute__((visibility("hidden"))); /* hook/guard.c; null until there is a sandbox */

static inline __attribute__((always_inline)) long fc_own(long nr, long a, long b, long c, long d, long e, long f)
{
	if (__builtin_expect(fc_guard != 0, 0))
		return fc_guard->call(nr, (const long[6]){ a, b, c, d, e, f });
	return fc_raw(nr, a, b, c, d, e, f);
}

/* Would it be made? For those that cannot go through fc_call. */
static inline bool fc_may(long nr, long a, long b)
{
	return __builtin_expect(!fc_guard, 1) || fc_guard->allows(nr, (const long[6]){ a, b });
}
#else
#define fc_own fc_raw
#define fc_may(nr, a, b) 1
#endif

#define FC_RAW_SELECT(_0, _1, _2, _3, _4, _5, _6, name, ...) name
#define fc_call(...) FC_RAW_SELECT(__VA_ARGS__, fc_c6, fc_c5, fc_c4, fc_c3, fc_c2, fc_c1, fc_c0)(__VA_ARGS__)
#define fc_c0(n) fc_own(n, 0, 0, 0, 0, 0, 0)
#define fc_c1(n, a) fc_own(n, (long)(a), 0, 0, 0, 0, 0)
#define fc_c2(n, a, b) fc_own(n, (long)(a), (long)(b), 0, 0, 0, 0)
#define fc_c3(n, a, b, c) fc_own(n, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define fc_c4(n, a, b, c, d) fc_own(n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define fc_c5(n, a, b, c, d, e) fc_own(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define fc_c6(n, a, b, c, d, e, f) fc_own(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

#endif
