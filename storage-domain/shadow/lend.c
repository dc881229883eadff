/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lend.c - memory for a client that cannot make it: its hard RLIMIT_FSIZE is lower than its areas are long. A memfd of that length is made
 * here, and passed to it, empty. It is the client's from then on: its pages are whose who touches them, and when it comes back with AREAS or
 * GROW it is judged like any other (memory_local.c).
 *
 * It is made in a process beside, which has limits and descriptors of its own: this process' file size limit is its client's, which a
 * worker may be writing up to now; and a worker could put something else under the descriptor's number before it is sent.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/memfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "common/beside.h"
#include "common/rawcall.h"
#include "storage-domain/fds.h"
#include "storage-domain/shadow/shadow_main.h"

struct loan {
	const struct fc_packet *request;
	int result; /* of the making */
	int sent;   /* of the answer, if that was made */
};

/* Returns a descriptor or -errno. Nothing that a client limits applies: neither its number of descriptors nor its file size. */
static int make(uint64_t size)
{
	struct rlimit64 limit;
	long fd, r;

	fc_call(SYS_close_range, FC_DOMAIN_FD_FIRST, ~0u, 0);
	if (fc_call(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, &limit) < 0)
		return -EFBIG;
	limit.rlim_cur = limit.rlim_max;
	if (limit.rlim_cur < size || fc_call(SYS_prlimit64, 0, RLIMIT_FSIZE, &limit, 0) < 0)
		return -EFBIG;
	fd = fc_call(SYS_memfd_create, "farcall-lent", FC_LEND_FLAGS);
	r = fd < 0 ? fd : fc_call(SYS_ftruncate, fd, size);
	return r < 0 ? (int)r : (int)fd;
}

static void lend(void *arg)
{
	struct loan *l = arg;
	struct fc_msg m = { .type = FC_MSG_MEMORY, .serial = l->request->head.serial };
	int fd = make(l->request->head.arg[0]);

	l->result = fd < 0 ? fd : 0;
	if (fd >= 0)
		l->sent = fc_control_send(FC_FD_CLIENT, &m, NULL, &fd, 1, MSG_DONTWAIT);
}

void fc_lend(struct fc_shadow *s, const struct fc_packet *request)
{
	struct loan l = { .request = request, .result = -EAGAIN };
	uint64_t size = request->head.arg[0];
	int r = size && size <= FC_DATA_MAX ? fc_beside(lend, &l, 0) : -EINVAL;

	if (r == 0)
		r = l.result;
	if (r == 0 && l.sent == -EAGAIN)
		fc_shadow_poison(s, "it does not take its answers");
	if (r < 0 || l.sent < 0)
		fc_shadow_answer(s, request, r < 0 ? r : -ENOMEM, NULL, -1);
}
