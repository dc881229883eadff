/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kernel.c - the model below the execution side, see kernel.h.
 *
 * What each call reads and writes stands in a table of its own, after the manual pages and not after syscalls.def, so that a wrong row
 * there is noticed. An address must lie in the data area as a whole, or be private memory that holds as much. Paths and whatever
 * holds lengths, pointers or descriptors must be private. Descriptors below FC_DOMAIN_FD_FIRST are seen only as the start of a
 * walk. Output is written to its end.
 */
#define _GNU_SOURCE
#include "tests/fuzz/kernel.h"

#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sanitizer/asan_interface.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "storage-domain/fds.h"
#include "tests/fuzz/client.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/seam.h"

#undef fc_raw

#define ROOT_INODE 2
#define OPENED_MAX 256
#define CALLS_MAX 200    /* then the disk is broken: a stream of 2 GiB teaches no more than one of a few MiB */
#define MOST 0x7ffff000u /* bytes that one call moves */

extern char __executable_start, end; /* the linker's */

static struct fc_worker *worker;
static const char *stack_low, *stack_high;
static int opened[OPENED_MAX], opened_count, next_fd;
static unsigned calls_made; /* by this request */
static uint32_t fsuid, fsgid;
static uint64_t caps;
static void (*handler)(int);

/* ---- memory ---- */

struct part {
	const void *at;
	size_t size;
};

/* Is [p, p + n) within one member of the worker's scratch? */
static bool in_scratch(const char *p, size_t n)
{
	const struct fc_exec *x = &worker->exec;
	const struct part part[] = {
		{ x->path[0], sizeof x->path[0] },
		{ x->path[1], sizeof x->path[1] },
		{ x->walk.name, sizeof x->walk.name },
		{ x->walk.text, sizeof x->walk.text },
		{ x->walk.scratch, sizeof x->walk.scratch },
		{ x->iov, sizeof x->iov },
		{ &x->e, sizeof x->e },
		{ &x->cred, sizeof x->cred },
	};

	for (unsigned i = 0; i < sizeof part / sizeof *part; i++) {
		const char *at = part[i].at;

		if (p >= at && p < at + part[i].size)
			return n <= (size_t)(at + part[i].size - p);
	}
	return false;
}

/* Something the compiler knows of: a variable of some frame, a constant, an allocation. */
static bool is_object(void *p)
{
	char name[8];
	void *start;
	size_t size;

	if (((char *)p >= stack_low && (char *)p < stack_high) ||
	    ((char *)p >= &__executable_start && (char *)p < &end))
		return true;
	return strcmp(__asan_locate_address(p, name, sizeof name, &start, &size), "") && start;
}

/* Fails if [p, p + n) is not all there. True: it is the client's. Null pointers are the caller's to look for. */
static bool check(const void *p, size_t n, const char *what)
{
	if (client_owns(p, n) == CLIENT_DATA)
		return true;
	if (client_owns(p, n) == CLIENT_AREA)
		fuzz_fail("%s: the kernel gets the request area", what);
	if ((char *)p >= (char *)worker && (char *)p < (char *)(worker + 1)) {
		if (!in_scratch(p, n))
			fuzz_fail("%s: %zu bytes at %p run out of the scratch", what, n, p);
		return false;
	}
	if (__asan_region_is_poisoned((void *)p, n) || !is_object((void *)p))
		fuzz_fail("%s: %zu bytes at %p are nobody's", what, n, p);
	return false;
}

static void check_private(const void *p, size_t n, const char *what)
{
	if (check(p, n, what))
		fuzz_fail("%s: it is shared with the client, who may change it", what);
}

/* The kernel writes n bytes: all of private ones, the ends of shared ones, in which nothing can be hit but what was checked. */
static void fill(void *p, size_t n, const char *what)
{
	uint8_t byte = fuzz_back(1);

	if (!check(p, n, what)) {
		memset(p, byte, n);
	} else if (n) {
		memset(p, byte, n < 64 ? n : 64);
		((char *)p)[n - 1] = byte;
	}
}

