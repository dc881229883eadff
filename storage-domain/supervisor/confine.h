/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * confine.h - what the kernel lets the domain's processes see and do: their file tree (confine.c) and their system calls
 * (shadow/seccomp.c). Whom they run as is identity.h's. It starts no process.
 */
#ifndef FC_DOMAIN_CONFINE_H
#define FC_DOMAIN_CONFINE_H

#include <stdbool.h>

#include "common/export_spec.h"
#include "storage-domain/shadow/shadow.h"

/* Find out whether this process may do without a user namespace. */
bool fc_confine_privileged(void);

/* Put this (single-threaded) process into a mount namespace of its own whose root shows nothing but the exports at their
 * prefixes; into a user namespace of its own too if not `privileged`. Fills *exports; their roots become descriptors
 * FC_FD_EXPORT..., FC_FD_PROC and FC_FD_PROC_OWN are opened. Returns 0, or -1 after logging one line that says what to do. */
int fc_confine_tree(const struct fc_export_spec *spec, unsigned count, bool privileged, struct fc_exports *exports);

/* Build the shadows' system call filter, with the transport's `ioctls` in it. Once, in the supervisor. Returns 0, or -1 after
 * logging. */
int fc_fence_build(const unsigned *ioctls, unsigned count);

/* From here on the calling (single-threaded) process makes no system call outside the list. Returns 0 or -errno. */
int fc_seccomp_enter(void);

#endif
