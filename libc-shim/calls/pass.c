/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pass.c - remote directories in messages. A directory is not handed over, to nobody: the domain gives a ticket in its place, and who
 * receives that gets the same open file from the domain (storage-domain/shadow/pass.c). A ticket that no domain knows any more stays what it is: a
 * socket, at its end.
 */
#define _GNU_SOURCE
#include "libc-shim/calls/pass.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "common/atomic.h"
#include "common/rawcall.h"
#include "farcall/control.h"
#include "farcall/wire.h"
#include "libc-shim/calls/handlers.h"
#include "libc-shim/calls/procfs.h"
#include "libc-shim/calls/remote.h"
#include "libc-shim/calls/socket.h"
#include "libc-shim/hook.h"
#include "libc-shim/native.h"
#include "libc-shim/process/beyond.h"
#include "libc-shim/process/thread.h"
#include "libc-shim/session/session.h"
#include "libc-shim/shim.h"
#include "libc-shim/text.h"
#include "libc-shim/transport/transport.h"

int shim_pass(struct shim_process *p, int fd, uint64_t w, int sock)
{
	struct ucred peer = { 0 };
	int size = sizeof peer, r;
	struct shim_frame *f;
	struct shim_call c;

	/* of the socket's other end, when it was made: whoever has it by now is most likely its child */
	if (fc_call(SYS_getsockopt, sock, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.pid <= 0)
		return -EOPNOTSUPP;
	if (!(f = shim_frame_begin()))
		return -EDEADLK;
	r = shim_call_begin_on(&c, fc_row_by_nr(SYS_fstat), p, fd, w, f);
	if (r == 0)
		r = shim_hand_pass(p, shim_fd_domain(w), shim_fd_number(w), peer.pid, shim_procfs_self());
	shim_frame_end(f);
	return r;
}

/* ---- who receives ---- */

static bool is_ticket(int fd)
{
	static const char prefix[] = FC_TICKET_PREFIX;
	struct sockaddr_un un;
	int size = sizeof un;

	return fc_call(SYS_getpeername, fd, &un, &size) == 0 && un.sun_family == AF_UNIX &&
	       size > (int)(offsetof(struct sockaddr_un, sun_path) + sizeof prefix) && !un.sun_path[0] &&
	       !memcmp(un.sun_path + 1, prefix, sizeof prefix - 1);
}

/* Which domain has given it is not known. Returns which, or -errno. */
static int claim(struct shim_process *p, int fd, struct shim_other *o)
{
	for (unsigned d = 0; d < shim.config.ndomains; d++)
		if (shim_hand_claim(p, d, fd, o) == 0)
			return (int)d;
	return -ENOENT;
}

/* A placeholder where the ticket is, which may be the last of its kind: it has been claimed. */
static long take_place(struct shim_process *p, int fd, bool path)
{
	struct shim_thread *t = shim_self();
	const bool cloexec = fc_call(SYS_fcntl, fd, F_GETFD) & FD_CLOEXEC;
	long placeholder, r;

	t->for_us = true;
	placeholder = path ? shim_placeholder_path(p, true) : shim_placeholder(p, true, 0);
	t->for_us = false;
	if (placeholder < 0)
		return placeholder;
	r = fc_call(SYS_dup3, placeholder, fd, cloexec ? O_CLOEXEC : 0);
	fc_call(SYS_close, placeholder);
	return r;
}

static void receive(int fd)
{
	struct shim_process *p = shim_process_own();
	struct shim_other o;
	int domain = p ? claim(p, fd, &o) : -ENOMEM;
	struct shim_file is;

	if (domain < 0)
		return;
	if (take_place(p, fd, o.flags & O_PATH) < 0) {
		shim_simple(p, (unsigned)domain, SYS_close, o.descriptor, 0, 0);
		return;
	}
	/* others have it, too */
	is = (struct shim_file){ .domain = (uint32_t)domain,
				 .descriptor = (int)o.descriptor,
				 .flags = (uint32_t)o.flags,
				 .forks = fc_load(&p->files.forks) - 1 };
	shim_install(p, (unsigned)domain, o.descriptor, fd, shim_file_new(p, &is, 0, NULL));
}

static void look(const struct msghdr *user)
{
	struct cmsghdr h;
	struct msghdr m;
	size_t n;
	int fd;

	if (fc_copy_from_user(&m, user, sizeof m) || !m.msg_controllen)
		return;
	for (size_t at = 0; at < m.msg_controllen && (n = shim_next_control(m.msg_control, at, m.msg_controllen, &h));
	     at += n)
		for (size_t i = sizeof h; shim_is_rights(&h) && i + sizeof fd <= h.cmsg_len; i += sizeof fd)
			if (!fc_copy_from_user(&fd, (const char *)m.msg_control + at + i, sizeof fd) && is_ticket(fd))
				receive(fd);
}

long shim_do_recvmsg(long nr, long a[6])
{
	long r = shim_native(nr, a);

	if (r >= 0)
		look((const struct msghdr *)a[1]);
	return r;
}

long shim_do_recvmmsg(long nr, long a[6])
{
	const struct mmsghdr *messages = (const struct mmsghdr *)a[1];
	long r = shim_native(nr, a);

	for (long i = 0; i < r; i++)
		look(&messages[i].msg_hdr);
	return r;
}
