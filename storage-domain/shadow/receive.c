/* SPDX-License-Identifier: GPL-2.0-or-later */
/* receive.c - a message with descriptors in a table of its own, see receive.h. */
#define _GNU_SOURCE
#include "storage-domain/shadow/receive.h"

#include <errno.h>
#include <linux/close_range.h>
#include <poll.h>
#include <semaphore.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/rawcall.h"
#include "farcall/abi.h"
#include "storage-domain/fds.h"
#include "storage-domain/shadow/thread.h"

#define TRIES 100 /* when there are no threads to be had: a second */
#define LOOK_S 1  /* for the supervisor */

struct reception {
	struct fc_packet *packet;
	void (*judge)(const struct fc_packet *p);
	int result;
	sem_t done;
};

/* Raw calls, for the thread sanitizer believes that there is one table, in which others use the same numbers. */
int fc_receive_alone(struct fc_packet *p, void (*judge)(const struct fc_packet *p))
{
	int r = fc_control_recv(FC_FD_CLIENT, p, MSG_DONTWAIT);

	if (r < 0)
		return r;
	judge(p);
	for (int i = 0; i < p->nfds; i++) {
		fc_call(SYS_close, p->fd[i]);
		p->fd[i] = -1;
	}
	return r;
}

static int receive(struct reception *r)
{
	/* the domain's own numbers are copied, the client's (there may be a million) are not */
	int n = (int)fc_call(SYS_close_range, FC_DOMAIN_FD_FIRST, ~0u, CLOSE_RANGE_UNSHARE);

	return n < 0 ? n : fc_receive_alone(r->packet, r->judge);
}

static void *receiver(void *arg)
{
	struct reception *r = arg;

	r->result = receive(r);
	sem_post(&r->done);
	return NULL;
}

static bool is_done(struct reception *r)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += LOOK_S;
	return sem_timedwait(&r->done, &until) == 0;
}

static bool is_supervised(void)
{
	struct pollfd link = { .fd = FC_FD_LINK };

	return poll(&link, 1, 0) <= 0;
}

int fc_receive_apart(struct fc_packet *p, void (*judge)(const struct fc_packet *p))
{
	struct reception reception = { .packet = p, .judge = judge };
	int r;

	sem_init(&reception.done, 0, 0);
	for (int i = 0; (r = fc_thread_start(receiver, &reception)) == EAGAIN && i < TRIES; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	if (r)
		return -ENOMEM;
	while (!is_done(&reception))
		if (!is_supervised())
			_exit(1); /* it may never come back, and nobody would end us */
	return reception.result;
}
