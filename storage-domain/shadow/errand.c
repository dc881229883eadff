/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * errand.c - see errand.h. The descriptor is the client's own and stays it; what the call is about is in the domain, so it is made here:
 * as the client, in the session's directory and with its umask, which all threads of a shadow share. The kernel looks whether the
 * descriptor is what it must be.
 */
#define _GNU_SOURCE
#include "storage-domain/shadow/errand.h"

#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "common/rawcall.h"
#include "storage-domain/fds.h"
#include "storage-domain/shadow/link.h"
#include "storage-domain/shadow/shadow_main.h"

static struct fc_shadow *owner;
static int64_t result;
static struct fc_ticket_name ticket;

void fc_errand_init(struct fc_shadow *s)
{
	owner = s;
}

bool fc_errand_is(const struct fc_packet *p)
{
	return p->head.type == FC_MSG_BIND || p->head.type == FC_MSG_WATCH || p->head.type == FC_MSG_CLAIM;
}

/* Where nothing is handed over nobody could connect to it: the client binds it elsewhere then. */
static bool may_bind(const char *path)
{
	char cwd[FC_PATH_MAX];

	if (path[0] == '/')
		return fc_hand_allowed(owner->exports, path);
	return fc_call(SYS_getcwd, cwd, sizeof cwd) > 0 && fc_hand_allowed(owner->exports, cwd);
}

static int64_t bind_socket(int fd, const char *path, size_t length)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char text[sizeof un.sun_path + 1] = { 0 };

	if (!length || length > sizeof un.sun_path ||
	    !path[0]) /* an abstract name would be one of the domain's network */
		return -EINVAL;
	memcpy(un.sun_path, path, length);
	memcpy(text, path, length);
	if (!may_bind(text))
		return -EOPNOTSUPP;
	return fc_call(SYS_bind, fd, &un, offsetof(struct sockaddr_un, sun_path) + length);
}

/* This thread has none of the client's descriptors, but the process has. */
static int64_t watch(int fd, uint64_t number, uint32_t mask)
{
	char path[48];

	if (number < FC_DOMAIN_FD_FIRST || number >= FC_DOMAIN_FD_MAX)
		return -EBADF;
	if (fc_call(SYS_unshare, CLONE_FS) < 0 || fc_call(SYS_fchdir, FC_FD_PROC) < 0)
		return -EIO;
	snprintf(path, sizeof path, "self/fd/%u", (unsigned)number);
	if (!fc_hand_allowed_at(owner->exports, path))
		return -EOPNOTSUPP;
	return fc_call(SYS_inotify_add_watch, fd, path, mask & ~(uint32_t)IN_DONT_FOLLOW);
}

void fc_errand_run(const struct fc_packet *p)
{
	struct fc_cred cred;

	result = -EPROTO;
	if (p->nfds != 1 || !fc_shadow_believes(owner, p))
		return;
	if (p->head.type == FC_MSG_CLAIM) {
		result = fc_pass_look(p->fd[0], &ticket);
		return;
	}
	fc_cred_get(owner, &cred);
	if (fc_cred_apply(&cred) < 0)
		result = -EACCES;
	else if (p->head.type == FC_MSG_BIND)
		result = bind_socket(p->fd[0], p->text, p->head.size);
	else
		result = watch(p->fd[0], p->head.arg[0], (uint32_t)p->head.arg[1]);
}

void fc_errand_answer(const struct fc_packet *p)
{
	const int64_t r = p->nfds == 1 ? result : -EPROTO;
	const uint64_t arg[3] = { r > 0 ? (uint64_t)r : 0 };

	if (r == -EPROTO)
		fc_shadow_poison(owner, "malformed control message");
	if (r == 0 && p->head.type == FC_MSG_CLAIM)
		fc_pass_claim(owner, p, &ticket); /* answered when the supervisor answers */
	else
		fc_shadow_answer(owner, p, r < 0 ? (int)r : 0, arg, -1);
}
