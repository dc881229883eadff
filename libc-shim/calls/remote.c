/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remote.c - one row of syscalls.def as a request: marshal its arguments by their kinds, submit, wait, unmarshal. It knows
 * no single system call.
 *
 * A pointer that cannot be read travels as FC_NULL, so that the domain's kernel weighs EFAULT against the call's other
 * errors in its own order.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/atomic.h"
#include "common/rawcall.h"
#include "farcall/wire.h"
#include "libc-shim/calls/dirent.h"
#include "libc-shim/calls/remote.h"
#include "libc-shim/hook.h"
#include "libc-shim/process/fork.h"
#include "libc-shim/process/process.h"
#include "libc-shim/process/thread.h"
#include "libc-shim/request/request.h"
#include "libc-shim/session/data.h"
#include "libc-shim/session/post.h"
#include "libc-shim/session/session.h"
#include "libc-shim/shim.h"
#include "libc-shim/text.h"
#include "libc-shim/trace.h"

/* Claim an entry, and let whoever forks in a handler find it (fork.c): after that has happened in between, begin anew. */
static int claim(struct shim_call *c, struct shim_process *p, unsigned domain, struct shim_frame *f)
{
	uint32_t forks;
	int r;

	f->session = &c->s;
	do {
		forks = fc_load(&shim_forks_in_calls);
		fc_signal_fence();
		r = shim_session_get(p, domain, &c->s);
		if (r == 0)
			r = shim_request_take(&c->s->requests, shim_owner_self(), &shim_self()->hint);
		if (r < 0)
			continue; /* of nobody's session nothing can be had */
		f->request.of = &c->s->requests;
		fc_signal_fence();
		f->request.slot = r;
		fc_signal_fence();
	} while (unlikely(forks != fc_load(&shim_forks_in_calls)) && (r < 0 || !c->s->requests.gone));
	return r < 0 ? r : 0;
}

int shim_call_begin(struct shim_call *c, const struct fc_row *row, struct shim_process *p, unsigned domain,
		    struct shim_frame *f)
{
	int r;

	if (unlikely(fc_load(&shim.posting)) && shim.config.ndomains > 1)
		shim_posts_order(domain, row->nr);
	r = claim(c, p, domain, f);
	if (r < 0)
		return r;
	if (unlikely(c->s->lent) && (row->nr == SYS_chdir || row->nr == SYS_fchdir))
		return -EPERM; /* it would be the other process' directory, too */
	c->row = row;
	c->p = p;
	c->frame = f;
	c->room_used = 0;
	c->chunk = NULL;
	c->shown = NULL;
	c->position = -1;
	c->number = -1;
	c->closes = -1;
	c->uses = 0;
	c->loose = false;
	for (int i = 0; i < 6; i++)
		c->wire[i] = 0; /* what a call has no argument for, is not the stack's */
	c->quiet = row->effect == FC_EFFECT_OPENS;
	return 0;
}

static bool uses(const struct shim_call *c, int number)
{
	for (unsigned k = 0; k < c->uses; k++)
		if (c->used[k] == number)
			return true;
	return false;
}

bool shim_call_use(struct shim_call *c, long fd, uint64_t w)
{
	const int number = shim_fd_number(w);

	if (likely(c->uses < SHIM_USES) && !uses(c, number)) {
		const int left = shim_request_use(&c->frame->request, c->uses, number);

		if (unlikely(left >= 0)) /* to somebody who has never come back */
			shim_close_left(&c->s->requests, left);
		c->used[c->uses++] = number;
	}
	return likely(shim_fd_get(c->p, fd) == w);
}

int shim_call_begin_on(struct shim_call *c, const struct fc_row *row, struct shim_process *p, long fd, uint64_t w,
		       struct shim_frame *f)
{
	int r = shim_call_begin(c, row, p, shim_fd_domain(w), f);

	return r == 0 && unlikely(!shim_call_use(c, fd, w)) ? SHIM_OTHER : r;
}

void shim_call_end(struct shim_call *c)
{
	shim_frame_end_request(c->frame);
}

uint64_t shim_call_room(struct shim_call *c, size_t n)
{
	if (!c->chunk) {
		int chunk = shim_entry_chunk(c->s, c->frame->request.slot);

		if (chunk < 0)
			return FC_NULL;
		c->chunk = shim_chunk_address(c->s, chunk);
	}
	uint32_t at = (c->room_used + 7) & ~7u;
	if (n > FC_CHUNK || at + n > FC_CHUNK)
		return FC_NULL;
	c->room_used = at + (uint32_t)n;
	return (uint64_t)(c->chunk - c->s->data) + at;
}

