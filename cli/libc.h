/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libc.h - site tables for the C library and dynamic linker that commands use: those that this very program uses. (A
 * command that brings its own gets a line on stderr from the shim, which finds no table for it.)
 */
#ifndef FC_CLI_LIBC_H
#define FC_CLI_LIBC_H

#include <stdbool.h>

/* Make sure that `cache_dir` has both tables. Returns 0, or -errno with what it was about in *file. */
int fc_libc_tables(const char *cache_dir, const char **file);

/* Where they are. False if they cannot be found. */
bool fc_libc_paths(const char **libc, const char **linker);

#endif
