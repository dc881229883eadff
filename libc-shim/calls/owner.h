/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* owner.h - whom a remote file's signals go to: F_SETOWN and its kin, and leases. */
#ifndef FC_SHIM_OWNER_H
#define FC_SHIM_OWNER_H

#include <stdbool.h>
#include <stdint.h>

struct shim_process;

bool shim_owner_has(int cmd); /* is it one of those? */
/* fcntl(fd, cmd, arg) with one of them; w is the descriptor's word. Kernel results. */
long shim_owner_fcntl(struct shim_process *p, int fd, uint64_t w, int cmd, long arg);

#endif
