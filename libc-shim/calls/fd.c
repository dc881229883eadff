/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fd.c - calls on a descriptor, and the calls that make and end descriptors. The kernel's own table holds a placeholder
 * for each remote one, so numbers, limits, close-on-exec and inheritance are the kernel's business; what is done
 * here is to keep our table and the domain's in step with it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/file.h>
#include <sys/syscall.h>

#include "common/atomic.h"
#include "common/rawcall.h"
#include "farcall/wire.h"
#include "libc-shim/calls/handlers.h"
#include "libc-shim/native.h"
#include "libc-shim/calls/owner.h"
#include "libc-shim/calls/remote.h"
#include "libc-shim/hook.h"
#include "libc-shim/process/process.h"
#include "libc-shim/process/thread.h"
#include "libc-shim/session/lease.h"
#include "libc-shim/calls/offset.h"
#include "libc-shim/shim.h"
#include "libc-shim/text.h"
#include "libc-shim/trace.h"

/*
 * A call that waits, as long as others have a lock, does not use its descriptor: they may wait for what a close unlocks. Natively it is still about the file
 * that it began with, and so it is in the domain's kernel, but not on the way there; so it is tried first whether it has to wait.
 */
enum manner { PLAIN, TRIES, WAITS };

static int begin_on(struct shim_call *c, const struct fc_row *row, struct shim_process *p, long fd, uint64_t w,
		    struct shim_frame *f, enum manner how)
{
	int r;

	if (likely(how != WAITS)) {
		r = shim_call_begin_on(c, row, p, fd, w, f);
	} else {
		r = shim_call_begin(c, row, p, shim_fd_domain(w), f);
		if (r == 0 && shim_fd_get(p, fd) != w)
			r = SHIM_OTHER;
	}
	if (r == 0) {
		c->loose = how == WAITS;
		c->quiet = how == TRIES;
	}
	return r;
}

/* It was to wait: has a handler ended that? */
static int64_t tried(const struct shim_call *c, int64_t r, enum manner how)
{
	const bool waits = how == TRIES && (r == -EAGAIN || r == -EACCES);

	return unlikely(waits && shim_request_interrupted(&c->frame->request)) ? -EINTR : r;
}

/* A regular row whose first argument is a descriptor (and whose others are not). *is: what that was. `used`: SHIM_OTHER, if it is not that whose
 * offset is used. */
static long on_fd(long nr, long a[6], uint64_t *is, const uint64_t *used, enum manner how)
{
	struct shim_process *p = shim_process();
	uint64_t w = *is = shim_fd_get(p, a[0]);
	struct shim_call c;

	if (likely(!w))
		return shim_native(nr, a);
	struct shim_frame *f = shim_frame_begin();
	if (!f)
		return -EDEADLK;
	if (!(p = shim_process_own()) || !(w = *is = shim_fd_get(p, a[0]))) {
		shim_frame_end(f);
		return -EBADF;
	}
	if (used && unlikely(!shim_offset_is_begun(p, w, *used))) {
		shim_frame_end(f);
		return SHIM_OTHER;
	}
	long b[6] = { shim_fd_number(w), a[1], a[2], a[3], a[4], a[5] };
	int64_t r = begin_on(&c, fc_row_by_nr((unsigned)nr), p, a[0], w, f, how);
	if (unlikely(r == SHIM_OTHER)) {
		shim_frame_end(f);
		return on_fd(nr, a, is, used, how);
	}
	if (r == 0) {
		c.shown = a;
		r = tried(&c, shim_result(c.s, shim_call_row(&c, b)), how);
	}
	shim_frame_end(f);
	return (long)r;
}

/* ftruncate and fallocate, which may shorten a file. */
long shim_do_length(long nr, long a[6])
{
	struct shim_process *p = shim_process();
	uint64_t w = shim_fd_get(p, a[0]);
	long r;

	if (likely(!w))
		return shim_native(nr, a);
	shim_lease_cut(p, w);
	r = on_fd(nr, a, &w, NULL, PLAIN); /* the number may be another file's by now */
	shim_lease_cut(p, w);
	return r;
}

long shim_do_fd(long nr, long a[6])
{
	uint64_t w;

	return on_fd(nr, a, &w, NULL, PLAIN);
}

static long traced(unsigned nr, const long a[6], long r)
{
	char *const none[2] = { NULL, NULL };

	if (unlikely(shim.trace_fd >= 0))
		shim_trace(fc_row_by_nr(nr), a, none, r);
	return r;
}

