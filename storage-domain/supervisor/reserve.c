/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reserve.c - makes shadow processes ahead of need, so that a client need not wait for a fork. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "storage-domain/log.h"
#include "storage-domain/supervisor/nursery.h"
#include "storage-domain/supervisor/supervisor.h"

/* A pidfd of a process whose number is good as long as the other end of `link` is open; or -errno. */
static int pidfd_of(pid_t pid, int link)
{
	struct pollfd end = { .fd = link };
	int fd = pidfd_open(pid, 0);

	if (fd < 0)
		return -errno;
	if (poll(&end, 1, 0) == 0)
		return fd;
	close(fd);
	return -ESRCH;
}

/* Fork one. Returns 0 or -errno. */
static int add(struct fc_supervisor *v)
{
	struct fc_session *s = fc_session_claim(v);
	int pair[2], pidfd, r;
	pid_t pid;

	if (!s)
		return -EAGAIN;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	pid = fc_nursery_fork(v, (unsigned)(s - v->session), pair[1]);
	close(pair[1]);
	pidfd = pid < 0 ? pid : pidfd_of(pid, pair[0]);
	if (pidfd < 0) {
		close(pair[0]);
		return pidfd;
	}
	r = fc_session_open(v, s, pid, pidfd, pair[0]);
	if (r == 0) {
		s->state = FC_SESSION_POOLED;
		v->reserved++;
	}
	return r;
}

static int reserve_add(struct fc_supervisor *v)
{
	int r = add(v);

	return r == -EPIPE ? add(v) : r; /* by another nursery */
}

void fc_reserve_fill(struct fc_supervisor *v)
{
	int r = 0;

	while (!v->stop && r == 0 && v->reserved < FC_RESERVE && v->reserve_retry_ms <= fc_now_ms())
		r = reserve_add(v);
	if (r < 0 && r != -EAGAIN)
		fc_log(FC_LOG_ERROR, "cannot fork a shadow process: %s", strerror(-r));
	if (r < 0)
		v->reserve_retry_ms = fc_now_ms() + 1000;
}

struct fc_session *fc_reserve_take(struct fc_supervisor *v)
{
	if (!v->reserved && reserve_add(v) < 0)
		return NULL;
	for (unsigned i = 0; i < v->used; i++) {
		struct fc_session *s = &v->session[i];

		if (s->state != FC_SESSION_POOLED)
			continue;
		v->reserved--;
		s->state = FC_SESSION_LIVE;
		return s;
	}
	return NULL;
}
