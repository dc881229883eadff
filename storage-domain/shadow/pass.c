/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pass.c - a directory that a client sends to another one over a socket (SCM_RIGHTS). No directory leaves the domain: what travels is a
 * ticket, a socket that the supervisor has made, whose other end it keeps together with the open file. Whoever has got the ticket, and is a client,
 * gives it to its own shadow, which says by the kernel's word which socket it is. So a file goes where its ticket has gone, as it does
 * natively, and nowhere else.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/rawcall.h"
#include "storage-domain/fds.h"
#include "storage-domain/shadow/link.h"
#include "storage-domain/shadow/shadow_main.h"

/* Directories, and what is open for its place only: closing one takes no file server's answer. The supervisor looks once more. */
static int judge(uint64_t number)
{
	struct statx st;
	int flags;

	if (number < FC_DOMAIN_FD_FIRST || number >= FC_DOMAIN_FD_MAX || (flags = fcntl((int)number, F_GETFL)) < 0)
		return -EBADF;
	if (flags & O_PATH)
		return 0;
	if (statx((int)number, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st))
		return -EBADF;
	return S_ISDIR(st.stx_mode) ? 0 : -EOPNOTSUPP;
}

void fc_pass_ask(struct fc_shadow *s, const struct fc_packet *request)
{
	const uint64_t *arg = request->head.arg;
	int r = judge(arg[0]);

	/* whoever counts processes in another way means another one */
	if (s->foreign || !request->has_sender || (uint64_t)request->sender.pid != arg[2])
		r = -EOPNOTSUPP;
	if (r < 0)
		fc_shadow_answer(s, request, r, NULL, -1);
	else
		fc_shadow_tell(
			(struct fc_msg){ .type = FC_LINK_PASS, .serial = request->head.serial, .arg = { arg[1] } },
			(int)arg[0]);
}

void fc_pass_answer(struct fc_shadow *s, struct fc_packet *answer)
{
	const struct fc_packet question = { .head = { .type = FC_MSG_PASS, .serial = answer->head.serial } };
	const int ticket = answer->nfds ? answer->fd[0] : -1;
	int status = answer->head.status;

	if (status == 0 && ticket < 0)
		status = -ENFILE; /* there was no number left for it */
	fc_shadow_answer(s, &question, status, NULL, status ? -1 : ticket);
	fc_packet_drop(answer);
}

/* In the thread that has received it. */
int fc_pass_look(int fd, struct fc_ticket_name *name)
{
	socklen_t size = sizeof name->cookie;
	struct statx st;

	if (fc_call(SYS_getsockopt, fd, SOL_SOCKET, SO_COOKIE, &name->cookie, &size) < 0 ||
	    fc_call(SYS_statx, fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &st) < 0)
		return -ENOENT;
	name->ino = st.stx_ino;
	return 0;
}

void fc_pass_claim(struct fc_shadow *s, const struct fc_packet *request, const struct fc_ticket_name *name)
{
	(void)s;
	fc_shadow_tell((struct fc_msg){ .type = FC_LINK_CLAIM,
					.serial = request->head.serial,
					.arg = { name->cookie, name->ino } },
		       -1);
}
