/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* trace.h - one strace-style line about a remote call that is over. */
#ifndef FC_SHIM_TRACE_H
#define FC_SHIM_TRACE_H

#include <stdint.h>

struct fc_row;

void shim_trace(const struct fc_row *row, const long a[6], char *const path[2], int64_t result);

#endif
