/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libraries.h - whether the dynamic linker will look for libraries of a program on an export: as far as the program's file and its environment
 * tell. It does not open libraries, so one that a local library asks for by a run path of its own goes unseen.
 */
#ifndef FC_COMMON_LIBRARIES_H
#define FC_COMMON_LIBRARIES_H

#include <stdbool.h>

/* The environment's lists, and who knows where a path leads; either list may be null. A path given to `is_remote` is not empty. */
struct fc_libraries {
	const char *library_path, *preload;
	bool origin; /* the program lies on an export itself, and with it what it calls $ORIGIN */
	bool (*is_remote)(const void *arg, const char *path);
	const void *arg;
};

/* Of the ELF program `fd`; what cannot be read asks for nothing. Raw system calls, no malloc, 6 KiB of stack. */
bool fc_libraries_remote(const struct fc_libraries *l, int fd);

/* Is the ELF file `fd` glibc's dynamic linker, which may be executed to load a program that it is told the name of? */
bool fc_libraries_is_linker(int fd);

#endif
