/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* beside.h - a function in a process of its own that shares the caller's memory, for what is a process' alone: its limits, its
 * descriptors. */
#ifndef FC_COMMON_BESIDE_H
#define FC_COMMON_BESIDE_H

/*
 * Call run(arg) in a new process that has our memory, thread-local storage included, and with CLONE_FILES among `flags` our descriptors, else a
 * copy of them; with CLONE_NEWUSER it is in a user namespace of its own; everything else of it is a copy. The calling thread sleeps until it is over,
 * other threads go on. A wait for any child does not find it, unless with __WALL. Signals must be blocked. 0 or -errno; if it is killed, `run` may
 * have got anywhere.
 */
int fc_beside(void (*run)(void *arg), void *arg, unsigned long flags);

#endif
