/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ioctl.c - the ioctls of ioctls.def, with descriptors inside their arguments translated from a private copy. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "common/rawcall.h"
#include "farcall/wire.h"
#include "libc-shim/calls/handlers.h"
#include "libc-shim/native.h"
#include "libc-shim/calls/remote.h"
#include "libc-shim/hook.h"
#include "libc-shim/process/process.h"
#include "libc-shim/process/thread.h"
#include "libc-shim/calls/offset.h"
#include "libc-shim/session/lease.h"
#include "libc-shim/shim.h"
#include "libc-shim/text.h"

/* The domain descriptor of an application descriptor that must live in the same domain as w; the call uses it, too, if it has room for one more. */
static long same_domain(struct shim_call *c, uint64_t w, long fd)
{
	uint64_t other = shim_fd_get(c->p, fd);

	if (!other)
		return fc_call(SYS_fcntl, fd, F_GETFD) < 0 ? -EBADF : -EXDEV;
	if (shim_fd_domain(other) != shim_fd_domain(w))
		return -EXDEV;
	return likely(shim_call_use(c, fd, other)) ? shim_fd_number(other) : SHIM_OTHER;
}

static int64_t run_fiemap(struct shim_call *c, void *user)
{
	struct fiemap map;

	if (fc_copy_from_user(&map, user, sizeof map))
		return -EFAULT;
	uint32_t asked = map.fm_extent_count;
	if (asked > UINT32_MAX / sizeof(struct fiemap_extent))
		return -EINVAL;
	if (map.fm_extent_count > FC_FIEMAP_EXTENTS_MAX)
		map.fm_extent_count = FC_FIEMAP_EXTENTS_MAX;
	const uint32_t room = map.fm_extent_count;
	size_t size = sizeof map + room * sizeof(struct fiemap_extent);
	c->wire[2] = shim_call_room(c, size);
	if (c->wire[2] == FC_NULL)
		return -ENOMEM;
	struct fiemap *shared = (struct fiemap *)shim_call_at(c, c->wire[2]);
	memcpy(shared, &map, sizeof map);
	int64_t r = shim_call_run(c, SYS_ioctl);
	memcpy(&map, shared, sizeof map);
	uint32_t extents = map.fm_mapped_extents < room ? map.fm_mapped_extents : room;
	if (asked) /* programs believe it; without room it is only a count */
		map.fm_mapped_extents = extents;
	if (r < 0) { /* the kernel still says which flags it did not know */
		map.fm_extent_count = asked;
		fc_copy_to_user(user, &map, sizeof map);
		return r;
	}
	if (fc_copy_to_user((char *)user + sizeof map, shared + 1, extents * sizeof(struct fiemap_extent)))
		return -EFAULT;
	map.fm_extent_count = asked;
	return fc_copy_to_user(user, &map, sizeof map) ? -EFAULT : r;
}

/* FIDEDUPERANGE: the kernel takes a page of it at most, and says of each destination what became of it. A destination that is another file by then
 * is not changed in any way that can be seen: so they need not all be used. */
static int64_t run_dedupe(struct shim_call *c, uint64_t w, char *user)
{
	struct file_dedupe_range *own = (struct file_dedupe_range *)shim_scratch(c->frame);
	long fd[FC_PAGE_SIZE / sizeof own->info[0]];
	uint16_t count;
	int64_t r;

	if (fc_copy_from_user(&count, user + offsetof(struct file_dedupe_range, dest_count), sizeof count))
		return -EFAULT;
	const size_t size = sizeof *own + count * sizeof own->info[0];
	if (size > FC_PAGE_SIZE)
		return -ENOMEM;
	if (fc_copy_from_user(own, user, size))
		return -EFAULT;
	own->dest_count = count;
	c->wire[2] = shim_call_room(c, size);
	if (c->wire[2] == FC_NULL)
		return -ENOMEM;
	struct file_dedupe_range *shared = (struct file_dedupe_range *)shim_call_at(c, c->wire[2]);
	memcpy(shared, own, size);
	for (unsigned i = 0; i < count; i++) {
		fd[i] = same_domain(c, w, (int)own->info[i].dest_fd);
		if (unlikely(fd[i] == SHIM_OTHER))
			return SHIM_OTHER;
		shared->info[i].dest_fd = fd[i] < 0 ? -1 : fd[i];
	}
	r = shim_call_run(c, SYS_ioctl);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < count; i++) {
		own->info[i].bytes_deduped = fd[i] < 0 ? 0 : shared->info[i].bytes_deduped;
		own->info[i].status = fd[i] < 0 ? (int)fd[i] : shared->info[i].status;
	}
	return fc_copy_to_user(user, own, size) ? -EFAULT : r;
}

