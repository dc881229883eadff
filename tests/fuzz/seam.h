/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seam.h - included before everything else by the shipped sources that are fuzzed: their raw system calls become the model's. What they
 * call by the C library's name is renamed in their objects (seam.syms). */
#ifndef FC_TESTS_FUZZ_SEAM_H
#define FC_TESTS_FUZZ_SEAM_H

#include "common/rawcall.h"

long fuzz_raw(long nr, long a, long b, long c, long d, long e, long f);
#define fc_raw(nr, a, b, c, d, e, f) fuzz_raw(nr, a, b, c, d, e, f)

#endif
