/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * control.c - fuzz target: a shadow's control thread from its first breath (fc_shadow_main), with what its client and its supervisor
 * send, and the memory and other descriptors that come along. Memory is real, so that a page that is not there is a SIGBUS here too;
 * sockets, forks and everything about the process are modelled. Workers are a stand-in that touches all the memory they would.
 *
 * An input: a byte of options; then for each wakeup who speaks (even: the client, odd: the supervisor) and the message
 * (message.c); from the end, what the system calls answer.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "common/region.h"
#include "storage-domain/supervisor/confine.h"
#include "storage-domain/caps.h"
#include "storage-domain/fds.h"
#include "storage-domain/lease_watch.h"
#include "storage-domain/shadow/link.h"
#include "storage-domain/roster.h"
#include "storage-domain/shadow/shadow_main.h"
#include "storage-domain/shadow/transport.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/given.h"
#include "tests/fuzz/message.h"

#define OPTION_OWN_START 1u /* also CRED and SESSION are the input's */
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
#define SLOT 5
#define HEIR 6 /* its slot */
#define HEIR_ID 9
#define LINK 40        /* as fc_shadow_prepare and fc_shadow_main get it */
#define CONNECTION 900 /* as SESSION brings it */
#define FAKES (64 + FC_LEASES)
#define MAPPINGS 16
#define OFFERS 4

static struct fc_domain_shared roster;
static struct fc_exports exports = { .count = 1, .export = { { .prefix = "/data" } } };
static struct fc_transport transport;
static struct fc_shadow *shadow;
static unsigned options, greeted, answers, expected;
static bool forked;         /* the child's slot is its own, and what it holds */
static bool cut;            /* the client's connection has been shut down */
static bool workers, apart; /* in a thread with a descriptor table of its own */
static bool own_directory;  /* and a current directory */
/* The thread that hands over, made and waiting; the message that it gets, with a file; whether that has been looked at, and may go. */
static struct {
	void *(*run)(void *);
	void *arg;
	struct message message;
	mode_t type; /* of the file, once looked at */
	bool may_go;
	jmp_buf asleep; /* it waits for the next */
} hander;
static int leased[FAKES], leases; /* descriptors of that thread that have a lease */
static struct message client, link_;
static int fake[FAKES], fakes, next_fake;
static uint64_t vacant; /* of the numbers below FC_DOMAIN_FD_FIRST */
static struct {
	char *at;
	size_t size;
} mapping[MAPPINGS];

/* ---- descriptors that are only numbers ---- */

static int fake_open(void)
{
	int fd = 0;

	if (fakes == FAKES)
		fuzz_fail("%d descriptors are open", fakes);
	while (fd < FC_DOMAIN_FD_FIRST && !(vacant >> fd & 1))
		fd++;
	if (fd == FC_DOMAIN_FD_FIRST)
		fd = next_fake++;
	else
		vacant &= ~(1ull << fd);
	fake[fakes++] = fd;
	return fd;
}

static bool list_remove(int *list, int *count, int fd)
{
	for (int i = 0; i < *count; i++) {
		if (list[i] != fd)
			continue;
		list[i] = list[--*count];
		return true;
	}
	return false;
}

static bool lease_end(int fd)
{
	return list_remove(leased, &leases, fd);
}

static bool fake_close(int fd)
{
	lease_end(fd);
	return list_remove(fake, &fakes, fd);
}

static bool fake_has(int fd)
{
	for (int i = 0; i < fakes; i++)
		if (fake[i] == fd)
			return true;
	return false;
}

static int error(int number)
{
	errno = number;
	return -1;
}

/* Some call does not succeed, rarely. */
static bool unlucky(void)
{
	return (fuzz_back(1) & 15) == 15;
}

int fuzz_close(int fd);
int fuzz_close(int fd)
{
	bool own = fd >= 0 && fd < FC_DOMAIN_FD_FIRST;

	if (own ? vacant >> fd & 1 : !given_close(fd) && !fake_close(fd))
		fuzz_fail("closes %d, which is not open", fd);
	if (own) {
		fake_close(fd);
		vacant |= 1ull << fd;
	}
	return 0;
}

