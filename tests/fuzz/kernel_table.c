/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kernel_table.c - the calls that a table can describe: what each reads and writes, after the manual pages and not after syscalls.def, so
 * that a wrong row there is noticed. And what the kernel answers, by the input.
 */
#define _GNU_SOURCE
#include "tests/fuzz/kernel_parts.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "farcall/wire.h"
#include "tests/fuzz/client.h"
#include "tests/fuzz/fuzz.h"

#define ROOT_INODE 2
#define CALLS_MAX 200    /* then the disk is broken: a stream of 2 GiB teaches no more than one of a few MiB */
#define MOST 0x7ffff000u /* bytes that one call moves */

unsigned kernel_calls_made;

/* ---- what the table says ---- */

enum kind { NONE, VAL, FD, DIR, PATH, STR, IN, OUT, OBJ_IN, OBJ_OUT, IOV_IN, IOV_OUT, OFFSET, XATTR };
enum returns { ZERO, COUNT, NUMBER }; /* COUNT: of what the buffer holds */

struct call {
	const char *name;
	uint8_t returns;
	struct {
		uint8_t kind;
		uint16_t n; /* argument that holds the length, or size */
	} arg[6];
};

/* clang-format off */
#define CALL(name, returns, ...) [SYS_##name] = { #name, returns, { __VA_ARGS__ } },
static const struct call calls[512] = {
	CALL(read, COUNT, { FD }, { OUT, 2 }, { VAL })
	CALL(write, COUNT, { FD }, { IN, 2 }, { VAL })
	CALL(pread64, COUNT, { FD }, { OUT, 2 }, { VAL }, { VAL })
	CALL(pwrite64, COUNT, { FD }, { IN, 2 }, { VAL }, { VAL })
	CALL(preadv2, COUNT, { FD }, { IOV_OUT, 2 }, { VAL }, { VAL }, { VAL }, { VAL })
	CALL(pwritev2, COUNT, { FD }, { IOV_IN, 2 }, { VAL }, { VAL }, { VAL }, { VAL })
	CALL(lseek, NUMBER, { FD }, { VAL }, { VAL })
	CALL(copy_file_range, NUMBER, { FD }, { OFFSET }, { FD }, { OFFSET }, { VAL }, { VAL })
	CALL(sendfile, NUMBER, { FD }, { FD }, { OFFSET }, { VAL })
	CALL(ftruncate, ZERO, { FD }, { VAL })
	CALL(truncate, ZERO, { PATH }, { VAL })
	CALL(fallocate, ZERO, { FD }, { VAL }, { VAL }, { VAL })
	CALL(fsync, ZERO, { FD })
	CALL(fdatasync, ZERO, { FD })
	CALL(sync_file_range, ZERO, { FD }, { VAL }, { VAL }, { VAL })
	CALL(syncfs, ZERO, { FD })
	CALL(fadvise64, ZERO, { FD }, { VAL }, { VAL }, { VAL })
	CALL(readahead, ZERO, { FD }, { VAL }, { VAL })
	CALL(flock, ZERO, { FD }, { VAL })
	CALL(fstat, ZERO, { FD }, { OBJ_OUT, sizeof(struct stat) })
	CALL(newfstatat, ZERO, { DIR }, { PATH }, { OBJ_OUT, sizeof(struct stat) }, { VAL })
	CALL(statx, ZERO, { DIR }, { PATH }, { VAL }, { VAL }, { OBJ_OUT, sizeof(struct statx) })
	CALL(statfs, ZERO, { PATH }, { OBJ_OUT, 120 })
	CALL(fstatfs, ZERO, { FD }, { OBJ_OUT, 120 })
	CALL(faccessat, ZERO, { DIR }, { PATH }, { VAL })
	CALL(name_to_handle_at, ZERO, { DIR }, { PATH }, { OBJ_OUT, 136 }, { OBJ_OUT, 4 }, { VAL })
	CALL(faccessat2, ZERO, { DIR }, { PATH }, { VAL }, { VAL })
	CALL(fchmod, ZERO, { FD }, { VAL })
	CALL(fchmodat, ZERO, { DIR }, { PATH }, { VAL })
	CALL(fchown, ZERO, { FD }, { VAL }, { VAL })
	CALL(fchownat, ZERO, { DIR }, { PATH }, { VAL }, { VAL }, { VAL })
	CALL(utimensat, ZERO, { DIR }, { PATH }, { OBJ_IN, 32 }, { VAL })
	CALL(getdents64, COUNT, { FD }, { OUT, 2 }, { VAL })
	CALL(readlinkat, COUNT, { DIR }, { PATH }, { OUT, 3 }, { VAL })
	CALL(mkdirat, ZERO, { DIR }, { PATH }, { VAL })
	CALL(mknodat, ZERO, { DIR }, { PATH }, { VAL }, { VAL })
	CALL(unlinkat, ZERO, { DIR }, { PATH }, { VAL })
	CALL(renameat2, ZERO, { DIR }, { PATH }, { DIR }, { PATH }, { VAL })
	CALL(linkat, ZERO, { DIR }, { PATH }, { DIR }, { PATH }, { VAL })
	CALL(symlinkat, ZERO, { STR, 4096 }, { DIR }, { PATH })
	CALL(umask, NUMBER, { VAL })
	CALL(fchdir, ZERO, { FD })
	CALL(getcwd, COUNT, { OUT, 1 }, { VAL })
	CALL(setxattr, ZERO, { PATH }, { STR, 256 }, { IN, 3 }, { VAL }, { VAL })
	CALL(lsetxattr, ZERO, { PATH }, { STR, 256 }, { IN, 3 }, { VAL }, { VAL })
	CALL(fsetxattr, ZERO, { FD }, { STR, 256 }, { IN, 3 }, { VAL }, { VAL })
	CALL(getxattr, COUNT, { PATH }, { STR, 256 }, { OUT, 3 }, { VAL })
	CALL(lgetxattr, COUNT, { PATH }, { STR, 256 }, { OUT, 3 }, { VAL })
	CALL(fgetxattr, COUNT, { FD }, { STR, 256 }, { OUT, 3 }, { VAL })
	CALL(listxattr, COUNT, { PATH }, { OUT, 2 }, { VAL })
	CALL(llistxattr, COUNT, { PATH }, { OUT, 2 }, { VAL })
	CALL(flistxattr, COUNT, { FD }, { OUT, 2 }, { VAL })
	CALL(removexattr, ZERO, { PATH }, { STR, 256 })
	CALL(lremovexattr, ZERO, { PATH }, { STR, 256 })
	CALL(fremovexattr, ZERO, { FD }, { STR, 256 })
	CALL(setxattrat, ZERO, { DIR }, { PATH }, { VAL }, { STR, 256 }, { XATTR, 5 }, { VAL })
	CALL(getxattrat, NUMBER, { DIR }, { PATH }, { VAL }, { STR, 256 }, { XATTR, 5 }, { VAL })
	CALL(listxattrat, COUNT, { DIR }, { PATH }, { VAL }, { OUT, 4 }, { VAL })
	CALL(removexattrat, ZERO, { DIR }, { PATH }, { VAL }, { STR, 256 })
	CALL(fchmodat2, ZERO, { DIR }, { PATH }, { VAL }, { VAL })
	CALL(file_getattr, ZERO, { DIR }, { PATH }, { OUT, 3 }, { VAL }, { VAL })
	CALL(file_setattr, ZERO, { DIR }, { PATH }, { IN, 3 }, { VAL }, { VAL })
	CALL(cachestat, ZERO, { FD }, { OBJ_IN, 16 }, { OBJ_OUT, 40 }, { VAL })
};
/* clang-format on */

