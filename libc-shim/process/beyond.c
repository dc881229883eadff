/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * beyond.c - system calls that the shim makes for itself where the application's limits must not hold: RLIMIT_NOFILE (its own
 * descriptors may come on top of all that the application may have) and RLIMIT_FSIZE (its memory is a file, but not one of the
 * application's). Which calls these are is their callers' business.
 *
 * A limit is the process', and the application may ask for it at any time. So it is lifted in a process of its own that shares
 * memory and descriptors, and nothing else, with the caller, who waits for it; or in place, if there is no other thread to notice.
 *
 * A hard limit that may not be raised leaves no numbers beyond it. Then a few are kept, by descriptors that are good for nothing
 * (spares), and given up while the call is made.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "common/atomic.h"
#include "common/beside.h"
#include "common/rawcall.h"
#include "libc-shim/lock.h"
#include "libc-shim/process/beyond.h"
#include "libc-shim/process/process.h"
#include "libc-shim/shim.h"

#define MORE 64 /* descriptors */

/* ---- limits ---- */

/* Set a soft limit to at least `want`, as far as that may be. False: it is what it was. */
static bool lift(int resource, uint64_t want, struct rlimit64 *old)
{
	struct rlimit64 lifted;

	if (fc_call(SYS_prlimit64, 0, resource, 0, old) < 0 || old->rlim_cur >= want)
		return false;
	lifted = (struct rlimit64){ want, want > old->rlim_max ? want : old->rlim_max };
	if (fc_call(SYS_prlimit64, 0, resource, &lifted, 0) == 0)
		return true;
	lifted.rlim_cur = lifted.rlim_max = old->rlim_max;
	return old->rlim_cur < old->rlim_max && fc_call(SYS_prlimit64, 0, resource, &lifted, 0) == 0;
}

static bool lift_descriptors(struct rlimit64 *old)
{
	if (fc_call(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, old) < 0)
		return false;
	return lift(RLIMIT_NOFILE, old->rlim_cur + MORE, old);
}

struct job {
	long nr;
	const long *a;
	long result;
};

static long call(const struct job *j)
{
	return fc_call(j->nr, j->a[0], j->a[1], j->a[2], j->a[3], j->a[4], j->a[5]);
}

static long call_in_place(const struct job *j)
{
	struct rlimit64 old, now;
	bool size = j->nr == SYS_ftruncate;
	int resource = size ? RLIMIT_FSIZE : RLIMIT_NOFILE;
	bool lifted = size ? lift(RLIMIT_FSIZE, RLIM64_INFINITY, &old) : lift_descriptors(&old);
	long r;

	/* one that is too large still would have a SIGXFSZ wait for the application */
	if (size && fc_call(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, &now) == 0 && now.rlim_cur < (uint64_t)j->a[1])
		r = -EFBIG;
	else
		r = call(j);
	if (lifted)
		fc_call(SYS_prlimit64, 0, resource, &old, 0);
	return r;
}

/* ---- the process beside ---- */

static void beside(void *arg)
{
	struct job *j = arg;

	j->result = call_in_place(j);
}

static long call_beside(struct job *j)
{
	int r;

	j->result = -EAGAIN; /* whoever kills it */
	r = fc_beside(beside, j, CLONE_FILES);
	return r < 0 ? r : j->result;
}

/* Is this the only thread? What there is nothing of to unshare is unshared. */
static bool alone(void)
{
	return fc_call(SYS_unshare, CLONE_THREAD) == 0;
}

/* ---- spares ---- */

static int spares_wanted(const struct shim_process *p)
{
	struct rlimit64 limit = { RLIM64_INFINITY, RLIM64_INFINITY };
	int n = 2; /* what a message brings, or takes */

	fc_call(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, &limit);
	/* connections to come; and those that are beyond, in place of which a child may have to have its own here */
	for (unsigned d = 0; d < shim.config.ndomains; d++)
		n += p->session[d].sock < 0 || (uint64_t)p->session[d].sock >= limit.rlim_cur;
	return n;
}

/* A number near the end of what there is, as the application counts from the beginning. */
static int spare_make(const struct shim_process *p)
{
	long fd = fc_call(SYS_fcntl, p->placeholder, F_DUPFD_CLOEXEC, shim.hidden_base);

	return (int)(fd < 0 ? fc_call(SYS_fcntl, p->placeholder, F_DUPFD_CLOEXEC, 3) : fd);
}

static void spare_give(struct shim_process *p, int i)
{
	int fd = fc_xchg(&p->spare[i], -1);

	if (fd >= 0)
		shim_hidden_close(p, fd);
}

static void spares_fill(struct shim_process *p)
{
	int n = p->bounded ? spares_wanted(p) : 0, fd;

	for (int i = 0; i < SHIM_SPARES; i++)
		if (i >= n)
			spare_give(p, i);
		else if (fc_load(&p->spare[i]) < 0 && (fd = spare_make(p)) >= 0)
			p->spare[i] = shim_hidden_add(p, fd);
}

static void spares_give(struct shim_process *p)
{
	for (int i = 0; i < SHIM_SPARES; i++)
		spare_give(p, i);
}

/* ---- calls ---- */

long shim_beyond(struct shim_process *p, long nr, const long a[6])
{
	struct job j = { .nr = nr, .a = a };
	struct shim_lock_state saved;
	long r;

	shim_lock(&p->beyond, &saved);
	if (nr != SYS_ftruncate)
		spares_give(p);
	r = alone() ? call_in_place(&j) : call_beside(&j);
	spares_fill(p);
	shim_unlock(&p->beyond, &saved);
	return r;
}

long shim_make_fd(struct shim_process *p, long nr, long a0, long a1, long a2, long a3)
{
	const long a[6] = { a0, a1, a2, a3 };
	long r = fc_call(nr, a0, a1, a2, a3);

	return r == -EMFILE || (r == -EINVAL && nr == SYS_fcntl) ? shim_beyond(p, nr, a) : r;
}

void shim_spares_fit(struct shim_process *p)
{
	struct shim_lock_state saved;

	if (!p->bounded)
		return;
	shim_lock(&p->beyond, &saved);
	spares_fill(p);
	shim_unlock(&p->beyond, &saved);
}

/* In one step, if its number is to be kept: else another thread could have it first. */
static bool make_spare_of(struct shim_process *p, int fd)
{
	for (int i = 0, n = spares_wanted(p); i < n && i < SHIM_SPARES; i++) {
		if (fc_load(&p->spare[i]) >= 0)
			continue;
		if (fc_call(SYS_dup3, p->placeholder, fd, O_CLOEXEC) < 0)
			return false;
		p->spare[i] = shim_hidden_add(p, fd);
		return true;
	}
	return false;
}

void shim_done_with(struct shim_process *p, int fd)
{
	struct shim_lock_state saved;

	if (fd < 0)
		return;
	if (likely(!p->bounded)) {
		fc_call(SYS_close, fd);
		return;
	}
	shim_lock(&p->beyond, &saved);
	if (!make_spare_of(p, fd))
		fc_call(SYS_close, fd);
	shim_unlock(&p->beyond, &saved);
}

void shim_numbers_begin(struct shim_process *p, struct shim_numbers *n)
{
	struct rlimit64 old = { 0, 0 };

	spares_give(p);
	n->lifted = lift_descriptors(&old);
	n->limit[0] = old.rlim_cur;
	n->limit[1] = old.rlim_max;
}

void shim_numbers_end(struct shim_process *p, const struct shim_numbers *n)
{
	const struct rlimit64 old = { n->limit[0], n->limit[1] };

	if (n->lifted)
		fc_call(SYS_prlimit64, 0, RLIMIT_NOFILE, &old, 0);
	spares_fill(p);
}

void shim_limits_look(struct shim_process *p)
{
	struct shim_lock_state saved;
	struct rlimit64 limit;
	long a[6] = { p->placeholder, F_DUPFD_CLOEXEC }, fd;

	if (fc_call(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, &limit) < 0)
		return;
	a[2] = (long)limit.rlim_cur;
	fd = shim_beyond(p, SYS_fcntl, a);
	if (fd >= 0)
		fc_call(SYS_close, fd);
	shim_lock(&p->beyond, &saved);
	p->bounded = fd < 0;
	spares_fill(p);
	shim_unlock(&p->beyond, &saved);
}

long shim_set_size(struct shim_process *p, int fd, size_t size)
{
	const long a[6] = { fd, (long)size };
	struct rlimit64 limit;

	if (fc_call(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, &limit) == 0 && limit.rlim_cur < size)
		return shim_beyond(p, SYS_ftruncate, a);
	return fc_call(SYS_ftruncate, fd, size);
}
