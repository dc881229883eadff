/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* path_pair.c - a rename or link between here and there: what the kernel says about two file systems, in its order. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "farcall/wire.h"
#include "libc-shim/calls/handlers.h"
#include "libc-shim/calls/path_call.h"
#include "libc-shim/calls/path_text.h"
#include "libc-shim/shim.h"

/* Does the directory of path k exist? Its own errors come before the pair's. */
static long probe_parent(const struct shim_path_call *pc, int k, uint64_t *device)
{
	char *directory = shim_path_parent(pc, k);
	struct stat st;

	if (!pc->path[k][0])
		return -ENOENT;
	long a[6] = { pc->dirfd[k], (long)(*directory ? directory : "."), (long)&st, 0 };
	long r = shim_dispatch(SYS_newfstatat, a);
	if (r < 0)
		return r;
	*device = st.st_dev;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

static long probe(const struct shim_path_call *pc, int k)
{
	struct stat st;
	long flags = (pc->follow[k] ? 0 : AT_SYMLINK_NOFOLLOW) | (pc->path[k][0] ? 0 : AT_EMPTY_PATH);
	long a[6] = { pc->dirfd[k], (long)pc->path[k], (long)&st, flags };

	return shim_dispatch(SYS_newfstatat, a);
}

/* Is it the root of an export by name, which is in a directory here? */
static bool is_mount(const struct shim_path_call *pc, int k)
{
	const char *last = shim_path_last(pc->path[k]);

	if (last[0] == '.' && (!last[1] || last[1] == '/')) /* it itself, not its name */
		return false;
	for (unsigned i = 0; i < shim.config.nmounts; i++) {
		const char *behind = shim_path_behind(pc->path[k], shim.config.mount[i].prefix);

		if (behind && !*behind)
			return true;
	}
	return false;
}

/* A mount is not renamed, nor does anything take its place: busy, if its name and the other are in one file system. */
static long refuse_rename(const struct shim_path_call *pc)
{
	uint64_t device[2] = { 0, 0 };
	const bool from = is_mount(pc, 0), to = is_mount(pc, 1);
	long r = probe_parent(pc, 0, &device[0]);

	if (r == 0)
		r = probe_parent(pc, 1, &device[1]);
	if (r == 0 && to)
		r = probe(pc, 0);
	if (r < 0)
		return r;
	return (from || to) && device[0] == device[1] ? -EBUSY : -EXDEV;
}

long shim_path_refuse_pair(const struct shim_path_call *pc)
{
	uint32_t flags = pc->row->nr == SYS_renameat2 ? (uint32_t)pc->a[4] : 0;
	uint64_t device;
	long r;

	if ((flags & ~7u) || ((flags & RENAME_EXCHANGE) && (flags & (RENAME_NOREPLACE | RENAME_WHITEOUT))))
		return -EINVAL;
	if (pc->row->nr == SYS_linkat) {
		if (pc->a[4] & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
			return -EINVAL;
		r = pc->path[0][0] || (pc->a[4] & AT_EMPTY_PATH) ? probe(pc, 0) : -ENOENT;
		if (r == 0 && (r = probe_parent(pc, 1, &device)) == 0)
			r = probe(pc, 1) == 0 ? -EEXIST : 0;
		return r < 0 ? r : -EXDEV;
	}
	return refuse_rename(pc);
}
