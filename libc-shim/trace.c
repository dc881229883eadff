/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* trace.c - `farcall trace`: one line for each remote call, in the manner of strace, from its row alone. */
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include "common/rawcall.h"
#include "farcall/wire.h"
#include "libc-shim/process/thread.h"
#include "libc-shim/shim.h"
#include "libc-shim/trace.h"

#define LINE 1024

struct line {
	char text[LINE];
	size_t n;
};

static void put(struct line *l, const char *s)
{
	while (*s && l->n < LINE - 1)
		l->text[l->n++] = *s++;
}

static void put_number(struct line *l, int64_t value, unsigned base)
{
	char digits[32], *d = digits + sizeof digits;
	uint64_t n = value < 0 && base == 10 ? -(uint64_t)value : (uint64_t)value;

	*--d = 0;
	do
		*--d = "0123456789abcdef"[n % base];
	while (n /= base);
	if (value < 0 && base == 10)
		put(l, "-");
	put(l, base == 16 ? "0x" : base == 8 && value ? "0" : "");
	put(l, d);
}

static void put_quoted(struct line *l, const char *s)
{
	char one[5] = { 0 };

	put(l, "\"");
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c < ' ' || c == '"' || c == '\\' || c == 127) {
			one[0] = '\\';
			one[1] = (char)('0' + (c >> 6));
			one[2] = (char)('0' + (c >> 3 & 7));
			one[3] = (char)('0' + (c & 7));
			put(l, one);
		} else {
			one[0] = (char)c;
			one[1] = 0;
			put(l, one);
		}
	}
	put(l, "\"");
}

/* clang-format off */
#define NAME(e) [e] = #e,
static const char *const names[] = {
	NAME(EPERM) NAME(ENOENT) NAME(EINTR) NAME(EIO) NAME(ENXIO) NAME(E2BIG) NAME(EBADF) NAME(EAGAIN) NAME(ENOMEM)
	NAME(EACCES) NAME(EFAULT) NAME(EBUSY) NAME(EEXIST) NAME(EXDEV) NAME(ENODEV) NAME(ENOTDIR) NAME(EISDIR)
	NAME(EINVAL) NAME(ENFILE) NAME(EMFILE) NAME(ENOTTY) NAME(ETXTBSY) NAME(EFBIG) NAME(ENOSPC) NAME(ESPIPE)
	NAME(EROFS) NAME(EMLINK) NAME(EPIPE) NAME(ERANGE) NAME(EDEADLK) NAME(ENAMETOOLONG) NAME(ENOLCK) NAME(ENOSYS)
	NAME(ENOTEMPTY) NAME(ELOOP) NAME(ENODATA) NAME(EOVERFLOW) NAME(EOPNOTSUPP) NAME(EDQUOT) NAME(ESTALE)
};
/* clang-format on */

/* A descriptor of the application's; `<` and its path, if that is known. */
static void put_descriptor(struct line *l, int fd)
{
	struct shim_process *p = shim_process();
	uint64_t held =
		shim.trace_paths && (uint32_t)fd < SHIM_FDS ? shim_file_hold(p, &p->fd[fd], shim_fd_get(p, fd)) : 0;
	const struct shim_file *f = shim_file_of(p, held);
	const char *path = f ? shim_file_path(p, f) : NULL;

	put_number(l, fd, 10);
	if (path) {
		put(l, "<");
		put(l, path);
		put(l, ">");
	}
	shim_file_drop(p, held);
}

static void put_result(struct line *l, bool opens, int64_t r)
{
	if (r <= FC_CONTINUE && r >= FC_CONTINUE - 5) {
		put(l, "? (the path leaves the domain)");
		return;
	}
	if (r >= 0 && opens) {
		put_descriptor(l, (int)r);
		return;
	}
	if (r >= 0) {
		put_number(l, r, 10);
		return;
	}
	put(l, "-1 ");
	if (-r < (int64_t)(sizeof names / sizeof names[0]) && names[-r])
		put(l, names[-r]);
	else
		put_number(l, -r, 10);
}

static void put_argument(struct line *l, const struct fc_arg *arg, long value, const char *path)
{
	switch (arg->kind) {
	case FC_KIND_PATH:
	case FC_KIND_PATH_OPT:
		if (path)
			put_quoted(l, path);
		else
			put(l, "NULL");
		break;
	case FC_KIND_DIRFD:
		if ((int)value == AT_FDCWD) {
			put(l, "AT_FDCWD");
			break;
		} /* fall through */
	case FC_KIND_FD:
		put_descriptor(l, (int)value);
		break;
	case FC_KIND_VAL:
		put_number(l, value, 10);
		break;
	case FC_KIND_OCT:
		put_number(l, (uint32_t)value, 8);
		break;
	default:
		put_number(l, value, 16);
	}
}

void shim_trace(const struct fc_row *row, const long a[6], char *const path[2], int64_t result)
{
	struct line l = { .n = 0 };
	int k = 0;

	put_number(&l, shim_self()->tid, 10);
	put(&l, " ");
	put(&l, row->name);
	put(&l, "(");
	for (int i = 0; i < 6 && row->arg[i].kind != FC_KIND_NONE; i++) {
		bool is_path = row->arg[i].kind == FC_KIND_PATH || row->arg[i].kind == FC_KIND_PATH_OPT;

		put(&l, i ? ", " : "");
		put_argument(&l, &row->arg[i], a[i], is_path ? path[k] : NULL);
		k += is_path;
	}
	put(&l, ") = ");
	put_result(&l, row->effect == FC_EFFECT_OPENS || row->nr == SYS_dup, result);
	put(&l, "\n");
	fc_call(SYS_write, shim.trace_fd, l.text, l.n);
}
