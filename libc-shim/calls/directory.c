/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* directory.c - the current directory: the domain's, while it is remote, with a placeholder for the local kernel. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/atomic.h"
#include "common/rawcall.h"
#include "farcall/wire.h"
#include "libc-shim/calls/handlers.h"
#include "libc-shim/calls/path.h"
#include "libc-shim/calls/path_call.h"
#include "libc-shim/calls/remote.h"
#include "libc-shim/calls/root.h"
#include "libc-shim/hook.h"
#include "libc-shim/native.h"
#include "libc-shim/process/file.h"
#include "libc-shim/process/kin.h"
#include "libc-shim/process/process.h"
#include "libc-shim/session/session.h"
#include "libc-shim/shim.h"
#include "libc-shim/text.h"

#define SAME_NAMES 64 /* processes of other PID namespaces can be called the same */

/* A directory in the one that is current, entered and removed again: nobody can make anything there. */
static long enter_removed(void)
{
	char path[48] = "../cwd-", *name = path + 3, *end = path + sizeof path - 1;
	const uint64_t first = (uint64_t)fc_call(SYS_gettid) * SAME_NAMES;
	long r = -EEXIST;

	for (uint64_t n = first; n < first + SAME_NAMES && r == -EEXIST; n++) {
		char digits[24];

		digits[sizeof digits - 1] = 0;
		shim_append(name + strlen("cwd-"), end, shim_format_number(digits + sizeof digits - 1, n));
		r = fc_call(SYS_mkdirat, AT_FDCWD, name, 0555);
	}
	if (r < 0)
		return r;
	r = fc_call(SYS_chdir, name);
	fc_call(SYS_unlinkat, AT_FDCWD, r < 0 ? name : path, AT_REMOVEDIR);
	return r;
}

/*
 * The kernel's own idea of the directory, while the real one is remote: where relative paths of un-hooked code fail, and of the kernel's, which
 * dumps core there. Only who may write everywhere can make a directory in the placeholder, and only he could a file.
 */
static void enter_placeholder(struct shim_process *p, int domain)
{
	if (p->cwd_domain < 0 && fc_call(SYS_fchdir, p->placeholder) == 0)
		enter_removed();
	p->cwd_domain = domain;
}

static void leave_to_local(void)
{
	if (shim_process()->cwd_domain >= 0) {
		struct shim_process *p = shim_process_own();

		if (p) {
			p->cwd_domain = -1;
			shim_file_enter(p, 0);
		}
	}
}

/* The directory in the domain is another process' too (guest.c): it can be entered only if it is the one we are in. 0 or -errno. */
static long enter_again(int dirfd, const char *path)
{
	struct stat here, there;
	long h[6] = { AT_FDCWD, (long)".", (long)&here, 0 }, t[6] = { dirfd, (long)path, (long)&there, 0 };
	long x[6] = { dirfd, (long)path, X_OK };
	long r = shim_dispatch(SYS_newfstatat, t);

	if (r == 0 && !S_ISDIR(there.st_mode))
		return -ENOTDIR;
	if (r == 0)
		r = shim_dispatch(SYS_faccessat, x);
	if (r == 0)
		r = shim_dispatch(SYS_newfstatat, h);
	return r < 0 ? r : here.st_dev == there.st_dev && here.st_ino == there.st_ino ? 0 : -EPERM;
}

static bool is_lent(const struct shim_process *p)
{
	return p->cwd_domain >= 0 && p->session[p->cwd_domain].lent;
}

/* Is the directory not that of the whole process and of it alone? */
static bool has_odd_directory(struct shim_process *p)
{
	return fc_load(&p->parted) || (p->kin[0].pid && shim_kin_fix_cwd(p));
}

long shim_do_chdir(long nr, long a[6])
{
	struct shim_process *p = shim_process();
	int domain;

	if (unlikely(is_lent(p)) && fc_path_is_remote(AT_FDCWD, (const char *)a[0]))
		return enter_again(AT_FDCWD, (const char *)a[0]);
	if (unlikely(has_odd_directory(p)) && (p->cwd_domain >= 0 || fc_path_is_remote(AT_FDCWD, (const char *)a[0])))
		return SHIM_NOT_SHARED;
	long r = shim_path_run(fc_row_by_nr((unsigned)nr), a, nr, a, &domain);

	if (r == 0 && domain >= 0)
		enter_placeholder(shim_process_own(), domain);
	else if (r == 0)
		leave_to_local();
	return r;
}

long shim_do_fchdir(long nr, long a[6])
{
	struct shim_process *p = shim_process();
	uint64_t w = shim_fd_get(p, a[0]);
	long r;

	if (unlikely(has_odd_directory(p)) && (p->cwd_domain >= 0 || w))
		return SHIM_NOT_SHARED;
	if (!w) {
		r = shim_native(nr, a);
		if (r == 0)
			leave_to_local();
		return r;
	}
	if (!(p = shim_process_own()))
		return -ENOMEM;
	r = shim_do_fd(nr, a);
	if (r == 0) {
		enter_placeholder(p, (int)shim_fd_domain(w));
		shim_file_enter(p, shim_file_hold(p, &p->fd[(uint32_t)a[0]], w));
	}
	return r;
}

long shim_do_getcwd(long nr, long a[6])
{
	struct shim_process *p = shim_process();

	if (p->cwd_domain < 0)
		return shim_native(nr, a);
	if (!(p = shim_process_own()))
		return -ENOMEM;
	int domain = p->cwd_domain;
	if (fc_load(&p->elsewhere))
		return shim_root_unreachable_cwd(p, (char *)a[0], (unsigned long)a[1]);
	long r = shim_simple(p, (unsigned)domain, SYS_getcwd, a[0], a[1], 0);
	char end = 1;
	if (r < 0 || (r > 0 && !fc_copy_from_user(&end, (const char *)a[0] + r - 1, 1) && !end &&
		      shim_path_is_of(p, domain, (const char *)a[0], r - 1)))
		return r;
	return shim_result(&p->session[domain], SHIM_IMPOSSIBLE);
}
