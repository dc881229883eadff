/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* patch.h - what patch.c tells the rest of the hook. */
#ifndef FC_SHIM_GLIBC_PATCH_H
#define FC_SHIM_GLIBC_PATCH_H

#include <stdint.h>

/* our own executable segment, known after fc_hook_install: system calls made in it are never hooked */
struct fc_text {
	uintptr_t start, end;
};
extern struct fc_text fc_shim_text;

#endif
