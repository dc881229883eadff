/* SPDX-License-Identifier: GPL-2.0-or-later */
/* client.c - clients that do not trust their luck, see attack.h: every wait ends, and no answer ends the program. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/doorbell.h"
#include "common/queue.h"
#include "tests/attack/attack.h"

#define WAIT_MS 10000

int attack_connect(void)
{
	struct timeval limit = { WAIT_MS / 1000, 0 };
	int sock = fc_control_connect(attack_domain.socket);

	if (sock >= 0)
		setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	return sock;
}

int attack_ask(int sock, unsigned type, uint64_t a, uint64_t b, const int *fds, int nfds, struct fc_packet *answer)
{
	struct fc_msg m = { .type = type, .serial = 5, .arg = { a, b, -1ull, -1ull } };
	double began = attack_now();
	struct fc_packet own;
	int r = fc_control_ask(sock, &m, NULL, fds, nfds, answer ? answer : &own);

	if (r == 0 && !answer)
		fc_packet_drop(&own);
	return r == -EAGAIN && attack_now() - began > WAIT_MS / 1000.0 - 1 ? -ETIMEDOUT : r;
}

int attack_send(int sock, const void *bytes, size_t size, const int *fds, int nfds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(250 * sizeof(int))];
	} control;
	struct iovec iov = { (void *)bytes, size };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (nfds) {
		h.msg_control = &control;
		h.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		control.align = (struct cmsghdr){ .cmsg_len = CMSG_LEN(nfds * sizeof(int)),
						  .cmsg_level = SOL_SOCKET,
						  .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.align), fds, nfds * sizeof(int));
	}
	return sendmsg(sock, &h, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int attack_tell(int sock, unsigned type, uint64_t a, uint64_t b, const int *fds, int nfds)
{
	struct fc_msg m = { .magic = FC_MSG_MAGIC, .type = type, .serial = 6, .arg = { a, b } };

	return attack_send(sock, &m, sizeof m, fds, nfds);
}

/* ---- sessions ---- */

int attack_attach(struct session *s)
{
	struct fc_packet p;
	int r;

	memset(s, 0, sizeof *s);
	s->sock = attack_connect();
	if (s->sock < 0)
		return s->sock;
	r = attack_ask(s->sock, FC_MSG_ATTACH, 022, -1ull, NULL, 0, &p);
	if (r < 0) {
		close(s->sock);
		return r;
	}
	s->token[0] = p.head.arg[0];
	s->token[1] = p.head.arg[1];
	s->id = p.head.arg[2];
	fc_packet_drop(&p);
	return 0;
}

int attack_open(struct session *s)
{
	int r = attack_attach(s);

	if (r < 0)
		return r;
	r = session_areas(s);
	if (r < 0)
		session_close(s);
	return r;
}

int attack_fork(struct session *parent, struct session *child)
{
	struct timeval limit = { WAIT_MS / 1000, 0 };
	struct fc_packet p;
	int r = attack_ask(parent->sock, FC_MSG_FORK, 0, 0, NULL, 0, &p);

	if (r < 0)
		return r;
	if (p.nfds != 1) {
		fc_packet_drop(&p);
		return -EPROTO;
	}
	memset(child, 0, sizeof *child);
	child->sock = p.fd[0];
	child->token[0] = p.head.arg[0];
	child->token[1] = p.head.arg[1];
	child->id = p.head.arg[2];
	setsockopt(child->sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	return 0;
}

/* ---- requests ---- */

bool attack_lost(const struct session *s)
{
	struct pollfd p = { .fd = s->sock };

	return __atomic_load_n(&s->area->header.poisoned, __ATOMIC_RELAXED) ||
	       (poll(&p, 1, 0) == 1 && (p.revents & POLLHUP));
}

void attack_post(struct session *s, unsigned entry, unsigned nr, const uint64_t arg[6])
{
	struct fc_entry *e = &s->area->entry[entry];

	e->nr = (uint16_t)nr;
	e->flags = 0;
	e->nonce++;
	memcpy(e->arg, arg, sizeof e->arg);
	__atomic_store_n(&e->state, FC_QUEUED, __ATOMIC_RELEASE);
	if (fc_queue_enqueue(&s->area->queue, entry))
		return; /* the domain is no help with a queue that it has broken: the result says so */
	if (fc_bell_needed(&s->area->header, FC_ENTRIES))
		fc_bell_ring(&fc_bell_local, &s->area->header);
}

static uint64_t clock_ns(void)
{
	return (uint64_t)(attack_now() * 1e9);
}

int64_t attack_result(struct session *s, unsigned entry, int ms)
{
	struct fc_entry *e = &s->area->entry[entry];
	uint64_t end = clock_ns() + ms * 1000000ull;

	while (__atomic_load_n(&e->state, __ATOMIC_ACQUIRE) != FC_DONE) {
		uint64_t now = clock_ns(), look = now + 10 * FC_NUDGE_NS;

		if (now >= end || attack_lost(s))
			return ATTACK_LOST;
		if (fc_entry_sleep(&fc_bell_local, e, look < end ? look : end) == -ETIMEDOUT)
			fc_bell_nudge(&fc_bell_local, s->area);
	}
	return e->result;
}

int64_t attack_call(struct session *s, unsigned nr, const uint64_t arg[6])
{
	attack_post(s, 0, nr, arg);
	return attack_result(s, 0, WAIT_MS);
}

int64_t attack_open_file(struct session *s, const char *path, int flags, int mode)
{
	return ATTEMPT(s, SYS_openat, (uint64_t)AT_FDCWD, session_put(s, 0, path), flags, mode);
}

/* ---- descriptors ---- */

void attack_pass(int sock, int fd)
{
	CHECK_IS(attack_send(sock, "", 1, &fd, 1), 0);
}

int attack_take(int sock)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr h = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
	};
	int fd;

	CHECK_IS(recvmsg(sock, &h, MSG_CMSG_CLOEXEC), 1);
	CHECK(h.msg_controllen && control.align.cmsg_type == SCM_RIGHTS);
	memcpy(&fd, CMSG_DATA(&control.align), sizeof fd);
	return fd;
}
