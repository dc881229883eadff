/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fork.h - what of a process is handed over at fork and vfork: fork.c. */
#ifndef FC_SHIM_FORK_H
#define FC_SHIM_FORK_H

#include <stdbool.h>

#include "libc-shim/process/process.h"
#include "libc-shim/process/thread.h"
#include "libc-shim/transport/transport.h"

bool shim_holds_state(const struct shim_process *p, unsigned domain);
void shim_vfork_cleanup(struct shim_thread *t);
int shim_vfork_copy(struct shim_thread *t, struct shim_process **out);
struct shim_process *shim_vfork_process(struct shim_thread *t); /* this vfork child's copy, or null */
struct shim_process *
shim_vfork_view(struct shim_thread *t); /* its own, or that of a parent that is one, too; or null */

/* Before: have a child's shadow made of each session, which are all locked. 0, or why there can be no child now. */
int shim_fork_prepare(struct shim_process *p, struct shim_offspring o[SHIM_DOMAINS]);
/* In the parent, with the result. */
void shim_fork_parent(struct shim_process *p, const struct shim_offspring o[SHIM_DOMAINS], long r);
/* How many of our forebears, and we, were forked in the middle of a remote call. */
extern uint32_t shim_forks_in_calls __attribute__((visibility("hidden")));
/* In the child, which has a copy of our memory. `was`: the record of the thread that has forked. */
void shim_fork_child(struct shim_process *p, struct shim_thread *was, const struct shim_offspring o[SHIM_DOMAINS],
		     bool nested);

/* A copy of a process for one that shares our memory; it has the same sessions still. Null: no memory. */
struct shim_process *shim_copy_make(const struct shim_process *from);
/* In its owner: only what has been made for it is its own. */
void shim_copy_adopt(struct shim_process *copy, const struct shim_offspring o[SHIM_DOMAINS]);
void shim_copy_free(struct shim_process *copy);

#endif
