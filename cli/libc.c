/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libc.c - finds our own C library and dynamic linker and has their tables made (libc.h). Decoding is decode.c's. */
#define _GNU_SOURCE
#include "cli/libc.h"

#include <errno.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

#include "cli/sites.h"

struct found {
	char libc[PATH_MAX], linker[PATH_MAX];
};

static int note_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct found *found = arg;
	const char *name = strrchr(info->dlpi_name, '/');

	(void)size;
	if (name && !strcmp(name + 1, "libc.so.6"))
		snprintf(found->libc, sizeof(found->libc), "%s", info->dlpi_name);
	else if (name && !strncmp(name + 1, "ld-linux", 8))
		snprintf(found->linker, sizeof(found->linker), "%s", info->dlpi_name);
	return 0;
}

static struct found found;

bool fc_libc_paths(const char **libc, const char **linker)
{
	if (!found.libc[0])
		dl_iterate_phdr(note_object, &found);
	*libc = found.libc;
	*linker = found.linker;
	return found.libc[0] && found.linker[0];
}

int fc_libc_tables(const char *cache_dir, const char **file)
{
	const char *libc, *linker;
	int r;

	fc_libc_paths(&libc, &linker);
	*file = "libc.so.6";
	if (!found.libc[0])
		return -ENOENT;
	*file = found.libc;
	r = fc_sites_ensure(found.libc, cache_dir, NULL, 0);
	if (r < 0)
		return r;
	*file = "ld-linux-x86-64.so.2";
	if (!found.linker[0])
		return -ENOENT;
	*file = found.linker;
	r = fc_sites_ensure(found.linker, cache_dir, NULL, 0);
	return r < 0 ? r : 0;
}
