/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lock.h - a futex lock for rare control operations; blocks all signals while held. */
#ifndef FC_SHIM_LOCK_H
#define FC_SHIM_LOCK_H

#include <stdbool.h>
#include <stdint.h>

struct shim_lock {
	uint32_t word;
};
struct shim_lock_state {
	uint64_t mask;
};
void shim_lock(struct shim_lock *l, struct shim_lock_state *saved);
/* The same, if nobody has it: false if somebody does. */
bool shim_try_lock(struct shim_lock *l, struct shim_lock_state *saved);
void shim_unlock(struct shim_lock *l, const struct shim_lock_state *saved);

#endif
