/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * early.c - dropped into musl's dynamic linker: it has libfarcall.so start as soon as that is mapped (libc-shim/glibc/early.c), which every
 * program needs first, so that the other libraries are looked for on exports, too; and pause before anything is relocated, for then thread-local
 * storage moves. From there on the sites are the system calls that they were, until the constructor has run.
 */
#include <elf.h>
#include <stdint.h>
#include <string.h>

enum { BEGIN = 1, PAUSE }; /* as in libc-shim/hook.h */

typedef void entry(char **environment, int phase);

extern char **__environ;
static entry *shim;

__attribute__((visibility("hidden"))) void farcall_loaded(const char *path, const void *map);
__attribute__((visibility("hidden"))) void farcall_pause(void);

void farcall_loaded(const char *path, const void *map)
{
	const char *slash = strrchr(path, '/');
	const Elf64_Ehdr *header = map;

	if (shim || strcmp(slash ? slash + 1 : path, "libfarcall.so") || !header->e_entry)
		return;
	shim = (entry *)((uintptr_t)map + header->e_entry);
	shim(__environ, BEGIN);
}

void farcall_pause(void)
{
	if (shim)
		shim(__environ, PAUSE);
}
