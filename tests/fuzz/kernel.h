/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kernel.h - a kernel that checks what a worker asks of it, and answers as the input says. It owns the descriptors and the identity
 * that a worker would have. Nothing reaches the real kernel.
 */
#ifndef FC_TESTS_FUZZ_KERNEL_H
#define FC_TESTS_FUZZ_KERNEL_H

#include "storage-domain/crew/worker.h"

#define KERNEL_SKELETON 0x63 /* device number of the domain's root */

void kernel_begin(struct fc_worker *w);

/* A request begins, and has ended with `result`: what it may leave behind is checked. */
void kernel_request(void);
void kernel_result(int64_t result);

#endif
