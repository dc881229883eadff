/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cache.h - files in the cache directory: whom they are believed of, and how one comes to be there whole. */
#ifndef FC_CLI_CACHE_H
#define FC_CLI_CACHE_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/uio.h>

/* Can only root or this user have written it? */
bool fc_cache_trusted(const struct stat *st);

/* Make the file `name` in the directory of what the parts hold, one after the other, instead of one that may be there; everybody may read it.
 * It appears whole, by rename; `durable`: also after a crash of the machine. Returns 0 or -errno. */
int fc_cache_write(int dir, const char *name, const struct iovec *part, int parts, bool durable);

#endif