char *shim_call_at(struct shim_call *c, uint64_t offset)
{
	return c->s->data + offset;
}

/* Two errors come with a signal to the thread, which is here, not in the domain. */
static void raise_for(int64_t error)
{
	struct rlimit64 size;
	int signal = SIGPIPE;

	if (error == -EFBIG) { /* only a limit of the process raises one, not one of the file system */
		if (fc_call(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, &size) < 0 || size.rlim_cur == RLIM64_INFINITY)
			return;
		signal = SIGXFSZ;
	}
	fc_call(SYS_tgkill, fc_call(SYS_getpid), shim_self()->tid, signal);
}

long shim_result(struct shim_session *s, int64_t r)
{
	if (likely(r >= 0))
		return (long)r;
	if (r >= -4095) {
		if (r == -EPIPE || r == -EFBIG)
			raise_for(r);
		return (long)r;
	}
	shim_session_fail(s, "it sent a result that cannot be");
	return -EIO;
}

int64_t shim_call_run(struct shim_call *c, unsigned nr)
{
	const struct shim_request *r = &c->frame->request;

	shim_request_fill(r, nr, c->wire, c->row->effect == FC_EFFECT_OPENS || c->row->effect == FC_EFFECT_DUPS);
	if (c->number >= 0)
		shim_request_number(r, c->number);
	shim_requests_submit(r, 1);
	if (c->closes >= 0) {
		fc_call(SYS_close, c->closes);
		c->closes = -1;
	}
	const int64_t result = shim_request_wait(r);
	return unlikely(result == SHIM_OTHER) ? SHIM_IMPOSSIBLE : result; /* that is not the domain's to say */
}

int64_t shim_call_ask(struct shim_call *c, unsigned nr, uint64_t a1, uint64_t a2)
{
	const struct shim_request *r = &c->frame->request;
	const uint64_t wire[6] = { c->wire[0], a1, a2 };

	shim_request_fill(r, nr, wire, false);
	shim_requests_submit(r, 1);
	return shim_request_wait(r);
}

/* ---- marshalling ---- */

/* Room for a buffer of *n bytes: what is left of the entry's chunk, else a chunk of its own, *n cut to its size. */
static uint64_t buffer_room(struct shim_call *c, uint64_t *n)
{
	uint64_t at = shim_call_room(c, *n);

	if (at != FC_NULL)
		return at;
	int chunk = shim_entry_extra(c->s, c->frame->request.slot);
	if (chunk < 0)
		return FC_NULL;
	if (*n > FC_CHUNK)
		*n = FC_CHUNK;
	return shim_chunk_offset(chunk);
}

static int pack_path(struct shim_call *c, int i, const char *path)
{
	c->wire[i] = FC_NULL;
	if (!path)
		return 0;
	c->wire[i] = shim_call_room(c, FC_PATH_MAX);
	if (c->wire[i] == FC_NULL)
		return -ENOMEM;
	memcpy(shim_call_at(c, c->wire[i]), path, strlen(path) + 1);
	return 0;
}

static int pack_string(struct shim_call *c, int i, const char *user, size_t max)
{
	uint64_t at = shim_call_room(c, max);

	if (at == FC_NULL)
		return -ENOMEM;
	long n = fc_strncpy_from_user(shim_call_at(c, at), user, max);
	if (n == -ENAMETOOLONG)
		return max == FC_PATH_MAX ? -ENAMETOOLONG : -ERANGE; /* a link's text; an attribute's name */
	c->wire[i] = n < 0 ? FC_NULL : at;
	return 0;
}

static int pack_in(struct shim_call *c, int i, const void *user, uint64_t n)
{
	uint64_t fits = n, at;

	c->wire[i] = FC_NULL;
	if (!user || n > FC_CHUNK)
		return 0; /* too large for any call that has such an argument: the kernel says so before it looks */
	at = buffer_room(c, &fits);
	if (at == FC_NULL)
		return -ENOMEM;
	if (!fc_copy_from_user(shim_call_at(c, at), user, n))
		c->wire[i] = at;
	return 0;
}

