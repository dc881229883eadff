/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * local.c - the calls of local.def that meet something remote: the one handler of all that are refused by their row, and those whose
 * descriptors lie where no row can say. It makes no request but through fc_dispatch.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/rawcall.h"
#include "farcall/wire.h"
#include "libc-shim/calls/handed.h"
#include "libc-shim/calls/handlers.h"
#include "libc-shim/calls/procfs.h"
#include "libc-shim/native.h"
#include "libc-shim/hook.h"
#include "libc-shim/process/process.h"
#include "libc-shim/shim.h"
#include "libc-shim/text.h"

#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#define OPEN_TREE_CLOEXEC O_CLOEXEC
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

/* ---- what an argument is ---- */

static bool directory_is_remote(int dirfd)
{
	const struct shim_process *p = shim_process();

	return dirfd == AT_FDCWD ? p->cwd_domain >= 0 : shim_fd_get(p, dirfd) != 0;
}

static bool path_is_remote(int dirfd, long path, unsigned kind)
{
	char first;

	if (kind == FC_KIND_PATH_OPT && !path)
		return directory_is_remote(dirfd);
	if (kind == FC_KIND_SOURCE &&
	    (fc_copy_from_user(&first, (const char *)path, 1) || (first != '/' && first != '.')))
		return false;
	return fc_path_is_remote(dirfd, (const char *)path);
}

/* ---- the rows that say REFUSE ---- */

static bool argument_is_remote(const struct fc_local *row, int i, const long a[6])
{
	const int dirfd = i && row->kind[i - 1] == FC_KIND_DIRFD ? (int)a[i - 1] : AT_FDCWD;

	switch (row->kind[i]) {
	case FC_KIND_FD:
		return shim_fd_get(shim_process(), a[i]) != 0;
	case FC_KIND_DIRFD:
		return (i == 5 || (row->kind[i + 1] != FC_KIND_PATH && row->kind[i + 1] != FC_KIND_PATH_OPT)) &&
		       directory_is_remote((int)a[i]);
	case FC_KIND_PATH:
	case FC_KIND_PATH_OPT:
	case FC_KIND_SOURCE:
		return path_is_remote(dirfd, a[i], row->kind[i]);
	default:
		return false;
	}
}

/* A descriptor that no call can use: not open, or O_PATH, which its placeholder is as well. */
static bool unusable(long fd)
{
	long flags = fc_call(SYS_fcntl, fd, F_GETFL, 0);

	return flags < 0 || (flags & O_PATH);
}

static long refuse(const struct fc_local *row, const long a[6])
{
	for (int i = 0; i < 6; i++)
		if ((row->kind[i] == FC_KIND_FD || row->kind[i] == FC_KIND_LIKE) && unusable(a[i]))
			return -EBADF;
	return -(long)row->error;
}

long shim_do_local(long nr, long a[6])
{
	const struct fc_local *row = fc_local_by_nr((unsigned)nr);

	for (int i = 0; i < 6; i++)
		if (unlikely(argument_is_remote(row, i, a)))
			return refuse(row, a);
	return shim_native(nr, a);
}

/* ---- descriptors in other structures ---- */

/*
 * A ring is the kernel's alone: what is put into it nobody sees. So there is none, as in many a container, and programs do without, unless
 * they are to have it for what is not remote.
 */
long shim_do_io_uring_setup(long nr, long a[6])
{
	return shim.io_uring ? shim_native_fd(nr, a) : -ENOSYS;
}

/* KCMP_FILE of this process' own descriptors: all placeholders are one file to the kernel. As without this call. */
long shim_do_kcmp(long nr, long a[6])
{
	const long self = fc_call(SYS_getpid);
	const struct shim_process *p = shim_process();

	if ((int)a[2] == 0 && !((int)a[0] == (int)a[1] && a[3] == a[4]) &&
	    (((int)a[0] == self && shim_fd_get(p, a[3])) || ((int)a[1] == self && shim_fd_get(p, a[4]))))
		return -ENOSYS;
	return shim_native(nr, a);
}

/*
 * A descriptor of another process, which may be a placeholder: not to be had, for where the open file is read that process may know alone
 * (offset.h). Of one's own it is a dup, and the shim's are nobody's.
 */
