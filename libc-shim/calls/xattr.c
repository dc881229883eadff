/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xattr.c - extended attributes that only CAP_SYS_ADMIN gives: trusted.*, and security.* to change. No worker of a domain ever has it; but a
 * client may, and what its domain hands over it changes by itself, as its own kernel lets it. What is not handed over (directories; all,
 * on Xen and where an export says :nomap) stays as the domain has answered: EPERM, or no such attribute.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/syscall.h>

#include "common/rawcall.h"
#include "farcall/numbers.h"
#include "farcall/wire.h"
#include "libc-shim/calls/handed.h"
#include "libc-shim/calls/handlers.h"
#include "libc-shim/calls/path.h"
#include "libc-shim/calls/remote.h"
#include "libc-shim/hook.h"
#include "libc-shim/native.h"
#include "libc-shim/process/beyond.h"
#include "libc-shim/process/process.h"
#include "libc-shim/shim.h"
#include "libc-shim/text.h"

#define PREFIX 9 /* of "security." and "trusted." what has to be looked at */

struct wish {
	long nr;    /* the same with a path and no more: setxattr, getxattr, listxattr, removexattr */
	bool by_fd; /* the file is the application's descriptor `dir` */
	int dir;    /* where the path begins */
	int how;    /* O_NOFOLLOW or 0 */
	long path;
	long arg[4]; /* those of `nr` behind the path */
};

/* ---- the calls' arguments ---- */

static void take_at(struct wish *w, const long a[6])
{
	struct fc_xattr_args args = { 0 };
	char first = 1;

	w->dir = (int)a[0];
	w->path = a[1];
	w->how = a[2] & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0;
	w->by_fd = (a[2] & AT_EMPTY_PATH) && (!a[1] || (!fc_copy_from_user(&first, (const char *)a[1], 1) && !first));
	w->arg[0] = a[3];
	w->arg[1] = a[4];
	if (w->nr != SYS_setxattr && w->nr != SYS_getxattr)
		return;
	fc_copy_from_user(&args, (const void *)a[4], sizeof args);
	w->arg[1] = (long)args.value;
	w->arg[2] = args.size;
	w->arg[3] = args.flags;
}

static void take(struct wish *w, long nr, const long a[6])
{
	static const struct {
		long path, link, fd, at;
	} call[] = { { SYS_setxattr, SYS_lsetxattr, SYS_fsetxattr, SYS_setxattrat },
		     { SYS_getxattr, SYS_lgetxattr, SYS_fgetxattr, SYS_getxattrat },
		     { SYS_listxattr, SYS_llistxattr, SYS_flistxattr, SYS_listxattrat },
		     { SYS_removexattr, SYS_lremovexattr, SYS_fremovexattr, SYS_removexattrat } };
	int i = 0;

	while (nr != call[i].path && nr != call[i].link && nr != call[i].fd && nr != call[i].at)
		i++;
	*w = (struct wish){ .nr = call[i].path,
			    .by_fd = nr == call[i].fd,
			    .dir = nr == call[i].fd ? (int)a[0] : AT_FDCWD,
			    .how = nr == call[i].link ? O_NOFOLLOW : 0,
			    .path = a[0],
			    .arg = { a[1], a[2], a[3], a[4] } };
	if (nr == call[i].at)
		take_at(w, a);
}

/* ---- is it one of those? ---- */

static bool begins(const char *name, const char *with)
{
	char text[PREFIX + 1] = { 0 };

	fc_copy_from_user(text, name, PREFIX); /* a shorter one may end where memory does */
	return shim_starts_with(text, with);
}

static bool is_administrator(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	return fc_call(SYS_capget, &head, data) == 0 && (data[0].effective & (1u << CAP_SYS_ADMIN));
}

/* Has the domain answered `r` for want of the capability? */
static bool is_wanted(const struct wish *w, long r)
{
	const char *name = (const char *)w->arg[0];

	if (w->nr == SYS_listxattr)
		return (r >= 0 || r == -ERANGE) && is_administrator();
	if (w->nr == SYS_getxattr)
		return r == -ENODATA && begins(name, "trusted.") && is_administrator();
	return r == -EPERM && (begins(name, "trusted.") || begins(name, "security.")) && is_administrator();
}

/* ---- by ourselves ---- */

static int obtain(struct shim_process *p, const struct wish *w)
{
	int r = SHIM_OTHER;
	uint64_t word;

	while (w->by_fd && r == SHIM_OTHER)
		r = (word = shim_fd_get(p, w->dir)) ? shim_hand_on(p, w->dir, word) : -EBADF;
	return w->by_fd ? r : shim_obtain_at(w->dir, (const char *)w->path, w->how);
}

static long by_hand(const struct wish *w, long answer)
{
	struct shim_process *p = shim_process_own();
	int fd = p ? obtain(p, w) : -ENOMEM;
	char name[SHIM_FD_PATH];
	long r;

	if (fd < 0)
		return answer;
	r = fc_call(w->nr, shim_fd_path(name, fd), w->arg[0], w->arg[1], w->arg[2], w->arg[3]);
	shim_done_with(p, fd);
	return r == -ENOENT ? answer : r; /* no /proc */
}

long shim_do_xattr(long nr, long a[6])
{
	const struct fc_row *row = fc_row_by_nr((unsigned)nr);
	struct wish w;
	int domain = -1;
	long r;

	if (row->arg[0].kind == FC_KIND_FD) {
		if (likely(!shim_fd_get(shim_process(), a[0])))
			return shim_native(nr, a);
		r = shim_do_fd(nr, a);
	} else {
		r = shim_path_run(row, a, nr, a, &domain);
		if (domain < 0)
			return r;
	}
	take(&w, nr, a);
	return likely(!is_wanted(&w, r)) ? r : by_hand(&w, r);
}
