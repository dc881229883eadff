/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * map.c - mmap of a remote file. On this machine the domain hands the file over (session/hand.c), and the mapping is the kernel's own:
 * coherent with everybody's, for it is the same page cache, and allowed what the descriptor is. Where it does not, a private mapping
 * is a copy, made now: what POSIX leaves open anyway is whether later changes of the file show through, and there they do not. For a shared
 * one see map_shared.h; or ENODEV, as from any file that cannot be mapped.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/rawcall.h"
#include "farcall/abi.h"
#include "libc-shim/calls/handed.h"
#include "libc-shim/calls/handlers.h"
#include "libc-shim/calls/map_shared.h"
#include "libc-shim/calls/remote.h"
#include "libc-shim/native.h"
#include "libc-shim/hook.h"
#include "libc-shim/process/beyond.h"
#include "libc-shim/process/process.h"
#include "libc-shim/session/lease.h"
#include "libc-shim/shim.h"

#define PAGE_UP(n) (((n) + FC_PAGE_SIZE - 1) & ~(size_t)(FC_PAGE_SIZE - 1))

static long native(long nr, const long a[6])
{
	return unlikely(shim_maps_any()) && a[3] & MAP_FIXED ? shim_map_over(nr, a) : shim_native(nr, a);
}

/* As the kernel has them for a file that knows of none: MAP_SHARED_VALIDATE asks what there is, MAP_SHARED does not. */
#define FLAGS_OLD                                                                                           \
	(MAP_SHARED_VALIDATE | MAP_FIXED | MAP_ANONYMOUS | MAP_DENYWRITE | MAP_EXECUTABLE | MAP_GROWSDOWN | \
	 MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK | MAP_HUGETLB | MAP_32BIT |   \
	 MAP_FIXED_NOREPLACE | 63 << MAP_HUGE_SHIFT)

static bool is_shared(const long a[6])
{
	return (a[3] & MAP_TYPE) == MAP_SHARED || (a[3] & MAP_TYPE) == MAP_SHARED_VALIDATE;
}

/* What mmap says of how the file is open, in its order. */
static long check_rights(long open_flags, mode_t mode, const long a[6])
{
	if (!is_shared(a) && (a[3] & MAP_TYPE) != MAP_PRIVATE)
		return -EINVAL;
	if ((a[3] & MAP_TYPE) == MAP_SHARED_VALIDATE && a[3] & ~(long)FLAGS_OLD)
		return -EOPNOTSUPP;
	if (is_shared(a) && (a[2] & PROT_WRITE) && (open_flags & O_ACCMODE) != O_RDWR)
		return -EACCES;
	if ((open_flags & O_ACCMODE) == O_WRONLY)
		return -EACCES;
	return S_ISREG(mode) ? 0 : -ENODEV;
}

/* Flags of the descriptor, or -errno. */
static long check(long fd, const long a[6], struct stat *st)
{
	long get[6] = { fd, F_GETFL }, stat[6] = { fd, (long)st };
	long flags = shim_dispatch(SYS_fcntl, get);
	long r = flags < 0 ? flags : shim_dispatch(SYS_fstat, stat);

	if (r < 0)
		return r;
	if ((flags & O_PATH) == O_PATH)
		return -EBADF;
	if (a[1] == 0 || (a[5] & (FC_PAGE_SIZE - 1)))
		return -EINVAL;
	if ((size_t)a[1] > SIZE_MAX - FC_PAGE_SIZE)
		return -ENOMEM;
	r = check_rights(flags, st->st_mode, a);
	return r < 0 ? r : flags;
}

static long fill(long fd, char *to, size_t bytes, int64_t pos)
{
	while (bytes) {
		long r[6] = { fd, (long)to, (long)bytes, pos };
		long n = shim_dispatch(SYS_pread64, r);

		if (n < 0)
			return n;
		if (n == 0)
			break;
		to += n;
		pos += n;
		bytes -= (size_t)n;
	}
	return 0;
}

/* SHIM_OTHER: what it has copied may be another file's. */
static long map_copy(struct shim_process *p, uint64_t w, const long a[6], const struct stat *st)
{
	size_t bytes = st->st_size <= a[5] ? 0 : (size_t)(st->st_size - a[5]);
	long r;

	if (bytes > (size_t)a[1])
		bytes = (size_t)a[1];
	long b[6] = { a[0], a[1], PROT_READ | PROT_WRITE, a[3] | MAP_ANONYMOUS, -1, 0 };
	long at = native(SYS_mmap, b);
	if (shim_is_error(at))
		return at;
	r = fill(a[4], (char *)at, bytes, a[5]);
	if (unlikely(shim_fd_get(p, a[4]) != w))
		r = SHIM_OTHER;
	/* whole pages beyond the end of the file cannot be touched */
	size_t end = PAGE_UP(bytes), length = PAGE_UP((size_t)a[1]);
	if (r == 0 && end)
		r = fc_call(SYS_mprotect, at, end, a[2]);
	if (r == 0 && end < length)
		r = fc_call(SYS_mprotect, at + (long)end, length - end, PROT_NONE);
	if (r < 0) {
		fc_call(SYS_munmap, at, a[1]);
		return r;
	}
	return at;
}

/* SHIM_OTHER as above. */
static long map_file(struct shim_process *p, uint64_t w, const long a[6])
{
	struct stat st = { 0 };
	long r = check(a[4], a, &st);

	if (unlikely(shim_fd_get(p, a[4]) != w))
		return SHIM_OTHER; /* it may be the other file's */
	if (r < 0)
		return r;
	if (!is_shared(a))
		return map_copy(p, w, a, &st);
	shim_lease_bar(p, w); /* of one lease there is one owner */
	return shim_map_shared(p, w, a, &st, (r & O_ACCMODE) == O_RDWR);
}

long shim_do_mmap(long nr, long a[6])
{
	struct shim_process *p = shim_process();
	bool is_handed = true;
	uint64_t w;

	if (likely((a[3] & MAP_ANONYMOUS) || !shim_fd_get(p, a[4])))
		return native(nr, a);
	if (!(p = shim_process_own()))
		return -ENOMEM;
	if (!(w = shim_fd_get(p, a[4])))
		return -EBADF;
	const struct shim_file *f = shim_file_of(p, w);
	if (f && !shim_file_reads(f))
		shim_lease_bar(p, w); /* what is written has to be in the mapping at once */
	long handed = shim_hand_on(p, a[4], w);
	if (handed == -EOPNOTSUPP)
		handed = map_file(p, w, a), is_handed = false;
	if (unlikely(handed == SHIM_OTHER))
		return shim_do_mmap(nr, a);
	if (handed < 0 || !is_handed)
		return handed;
	long b[6] = { a[0], a[1], a[2], a[3], handed, a[5] };
	long r = native(nr, b);
	shim_done_with(p, (int)handed);
	return r;
}