long shim_do_pidfd_getfd(long nr, long a[6])
{
	const struct shim_process *p = shim_process();
	long fd = shim_native_fd(nr, a), duplicate[6] = { a[1], F_DUPFD_CLOEXEC, 0 };
	const bool own = fd >= 0 && (shim_fd_hidden(p, a[1]) || shim_fd_get(p, a[1])) && shim_procfs_is_own((int)a[0]);

	if (fd < 0 || !(own || shim_procfs_is_placeholder((int)fd)))
		return fd;
	fc_call(SYS_close, fd);
	if (!own)
		return -EPERM;
	return shim_fd_get(p, a[1]) ? shim_dispatch(SYS_fcntl, duplicate) : -EBADF;
}

/* FSCONFIG_SET_PATH, _SET_PATH_EMPTY and _SET_FD have a directory or descriptor as their last argument. */
long shim_do_fsconfig(long nr, long a[6])
{
	enum { SET_PATH = 3, SET_PATH_EMPTY, SET_FD };
	const unsigned command = (unsigned)a[1];

	if (command == SET_FD ? shim_fd_get(shim_process(), a[4]) != 0
			      : (command == SET_PATH || command == SET_PATH_EMPTY) &&
					path_is_remote((int)a[4], a[3], FC_KIND_PATH))
		return -EINVAL;
	return shim_native(nr, a);
}

/* LANDLOCK_RULE_PATH_BENEATH: a rule about a placeholder would be a rule about nothing. */
long shim_do_landlock_add_rule(long nr, long a[6])
{
	struct __attribute__((packed)) {
		uint64_t allowed;
		int32_t parent;
	} beneath;

	if ((int)a[1] == 1 && !fc_copy_from_user(&beneath, (const void *)a[2], sizeof beneath) &&
	    shim_fd_get(shim_process(), beneath.parent))
		return -EBADFD;
	return shim_native(nr, a);
}

/* Without OPEN_TREE_CLONE it is an open with O_PATH; with it, what only those may who may mount. */
long shim_do_open_tree(long nr, long a[6])
{
	const unsigned known = AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW | OPEN_TREE_CLONE |
			       OPEN_TREE_CLOEXEC;
	const unsigned flags = (unsigned)a[2];
	char path[SHIM_FD_PATH], first;
	long b[6] = { a[0], a[1], O_PATH | (flags & OPEN_TREE_CLOEXEC ? O_CLOEXEC : 0), 0 };

	if (!fc_path_is_remote((int)a[0], (const char *)a[1]))
		return shim_native(nr, a);
	if ((flags & ~known) || (flags & (AT_RECURSIVE | OPEN_TREE_CLONE)) == AT_RECURSIVE)
		return -EINVAL;
	if (flags & OPEN_TREE_CLONE)
		return -EPERM;
	if (!(flags & AT_EMPTY_PATH) || fc_copy_from_user(&first, (const char *)a[1], 1) || first) {
		b[2] |= flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0;
		return shim_dispatch(SYS_openat, b);
	}
	b[1] = (long)((int)a[0] == AT_FDCWD ? "." : shim_fd_path(path, (int)a[0]));
	return shim_dispatch(SYS_openat, b);
}

/* What the path leads to, for which there is a descriptor of ours, or the application's if there is no path. */
static long open_named(const long a[6], bool *ours)
{
	const unsigned flags = (unsigned)a[4];
	long b[6] = { a[0], a[1], O_PATH | O_CLOEXEC | (flags & AT_SYMLINK_FOLLOW ? 0 : O_NOFOLLOW) };
	char first;

	*ours = true;
	if ((flags & AT_EMPTY_PATH) && !fc_copy_from_user(&first, (const char *)a[1], 1) && !first) {
		*ours = (int)a[0] == AT_FDCWD;
		b[1] = (long)".";
	}
	return *ours ? shim_dispatch_for_us(SYS_openat, b) : (int)a[0];
}

/*
 * A domain is a file system that has no handles: what they open would be beyond its exports. What is wrong with the flags and the path
 * comes first; and the path may lead to a local file.
 */
long shim_do_name_to_handle_at(long nr, long a[6])
{
	bool ours;
	long r, fd;

	if (likely(!path_is_remote((int)a[0], a[1], FC_KIND_PATH)))
		return shim_native(nr, a);
	r = fc_call(nr, AT_FDCWD, 1, 0, 0, a[4]); /* to a path that cannot be: of the flags alone */
	if (r != -EFAULT)
		return r;
	fd = open_named(a, &ours);
	if (fd < 0)
		return fd;
	r = -EOPNOTSUPP;
	if (!shim_fd_get(shim_process(), fd))
		r = fc_call(nr, fd, "", a[2], a[3], (a[4] & ~(long)AT_SYMLINK_FOLLOW) | AT_EMPTY_PATH);
	if (ours)
		shim_dispatch_for_us(SYS_close, (long[6]){ fd });
	return r;
}
