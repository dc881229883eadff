/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * copy.c - copy_file_range and sendfile. Between two files of one domain they are one request; between a domain and anything
 * else the shim moves the bytes, as any process could.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "libc-shim/shim.h"

#define COPY_BUFFER (2 * FC_CHUNK)

struct copy {
	long in, out;
	long *in_pos, *out_pos; /* the application's offset objects, or null: the files' own offsets */
	size_t length;
};

static long move_some(const struct copy *c, char *buffer, size_t n, int64_t in_at, int64_t out_at)
{
	long r[6] = { c->in, (long)buffer, (long)n, in_at };
	long got = fc_dispatch(in_at < 0 ? SYS_read : SYS_pread64, r);

	if (got <= 0)
		return got;
	long w[6] = { c->out, (long)buffer, got, out_at };
	long put = fc_dispatch(out_at < 0 ? SYS_write : SYS_pwrite64, w);
	if (put != got && in_at < 0) { /* what was read and not written is still to be read */
		long s[6] = { c->in, (put < 0 ? 0 : put) - got, SEEK_CUR };

		fc_dispatch(SYS_lseek, s);
	}
	return put;
}

static long copy_by_hand(const struct copy *c)
{
	int64_t in_at = -1, out_at = -1;
	size_t done = 0;
	long r = 0;

	if ((c->in_pos && fc_copy_from_user(&in_at, c->in_pos, 8)) || (c->out_pos && fc_copy_from_user(&out_at, c->out_pos, 8)))
		return -EFAULT;
	if ((c->in_pos && in_at < 0) || (c->out_pos && out_at < 0))
		return -EINVAL;
	long buffer = fc_call(SYS_mmap, 0, COPY_BUFFER, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buffer < 0 && buffer > -4096)
		return buffer;
	while (done < c->length) {
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
	if ((c->in_pos && fc_copy_to_user(c->in_pos, &in_at, 8)) || (c->out_pos && fc_copy_to_user(c->out_pos, &out_at, 8)))
		return -EFAULT;
	return (long)done;
}

static long copy_in_domain(const struct fc_row *row, struct shim_process *p, uint64_t w, const long a[6])
{
	struct shim_frame *f = shim_frame_begin();
	struct shim_call c;

	if (!f)
		return -EDEADLK;
	c.path[0] = c.path[1] = NULL;
	int64_t r = shim_call_begin(&c, row, p, shim_fd_domain(w), f);
	if (r == 0)
		r = shim_result(c.s, shim_call_row(&c, a));
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
	uint64_t wi = shim_fd_get(p, a[in]), wo = shim_fd_get(p, a[out]);
	if (wi && wo && shim_fd_domain(wi) == shim_fd_domain(wo)) {
		long b[6] = { a[0], a[1], a[2], a[3], a[4], a[5] };

		b[in] = shim_fd_number(wi);
		b[out] = shim_fd_number(wo);
		return copy_in_domain(fc_row_by_nr((unsigned)nr), p, wi, b);
	}
	struct copy c = { .in = a[in], .out = a[out], .in_pos = (long *)(range ? a[1] : a[2]),
			  .out_pos = (long *)(range ? a[3] : 0), .length = (size_t)(range ? a[4] : a[3]) };
	if (range && a[5])
		return -EINVAL;
	if (c.length > 0x7ffff000)
		c.length = 0x7ffff000;
	return copy_by_hand(&c);
}
