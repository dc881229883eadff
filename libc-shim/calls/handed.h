/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* handed.h - remote files for calls that the local kernel is to make. */
#ifndef FC_SHIM_HANDED_H
#define FC_SHIM_HANDED_H

#include <stdint.h>

struct shim_process;

/* shim_hand of what `fd` stands for, which is w. SHIM_OTHER: that is not w any more. */
int shim_hand_on(struct shim_process *p, long fd, uint64_t w);

/* A call whose descriptors are none of the application's: they may lie beyond its limit. */
long shim_dispatch_for_us(long nr, const long a[6]);

/* What is at a path, from a directory, with O_NOFOLLOW or 0, wherever that leads: a descriptor of the local kernel's (O_PATH) for shim_done_with, or -errno
 * as open(2) and shim_hand have it. */
int shim_obtain_at(int dirfd, const char *path, int how);

#endif
