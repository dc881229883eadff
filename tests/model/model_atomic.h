/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model_atomic.h - common/atomic.h for the interleaving checker: every shared access is a step that explore.c schedules. */
#ifndef FC_MODEL_ATOMIC_H
#define FC_MODEL_ATOMIC_H

#include <stdbool.h>
#include <stdint.h>

enum model_rmw { MODEL_ADD, MODEL_OR, MODEL_AND, MODEL_XCHG };

uint64_t model_load(const volatile void *p, unsigned size);
void model_store(volatile void *p, unsigned size, uint64_t v);
uint64_t model_rmw(volatile void *p, unsigned size, enum model_rmw op, uint64_t v);
bool model_cas(volatile void *p, unsigned size, uint64_t expect, uint64_t v);
void model_fence(void);
uint64_t model_now(void); /* in place of the time stamp counter */

/* the type of *p without const */
#define MODEL_T(p) __typeof__((__typeof__(*(p)))0)

#define fc_load(p) ((MODEL_T(p))model_load((p), sizeof(*(p))))
#define fc_load_acquire(p) fc_load(p)
#define fc_store(p, v) model_store((p), sizeof(*(p)), (MODEL_T(p))(v))
#define fc_store_release(p, v) fc_store(p, v)
#define fc_xchg(p, v) ({ (MODEL_T(p)) model_rmw((p), sizeof(*(p)), MODEL_XCHG, (MODEL_T(p))(v)); })
#define fc_faa(p, v) ({ (MODEL_T(p)) model_rmw((p), sizeof(*(p)), MODEL_ADD, (MODEL_T(p))(v)); })
#define fc_fetch_or(p, v) ({ (MODEL_T(p)) model_rmw((p), sizeof(*(p)), MODEL_OR, (MODEL_T(p))(v)); })
#define fc_fetch_and(p, v) ({ (MODEL_T(p)) model_rmw((p), sizeof(*(p)), MODEL_AND, (MODEL_T(p))(v)); })
#define fc_cas(p, expect, v) model_cas((p), sizeof(*(p)), (MODEL_T(p))(expect), (MODEL_T(p))(v))
#define fc_fence() model_fence()
#define fc_pause() ((void)0)

#endif
