/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * owner.c - see owner.h. In the domain a pid means another process, and a signal cannot get from there to here. But a regular file of a domain
 * on this machine is handed over (session/hand.c), and then its owner and its lease are the local kernel's: it is the same open file that
 * the domain has, so that all who have it share them, and the lease is gone when the last of them has closed it.
 *
 * What is not handed over has no lease. Its owner is remembered, in the file's record: it gets no signal, as it never would from a directory.
 */
#define _GNU_SOURCE
#include "libc-shim/calls/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/syscall.h>

#include "common/atomic.h"
#include "common/beside.h"
#include "common/rawcall.h"
#include "libc-shim/calls/handed.h"
#include "libc-shim/calls/remote.h"
#include "libc-shim/hook.h"
#include "libc-shim/lock.h"
#include "libc-shim/process/beyond.h"
#include "libc-shim/process/process.h"
#include "libc-shim/process/thread.h"
#include "libc-shim/calls/offset.h"
#include "libc-shim/session/lease.h"
#include "libc-shim/shim.h"

/* Of the kernel's, whose numbers of processes are below 2^22; those of the C library's headers may be missing. */
enum { TID, PID, PGRP };
struct owner {
	int type, pid;
};

bool shim_owner_has(int cmd)
{
	return cmd == F_SETOWN || cmd == F_GETOWN || cmd == F_SETOWN_EX || cmd == F_GETOWN_EX ||
	       cmd == F_GETOWNER_UIDS || cmd == F_SETLEASE;
}

/* ---- a lease ---- */

struct lease {
	int fd, handed;
	long arg, result;
};

/*
 * With F_SETSIG the signal says which descriptor it is about: the one that the lease was made with. So it is made in a process with a descriptor
 * table of its own, where the file has the number that the application knows it by; who owns it has been said before.
 */
static void make_lease(void *arg)
{
	struct lease *l = arg;

	l->result = fc_call(SYS_dup3, l->handed, l->fd, 0);
	if (l->result >= 0)
		l->result = fc_call(SYS_fcntl, l->fd, F_SETLEASE, l->arg);
}

static long set_lease(struct shim_process *p, int fd, int handed, long arg)
{
	struct lease l = { .fd = fd, .handed = handed, .arg = arg, .result = -EAGAIN };
	struct owner o = { 0 };
	struct shim_lock_state saved;
	int r;

	if (fc_call(SYS_fcntl, handed, F_GETOWN_EX, &o) == 0 && !o.pid) {
		o = (struct owner){ PID, (int)fc_call(SYS_getpid) };
		fc_call(SYS_fcntl, handed, F_SETOWN_EX, &o);
	}
	shim_lock(&p->beyond, &saved);
	r = fc_beside(make_lease, &l, 0);
	shim_unlock(&p->beyond, &saved);
	return r < 0 ? r : l.result;
}

/* ---- an owner that is only remembered ---- */

/* By the record: the type in the highest byte, as the kernel, which has no other word for what has not been said either. */
static uint32_t packed(const struct owner *o)
{
	return (uint32_t)o->type << 24 | (uint32_t)o->pid;
}

static bool exists(const struct owner *o)
{
	long r = o->type == TID ? fc_call(SYS_tkill, o->pid, 0)
				: fc_call(SYS_kill, o->type == PGRP ? -o->pid : o->pid, 0);

	return r != -ESRCH;
}

static struct owner unpacked(uint32_t word)
{
	struct owner o = { (int)(word >> 24), (int)(word & 0xffffff) };

	if (o.pid && !exists(&o))
		o.pid = 0;
	return o;
}

static int take(struct owner *o, int cmd, long arg)
{
	const int who = (int)arg;

	if (cmd == F_SETOWN_EX)
		return fc_copy_from_user(o, (const void *)arg, sizeof *o) ? -EFAULT
		       : o->type < TID || o->type > PGRP                  ? -EINVAL
									  : 0;
	if (who == INT_MIN)
		return -EINVAL;
	*o = (struct owner){ who < 0 ? PGRP : PID, who < 0 ? -who : who };
	return 0;
}

static long remember(struct shim_file *f, int cmd, long arg)
{
	struct owner o;
	int r = take(&o, cmd, arg);

	if (r < 0)
		return r;
	if (o.pid && (o.pid < 0 || o.pid >> 24 || !exists(&o)))
		return -ESRCH;
	fc_store(&f->owner, packed(&o));
	return 0;
}

static long recall(const struct shim_file *f, int cmd, long arg)
{
	const struct owner o = unpacked(fc_load(&f->owner));

	if (cmd == F_GETOWN_EX)
		return fc_copy_to_user((void *)arg, &o, sizeof o) ? -EFAULT : 0;
	return o.type == PGRP ? -o.pid : o.pid;
}

static long owner_of_record(struct shim_process *p, int fd, uint64_t w, int cmd, long arg)
{
	uint64_t held = shim_file_hold(p, &p->fd[fd], w);
	struct shim_file *f = shim_file_of(p, held);
	long r;

	if (!f)
		return -EINVAL;
	r = cmd == F_SETOWN || cmd == F_SETOWN_EX ? remember(f, cmd, arg) : recall(f, cmd, arg);
	shim_file_drop(p, held);
	return r;
}

/* ---- both ---- */

static long not_handed(struct shim_process *p, int fd, uint64_t w, int cmd, long arg)
{
	long r = shim_refuse(p, fd, 0);

	if (r < 0)
		return r;
	if (cmd == F_SETLEASE)
		return -EINVAL;
	if (cmd == F_GETOWNER_UIDS)
		return fc_copy_to_user((void *)arg, &(uint32_t[2]){ 0 }, 8) ? -EFAULT : 0;
	return owner_of_record(p, fd, w, cmd, arg);
}

long shim_owner_fcntl(struct shim_process *p, int fd, uint64_t w, int cmd, long arg)
{
	int handed;
	long r;

	shim_lease_bar(p, w); /* the domain's has a signal of its own */
	handed = shim_offset_leave(p, fd, w) ? shim_hand_on(p, fd, w) : SHIM_OTHER;
	if (unlikely(handed == SHIM_OTHER))
		return (w = shim_fd_get(p, fd)) ? shim_owner_fcntl(p, fd, w, cmd, arg) : -EBADF;
	if (handed == -EOPNOTSUPP || handed == -ENODEV)
		return not_handed(p, fd, w, cmd, arg);
	if (handed < 0)
		return handed;
	r = cmd == F_SETLEASE && (int)arg != F_UNLCK ? set_lease(p, fd, handed, arg)
						     : fc_call(SYS_fcntl, handed, cmd, arg);
	shim_done_with(p, handed);
	return r;
}
