/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * root.c - chroot. Into a remote directory it is refused: the kernel here has no such directory. In a local one no path leads to an export,
 * whatever it is called, as natively; remote descriptors and a remote current directory stay what they are. Prefixes are paths again
 * when the root is again the first one.
 */
#define _GNU_SOURCE
#include "libc-shim/calls/root.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/atomic.h"
#include "common/rawcall.h"
#include "libc-shim/calls/handlers.h"
#include "libc-shim/calls/remote.h"
#include "libc-shim/hook.h"
#include "libc-shim/native.h"
#include "libc-shim/process/process.h"
#include "libc-shim/process/thread.h"
#include "libc-shim/shim.h"
#include "libc-shim/text.h"

static const char unreachable[] = "(unreachable)";
#define UNREACHABLE (sizeof unreachable - 1)

static int look(struct shim_root *root)
{
	struct statx st;
	int r = (int)fc_call(SYS_statx, AT_FDCWD, "/", 0, STATX_INO | STATX_MNT_ID, &st);

	if (r == 0)
		*root = (struct shim_root){ st.stx_mnt_id, st.stx_ino,
					    (uint64_t)st.stx_dev_major << 32 | st.stx_dev_minor };
	return r;
}

static bool is_first(const struct shim_process *p)
{
	struct shim_root now;

	return look(&now) == 0 && now.mount == p->root.mount && now.ino == p->root.ino && now.device == p->root.device;
}

long shim_do_chroot(long nr, long a[6])
{
	struct shim_process *p;
	long r;

	if (fc_path_is_remote(AT_FDCWD, (const char *)a[0]))
		return -EPERM;
	if (!(p = shim_process_own()))
		return -ENOMEM;
	if (!p->root.ino && (r = look(&p->root)) < 0)
		return r;
	r = shim_native(nr, a);
	if (r == 0)
		fc_store(&p->elsewhere, (uint32_t)!is_first(p));
	return r;
}

long shim_root_unreachable_cwd(struct shim_process *p, char *buffer, unsigned long size)
{
	struct shim_frame *f = shim_frame_begin();
	const unsigned domain = (unsigned)p->cwd_domain;

	if (!f)
		return -EDEADLK;
	char *text = shim_scratch(f);
	long r = shim_simple(p, domain, SYS_getcwd, (long)text, FC_PATH_MAX, 0);
	if (r > 0 && (r > FC_PATH_MAX || text[0] != '/' || text[r - 1]))
		r = shim_result(&p->session[domain], SHIM_IMPOSSIBLE);
	if (r > 0 && (unsigned long)r + UNREACHABLE > size)
		r = -ERANGE;
	if (r > 0)
		r = fc_copy_to_user(buffer, unreachable, UNREACHABLE) ||
				    fc_copy_to_user(buffer + UNREACHABLE, text, (size_t)r)
			    ? -EFAULT
			    : r + (long)UNREACHABLE;
	shim_frame_end(f);
	return r;
}