/* A path ends within its object; the kernel reads no more than FC_PATH_MAX of it. */
static const char *check_path(const char *p)
{
	size_t n = strnlen(p, FC_PATH_MAX);

	check_private(p, n < FC_PATH_MAX ? n + 1 : n, "path");
	return p;
}

/* ---- descriptors ---- */

static int own(int fd)
{
	for (int i = 0; i < opened_count; i++)
		if (opened[i] == fd)
			return i;
	return -1;
}

static long new_fd(bool low)
{
	unsigned b = fuzz_back(1);
	int fd = b < 240 ? next_fd++ : b < 248 && low ? (int)(b & 7) + 16 : FC_DOMAIN_FD_MAX + 1 + next_fd++;

	if (own(fd) >= 0)
		fd = next_fd++;
	if (opened_count == OPENED_MAX)
		fuzz_fail("one request has %d descriptors open", opened_count);
	opened[opened_count++] = fd;
	return fd;
}

static bool for_client(int fd)
{
	return fd >= FC_DOMAIN_FD_FIRST && fd <= FC_DOMAIN_FD_MAX;
}

/* A descriptor to do something with: none, the client's, or one that this request has just got. */
static long check_fd(int fd, const char *what)
{
	if (fd == -1)
		return -EBADF;
	if (!for_client(fd) && own(fd) < 0)
		fuzz_fail("%s: descriptor %d is not the client's", what, fd);
	return 0;
}

static bool absolute(void)
{
	return worker->exec.path[0][0] == '/' || worker->exec.path[1][0] == '/';
}

static void check_descriptor_path(const char *path)
{
	char *end;
	unsigned long fd;

	if (!worker->exec.descriptor_path || strncmp(path, "self/fd/", 8))
		fuzz_fail("\"%s\" relative to /proc", path);
	fd = strtoul(path + 8, &end, 10);
	if (*end || end == path + 8 || fd < FC_DOMAIN_FD_FIRST || fd > FC_DOMAIN_FD_MAX)
		fuzz_fail("\"%s\" relative to /proc", path);
}

/* Where a path starts. `walk`: the call is one of those that path.c makes on an export's root. */
static long check_dirfd(int fd, const char *path, bool walk, const char *what)
{
	if (fd == FC_FD_PROC) {
		check_descriptor_path(path ? path : "");
		return 0;
	}
	if (fd == AT_FDCWD)
		return 0;
	if (fd >= FC_FD_EXPORT && fd < FC_FD_EXPORT + (int)worker->exec.s->exports->count && walk && absolute())
		return 0;
	/* the kernel looks at it only if the path is relative, and that says what is wrong with the path first */
	return check_fd(fd, what) && (!path || path[0] != '/') ? -EBADF : 0;
}

/* ---- what the table says ---- */

enum kind { NONE, VAL, FD, DIR, PATH, STR, IN, OUT, OBJ_IN, OBJ_OUT, IOV_IN, IOV_OUT, OFFSET };
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
static long weather(void)
{
	unsigned b = fuzz_back(1);

	if (calls_made > CALLS_MAX)
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
		if (handler)
			handler(FC_WORKER_SIGNAL);
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

	st->stx_mask = STATX_INO | STATX_MNT_ID;
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
	check_private(v, count * sizeof *v, "iovec");
	for (unsigned long k = 0; k < count; k++) {
		if (!v[k].iov_len)
			continue;
		if (!v[k].iov_base)
			return r->moved ? 0 : -EFAULT;
		check(v[k].iov_base, v[k].iov_len, r->call->name);
		if (out && k < 16)
			fill(v[k].iov_base, v[k].iov_len, r->call->name);
		r->moved += v[k].iov_len;
	}
	return 0;
}

/* A name or a link's target: the client's own, up to its end or that of its memory. */
static long check_str(const struct running *r, int i)
{
	const char *s = (void *)r->a[i];
	bool shared;

	if (!s)
		return -EFAULT;
	shared = check(s, 1, r->call->name);
	for (unsigned n = 0; n < r->call->arg[i].n; n++) {
		if (shared && !((uintptr_t)(s + n) & (FC_DATA_MIN / 64 - 1)) && n)
			return -EFAULT; /* may be the end of a segment, behind which nothing is mapped here */
		if (!shared)
			check(s + n, 1, r->call->name);
		if (!s[n])
			return 0;
	}
	return -ENAMETOOLONG;
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
	check(p, n, r->call->name);
	if (r->call->arg[i].kind == OUT)
		fill(p, n, r->call->name);
	return 0;
}

