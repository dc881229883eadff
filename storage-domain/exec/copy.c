/* SPDX-License-Identifier: GPL-2.0-or-later */
/* copy.c - copies between two descriptors of the domain. Their offset objects run from private copies. */
#define _GNU_SOURCE
#include "storage-domain/exec/execute.h"

#include <string.h>
#include <sys/syscall.h>

#include "common/rawcall.h"

int64_t fc_exec_copy_range(struct fc_exec *x)
{
	const uint64_t *arg = x->e.arg;
	int64_t *shared_in = fc_exec_at(x, arg[1], sizeof *shared_in),
		*shared_out = fc_exec_at(x, arg[3], sizeof *shared_out);
	int64_t in = 0, out = 0, r;

	if (shared_in)
		fc_exec_fetch(&in, shared_in, sizeof in);
	if (shared_out)
		fc_exec_fetch(&out, shared_out, sizeof out);
	r = fc_call(SYS_copy_file_range, fc_exec_fd(arg[0]), shared_in ? &in : NULL, fc_exec_fd(arg[2]),
		    shared_out ? &out : NULL, arg[4], arg[5]);
	if (shared_in)
		memcpy(shared_in, &in, sizeof in);
	if (shared_out)
		memcpy(shared_out, &out, sizeof out);
	return r;
}

int64_t fc_exec_sendfile(struct fc_exec *x)
{
	const uint64_t *arg = x->e.arg;
	int64_t *shared = fc_exec_at(x, arg[2], sizeof *shared), offset = 0, r;

	if (shared)
		fc_exec_fetch(&offset, shared, sizeof offset);
	r = fc_call(SYS_sendfile, fc_exec_fd(arg[0]), fc_exec_fd(arg[1]), shared ? &offset : NULL, arg[3]);
	if (shared)
		memcpy(shared, &offset, sizeof offset);
	return r;
}
