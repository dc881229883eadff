/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fcntl.c - fcntl by the rows of fcntl.def, and flock: locks that may be waited for. It owns no lock: they are the
 * shadow process' (POSIX) or the open file description's (flock, OFD), as the client's would be.
 */
#define _GNU_SOURCE
#include "storage-domain/exec/execute.h"

#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/rawcall.h"
#include "storage-domain/exec/host.h"

#define NO_COMMAND 0x7fffffff /* the kernel chooses between EBADF and EINVAL */

/* A lock that has to be waited for: first without waiting, so that only those that really wait are announced. */
static int64_t lock_wait(struct fc_exec *x, int fd, int cmd, int try_cmd, struct flock *l)
{
	int64_t r = fc_call(SYS_fcntl, fd, try_cmd, l);

	if (r != -EAGAIN && r != -EACCES)
		return r;
	fc_block_begin(x->worker);
	return fc_call(SYS_fcntl, fd, cmd, l);
}

static int64_t lock_command(struct fc_exec *x, int fd, int cmd, struct flock *shared)
{
	struct flock l;
	int64_t r;

	if (!shared)
		return fc_call(SYS_fcntl, fd, cmd, NULL);
	fc_exec_fetch(&l, shared, sizeof l);
	if (cmd == F_SETLKW)
		return lock_wait(x, fd, cmd, F_SETLK, &l);
	if (cmd == F_OFD_SETLKW)
		return lock_wait(x, fd, cmd, F_OFD_SETLK, &l);
	r = fc_call(SYS_fcntl, fd, cmd, &l);
	if (r == 0 && (cmd == F_GETLK || cmd == F_OFD_GETLK)) {
		if (l.l_type != F_UNLCK && l.l_pid > 0)
			l.l_pid = fc_roster_client_pid(x->s->shared, l.l_pid);
		memcpy(shared, &l, sizeof l);
	}
	return r;
}

int64_t fc_exec_fcntl(struct fc_exec *x)
{
	const int fd = fc_exec_fd(x->e.arg[0]), cmd = x->e.arg[1];
	struct fc_arg arg;
	long value;

	if (cmd == F_GETFL)
		return fc_call(SYS_fcntl, fd, F_GETFL, 0);
	/* its size has been paid for (budget.h): as if no more were allowed, which a program must expect */
	if (cmd == F_SETPIPE_SZ)
		return fc_call(SYS_fcntl, fd, F_GETPIPE_SZ, 0) < 0 ? fc_call(SYS_fcntl, fd, F_SETPIPE_SZ, 0) : -EPERM;
	if (fc_fcntl_arg(cmd, &arg))
		return fc_call(SYS_fcntl, fd, NO_COMMAND, 0);
	switch (arg.kind) {
	case FC_KIND_NONE:
		value = 0;
		break;
	case FC_KIND_IN_OBJ:
	case FC_KIND_OUT_OBJ:
	case FC_KIND_INOUT_OBJ:
		value = (long)fc_exec_at(x, x->e.arg[2], arg.extra);
		if (arg.extra == sizeof(struct flock))
			return lock_command(x, fd, cmd, (struct flock *)value);
		break;
	default:
		value = x->e.arg[2];
	}
	return fc_call(SYS_fcntl, fd, cmd, value);
}

int64_t fc_exec_flock(struct fc_exec *x)
{
	const int fd = fc_exec_fd(x->e.arg[0]), op = x->e.arg[1];
	int64_t r = fc_call(SYS_flock, fd, op | LOCK_NB);

	if (r != -EAGAIN || (op & LOCK_NB))
		return r;
	fc_block_begin(x->worker);
	return fc_call(SYS_flock, fd, op);
}