static long check_object(const struct running *r, int i)
{
	unsigned n = r->call->arg[i].n;
	void *p = (void *)r->a[i];

	if (!p)
		return r->call->arg[i].kind == OBJ_IN ? 0 : -EFAULT;
	check(p, n, r->call->name);
	if (r->call->arg[i].kind == OBJ_OUT)
		fill(p, n, r->call->name);
	return 0;
}

static long check_arg(struct running *r, int i)
{
	bool walk;

	switch (r->call->arg[i].kind) {
	case FD:
		return check_fd((int)r->a[i], r->call->name);
	case DIR:
		r->path = (void *)r->a[i + 1];
		if (r->path)
			check_path(r->path);
		walk = r->nr == SYS_statx && r->path && !*r->path;
		return check_dirfd((int)r->a[i], r->path, walk, r->call->name);
	case PATH:
		r->path = (void *)r->a[i];
		if (r->path)
			check_path(r->path);
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
	case OFFSET:
		if (r->a[i])
			check_private((void *)r->a[i], 8, r->call->name);
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

static void check_identity(long nr)
{
	const struct fc_cred *c = &worker->exec.cred;
	bool as_real = nr == SYS_faccessat2 && fsuid == c->ruid && fsgid == c->rgid;

	if (!as_real && (fsuid != c->fsuid || fsgid != c->fsgid || (caps & ~c->caps)))
		fuzz_fail("call %ld runs as user %u, not %u", nr, fsuid, c->fsuid);
}

static long from_table(const struct call *call, long nr, const long a[6])
{
	struct running r = { .call = call, .nr = nr, .moved = -1 };
	long result = 0;

	memcpy(r.a, a, sizeof r.a);
	/* all arguments, whatever is wrong with one */
	for (int i = 0; i < 6; i++) {
		long this = check_arg(&r, i);

		result = result ? result : this;
	}
	if (!result)
		result = weather();
	return result ? result : answer(&r);
}

/* ---- calls of a kind of their own ---- */

static long do_close(int fd)
{
	int i = own(fd);

	if (i >= 0) {
		opened[i] = opened[--opened_count];
	} else {
		if (worker->exec.e.nr != SYS_close)
			fuzz_fail("closes %d, which is not this request's", fd);
		if (check_fd(fd, "close"))
			return -EBADF;
	}
	return weather();
}

static long do_openat(int dirfd, const char *path, unsigned flags)
{
	long r;

	check_path(path);
	if (strchr(path, '/') || !(flags & O_PATH) || !(flags & O_CLOEXEC) ||
	    (!(flags & O_NOFOLLOW) && strcmp(path, ".")))
		fuzz_fail("a walk opens \"%s\" with flags %#x", path, flags);
	r = check_dirfd(dirfd, path, true, "openat");
	if (!r)
		r = weather();
	return r ? r : new_fd(true);
}

static long do_openat2(int dirfd, const char *path, const struct open_how *how, size_t size)
{
	size_t n = strcspn(check_path(path), "/");
	long r;

	check_private(how, size, "open_how");
	if (size != sizeof *how)
		fuzz_fail("an open_how of %zu bytes", size);
	r = check_dirfd(dirfd, path, true, "openat2");
	if (dirfd != FC_FD_PROC) {
		if (!(how->resolve & RESOLVE_NO_MAGICLINKS))
			fuzz_fail("\"%s\" is opened through magic links", path);
		/* nothing keeps it in the export: then it must be one component that is no link */
		if (!(how->resolve & (RESOLVE_NO_XDEV | RESOLVE_BENEATH | RESOLVE_IN_ROOT)) &&
		    (!(how->resolve & RESOLVE_NO_SYMLINKS) || path[n + strspn(path + n, "/")]))
			fuzz_fail("\"%s\" is opened without bounds", path);
	}
	if (!r)
		r = weather();
	return r ? r : new_fd(true);
}

static long do_fcntl(int fd, int cmd, long arg)
{
	void *p = (void *)arg;
	size_t n = 0;
	long r = check_fd(fd, "fcntl");

	switch (cmd) {
	case F_DUPFD_CLOEXEC:
		if (arg != FC_DOMAIN_FD_FIRST)
			fuzz_fail("a duplicate at %ld", arg);
		r = r ? r : weather();
		return r ? r : new_fd(false);
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		if (p)
			check_private(p, sizeof(struct flock), "flock");
		n = cmd == F_GETLK || cmd == F_OFD_GETLK ? sizeof(struct flock) : 0;
		break;
	case F_GETOWN_EX:
	case F_GET_RW_HINT:
		n = 8;
		break;
	case F_SET_RW_HINT:
		if (p)
			check(p, 8, "fcntl");
		break;
	case F_GETFL:
	case F_SETFL:
	case F_GETLEASE:
	case F_GETOWN:
	case F_GETSIG:
	case F_GETPIPE_SZ:
	case F_SETPIPE_SZ:
	case F_ADD_SEALS:
	case F_GET_SEALS:
		break;
	case 0x7fffffff:
		return -EINVAL;
	default:
		fuzz_fail("fcntl command %d", cmd);
	}
	if (!r)
		r = weather();
	if (!r && n && !p)
		r = -EFAULT;
	if (!r && n)
		fill(p, n, "fcntl");
	return r ? r : cmd == F_GETFL ? (long)(fuzz_back(2) & (O_ACCMODE | O_APPEND | O_NONBLOCK)) : 0;
}

/* The kernel writes as many extents as there is room for, or says how many there are. */
static long do_fiemap(struct fiemap *map)
{
	struct fiemap head;

	check_private(map, sizeof *map, "fiemap");
	head = *map;
	check_private(map, sizeof *map + head.fm_extent_count * sizeof map->fm_extents[0], "fiemap");
	if (head.fm_extent_count > FC_FIEMAP_EXTENTS_MAX)
		fuzz_fail("fiemap with %u extents", head.fm_extent_count);
	fill(map + 1, head.fm_extent_count * sizeof map->fm_extents[0], "fiemap");
	map->fm_mapped_extents = head.fm_extent_count ? fuzz_back(2) % (head.fm_extent_count + 1) : fuzz_back(4);
	return 0;
}

static long do_ioctl(int fd, unsigned request, long arg)
{
	void *p = (void *)arg;
	size_t n = _IOC_SIZE(request);
	long r = check_fd(fd, "ioctl");

	switch (request) {
	case FICLONE:
		if ((int)arg != -1)
			check_fd((int)arg, "FICLONE");
		r = r ? r : weather();
		return r;
	case FICLONERANGE:
		if (p)
			check_private(p, n, "FICLONERANGE");
		if (p && (int)((struct file_clone_range *)p)->src_fd != -1)
			check_fd((int)((struct file_clone_range *)p)->src_fd, "FICLONERANGE");
		r = r ? r : weather();
		return r ? r : p ? 0 : -EFAULT;
	case FS_IOC_FIEMAP:
		r = r ? r : p ? do_fiemap(p) : -EFAULT;
		return r ? r : weather();
	case FIONREAD:
	case FS_IOC_GETFLAGS: /* declared as long, written as int */
	case FS_IOC_SETFLAGS:
	case FS_IOC_GETVERSION:
		n = sizeof(int);
		break;
	case FS_IOC_FSGETXATTR:
	case FS_IOC_FSSETXATTR:
		break;
	default:
		fuzz_fail("ioctl %#x", request);
	}
	if (p)
		check_private(p, n, "ioctl");
	if (!r)
		r = weather();
	if (!r && !p)
		r = -EFAULT;
	if (!r)
		fill(p, n, "ioctl");
	return r;
}

static long do_capset(const uint32_t *data)
{
	check_private(data, 24, "capset");
	caps = data[0] | (uint64_t)data[3] << 32;
	return 0;
}

static long do_capget(uint32_t *data)
{
	check_private(data, 24, "capget");
	memset(data, 0xff, 24);
	return 0;
}

static long set_id(uint32_t *id, uint32_t to)
{
	uint32_t was = *id;

	if (to != UINT32_MAX)
		*id = to;
	return was;
}

long fuzz_raw(long nr, long a, long b, long c, long d, long e, long f)
{
	const long arg[6] = { a, b, c, d, e, f };

	switch (nr) {
	case SYS_capset:
		return do_capset((void *)b);
	case SYS_capget:
		return do_capget((void *)b);
	case SYS_setgroups:
		if (a)
			check_private((void *)b, a * sizeof(gid_t), "setgroups");
		return 0;
	case SYS_setfsuid:
		return set_id(&fsuid, a);
	case SYS_setfsgid:
		return set_id(&fsgid, a);
	case SYS_prctl:
		if (a != PR_SET_DUMPABLE || b)
			fuzz_fail("prctl %ld", a);
		return 0;
	}
	check_identity(nr);
	calls_made++;
	switch (nr) {
	case SYS_close:
		return do_close(a);
	case SYS_openat:
		return do_openat(a, (void *)b, c);
	case SYS_openat2:
		return do_openat2(a, (void *)b, (void *)c, d);
	case SYS_fcntl:
		return do_fcntl(a, b, c);
	case SYS_ioctl:
		return do_ioctl(a, b, c);
	}
	if (nr < 0 || nr >= 512 || !calls[nr].name)
		fuzz_fail("system call %ld", nr);
	return from_table(&calls[nr], nr, arg);
}

/* ---- by the C library's name ---- */

pid_t fuzz_getpid(void);
pid_t fuzz_getpid(void)
{
	return 4242;
}

void *fuzz_mmap(void);
void *fuzz_mmap(void)
{
	fuzz_fail("a worker maps memory");
}

int fuzz_sigaction(int sig, const struct sigaction *sa, struct sigaction *old);
int fuzz_sigaction(int sig, const struct sigaction *sa, struct sigaction *old)
{
	(void)old;
	if (sig != FC_WORKER_SIGNAL)
		fuzz_fail("a handler for signal %d", sig);
	handler = sa->sa_handler;
	return 0;
}

/* ---- requests ---- */

void kernel_begin(struct fc_worker *w)
{
	worker = w;
	opened_count = 0;
	next_fd = 64;
	fsuid = fsgid = 0;
	caps = UINT64_MAX;
	if (!stack_low) {
		pthread_attr_t attr;
		void *low;
		size_t size;

		pthread_getattr_np(pthread_self(), &attr);
		pthread_attr_getstack(&attr, &low, &size);
		pthread_attr_destroy(&attr);
		stack_low = low;
		stack_high = stack_low + size;
	}
}

void kernel_request(void)
{
	client_request();
	opened_count = calls_made = 0;
	worker->exec.path[0][0] = worker->exec.path[1][0] = 0;
}

static bool makes_fd(unsigned nr)
{
	return nr == SYS_openat || nr == SYS_openat2 || nr == SYS_dup;
}

static void check_continuation(int arg)
{
	const struct fc_row *row = fc_row_by_nr(worker->exec.e.nr);
	const char *path;

	if (!row || arg > 5 || (row->arg[arg].kind != FC_KIND_PATH && row->arg[arg].kind != FC_KIND_PATH_OPT))
		fuzz_fail("call %u is continued at argument %d", worker->exec.e.nr, arg);
	path = client_at(worker->exec.e.arg[arg]);
	if (!client_raided && (*path != '/' || !memchr(path, 0, FC_PATH_MAX)))
		fuzz_fail("a continuation that is no absolute path");
}

void kernel_result(int64_t r)
{
	unsigned nr = worker->exec.e.nr;

	if (r <= FC_CONTINUE)
		check_continuation((int)(FC_CONTINUE - r));
	else if (r < -4095)
		fuzz_fail("call %u results in %ld", nr, (long)r);
	if (makes_fd(nr) && r >= 0) {
		if (opened_count != 1 || own(r) < 0 || !for_client(r))
			fuzz_fail("call %u results in descriptor %ld; %d are open", nr, (long)r, opened_count);
	} else if (opened_count) {
		fuzz_fail("call %u leaves descriptor %d behind", nr, opened[0]);
	}
}
