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

#define FC_RAW_SELECT(_0, _1, _2, _3, _4, _5, _6, name, ...) name
#define fc_call(...) FC_RAW_SELECT(__VA_ARGS__, fc_c6, fc_c5, fc_c4, fc_c3, fc_c2, fc_c1, fc_c0)(__VA_ARGS__)
#define fc_c0(n) fc_raw(n, 0, 0, 0, 0, 0, 0)
#define fc_c1(n, a) fc_raw(n, (long)(a), 0, 0, 0, 0, 0)
#define fc_c2(n, a, b) fc_raw(n, (long)(a), (long)(b), 0, 0, 0, 0)
#define fc_c3(n, a, b, c) fc_raw(n, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define fc_c4(n, a, b, c, d) fc_raw(n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define fc_c5(n, a, b, c, d, e) fc_raw(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define fc_c6(n, a, b, c, d, e, f) fc_raw(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

#endif