static int pack_out(struct shim_call *c, int i, int length_arg, void *user)
{
	uint64_t n = c->wire[length_arg];

	if (c->row->nr == SYS_readlinkat || c->row->nr == SYS_getdents64) /* an int in the kernel */
		n = (int)n > 0 ? (uint64_t)(int)n : 0;
	c->wire[i] = FC_NULL;
	if (!user)
		return 0;
	if (n == 0) {
		c->wire[i] = shim_call_room(c, 0);
		if (c->row->nr == SYS_getdents64)
			c->wire[length_arg] = 0;
		return 0;
	}
	if (!shim_can_write(user)) /* before anything moves: a directory's position, say */
		return 0;
	/* where it is read from, for the case that what comes does not fit */
	if (c->row->nr == SYS_getdents64 && !shim_can_write((char *)user + n - 1))
		c->position = shim_call_ask(c, SYS_lseek, 0, SEEK_CUR);
	c->wire[i] = buffer_room(c, &n);
	if (c->wire[i] == FC_NULL)
		return -ENOMEM;
	c->wire[length_arg] = n;
	return 0;
}

/* A buffer that a successful call fills to its end. No such call takes more than a page. */
static int pack_whole(struct shim_call *c, int i, int length_arg, const void *user)
{
	const uint64_t n = c->wire[length_arg];

	c->wire[i] = FC_NULL;
	if (!user || n > FC_PAGE_SIZE)
		return 0;
	c->wire[i] = shim_call_room(c, n);
	return c->wire[i] == FC_NULL ? -ENOMEM : 0;
}

/* struct xattr_args as setxattrat and getxattrat look at it first: its size, and that what a later kernel has behind it is zero. */
static int take_xattr_args(struct fc_xattr_args *args, const char *user, uint64_t size)
{
	char more[64];

	if (size < sizeof *args)
		return -EINVAL;
	if (size > FC_PAGE_SIZE)
		return -E2BIG;
	if (fc_copy_from_user(args, user, sizeof *args))
		return -EFAULT;
	for (uint64_t at = sizeof *args, n; at < size; at += n) {
		n = size - at < sizeof more ? size - at : sizeof more;
		if (fc_copy_from_user(more, user + at, n))
			return -EFAULT;
		for (uint64_t k = 0; k < n; k++)
			if (more[k])
				return -E2BIG;
	}
	return 0;
}

static int pack_xattr(struct shim_call *c, int i, const struct fc_arg *arg, const char *user)
{
	struct fc_xattr_args args;
	int r = take_xattr_args(&args, user, c->wire[arg->extra]);
	const bool in = arg->kind == FC_KIND_XATTR_IN;
	uint64_t n = args.size, at;

	if (r < 0)
		return r;
	c->value.user = (void *)args.value;
	args.value = FC_NULL;
	if (c->value.user && (!in || n <= FC_CHUNK)) {
		args.value = buffer_room(c, &n);
		if (args.value == FC_NULL)
			return -ENOMEM;
		if (in && fc_copy_from_user(shim_call_at(c, args.value), c->value.user, n))
			args.value = FC_NULL;
	}
	args.size = (uint32_t)n;
	c->value.at = args.value;
	c->value.room = n;
	at = shim_call_room(c, sizeof args);
	if (at == FC_NULL)
		return -ENOMEM;
	memcpy(shim_call_at(c, at), &args, sizeof args);
	c->wire[i] = at;
	c->wire[arg->extra] = sizeof args;
	return 0;
}

static int pack_object(struct shim_call *c, int i, unsigned kind, void *user, size_t size)
{
	bool in = kind != FC_KIND_OUT_OBJ;

	c->wire[i] = FC_NULL;
	if (!user)
		return 0;
	uint64_t at = shim_call_room(c, size);
	if (at == FC_NULL)
		return -ENOMEM;
	if (!in || !fc_copy_from_user(shim_call_at(c, at), user, size))
		c->wire[i] = at;
	else if (kind == FC_KIND_IN_OBJ_OPT || kind == FC_KIND_INOUT_OBJ_OPT)
		return -EFAULT; /* FC_NULL would be a null pointer, which these may be */
	return 0;
}

/* A descriptor of the domain's is sent of which the call has said that it uses it, so that nobody can forget to say so. */
static int pack_descriptor(struct shim_call *c, int i, int number)
{
	c->wire[i] = (uint64_t)(int64_t)number;
	return number < FC_DOMAIN_FD_FIRST || likely(uses(c, number)) || c->loose ? 0 : -EBADF;
}

