/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sandbox.h - what a program has forbidden itself (seccomp(2)). It owns a copy of each filter that was installed since the shim is in the
 * process, and says what they say: of the program's own calls, before one goes to a domain, and of each call that the shim needs itself.
 * What is made ready before a filter closes is shelter.c's.
 *
 * Filters are a thread's. Its children and threads have them too, and so has the image after an exec, which is told of them (inherit.h). Those
 * of before, which `farcall run` itself was under, nobody knows.
 *
 * A call of the program that a filter does not let pass is made natively, with its own number and arguments: the kernel refuses it, sends the
 * signal, asks the supervisor. A call of the shim's that a filter does not let pass is not made: it is replaced, done without, or fails with
 * EPERM. So that a filter forbids a remote file what it forbids a local one, and nothing happens that the program has not asked for.
 */
#ifndef FC_SHIM_SANDBOX_H
#define FC_SHIM_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct shim_process;
struct shim_filter;

/* Would the kernel let the calling thread make that call? Whatever else a filter wants done with it is the kernel's to do. */
bool shim_sandbox_lets_pass(long nr, const long a[6]);

/* Has somebody installed a filter before this was asked first? What it allows is not known, and it may kill for what a program does not need. */
bool shim_sandbox_unknown(void);

/* May the calling thread exchange messages with a domain? */
bool shim_sandbox_talks(void);

/* The calling process is a new one, with one thread. */
void shim_sandbox_forked(void);

/* Has this process made threads? */
bool shim_sandbox_threads(void);

/* May there be others in its memory? */
bool shim_sandbox_crowd(void);

/* ---- for the image after an exec ---- */

/* The calling thread's filters, from the newest to the oldest; null: no more. */
const struct shim_filter *shim_filter_next(const struct shim_filter *f); /* of null: the newest */
const void *shim_filter_code(const struct shim_filter *f, size_t *bytes);

/* Take over a filter of the image before. Returns where its code of so many bytes is to be put; null: no memory. */
void *shim_filter_restore(size_t bytes);
void shim_filters_restored(void);

/* ---- shelter.c ---- */

/* What must be there before the calling thread can do without calls that a filter is going to forbid: sessions, memory, numbers; and the domains know
 * whom they have to look after by themselves. `talks`, `rings`: what it still may. */
void shim_shelter(bool talks, bool rings);
void shim_shelter_undo(void); /* the kernel has not taken the filter: this process goes on talking, if it may */

#endif
