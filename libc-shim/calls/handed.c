/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* handed.c - see handed.h. */
#define _GNU_SOURCE
#include "libc-shim/calls/handed.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include "farcall/wire.h"
#include "libc-shim/calls/handlers.h"
#include "libc-shim/calls/remote.h"
#include "libc-shim/hook.h"
#include "libc-shim/process/process.h"
#include "libc-shim/process/thread.h"
#include "libc-shim/session/post.h"
#include "libc-shim/session/session.h"
#include "libc-shim/text.h"

long shim_dispatch_for_us(long nr, const long a[6])
{
	long b[6] = { a[0], a[1], a[2], a[3], a[4], a[5] };
	struct shim_thread *t = shim_self();

	t->for_us = true;
	long r = shim_dispatch(nr, b);
	t->for_us = false;
	return r;
}

/* A call that sends no request: what it uses is not closed. It should wait for nothing that needs a request while it has one. */
int shim_hand_on(struct shim_process *p, long fd, uint64_t w)
{
	struct shim_frame *f = shim_frame_begin();
	struct shim_call c;
	int r;

	if (!f)
		return -EDEADLK;
	shim_posts_wait();
	r = shim_call_begin_on(&c, fc_row_by_nr(SYS_fstat), p, fd, w, f);
	if (r == 0)
		r = shim_hand(p, shim_fd_domain(w), shim_fd_number(w));
	shim_frame_end(f);
	return r;
}

int shim_obtain_at(int dirfd, const char *path, int how)
{
	const long a[6] = { dirfd, (long)path, O_PATH | O_CLOEXEC | how };
	int fd = (int)shim_dispatch_for_us(SYS_openat, a);
	struct shim_process *p = fd < 0 ? NULL : shim_process_own();
	uint64_t w = p ? shim_fd_get(p, fd) : 0;

	if (!w)
		return fd;
	int handed = shim_hand(p, shim_fd_domain(w), shim_fd_number(w));
	shim_dispatch_for_us(SYS_close, (long[6]){ fd });
	return handed;
}