static int pack(struct shim_call *c, const long a[6])
{
	int paths = 0, r = 0;

	for (int i = 0; i < 6; i++) /* lengths first: pack_out may shorten one */
		c->wire[i] = (uint64_t)a[i];
	for (int i = 0; i < 6 && r == 0; i++) {
		const struct fc_arg *arg = &c->row->arg[i];

		switch (arg->kind) {
		case FC_KIND_NONE:
		case FC_KIND_VAL:
		case FC_KIND_HEX:
		case FC_KIND_OCT:
			break;
		case FC_KIND_FD:
		case FC_KIND_DIRFD:
			r = pack_descriptor(c, i, (int)a[i]);
			break;
		case FC_KIND_PATH:
		case FC_KIND_PATH_OPT:
			c->path_arg[paths] = i;
			r = pack_path(c, i, c->path[paths]);
			paths++;
			break;
		case FC_KIND_STR:
			r = pack_string(c, i, (const char *)a[i], arg->extra);
			break;
		case FC_KIND_IN:
			r = pack_in(c, i, (const void *)a[i], (uint64_t)a[arg->extra]);
			break;
		case FC_KIND_OUT:
			r = pack_out(c, i, arg->extra, (void *)a[i]);
			break;
		case FC_KIND_OUT_WHOLE:
			r = pack_whole(c, i, arg->extra, (void *)a[i]);
			break;
		case FC_KIND_XATTR_IN:
		case FC_KIND_XATTR_OUT:
			r = pack_xattr(c, i, arg, (const char *)a[i]);
			break;
		default:
			r = pack_object(c, i, arg->kind, (void *)a[i], arg->extra);
		}
	}
	return r;
}

/*
 * Only `n` bytes of a directory's entries fitted into the application's memory: it gets the whole ones among them, and the
 * directory's position goes back to behind the last.
 */
static int64_t unread_entries(struct shim_call *c, int i, size_t n)
{
	const char *entries = shim_call_at(c, c->wire[i]);
	size_t done = 0;
	int64_t position = c->position;

	while (done + SHIM_DIRENT_HEAD <= n) {
		struct shim_dirent e;

		memcpy(&e, entries + done, SHIM_DIRENT_HEAD);
		if (e.length < SHIM_DIRENT_HEAD || done + e.length > n)
			break;
		done += e.length;
		position = e.offset;
	}
	if (position >= 0)
		shim_call_ask(c, SYS_lseek, (uint64_t)position, SEEK_SET);
	return done ? (int64_t)done : -EFAULT;
}

/*
 * Are these a directory's entries, as they are in the application's memory now? It walks along their lengths, and puts their names
 * behind the path of the directory: a kernel gives none whose name is empty or a path.
 */
static bool entries_valid(struct shim_call *c, const char *user, size_t n)
{
	struct shim_dirent *e = (struct shim_dirent *)shim_scratch(c->frame);
	const size_t head = SHIM_DIRENT_HEAD;
	size_t length;

	for (; n; user += e->length, n -= e->length) {
		if (n < head || fc_copy_from_user(e, user, head) || e->length <= head || e->length > n ||
		    e->length > SHIM_SCRATCH_SIZE || fc_copy_from_user(e->name, user + head, e->length - head))
			return false;
		for (length = 0; e->name[length]; length++)
			if (e->name[length] == '/' || head + length + 1 == e->length)
				return false;
		if (!length)
			return false;
	}
	return true;
}

/* The value of an attribute, or if there was no room for any, only how long it is. */
static int64_t unpack_xattr(const struct shim_call *c, int64_t result)
{
	if (!c->value.room || c->value.at == FC_NULL)
		return result;
	if ((uint64_t)result > c->value.room)
		return SHIM_IMPOSSIBLE;
	return fc_copy_to_user(c->value.user, c->s->data + c->value.at, (size_t)result) ? -EFAULT : result;
}

static int64_t unpack(struct shim_call *c, const long a[6], int64_t result)
{
	for (int i = 0; i < 6; i++) {
		const struct fc_arg *arg = &c->row->arg[i];
		uint64_t n = 0;

		if (c->wire[i] == FC_NULL)
			continue;
		if (arg->kind == FC_KIND_XATTR_OUT)
			return unpack_xattr(c, result);
		if (arg->kind == FC_KIND_OUT_WHOLE) {
			n = c->wire[arg->extra];
		} else if (arg->kind == FC_KIND_OUT) {
			n = (uint64_t)result;
			if (c->wire[arg->extra] && n > c->wire[arg->extra])
				return SHIM_IMPOSSIBLE; /* more than there was room for */
			if (!c->wire[arg->extra])
				n = 0;
		} else if (arg->kind == FC_KIND_OUT_OBJ || arg->kind == FC_KIND_INOUT_OBJ ||
			   (arg->kind == FC_KIND_INOUT_OBJ_OPT && (result || c->row->nr != SYS_copy_file_range))) {
			n = arg->extra;
		}
		size_t left = n ? fc_copy_to_user((void *)a[i], shim_call_at(c, c->wire[i]), n) : 0;
		if (left && c->row->nr != SYS_getdents64)
			return -EFAULT;
		if (left)
			result = unread_entries(c, i, n - left);
		if (n && c->row->nr == SYS_getdents64 && result > 0 &&
		    !entries_valid(c, (const char *)a[i], (size_t)result))
			return SHIM_IMPOSSIBLE;
	}
	return result;
}

