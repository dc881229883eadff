/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reserve.c - makes shadow processes ahead of need, so that a client need not wait for a fork. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "storage-domain/log.h"
#include "storage-domain/supervisor/oom.h"
#include "storage-domain/shadow/shadow_main.h"
#include "storage-domain/supervisor/supervisor.h"

/* Fork one. Returns 0 or -errno. */
static int reserve_add(struct fc_supervisor *v)
{
	struct fc_session *s = fc_session_claim(v);
	pid_t supervisor = getpid(), pid;
	int pair[2], pidfd, r;

	if (!s)
		return -EAGAIN;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	fc_oom_before_fork();
	pid = fork();
	if (pid == 0)
		fc_shadow_main(&v->exports, v->transport, v->shared, v->clerk, s - v->session, pair[1], supervisor);
	r = -errno;
	fc_oom_after_fork();
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return r;
	}
	/* the number is our child's until we have waited for it */
	pidfd = pidfd_open(pid, 0);
	if (pidfd < 0) {
		r = -errno;
		close(pair[0]);
		return r;
	}
	r = fc_session_open(v, s, pid, pidfd, pair[0]);
	if (r == 0) {
		s->state = FC_SESSION_POOLED;
		v->reserved++;
	}
	return r;
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
