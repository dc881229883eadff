/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libraries.c - what a program's libraries have to do with exports, for execve (libraries.h). It reads and changes nothing else. */
#define _GNU_SOURCE
#include "libc-shim/process/libraries.h"

#include <errno.h>
#include <fcntl.h>

#include "common/libraries.h"
#include "farcall/abi.h"
#include "libc-shim/hook.h"
#include "libc-shim/shim.h"
#include "libc-shim/text.h"

#define AUDIT "libfarcall-audit.so"

bool shim_audit_path(char *to, size_t size, const char *preload)
{
	size_t n = strlen(preload);

	while (n && preload[n - 1] != '/')
		n--;
	if (!n || n + sizeof AUDIT > size)
		return false;
	memcpy(to, preload, n);
	memcpy(to + n, AUDIT, sizeof AUDIT);
	return true;
}

static bool is_remote(const void *arg, const char *path)
{
	(void)arg;
	return fc_path_is_remote(AT_FDCWD, path);
}

/* The variable's value if the string is `name` and then a value; one that is too long for us is left out. */
static const char *value_of(char to[FC_PATH_MAX], const char *string, const char *name)
{
	const size_t n = strlen(name);
	char head[24];

	if (fc_copy_from_user(head, string, n))
		return NULL;
	head[n] = 0;
	if (!shim_starts_with(head, name) || fc_strncpy_from_user(to, string + n, FC_PATH_MAX) < 0)
		return NULL;
	return to;
}

bool shim_libraries_remote(int fd, bool remote, const char *const *environment, long n)
{
	char path[FC_PATH_MAX], preload[FC_PATH_MAX];
	struct fc_libraries l = { .origin = remote, .is_remote = is_remote };

	for (long i = 0; i < n; i++) {
		const char *s;

		if (fc_copy_from_user(&s, &environment[i], sizeof s))
			continue;
		if (!l.library_path)
			l.library_path = value_of(path, s, "LD_LIBRARY_PATH=");
		if (!l.preload)
			l.preload = value_of(preload, s, "LD_PRELOAD=");
	}
	return fc_libraries_remote(&l, fd);
}
