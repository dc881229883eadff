/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * socket.c - Unix sockets whose path is in a domain, and descriptors of remote files in messages. The sockets are the local kernel's, and
 * so are their peers' credentials. What lies in the domain is the inode: the domain binds to it (shadow/errand.c), and hands it over, O_PATH,
 * to connect to; where it hands nothing over, another inode on this machine stands for it (meet.h). A remote file in a message is handed over and
 * goes as what it is; a directory does not go.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/rawcall.h"
#include "farcall/abi.h"
#include "libc-shim/calls/handed.h"
#include "libc-shim/calls/handlers.h"
#include "libc-shim/calls/meet.h"
#include "libc-shim/calls/pass.h"
#include "libc-shim/calls/remote.h"
#include "libc-shim/calls/path.h"
#include "libc-shim/calls/socket.h"
#include "libc-shim/hook.h"
#include "libc-shim/native.h"
#include "libc-shim/process/beyond.h"
#include "libc-shim/process/process.h"
#include "libc-shim/process/thread.h"
#include "libc-shim/calls/offset.h"
#include "libc-shim/session/lease.h"
#include "libc-shim/shim.h"
#include "libc-shim/text.h"

#define PATH_AT offsetof(struct sockaddr_un, sun_path)
#define PATH_ROOM (sizeof((struct sockaddr_un){ 0 }.sun_path) + 1)
#define RIGHTS_MAX 253 /* SCM_MAX_FD */

/* ---- addresses ---- */

/* The application's address, zeroes behind it: is it a Unix socket's, with a path? Without one it has an abstract name. */
static bool take_address(long address, long length, struct sockaddr_un *un)
{
	uint64_t n = (uint32_t)length;

	memset(un, 0, sizeof *un);
	return address && n > PATH_AT && n <= sizeof *un && !fc_copy_from_user(un, (const void *)address, n) &&
	       un->sun_family == AF_UNIX && un->sun_path[0];
}

/* The path in the application's address, if it leads into a domain as far as can be seen. */
static bool take_path(long address, long length, char path[PATH_ROOM])
{
	struct sockaddr_un un;

	if (!take_address(address, length, &un))
		return false;
	memcpy(path, un.sun_path, sizeof un.sun_path);
	path[sizeof un.sun_path] = 0;
	return fc_path_is_remote(AT_FDCWD, path);
}

