/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * splice.c - splice between a remote file and a local pipe, and tee, which has no use for files. Out of a pipe only the kernel can move what the
 * file takes, and no more, in one step: so the file is handed over. Where it is not, the bytes are copied, and nothing is taken from the
 * pipe that the file has not taken: they are looked at first, in a copy that tee(2) makes. (If somebody else has taken them meanwhile, others are
 * written over them.) Into the pipe go pages, as splice's would, so that what fits and who waits is the kernel's word.
 *
 * A FIFO that is itself in a domain, where it is not handed over, is refused as what is no pipe.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "common/rawcall.h"
#include "libc-shim/calls/handed.h"
#include "libc-shim/calls/handlers.h"
#include "libc-shim/calls/remote.h"
#include "libc-shim/hook.h"
#include "libc-shim/native.h"
#include "libc-shim/process/beyond.h"
#include "libc-shim/process/process.h"
#include "libc-shim/shim.h"

#define PAGE 4096
#define INTO_PIPE (1 << 20)
#define OUT_OF_PIPE (16 * PAGE) /* what a new pipe has room for at most */
#define FLAGS (SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT)

struct end {
	long fd, flags;
	int64_t *pos,
		at; /* the application's offset object, or null; where the file is read or written, if it is not null */
	bool remote, pipe;
};

struct splice {
	struct end in, out;
	size_t length;
	unsigned flags;
	bool cancellable;
};

/* ---- what the kernel looks at first, in its order ---- */

static void look(struct end *e, long fd, long pos)
{
	long get[6] = { fd, F_GETFL };
	struct stat st;
	long stat[6] = { fd, (long)&st };

	e->fd = fd;
	e->pos = (int64_t *)pos;
	e->remote = shim_fd_get(shim_process(), fd) != 0;
	e->flags = shim_dispatch(SYS_fcntl, get);
	e->pipe = shim_dispatch(SYS_fstat, stat) == 0 && S_ISFIFO(st.st_mode);
}

static bool usable(const struct end *e)
{
	return e->flags >= 0 && !(e->flags & O_PATH);
}

static bool readable(const struct end *e)
{
	return (e->flags & O_ACCMODE) != O_WRONLY;
}

static bool writable(const struct end *e)
{
	return (e->flags & O_ACCMODE) != O_RDONLY;
}

static int check(struct splice *s)
{
	const struct end *file = s->in.pipe ? &s->out : &s->in;

	if (!usable(&s->in) || !usable(&s->out))
		return -EBADF;
	if ((s->in.pipe && s->in.pos) || (s->out.pipe && s->out.pos))
		return -ESPIPE;
	if ((s->out.pos && (fc_copy_from_user(&s->out.at, s->out.pos, 8) || !shim_can_write(s->out.pos))) ||
	    (s->in.pos && (fc_copy_from_user(&s->in.at, s->in.pos, 8) || !shim_can_write(s->in.pos))))
		return -EFAULT;
	if (!readable(&s->in) || !writable(&s->out))
		return -EBADF;
	if (s->in.pipe == s->out.pipe || !file->remote)
		return -EINVAL;
	if (s->in.pipe && (s->out.flags & O_APPEND))
		return -EINVAL;
	return (file->pos && file->at < 0) || (ssize_t)s->length < 0 ? -EINVAL : 0;
}

static long wait_in(const struct splice *s, long nr, long a0, long a1, long a2, long a3)
{
	const long a[6] = { a0, a1, a2, a3 };

	return s->cancellable ? fc_call_cancellable(nr, a) : fc_call(nr, a0, a1, a2, a3);
}