long shim_do_flock(long nr, long a[6])
{
	long at_once[6] = { a[0], a[1] | LOCK_NB }, r;
	uint64_t w;

	if (likely(!shim_fd_get(shim_process(), a[0])))
		return shim_native(nr, a);
	r = on_fd(nr, at_once, &w, NULL, a[1] & LOCK_NB ? PLAIN : TRIES);
	return r == -EAGAIN && !(a[1] & LOCK_NB) ? on_fd(nr, a, &w, NULL, WAITS) : traced(SYS_flock, a, r);
}

/* lseek of what this process keeps the offset of is no request; where it cannot say, the domain's kernel can. */
long shim_do_lseek(long nr, long a[6])
{
	struct shim_process *p = shim_process();
	uint64_t w = shim_fd_get(p, a[0]), held;
	struct shim_file *f = shim_file_of(p, w);
	long r = -1;

	if (likely(!w))
		return shim_native(nr, a);
	if (f && fc_load(&f->lease.offset) >= 0 && (held = shim_file_hold(p, &p->fd[(uint32_t)a[0]], w))) {
		r = shim_offset_seek(p, f, a[1], (int)a[2]);
		shim_file_drop(p, held);
	}
	if (r >= 0)
		return traced(SYS_lseek, a, r);
	if (!(p = shim_process_own()))
		return -ENOMEM;
	do {
		held = shim_offset_begin(p, (int)a[0]);
		r = on_fd(nr, a, &w, &held, PLAIN);
		shim_offset_end(p, (int)a[0], held, r >= 0);
	} while (unlikely(r == SHIM_OTHER));
	return r;
}

/* What has been posted is done before a request is, and so its errors are known when that has been answered. */
static long posted(struct shim_process *p, struct shim_file *f, long r)
{
	const int error = f && r >= 0 ? shim_post_error(p, f) : 0;

	return unlikely(error < 0) ? shim_result(&p->session[f->domain], error) : r;
}

/* Of what writes may have been posted to, by this image or by the one before. */
static uint64_t hold_posted(struct shim_process *p, int fd)
{
	const uint64_t w = shim_fd_get(p, fd);
	const struct shim_file *f = shim_file_of(p, w);
	const bool may = f && (fc_load(&p->session[f->domain].posts.ring) || fc_load(&f->failed));

	return unlikely(may) ? shim_file_hold(p, &p->fd[fd], w) : 0;
}

/* fsync and fdatasync, which say what has become of posted writes. */
long shim_do_sync(long nr, long a[6])
{
	struct shim_process *p = shim_process();
	uint64_t held;
	long r;

	if (likely(!shim_fd_get(p, a[0])))
		return shim_native(nr, a);
	held = hold_posted(p, (int)a[0]);
	r = shim_do_fd(nr, a);
	if (unlikely(held)) {
		r = posted(p, shim_file_of(p, held), r);
		shim_file_drop(p, held);
	}
	return r;
}

/* Nothing, or nobody who would hear of it, closes it in the domain now. */
static long close_here(int placeholder)
{
	if (placeholder >= 0)
		fc_call(SYS_close, placeholder);
	return 0;
}

/* `placeholder`: what stands for it here, -1 = nothing. */
static long close_number(struct shim_process *p, unsigned domain, int number, int placeholder)
{
	if (unlikely(shim_requests_leave(&p->session[domain].requests, number)))
		return close_here(placeholder); /* as when a thread still uses it natively */
	shim_posts_pass(&p->session[domain]);
	return shim_close_both(p, domain, number, placeholder);
}

static long close_domain_fd(struct shim_process *p, uint64_t w, int placeholder)
{
	if (unlikely(w & SHIM_FD_LENT))
		return close_here(placeholder);
	return close_number(p, shim_fd_domain(w), shim_fd_number(w), placeholder);
}

void shim_close_left(const struct shim_requests *q, int number)
{
	struct shim_process *p = shim_process();

	for (unsigned d = 0; d < shim.config.ndomains; d++)
		if (&p->session[d].requests == q)
			close_number(p, d, number, -1);
}

long shim_do_close(long nr, long a[6])
{
	struct shim_process *p = shim_process();
	int fd = (int)a[0];

	if (!shim_fd_get(p, fd))
		return unlikely(shim_fd_hidden(p, fd)) ? -EBADF : shim_native(nr, a);
	if (unlikely(shim_fd_is_coming(shim_fd_get(p, fd))))
		return -EBADF;
	if (!(p = shim_process_own()))
		return -ENOMEM;
	uint64_t held = hold_posted(p, fd), w = shim_fd_set(p, fd, 0);
	long r = -EBADF; /* another thread was faster: it has the number to give back */
	if (w)
		r = close_domain_fd(p, w, fd);
	if (unlikely(held)) {
		r = posted(p, shim_file_of(p, held), r);
		shim_file_drop(p, held);
	}
	return w ? traced(SYS_close, a, r) : r;
}

