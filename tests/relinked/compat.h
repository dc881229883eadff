/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat.h - included before every test program that is built for a relinked libc: what glibc has and musl 1.2.3 or uClibc-ng
 * 1.0.35 has not. */
#ifndef FC_TESTS_COMPAT_H
#define FC_TESTS_COMPAT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/stat.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define strerrorname_np strerror

#ifdef __UCLIBC__
#define FC_NO_ADDCHDIR
#define futimes(fd, times) syscall(SYS_futimesat, fd, NULL, times)
#endif

#ifndef F_OFD_SETLK
#define F_OFD_GETLK 36
#define F_OFD_SETLK 37
#define F_OFD_SETLKW 38
#endif

#ifndef RWF_DSYNC
#define RWF_DSYNC 2
#define RWF_APPEND 16

/* the kernel takes the offset in two halves, of which x86-64 uses the first */
static inline ssize_t fc_preadv2(int fd, const struct iovec *iov, int n, off_t at, int flags)
{
	return syscall(SYS_preadv2, fd, iov, n, at, 0, flags);
}

static inline ssize_t fc_pwritev2(int fd, const struct iovec *iov, int n, off_t at, int flags)
{
	return syscall(SYS_pwritev2, fd, iov, n, at, 0, flags);
}

#define preadv2 fc_preadv2
#define pwritev2 fc_pwritev2
#endif

static inline int fc_close_range(unsigned first, unsigned last, int flags)
{
	return (int)syscall(SYS_close_range, first, last, flags);
}
#define close_range fc_close_range

static inline int fc_statx(int dir, const char *path, int flags, unsigned mask, struct statx *to)
{
	return (int)syscall(SYS_statx, dir, path, flags, mask, to);
}
#define statx(dir, path, flags, mask, to) fc_statx(dir, path, flags, mask, to)

static inline int fc_renameat2(int from, const char *old, int to, const char *new, unsigned flags)
{
	return (int)syscall(SYS_renameat2, from, old, to, new, flags);
}
#define renameat2 fc_renameat2

static inline ssize_t fc_copy_file_range(int in, off_t *at, int out, off_t *to, size_t n, unsigned flags)
{
	return syscall(SYS_copy_file_range, in, at, out, to, n, flags);
}
#define copy_file_range fc_copy_file_range

#endif
