/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clerk.c - the process that knows how ids are called outside, see storage-domain/clerk.h. It believes nobody who asks. */
#define _GNU_SOURCE
#include "storage-domain/supervisor/clerk.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/atomic.h"
#include "common/doorbell.h"
#include "storage-domain/clerk.h"
#include "storage-domain/fds.h"
#include "storage-domain/fence.h"
#include "storage-domain/log.h"
#include "storage-domain/roster.h"

#define CLERKS 4 /* threads: a file server that does not answer keeps one */

static struct fc_clerk_box *boxes;

/* ---- the process ---- */

struct desk {
	struct fc_clerk_ask ask;
	char value[FC_CLERK_VALUE];
	size_t size; /* of the value */
	int fd;      /* the file, maybe O_PATH */
	char path[32];
};

/* Without asking a file server. */
static int owner(const struct desk *d, struct fc_clerk_box *box)
{
	struct statx st;

	if (statx(d->fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_UID | STATX_GID | STATX_INO, &st))
		return -errno;
	box->uid = st.stx_uid;
	box->gid = st.stx_gid;
	box->dev = makedev(st.stx_dev_major, st.stx_dev_minor);
	box->ino = st.stx_ino;
	return 0;
}

static int work(const struct desk *d, struct fc_clerk_box *box)
{
	int r;

	switch (d->ask.work) {
	case FC_CLERK_OWNER:
		return owner(d, box);
	case FC_CLERK_CHOWN:
		r = fchownat(d->fd, "", d->ask.uid, d->ask.gid, AT_EMPTY_PATH);
		break;
	case FC_CLERK_GET_XATTR:
		r = (int)getxattr(d->path, d->ask.name, box->value, sizeof box->value);
		break;
	case FC_CLERK_SET_XATTR:
		r = setxattr(d->path, d->ask.name, d->value, d->size, (int)d->ask.flags);
		break;
	default:
		return -EINVAL;
	}
	return r < 0 ? -errno : r;
}

/* A question, or false: this was none. Errors that pass are none either. */
static bool receive(struct desk *d)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	struct iovec iov[2] = { { &d->ask, sizeof d->ask }, { d->value, sizeof d->value } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2, .msg_control = control, .msg_controllen = sizeof control };
	ssize_t n = recvmsg(FC_FD_CLERK, &m, MSG_CMSG_CLOEXEC);
	const struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&m);

	if (n == 0 || (n < 0 && errno != EINTR && errno != ENOMEM && errno != ENOBUFS))
		_exit(0);
	d->fd = -1;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&d->fd, CMSG_DATA(c), sizeof d->fd);
	if (n < (ssize_t)sizeof d->ask || d->ask.box >= FC_SESSIONS_MAX)
		return false;
	d->size = (size_t)n - sizeof d->ask;
	d->ask.name[FC_CLERK_NAME - 1] = '\0';
	return true;
}

static void answer(struct desk *d)
{
	struct fc_clerk_box *box = &boxes[d->ask.box];

	snprintf(d->path, sizeof d->path, "/proc/self/fd/%d", d->fd);
	/* the question before, which another thread may have had, has been answered */
	if (fc_load_acquire(&box->answered) == d->ask.serial)
		return;
	/* without a file: there was no number left for it here */
	fc_store(&box->result, d->fd < 0 ? -EMFILE : work(d, box));
	fc_store_release(&box->answered, d->ask.serial);
	fc_futex_wake(&box->answered, INT32_MAX);
}

static void serve(struct desk *d) __attribute__((noreturn));
static void serve(struct desk *d)
{
	for (;;) {
		if (receive(d))
			answer(d);
		if (d->fd >= 0)
			close(d->fd);
	}
}

static pthread_barrier_t all_here;

static void *start(void *desk)
{
	pthread_barrier_wait(&all_here);
	serve(desk);
}

/* For all threads, of which none starts any more. */
static int enter_fence(void)
{
	static const int allowed[] = {
		SCMP_SYS(recvmsg),         SCMP_SYS(close),     SCMP_SYS(statx),       SCMP_SYS(fchownat),
		SCMP_SYS(getxattr),        SCMP_SYS(setxattr),  SCMP_SYS(futex),       SCMP_SYS(write),
		SCMP_SYS(exit_group),
#ifdef FC_FENCE_SANITIZED
		SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(sched_yield), SCMP_SYS(mmap),
		SCMP_SYS(munmap),          SCMP_SYS(madvise),   SCMP_SYS(sigaltstack), SCMP_SYS(rt_sigprocmask),
		SCMP_SYS(gettid),
#endif
	};
	scmp_filter_ctx ctx = seccomp_init(FC_FENCE_OTHERS);
	int r = ctx ? seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1) : -1;

	for (unsigned i = 0; i < sizeof allowed / sizeof allowed[0] && r == 0; i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return r;
}

static void clerk(const struct fc_identity *id, int sock, pid_t parent) __attribute__((noreturn));
static void clerk(const struct fc_identity *id, int sock, pid_t parent)
{
	static struct desk desk[CLERKS];
	pthread_t thread;

	dup3(sock, FC_FD_CLERK, O_CLOEXEC);
	for (int fd = 0; fd < FC_FD_CLERK; fd++)
		if (fd != FC_FD_LOG)
			close(fd);
	close_range(FC_FD_CLERK + 1, ~0u, 0);
	prctl(PR_SET_NAME, "farcall-clerk", 0, 0, 0);
	if (fc_identity_take(id, 0) || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) || getppid() != parent)
		_exit(1);
	pthread_barrier_init(&all_here, NULL, CLERKS);
	for (int i = 1; i < CLERKS; i++)
		if (pthread_create(&thread, NULL, start, &desk[i]))
			_exit(1);
	pthread_barrier_wait(&all_here);
	if (enter_fence() || write(FC_FD_CLERK, "", 1) != 1)
		_exit(1);
	serve(&desk[0]);
}

/* ---- the supervisor's side ---- */

struct fc_clerk_box *fc_clerk_start(const struct fc_identity *id)
{
	pid_t supervisor = getpid(), pid;
	int pair[2];
	char ready;

	boxes = mmap(NULL, FC_SESSIONS_MAX * sizeof *boxes, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (boxes == MAP_FAILED || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		goto failed;
	pid = fork();
	if (pid == 0)
		clerk(id, pair[1], supervisor);
	close(pair[1]);
	if (pid < 0 || dup3(pair[0], FC_FD_CLERK, O_CLOEXEC) < 0)
		goto failed;
	close(pair[0]);
	/* it says so when it is there */
	if (read(FC_FD_CLERK, &ready, 1) == 1)
		return boxes;
	errno = ECHILD;
failed:
	fc_log(FC_LOG_ERROR, "cannot start the clerk, who knows other users' ids: %s", strerror(errno));
	return NULL;
}