/* ---- answers ---- */

static long any_error(void)
{
	static const uint8_t likely[] = { EXDEV, ENOENT, EINVAL, EROFS,  EACCES,       ELOOP,  ENOTDIR, EAGAIN,
					  EBADF, EIO,    EFAULT, ERANGE, ENAMETOOLONG, EEXIST, ENOSPC,  EMFILE };
	unsigned b = fuzz_back(1);

	return b < sizeof likely ? -likely[b] : -1 - (long)(fuzz_back(2) % 4095);
}

/* What happens apart from the call: 0, or how it fails. */
long kernel_weather(void)
{
	unsigned b = fuzz_back(1);

	if (kernel_calls_made > CALLS_MAX)
		return -EIO;
	switch (b & 7) {
	case 1:
	case 2:
		return any_error();
	case 3:
		return -EXDEV;
	case 4:
		client_strike();
		return 0;
	case 5:
		kernel_signal();
		return -EINTR;
	default:
		return 0;
	}
}

static long any_count(uint64_t most)
{
	unsigned b = fuzz_back(1);

	if (most > MOST)
		most = MOST;
	return b == 0   ? most
	       : b < 32 ? most - (most < b ? most : b)
	       : b < 64 ? (most < b - 32 ? most : b - 32)
			: fuzz_back(4) % (most + 1);
}

