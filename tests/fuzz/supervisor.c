/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * supervisor.c - fuzz target: the supervisor's loop with fresh connections, shadows that say what they like on their links, clients and
 * shadows that die, and /proc that tells anything. No descriptor is real: each is a number of a kind, and must be closed once.
 *
 * An input: a byte of options; then for each round which descriptor is ready and what comes from it: messages (message.c), a
 * connection with its credentials, a signal; the text of /proc files. From the end: what the system calls answer.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "storage-domain/caps.h"
#include "storage-domain/fds.h"
#include "storage-domain/shadow/link.h"
#include "storage-domain/supervisor/lookout.h"
#include "storage-domain/shadow/shadow_main.h"
#include "storage-domain/supervisor/nursery.h"
#include "storage-domain/supervisor/supervisor.h"
#include "storage-domain/shadow/transport.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/message.h"
#include "tests/fuzz/supervisor.h"

#define OPTION_ROOTLESS 1u
#define OPTION_CAPS 2u
#define OPTION_OLD_KERNEL 4u /* no SO_PEERPIDFD, no SO_PASSRIGHTS */
#define OPTION_ANY_ROOT 8u
#define FIRST 100 /* descriptor numbers */
#define FDS 1024
#define MAPPINGS 32

enum kind {
	CLOSED,
	LISTEN,
	SIGNALS,
	EPOLL,
	CONNECTION,
	LINK,
	FAR_END,
	PIDFD,
	FILE_TEXT,
	MEMFD,
	FOREIGN,
	EVENTS,
	PIPE,
	TICKET
};

struct fd {
	uint8_t kind;
	bool watched, dead, shut;
	bool held;   /* somebody else has it too, and will close it */
	void *watch; /* epoll's data */
	pid_t pid;   /* PIDFD, CONNECTION */
	uid_t uid;   /* CONNECTION */
	gid_t gid;
	struct message last; /* LINK, CONNECTION: what has come and is not yet taken */
};

static struct fc_supervisor v;
static struct fd fd_of[FDS];
static int next_fd;
static unsigned options;
static uint64_t now_ms;
static pid_t next_pid;
static struct fd *receiving;
static struct fd *current; /* from which the message at hand has come */
static struct {
	void *at;
	size_t size;
} mapping[MAPPINGS];

/* ---- descriptors ---- */

static struct fd *get(int fd)
{
	struct fd *f = fd >= FIRST && fd < FIRST + FDS ? &fd_of[fd - FIRST] : NULL;

	return f && f->kind ? f : NULL;
}

static struct fd *need(int fd, const char *what)
{
	struct fd *f = get(fd);

	if (!f)
		fuzz_fail("%s on %d, which is not open", what, fd);
	return f;
}

static unsigned count(enum kind kind)
{
	unsigned n = 0;

	for (int fd = FIRST; fd < next_fd; fd++)
		n += fd_of[fd - FIRST].kind == kind;
	return n;
}

static int fail(int number)
{
	errno = number;
	return -1;
}

static bool unlucky(void)
{
	return (fuzz_back(1) & 15) == 15;
}

/* Numbers are not used again, so that whoever keeps one too long is noticed. */
static int make(enum kind kind)
{
	if (next_fd == FIRST + FDS)
		fuzz_end(); /* a very long life */
	fd_of[next_fd - FIRST] = (struct fd){ .kind = kind };
	return next_fd++;
}

int supervisor_fd(void)
{
	return make(EVENTS);
}

int fuzz_close(int fd);
int fuzz_close(int fd)
{
	struct fd *f;

	if (fd == FC_FD_LOOKOUT || fd == FC_FD_MOUNTS || fd == FC_FD_NURSERY)
		return 0;
	f = need(fd, "close");

	if (f->watched)
		fuzz_fail("%d is closed while epoll watches it", fd);
	if (f->kind == CONNECTION && f->last.pending && f->last.fd_count && !f->held)
		fuzz_fail("connection %d is closed with a stranger's descriptor in it", fd);
	f->kind = CLOSED;
	return 0;
}

int fuzz_epoll_create1(int flags);
int fuzz_epoll_create1(int flags)
{
	(void)flags;
	return make(EPOLL);
}

