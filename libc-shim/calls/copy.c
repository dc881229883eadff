/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * copy.c - copy_file_range and sendfile. Between two files of one domain they are one request; between a domain and anything
 * else the shim moves the bytes, as any process could. splice is in splice.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

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

#define COPY_BUFFER (2 * FC_CHUNK)
#define COPY_MAX 0x7ffe0000u /* what one call moves at most, about as in the kernel */

struct copy {
	long in, out;
	long *in_pos, *out_pos; /* the application's offset objects, or null: the files' own offsets */
	size_t length;
};

static long move_some(const struct copy *c, char *buffer, size_t n, int64_t in_at, int64_t out_at)
{
	long r[6] = { c->in, (long)buffer, (long)n, in_at };
	long got = shim_dispatch(in_at < 0 ? SYS_read : SYS_pread64, r);

	if (got <= 0)
		return got;
	long w[6] = { c->out, (long)buffer, got, out_at };
	long put = shim_dispatch(out_at < 0 ? SYS_write : SYS_pwrite64, w);
	if (put != got && in_at < 0) { /* what was read and not written is still to be read */
		long s[6] = { c->in, (put < 0 ? 0 : put) - got, SEEK_CUR };

		shim_dispatch(SYS_lseek, s);
	}
	return put;
}

static uint32_t type_of(long fd)
{
	struct stat st;
	long a[6] = { fd, (long)&st };

	return shim_dispatch(SYS_fstat, a) < 0 ? 0 : st.st_mode & S_IFMT;
}

/* What the kernel looks at before it moves anything, in its order: for copy_file_range what they are, then how they are open. */
static int check_range(const struct copy *c, long in, long out)
{
	const uint32_t in_type = type_of(c->in), out_type = type_of(c->out);

	if (S_ISDIR(in_type) || S_ISDIR(out_type))
		return -EISDIR;
	if (!S_ISREG(in_type) || !S_ISREG(out_type))
		return -EINVAL;
	return (in & O_ACCMODE) == O_WRONLY || (out & O_ACCMODE) == O_RDONLY || (out & O_APPEND) ? -EBADF : 0;
}

static int check_sendfile(const struct copy *c, long in, long out)
{
	const uint32_t type = type_of(c->in);

	if ((in & O_ACCMODE) == O_WRONLY || (out & O_ACCMODE) == O_RDONLY)
		return -EBADF;
	return (!S_ISREG(type) && !S_ISBLK(type)) || (ssize_t)c->length < 0 || (out & O_APPEND) ? -EINVAL : 0;
}

static int check(const struct copy *c, bool range, unsigned flags)
{
	long get_in[6] = { c->in, F_GETFL }, get_out[6] = { c->out, F_GETFL };
	long in = shim_dispatch(SYS_fcntl, get_in), out = shim_dispatch(SYS_fcntl, get_out), at;

	if (in < 0 || out < 0 || (in & O_PATH) || (out & O_PATH))
		return -EBADF;
	if ((c->in_pos && fc_copy_from_user(&at, c->in_pos, 8)) ||
	    (c->out_pos && fc_copy_from_user(&at, c->out_pos, 8)))
		return -EFAULT;
	if (flags)
		return -EINVAL;
	return range ? check_range(c, in, out) : check_sendfile(c, in, out);
}

static long copy_by_hand(const struct copy *c, bool range, unsigned flags)
{
	int64_t in_at = -1, out_at = -1;
	size_t done = 0;
	long r = check(c, range, flags);

	if (r < 0)
		return r;
	if ((c->in_pos && fc_copy_from_user(&in_at, c->in_pos, 8)) ||
	    (c->out_pos && fc_copy_from_user(&out_at, c->out_pos, 8)))
		return -EFAULT;
	if ((c->in_pos && in_at < 0) || (c->out_pos && out_at < 0))
		return range ? -EOVERFLOW : -EINVAL;
	if ((c->in_pos && !shim_can_write(c->in_pos)) || (c->out_pos && !shim_can_write(c->out_pos)))
		return -EFAULT;
	long buffer = fc_call(SYS_mmap, 0, COPY_BUFFER, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buffer < 0 && buffer > -4096)
		return buffer;
	while (done < c->length && done < COPY_MAX) {
		size_t n = c->length - done < COPY_BUFFER ? c->length - done : COPY_BUFFER;

		r = move_some(c, (char *)buffer, n, in_at, out_at);
		if (r <= 0)
			break;
		done += (size_t)r;
		in_at += in_at >= 0 ? r : 0;
		out_at += out_at >= 0 ? r : 0;
		if ((size_t)r < n)
			break;
	}
	fc_call(SYS_munmap, buffer, COPY_BUFFER);
	if (!done)
		return r;
	if ((c->in_pos && fc_copy_to_user(c->in_pos, &in_at, 8)) ||
	    (c->out_pos && fc_copy_to_user(c->out_pos, &out_at, 8)))
		return -EFAULT;
	return (long)done;
}

/* SHIM_OTHER: one of the descriptors stands for something else by now. */
static long copy_in_domain(const struct fc_row *row, struct shim_process *p, const struct copy *of, const uint64_t w[2],
			   const long a[6])
{
	struct shim_frame *f = shim_frame_begin();
	struct shim_call c;

	if (!f)
		return -EDEADLK;
	c.path[0] = c.path[1] = NULL;
	int64_t r = shim_call_begin_on(&c, row, p, of->in, w[0], f);
	if (r == 0 && unlikely(!shim_call_use(&c, of->out, w[1])))
		r = SHIM_OTHER;
	if (r == 0) {
		r = shim_call_row(&c, a);
		r = shim_result(c.s, r > 0 && (uint64_t)r > of->length ? SHIM_IMPOSSIBLE : r);
	}
	shim_frame_end(f);
	return (long)r;
}

long shim_do_copy(long nr, long a[6])
{
	struct shim_process *p = shim_process();
	bool range = nr == SYS_copy_file_range;
	int out = range ? 2 : 0, in = range ? 0 : 1;

	if (likely(!shim_fd_get(p, a[in]) && !shim_fd_get(p, a[out])))
		return shim_native(nr, a);
	if (!(p = shim_process_own()))
		return -ENOMEM;
	const uint64_t w[2] = { shim_fd_get(p, a[in]), shim_fd_get(p, a[out]) };
	struct copy c = { .in = a[in],
			  .out = a[out],
			  .in_pos = (long *)(range ? a[1] : a[2]),
			  .out_pos = (long *)(range ? a[3] : 0),
			  .length = (size_t)(range ? a[4] : a[3]) };
	if (w[0] && w[1] && shim_fd_domain(w[0]) == shim_fd_domain(w[1])) {
		long b[6] = { a[0], a[1], a[2], a[3], a[4], a[5] }, r = SHIM_OTHER;

		b[in] = shim_fd_number(w[0]);
		b[out] = shim_fd_number(w[1]);
		const uint64_t held = shim_offset_begin(p, (int)a[in]);
		struct shim_file *to = shim_file_of(p, w[1]);
		const uint32_t begun = to ? shim_lease_write_begin(to, -1, 0) : 0;
		if (likely(shim_offset_is_begun(p, w[0], held)))
			r = copy_in_domain(fc_row_by_nr((unsigned)nr), p, &c, w, b);
		if (to)
			shim_lease_write_end(to, begun);
		shim_offset_end(p, (int)a[in], held, false);
		return unlikely(r == SHIM_OTHER) ? shim_do_copy(nr, a) : r;
	}
	return copy_by_hand(&c, range, range ? (unsigned)a[5] : 0);
}
