/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* control.c - control messages as datagrams with descriptors and credentials, see control.h. */
#define _GNU_SOURCE
#include "common/control.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "common/rawcall.h"

/* Linux never delivers more than this many descriptors in one message (SCM_MAX_FD); room for all of them means
 * that none is cut off unseen, and every one that came can be closed. */
#define FC_SCM_FDS 253

union fc_control_send {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(FC_MSG_FDS * sizeof(int))];
};

union fc_control_recv {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(FC_SCM_FDS * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
};

int fc_msg_send(int sock, const struct fc_msg *m, const void *text, const int *fd, unsigned fds, int flags)
{
	struct fc_msg copy = *m;
	union fc_control_send control;
	struct iovec iov[2] = { { &copy, sizeof copy }, { (void *)text, m->size } };
	struct msghdr h = { .msg_iov = iov, .msg_iovlen = m->size ? 2 : 1 };
	long r;

	copy.magic = FC_MSG_MAGIC;
	if (fds > FC_MSG_FDS)
		return -EINVAL;
	if (fds) {
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(fds * sizeof(int));
		memcpy(CMSG_DATA(&control.align), fd, fds * sizeof(int));
		h.msg_control = &control;
		h.msg_controllen = CMSG_SPACE(fds * sizeof(int));
	}
	r = fc_call(SYS_sendmsg, sock, &h, flags | MSG_NOSIGNAL);
	return r < 0 ? (int)r : 0;
}

static void take_fds(struct fc_msg_in *in, const struct cmsghdr *c, bool *broken)
{
	size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

	for (size_t i = 0; i < count; i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
		if (in->fds < FC_MSG_FDS) {
			in->fd[in->fds++] = fd;
			continue;
		}
		fc_call(SYS_close, fd);
		*broken = true;
	}
}

static void take_control(struct fc_msg_in *in, struct msghdr *h, bool *broken)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_RIGHTS)
			take_fds(in, c, broken);
		if (c->cmsg_type == SCM_CREDENTIALS) {
			struct ucred u;

			memcpy(&u, CMSG_DATA(c), sizeof u);
			in->pid = u.pid;
			in->uid = u.uid;
			in->gid = u.gid;
		}
	}
}

int fc_msg_recv(int sock, struct fc_msg_in *in, void *text, unsigned room, int flags)
{
	union fc_control_recv control;
	struct iovec iov[2] = { { &in->m, sizeof in->m }, { text, room } };
	struct msghdr h = { .msg_iov = iov, .msg_iovlen = 2, .msg_control = &control, .msg_controllen = sizeof control };
	bool broken = false;
	long r;

	in->fds = 0;
	in->pid = 0;
	in->uid = (uid_t)-1;
	in->gid = (gid_t)-1;
	for (unsigned i = 0; i < FC_MSG_FDS; i++)
		in->fd[i] = -1;
	r = fc_call(SYS_recvmsg, sock, &h, flags | MSG_CMSG_CLOEXEC);
	if (r < 0)
		return r == -ECONNRESET ? -EPIPE : (int)r;
	take_control(in, &h, &broken);
	if (r == 0) {
		fc_msg_drop(in);
		return -EPIPE;
	}
	if (broken || h.msg_flags & (MSG_TRUNC | MSG_CTRUNC) || r < (long)sizeof in->m || in->m.magic != FC_MSG_MAGIC ||
	    r != (long)sizeof in->m + in->m.size) {
		fc_msg_drop(in);
		return -EPROTO;
	}
	return 0;
}

void fc_msg_drop(struct fc_msg_in *in)
{
	for (unsigned i = 0; i < in->fds; i++) {
		if (in->fd[i] >= 0)
			fc_call(SYS_close, in->fd[i]);
		in->fd[i] = -1;
	}
	in->fds = 0;
}

int fc_msg_call(int sock, const struct fc_msg *m, const void *text, const int *fd, unsigned fds, struct fc_msg_in *in,
		void *answer, unsigned room)
{
	int r;

	do
		r = fc_msg_send(sock, m, text, fd, fds, 0);
	while (r == -EINTR);
	if (r < 0)
		return r;
	for (;;) {
		r = fc_msg_recv(sock, in, answer, room, 0);
		if (r == -EINTR)
			continue;
		if (r < 0)
			return r;
		if (in->m.serial == m->serial)
			return 0;
		fc_msg_drop(in);
	}
}