int fuzz_epoll_ctl(int epoll, int op, int fd, struct epoll_event *e);
int fuzz_epoll_ctl(int epoll, int op, int fd, struct epoll_event *e)
{
	struct fd *f = need(fd, "epoll_ctl");

	need(epoll, "epoll_ctl");
	if (op == EPOLL_CTL_DEL) {
		f->watched = false;
		return 0;
	}
	if (f->kind == FOREIGN)
		return fail(EPERM);
	if (op == EPOLL_CTL_ADD && unlucky())
		return fail(ENOSPC);
	f->watched = e->events & EPOLLIN || f->kind == TICKET;
	f->watch = e->data.ptr;
	return 0;
}

/* ---- what comes ---- */

static void ready_connection(struct fd *f, bool link)
{
	if (f->last.pending)
		return;
	message_make(&f->last);
	f->last.has_sender = true; /* SO_PASSCRED */
	if (!link && !(options & OPTION_OLD_KERNEL))
		f->last.fd_count = 0;
	if (link || f->last.sender.pid != 500)
		return;
	/* by default who has connected speaks */
	f->last.sender = (struct ucred){ f->pid, f->uid, f->gid };
}

int fuzz_epoll_wait(int epoll, struct epoll_event *e, int max, int ms);
int fuzz_epoll_wait(int epoll, struct epoll_event *e, int max, int ms)
{
	unsigned which = fuzz_front(1);
	int fd = next_fd - 1;

	need(epoll, "epoll_wait");
	(void)max;
	if (!fuzz_left() || which == 0xff) {
		v.stop = !fuzz_left();
		now_ms += ms > 0 ? ms : fuzz_front(1) * 100;
		return 0;
	}
	/* the youngest are 0, 1, 2 ... */
	for (int tries = 0; tries<FDS; tries++, fd = fd> FIRST ? fd - 1 : next_fd - 1)
		if (fd_of[fd - FIRST].kind && fd_of[fd - FIRST].watched && which-- == 0)
			break;
	if (!get(fd) || !get(fd)->watched)
		return 0;
	current = get(fd);
	*e = (struct epoll_event){ .events = current->kind == TICKET ? EPOLLHUP : EPOLLIN, .data.ptr = current->watch };
	if (current->kind == CONNECTION || current->kind == LINK)
		ready_connection(current, current->kind == LINK);
	if (current->kind == PIDFD)
		current->dead = true;
	now_ms += fuzz_back(1) & 1;
	return 1;
}

int fuzz_accept4(int fd, struct sockaddr *a, socklen_t *size, int flags);
int fuzz_accept4(int fd, struct sockaddr *a, socklen_t *size, int flags)
{
	static const uid_t uid[] = { 1000, 0, 1001, 997 };
	unsigned who = fuzz_front(1);
	struct fd *f;
	int new;

	(void)a, (void)size, (void)flags;
	need(fd, "accept");
	if (unlucky())
		return fail(fuzz_back(1) & 1 ? EMFILE : EAGAIN);
	new = make(CONNECTION);
	f = get(new);
	f->uid = f->gid = uid[who & 3];
	f->pid = 2000 + (who >> 2);
	return new;
}

static int open_kind(const struct message *m, int n)
{
	int fd = make(m->fd_kind[n] & 7 ? LINK : FOREIGN);

	if (receiving->kind == CONNECTION)
		fuzz_fail("the supervisor takes a stranger's descriptor");

	get(fd)->pid = 600;
	return fd;
}

static long receive(int sock, struct msghdr *to, int flags)
{
	struct fd *f = need(sock, "recvmsg");

	if (f->kind != CONNECTION && f->kind != LINK)
		return -ENOTSOCK;
	receiving = f;
	if (!f->last.pending && !f->shut)
		return -EAGAIN;
	if (!f->last.pending) {
		to->msg_controllen = 0;
		to->msg_flags = 0;
		return 0;
	}
	if (f->last.head.type == 0 && f->last.size == sizeof f->last.head && !f->last.fd_count) { /* hung up */
		to->msg_controllen = 0;
		to->msg_flags = 0;
		if (!(flags & MSG_PEEK)) {
			f->last.pending = false;
			f->shut = true;
		}
		return 0;
	}
	return message_deliver(&f->last, to, flags, open_kind);
}

ssize_t fuzz_read(int fd, void *to, size_t size);
ssize_t fuzz_read(int fd, void *to, size_t size)
{
	struct signalfd_siginfo *info = to;
	struct fd *f;

	f = need(fd, "read");

	memset(to, 0, size);
	if (f->kind != SIGNALS)
		return unlucky() ? fail(ESRCH)
				 : (ssize_t)fuzz_take(to, fuzz_left() < size ? fuzz_front(2) % (size + 1) : size);
	info->ssi_signo = fuzz_back(1) == 255 ? SIGTERM : SIGCHLD;
	return sizeof *info;
}

