/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pass.h - remote directories in messages between clients of one domain. */
#ifndef FC_SHIM_PASS_H
#define FC_SHIM_PASS_H

#include <stdint.h>

#include "libc-shim/process/process.h"

/* What to send in place of the remote descriptor of word w over `sock`: a descriptor for shim_done_with, or -errno. -EOPNOTSUPP: who is at the other
 * end is not known to be a client of that domain. */
int shim_pass(struct shim_process *p, int fd, uint64_t w, int sock);

#endif
