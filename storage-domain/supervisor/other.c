/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * other.c - one client looks at what another has open, in /proc. Whether it may is decided here, as the kernel decides it for the process
 * itself: the same ids, or the capability to trace; and the other one lets itself be looked at. Its shadow is asked for a descriptor,
 * which goes to the shadow of who asked. Neither shadow is believed anything about the other.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "storage-domain/fds.h"
#include "storage-domain/shadow/link.h"
#include "storage-domain/supervisor/supervisor.h"

static void answer(struct fc_supervisor *v, struct fc_session *s, const struct fc_msg *shown, int *fd)
{
	struct fc_msg m = *shown;

	m.type = FC_LINK_OTHER;
	m.serial = s->other_serial;
	s->other = 0;
	if (fc_control_send(s->link.fd, &m, NULL, fd, fd != NULL, MSG_DONTWAIT) < 0)
		fc_session_kill(v, s);
}

static void refuse(struct fc_supervisor *v, struct fc_session *s, int status)
{
	const struct fc_msg m = { .status = status };

	answer(v, s, &m, NULL);
}

struct fc_session *fc_other_client(struct fc_supervisor *v, pid_t pid)
{
	for (unsigned i = 0; i < FC_SESSIONS_MAX; i++) {
		struct fc_session *s = &v->session[i];

		if (s->state == FC_SESSION_LIVE && !s->owner && s->client_pid == pid && s->client.fd >= 0)
			return s;
	}
	return NULL;
}

/* The files of a process that may not be traced are root's in /proc, whoever it is. */
static bool may_be_traced(const struct fc_session *s)
{
	struct stat st;
	char path[24];

	snprintf(path, sizeof path, "%d/stat", s->client_pid);
	return !fstatat(FC_FD_PROC, path, &st, AT_SYMLINK_NOFOLLOW) && st.st_uid == s->ids.fsuid &&
	       st.st_gid == s->ids.fsgid;
}

static bool may_look(const struct fc_session *asker, const struct fc_session *s)
{
	const struct fc_session_ids *a = &asker->ids, *b = &s->ids;

	if (a->traces)
		return true;
	return b->ruid == a->fsuid && b->fsuid == a->fsuid && b->rgid == a->fsgid && b->fsgid == a->fsgid &&
	       may_be_traced(s);
}

void fc_other_asked(struct fc_supervisor *v, struct fc_session *asker, const struct fc_packet *p)
{
	struct fc_msg m = { .type = FC_LINK_SHOW, .serial = asker->id, .arg = { p->head.arg[1] } };
	const bool busy = asker->other != 0;
	struct fc_session *s;

	asker->other_serial = p->head.serial;
	s = p->head.arg[0] <= INT32_MAX && p->head.arg[0] ? fc_other_client(v, (pid_t)p->head.arg[0]) : NULL;
	if (busy)
		refuse(v, asker, -EBUSY); /* what the first answer is about, is not waited for any more */
	else if (!s || s == asker)
		refuse(v, asker, -ENOENT);
	else if (!may_look(asker, s))
		refuse(v, asker, -EACCES);
	else if (fc_control_send(s->link.fd, &m, NULL, NULL, 0, MSG_DONTWAIT) < 0)
		refuse(v, asker, -EAGAIN);
	else
		asker->other = s->id;
}

void fc_other_shown(struct fc_supervisor *v, const struct fc_session *s, struct fc_packet *p)
{
	for (unsigned i = 0; i < FC_SESSIONS_MAX; i++) {
		struct fc_session *asker = &v->session[i];

		if (asker->state != FC_SESSION_LIVE || asker->id != p->head.serial || asker->other != s->id)
			continue;
		if (may_look(asker, s)) /* still */
			answer(v, asker, &p->head, p->nfds ? p->fd : NULL);
		else
			refuse(v, asker, -EACCES);
	}
}

void fc_other_gone(struct fc_supervisor *v, const struct fc_session *s)
{
	for (unsigned i = 0; s->id && i < FC_SESSIONS_MAX; i++)
		if (v->session[i].state == FC_SESSION_LIVE && v->session[i].other == s->id)
			refuse(v, &v->session[i], -ENOENT);
}
