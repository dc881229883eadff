/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* other.h - what other processes have open. */
#ifndef FC_SHIM_OTHER_H
#define FC_SHIM_OTHER_H

#include "libc-shim/calls/procfs.h"
#include "libc-shim/process/process.h"
#include "libc-shim/transport/transport.h"

/* A descriptor (O_PATH) for the remote file that another process' link leads to: the application has not been told of it. Its number, or
 * -errno. *o: of the other's. */
long shim_other_open(struct shim_process *p, const struct shim_link *link, struct shim_other *o);

#endif