void shim_close_untold(int fd)
{
	struct shim_process *p = shim_process();

	if (shim_fd_is_coming(shim_fd_get(p, fd)))
		shim_fd_give_back(p, fd);
	shim_do_close(SYS_close, (long[6]){ fd });
}

/* A new domain descriptor for what w, descriptor `from`'s word, is about, which the application calls `number`: a copy of its own, which is of the same kind.
 * *flags: what its word says besides, with a reference to the record. SHIM_OTHER: `from` is about something else by now. */
static long copy(struct shim_process *p, int from, uint64_t w, int number, uint64_t *flags)
{
	const uint64_t held = shim_file_hold(p, &p->fd[from], w);
	const long dfd = shim_copy(p, from, w, number);

	*flags = dfd == SHIM_OTHER ? 0 : (w & SHIM_FD_DIRECT) | held;
	if (unlikely(dfd == SHIM_OTHER))
		shim_file_drop(p, held);
	return dfd;
}

/* The same under a placeholder that exists already. */
static long dup_into(struct shim_process *p, int from, uint64_t w, int placeholder)
{
	uint64_t flags = 0;
	long dfd = SHIM_OTHER;

	if (placeholder < 0)
		return placeholder;
	shim_fd_reserve(p, placeholder, shim_fd_domain(w));
	for (; w && dfd == SHIM_OTHER; w = dfd == SHIM_OTHER ? shim_fd_get(p, from) : w)
		dfd = copy(p, from, w, placeholder, &flags);
	if (dfd == SHIM_OTHER) /* it has been closed */
		return shim_install(p, 0, -EBADF, placeholder, 0);
	return shim_install(p, shim_fd_domain(w), dfd, placeholder, flags);
}

/* dup2 and dup3: the kernel replaces `to` by a copy of `from` in one step; then our table follows. */
static long dup_onto(struct shim_process *p, long nr, const long a[6])
{
	uint64_t w = shim_fd_get(p, a[0]), flags = 0;
	int to = (int)a[1];
	long dfd = 0;

	if ((unsigned)to >= SHIM_FDS)
		return -EBADF; /* beyond what the table holds, whatever the limit */
	while (w && (dfd = copy(p, (int)a[0], w, to, &flags)) == SHIM_OTHER)
		w = shim_fd_get(p, a[0]);
	if (w && dfd < 0) {
		shim_file_drop(p, flags);
		return dfd;
	}
	long r = shim_native(nr, a);
	if (r < 0) {
		shim_file_drop(p, flags);
		if (w)
			shim_simple(p, shim_fd_domain(w), SYS_close, dfd, 0, 0);
		return r;
	}
	uint64_t old = shim_fd_set(p, to, w ? shim_fd_word(shim_fd_domain(w), dfd, flags) : 0);
	if (old)
		close_domain_fd(p, old, -1);
	return w ? traced(SYS_dup, a, r) : r;
}

long shim_do_dup(long nr, long a[6])
{
	struct shim_process *p = shim_process();

	if (shim_fd_hidden(p, a[0]) || shim_fd_is_coming(shim_fd_get(p, a[0])))
		return -EBADF;
	if (nr == SYS_dup) {
		if (!shim_fd_get(p, a[0]))
			return shim_native_fd(nr, a);
		if (!(p = shim_process_own()))
			return -ENOMEM;
		return traced(SYS_dup, a,
			      dup_into(p, (int)a[0], shim_fd_get(p, a[0]), (int)shim_native_fd(SYS_dup, a)));
	}
	if ((int)a[0] == (int)a[1])
		return shim_native(nr, a);
	if (unlikely(shim_fd_is_coming(shim_fd_get(p, a[1]))))
		return fc_call(SYS_fcntl, a[0], F_GETFD) < 0 ? -EBADF : -EBUSY;
	if (shim_fd_hidden(p, a[1])) {
		if (!(p = shim_process_own()))
			return -ENOMEM;
		if (shim_hidden_make_room(p, (int)a[1]) < 0)
			return -EMFILE;
	}
	if (!shim_fd_get(p, a[0]) && !shim_fd_get(p, a[1]))
		return shim_native(nr, a);
	if (!(p = shim_process_own()))
		return -ENOMEM;
	return dup_onto(p, nr, a);
}

