/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * atomic.h - every atomic access to shared memory goes through these macros, so that the interleaving checker
 * (tests/model/) can run the shipped sources step by step. Define FC_ATOMIC_HEADER to replace them.
 */
#ifndef FC_COMMON_ATOMIC_H
#define FC_COMMON_ATOMIC_H

#ifdef FC_ATOMIC_HEADER
#include FC_ATOMIC_HEADER
#else
#define fc_load(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define fc_load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define fc_store(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define fc_store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define fc_xchg(p, v) __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)
#define fc_faa(p, v) __atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST)
#define fc_fetch_or(p, v) __atomic_fetch_or((p), (v), __ATOMIC_SEQ_CST)
#define fc_fetch_and(p, v) __atomic_fetch_and((p), (v), __ATOMIC_SEQ_CST)
/* true if *p was `expect` and is now `v` */
#define fc_cas(p, expect, v)                                                                         \
	({                                                                                           \
		__typeof__(*(p)) fc_e = (expect);                                                    \
		__atomic_compare_exchange_n((p), &fc_e, (v), 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
	})
#define fc_fence() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define fc_pause() __builtin_ia32_pause()
#endif

/* No later load before an earlier one; no instruction on x86. */
#define fc_load_fence() __atomic_thread_fence(__ATOMIC_ACQUIRE)
/* Between this thread and its own signal handlers. */
#define fc_signal_fence() __atomic_signal_fence(__ATOMIC_SEQ_CST)

#endif