static long map(size_t bytes)
{
	return fc_call(SYS_mmap, 0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* ---- from a file into a pipe ---- */

/* That there is nobody to read, or no room, is said before the file is read. */
static int into_whom(const struct splice *s)
{
	struct pollfd p = { .fd = (int)s->out.fd, .events = POLLOUT };

	fc_call(SYS_poll, &p, 1, 0);
	if (p.revents & POLLERR) {
		fc_call(SYS_tgkill, fc_call(SYS_getpid), fc_call(SYS_gettid), SIGPIPE);
		return -EPIPE;
	}
	return (s->flags & SPLICE_F_NONBLOCK) && !(p.revents & POLLOUT) ? -EAGAIN : 0;
}

/* As much as the pipe may have room for; at least a page, for when there is some. */
static size_t room(const struct splice *s)
{
	long size = fc_call(SYS_fcntl, s->out.fd, F_GETPIPE_SZ), n;
	int queued = 0;

	fc_call(SYS_ioctl, s->out.fd, FIONREAD, &queued);
	n = size - queued < PAGE ? PAGE : size - queued > INTO_PIPE ? INTO_PIPE : size - queued;
	return s->length < (size_t)n ? s->length : (size_t)n;
}

/* The pages are the pipe's from now on: they are not written again. In them the bytes are where they would be in the file's. */
static long give_pages(struct splice *s, char *buffer, size_t n, int64_t at)
{
	long read[6] = { s->in.fd, (long)buffer, (long)n, at };
	long got = shim_dispatch(SYS_pread64, read);
	struct iovec pages = { buffer, (size_t)(got > 0 ? got : 0) };

	return got <= 0 ? got : wait_in(s, SYS_vmsplice, s->out.fd, (long)&pages, 1, s->flags & SPLICE_F_NONBLOCK);
}

static long file_to_pipe(struct splice *s)
{
	long seek[6] = { s->in.fd, 0, SEEK_CUR }, r = into_whom(s);
	int64_t at = r < 0 ? r : s->in.pos ? s->in.at : shim_dispatch(SYS_lseek, seek);

	if (at < 0)
		return at;
	const size_t n = room(s), skip = (size_t)at % PAGE;
	long buffer = map(skip + n);
	if (shim_is_error(buffer))
		return buffer;
	r = give_pages(s, (char *)buffer + skip, n, at);
	fc_call(SYS_munmap, buffer, skip + n);
	s->in.at += r > 0 ? r : 0;
	seek[1] = r;
	if (r > 0 && !s->in.pos)
		shim_dispatch(SYS_lseek, seek);
	return r == -EISDIR ? -EINVAL : r;
}

/* ---- from a pipe into a file ---- */

static long read_all(int from, char *buffer, size_t n)
{
	for (size_t got = 0; got < n;) {
		long r = fc_call(SYS_read, from, buffer + got, n - got);

		if (r <= 0)
			return r < 0 ? r : -EIO;
		got += (size_t)r;
	}
	return (long)n;
}

static long write_some(struct splice *s, const char *buffer, size_t n)
{
	long a[6] = { s->out.fd, (long)buffer, (long)n, s->out.at };
	long r = shim_dispatch(s->out.pos ? SYS_pwrite64 : SYS_write, a);

	s->out.at += r > 0 ? r : 0;
	return r;
}

/*
 * The n bytes in `buffer` have been written, and are taken from the pipe. Whatever comes, if somebody else has been faster: it goes where they are. And if
 * less comes, the rest is behind what has been moved. Returns how much has been, or -errno.
 */
static long take(struct splice *s, const int own[2], const char *buffer, char *taken, long n)
{
	long got = fc_call(SYS_splice, s->in.fd, 0, own[1], 0, n, SPLICE_F_NONBLOCK);
	long back[6] = { s->out.fd, 0, SEEK_CUR };
	int64_t end;

	got = got > 0 ? read_all(own[0], taken, (size_t)got) : 0;
	if (got < 0 || (got == n && !memcmp(buffer, taken, (size_t)n)))
		return got;
	back[1] = got - n;
	s->out.at -= s->out.pos ? n - got : 0;
	end = s->out.pos ? s->out.at : shim_dispatch(SYS_lseek, back);
	if (end < got)
		return end < 0 ? end : -EIO;
	long again[6] = { s->out.fd, (long)taken, got, end - got };
	return got ? shim_dispatch(SYS_pwrite64, again) : 0;
}

/* One round; *more: perhaps there is more. */
static long copy_from_pipe(struct splice *s, const int own[2], char *buffer, size_t done, bool *more)
{
	const size_t left = s->length - done;
	const unsigned flags = (s->flags | (done ? SPLICE_F_NONBLOCK : 0)) & SPLICE_F_NONBLOCK;
	long n = wait_in(s, SYS_tee, s->in.fd, own[1], (long)(left < OUT_OF_PIPE ? left : OUT_OF_PIPE), flags), put;

	*more = false;
	if (n <= 0 || (n = read_all(own[0], buffer, (size_t)n)) < 0)
		return n;
	put = write_some(s, buffer, (size_t)n);
	if (put <= 0)
		return put;
	const bool short_write = put < n;
	put = take(s, own, buffer, buffer + OUT_OF_PIPE, put);
	*more = put >= 0 && done + (size_t)put < s->length && !short_write;
	return put;
}

static long copy_all_from_pipe(struct splice *s, struct shim_process *p)
{
	int own[2];
	const long make[6] = { (long)own, O_CLOEXEC };
	long buffer = map(2 * OUT_OF_PIPE), r;
	size_t done = 0;
	bool more = true;

	if (shim_is_error(buffer))
		return buffer;
	r = fc_call(SYS_pipe2, own, O_CLOEXEC);
	if (r == -EMFILE)
		r = shim_beyond(p, SYS_pipe2, make);
	if (r == 0) {
		while (more) {
			r = copy_from_pipe(s, own, (char *)buffer, done, &more);
			done += r > 0 ? (size_t)r : 0;
		}
		shim_done_with(p, own[0]);
		shim_done_with(p, own[1]);
	}
	fc_call(SYS_munmap, buffer, 2 * OUT_OF_PIPE);
	return done ? (long)done : r;
}

static long pipe_to_file(struct splice *s, struct shim_process *p)
{
	uint64_t w = shim_fd_get(p, s->out.fd);
	int handed = w ? shim_hand_on(p, s->out.fd, w) : -EBADF;
	const long a[6] = { s->in.fd, 0, handed, s->out.pos ? (long)&s->out.at : 0, (long)s->length, s->flags };
	long r;

	if (unlikely(handed == SHIM_OTHER))
		return pipe_to_file(s, p);
	if (handed < 0)
		return w ? copy_all_from_pipe(s, p) : handed;
	struct shim_file *to = shim_file_of(p, w);
	const uint32_t begun =
		to ? shim_lease_write_begin(to, -1, 0) : 0; /* it may have been delegated while it lay elsewhere */
	r = s->cancellable ? fc_call_cancellable(SYS_splice, a)
			   : fc_raw(SYS_splice, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (to)
		shim_lease_write_end(to, begun);
	shim_done_with(p, handed);
	return r;
}

/* ---- the calls ---- */

static bool neither(long in, long out)
{
	const struct shim_process *p = shim_process();

	return !shim_fd_get(p, in) && !shim_fd_get(p, out);
}

long shim_do_splice(long nr, long a[6])
{
	struct splice s = { .length = (size_t)a[4], .flags = (unsigned)a[5], .cancellable = fc_is_cancellable(a) };
	struct shim_process *p;
	long r;

	if (likely(neither(a[0], a[2])))
		return shim_native(nr, a);
	if (!s.length || (s.flags & ~FLAGS))
		return s.length ? -EINVAL : 0;
	if (!(p = shim_process_own()))
		return -ENOMEM;
	look(&s.in, a[0], a[1]);
	look(&s.out, a[2], a[3]);
	if ((r = check(&s)) < 0)
		return r;
	if ((s.in.pipe ? s.in.flags : s.out.flags) & O_NONBLOCK)
		s.flags |= SPLICE_F_NONBLOCK;
	r = s.in.pipe ? pipe_to_file(&s, p) : file_to_pipe(&s);
	if (r >= 0 && ((s.in.pos && fc_copy_to_user(s.in.pos, &s.in.at, 8)) ||
		       (s.out.pos && fc_copy_to_user(s.out.pos, &s.out.at, 8))))
		return -EFAULT;
	return r;
}

/* Between two pipes only. */
long shim_do_tee(long nr, long a[6])
{
	struct end in, out;

	if (likely(neither(a[0], a[1])))
		return shim_native(nr, a);
	if (((unsigned)a[3] & ~FLAGS) || !a[2])
		return (unsigned)a[3] & ~FLAGS ? -EINVAL : 0;
	look(&in, a[0], 0);
	look(&out, a[1], 0);
	return usable(&in) && usable(&out) && readable(&in) && writable(&out) ? -EINVAL : -EBADF;
}
