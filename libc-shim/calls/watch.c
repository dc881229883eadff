/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* watch.c - inotify: the instance is the local kernel's, and one can watch local files and remote ones; the domain adds those (shadow/errand.c). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/syscall.h>

#include "common/rawcall.h"
#include "libc-shim/calls/handed.h"
#include "libc-shim/calls/handlers.h"
#include "libc-shim/hook.h"
#include "libc-shim/native.h"
#include "libc-shim/process/process.h"
#include "libc-shim/shim.h"
#include "libc-shim/text.h"

long shim_do_inotify_add_watch(long nr, long a[6])
{
	const uint32_t mask = (uint32_t)a[2];
	long looked_at[6] = { a[0], (long)"", (int)mask }, open[6] = { AT_FDCWD, a[1], O_PATH | O_CLOEXEC }, r;
	struct shim_process *p;
	char name[SHIM_FD_PATH];

	if (likely(!fc_path_is_remote(AT_FDCWD, (const char *)a[1])))
		return shim_native(nr, a);
	r = fc_call(nr, looked_at[0], looked_at[1], looked_at[2]);
	if (r != -ENOENT) /* what is wrong before the path is looked at */
		return r;
	if (mask & IN_DONT_FOLLOW)
		open[2] |= O_NOFOLLOW;
	if (mask & IN_ONLYDIR)
		open[2] |= O_DIRECTORY;
	int fd = (int)shim_dispatch_for_us(SYS_openat, open);
	if (fd < 0)
		return fd;
	p = shim_process_own();
	uint64_t w = p ? shim_fd_get(p, fd) : 0;
	if (w)
		r = shim_hand_watch(p, shim_fd_domain(w), (int)a[0], shim_fd_number(w), mask);
	else
		r = fc_call(nr, a[0], shim_fd_path(name, fd), mask & ~(uint32_t)IN_DONT_FOLLOW);
	shim_dispatch_for_us(SYS_close, (long[6]){ fd });
	return r == -EOPNOTSUPP ? -ENOSYS : r;
}