static long close_natively(unsigned first, unsigned last, unsigned flags)
{
	const long a[6] = { first, last, flags };

	return shim_native(SYS_close_range, a); /* a pipe's other end may hear it */
}

/* The ranges between our own descriptors, and those that are only coming, one kernel call each. */
static long close_range_around(const struct shim_process *p, unsigned first, unsigned last, unsigned flags)
{
	for (;;) {
		unsigned next = UINT32_MAX;

		for (int i = 0; i < SHIM_HIDDEN; i++)
			if (p->hidden[i] >= 0 && (unsigned)p->hidden[i] >= first && (unsigned)p->hidden[i] < next)
				next = (unsigned)p->hidden[i];
		/* what is coming is not closed, but will be close-on-exec */
		for (unsigned fd = first;
		     !(flags & CLOSE_RANGE_CLOEXEC) && fd < next && fd <= last && fd < fc_load(&p->fd_top); fd++)
			if (shim_fd_is_coming(fc_load(&p->fd[fd])))
				next = fd;
		if (next > last)
			return close_natively(first, last, flags);
		if (next > first) {
			long r = close_natively(first, next - 1, flags);
			if (r < 0)
				return r;
		}
		if (next == last)
			return 0;
		first = next + 1;
	}
}

long shim_do_close_range(long nr, long a[6])
{
	struct shim_process *p = shim_process();
	unsigned first = (unsigned)a[0], last = (unsigned)a[1], flags = (unsigned)a[2];

	if (first > last || (flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)))
		return shim_native(nr, a);
	if (!(flags & CLOSE_RANGE_CLOEXEC)) {
		unsigned end = fc_load(&p->fd_top);

		if (last < end)
			end = last + 1;
		for (unsigned fd = first; fd < end; fd++) {
			long one[6] = { (long)fd };

			if (shim_fd_get(shim_process(), (long)fd))
				shim_do_close(SYS_close, one);
		}
	}
	return close_range_around(shim_process(), first, last, flags);
}

/* ---- fcntl and ioctl ---- */

/* SHIM_OTHER: the descriptor is not w any more. */
static long run_command(struct shim_process *p, uint64_t w, const struct fc_arg *arg, const long a[6], enum manner how)
{
	const struct fc_row *row = fc_row_by_nr(SYS_fcntl);
	bool plain = arg->kind == FC_KIND_NONE || arg->kind == FC_KIND_VAL || arg->kind == FC_KIND_HEX;
	long b[6] = { shim_fd_number(w), a[1], a[2] };
	struct shim_frame *f = shim_frame_begin();
	struct shim_call c;
	struct fc_row with_arg;

	if (!f)
		return -EDEADLK;
	if (!plain) {
		with_arg = *row;
		with_arg.arg[2] = *arg;
		row = &with_arg;
	}
	int64_t r = begin_on(&c, row, p, a[0], w, f, how);
	if (r == 0) {
		c.shown = a;
		r = tried(&c, shim_result(c.s, plain ? shim_call_values(&c, b) : shim_call_row(&c, b)), how);
	}
	shim_frame_end(f);
	return (long)r;
}

/* getdents, with the name where the newer one has the type, which is the last byte now: what one says fits where the other does */
long shim_do_getdents(long nr, long a[6])
{
	const size_t type = 18, name = 19;
	char *entry = (char *)a[1], *end, head[19], *copy;
	uint16_t length;
	long r;

	if (likely(!shim_fd_get(shim_process(), a[0])))
		return shim_native(nr, a);
	struct shim_frame *f = shim_frame_begin();
	if (!f)
		return -EDEADLK;
	copy = shim_scratch(f);
	r = shim_do_fd(SYS_getdents64, a);
	for (end = entry + (r > 0 ? r : 0); entry < end && r > 0; entry += length) {
		if (fc_copy_from_user(head, entry, sizeof head)) {
			r = -EFAULT;
			break;
		}
		memcpy(&length, head + 16, sizeof length);
		if (length <= name || length > SHIM_SCRATCH_SIZE ||
		    length > end - entry) /* it was whole a moment ago */
			break;
		memset(copy, 0, length);
		if (fc_copy_from_user(copy, entry + name, length - name))
			r = -EFAULT;
		copy[length - type - 1] = head[type];
		if (fc_copy_to_user(entry + type, copy, length - type))
			r = -EFAULT;
	}
	shim_frame_end(f);
	return r;
}

