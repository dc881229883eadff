/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* usercopy.h - what usercopy.S and usercopy.c offer signal.c, and the other way round. */
#ifndef FC_SHIM_HOOK_USERCOPY_H
#define FC_SHIM_HOOK_USERCOPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Copies that are repaired if they fault, as long as the handler is installed and its signals are not blocked. */
size_t fc_copy_raw(void *dst, const void *src, size_t n);
long fc_strncpy_raw(char *dst, const char *src, size_t max);

/* If an instruction at *rip may fault: move *rip to where it goes on, and true. */
bool fc_usercopy_repair(uint64_t *rip);

/* signal.c: nonzero while this thread's faults are repaired. Otherwise fc_signal_ready() may make it so. */
extern __thread unsigned char fc_faults_repaired __attribute__((tls_model("initial-exec")));
bool fc_signal_ready(void);

#endif
