/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pass.c - tickets for files that are under way from one client to another: see shadow/pass.c. A ticket is one end of a pair of sockets. As
 * long as anybody has it, or it is in a message, we have the other end and the file; when the last is closed we are told, and let go of both.
 * Nothing is ever read from our end.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "storage-domain/shadow/link.h"
#include "storage-domain/supervisor/supervisor.h"

static void let_go(struct fc_supervisor *v, struct fc_ticket *t)
{
	fc_watch_close(v, &t->end);
	close(t->file);
	t->used = false;
}

static void ended(struct fc_supervisor *v, struct fc_watch *w, uint32_t events)
{
	if (events & (EPOLLHUP | EPOLLERR))
		let_go(v, fc_owner(w, struct fc_ticket, end));
}

/* A free place, if this user may have one more: only while it has no more than is then left for everybody. */
static struct fc_ticket *place(struct fc_supervisor *v, uid_t payer)
{
	struct fc_ticket *free = NULL;
	unsigned left = 0, mine = 0;

	for (unsigned i = 0; i < FC_TICKETS_MAX; i++) {
		left += !v->ticket[i].used;
		mine += v->ticket[i].used && v->ticket[i].payer == payer;
		if (!v->ticket[i].used)
			free = &v->ticket[i];
	}
	return mine < left ? free : NULL;
}

/* The shadow has looked, too, but may have been broken into. */
static bool is_passable(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	struct statx st;

	if (flags < 0 || flags & O_PATH)
		return flags >= 0;
	return !statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) && S_ISDIR(st.stx_mode);
}

/* What a receiver knows a ticket by, to ask about it. It proves nothing. */
static int name_end(int sock)
{
	static unsigned number;
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int n = snprintf(un.sun_path + 1, sizeof un.sun_path - 1, FC_TICKET_PREFIX "%d.%u", getpid(), number++);

	return bind(sock, (struct sockaddr *)&un, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n));
}

static int know(struct fc_ticket *t, int sock)
{
	socklen_t size = sizeof t->cookie;
	struct statx st;

	if (getsockopt(sock, SOL_SOCKET, SO_COOKIE, &t->cookie, &size) ||
	    statx(sock, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &st))
		return -1;
	t->ino = st.stx_ino;
	return 0;
}

/* Nobody can write to our end: the only event is the last one's end. */
static int watch(struct fc_supervisor *v, struct fc_ticket *t, int end)
{
	struct epoll_event e = { .data.ptr = &t->end };

	if (fc_watch_add(v, &t->end, end, ended))
		return -1;
	if (!epoll_ctl(v->epoll, EPOLL_CTL_MOD, end, &e))
		return 0;
	fc_watch_take(v, &t->end);
	return -1;
}

/* Make a ticket for a file, which it takes over if all goes well. Returns the end to send, or -errno. */
static int make(struct fc_supervisor *v, uid_t payer, int file)
{
	struct fc_ticket *t = place(v, payer);
	int pair[2];

	if (!t)
		return -ETOOMANYREFS;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
		return -ENFILE;
	if (name_end(pair[0]) || shutdown(pair[1], SHUT_WR) || know(t, pair[1]) || watch(v, t, pair[0])) {
		close(pair[0]);
		close(pair[1]);
		return -ENFILE;
	}
	t->file = file;
	t->payer = payer;
	t->used = true;
	return pair[1];
}

static void answer(struct fc_supervisor *v, struct fc_session *s, struct fc_msg *m, int fd)
{
	if (fc_control_send(s->link.fd, m, NULL, &fd, fd >= 0, MSG_DONTWAIT) < 0)
		fc_session_kill(v, s);
}

void fc_pass_asked(struct fc_supervisor *v, struct fc_session *s, struct fc_packet *p)
{
	struct fc_msg m = { .type = FC_LINK_PASS, .serial = p->head.serial };
	const uint64_t to = p->head.arg[0];
	int end = -EOPNOTSUPP;

	if (to && to <= INT32_MAX && ((pid_t)to == s->client_pid || fc_other_client(v, (pid_t)to)) &&
	    is_passable(p->fd[0]))
		end = make(v, s->payer, p->fd[0]);
	m.status = end < 0 ? end : 0;
	answer(v, s, &m, end < 0 ? -1 : end);
	if (end < 0)
		return;
	p->fd[0] = -1;
	close(end);
}

void fc_pass_claimed(struct fc_supervisor *v, struct fc_session *s, const struct fc_packet *p)
{
	struct fc_msg m = { .type = FC_LINK_CLAIM, .serial = p->head.serial, .status = -ENOENT };
	int file = -1;

	for (unsigned i = 0; i < FC_TICKETS_MAX && file < 0; i++)
		if (v->ticket[i].used && v->ticket[i].cookie == p->head.arg[0] && v->ticket[i].ino == p->head.arg[1])
			file = v->ticket[i].file;
	if (file >= 0) {
		m.status = 0;
		m.arg[0] = (uint64_t)fcntl(file, F_GETFL);
	}
	answer(v, s, &m, file);
}