static bool may_map_blocks(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = { { 0 } };

	return fc_call(SYS_capget, &h, d) >= 0 && (d[0].effective & (1u << CAP_SYS_RAWIO));
}

static int64_t run(struct shim_call *c, uint64_t w, const struct fc_arg *arg, const long a[6])
{
	struct fc_row row = *c->row;
	long b[6] = { shim_fd_number(w), a[1], a[2] };
	struct file_clone_range range;
	long source;

	c->row = &row;
	row.arg[2] = *arg;
	switch (arg->kind) {
	case FC_KIND_FD_ARG:
		source = same_domain(c, w, a[2]);
		if (source < 0)
			return source;
		row.arg[2].kind = FC_KIND_VAL;
		b[2] = source;
		break;
	case FC_KIND_CLONE_RANGE:
		if (fc_copy_from_user(&range, (void *)a[2], sizeof range))
			return -EFAULT;
		source = same_domain(c, w, range.src_fd);
		if (source < 0)
			return source;
		range.src_fd = source;
		row.arg[2].kind = FC_KIND_IN_OBJ;
		b[2] = (long)&range;
		break;
	case FC_KIND_FIEMAP_ARG:
	case FC_KIND_DEDUPE_ARG:
		c->wire[0] = (uint64_t)b[0];
		c->wire[1] = (uint64_t)b[1];
		return arg->kind == FC_KIND_FIEMAP_ARG ? run_fiemap(c, (void *)a[2]) : run_dedupe(c, w, (char *)a[2]);
	default:
		break;
	}
	if ((unsigned)a[1] == FIBMAP && !may_map_blocks()) {
		b[2] = 0; /* what comes before that */
		int64_t r = shim_call_row(c, b);
		return r == -EFAULT ? -EPERM : r;
	}
	return shim_call_row(c, b);
}

static long close_on_exec(const long a[6])
{
	struct shim_process *p = shim_process_own();

	if (!p)
		return -ENOMEM;
	long r = shim_refuse(p, (int)a[0], 0);
	return r < 0 ? r : fc_call(SYS_fcntl, a[0], F_SETFD, (unsigned)a[1] == FIOCLEX ? FD_CLOEXEC : 0);
}

/* What is kept of the file (session/cache.h) is not what it was then. */
static bool changes_contents(unsigned request)
{
	switch (request) {
	case FICLONE:
	case FICLONERANGE:
	case FS_IOC_RESVSP:
	case FS_IOC_RESVSP64:
	case FS_IOC_UNRESVSP:
	case FS_IOC_UNRESVSP64:
	case FS_IOC_ZERO_RANGE:
		return true;
	default:
		return false;
	}
}

long shim_do_ioctl(long nr, long a[6])
{
	struct shim_process *p = shim_process();
	uint64_t w = shim_fd_get(p, a[0]);
	struct fc_arg arg;
	struct shim_call c;

	if (likely(!w))
		return shim_native(nr, a);
	if ((unsigned)a[1] == FIOCLEX || (unsigned)a[1] == FIONCLEX)
		return close_on_exec(a);
	if (!(p = shim_process_own()))
		return -ENOMEM;
	if (fc_ioctl_arg((unsigned)a[1], &arg) < 0)
		return shim_refuse(p, (int)a[0], -ENOTTY);
	struct shim_frame *f = shim_frame_begin();
	if (!f)
		return -EDEADLK;
	if (!(w = shim_fd_get(p, a[0]))) {
		shim_frame_end(f);
		return -EBADF;
	}
	c.path[0] = c.path[1] = NULL;
	const bool counts = (unsigned)a[1] == FIONREAD; /* from the offset on */
	const uint64_t held = counts ? shim_offset_begin(p, (int)a[0]) : 0;
	int64_t r = likely(!counts || shim_offset_is_begun(p, w, held))
			    ? shim_call_begin_on(&c, fc_row_by_nr(SYS_ioctl), p, a[0], w, f)
			    : SHIM_OTHER;
	struct shim_file *file = changes_contents((unsigned)a[1]) ? shim_file_of(p, w) : NULL;
	const uint32_t begun = file ? shim_lease_write_begin(file, -1, 0) : 0;
	if (r == 0)
		r = run(&c, w, &arg, a);
	if (r != SHIM_OTHER)
		r = shim_result(c.s, r);
	if (file)
		shim_lease_write_end(file, begun);
	shim_offset_end(p, (int)a[0], held, false);
	shim_frame_end(f);
	return unlikely(r == SHIM_OTHER) ? shim_do_ioctl(nr, a) : (long)r;
}