/* ---- what goes ---- */

/* An identity for a shadow: nothing but file capabilities, and ids that its client has by the kernel's word or may take. */
static void check_cred(const struct fc_msg *m)
{
	uint64_t caps = m->arg[2];
	uint32_t fsuid = m->arg[0] >> 32;

	if (caps & ~FC_CAPS_FILES)
		fuzz_fail("a shadow gets capabilities %lx", caps);
	if (options & OPTION_ROOTLESS && fsuid != 997)
		fuzz_fail("a rootless domain lends user %u", fsuid);
	if ((int64_t)m->arg[3] < -1 || (int64_t)m->arg[3] > 1024)
		fuzz_fail("%ld groups", (long)m->arg[3]);
}

static long transmit(int sock, const struct msghdr *from)
{
	struct fd *f = need(sock, "sendmsg");
	int fd[FC_MSG_FDS], fds;
	struct fc_msg head;

	message_sent(from, &head, fd, &fds);
	for (int i = 0; i < fds; i++)
		need(fd[i], "passing")->held = true;
	if (f->kind != CONNECTION && f->kind != LINK)
		return -ENOTSOCK;
	if (f->kind == CONNECTION && (fds > 1 || (fds && get(fd[0])->kind != MEMFD)))
		fuzz_fail("a client gets descriptor %d", fd[0]);
	if (f->kind == LINK && head.type == FC_LINK_CRED)
		check_cred(&head);
	return unlucky() ? -(fuzz_back(1) & 1 ? EAGAIN : EPIPE) : (long)(sizeof head + head.size);
}

long fuzz_raw(long nr, long a, long b, long c, long d, long e, long f)
{
	(void)d, (void)e, (void)f;
	switch (nr) {
	case SYS_recvmsg:
		return receive(a, (void *)b, c);
	case SYS_sendmsg:
		return transmit(a, (void *)b);
	case SYS_close:
		return fuzz_close(a);
	case SYS_futex:
		return 0;
	default:
		fuzz_fail("system call %ld", nr);
	}
}

/* ---- sockets ---- */

int fuzz_getsockopt(int fd, int level, int name, void *value, socklen_t *size);
int fuzz_getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
	struct fd *f = need(fd, "getsockopt");
	gid_t *group = value;
	unsigned n;

	(void)level;
	switch (name) {
	case SO_DOMAIN:
		*(int *)value = f->kind == FOREIGN ? AF_INET : AF_UNIX;
		return 0;
	case SO_TYPE:
		*(int *)value = SOCK_SEQPACKET;
		return 0;
	case SO_PEERCRED:
		*(struct ucred *)value = (struct ucred){ f->pid, f->uid, f->gid };
		return 0;
	case SO_PEERGROUPS:
		n = fuzz_back(1) * 5;
		if (n * sizeof *group > *size)
			return fail(ERANGE);
		for (unsigned i = 0; i < n; i++)
			group[i] = i;
		*size = n * sizeof *group;
		return 0;
	case 83: /* SO_PASSRIGHTS */
		*(int *)value = 0;
		return options & OPTION_OLD_KERNEL ? fail(ENOPROTOOPT) : 0;
	case 77: /* SO_PEERPIDFD */
		if (options & OPTION_OLD_KERNEL || unlucky())
			return fail(options & OPTION_OLD_KERNEL ? ENOPROTOOPT : ESRCH);
		*(int *)value = make(PIDFD);
		get(*(int *)value)->pid = f->pid;
		return 0;
	case SO_COOKIE:
		*(uint64_t *)value = (uint64_t)fd;
		return 0;
	default:
		fuzz_fail("socket option %d", name);
	}
}

int fuzz_bind(int fd, const struct sockaddr *address, socklen_t size);
int fuzz_bind(int fd, const struct sockaddr *address, socklen_t size)
{
	if (need(fd, "bind")->kind != TICKET || address->sa_data[0])
		fuzz_fail("a name for %d", fd);
	(void)size;
	return unlucky() ? fail(EADDRINUSE) : 0;
}