static const char *any_text(void)
{
	static const char *const text[] = {
		"x", "../x",   "/data/f", "/else/where", ".",     "..",           "",
		"/", "a/b/c/", "l",       "../../..",    "/data", "/mnt/other/g", "/data/sub"
	};
	static char lots[FC_PATH_MAX + 1];
	unsigned b = fuzz_back(1);

	if (b < sizeof text / sizeof *text)
		return text[b];
	if (b < 64)
		return "(unreachable)/x";
	if (!lots[0])
		for (unsigned i = 0; i < FC_PATH_MAX; i++)
			lots[i] = i % 3 == 2 ? '/' : '.';
	return lots + (b - 64) * 20 + fuzz_back(1) % 20;
}

static void answer_stat(struct stat *st)
{
	static const mode_t type[] = { S_IFREG, S_IFDIR, S_IFLNK, S_IFIFO };
	unsigned b = fuzz_back(1);

	st->st_mode = type[b & 3] | 0644;
	st->st_dev = b & 4 ? KERNEL_SKELETON : 0x801;
}

static void answer_statx(struct statx *st)
{
	unsigned b = fuzz_back(1);

	st->stx_mask = STATX_INO | STATX_MNT_ID | (b & 8 ? STATX_BTIME : 0);
	st->stx_mode = b & 16 ? S_IFREG : S_IFSOCK;
	st->stx_mnt_id = 100 + (b & 1);
	st->stx_ino = b & 2 ? ROOT_INODE : 77;
	st->stx_dev_major = b & 4 ? 0 : 8;
	st->stx_dev_minor = b & 4 ? KERNEL_SKELETON : 1;
}

/* ---- a call from the table ---- */

struct running {
	const struct call *call;
	long nr, a[6];
	const char *path;
	long moved; /* bytes that a buffer is good for; -1: no buffer */
};

static long check_iov(struct running *r, int i)
{
	const struct iovec *v = (void *)r->a[i];
	unsigned long count = r->a[r->call->arg[i].n];
	bool out = r->call->arg[i].kind == IOV_OUT;

	r->moved = 0;
	if (count > FC_IOV_MAX)
		return -EINVAL;
	if (!count)
		return 0;
	if (!v)
		return -EFAULT;
	kernel_check_private(v, count * sizeof *v, "iovec");
	for (unsigned long k = 0; k < count; k++) {
		if (!v[k].iov_len)
			continue;
		if (!v[k].iov_base)
			return r->moved ? 0 : -EFAULT;
		kernel_check(v[k].iov_base, v[k].iov_len, r->call->name);
		if (out && k < 16)
			kernel_fill(v[k].iov_base, v[k].iov_len, r->call->name);
		r->moved += v[k].iov_len;
	}
	return 0;
}

/* A name or a link's target: the client's own, up to its end or that of its memory. */
static long check_str(const struct running *r, int i)
{
	const char *s = (void *)r->a[i];
	size_t most = r->call->arg[i].n;

	if (!s)
		return -EFAULT;
	/* behind the end of a segment nothing is mapped here */
	if (kernel_check(s, 1, r->call->name) && client_room(s) < most)
		return memchr(s, 0, client_room(s)) ? 0 : -EFAULT;
	return memchr(s, 0, most) ? 0 : -ENAMETOOLONG;
}

static long check_buffer(struct running *r, int i)
{
	uint64_t n = r->a[r->call->arg[i].n];
	void *p = (void *)r->a[i];

	/* as the kernel declares them */
	if (r->nr == SYS_getdents64)
		n = (unsigned)n;
	if (r->nr == SYS_readlinkat && (int)n <= 0)
		return -EINVAL;
	if (r->nr == SYS_readlinkat)
		n = (int)n;
	r->moved = n < MOST ? n : MOST;
	if (!n)
		return 0;
	if (!p)
		return -EFAULT;
	kernel_check(p, n, r->call->name);
	if (r->call->arg[i].kind == OUT)
		kernel_fill(p, n, r->call->name);
	return 0;
}

