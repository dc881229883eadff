/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kin.h - processes that share something with this one (clone with CLONE_VM, CLONE_FILES or CLONE_FS, but not CLONE_THREAD): kin.c says
 * what that means. And what fork.c offers for it.
 */
#ifndef FC_SHIM_KIN_H
#define FC_SHIM_KIN_H

#include "libc-shim/transport/transport.h"

/* ---- kin.c ---- */

/* The errno of all that cannot be made right */
#define SHIM_NOT_SHARED (-EOPNOTSUPP)

/* Does the calling process share its descriptors with another one? */
bool shim_kin_share_files(const struct shim_process *p);

/* From here on the calling thread has descriptors of its own, and sessions forked for it: before an exec, or a change of user. Its view of
 * the process, or null. */
struct shim_process *shim_kin_part(void);

/* Is the current directory another process' too, or not one with the descriptors? Then no domain may come to hold it, or let go of it. */
bool shim_kin_fix_cwd(struct shim_process *p);

/* In a fork's child: it has none, and memory of its own. */
void shim_kin_forget(void);

/* The record of a thread while there are processes that share our memory, whose thread-local storage may be its parent's. Null: its
 * thread-local one. */
struct shim_thread *shim_kin_self(int tid);
/* The calling process uses this memory, and would leave it behind in an exec if it is one that has another's. Null: it is freed. */
void shim_kin_leaves(void *memory, size_t size);
/* Whose view of descriptors has process `pid`? Null: the first one's. */
struct shim_process *shim_kin_view(int pid);

/* ---- fork.c ---- */

/* Before: have a child's shadow made of each session, which are all locked. 0, or why there can be no child now. */
int shim_fork_prepare(struct shim_process *p, struct shim_offspring o[SHIM_DOMAINS]);
/* In the parent, with the result. */
void shim_fork_parent(struct shim_process *p, const struct shim_offspring o[SHIM_DOMAINS], long r);
/* In the child, which has a copy of our memory. `was`: the record of the thread that has forked. */
void shim_fork_child(struct shim_process *p, struct shim_thread *was, const struct shim_offspring o[SHIM_DOMAINS],
		     bool nested);

/* A copy of a process for one that shares our memory; it has the same sessions still. Null: no memory. */
struct shim_process *shim_copy_make(const struct shim_process *from);
/* In its owner: only what has been made for it is its own. */
void shim_copy_adopt(struct shim_process *copy, const struct shim_offspring o[SHIM_DOMAINS]);
void shim_copy_free(struct shim_process *copy);

#endif