int fuzz_close_range(unsigned first, unsigned last, int flags);
int fuzz_close_range(unsigned first, unsigned last, int flags)
{
	if (first == FC_FD_EXPORT && last == FC_DOMAIN_FD_FIRST - 1 && !flags && apart)
		return 0; /* files that are mapped: none are in the model */
	if (first != FC_DOMAIN_FD_FIRST || last != ~0u)
		fuzz_fail("close_range(%u, %u)", first, last);
	if (flags & CLOSE_RANGE_UNSHARE) {
		if (unlucky())
			return error(ENOMEM);
		apart = true;
		return 0;
	}
	given_end();
	fakes = leases = 0;
	return 0;
}

int fuzz_dup3(int from, int to, int flags);
int fuzz_dup3(int from, int to, int flags)
{
	(void)flags;
	if (to < 0 || to >= FC_DOMAIN_FD_FIRST)
		fuzz_fail("dup3 to %d", to);
	if (from >= FC_DOMAIN_FD_FIRST && !fake_has(from) && !given_has(from))
		return error(EBADF);
	if (unlucky())
		return error(EBUSY);
	fake_close(to);
	vacant &= ~(1ull << to);
	cut &= to != FC_FD_CLIENT;
	return to;
}

int fuzz_fcntl(int fd, int cmd, ...);
int fuzz_fcntl(int fd, int cmd, ...)
{
	va_list args;
	long arg;

	va_start(args, cmd);
	arg = va_arg(args, long);
	va_end(args);
	if (cmd == F_DUPFD_CLOEXEC)
		return fake_open();
	return given_has(fd) ? fcntl(fd, cmd, arg) : error(EBADF);
}

int fuzz_statx(int fd, const char *path, int flags, unsigned mask, struct statx *st);
int fuzz_statx(int fd, const char *path, int flags, unsigned mask, struct statx *st)
{
	return given_has(fd) ? statx(fd, path, flags, mask, st) : error(EBADF);
}

off_t fuzz_lseek(int fd, off_t offset, int whence);
off_t fuzz_lseek(int fd, off_t offset, int whence)
{
	return given_has(fd) ? lseek(fd, offset, whence) : error(EBADF);
}

int fuzz_fstat(int fd, struct stat *st);
int fuzz_fstat(int fd, struct stat *st)
{
	if (!fake_has(fd))
		return given_has(fd) ? fstat(fd, st) : error(EBADF);
	*st = (struct stat){ .st_dev = fuzz_back(1) & 1 }; /* on the skeleton, or not */
	return unlucky() ? error(ENOMEM) : 0;
}

/* What the client has open, for another's. */
int fuzz_openat(int dir, const char *path, int flags, ...);
int fuzz_openat(int dir, const char *path, int flags, ...)
{
	if (apart && dir == FC_FD_PROC && !strncmp(path, "thread-self/fd/", 15) && fake_has(atoi(path + 15)))
		return unlucky() ? error(EACCES) : fake_open(); /* what is delegated is opened once more */
	if (dir != FC_FD_PROC || flags != (O_PATH | O_CLOEXEC) ||
	    (strcmp(path, "self/cwd") && strncmp(path, "self/fd/", 8)) ||
	    (path[5] == 'f' && atoi(path + 8) < FC_DOMAIN_FD_FIRST))
		fuzz_fail("openat(%d, %s, %#x)", dir, path, flags);
	return unlucky() ? error(ENOENT) : fake_open();
}

int fuzz_fstatfs(int fd, struct statfs *fs);
int fuzz_fstatfs(int fd, struct statfs *fs)
{
	return given_has(fd) ? fstatfs(fd, fs) : error(EBADF);
}

int fuzz_socketpair(int domain, int type, int protocol, int pair[2]);
int fuzz_socketpair(int domain, int type, int protocol, int pair[2])
{
	(void)domain, (void)type, (void)protocol;
	if (unlucky())
		return error(EMFILE);
	pair[0] = fake_open();
	pair[1] = fake_open();
	return 0;
}

int fuzz_setsockopt(int fd, int level, int name, const void *value, socklen_t size);
int fuzz_setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
	(void)fd, (void)level, (void)name, (void)value, (void)size;
	return unlucky() ? error(ENOPROTOOPT) : 0;
}

/* ---- memory: real, but known; not by the C library's names, which the sanitizer follows with its own bookkeeping ---- */

static char *raw_map(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
	return (char *)syscall(SYS_mmap, at, size, protection, flags, fd, offset);
}

