/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * audit.c - libfarcall-audit.so, which glibc's dynamic linker loads before any library of the program (LD_AUDIT, rtld-audit(7)). As soon as
 * libfarcall.so is mapped, which as a preload object comes before what the program needs, it is told to start (early.c): so the linker finds
 * libraries that lie on an export. It does nothing else, and watches nobody.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHIM "libfarcall.so"
#define OFFERED __attribute__((visibility("default")))

static char **environment;
static bool done;

OFFERED unsigned la_version(unsigned version);
OFFERED unsigned la_objopen(struct link_map *map, Lmid_t space, uintptr_t *cookie);

/* glibc gives constructors the environment, and calls them before la_version. */
__attribute__((constructor)) static void take_environment(int argc, char **argv, char **envp)
{
	(void)argc;
	(void)argv;
	environment = envp;
}

unsigned la_version(unsigned version)
{
	return version < LAV_CURRENT ? version : LAV_CURRENT;
}

static bool is_shim(const struct link_map *map)
{
	const char *name = NULL, *want = SHIM;
	uintptr_t strings = 0;
	uint64_t at = 0;

	for (const ElfW(Dyn) *d = map->l_ld; d && d->d_tag != DT_NULL; d++) {
		if (d->d_tag == DT_STRTAB) /* the linker may have added the address already */
			strings = d->d_un.d_ptr < map->l_addr ? map->l_addr + d->d_un.d_ptr : d->d_un.d_ptr;
		else if (d->d_tag == DT_SONAME)
			at = d->d_un.d_val;
	}
	if (!strings || !at)
		return false;
	name = (const char *)(strings + at);
	while (*want && *name == *want) {
		name++;
		want++;
	}
	return *name == *want;
}

unsigned la_objopen(struct link_map *map, Lmid_t space, uintptr_t *cookie)
{
	const ElfW(Ehdr) *header = (const void *)map->l_addr;

	(void)cookie;
	if (done || space != LM_ID_BASE || !is_shim(map) || !header->e_entry)
		return 0;
	done = true;
	((void (*)(char **, int))(map->l_addr + header->e_entry))(environment, 0);
	return 0;
}
