/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kin.h - processes that share something with this one (clone with CLONE_VM, CLONE_FILES or CLONE_FS, but not CLONE_THREAD): kin.c says
 * what that means.
 */
#ifndef FC_SHIM_KIN_H
#define FC_SHIM_KIN_H

#include <stdbool.h>
#include <stddef.h>

struct shim_process;
struct shim_thread;

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

#endif