static int mapping_of(const char *at, size_t size)
{
	for (int i = 0; i < MAPPINGS; i++)
		if (mapping[i].size && at >= mapping[i].at && fc_region_ok(mapping[i].size, at - mapping[i].at, size))
			return i;
	return -1;
}

void *fuzz_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *fuzz_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
	char *m;
	int i = 0;

	if (fd >= 0 && !given_has(fd))
		fuzz_fail("maps descriptor %d", fd);
	if (flags & MAP_FIXED && mapping_of(at, size) < 0)
		fuzz_fail("maps %zu bytes at %p over something else", size, at);
	if (unlucky())
		return error(ENOMEM), MAP_FAILED;
	m = raw_map(at, size, protection, flags, fd, offset);
	if (m == MAP_FAILED || flags & MAP_FIXED)
		return m;
	while (i < MAPPINGS && mapping[i].size)
		i++;
	if (i == MAPPINGS)
		fuzz_fail("%d mappings", i);
	mapping[i].at = m;
	mapping[i].size = (size + FC_PAGE_SIZE - 1) & ~(size_t)(FC_PAGE_SIZE - 1);
	return m;
}

int fuzz_munmap(void *at, size_t size);
int fuzz_munmap(void *at, size_t size)
{
	int i = mapping_of(at, size);

	if (i < 0)
		fuzz_fail("unmaps %zu bytes at %p, which are not mapped", size, at);
	if (at == mapping[i].at)
		mapping[i].size = 0;
	return (int)syscall(SYS_munmap, at, size);
}

void *fuzz_mremap(void *at, size_t was, size_t size, int flags, void *to);
void *fuzz_mremap(void *at, size_t was, size_t size, int flags, void *to)
{
	int i = mapping_of(at, was);

	if (i < 0 || at != mapping[i].at || was != size || flags != (MREMAP_MAYMOVE | MREMAP_FIXED) ||
	    mapping_of(to, size) < 0)
		fuzz_fail("moves %zu bytes from %p to %p", was, at, to);
	if (unlucky())
		return error(ENOMEM), MAP_FAILED;
	mapping[i].size = 0;
	return (void *)syscall(SYS_mremap, at, was, size, flags, to);
}

int fuzz_madvise(void *at, size_t size, int advice);
int fuzz_madvise(void *at, size_t size, int advice)
{
	(void)advice;
	if (mapping_of(at, size) < 0)
		fuzz_fail("madvise on %zu bytes at %p", size, at);
	return unlucky() ? error(EAGAIN) : 0;
}

static void unmap_all(void)
{
	for (int i = 0; i < MAPPINGS; i++) {
		if (mapping[i].size)
			syscall(SYS_munmap, mapping[i].at, mapping[i].size);
		mapping[i].size = 0;
	}
}

/* ---- the process ---- */

void fuzz__exit(int status);
void fuzz__exit(int status)
{
	(void)status;
	fuzz_end();
}

/* 0: the rest of this input happens to the child, which has none of its parent's memory. */
pid_t fuzz_fork(void);
pid_t fuzz_fork(void)
{
	unsigned b = fuzz_back(1);

	if (b & 1)
		return b & 2 ? 4711 : error(EAGAIN);
	unmap_all();
	workers = false;
	forked = true;
	return 0;
}

pid_t fuzz_waitpid(pid_t pid, int *status, int flags);
pid_t fuzz_waitpid(pid_t pid, int *status, int flags)
{
	(void)pid, (void)status, (void)flags;
	if (fuzz_back(1) & 1) {
		shadow->slot->forked++;
		answers++; /* the child's */
	}
	return error(ECHILD);
}

