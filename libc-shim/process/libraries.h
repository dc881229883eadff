/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libraries.h - programs whose libraries the dynamic linker must find on an export: who they are, and what gets the shim there in time. */
#ifndef FC_SHIM_LIBRARIES_H
#define FC_SHIM_LIBRARIES_H

#include <stdbool.h>
#include <stddef.h>

/* The audit object that belongs to the preload object: beside it. False: there is none. */
bool shim_audit_path(char *to, size_t size, const char *preload);

/* Will the linker look for libraries of this program on an export? The file is `fd`, itself `remote` or not; `environment` is the
 * application's, of n strings. */
bool shim_libraries_remote(int fd, bool remote, const char *const *environment, long n);

#endif