int fuzz_statx(int fd, const char *path, int flags, unsigned mask, struct statx *st);
int fuzz_statx(int fd, const char *path, int flags, unsigned mask, struct statx *st)
{
	need(fd, "statx");
	(void)path, (void)mask;
	if (!(flags & AT_STATX_DONT_SYNC))
		fuzz_fail("a file server is asked");
	*st = (struct statx){ .stx_ino = (uint64_t)fd, .stx_mode = fuzz_back(1) & 1 ? S_IFDIR : S_IFREG };
	return 0;
}

int fuzz_setsockopt(int fd, int level, int name, const void *value, socklen_t size);
int fuzz_setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
	struct fd *f = need(fd, "setsockopt");

	(void)level, (void)name, (void)value, (void)size;
	return f->kind == FOREIGN || unlucky() ? fail(EINVAL) : 0;
}

int fuzz_socketpair(int domain, int type, int protocol, int pair[2]);
int fuzz_socketpair(int domain, int type, int protocol, int pair[2])
{
	const bool ticket = (type & 15) == SOCK_STREAM;

	(void)domain, (void)protocol;
	if (unlucky())
		return fail(EMFILE);
	pair[0] = make(ticket ? TICKET : LINK);
	pair[1] = make(ticket ? TICKET : FAR_END);
	return 0;
}

/* ---- processes ---- */

pid_t fuzz_fork(void);
pid_t fuzz_fork(void)
{
	if (unlucky())
		return fail(EAGAIN);
	/* with a pipe it is a child that holds a connection until the supervisor has let go of it */
	for (int fd = FIRST; fd < next_fd && count(PIPE); fd++)
		fd_of[fd - FIRST].held |= fd_of[fd - FIRST].kind == CONNECTION;
	return next_pid++;
}

int fuzz_pipe(int pair[2]);
int fuzz_pipe(int pair[2])
{
	if (unlucky())
		return fail(EMFILE);
	pair[0] = make(PIPE);
	pair[1] = make(PIPE);
	return 0;
}

int fuzz_shutdown(int fd, int how);
int fuzz_shutdown(int fd, int how)
{
	(void)how;
	need(fd, "shutdown")->shut = true;
	return 0;
}

int fuzz_dup2(int from, int to);
int fuzz_dup2(int from, int to)
{
	fuzz_fail("dup2(%d, %d) in the supervisor", from, to);
}

int fuzz_close_range(unsigned first, unsigned last, int flags);
int fuzz_close_range(unsigned first, unsigned last, int flags)
{
	(void)last, (void)flags;
	fuzz_fail("close_range(%u) in the supervisor", first);
}

void fuzz__exit(int status);
void fuzz__exit(int status)
{
	fuzz_fail("the supervisor exits with %d", status);
}

/* By default everything is proven. */
struct fc_sight fc_lookout_ask(pid_t pid)
{
	(void)pid;
	return (struct fc_sight){ ~fuzz_back(1) & (FC_LOOKOUT_USER | FC_LOOKOUT_ROOT), FC_LOOKOUT_NOBODY };
}

int fc_nursery_start(struct fc_supervisor *of)
{
	(void)of;
	return unlucky() ? -EAGAIN : 0;
}

/* The child has a copy of the link's end, or has died at once. */
pid_t fc_nursery_fork(struct fc_supervisor *of, unsigned index, int link)
{
	(void)of;
	if (index >= FC_SESSIONS_MAX || need(link, "a shadow's link")->kind != FAR_END)
		fuzz_fail("a shadow for slot %u with descriptor %d", index, link);
	return unlucky() ? -EAGAIN : next_pid++;
}

int fuzz_pidfd_open(pid_t pid, unsigned flags);
int fuzz_pidfd_open(pid_t pid, unsigned flags)
{
	int fd;

	(void)flags;
	if (pid <= 0)
		return fail(EINVAL);
	if (unlucky())
		return fail(ESRCH);
	fd = make(PIDFD);
	get(fd)->pid = pid;
	return fd;
}

/* Only shadows are killed: children, or children of children. */
int fuzz_pidfd_send_signal(int fd, int sig, siginfo_t *info, unsigned flags);
int fuzz_pidfd_send_signal(int fd, int sig, siginfo_t *info, unsigned flags)
{
	struct fd *f = need(fd, "pidfd_send_signal");

	(void)info, (void)flags;
	if (f->kind != PIDFD || sig != SIGKILL)
		fuzz_fail("signal %d to descriptor %d", sig, fd);
	return 0;
}

