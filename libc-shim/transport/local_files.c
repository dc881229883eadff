/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* local_files.c - files, tickets and sockets that go from a domain on the same machine to its client, or the other way (control.h: HAND, LEASE, PASS, BIND, WATCH). */
#define _GNU_SOURCE
#include "libc-shim/transport/local.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "common/control.h"
#include "common/rawcall.h"
#include "libc-shim/native.h"
#include "libc-shim/process/beyond.h"
#include "libc-shim/process/process.h"
#include "libc-shim/process/sandbox.h"
#include "libc-shim/session/session.h"
#include "libc-shim/shim.h"
#include "libc-shim/text.h"

#define PID_FS 0x50494446 /* since Linux 6.9 each process has an inode there that no other ever has */

/* What is a file's content, a FIFO's, or a way to a socket: a socket itself could be anybody's. */
static bool may_be_handed(int fd)
{
	struct stat st;
	long flags;

	if (fc_call(SYS_fstat, fd, &st) < 0)
		return false;
	if (!S_ISSOCK(st.st_mode))
		return S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode);
	flags = fc_call(SYS_fcntl, fd, F_GETFL);
	return flags >= 0 && flags & O_PATH;
}

/* A pidfd of the process that has this number now, and which it is; or -errno, -EOPNOTSUPP if that cannot be told. */
static int pidfd_of(int pid, uint64_t *ino)
{
	struct statfs fs;
	struct stat st;
	long fd = fc_call(SYS_pidfd_open, pid, 0);

	if (fd < 0)
		return (int)fd;
	if (fc_call(SYS_fstatfs, fd, &fs) < 0 || fs.f_type != PID_FS || fc_call(SYS_fstat, fd, &st) < 0) {
		fc_call(SYS_close, fd);
		return -EOPNOTSUPP;
	}
	*ino = st.st_ino;
	return (int)fd;
}

/*
 * Whoever has answered, by the kernel's word, was the process `pid` then. If it is looked at, answers once more, and is still the same, then it was
 * that one all the time.
 */
static void remember(struct shim_session *s, int pid)
{
	const bool again = s->taken_from == pid;
	const uint64_t was = s->taken_ino;
	int fd = pid > 0 ? pidfd_of(pid, &s->taken_ino) : -EOPNOTSUPP;

	s->taken_from = fd < 0 ? -1 : pid;
	s->taken_sure = fd >= 0 && again && was == s->taken_ino;
	if (fd >= 0)
		fc_call(SYS_close, fd);
}

/* A file comes with the first of two answers. */
static int ask_for_it(struct shim_session *s, int descriptor)
{
	int fd = shim_local_ask_for_one(s, FC_MSG_HAND, (uint64_t)descriptor), r = fd;

	if (fd < 0 && (fd != -EMFILE || s->packet.head.status < 0))
		return fd;
	if (fd >= 0 && s->packet.has_sender)
		remember(s, s->packet.head.arg[0] & FC_HAND_ALL ? s->packet.sender.pid : -1);
	if (fd >= 0 && !may_be_handed(fd)) {
		shim_session_fail(s, "it handed over what is no file");
		r = -EIO;
	}
	if (r != -EIO && shim_local_ask_on(s, FC_MSG_HAND) < 0)
		r = -EIO;
	if (r < 0 && fd >= 0)
		shim_done_with(shim_process(), fd);
	return r;
}

