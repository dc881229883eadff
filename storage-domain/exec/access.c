/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * access.c - faccessat and faccessat2. Without AT_EACCESS they ask for the client's real ids; the worker's own
 * real ids are the daemon's, so it takes the client's real ids as file-system ids for the moment and asks with
 * AT_EACCESS.
 */
#define _GNU_SOURCE
#include "storage-domain/exec/execute.h"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/rawcall.h"

/* Real uid 0 checks with the permitted capabilities, which nobody tells us: all that there are. */
#define ALL_CAPS UINT64_MAX

static bool same_ids(const struct fc_cred *c)
{
	return c->ruid == c->fsuid && c->rgid == c->fsgid && (c->ruid == 0 || c->caps == 0);
}

static int64_t as_real(struct fc_exec *x, int dirfd, int mode, int flags)
{
	struct fc_cred real = x->cred;
	int64_t r;

	real.fsuid = real.ruid;
	real.fsgid = real.rgid;
	real.caps = real.ruid == 0 ? ALL_CAPS : 0;
	if (fc_cred_apply(&real))
		return -EACCES;
	r = fc_call(SYS_faccessat2, dirfd, x->path[0], mode, flags | AT_EACCESS);
	if (fc_cred_apply(&x->cred))
		fc_shadow_poison(x->s, "a worker could not take the client's identity back");
	return r;
}

int64_t fc_exec_access(struct fc_exec *x)
{
	const int mode = x->e.arg[2];
	const int flags = x->e.nr == SYS_faccessat2 ? x->e.arg[3] : 0;
	const unsigned walk = flags & AT_SYMLINK_NOFOLLOW ? 0 : FC_WALK_FOLLOW;
	struct stat st;
	int64_t r = fc_exec_path(x, x->e.arg[1], 0);

	if (r)
		return r;
	const int dirfd = fc_exec_descriptor_path(x, 0, fc_exec_dirfd(x->e.arg[0]));
	if ((flags & AT_EACCESS) || same_ids(&x->cred))
		r = fc_call(SYS_faccessat2, dirfd, x->path[0], mode, flags | AT_EACCESS);
	else
		r = as_real(x, dirfd, mode, flags);
	if (!x->path[0][0] || x->descriptor_path || r == -EINVAL) /* a bad mode or flag, seen before the path */
		return r;
	if (r == 0 && !fc_call(SYS_newfstatat, dirfd, x->path[0], &st, flags & AT_SYMLINK_NOFOLLOW) &&
	    st.st_dev != x->s->exports->skeleton_dev)
		return 0;
	if (fc_path_judge(&x->walk, x->s->exports, dirfd, x->path[0], walk) == FC_PATH_LEFT)
		return fc_exec_continue(x, 1, x->walk.text);
	return r;
}