int fuzz_clock_gettime(clockid_t clock, struct timespec *ts);
int fuzz_clock_gettime(clockid_t clock, struct timespec *ts)
{
	(void)clock;
	*ts = (struct timespec){ 1, 0 };
	return 0;
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

mode_t fuzz_umask(mode_t mask);
mode_t fuzz_umask(mode_t mask)
{
	if (mask & ~0777u)
		fuzz_fail("umask %o", mask);
	return 022;
}

int fuzz_getrlimit(int resource, struct rlimit *limit);
int fuzz_getrlimit(int resource, struct rlimit *limit)
{
	(void)resource;
	*limit = (struct rlimit){ 1 << 20, 1ull << 40 };
	return 0;
}

int fuzz_setrlimit(int resource, const struct rlimit *limit);
int fuzz_setrlimit(int resource, const struct rlimit *limit)
{
	if (resource != RLIMIT_FSIZE || limit->rlim_max != 1ull << 40 || limit->rlim_cur > limit->rlim_max)
		fuzz_fail("limit %d becomes %lu, %lu", resource, limit->rlim_cur, limit->rlim_max);
	return 0;
}

ssize_t fuzz_write(int fd, const void *data, size_t size);
ssize_t fuzz_write(int fd, const void *data, size_t size)
{
	(void)fd, (void)data;
	return size;
}

/* What has been sent before can still be received. */
int fuzz_shutdown(int fd, int how);
int fuzz_shutdown(int fd, int how)
{
	if (fd != FC_FD_CLIENT || how != SHUT_RDWR)
		fuzz_fail("shutdown(%d, %d)", fd, how);
	cut = true;
	return 0;
}

static bool is_hander(unsigned type)
{
	return type == FC_MSG_HAND || type == FC_MSG_LEASE || type == FC_MSG_RETURN;
}

/* Threads run when they are made. */
int fuzz_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg);
int fuzz_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
	(void)attr;
	if (unlucky())
		return EAGAIN;
	*thread = pthread_self();
	if (apart) /* whoever does what is posted: there is nothing */
		return 0;
	if (is_hander(client.head.type) && !client.pending) { /* it waits for what is sent to it */
		hander.run = run;
		hander.arg = arg;
		return 0;
	}
	run(arg);
	apart = own_directory = false;
	return 0;
}

/* Until there are threads again. */
int fuzz_nanosleep(const struct timespec *ts, struct timespec *left);
int fuzz_nanosleep(const struct timespec *ts, struct timespec *left)
{
	(void)ts, (void)left;
	return 0;
}

/* The model has one process. */
int fc_beside(void (*run)(void *), void *arg, unsigned long flags)
{
	(void)run, (void)arg, (void)flags;
	return -EAGAIN;
}

/* ---- messages ---- */

static int open_fake(const struct message *m, int n)
{
	(void)m, (void)n;
	return fake_open();
}

/* AREAS brings the request area first; what else a message promises is in its first argument. */
static int open_given(const struct message *m, int n)
{
	if (!apart && workers)
		fuzz_fail("what the client passes is in the workers' table");
	bool area = m->head.type == FC_MSG_AREAS && n == 0;

	return given_open(m->fd_kind[n], area ? sizeof(struct fc_request_area) : m->head.arg[0]);
}

static void start(struct message *m)
{
	message_usual(m, greeted ? FC_LINK_SESSION : FC_LINK_CRED);
	if (!greeted)
		m->head.arg[0] = m->head.arg[1] = 1000 | 1000ull << 32;
	m->head.arg[3] = greeted ? 022 : 0;
	m->head.arg[4] = -1ull;
	m->fd_count = greeted;
}

static void offer_heir(void);

static void next_link(void)
{
	if (greeted < 2 && !(options & OPTION_OWN_START))
		start(&link_);
	else
		message_make(&link_);
	/* the supervisor passes the connection and nothing else, and its answers are 0 or -errno */
	if (greeted >= 2)
		link_.fd_count = 0;
	link_.head.status = -(link_.head.status & 1023);
	greeted++;
	if (greeted > 2 && link_.head.type == FC_LINK_HEIR) {
		if (shadow && shadow->heir.given && link_.head.arg[0] & 1) { /* it is dead, and has not answered */
			link_.head.arg[0] = shadow->heir.given;
			expected++;
		}
		offer_heir();
	}
}

/* Which answers the client is owed for what it says, if its session goes on. */
static unsigned owed(unsigned type)
{
	return type == FC_MSG_AREAS || type == FC_MSG_GROW || type == FC_MSG_MAP || type == FC_MSG_RLIMIT ||
	       type == FC_MSG_FORK || type == FC_MSG_MEMORY || is_hander(type) || type == FC_MSG_BIND ||
	       type == FC_MSG_WATCH;
}

