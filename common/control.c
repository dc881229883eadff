/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* control.c - framing of control messages, see control.h. */
#define _GNU_SOURCE
#include "common/control.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "common/rawcall.h"

/* How a user namespace shows everybody it has no number for, oneself included: nobody is known by it */
#define OVERFLOW_UID 65534

static void copy(void *to, const void *from, size_t n)
{
	char *t = to;
	const char *f = from;

	while (n--)
		*t++ = *f++;
}

static void zero(void *to, size_t n)
{
	volatile char *t = to; /* volatile: or the compiler calls memset, which uses SIMD registers */

	while (n--)
		*t++ = 0;
}

int fc_control_connect_socket(int fd, const char *path)
{
	struct timeval limit = { 10, 0 }; /* a stopped peer with a full backlog */
	struct sockaddr_un sa;
	size_t n = 0;

	while (path[n])
		n++;
	if (n >= sizeof sa.sun_path)
		return -ENAMETOOLONG;
	zero(&sa, sizeof sa);
	sa.sun_family = AF_UNIX;
	copy(sa.sun_path, path, n + 1);
	fc_call(SYS_setsockopt, fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	long r;
	do
		r = fc_call(SYS_connect, fd, &sa, offsetof(struct sockaddr_un, sun_path) + n + 1);
	while (r == -EINTR);
	return (int)r;
}

int fc_control_connect(const char *path)
{
	long fd = fc_call(SYS_socket, AF_UNIX, FC_CONTROL_SOCKET, 0);
	int r = fd < 0 ? (int)fd : fc_control_connect_socket((int)fd, path);

	if (fd >= 0 && r < 0)
		fc_call(SYS_close, fd);
	return r < 0 ? r : (int)fd;
}

bool fc_control_trusted(int sock, unsigned *uid)
{
	struct ucred peer;
	socklen_t size = sizeof peer;
	unsigned real, effective, saved;

	*uid = ~0u;
	if (fc_call(SYS_getsockopt, sock, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 ||
	    fc_call(SYS_getresuid, &real, &effective, &saved) < 0)
		return false;
	*uid = peer.uid;
	return peer.uid == 0 ||
	       (peer.uid != OVERFLOW_UID && peer.uid == real && peer.uid == effective && peer.uid == saved);
}

int fc_control_send(int sock, struct fc_msg *head, const char *text, const int *fds, int nfds, int flags)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * FC_MSG_FDS)];
	} ctl;
	struct iovec iov[2] = { { head, sizeof *head }, { (char *)text, head->size } };
	struct msghdr m = { 0 };

	if (head->size > FC_MSG_TEXT || nfds > FC_MSG_FDS)
		return -EMSGSIZE;
	head->magic = FC_MSG_MAGIC;
	m.msg_iov = iov;
	m.msg_iovlen = head->size ? 2 : 1;
	if (nfds > 0) {
		zero(&ctl, sizeof ctl);
		m.msg_control = &ctl;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		copy(CMSG_DATA(c), fds, sizeof(int) * nfds);
	}
	long r;
	do
		r = fc_call(SYS_sendmsg, sock, &m, flags | MSG_NOSIGNAL);
	while (r == -EINTR);
	if (r == -ECONNRESET)
		r = -EPIPE;
	return r < 0 ? (int)r : 0;
}

/* Returns false if there are more than a message may carry: the surplus is closed. */
static bool take_fds(struct fc_packet *p, const struct cmsghdr *c)
{
	int n = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	const char *data = (const char *)CMSG_DATA(c);
	bool fit = true;

	for (int i = 0; i < n; i++) {
		int fd;

		copy(&fd, data + i * sizeof(int), sizeof fd);
		if (p->nfds < FC_MSG_FDS) {
			p->fd[p->nfds++] = fd;
			continue;
		}
		fc_call(SYS_close, fd);
		fit = false;
	}
	return fit;
}

static long receive(int sock, struct msghdr *m, int flags)
{
	return fc_call(SYS_recvmsg, sock, m, flags);
}

int fc_control_recv(int sock, struct fc_packet *p, int flags)
{
	return fc_control_recv_by(receive, sock, p, flags);
}

int fc_control_recv_by(fc_control_receiver *receiver, int sock, struct fc_packet *p, int flags)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * FC_MSG_FDS) + CMSG_SPACE(sizeof(struct ucred))];
	} ctl;
	struct iovec iov[2] = { { &p->head, sizeof p->head }, { p->text, FC_MSG_TEXT } };
	struct msghdr m = { 0 };
	bool fit = true;

	p->nfds = 0;
	p->has_sender = false;
	p->head.size = 0;
	m.msg_iov = iov;
	m.msg_iovlen = 2;
	m.msg_control = &ctl;
	m.msg_controllen = sizeof ctl;
	long r;
	do
		r = receiver(sock, &m, flags | MSG_CMSG_CLOEXEC);
	while (r == -EINTR);
	if (r < 0)
		return r == -ECONNRESET ? -EPIPE : (int)r;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_RIGHTS)
			fit = take_fds(p, c) && fit;
		if (c->cmsg_type == SCM_CREDENTIALS) {
			copy(&p->sender, CMSG_DATA(c), sizeof p->sender);
			p->has_sender = true;
		}
	}
	if (r == 0) {
		fc_packet_drop(p);
		return -EPIPE; /* a message is never empty */
	}
	if (!fit || (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || (size_t)r < sizeof p->head ||
	    p->head.magic != FC_MSG_MAGIC || (size_t)r != sizeof p->head + p->head.size) {
		fc_packet_drop(p);
		return -EPROTO;
	}
	p->text[p->head.size] = 0;
	return 0;
}

int fc_control_peek(int sock, bool *brings)
{
	/* room for the sender's identity, which comes first, and for nothing else: what does not fit is left where it is */
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
	} ctl;
	char byte;
	struct iovec iov = { &byte, sizeof byte };
	struct msghdr m = { 0 };
	long r;

	m.msg_iov = &iov;
	m.msg_iovlen = 1;
	m.msg_control = &ctl;
	m.msg_controllen = sizeof ctl;
	do
		r = fc_call(SYS_recvmsg, sock, &m, MSG_PEEK | MSG_DONTWAIT);
	while (r == -EINTR);
	*brings = m.msg_flags & MSG_CTRUNC;
	if (r < 0)
		return r == -ECONNRESET ? -EPIPE : (int)r;
	return r == 0 && !m.msg_controllen ? -EPIPE : 0;
}

int fc_control_ask(int sock, struct fc_msg *head, const char *text, const int *fds, int nfds, struct fc_packet *answer)
{
	int r = fc_control_send(sock, head, text, fds, nfds, 0);

	answer->nfds = 0;
	if (r < 0)
		return r;
	r = fc_control_recv(sock, answer, 0);
	if (r < 0)
		return r;
	if (answer->head.type != head->type) {
		fc_packet_drop(answer);
		return -EPROTO;
	}
	return answer->head.status > 0 || answer->head.status < -4095 ? -EPROTO : answer->head.status;
}

void fc_packet_drop(struct fc_packet *p)
{
	for (int i = 0; i < p->nfds; i++)
		if (p->fd[i] >= 0)
			fc_call(SYS_close, p->fd[i]);
	p->nfds = 0;
}