long shim_refuse(struct shim_process *p, int fd, int error)
{
	long flags = SHIM_OTHER;
	uint64_t w;

	while (flags == SHIM_OTHER && (w = shim_fd_get(p, fd)))
		flags = shim_simple_on(p, fd, w, SYS_fcntl, F_GETFL, 0);
	if (flags == SHIM_OTHER)
		return -EBADF;
	return flags < 0 ? flags : flags & O_PATH ? -EBADF : error;
}

/* F_SETFL has set those that can be set. */
static void follow_flags(struct shim_process *p, int fd, uint64_t w, uint32_t flags)
{
	const uint32_t settable = O_APPEND | O_ASYNC | O_DIRECT | O_NOATIME | O_NONBLOCK;
	uint64_t now = flags & O_DIRECT ? w | SHIM_FD_DIRECT : w & ~SHIM_FD_DIRECT;
	uint64_t held = shim_file_hold(p, &p->fd[fd], w);
	struct shim_file *f = shim_file_of(p, held);

	if (f)
		fc_store(&f->flags, (f->flags & ~settable) | (flags & settable));
	shim_file_drop(p, held);
	if (now != w)
		fc_cas(&p->fd[fd], w, now);
}

/* The domain's lease for a delegation is none of the program's. */
static void end_delegation(struct shim_process *p, int fd, uint64_t w)
{
	const uint64_t held = shim_file_hold(p, &p->fd[fd], w);
	struct shim_file *f = shim_file_of(p, held);

	if (f)
		shim_lease_end(p, f);
	shim_file_drop(p, held);
}

/* Its range may be given from the file's offset on. */
static bool is_lock(int cmd)
{
	return cmd == F_GETLK || cmd == F_SETLK || cmd == F_SETLKW || cmd == F_OFD_GETLK || cmd == F_OFD_SETLK ||
	       cmd == F_OFD_SETLKW;
}

static long run_waiting(struct shim_process *p, uint64_t w, const struct fc_arg *arg, const long a[6])
{
	const long at_once[6] = { a[0], (int)a[1] == F_SETLKW ? F_SETLK : F_OFD_SETLK, a[2] };
	long r = run_command(p, w, arg, at_once, TRIES);

	if (r == -EAGAIN || r == -EACCES)
		return run_command(p, w, arg, a, WAITS);
	return r == SHIM_OTHER ? r : traced(SYS_fcntl, a, r);
}

long shim_do_fcntl(long nr, long a[6])
{
	struct shim_process *p = shim_process();
	uint64_t w = shim_fd_get(p, a[0]), held;
	int cmd = (int)a[1];
	struct fc_arg arg;

	if (likely(!w))
		return unlikely(shim_fd_hidden(p, a[0])) ? -EBADF : shim_native_fd(nr, a);
	if (unlikely(shim_fd_is_coming(w)))
		return -EBADF;
	if (cmd == F_GETFD || cmd == F_SETFD)
		return shim_native(nr, a);
	if (!(p = shim_process_own()))
		return -ENOMEM;
	w = shim_fd_get(p, a[0]);
	if (cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC)
		return traced(SYS_fcntl, a, dup_into(p, (int)a[0], w, (int)shim_native_fd(SYS_fcntl, a)));
	if (shim_owner_has(cmd))
		return traced(SYS_fcntl, a, shim_owner_fcntl(p, (int)a[0], w, cmd, a[2]));
	if (fc_fcntl_arg((unsigned)cmd, &arg) < 0)
		return shim_refuse(p, (int)a[0], -EINVAL);
	if (cmd == F_SETFL && a[2] & O_DIRECT) /* of all descriptors, and nothing may be aligned that is posted */
		shim_lease_bar(p, w);
	if (cmd == F_GETLEASE)
		end_delegation(p, (int)a[0], w);
	held = is_lock(cmd) ? shim_offset_begin(p, (int)a[0]) : 0;
	if (is_lock(cmd) && unlikely(!shim_offset_is_begun(p, w, held))) { /* it is another file by now */
		shim_offset_end(p, (int)a[0], held, false);
		return shim_do_fcntl(nr, a);
	}
	long r =
		cmd == F_SETLKW || cmd == F_OFD_SETLKW ? run_waiting(p, w, &arg, a) : run_command(p, w, &arg, a, PLAIN);
	shim_offset_end(p, (int)a[0], held, false);
	if (unlikely(r == SHIM_OTHER))
		return shim_do_fcntl(nr, a);
	if (cmd == F_SETFL && r == 0)
		follow_flags(p, (int)a[0], w, (uint32_t)a[2]);
	return r;
}