static long receive(int sock, struct msghdr *to, int flags)
{
	struct message *m = sock == FC_FD_CLIENT ? &client : sock == FC_FD_HANDED ? &hander.message : &link_;
	long r;

	if (sock == FC_FD_PARENT) /* who is of the domain, and not of this input: it ends */
		return 0;
	if (sock == FC_FD_HANDED && !apart)
		fuzz_fail("a file is taken in the workers' table, where its locks go when it is closed");
	if (sock != FC_FD_CLIENT && sock != FC_FD_LINK && sock != FC_FD_HANDED && !fake_has(sock))
		fuzz_fail("receives from %d", sock);
	if (!m->pending && flags & MSG_DONTWAIT && !(cut && m == &client))
		return -EAGAIN;
	if (!m->pending && m == &link_ && fuzz_left())
		next_link();
	if (!m->pending && m == &hander.message)
		longjmp(hander.asleep, 1);
	if (!m->pending) { /* the other end has gone */
		to->msg_controllen = 0;
		to->msg_flags = 0;
		return 0;
	}
	r = message_deliver(m, to, flags, m == &client ? open_given : open_fake);
	if (m == &client && !m->pending)
		expected = owed(m->head.type);
	return r;
}

/* What an heir gets: nothing that is not the client's, but what it is to answer on and where it is to be. It answers in its parent's stead. */
static long send_to_heir(const struct msghdr *from)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(from);
	size_t n = c ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;
	int fd;

	if (*(const uint32_t *)from->msg_iov[0].iov_base != HEIR_ID)
		fuzz_fail("somebody else's heir is to be one");
	if (!from->msg_iov[0].iov_len || from->msg_iovlen != 1)
		fuzz_fail("an estate of %zu parts", from->msg_iovlen);
	for (size_t i = 0; i < n; i++) {
		memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
		if (fd != FC_FD_CLIENT && fd != FC_FD_CWD && !fake_has(fd))
			fuzz_fail("an heir gets descriptor %d", fd);
	}
	if (unlucky())
		return -EAGAIN;
	roster.slot[HEIR].heir = 0;
	answers++;
	return (long)from->msg_iov[0].iov_len;
}

static void offer_heir(void)
{
	roster.slot[HEIR].heir = FC_HEIR_WAITS(HEIR_ID);
	roster.slot[SLOT].next = fuzz_back(1) & 1 ? FC_NEXT(HEIR_ID, HEIR) : FC_NEXT_COMING;
}

static long deliver_answer(int sock, const struct msghdr *from)
{
	int fd[FC_MSG_FDS], fds;
	struct fc_msg head;

	message_sent(from, &head, fd, &fds);
	for (int i = 0; i < fds; i++)
		if ((!fake_has(fd[i]) && !(fd[i] == FC_FD_WAY_END && sock == FC_FD_LINK)) ||
		    (is_hander(head.type) && !hander.may_go))
			fuzz_fail("passes descriptor %d to %d", fd[i], sock);
	if (sock == FC_FD_CLIENT && head.type != FC_MSG_GONE && head.type != FC_MSG_OTHER && head.type != FC_MSG_PASS &&
	    head.type != FC_MSG_CLAIM && head.type != FC_MSG_ATTACH) {
		if (given_left())
			fuzz_fail("answers with %u of the client's descriptors open", given_left());
		if (head.type == FC_MSG_HAND && head.status == 0 && !fds && fakes > leases)
			fuzz_fail("says that it has let go of a file, and has it");
		answers += head.type != FC_MSG_HAND || !fds;
	}
	return unlucky() ? -(fuzz_back(1) & 1 ? EAGAIN : EPIPE) : (long)sizeof head;
}

/* What a client's descriptor refers to: anything. */
static long look_at_handed(int fd, struct stat *st)
{
	static const mode_t types[] = { S_IFREG, S_IFIFO, S_IFSOCK, S_IFDIR, S_IFCHR, S_IFBLK, S_IFLNK, 0 };
	const mode_t type = hander.type ? hander.type & S_IFMT : types[fuzz_back(1) & 7];

	if (!apart || !fake_has(fd))
		fuzz_fail("looks at %d", fd);
	hander.type = type | 1;
	*st = (struct stat){ .st_mode = type, .st_size = fuzz_back(1), .st_blocks = fuzz_back(1) & 1 };
	hander.may_go = type == S_IFREG || type == S_IFIFO || type == S_IFSOCK;
	return 0;
}

