/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* dirent.h - a directory's entry as getdents64(2) gives it. */
#ifndef FC_SHIM_DIRENT_H
#define FC_SHIM_DIRENT_H

#include <stddef.h>
#include <stdint.h>

struct shim_dirent {
	uint64_t inode;
	int64_t offset;
	uint16_t length;
	uint8_t type;
	char name[];
} __attribute__((packed));
#define SHIM_DIRENT_HEAD offsetof(struct shim_dirent, name)

#endif