int64_t shim_call_values(struct shim_call *c, const long a[6])
{
	for (int i = 0; i < 6; i++)
		c->wire[i] = (uint64_t)a[i];
	int64_t r = pack_descriptor(c, 0, (int)a[0]);
	if (r == 0)
		r = shim_call_run(c, c->row->nr);
	r = shim_call_own(c, r);
	if (unlikely(shim.trace_fd >= 0))
		shim_trace(c->row, c->shown ? c->shown : a, c->path, r);
	return r;
}

int64_t shim_call_row(struct shim_call *c, const long a[6])
{
	int64_t r = pack(c, a);

	if (r == 0)
		r = shim_call_run(c, c->row->nr);
	if (r >= 0)
		r = unpack(c, a, r);
	r = shim_call_own(c, r);
	if (unlikely(shim.trace_fd >= 0) && !c->quiet)
		shim_trace(c->row, c->shown ? c->shown : a, c->path, r);
	return r;
}

/* `fd`: what has to stand for w, whose number is a[0]; or -1, of what nobody else knows of any more, or yet. `closes`: as in struct shim_call. */
static long simple(struct shim_process *p, unsigned domain, unsigned nr, const long a[6], int number, int fd,
		   uint64_t w, int closes)
{
	struct shim_frame *f = shim_frame_begin();
	struct shim_call c = { .path = { NULL, NULL } };
	int64_t r = -EDEADLK;

	if (f)
		r = fd < 0 ? shim_call_begin(&c, fc_row_by_nr(nr), p, domain, f)
			   : shim_call_begin_on(&c, fc_row_by_nr(nr), p, fd, w, f);
	c.loose = fd < 0;
	c.number = number;
	c.closes = closes;
	c.quiet = nr == SYS_dup || nr == SYS_close || nr == SYS_fcntl; /* the application knows another number */
	if (r >= 0)
		r = shim_result(c.s, shim_call_row(&c, a));
	if (f)
		shim_frame_end(f);
	if (c.closes >= 0)
		fc_call(SYS_close, c.closes); /* it has not come that far */
	return (long)r;
}

long shim_simple(struct shim_process *p, unsigned domain, unsigned nr, long a0, long a1, long a2)
{
	const long a[6] = { a0, a1, a2 };

	return simple(p, domain, nr, a, -1, -1, 0, -1);
}

long shim_close_both(struct shim_process *p, unsigned domain, int number, int placeholder)
{
	const long a[6] = { number };

	return simple(p, domain, SYS_close, a, -1, -1, 0, placeholder);
}

long shim_simple_on(struct shim_process *p, int fd, uint64_t w, unsigned nr, long a1, long a2)
{
	const long a[6] = { shim_fd_number(w), a1, a2 };

	return simple(p, shim_fd_domain(w), nr, a, -1, fd, w, -1);
}

long shim_copy(struct shim_process *p, int fd, uint64_t w, int number)
{
	const long a[6] = { shim_fd_number(w) };

	return simple(p, shim_fd_domain(w), SYS_dup, a, number, fd, w, -1);
}

long shim_install(struct shim_process *p, unsigned domain, int64_t dfd, int placeholder, uint64_t flags)
{
	if (dfd >= FC_DOMAIN_FD_FIRST && dfd < FC_DOMAIN_FD_MAX && placeholder < SHIM_FDS) {
		shim_fd_set(p, placeholder, shim_fd_word(domain, dfd, flags));
		return placeholder;
	}
	shim_file_drop(p, flags);
	shim_fd_give_back(p, placeholder);
	fc_call(SYS_close, placeholder);
	if (dfd < 0)
		return (long)dfd;
	if (dfd >= FC_DOMAIN_FD_FIRST && dfd < FC_DOMAIN_FD_MAX) {
		shim_simple(p, domain, SYS_close, dfd, 0, 0);
		return -EMFILE;
	}
	shim_session_fail(&p->session[domain], "it sent a descriptor that cannot be");
	return -EIO;
}