/* A file of the client's goes to the thread that hands over, which is the next to run. */
static long send_to_hander(const struct msghdr *from)
{
	int fd[FC_MSG_FDS], fds;

	message_sent(from, &hander.message.head, fd, &fds);
	const bool file = hander.message.head.type != FC_MSG_RETURN;

	if (hander.message.head.type == FC_MSG_BYE && !fds) { /* at any time; here at once */
		apart = true;
		fc_leases_look(shadow);
		apart = false;
		return sizeof hander.message.head;
	}
	if (fds != file || (file && fd[0] < FC_DOMAIN_FD_FIRST) || !hander.run)
		fuzz_fail("%d files are to be handed over, the first %d", fds, fd[0]);
	if (unlucky())
		return -EBADF;
	hander.message.size = sizeof hander.message.head;
	hander.message.fd_count = file;
	hander.type = 0;
	hander.message.pending = true;
	hander.may_go = false;
	if (!setjmp(hander.asleep))
		hander.run(hander.arg);
	apart = false;
	return sizeof hander.message.head;
}

/* A call on what the client has passed, as the client: where no worker sees it. */
static long errand(int fd)
{
	if (!apart || !given_has(fd))
		fuzz_fail("a call on %d, which is not what has been passed", fd);
	return unlucky() ? -EACCES : 1;
}

static long change_directory(int fd)
{
	if (!apart || !own_directory || fd != FC_FD_PROC)
		fuzz_fail("the session's directory is changed");
	return 0;
}

int fc_cred_apply(const struct fc_cred *cred)
{
	(void)cred;
	if (!apart)
		fuzz_fail("the control thread changes its identity");
	return unlucky() ? -EPERM : 0;
}

uint64_t fc_caps_permitted(void)
{
	return 0;
}

int fc_caps_set(uint64_t effective, uint64_t permitted)
{
	if (!apart)
		fuzz_fail("the control thread takes capabilities: %lx, %lx", effective, permitted);
	return 0;
}

/* Leases: asked for, looked at, given back; whatever a client has is open as anything. */
static long lease(int fd, int cmd, int type)
{
	static const int flags[] = { O_RDONLY, O_WRONLY, O_RDWR, O_PATH };

	if (!fake_has(fd))
		fuzz_fail("fcntl(%d, %d)", fd, cmd);
	if (cmd == F_GETFL)
		return flags[fuzz_back(1) & 3];
	if (cmd == F_GETLEASE)
		return unlucky() ? F_UNLCK : fuzz_back(1) & 1 ? F_RDLCK : F_WRLCK;
	if (cmd != F_SETLEASE)
		fuzz_fail("fcntl(%d, %d)", fd, cmd);
	if (type == F_UNLCK)
		return lease_end(fd) ? 0 : -EAGAIN;
	if (unlucky())
		return -EAGAIN;
	leased[leases++] = fd;
	return 0;
}

int fc_lease_watch_begin(struct fc_lease_watch *w)
{
	if (!apart)
		fuzz_fail("leases are watched in the workers' table");
	w->thread = !unlucky();
	return w->thread ? 0 : -EAGAIN;
}

void fc_lease_watch_nudge(const struct fc_lease_watch *w)
{
	(void)w;
}

int fc_lease_take(const struct fc_lease_watch *w, int fd, int type)
{
	return w->thread ? (int)lease(fd, F_SETLEASE, type) : -EINVAL;
}

int fc_lease_give(int fd)
{
	return (int)lease(fd, F_SETLEASE, F_UNLCK);
}

/* A mapping's, at times: control has none. */
bool fc_lease_is_others(const struct fc_lease_watch *w, int fd)
{
	(void)w, (void)fd;
	return (fuzz_back(1) & 15) == 15;
}

bool fc_lease_stands(int fd, int type)
{
	return lease(fd, F_GETLEASE, 0) == type;
}

/* ---- mappings: what they are made of is there, and stays there ---- */

static struct {
	char *at;
	size_t size;
} offered[OFFERS];
static int offers;

static void touch_offered(void)
{
	for (int i = 0; i < offers; i++)
		for (size_t at = 0; at < offered[i].size; at += FC_PAGE_SIZE)
			((volatile char *)offered[i].at)[at]++;
}

