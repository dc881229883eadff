/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * list.h - which system calls' sites are rewritten, and how the files are called that were made for this list: those of several builds may
 * lie in one cache directory, and a site that another build has left alone must not be missed. Common to the `farcall` command, which
 * makes the files, and the shim, which reads them.
 */
#ifndef FC_SHIM_HOOK_LIST_H
#define FC_SHIM_HOOK_LIST_H

#include <stdint.h>

#include "libc-shim/hook/sites.h"

#define FC_LIST_NAME (2 * FC_BUILD_ID_MAX + 24) /* bytes of a file's name, with its NUL */

/* What the hook does with a site of that number (FC_SITE_UNKNOWN: not known): an enum fc_site_kind, 0 for nothing. The list is syscalls.def and
 * local.def. */
unsigned fc_list_kind(unsigned nr);

/* A hash of the list. */
uint32_t fc_list_hash(void);

/* The name of a file for the library with that build-id, of FC_BUILD_ID_MAX bytes at most, and this list; the suffix has 8 bytes at most. */
void fc_list_name(char to[FC_LIST_NAME], const uint8_t *id, unsigned id_size, const char *suffix);

#endif
