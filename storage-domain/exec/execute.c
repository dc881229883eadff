/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * execute.c - one request from its private copy to a result: the hot calls by hand, all others from their row in
 * syscalls.def. It owns the validation of arguments; calls that fit no row's scheme are in exec_*.c, where paths lead
 * is path.c's.
 *
 * Arguments become what the kernel takes: offsets addresses, descriptors themselves or -1. Plain buffers and output
 * structs are used where they lie, in memory that the client may change at any time: the kernel copies them once.
 * Whatever holds lengths, pointers or descriptors (iovecs, open_how, ioctls, offsets) runs from a private copy.
 */
#define _GNU_SOURCE
#include "storage-domain/exec/execute.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/atomic.h"
#include "common/rawcall.h"
#include "storage-domain/exec/clerk.h"
#include "storage-domain/fds.h"
#include "storage-domain/exec/host.h"
#include "storage-domain/exec/post.h"

/* ---- what the families share ---- */

int fc_exec_path(struct fc_exec *x, uint64_t offset, int which)
{
	const char *shared = fc_exec_at(x, offset, FC_PATH_MAX);
	char *end;

	if (!shared)
		return -EFAULT;
	end = memccpy(x->path[which], shared, 0, FC_PATH_MAX);
	if (!end)
		return -ENAMETOOLONG;
	end[-1] = 0; /* it may have changed between being found and being copied */
	return 0;
}

int fc_exec_descriptor_path(struct fc_exec *x, int which, int dirfd)
{
	static const char base[] = "/proc/self/fd/";
	const char *path = x->path[which], *digits = path + sizeof base - 1;
	char *end;

	if (strncmp(path, base, sizeof base - 1) || *digits < '1' || *digits > '9')
		return dirfd;
	if (fc_exec_fd(strtoul(digits, &end, 10)) < 0 || *end || end - digits > 7)
		return dirfd;
	memmove(x->path[which], path + sizeof "/proc/" - 1, strlen(path) - sizeof "/proc/" + 2);
	x->descriptor_path = true;
	return FC_FD_PROC;
}