int fc_maps_offer(struct fc_shadow *s, void *memory, uint64_t size)
{
	if (s != shadow || mapping_of(memory, size) < 0 || size % FC_PAGE_SIZE || size > FC_MAP_MAX)
		fuzz_fail("%lu bytes at %p are to be mapped", size, memory);
	if (offers == OFFERS || unlucky())
		return -ENOMEM;
	offered[offers].at = memory;
	offered[offers].size = size;
	touch_offered();
	return offers++;
}

int fc_maps_return(uint64_t number)
{
	fuzz_fail("mapping %lu is taken back", number);
}

void fc_maps_end(void)
{
	touch_offered();
	while (offers--)
		fuzz_munmap(offered[offers].at, offered[offers].size);
	offers = 0;
}

void fc_maps_fork(void)
{
}

void fc_maps_forked_parent(void)
{
}

void fc_maps_forked_child(void)
{
	offers = 0; /* the model's child has no memory */
}

int fc_maps_adopt(struct fc_shadow *s)
{
	(void)s;
	return unlucky() ? -ENOMEM : 0;
}

long fuzz_raw(long nr, long a, long b, long c, long d, long e, long f)
{
	long r;

	(void)d, (void)e, (void)f;
	switch (nr) {
	case SYS_recvmsg:
		return receive(a, (void *)b, c);
	case SYS_sendmsg:
		return a == FC_FD_HAND  ? send_to_hander((void *)b)
		       : a == FC_FD_WAY ? send_to_heir((void *)b)
					: deliver_answer(a, (void *)b);
	case SYS_fstat:
		return look_at_handed(a, (void *)b);
	case SYS_bind:
	case SYS_inotify_add_watch:
		return errand(a);
	case SYS_getsockopt:
		if (b != SOL_SOCKET || c != SO_COOKIE)
			fuzz_fail("getsockopt(%ld, %ld)", b, c);
		*(uint64_t *)d = fuzz_back(1);
		return errand(a) < 0 ? -ENOTSOCK : 0;
	case SYS_statx:
		*(struct statx *)e = (struct statx){ .stx_ino = fuzz_back(1) };
		return errand(a) < 0 ? -EIO : 0;
	case SYS_unshare:
		own_directory = apart && a == CLONE_FS;
		return unlucky() ? -EPERM : 0;
	case SYS_fchdir:
		return change_directory(a);
	case SYS_readlinkat: /* where what is looked at is */
		if (!apart || a != FC_FD_PROC || !fake_has(atoi((const char *)b + 15)))
			fuzz_fail("readlinkat(%ld, %s)", a, (const char *)b);
		memcpy((void *)c, fuzz_back(1) & 7 ? "/data/f" : "/other", 7);
		return fuzz_back(1) & 7 ? 7 : -EACCES;
	case SYS_openat:
		r = fuzz_openat(a, (const char *)b, c);
		return r < 0 ? -errno : r;
	case SYS_nanosleep:
		return 0;
	case SYS_fcntl:
		if (!apart && b == F_GETFD)
			return fake_has((int)a) ? 0 : -EBADF;
		if (apart && b != F_DUPFD_CLOEXEC)
			return lease(a, b, c);
		/* a number far up, to make the table of descriptors longer: there is none */
		if (a != FC_FD_NULL || b != F_DUPFD_CLOEXEC || c < FC_DOMAIN_FD_FIRST)
			fuzz_fail("fcntl(%ld, %ld, %ld)", a, b, c);
		return -EMFILE;
	case SYS_close:
		return fuzz_close(a);
	case SYS_close_range:
		return fuzz_close_range(a, b, c) ? -errno : 0;
	case SYS_fstatfs: /* is there room? */
		if (!apart || !fake_has((int)a))
			fuzz_fail("fstatfs(%ld)", a);
		*(struct statfs *)b = (struct statfs){ .f_bsize = 4096, .f_bavail = fuzz_back(1) << 12 };
		return unlucky() ? -EIO : 0;
	case SYS_futex:
	case SYS_futex_waitv:
		return 0;
	default:
		fuzz_fail("system call %ld", nr);
	}
}

/* Whatever the session's memory is said to be is there, and stays there. */
static void touch_memory(void)
{
	uint64_t length = shadow->data_length;

	touch_offered();
	if (shadow->area) {
		shadow->area->header.credit++;
		shadow->area->stream[FC_ENTRIES - 1].domain.pad[5]++;
	}
	for (uint64_t at = 0; at < length; at = fc_segment_end(fc_segment_of(at))) {
		volatile char *segment = shadow->segment[fc_segment_of(at)];

		segment[0]++;
		segment[fc_segment_end(fc_segment_of(at)) - at - 1]++;
	}
}