/* With the kernel's word for who answers. */
static int ask_who_it_is(struct shim_session *s, int descriptor)
{
	const int on = 1, off = 0;
	int r;

	fc_call(SYS_setsockopt, s->sock, SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
	r = ask_for_it(s, descriptor);
	fc_call(SYS_setsockopt, s->sock, SOL_SOCKET, SO_PASSCRED, &off, sizeof off);
	return r;
}

static int take(struct shim_session *s, int descriptor)
{
	uint64_t ino;
	long fd;
	int process = pidfd_of(s->taken_from, &ino);

	if (process < 0)
		return process;
	fd = ino == s->taken_ino ? fc_call(SYS_pidfd_getfd, process, descriptor, 0) : -ESRCH;
	fc_call(SYS_close, process);
	return (int)fd;
}

/*
 * Asking costs three threads' wakeups, and root's git maps each of its files, its `cp -a` looks at each twice: by pidfd_getfd(2) it costs none. Who may
 * do that, root as a rule, could do so anyway.
 */
int shim_local_hand(struct shim_session *s, int descriptor)
{
	int fd;

	if (s->taken_from < 0 || shim_sandbox_unknown())
		return ask_for_it(s, descriptor);
	if (!s->taken_sure)
		return ask_who_it_is(s, descriptor);
	fd = take(s, descriptor);
	if (fd == -EPERM || fd == -ENOSYS)
		s->taken_from = -1;
	if (fd < 0)
		return ask_for_it(s, descriptor);
	if (may_be_handed(fd))
		return fd;
	fc_call(SYS_close, fd);
	return -ENODEV;
}

/* Can it be what has been asked for? A file where there is to be one; else its absence is no want of room. */
static bool is_grant(const struct shim_grant *g, uint64_t index, bool bare, uint64_t wants)
{
	struct stat st;

	if (shim_lease_index(g->word) != index || !shim_grant_ok(g))
		return false;
	if (bare)
		return wants & FC_LEASE_BARE && g->file == -1;
	return g->file == -EMFILE || (g->file >= 0 && fc_call(SYS_fstat, g->file, &st) == 0 && S_ISREG(st.st_mode));
}

int shim_local_lease(struct shim_session *s, int descriptor, uint64_t wants, struct shim_grant *g)
{
	int fd = shim_local_ask_for(s, (struct fc_msg){ .type = FC_MSG_LEASE, .arg = { (uint64_t)descriptor, wants } });
	const uint64_t *arg = s->packet.head.arg;
	const bool bare = arg[2] & FC_LEASE_BARE;

	if (fd < 0 && (fd != -EMFILE || s->packet.head.status < 0))
		return fd;
	*g = shim_grant_of(arg[1], arg[2], wants, fd == -EMFILE && bare ? -1 : fd);
	if (!is_grant(g, arg[0], bare, wants)) {
		shim_session_fail(s, "it delegated what is no file");
		shim_done_with(shim_process(), fd);
		g->file = -1;
		return -EIO;
	}
	if (g->file != -EMFILE)
		return 0;
	shim_local_give_back(s, g->word);
	return -EMFILE;
}

void shim_local_give_back(struct shim_session *s, uint64_t word)
{
	shim_local_ask(s, FC_MSG_RETURN, word == SHIM_LEASE_ALL ? FC_LEASES_ALL : shim_lease_index(word), word, NULL,
		       0);
}

int shim_local_pass(struct shim_session *s, int descriptor, int to, int self)
{
	int fd =
		shim_local_ask_for(s, (struct fc_msg){ .type = FC_MSG_PASS,
						       .arg = { (uint64_t)descriptor, (uint64_t)to, (uint64_t)self } });
	struct stat st;

	if (fd < 0 || (fc_call(SYS_fstat, fd, &st) == 0 && S_ISSOCK(st.st_mode)))
		return fd;
	shim_session_fail(s, "it gave a ticket that is none");
	shim_done_with(shim_process(), fd);
	return -EIO;
}

int shim_local_claim(struct shim_session *s, int ticket, struct shim_other *o)
{
	int r = shim_local_ask(s, FC_MSG_CLAIM, 0, 0, &ticket, 1);

	*o = (struct shim_other){ (int64_t)s->packet.head.arg[0], 0, (int64_t)s->packet.head.arg[1] };
	return r;
}

int shim_local_bind(struct shim_session *s, int sock, const char *path)
{
	return shim_local_ask_about(s, (struct fc_msg){ .type = FC_MSG_BIND, .size = (uint16_t)strlen(path) }, path,
				    &sock, 1);
}

int shim_local_watch(struct shim_session *s, int inotify, int descriptor, uint32_t mask)
{
	int r = shim_local_ask(s, FC_MSG_WATCH, (uint64_t)descriptor, mask, &inotify, 1);

	uint64_t number = s->packet.head.arg[0];
	if (r < 0 || (number && number <= INT32_MAX))
		return r < 0 ? r : (int)number;
	shim_session_fail(s, "it sent a watch that cannot be");
	return -EIO;
}