int fuzz_poll(struct pollfd *fds, nfds_t n, int ms);
int fuzz_poll(struct pollfd *fds, nfds_t n, int ms)
{
	struct fd *f = need(fds->fd, "poll");

	(void)n, (void)ms;
	if (!f->dead)
		f->dead = (fuzz_back(1) & 7) == 7;
	fds->revents = f->dead ? POLLIN : 0;
	return f->dead;
}

pid_t fuzz_waitpid(pid_t pid, int *status, int flags);
pid_t fuzz_waitpid(pid_t pid, int *status, int flags)
{
	(void)pid, (void)status, (void)flags;
	return fail(ECHILD);
}

/* A file of /proc: what it says is read from the input. */
int fuzz_openat(int dir, const char *path, int flags, ...);
int fuzz_openat(int dir, const char *path, int flags, ...)
{
	if (dir != FC_FD_PROC || flags != (O_RDONLY | O_CLOEXEC))
		fuzz_fail("openat(%d, %s, %#x)", dir, path, flags);
	if (!strncmp(path, "self/fd/", 8))
		return make(MEMFD);
	return unlucky() ? fail(ENOENT) : make(FILE_TEXT);
}

/* Whose a client's process is. */
int fuzz_fstatat(int dir, const char *path, struct stat *st, int flags);
int fuzz_fstatat(int dir, const char *path, struct stat *st, int flags)
{
	if (dir != FC_FD_PROC || flags != AT_SYMLINK_NOFOLLOW || *path < '1' || *path > '9')
		fuzz_fail("fstatat(%d, %s, %#x)", dir, path, flags);
	*st = (struct stat){ .st_uid = fuzz_back(1) & 1 ? 1000 : 0, .st_gid = 1000 };
	return unlucky() ? fail(ENOENT) : 0;
}

pid_t fuzz_getpid(void);
pid_t fuzz_getpid(void)
{
	return 4242;
}

uid_t fuzz_geteuid(void);
uid_t fuzz_geteuid(void)
{
	return 997;
}

gid_t fuzz_getegid(void);
gid_t fuzz_getegid(void)
{
	return 997;
}

int fuzz_prctl(int option, ...);
int fuzz_prctl(int option, ...)
{
	(void)option;
	return 0;
}

void (*fuzz_signal(int sig, void (*handler)(int)))(int);
void (*fuzz_signal(int sig, void (*handler)(int)))(int)
{
	(void)sig, (void)handler;
	return SIG_DFL;
}

int fuzz_sigprocmask(int how, const sigset_t *set, sigset_t *old);
int fuzz_sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
	(void)how, (void)set, (void)old;
	return 0;
}

int fuzz_signalfd(int fd, const sigset_t *set, int flags);
int fuzz_signalfd(int fd, const sigset_t *set, int flags)
{
	(void)fd, (void)set, (void)flags;
	return make(SIGNALS);
}

int fuzz_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set);
int fuzz_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set)
{
	(void)pid;
	memset(set, 3, size);
	return 0;
}

int fuzz_clock_gettime(clockid_t clock, struct timespec *ts);
int fuzz_clock_gettime(clockid_t clock, struct timespec *ts)
{
	(void)clock;
	*ts = (struct timespec){ now_ms / 1000, now_ms % 1000 * 1000000 };
	return 0;
}

int fuzz_nanosleep(const struct timespec *ts, struct timespec *left);
int fuzz_nanosleep(const struct timespec *ts, struct timespec *left)
{
	(void)ts, (void)left;
	now_ms += 1000;
	return 0;
}

ssize_t fuzz_getrandom(void *to, size_t size, unsigned flags);
ssize_t fuzz_getrandom(void *to, size_t size, unsigned flags)
{
	static uint64_t token;

	(void)flags;
	if (unlucky())
		return -1;
	memset(to, 0, size);
	token = next_fd & 15; /* something that an input can guess */
	memcpy(to, &token, sizeof token);
	return size;
}

/* ---- memory ---- */

void *fuzz_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *fuzz_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
	int i = 0;

	(void)fd, (void)offset;
	while (i < MAPPINGS && mapping[i].at)
		i++;
	if (i == MAPPINGS)
		fuzz_fail("%d mappings", i);
	mapping[i].size = size;
	mapping[i].at = (void *)syscall(SYS_mmap, at, size, protection,
					MAP_PRIVATE | MAP_ANONYMOUS | (flags & MAP_NORESERVE), -1, 0);
	return mapping[i].at;
}

