/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ioctl.c - the ioctls of ioctls.def; all others are ENOTTY. All run from a private copy, so that the counts and
 * descriptors in it are those that were checked.
 */
#define _GNU_SOURCE
#include "storage-domain/exec/execute.h"

#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/rawcall.h"

#define OBJECT_MAX 136

static int64_t on_object(int fd, unsigned request, uint8_t kind, void *shared, size_t size)
{
	char copy[OBJECT_MAX] = { 0 };
	int64_t r;

	if (!shared || size > sizeof copy)
		return fc_call(SYS_ioctl, fd, request, NULL);
	if (kind != FC_KIND_OUT_OBJ)
		fc_exec_fetch(copy, shared, size);
	r = fc_call(SYS_ioctl, fd, request, copy);
	if (r >= 0 && kind != FC_KIND_IN_OBJ)
		memcpy(shared, copy, size);
	return r;
}

static int64_t clone_range(int fd, const void *shared)
{
	struct file_clone_range range;

	if (!shared)
		return fc_call(SYS_ioctl, fd, FICLONERANGE, NULL);
	fc_exec_fetch(&range, shared, sizeof range);
	range.src_fd = fc_exec_fd(range.src_fd);
	return fc_call(SYS_ioctl, fd, FICLONERANGE, &range);
}

static int64_t fiemap(struct fc_exec *x, int fd, uint64_t offset)
{
	const struct fiemap *shared = fc_exec_at(x, offset, sizeof *shared);
	struct fiemap head, *copy;
	size_t size;
	void *out;
	int64_t r;

	if (!shared)
		return fc_call(SYS_ioctl, fd, FS_IOC_FIEMAP, NULL);
	fc_exec_fetch(&head, shared, sizeof head);
	if (head.fm_extent_count > FC_FIEMAP_EXTENTS_MAX)
		return -EINVAL;
	size = sizeof head + head.fm_extent_count * sizeof(struct fiemap_extent);
	out = fc_exec_at(x, offset, size);
	copy = calloc(1, size);
	if (!copy)
		return -ENOMEM;
	*copy = head;
	r = fc_call(SYS_ioctl, fd, FS_IOC_FIEMAP, copy);
	/* also on an error: EBADR comes with the flags that were not understood */
	if (copy->fm_mapped_extents > head.fm_extent_count)
		size = sizeof head; /* only counted (fm_extent_count 0) */
	memcpy(out, copy, size);
	free(copy);
	return r;
}

/* The destinations' descriptors are the client's or none; the count is bounded by the page that the kernel takes. */
static int64_t dedupe(struct fc_exec *x, int fd, uint64_t offset)
{
	const struct file_dedupe_range *shared = fc_exec_at(x, offset, sizeof *shared);
	union {
		struct file_dedupe_range range;
		char room[FC_PAGE_SIZE];
	} copy;
	struct file_dedupe_range_info *info = copy.range.info;
	size_t size;
	void *out;
	int64_t r;

	if (!shared)
		return fc_call(SYS_ioctl, fd, FIDEDUPERANGE, NULL);
	fc_exec_fetch(&copy.range, shared, sizeof copy.range);
	const unsigned count = copy.range.dest_count;
	size = sizeof copy.range + count * sizeof *info;
	if (size > sizeof copy)
		return -ENOMEM;
	out = fc_exec_at(x, offset, size);
	fc_exec_fetch(info, (const char *)out + sizeof copy.range, size - sizeof copy.range);
	for (unsigned i = 0; i < count; i++)
		info[i].dest_fd = fc_exec_fd(info[i].dest_fd);
	r = fc_call(SYS_ioctl, fd, FIDEDUPERANGE, &copy);
	if (r >= 0)
		memcpy((char *)out + sizeof copy.range, info, size - sizeof copy.range);
	return r;
}

/* Which block of the file system a block of the file is, 0 for a hole. Of file systems whose FIBMAP and FIEMAP speak of the same. */
static int64_t map_block(int fd, int block, int *to)
{
	struct {
		struct fiemap map;
		struct fiemap_extent extent;
	} m = { .map = { .fm_flags = FIEMAP_FLAG_SYNC, .fm_extent_count = 1 } };
	const uint32_t nowhere = FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_ENCODED |
				 FIEMAP_EXTENT_NOT_ALIGNED | FIEMAP_EXTENT_UNWRITTEN;
	struct statfs sf;
	int size;
	int64_t r = fc_call(SYS_ioctl, fd, FIGETBSZ, &size);

	if (r == 0)
		r = fc_call(SYS_fstatfs, fd, &sf);
	if (r)
		return r;
	*to = 0;
	if (block < 0 || size <= 0 ||
	    (sf.f_type != EXT4_SUPER_MAGIC && sf.f_type != XFS_SUPER_MAGIC && sf.f_type != F2FS_SUPER_MAGIC))
		return -EINVAL;
	m.map.fm_start = (uint64_t)block * size;
	m.map.fm_length = 1;
	r = fc_call(SYS_ioctl, fd, FS_IOC_FIEMAP, &m);
	if (r || !m.map.fm_mapped_extents || (m.extent.fe_flags & nowhere) || m.extent.fe_logical > m.map.fm_start)
		return r == -EOPNOTSUPP ? -EINVAL : r;
	const uint64_t at = (m.extent.fe_physical + m.map.fm_start - m.extent.fe_logical) / size;
	if (at > INT32_MAX)
		return -ERANGE;
	*to = (int)at;
	return 0;
}

static int64_t bmap(int fd, int *shared)
{
	struct stat st;
	int block = 0;
	int64_t r = fc_call(SYS_ioctl, fd, FIGETBSZ, &block); /* EBADF for an O_PATH descriptor */

	if (r == 0)
		r = fc_call(SYS_fstat, fd, &st);
	if (r)
		return r;
	if (!S_ISREG(st.st_mode))
		return -ENOTTY;
	if (!shared)
		return -EFAULT;
	fc_exec_fetch(&block, shared, sizeof block);
	r = map_block(fd, block, &block);
	memcpy(shared, &block, sizeof block);
	return r;
}

int64_t fc_exec_ioctl(struct fc_exec *x)
{
	const int fd = fc_exec_fd(x->e.arg[0]);
	const unsigned request = x->e.arg[1];
	const uint64_t v = x->e.arg[2];
	struct fc_arg arg;

	if (fc_ioctl_arg(request, &arg))
		return fc_call(SYS_lseek, fd, 0, SEEK_CUR) == -EBADF ? -EBADF : -ENOTTY; /* also for O_PATH */
	if (request == FIBMAP)
		return bmap(fd, fc_exec_at(x, v, arg.extra));
	switch (arg.kind) {
	case FC_KIND_FD_ARG:
		return fc_call(SYS_ioctl, fd, request, fc_exec_fd(v));
	case FC_KIND_CLONE_RANGE:
		return clone_range(fd, fc_exec_at(x, v, arg.extra));
	case FC_KIND_FIEMAP_ARG:
		return fiemap(x, fd, v);
	case FC_KIND_DEDUPE_ARG:
		return dedupe(x, fd, v);
	default:
		return on_object(fd, request, arg.kind, fc_exec_at(x, v, arg.extra), arg.extra);
	}
}
