/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sites.h - the cache of site tables: one file per build-id of a C library or dynamic loader, made when first needed. What
 * is in a table is decode.h's business, its format libc-shim/hook/sites.h's.
 */
#ifndef FC_CLI_SITES_H
#define FC_CLI_SITES_H

#include <stddef.h>

/* Make sure that `cache_dir` holds the table of the ELF file `elf_path`, and store the table's path in out (of `size`
 * bytes, may be null). The directory is made if only its last component is missing: 0755 for root, 0700 otherwise.
 * Nobody but root and the effective user may be able to write to it or to the table; a table that fails this, or is
 * damaged or outdated, is made anew, and a directory that fails it is refused. Concurrent callers are fine: a table
 * appears whole, by rename. Returns the number of sites, or -errno: -EPERM for a directory that is not to be trusted,
 * -EINVAL or -ENODATA for a file that is no x86-64 ELF file or has no build-id, what open, read and rename said.
 * Logs nothing. Not for signal handlers. */
int fc_sites_ensure(const char *elf_path, const char *cache_dir, char *out, size_t size);

#endif
