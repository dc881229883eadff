/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fill.h - what is not in the cache (session/cache.h) of a delegated file, and is about to be read: it is brought, with what surrounds it. */
#ifndef FC_SHIM_FILL_H
#define FC_SHIM_FILL_H

#include <stdbool.h>
#include <stdint.h>

struct shim_file;
struct shim_process;

/* True: of `total` bytes at `at` of the file of w, which descriptor fd is, all were in the cache that there are. False: they are better asked for as they
 * are. */
bool shim_fill(struct shim_process *p, int fd, uint64_t w, struct shim_file *f, uint64_t total, uint64_t at);

#endif