int fuzz_poll(struct pollfd *fds, nfds_t n, int ms);
int fuzz_poll(struct pollfd *fds, nfds_t n, int ms)
{
	if (vacant)
		fuzz_fail("numbers of the domain's own are free: %llx", (unsigned long long)vacant);
	bool speaks = fuzz_front(1) & 1; /* the supervisor */

	(void)ms;
	if (given_left())
		fuzz_fail("%u of the client's descriptors stay open", given_left());
	if (answers != expected)
		fuzz_fail("%u answers to a message of type %u", answers, client.head.type);
	answers = expected = 0;
	given_strike();
	if (shadow)
		touch_memory();
	uint64_t due = shadow && shadow->area ? sizeof *shadow->area + FC_DATA_MIN + shadow->bytes_kept : 0;

	if (shadow && shadow->slot->held[FC_BYTES] != due && !forked)
		fuzz_fail("%lu bytes are paid for, not %lu", shadow->slot->held[FC_BYTES], due);
	if (!fuzz_left())
		fuzz_end();
	if (speaks)
		next_link();
	else if (!client.pending && !cut)
		message_make(&client);
	client.has_sender = true; /* SO_PASSCRED */
	for (nfds_t i = 0; i < n; i++)
		fds[i].revents = fds[i].fd == (speaks ? FC_FD_LINK : FC_FD_CLIENT) ? POLLIN : 0;
	return 1;
}

/* ---- stand-ins ---- */

int fc_seccomp_enter(void)
{
	return 0;
}

int fc_workers_start(struct fc_shadow *s)
{
	if (workers)
		fuzz_fail("workers are started twice");
	if (unlucky())
		return -EAGAIN;
	given_strike();
	touch_memory();
	s->workers = (void *)&workers;
	workers = true;
	return 0;
}

int fc_workers_stop(struct fc_shadow *s)
{
	touch_memory();
	if (unlucky())
		return -ETIMEDOUT;
	s->workers = NULL;
	workers = false;
	return 0;
}

void fc_workers_spare(struct fc_shadow *s)
{
	if (!s->workers)
		fuzz_fail("a spare where no worker is");
}

int fc_workers_bar(struct fc_shadow *s)
{
	return s->workers && unlucky() ? -ETIMEDOUT : 0;
}

bool fc_workers_hold(struct fc_shadow *s)
{
	return s->workers && fuzz_back(1) & 1;
}

void fc_workers_release(struct fc_shadow *s)
{
	(void)s;
}

bool fc_workers_still(const struct fc_shadow *s, uint64_t *begun)
{
	(void)s;
	*begun = 0;
	return true;
}

void fc_workers_forget(struct fc_shadow *s)
{
	s->workers = NULL;
}

static int begin(struct fc_shadow *s, const struct fc_packet *session)
{
	shadow = s;
	return fc_transport_local.begin(s, session);
}

/* ---- */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_input(data, size);
	options = fuzz_front(1);
	transport = fc_transport_local;
	transport.begin = begin;
	greeted = answers = expected = fakes = leases = 0;
	next_fake = CONNECTION;
	vacant = 0;
	workers = apart = forked = cut = client.pending = link_.pending = hander.message.pending = false;
	hander.run = NULL;
	offers = 0;
	roster.used = SLOT + 1;
	for (int i = 0; i < FC_GOODS; i++)
		roster.capacity.of[i] = 4 << 20;
	memset(&roster.slot[SLOT], 0, 2 * sizeof roster.slot[SLOT]);
	roster.slot[SLOT].client_pid = 500;
	roster.slot[SLOT].tasks_max = UINT32_MAX;
	if (!setjmp(fuzz_over) && fc_shadow_prepare(&exports, &transport, &roster, NULL, LINK) == 0)
		fc_shadow_main(SLOT, fake_open());
	if (shadow)
		memset(shadow, 0, sizeof *shadow);
	shadow = NULL;
	fc_memory_local.discard();
	fc_memory_local.forget();
	unmap_all();
	given_end();
	return 0;
}