int64_t fc_exec_continue(struct fc_exec *x, int arg, const char *path)
{
	size_t n = strlen(path) + 1;

	if (n > FC_PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(fc_exec_at(x, x->e.arg[arg], FC_PATH_MAX), path, n);
	return FC_CONTINUE - arg;
}

/* The same file under the lowest number: the one that it has may be one of the shadow's own, or that much higher for a path that was
 * being walked. */
static int64_t lowest(int64_t fd)
{
	int64_t low = fc_call(SYS_fcntl, fd, F_DUPFD_CLOEXEC, FC_DOMAIN_FD_FIRST);

	fc_call(SYS_close, fd);
	return low;
}

int64_t fc_exec_new_fd(struct fc_exec *x, int64_t fd)
{
	if (fd >= 0 && !fc_budget_number(x->s, fd)) {
		fd = lowest(fd);
		if (fd >= 0 && !fc_budget_number(x->s, fd)) {
			fc_call(SYS_close, fd);
			return -EMFILE;
		}
	}
	x->pipe = fd < 0 ? 0 : fc_budget_pipe(x->s, (int)fd);
	if (x->pipe < 0) {
		fc_call(SYS_close, fd);
		return -ENFILE;
	}
	if (fd >= 0 && x->s->numbers)
		fc_store(&x->s->numbers[fd], x->e.flags & FC_REQ_NUMBERED ? (uint32_t)x->e.arg[5] + 1 : 0);
	return fd;
}

bool fc_exec_room_for_fd(struct fc_exec *x)
{
	int64_t fd;
	bool room;

	if (fc_load(&x->s->descriptors_top) < fc_load(&x->s->descriptors_end))
		return true; /* all numbers that it has ever had are paid for, and one more */
	fd = fc_call(SYS_fcntl, FC_FD_NULL, F_DUPFD_CLOEXEC, FC_DOMAIN_FD_FIRST);
	room = fc_budget_number(x->s, fd);
	if (fd >= 0)
		fc_call(SYS_close, fd);
	return room;
}

/* ---- rows ---- */

static long iov_arg(struct fc_exec *x, uint64_t offset, uint64_t count)
{
	const struct fc_iovec *shared;

	if (count > FC_IOV_MAX || !count)
		return 0; /* the kernel says EINVAL, or nothing to do, from the count alone */
	shared = fc_exec_at(x, offset, count * sizeof *shared);
	if (!shared)
		return 0;
	for (uint64_t i = 0; i < count; i++) {
		struct fc_iovec one;

		fc_exec_fetch(&one, &shared[i], sizeof one);
		x->iov[i].iov_base = fc_exec_at(x, one.offset, one.length);
		x->iov[i].iov_len = one.length;
	}
	return (long)x->iov;
}

/* A struct xattr_args of which the kernel sees a private copy, as long as it says. */
static int xattr_arg(struct fc_exec *x, uint64_t offset, uint64_t size)
{
	const struct fc_xattr_args *shared = fc_exec_at(x, offset, sizeof *shared);

	if (!shared)
		return -EFAULT;
	if (size != sizeof *shared)
		return -E2BIG;
	fc_exec_fetch(&x->xattr, shared, sizeof *shared);
	x->xattr.value = (uintptr_t)fc_exec_buffer(x, x->xattr.value, x->xattr.size);
	return 0;
}

/* Translate argument i of the row into a[i]. Returns 0 or -errno. `paths` counts the PATH arguments met so far. */
static int translate(struct fc_exec *x, const struct fc_row *row, int i, long a[6], int *paths)
{
	const struct fc_arg *arg = &row->arg[i];
	uint64_t v = x->e.arg[i];
	int r = 0;

	switch (arg->kind) {
	case FC_KIND_FD:
		a[i] = fc_exec_fd(v);
		break;
	case FC_KIND_DIRFD:
		a[i] = fc_exec_dirfd(v);
		break;
	case FC_KIND_PATH:
	case FC_KIND_PATH_OPT:
		a[i] = 0;
		x->path[*paths][0] = 0;
		if (v != FC_NULL) {
			r = fc_exec_path(x, v, *paths);
			a[i] = (long)x->path[*paths];
			if (!r && i && row->arg[i - 1].kind == FC_KIND_DIRFD)
				a[i - 1] = fc_exec_descriptor_path(x, *paths, a[i - 1]);
		}
		++*paths;
		break;
	case FC_KIND_STR:
		a[i] = (long)fc_exec_at(x, v, 1); /* the kernel looks for the end, and a guard page follows the data */
		break;
	case FC_KIND_XATTR_IN:
	case FC_KIND_XATTR_OUT:
		r = xattr_arg(x, v, x->e.arg[arg->extra]);
		a[i] = (long)&x->xattr;
		break;
	case FC_KIND_IN:
	case FC_KIND_OUT:
	case FC_KIND_OUT_WHOLE:
		a[i] = (long)fc_exec_buffer(x, v, x->e.arg[arg->extra]);
		break;
	case FC_KIND_IN_OBJ:
	case FC_KIND_OUT_OBJ:
	case FC_KIND_INOUT_OBJ:
	case FC_KIND_IN_OBJ_OPT:
	case FC_KIND_INOUT_OBJ_OPT:
		a[i] = (long)fc_exec_at(x, v, arg->extra);
		break;
	case FC_KIND_IOV_IN:
	case FC_KIND_IOV_OUT:
		a[i] = iov_arg(x, v, x->e.arg[arg->extra]);
		break;
	default:
		a[i] = v;
	}
	return r;
}

static unsigned walk_flags(const struct fc_row *row, const uint64_t *arg, int which)
{
	bool set = row->follow_arg >= 0 && (arg[row->follow_arg] & row->follow_flag);

	if (which == 1 || row->follow == FC_FOLLOW_NAMES)
		return FC_WALK_PARENT;
	if (row->follow == FC_FOLLOW_ALWAYS || (row->follow == FC_FOLLOW_UNLESS && !set) ||
	    (row->follow == FC_FOLLOW_IF && set))
		return FC_WALK_FOLLOW;
	return 0;
}

/* After a success that changes nothing: was it about the skeleton? */
static bool on_skeleton(struct fc_exec *x, const struct fc_row *row, const long a[6], int dirfd)
{
	const uint64_t skeleton = x->s->exports->skeleton_dev;
	struct statx stx;
	struct stat st;

	switch (row->nr) {
	case SYS_newfstatat:
		fc_exec_fetch(&st.st_dev, (const char *)a[2] + offsetof(struct stat, st_dev), sizeof st.st_dev);
		return st.st_dev == skeleton;
	case SYS_statx:
		fc_exec_fetch(&stx, (const void *)a[4], sizeof stx);
		return makedev(stx.stx_dev_major, stx.stx_dev_minor) == skeleton;
	case SYS_readlinkat:
		return false; /* it has no links */
	default:
		if (fc_call(SYS_newfstatat, dirfd, x->path[0], &st,
			    walk_flags(row, x->e.arg, 0) & FC_WALK_FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW))
			return false;
		return st.st_dev == skeleton;
	}
}

/* The name of an export's root belongs to a directory outside: what its own file system would say about it. */
static int64_t root_error(unsigned nr, const long a[6])
{
	return nr == SYS_unlinkat && !(a[2] & AT_REMOVEDIR) ? -EISDIR : -EBUSY;
}

/* Whether the kernel refused the other arguments before it looked at any path. */
static bool refused_early(const struct fc_row *row, const long a[6], int64_t r)
{
	return r == -EINVAL && (row->nr != SYS_readlinkat || (int)a[3] <= 0);
}

static int64_t judge_paths(struct fc_exec *x, const struct fc_row *row, const long a[6], int64_t r)
{
	int which = 0;

	if (refused_early(row, a, r))
		return r;
	for (int i = 0; i < 6; i++) {
		int dirfd = i && row->arg[i - 1].kind == FC_KIND_DIRFD ? a[i - 1] : AT_FDCWD;
		int verdict;

		if (row->arg[i].kind != FC_KIND_PATH && row->arg[i].kind != FC_KIND_PATH_OPT)
			continue;
		if (x->path[which][0]) {
			unsigned flags = walk_flags(row, x->e.arg, which);

			if (r == -EROFS && (flags & FC_WALK_PARENT) && fc_path_is_root(x->s->exports, x->path[which]))
				return root_error(row->nr, a);
			verdict = fc_path_judge(&x->walk, x->s->exports, dirfd, x->path[which], flags);
			if (verdict == FC_PATH_LEFT)
				return fc_exec_continue(x, i, x->walk.text);
			if (verdict < 0)
				break; /* the kernel got no further either: its answer stands */
		}
		which++;
	}
	return r;
}

static int first_dirfd(const struct fc_row *row, const long a[6])
{
	return row->arg[0].kind == FC_KIND_DIRFD ? a[0] : AT_FDCWD;
}

/*
 * A new name for what a descriptor refers to. The kernel wants the very credentials that have opened it, and not equal ones of another
 * worker; by its name in /proc anybody may who has it.
 */
static int64_t link_descriptor(const long a[6])
{
	char path[32];

	if ((int)a[0] < 0)
		return -ENOENT;
	snprintf(path, sizeof path, "self/fd/%d", (int)a[0]);
	return fc_call(SYS_linkat, FC_FD_PROC, path, a[2], a[3], AT_SYMLINK_FOLLOW);
}

static int64_t execute_row(struct fc_exec *x)
{
	const struct fc_row *row = fc_row_by_nr(x->e.nr);
	int paths = 0, r;
	int64_t result;
	long a[6];

	if (!row)
		return -ENOSYS; /* a later version's */
	for (int i = 0; i < 6; i++) {
		r = translate(x, row, i, a, &paths);
		if (r)
			return r;
	}
	result = fc_raw(row->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (result == -ENOENT && row->nr == SYS_linkat && !x->path[0][0] && (a[4] & AT_EMPTY_PATH))
		result = link_descriptor(a);
	if (x->s->clerk)
		result = fc_clerk_correct(x, row, a, walk_flags(row, x->e.arg, 0) & FC_WALK_FOLLOW, result);
	if (!paths || !x->path[0][0] || x->descriptor_path)
		return result;
	if (result < 0 || (row->effect == FC_EFFECT_READS && on_skeleton(x, row, a, first_dirfd(row, a))))
		return judge_paths(x, row, a, result);
	return result;
}

/* ---- dispatch ---- */

static int64_t by_number(struct fc_exec *x)
{
	switch (x->e.nr) {
#define DOMAIN(name, executor) \
	case SYS_##name:       \
		return fc_exec_##executor(x);
#include "farcall/syscalls.def"
	case FC_NR_INTERRUPT:
		return fc_interrupt(x->worker, x->e.arg[0], x->e.arg[1]);
	case FC_NR_MAP:
		return fc_exec_map(x);
	case FC_NR_UNMAP:
		return fc_exec_unmap(x);
	case FC_NR_MAP_SYNC:
		return fc_exec_map_sync(x);
	case FC_NR_POSTS:
		return fc_posts_open(x->s, x->e.arg[0]);
	case FC_NR_STREAM_READ:
		return fc_exec_stream(x, false);
	case FC_NR_STREAM_WRITE:
		return fc_exec_stream(x, true);
	case FC_NR_SOCKET_KEY:
		return fc_exec_socket_key(x);
	default:
		return execute_row(x);
	}
}

static int64_t count_out(struct fc_exec *x, int64_t r)
{
	if (r > 0)
		x->count.bytes_out += r;
	return r;
}

static int64_t count_in(struct fc_exec *x, int64_t r)
{
	if (r > 0)
		x->count.bytes_in += r;
	return r;
}

static int64_t execute(struct fc_exec *x)
{
	const uint64_t *arg = x->e.arg;
	const int fd = fc_exec_fd(arg[0]);
	int64_t r;

	x->descriptor_path = false;
	x->data_length = fc_load_acquire(&x->s->data_length);
	switch (x->e.nr) {
	case SYS_read:
		return count_out(x, fc_call(SYS_read, fd, fc_exec_buffer(x, arg[1], arg[2]), arg[2]));
	case SYS_write:
		return count_in(x, fc_call(SYS_write, fd, fc_exec_buffer(x, arg[1], arg[2]), arg[2]));
	case SYS_pread64:
		return count_out(x, fc_call(SYS_pread64, fd, fc_exec_buffer(x, arg[1], arg[2]), arg[2], arg[3]));
	case SYS_pwrite64:
		return count_in(x, fc_call(SYS_pwrite64, fd, fc_exec_buffer(x, arg[1], arg[2]), arg[2], arg[3]));
	case SYS_preadv2:
		return count_out(x,
				 fc_call(SYS_preadv2, fd, iov_arg(x, arg[1], arg[2]), arg[2], arg[3], arg[4], arg[5]));
	case SYS_pwritev2:
		return count_in(x,
				fc_call(SYS_pwritev2, fd, iov_arg(x, arg[1], arg[2]), arg[2], arg[3], arg[4], arg[5]));
	case SYS_lseek:
		return fc_call(SYS_lseek, fd, arg[1], arg[2]);
	case SYS_fstat:
		if (x->s->clerk)
			return execute_row(x);
		return fc_call(SYS_fstat, fd, fc_exec_at(x, arg[1], sizeof(struct stat)));
	case SYS_close:
		r = fc_budget_close(x->s, fd);
		return r == -EINTR ? 0 : r; /* the number is gone, and may be another file's before a second try */
	case SYS_fcntl:
		return fc_exec_fcntl(x);
	case FC_NR_NOP:
		return 0;
	default:
		return by_number(x);
	}
}

int64_t fc_execute(struct fc_exec *x)
{
	uint32_t files;
	int64_t r;

	if (__builtin_expect(!fc_load(&x->s->mapped), 1))
		return execute(x);
	files = fc_exec_maps_before(x);
	r = execute(x);
	fc_exec_maps_after(x, files);
	return r;
}