static void unmap(int i)
{
	syscall(SYS_munmap, mapping[i].at, mapping[i].size);
	mapping[i].at = NULL;
}

int fuzz_munmap(void *at, size_t size);
int fuzz_munmap(void *at, size_t size)
{
	for (int i = 0; i < MAPPINGS; i++) {
		if (mapping[i].at != at)
			continue;
		if (mapping[i].size != size)
			fuzz_fail("unmaps %zu of %zu bytes", size, mapping[i].size);
		unmap(i);
		return 0;
	}
	fuzz_fail("unmaps what is not mapped");
}

int fuzz_madvise(void *at, size_t size, int advice);
int fuzz_madvise(void *at, size_t size, int advice)
{
	(void)at, (void)size, (void)advice;
	return 0;
}

int fuzz_memfd_create(const char *name, unsigned flags);
int fuzz_memfd_create(const char *name, unsigned flags)
{
	(void)name, (void)flags;
	return unlucky() ? fail(EMFILE) : make(MEMFD);
}

int fuzz_ftruncate(int fd, off_t size);
int fuzz_ftruncate(int fd, off_t size)
{
	(void)size;
	need(fd, "ftruncate");
	return 0;
}

int fuzz_fcntl(int fd, int cmd, ...);
int fuzz_fcntl(int fd, int cmd, ...)
{
	(void)cmd;
	need(fd, "fcntl");
	return 0;
}

/* The figures, or a line for the log. */
ssize_t fuzz_write(int fd, const void *data, size_t size);
ssize_t fuzz_write(int fd, const void *data, size_t size)
{
	static volatile char sink;

	for (size_t i = 0; i < size; i++)
		sink ^= ((const char *)data)[i];
	if (fd != 2)
		need(fd, "write");
	return fd != 2 && unlucky() ? fail(ENOSPC) : (ssize_t)size;
}

/* ---- */

/* After the end: everything but these has been closed. */
static void check_left(void)
{
	for (int fd = FIRST; fd < next_fd; fd++) {
		const struct fd *f = &fd_of[fd - FIRST];

		if (f->kind == PIDFD || f->kind == LINK || f->kind == CONNECTION)
			if (!f->watched && f->kind != CONNECTION)
				fuzz_fail("descriptor %d of kind %u is open, and nobody watches it", fd, f->kind);
		if (f->kind == FAR_END || f->kind == FILE_TEXT || f->kind == FOREIGN || f->kind == PIPE)
			fuzz_fail("descriptor %d of kind %u is left open", fd, f->kind);
	}
}

static void life(void)
{
	static const struct fc_transport transport;
	static char prefix[] = "/data";

	v.exports.count = 1;
	v.exports.export[0] = (struct fc_export){
		.prefix = prefix, .root_fd = FC_FD_EXPORT, .mount_id = 100, .dev = 0x801, .ino = 2
	};
	v.privileged = !(options & OPTION_ROOTLESS);
	v.any_root = options & OPTION_ANY_ROOT;
	v.identity = (struct fc_identity){ v.privileged, 996, 996 };
	for (int i = 0; i < FC_GOODS; i++)
		v.capacity.of[i] = 4096;
	v.transport = &transport;
	v.listen_fd = make(LISTEN);
	fc_peer_init(options & OPTION_CAPS);
	if (fc_supervisor_init(&v))
		return;
	if (supervisor_begins)
		supervisor_begins(&v);
	fc_supervisor_run(&v);
	/* those that could not be closed in a child stay open */
	if (v.connections > count(CONNECTION))
		fuzz_fail("%u connections are open, %u counted", count(CONNECTION), v.connections);
	check_left();
	fc_supervisor_fini(&v);
	if (supervisor_ends)
		supervisor_ends(&v);
	if (count(LINK))
		fuzz_fail("%u links outlive the domain", count(LINK));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_input(data, size);
	options = fuzz_front(1);
	if (supervisor_begins)
		options &= ~OPTION_ROOTLESS; /* other domains are served by a privileged one only */
	memset(&v, 0, sizeof v);
	next_fd = FIRST;
	next_pid = 600;
	now_ms = 1000000;
	if (!setjmp(fuzz_over))
		life();
	if (supervisor_after)
		supervisor_after();
	for (int i = 0; i < MAPPINGS; i++)
		if (mapping[i].at)
			unmap(i);
	return 0;
}
