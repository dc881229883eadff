/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* map_shared.h - shared mappings of files that are not handed over. */
#ifndef FC_SHIM_MAP_SHARED_H
#define FC_SHIM_MAP_SHARED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct shim_process;

/* mmap(a) of the file of descriptor word w, which the caller has found to be allowed: st is the file's, `writable` what the descriptor
 * is. Kernel results; SHIM_OTHER: descriptor a[4] is not w any more. */
long shim_map_shared(struct shim_process *p, uint64_t w, const long a[6], const struct stat *st, bool writable);

/* An mmap with MAP_FIXED of whatever it is, or a munmap: which may take a mapping's place. */
long shim_map_over(long nr, const long a[6]);

bool shim_maps_any(void);
bool shim_maps_in(unsigned domain); /* is there a mapping of a file of that domain? */
void shim_maps_forked(void);        /* in the child */

#endif
