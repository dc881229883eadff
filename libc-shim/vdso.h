/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vdso.h - the clock and the CPU's number without a system call, where the kernel offers them (vdso(7)); else with one. */
#ifndef FC_SHIM_VDSO_H
#define FC_SHIM_VDSO_H

#include <stdint.h>
#include <time.h>

/* Look for the kernel's functions in its object at `base` (AT_SYSINFO_EHDR), 0 for none: once, in the constructor. */
void shim_vdso_init(unsigned long base);

void shim_vdso_clock(struct timespec *now); /* CLOCK_MONOTONIC */
/* The clock that files' times are set by, which goes on a few hundred times a second: the same number as long as it does not. */
uint64_t shim_vdso_tick(void);
uint32_t shim_vdso_cpu(void); /* the one this thread was on a moment ago */

#endif
