/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat.h - included before every test program that is built for a relinked libc: what glibc has and musl 1.2.3 or uClibc-ng
 * 1.0.35 has not. */
#ifndef FC_TESTS_COMPAT_H
#define FC_TESTS_COMPAT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/stat.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static inline const char *strerrorname_np(int error)
{
#define NAME(e) \
	case e: \
		return #e;
	/* clang-format off */
	switch (error) {
		NAME(EPERM) NAME(ENOENT) NAME(ESRCH) NAME(EINTR) NAME(EIO) NAME(ENXIO) NAME(E2BIG)
		NAME(ENOEXEC) NAME(EBADF) NAME(ECHILD) NAME(EAGAIN) NAME(ENOMEM) NAME(EACCES) NAME(EFAULT)
		NAME(ENOTBLK) NAME(EBUSY) NAME(EEXIST) NAME(EXDEV) NAME(ENODEV) NAME(ENOTDIR) NAME(EISDIR)
		NAME(EINVAL) NAME(ENFILE) NAME(EMFILE) NAME(ENOTTY) NAME(ETXTBSY) NAME(EFBIG) NAME(ENOSPC)
		NAME(ESPIPE) NAME(EROFS) NAME(EMLINK) NAME(EPIPE) NAME(EDOM) NAME(ERANGE) NAME(EDEADLK)
		NAME(ENAMETOOLONG) NAME(ENOLCK) NAME(ENOSYS) NAME(ENOTEMPTY) NAME(ELOOP) NAME(ENODATA)
		NAME(ETIME) NAME(EOVERFLOW) NAME(ENOTSOCK) NAME(EOPNOTSUPP) NAME(ESTALE) NAME(EDQUOT)
		NAME(ECANCELED)
	default:
		return strerror(error);
	}
	/* clang-format on */
#undef NAME
}

/* as glibc's name it, without SIG; of those that the tests have to do with */
static inline const char *sigabbrev_np(int sig)
{
#define NAME(s)      \
	case SIG##s: \
		return #s;
	/* clang-format off */
	switch (sig) {
		NAME(HUP) NAME(INT) NAME(ABRT) NAME(BUS) NAME(FPE) NAME(KILL) NAME(USR1) NAME(SEGV) NAME(USR2)
		NAME(PIPE) NAME(ALRM) NAME(TERM) NAME(CHLD) NAME(STOP) NAME(XCPU) NAME(XFSZ) NAME(IO) NAME(SYS)
	default:
		return NULL;
	}
	/* clang-format on */
#undef NAME
}

#ifndef __GLIBC__
#define FC_NO_CONTEXT
#endif

#if !defined(__GLIBC__) || defined(__UCLIBC__)
static inline int scandirat(int dir, const char *path, struct dirent ***list, int (*filter)(const struct dirent *),
			    int (*compare)(const struct dirent **, const struct dirent **))
{
	char name[300];

	snprintf(name, sizeof(name), "/proc/self/fd/%d/%s", dir, path);
	return scandir(name, list, filter, compare);
}
#endif

#ifdef __UCLIBC__
#define FC_NO_ADDCHDIR
#define futimes(fd, times) syscall(SYS_futimesat, fd, NULL, times)
/* there, but hands the kernel its arguments in halves: EINVAL */
#define sync_file_range(fd, at, n, flags) ((int)syscall(SYS_sync_file_range, fd, at, n, flags))

static inline int prlimit(int pid, int what, const struct rlimit *new, struct rlimit *old)
{
	return (int)syscall(SYS_prlimit64, pid, what, new, old);
}

static inline ssize_t process_vm_readv(int pid, const struct iovec *to, unsigned long nto, const struct iovec *from,
				       unsigned long nfrom, unsigned long flags)
{
	return syscall(SYS_process_vm_readv, pid, to, nto, from, nfrom, flags);
}

static inline ssize_t process_vm_writev(int pid, const struct iovec *from, unsigned long nfrom, const struct iovec *to,
					unsigned long nto, unsigned long flags)
{
	return syscall(SYS_process_vm_writev, pid, from, nfrom, to, nto, flags);
}

static inline ssize_t getdents64(int fd, void *to, size_t size)
{
	return syscall(SYS_getdents64, fd, to, size);
}
#endif

#ifndef O_TMPFILE
#define O_TMPFILE (020000000 | O_DIRECTORY)
#endif

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE 2
#define RENAME_WHITEOUT 4
#endif

#ifndef SEEK_DATA
#define SEEK_DATA 3
#define SEEK_HOLE 4
#endif

#ifndef MAP_SHARED_VALIDATE
#define MAP_SHARED_VALIDATE 3
#endif

#ifndef IN_MASK_CREATE
#define IN_MASK_CREATE 0x10000000
#endif

#ifndef F_ADD_SEALS
#define F_ADD_SEALS 1033
#define F_GET_SEALS 1034
#define F_SEAL_SEAL 1
#define F_SEAL_SHRINK 2
#define F_SEAL_GROW 4
#define F_SEAL_WRITE 8
#define memfd_create(name, flags) (int)syscall(SYS_memfd_create, name, flags)
#endif

#ifndef F_GETOWN_EX
#define F_GETOWN_EX 16
struct f_owner_ex {
	int type;
	int pid;
};
#endif

#ifndef F_GET_RW_HINT
#define F_GET_RW_HINT 1035
#define F_SET_RW_HINT 1036
#define F_GET_FILE_RW_HINT 1037
#define F_SET_FILE_RW_HINT 1038
#endif

#ifndef F_OFD_SETLK
#define F_OFD_GETLK 36
#define F_OFD_SETLK 37
#define F_OFD_SETLKW 38
#endif

#ifndef RWF_DSYNC
#define RWF_DSYNC 2
#define RWF_NOWAIT 8
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

/* not a macro: there is a structure of this name */
static inline int statx(int dir, const char *path, int flags, unsigned mask, struct statx *to)
{
	return (int)syscall(SYS_statx, dir, path, flags, mask, to);
}

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
