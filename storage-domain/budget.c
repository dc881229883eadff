/* SPDX-License-Identifier: GPL-2.0-or-later */
/* budget.c - who may have how much, see budget.h. */
#define _GNU_SOURCE
#include "storage-domain/budget.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include "common/atomic.h"
#include "common/rawcall.h"
#include "storage-domain/roster.h"
#include "storage-domain/table.h"

struct count {
	uint64_t all, mine;
};

/* What all sessions hold of it now, and what those of `owner` do. */
static struct count count(const struct fc_domain_shared *d, uint32_t owner, enum fc_good good)
{
	uint32_t used = fc_load(&d->used);
	struct count c = { 0 };

	for (uint32_t i = 0; i < used && i < FC_SESSIONS_MAX; i++) {
		uint64_t held = fc_load(&d->slot[i].held[good]);

		c.all += held;
		if (fc_load(&d->slot[i].owner) == owner)
			c.mine += held;
	}
	return c;
}

/* The rule. */
static bool within(const struct fc_domain_shared *d, enum fc_good good, struct count c)
{
	return c.all <= d->capacity.of[good] && c.mine <= d->capacity.of[good] - c.all;
}

bool fc_budget_fits(const struct fc_domain_shared *d, uint32_t owner, enum fc_good good, uint64_t more)
{
	struct count c = count(d, owner, good);

	c.all += more;
	c.mine += more;
	return within(d, good, c);
}

bool fc_budget_take(const struct fc_domain_shared *d, struct fc_roster_slot *slot, enum fc_good good, uint64_t n)
{
	struct count c;

	/* taken first, then looked at: two who take at once may both be refused, but not both be served */
	fc_faa(&slot->held[good], n);
	c = count(d, fc_load(&slot->owner), good);
	if (within(d, good, c) && (good != FC_TASKS || c.mine <= fc_load(&slot->tasks_max)))
		return true;
	fc_budget_give(slot, good, n);
	return false;
}

void fc_budget_give(struct fc_roster_slot *slot, enum fc_good good, uint64_t n)
{
	fc_faa(&slot->held[good], -n);
}

/* 0: none. Its size is what it was made with: no client can change it (exec/fcntl.c). */
static uint64_t pipe_size(int fd)
{
	int64_t size = fc_call(SYS_fcntl, fd, F_GETPIPE_SZ);

	return size > 0 ? (uint64_t)size : 0;
}

int64_t fc_budget_pipe(struct fc_shadow *s, int fd)
{
	uint64_t bytes = pipe_size(fd);

	if (!bytes)
		return 0;
	if (!fc_budget_take(s->shared, s->slot, FC_BYTES, bytes))
		return -1;
	fc_faa(&s->slot->pipe_bytes, bytes);
	return (int64_t)bytes;
}

int64_t fc_budget_close(struct fc_shadow *s, int fd)
{
	uint64_t bytes;
	int64_t r;

	if (!fc_load(&s->slot->pipe_bytes))
		return fc_call(SYS_close, fd);
	/* or two closes of the same number might give back one pipe twice, the number being something else's in between */
	pthread_mutex_lock(&s->pipe_lock);
	bytes = pipe_size(fd);
	r = fc_call(SYS_close, fd);
	if (bytes && (r == 0 || r == -EINTR)) {
		fc_faa(&s->slot->pipe_bytes, -bytes);
		fc_budget_give(s->slot, FC_BYTES, bytes);
	}
	pthread_mutex_unlock(&s->pipe_lock);
	return r;
}

bool fc_budget_descriptor(struct fc_shadow *s, int fd)
{
	const uint32_t most = fc_load(&s->slot->descriptors_max);
	uint32_t end = fc_load(&s->descriptors_end);

	if (fd < FC_DOMAIN_FD_FIRST || (uint32_t)fd >= most)
		return false;
	for (; (uint32_t)fd >= end; end = fc_load(&s->descriptors_end)) {
		uint32_t next = most - end > FC_FILES_STEP ? end + FC_FILES_STEP : most;

		if (!fc_budget_take(s->shared, s->slot, FC_FILES, FC_FILES_STEP))
			return false;
		if (!fc_cas(&s->descriptors_end, end, next)) /* another worker has done it */
			fc_budget_give(s->slot, FC_FILES, FC_FILES_STEP);
	}
	return true;
}

bool fc_budget_number(struct fc_shadow *s, int64_t fd)
{
	uint32_t top = fc_load(&s->descriptors_top);

	if (fd < FC_DOMAIN_FD_FIRST ||
	    (fd >= (int64_t)fc_load(&s->descriptors_end) && !fc_budget_descriptor(s, (int)fd)))
		return false;
	fc_table_note(s, fd);
	while (fd >= (int64_t)top && !fc_cas(&s->descriptors_top, top, (uint32_t)fd + 1))
		top = fc_load(&s->descriptors_top);
	return true;
}