static bool is_unix_socket(long sock)
{
	int domain = 0, size = sizeof domain;

	return fc_call(SYS_getsockopt, sock, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

/* Others refuse or ignore where a message is to go, before any name is looked at. */
static bool looks_names_up(long sock)
{
	int type = 0, size = sizeof type;

	return is_unix_socket(sock) && fc_call(SYS_getsockopt, sock, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
	       type == SOCK_DGRAM;
}

static long make_address(struct sockaddr_un *un, const char *path)
{
	size_t n = strlen(path);

	memset(un, 0, sizeof *un);
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, n);
	return (long)(PATH_AT + n);
}

/* There is nobody to talk to at a path, as far as this process gets: that it may not write there comes first. */
static int nobody(const char *path)
{
	const long a[6] = { AT_FDCWD, (long)path, W_OK, AT_EACCESS };

	return shim_dispatch_for_us(SYS_faccessat2, a) == -EACCES ? -EACCES : -ECONNREFUSED;
}

/* Somebody to talk to at a path. Returns a descriptor for shim_done_with, and an address that leads to the same inode. */
static int reach(const char *path, struct sockaddr_un *un, long *length)
{
	char name[SHIM_FD_PATH];
	int fd = shim_meet(path);

	if (fd < 0)
		return fd == -ENODEV ? nobody(path) : fd;
	*length = make_address(un, shim_fd_path(name, fd));
	return fd;
}

long shim_do_connect(long nr, long a[6])
{
	char path[PATH_ROOM];
	struct sockaddr_un un;
	long b[6] = { a[0], (long)&un }, r;

	if (likely(!take_path(a[1], a[2], path)) || !is_unix_socket(a[0]))
		return shim_native(nr, a);
	int fd = reach(path, &un, &b[2]);
	if (fd < 0)
		return fd;
	r = shim_native(nr, b);
	shim_done_with(shim_process(), fd);
	return r;
}

long shim_do_bind(long nr, long a[6])
{
	char path[PATH_ROOM];
	struct sockaddr_un un;
	long b[6] = { AT_FDCWD, (long)path };
	int domain;

	if (likely(!take_path(a[1], a[2], path)) || !is_unix_socket(a[0]))
		return shim_native(nr, a);
	long r = shim_path_settle(SYS_mkdirat, b, path, PATH_ROOM, &domain);
	if (r < 0)
		return r;
	if (domain >= 0) {
		struct shim_process *p = shim_process_own();

		r = p ? shim_hand_bind(p, (unsigned)domain, (int)a[0], path) : -ENOMEM;
		if (r == -EOPNOTSUPP)
			r = take_address(a[1], a[2], &un)
				    ? shim_meet_bind(p, (unsigned)domain, (int)a[0], path, &un, a[2])
				    : -EFAULT;
		return r;
	}
	b[0] = a[0];
	b[1] = (long)&un;
	b[2] = make_address(&un, path);
	return shim_native(nr, b);
}

long shim_do_sendto(long nr, long a[6])
{
	char path[PATH_ROOM];
	struct sockaddr_un un;
	long b[6] = { a[0], a[1], a[2], a[3], (long)&un }, r;

	if (likely(!take_path(a[4], a[5], path)) || !looks_names_up(a[0]))
		return shim_native(nr, a);
	int fd = reach(path, &un, &b[5]);
	if (fd < 0)
		return fd;
	r = shim_native(nr, b);
	shim_done_with(shim_process(), fd);
	return r;
}

/* ---- messages ---- */

struct message {
	struct msghdr m; /* as the kernel gets it */
	struct sockaddr_un un;
	int sock;
	int reached;            /* where it goes, -1: as the application says */
	int handed[RIGHTS_MAX]; /* files that go with it */
	int count;
};

size_t shim_next_control(const char *control, size_t at, size_t size, struct cmsghdr *h)
{
	if (size - at < sizeof *h || fc_copy_from_user(h, control + at, sizeof *h) || h->cmsg_len < sizeof *h ||
	    h->cmsg_len > size - at)
		return 0;
	return CMSG_ALIGN(h->cmsg_len) < size - at ? CMSG_ALIGN(h->cmsg_len) : size - at;
}

static bool control_is_remote(const char *control, size_t size)
{
	struct cmsghdr h;
	size_t n;
	int fd;

	for (size_t at = 0; at < size && (n = shim_next_control(control, at, size, &h)); at += n)
		for (size_t i = sizeof h; shim_is_rights(&h) && i + sizeof fd <= h.cmsg_len; i += sizeof fd)
			if (!fc_copy_from_user(&fd, control + at + i, sizeof fd) && shim_fd_get(shim_process(), fd))
				return true;
	return false;
}

/* In a copy of the control part. A directory, and what is open for its place, goes by a ticket; what does not go is what a socket that takes no
 * descriptors says. */
static int hand_over(struct message *o, char *at)
{
	struct shim_process *p = shim_process_own();
	uint64_t w;
	int fd, r;

	memcpy(&fd, at, sizeof fd);
	if (!p)
		return -ENOMEM;
	do {
		if (!(w = shim_fd_get(p, fd)))
			return 0;
		if (o->count == RIGHTS_MAX)
			return -EINVAL;
		shim_lease_bar(p, w);
		r = shim_offset_leave(p, fd, w) ? shim_hand_on(p, fd, w) : SHIM_OTHER;
		if (r == -ENODEV || r == -EOPNOTSUPP)
			r = shim_pass(p, fd, w, o->sock);
	} while (unlikely(r == SHIM_OTHER));
	if (r < 0)
		return r;
	o->handed[o->count++] = r;
	memcpy(at, &r, sizeof r);
	return 0;
}

static int take_control(struct message *o, char *copy)
{
	size_t size = o->m.msg_controllen, n;
	struct cmsghdr h;
	int r;

	if (size > SHIM_SCRATCH_SIZE)
		return -ENOBUFS;
	if (fc_copy_from_user(copy, o->m.msg_control, size))
		return -EFAULT;
	for (size_t at = 0; at < size && (n = shim_next_control(copy, at, size, &h)); at += n)
		for (size_t i = sizeof h; shim_is_rights(&h) && i + sizeof(int) <= h.cmsg_len; i += sizeof(int))
			if ((r = hand_over(o, copy + at + i)) < 0)
				return r;
	o->m.msg_control = copy;
	return 0;
}

static int take_name(struct message *o, long sock)
{
	char path[PATH_ROOM];
	long length;

	o->reached = -1;
	if (!take_path((long)o->m.msg_name, o->m.msg_namelen, path) || !looks_names_up(sock))
		return 0;
	o->reached = reach(path, &o->un, &length);
	o->m.msg_name = &o->un;
	o->m.msg_namelen = (socklen_t)length;
	return o->reached < 0 ? o->reached : 0;
}

static bool concerns_us(const struct msghdr *m)
{
	char path[PATH_ROOM];

	return (m->msg_controllen && control_is_remote(m->msg_control, m->msg_controllen)) ||
	       (m->msg_name && take_path((long)m->msg_name, m->msg_namelen, path));
}

static long send_message(const long a[6], struct message *o, struct shim_frame *f)
{
	long r = take_name(o, a[0]);
	long b[6] = { a[0], (long)&o->m, a[2] };

	if (r == 0 && o->m.msg_controllen)
		r = take_control(o, shim_scratch(f));
	if (r == 0)
		r = shim_native(SYS_sendmsg, b);
	while (o->count)
		shim_done_with(shim_process(), o->handed[--o->count]);
	if (o->reached >= 0)
		shim_done_with(shim_process(), o->reached);
	return r;
}

long shim_do_sendmsg(long nr, long a[6])
{
	struct message o;
	struct shim_frame *f;

	if (fc_copy_from_user(&o.m, (const void *)a[1], sizeof o.m) || likely(!concerns_us(&o.m)) ||
	    !is_unix_socket(a[0]))
		return shim_native(nr, a);
	if (!(f = shim_frame_begin()))
		return -EDEADLK;
	o.count = 0;
	o.sock = (int)a[0];
	long r = send_message(a, &o, f);
	shim_frame_end(f);
	return r;
}

/* One by one, if there is one that is not the kernel's alone. */
long shim_do_sendmmsg(long nr, long a[6])
{
	struct mmsghdr *messages = (struct mmsghdr *)a[1];
	unsigned n = (unsigned)a[2] < FC_IOV_MAX ? (unsigned)a[2] : FC_IOV_MAX, i, sent;
	struct msghdr m;
	bool ours = false;

	for (i = 0; i < n && !ours; i++)
		ours = !fc_copy_from_user(&m, &messages[i].msg_hdr, sizeof m) && concerns_us(&m);
	if (likely(!ours))
		return shim_native(nr, a);
	for (i = 0; i < n; i++) {
		long r = shim_do_sendmsg(SYS_sendmsg, (long[6]){ a[0], (long)&messages[i].msg_hdr, a[3] });

		if (r < 0)
			return i ? (long)i : r;
		sent = (unsigned)r;
		if (fc_copy_to_user(&messages[i].msg_len, &sent, sizeof sent))
			return i ? (long)i : -EFAULT;
	}
	return i;
}