static long check_object(const struct running *r, int i)
{
	unsigned n = r->call->arg[i].n;
	void *p = (void *)r->a[i];

	if (!p)
		return r->call->arg[i].kind == OBJ_IN ? 0 : -EFAULT;
	kernel_check(p, n, r->call->name);
	if (r->call->arg[i].kind == OBJ_OUT)
		kernel_fill(p, n, r->call->name);
	return 0;
}

/* A structure whose size is an argument, with a pointer and a length in it. The kernel moves no more than 64 KiB. */
static long check_xattr(const struct running *r, int i)
{
	struct fc_xattr_args *args = (void *)r->a[i];
	uint64_t size = r->a[r->call->arg[i].n], n;

	if (size != sizeof *args)
		fuzz_fail("%s with a structure of %lu bytes", r->call->name, (unsigned long)size);
	kernel_check_private(args, sizeof *args, r->call->name);
	n = args->size < 65536 ? args->size : 65536;
	if (!args->value || !n)
		return args->value || !n ? 0 : -EFAULT;
	kernel_check((void *)(uintptr_t)args->value, n, r->call->name);
	if (r->nr == SYS_getxattrat)
		kernel_fill((void *)(uintptr_t)args->value, n, r->call->name);
	return 0;
}

static long check_arg(struct running *r, int i)
{
	bool walk;

	switch (r->call->arg[i].kind) {
	case FD:
		return kernel_check_fd((int)r->a[i], r->call->name);
	case DIR:
		r->path = (void *)r->a[i + 1];
		if (r->path)
			kernel_check_path(r->path);
		walk = r->nr == SYS_statx && r->path && !*r->path;
		return kernel_check_dirfd((int)r->a[i], r->path, walk, r->call->name);
	case PATH:
		r->path = (void *)r->a[i];
		if (r->path)
			kernel_check_path(r->path);
		return 0;
	case STR:
		return check_str(r, i);
	case IN:
	case OUT:
		return check_buffer(r, i);
	case OBJ_IN:
	case OBJ_OUT:
		return check_object(r, i);
	case IOV_IN:
	case IOV_OUT:
		return check_iov(r, i);
	case XATTR:
		return check_xattr(r, i);
	case OFFSET:
		if (r->a[i])
			kernel_check_private((void *)r->a[i], 8, r->call->name);
		if (r->a[i])
			*(uint64_t *)r->a[i] = fuzz_back(8);
		return 0;
	default:
		return 0;
	}
}

static long answer(struct running *r)
{
	const char *text;
	size_t n;

	switch (r->nr) {
	case SYS_newfstatat:
		answer_stat((void *)r->a[2]);
		return 0;
	case SYS_statx:
		answer_statx((void *)r->a[4]);
		return 0;
	case SYS_readlinkat:
		text = any_text();
		n = strlen(text) < (size_t)r->moved ? strlen(text) : (size_t)r->moved;
		memcpy((void *)r->a[2], text, n);
		return n;
	case SYS_getcwd:
		text = any_text();
		n = strlen(text) + 1;
		if (n > (size_t)r->moved)
			return -ERANGE;
		memcpy((void *)r->a[0], text, n);
		return n;
	}
	switch (r->call->returns) {
	case COUNT:
		return any_count(r->moved);
	case NUMBER:
		return fuzz_back(4);
	default:
		return 0;
	}
}

long kernel_from_table(long nr, const long a[6])
{
	struct running r = { .nr = nr, .moved = -1 };
	long result = 0;

	if (nr < 0 || nr >= 512 || !calls[nr].name)
		fuzz_fail("system call %ld", nr);
	r.call = &calls[nr];

	memcpy(r.a, a, sizeof r.a);
	/* all arguments, whatever is wrong with one */
	for (int i = 0; i < 6; i++) {
		long this = check_arg(&r, i);

		result = result ? result : this;
	}
	if (!result)
		result = kernel_weather();
	return result ? result : answer(&r);
}
