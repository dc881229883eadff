/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_ioctl.c - the ioctls of ioctls.def; all others are ENOTTY. All run from a private copy, so that the counts and
 * descriptors in it are those that were checked.
 */
#define _GNU_SOURCE
#include "storage-domain/execute.h"

#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/rawcall.h"

#define OBJECT_MAX 64

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

int64_t fc_exec_ioctl(struct fc_exec *x)
{
	const int fd = fc_exec_fd(x->e.arg[0]);
	const unsigned request = x->e.arg[1];
	const uint64_t v = x->e.arg[2];
	struct fc_arg arg;

	if (fc_ioctl_arg(request, &arg))
		return fc_call(SYS_lseek, fd, 0, SEEK_CUR) == -EBADF ? -EBADF : -ENOTTY; /* also for O_PATH */
	switch (arg.kind) {
	case FC_KIND_FD_ARG:
		return fc_call(SYS_ioctl, fd, request, fc_exec_fd(v));
	case FC_KIND_CLONE_RANGE:
		return clone_range(fd, fc_exec_at(x, v, arg.extra));
	case FC_KIND_FIEMAP_ARG:
		return fiemap(x, fd, v);
	default:
		return on_object(fd, request, arg.kind, fc_exec_at(x, v, arg.extra), arg.extra);
	}
}
