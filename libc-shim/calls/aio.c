/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * aio.c - Linux AIO on remote files. What an iocb asks for is done in io_submit itself, by fc_dispatch; then the kernel completes it: so the
 * ring in the program's memory, the eventfd, the wake-ups and the order of completions are its own, and whoever looks at a ring finds what
 * io_getevents would say. It owns the moment in between, and the results that the kernel cannot be made to give.
 *
 * The kernel knows an iocb by its address. So it is submitted natively at that address, with the middle of its contents replaced by an
 * operation whose result is the one wanted: of /dev/zero, where a write of n bytes gives n and touches nothing. Such an iocb is done before
 * io_submit returns, while its contents are not yet what they were; so shim.aio_lock is held meanwhile, and io_getevents waits for it before
 * the program learns of an event. (Who takes events out of the ring by himself does so in the thread that submits, as the ring has no lock;
 * if not, he could see an iocb's contents a moment too early, but none that he has changed is written to.)
 *
 * An error other than EFAULT cannot be had from /dev/zero: there the event is corrected, in the ring, and in what a call of io_getevents may
 * have taken from it before (note).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/aio_abi.h>
#include <signal.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

#include "common/atomic.h"
#include "common/rawcall.h"
#include "libc-shim/calls/handlers.h"
#include "libc-shim/hook.h"
#include "libc-shim/lock.h"
#include "libc-shim/native.h"
#include "libc-shim/process/beyond.h"
#include "libc-shim/process/process.h"
#include "libc-shim/shim.h"
#include "libc-shim/text.h"

#define RW_MAX 0x7ffff000u /* the kernel's own limit for one transfer */
#define RING_MAGIC 0xa10a10a1u
#define RING_MAX (1u << 24) /* events; the kernel allows fewer */
#define NOTES 64
#define FAULTS ((1ull << (SIGSEGV - 1)) | (1ull << (SIGBUS - 1)))
#define NO_SUCH_FLAGS (-1) /* no kernel knows all of these */

/* struct aio_ring in the kernel's fs/aio.c, in front of its events */
struct ring {
	uint32_t id, nr, head, tail, magic, compatible, incompatible, header;
};

/* The part of an iocb that is replaced. */
struct middle {
	uint32_t key, rw_flags;
	uint16_t opcode;
	int16_t reqprio;
	uint32_t fildes;
	uint64_t buf, nbytes;
	int64_t offset;
};
#define MIDDLE offsetof(struct iocb, aio_key)
_Static_assert(MIDDLE + offsetof(struct middle, rw_flags) == offsetof(struct iocb, aio_rw_flags) &&
		       MIDDLE + offsetof(struct middle, buf) == offsetof(struct iocb, aio_buf) &&
		       MIDDLE + sizeof(struct middle) == offsetof(struct iocb, aio_reserved2),
	       "the middle is one piece");

/* What came of an iocb: it was not taken (submitted < 0), or it is done with `result`. */
struct outcome {
	long submitted, result;
};

/* The true error of an event whose result is -EFAULT in the ring, or was: for whoever took it before that was corrected. */
struct note {
	uint64_t ctx, obj;
	long error;
};
static struct note notes[NOTES]; /* under shim.aio_lock */
static uint32_t notes_next, notes_used;

/* ---- the moment in between ---- */

/* Faults are repaired meanwhile, if they were before. */
static void moment_begin(struct shim_lock_state *saved)
{
	uint64_t faults;

	shim_lock(&shim.aio_lock, saved);
	faults = FAULTS & ~saved->mask;
	fc_call(SYS_rt_sigprocmask, SIG_UNBLOCK, &faults, 0, sizeof faults);
}

static void moment_end(const struct shim_lock_state *saved)
{
	shim_unlock(&shim.aio_lock, saved);
}

/* ---- /dev/zero ---- */

static int sink_open(struct shim_process *p)
{
	long fd = shim_make_fd(p, SYS_openat, AT_FDCWD, (long)"/dev/zero", O_RDWR | O_CLOEXEC, 0);
	struct stat st;

	if (fd < 0)
		return (int)fd;
	if (fc_call(SYS_fstat, fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 5))
		return shim_hide_fd(p, (int)fd);
	shim_done_with(p, (int)fd);
	return -ENODEV;
}

/* Its descriptor, once there is one until the process ends; or -errno. */
static int sink(struct shim_process *p)
{
	struct shim_lock_state saved;

	if (likely(fc_load(&p->sink) >= 0))
		return fc_load(&p->sink);
	moment_begin(&saved);
	if (p->sink < 0)
		fc_store(&p->sink, sink_open(p));
	moment_end(&saved);
	return fc_load(&p->sink);
}

/* ---- events that must be corrected ---- */

static struct note *note_find(uint64_t ctx, uint64_t obj)
{
	for (uint32_t i = 0; i < NOTES; i++)
		if (notes[i].error && notes[i].ctx == ctx && notes[i].obj == obj)
			return &notes[i];
	return NULL;
}

static void note_drop(struct note *n)
{
	if (!n || !n->error)
		return;
	n->error = 0;
	fc_store(&notes_used, notes_used - 1);
}

/* Who has not come for the oldest one by now has taken the event when it was right. */
static void note_add(uint64_t ctx, uint64_t obj, long error)
{
	struct note *n = &notes[notes_next++ % NOTES];

	note_drop(n);
	*n = (struct note){ ctx, obj, error };
	fc_store(&notes_used, notes_used + 1);
}

/* An iocb is submitted again: what was noted of it is over. */
static void note_forget(uint64_t ctx, const struct iocb *user)
{
	struct shim_lock_state saved;

	if (likely(!fc_load(&notes_used)))
		return;
	moment_begin(&saved);
	note_drop(note_find(ctx, (uint64_t)(uintptr_t)user));
	moment_end(&saved);
}

/* The newest event of `obj` that nobody has taken: -EFAULT becomes `error`. */
static void ring_correct(uint64_t ctx, uint64_t obj, long error)
{
	const char *base = (const char *)(uintptr_t)ctx;
	struct ring ring;
	int64_t right = error;

	if (fc_copy_from_user(&ring, base, sizeof ring) || ring.magic != RING_MAGIC || !ring.nr || ring.nr > RING_MAX ||
	    ring.head >= ring.nr || ring.tail >= ring.nr)
		return;
	for (uint32_t i = ring.tail; i != ring.head;) {
		struct io_event e, *at;

		i = (i ? i : ring.nr) - 1;
		at = (struct io_event *)(uintptr_t)(base + ring.header + i * sizeof e);
		if (fc_copy_from_user(&e, at, sizeof e))
			return;
		if (e.obj == obj && e.res == -EFAULT) {
			fc_copy_to_user(&at->res, &right, sizeof right); /* eight bytes at once */
			return;
		}
	}
}

static void event_correct(uint64_t ctx, struct io_event *user)
{
	struct io_event e;
	struct note *n;

	if (fc_copy_from_user(&e, user, sizeof e))
		return;
	n = note_find(ctx, e.obj);
	if (!n)
		return;
	e.res = n->error;
	fc_copy_to_user(&user->res, &e.res, sizeof e.res);
	note_drop(n);
}

long shim_do_io_getevents(long nr, long a[6])
{
	long n = shim_native(nr, a);
	struct shim_lock_state saved;

	if (n <= 0 || likely(!fc_load(&shim.aio_lock.word) && !fc_load(&notes_used)))
		return n;
	moment_begin(&saved);
	for (long i = 0; i < n && notes_used; i++)
		event_correct((uint64_t)a[0], (struct io_event *)a[3] + i);
	moment_end(&saved);
	return n;
}

/* ---- completion ---- */

/* What the kernel is to be told so that the result is r. Priorities are no concern of /dev/zero's. */
static struct middle stand_in(int zero, long r)
{
	static const char unwritable;
	struct middle m = { .opcode = IOCB_CMD_PWRITE, .fildes = (uint32_t)zero };

	if (r >= 0) {
		m.nbytes = (uint64_t)r;
		return m;
	}
	m.opcode = IOCB_CMD_PREAD; /* -EFAULT */
	m.buf = (uint64_t)(uintptr_t)&unwritable;
	m.nbytes = 1;
	return m;
}

static bool same(const struct middle *a, const struct middle *b)
{
	return a->key == b->key && a->rw_flags == b->rw_flags && a->opcode == b->opcode && a->reqprio == b->reqprio &&
	       a->fildes == b->fildes && a->buf == b->buf && a->nbytes == b->nbytes && a->offset == b->offset;
}

/* Have the kernel complete the iocb with `result`: 0, or why it is not taken. */
static long complete(uint64_t ctx, struct iocb *user, const struct middle *was, struct shim_process *p, long result)
{
	char *at = (char *)user + MIDDLE;
	struct shim_lock_state saved;
	struct middle ours, now;
	long r = -EFAULT;

	moment_begin(&saved);
	ours = stand_in(p->sink, result);
	if (!fc_copy_to_user(at, &ours, sizeof ours)) {
		r = fc_call(SYS_io_submit, ctx, 1, &user);
		if (!fc_copy_from_user(&now, at, sizeof now) && same(&now, &ours))
			fc_copy_to_user(at, was, sizeof *was);
	}
	if (r == 1 && result < 0 && result != -EFAULT) {
		note_add(ctx, (uint64_t)(uintptr_t)user, result);
		ring_correct(ctx, (uint64_t)(uintptr_t)user, result);
	}
	moment_end(&saved);
	return r < 0 ? r : 0;
}

/* ---- what is asked for ---- */

static bool vectored(const struct iocb *io)
{
	return io->aio_lio_opcode == IOCB_CMD_PREADV || io->aio_lio_opcode == IOCB_CMD_PWRITEV;
}

static bool writes(const struct iocb *io)
{
	return io->aio_lio_opcode == IOCB_CMD_PWRITE || io->aio_lio_opcode == IOCB_CMD_PWRITEV;
}

static bool synchronizes(const struct iocb *io)
{
	return io->aio_lio_opcode == IOCB_CMD_FSYNC || io->aio_lio_opcode == IOCB_CMD_FDSYNC;
}

/* Is it about a remote file, and one that the local kernel cannot answer with the placeholder? Of a poll it can: local.def, LIKE. */
static bool is_remote(const struct shim_process *p, const struct iocb *user)
{
	struct iocb io;

	if (fc_copy_from_user(&io, user, sizeof io) || !shim_fd_get(p, (int)io.aio_fildes))
		return false;
	return vectored(&io) || writes(&io) || synchronizes(&io) || io.aio_lio_opcode == IOCB_CMD_PREAD;
}

/*
 * Would the kernel take it? Its own answer to one that differs only in what cannot be right: flags of the transfer, which it looks at when it
 * has found nothing wrong with the context, its room, the descriptor, the eventfd and the priority. For what is done and cannot be completed
 * would be done again. (That is so for two threads that submit when there is room for one.)
 */
static long accepted(uint64_t ctx, const struct iocb *io, const struct iocb *user)
{
	struct iocb probe = *io, *list = &probe;
	uint32_t key = 0;
	long r;

	probe.aio_lio_opcode = IOCB_CMD_PWRITE;
	probe.aio_rw_flags = NO_SUCH_FLAGS;
	if (synchronizes(io))
		probe.aio_flags &= ~(uint32_t)IOCB_FLAG_IOPRIO; /* looked at for transfers only */
	r = fc_call(SYS_io_submit, ctx, 1, &list);
	if (r != -EOPNOTSUPP)
		return r < 0 ? r : -EINVAL;
	/* the kernel's mark of one that has been submitted */
	return fc_copy_to_user((char *)user + offsetof(struct iocb, aio_key), &key, sizeof key) ? -EFAULT : 0;
}

static bool beyond_memory(uint64_t at, uint64_t n)
{
	return n && (at + n < at || at + n > (1ull << 47));
}

/* The bytes of a list, and whether the kernel would take it. */
static long list_bytes(const struct iovec *user, uint64_t count, uint64_t *bytes)
{
	long r = 0;

	*bytes = 0;
	if ((uint32_t)count > FC_IOV_MAX)
		return -EINVAL;
	for (uint32_t i = 0; i < (uint32_t)count; i++) {
		struct iovec v;

		if (fc_copy_from_user(&v, &user[i], sizeof v))
			return -EFAULT;
		if ((ssize_t)v.iov_len < 0)
			return -EINVAL;
		if (beyond_memory((uint64_t)(uintptr_t)v.iov_base, v.iov_len))
			r = -EFAULT; /* unless another one's length is wrong */
		*bytes += v.iov_len;
	}
	return r;
}

/* What the kernel looks at in a transfer before it takes it, but for the file. */
static long transfer_check(const struct iocb *io)
{
	uint64_t bytes = io->aio_nbytes;
	long r = 0;

	if (vectored(io))
		r = list_bytes((const struct iovec *)(uintptr_t)io->aio_buf, io->aio_nbytes, &bytes);
	else if (beyond_memory(io->aio_buf, bytes))
		r = -EFAULT;
	if (r == 0 && (io->aio_offset < 0 || bytes > (uint64_t)(LLONG_MAX - io->aio_offset)))
		r = -EINVAL;
	return r;
}

/* The transfer as a call: at its offset, or where the file goes on, if it has no offsets. */
static long transfer_call(const struct iocb *io, bool offsets)
{
	const bool write = writes(io);
	long one[6] = { (int)io->aio_fildes, (long)io->aio_buf, (long)io->aio_nbytes, io->aio_offset };
	struct iovec v = { (void *)(uintptr_t)io->aio_buf, io->aio_nbytes };
	long many[6] = { (int)io->aio_fildes, (long)&v, 1, offsets ? io->aio_offset : -1, 0, (int)io->aio_rw_flags };

	if (!vectored(io) && !io->aio_rw_flags)
		return shim_dispatch(offsets ? (write ? SYS_pwrite64 : SYS_pread64) : (write ? SYS_write : SYS_read),
				     one);
	if (vectored(io)) {
		many[1] = one[1];
		many[2] = one[2];
	}
	return shim_dispatch(write ? SYS_pwritev2 : SYS_preadv2, many);
}

/* What the kernel says of the file before it takes a transfer, whatever else is wrong with that. */
static long file_check(const struct iocb *io)
{
	long none[6] = { (int)io->aio_fildes, 0, 0, 0 };

	return shim_dispatch(writes(io) ? SYS_pwrite64 : SYS_pread64, none);
}

/* Errors with which a transfer is not taken: the file is not open for it, is a directory, or does not know the flags. */
static bool refused(const struct iocb *io, long *r)
{
	if (*r == -EISDIR)
		*r = -EINVAL;
	else if (*r != -EBADF && !(*r == -EOPNOTSUPP && io->aio_rw_flags))
		return false;
	return true;
}

/*
 * More than there is room for in the data area is moved in parts, of whole chunks, which read and write say. Who submits does not reckon with
 * that: so on to the end, unless it is a limit that another write would be told of with a signal.
 */
static long transfer_whole(const struct iocb *io)
{
	struct rlimit64 limit = { RLIM64_INFINITY, RLIM64_INFINITY };
	long r = transfer_call(io, true), more = r;
	struct iocb rest = *io;

	if (vectored(io))
		return r;
	if (rest.aio_nbytes > RW_MAX)
		rest.aio_nbytes = RW_MAX;
	while (more > 0 && more % FC_CHUNK == 0 && more < (long)rest.aio_nbytes) {
		if (writes(io) && fc_call(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, &limit) == 0 &&
		    limit.rlim_cur != RLIM64_INFINITY)
			break;
		rest.aio_buf += (uint64_t)more;
		rest.aio_nbytes -= (uint64_t)more;
		rest.aio_offset += more;
		more = transfer_call(&rest, true);
		r += more > 0 ? more : 0;
	}
	return r;
}

static struct outcome transfer(const struct iocb *io)
{
	long wrong = transfer_check(io), r = wrong ? file_check(io) : transfer_whole(io);

	if (!wrong && r == -ESPIPE)
		r = transfer_call(io, false);
	if (refused(io, &r))
		return (struct outcome){ r, 0 };
	return (struct outcome){ wrong, r };
}

static struct outcome synchronize(const struct iocb *io)
{
	long a[6] = { (int)io->aio_fildes }, r;

	if (io->aio_buf || io->aio_offset || io->aio_nbytes || io->aio_rw_flags)
		return (struct outcome){ -EINVAL, 0 };
	r = shim_dispatch(io->aio_lio_opcode == IOCB_CMD_FSYNC ? SYS_fsync : SYS_fdatasync, a);
	return r == -EBADF || r == -EINVAL ? (struct outcome){ r, 0 } : (struct outcome){ 0, r };
}

static long submit_remote(uint64_t ctx, struct iocb *user)
{
	struct shim_process *p = shim_process_own();
	struct middle was;
	struct outcome o;
	struct iocb io;
	long r;

	if (fc_copy_from_user(&io, user, sizeof io))
		return -EFAULT;
	if (!p || sink(p) < 0)
		return -EINVAL; /* as a file system without these calls */
	r = accepted(ctx, &io, user);
	if (r < 0)
		return r;
	io.aio_key = 0; /* as it is now */
	memcpy(&was, (char *)&io + MIDDLE, sizeof was);
	o = synchronizes(&io) ? synchronize(&io) : transfer(&io);
	return o.submitted < 0 ? o.submitted : complete(ctx, user, &was, p, o.result);
}

/* ---- the calls ---- */

/* One of the list; null, for the kernel to find the same, if it cannot be read. */
static struct iocb *entry(long list, long i)
{
	struct iocb *one;

	return fc_copy_from_user(&one, (struct iocb *const *)list + i, sizeof one) ? NULL : one;
}

/* How many from `from` on are the local kernel's in one go. What is wrong is, too. */
static long local_run(const long a[6], long from)
{
	const struct shim_process *p = shim_process();
	long i = from;

	for (struct iocb *one; i < a[1] && (one = entry(a[2], i)) && !is_remote(p, one); i++)
		note_forget((uint64_t)a[0], one);
	return i < a[1] && entry(a[2], i) ? i - from : a[1] - from;
}

/* One after the other; the first that is not taken ends it. */
long shim_do_io_submit(long nr, long a[6])
{
	long done = local_run(a, 0), n, r;

	if (likely(done >= a[1]) || a[1] <= 0)
		return shim_native(nr, a);
	for (done = 0; done < a[1]; done += r) {
		n = local_run(a, done);
		long b[6] = { a[0], n, a[2] + done * (long)sizeof(struct iocb *) };

		if (n) {
			r = shim_native(nr, b);
		} else {
			struct iocb *one = entry(a[2], done);

			note_forget((uint64_t)a[0], one);
			n = 1;
			r = submit_remote((uint64_t)a[0], one);
			r = r < 0 ? r : 1;
		}
		if (r < 0)
			return done ? done : r;
		if (r < n)
			return done + r;
	}
	return done;
}

/* Now, for the program may be about to change its root, to one where there is no /dev/zero. */
long shim_do_io_setup(long nr, long a[6])
{
	long r = shim_native(nr, a);
	struct shim_process *p = r == 0 ? shim_process_own() : NULL;

	if (p)
		sink(p);
	return r;
}
