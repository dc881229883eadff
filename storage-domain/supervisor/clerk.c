/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clerk.c - the process that knows how ids are called outside, see storage-domain/clerk.h. It believes nobody who asks. */
#define _GNU_SOURCE
#include "storage-domain/supervisor/clerk.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
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
#include "storage-domain/supervisor/helper.h"

#define CLERKS_MAX 64 /* threads: a file server that does not answer keeps one for each question */

static struct fc_clerk_box *boxes;

/* ---- one question ---- */

struct desk {
	struct fc_clerk_ask ask;
	char said[FC_CLERK_VALUE]; /* the value that came with it */
	size_t size;
	int fd; /* the file, maybe O_PATH */
	struct fc_clerk_box answer;
};

/* Without asking a file server. */
static int owner(struct desk *d)
{
	struct statx st;

	if (statx(d->fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_UID | STATX_GID | STATX_INO, &st))
		return -errno;
	d->answer.uid = st.stx_uid;
	d->answer.gid = st.stx_gid;
	d->answer.dev = makedev(st.stx_dev_major, st.stx_dev_minor);
	d->answer.ino = st.stx_ino;
	return 0;
}

static int work(struct desk *d)
{
	char path[32];
	int r = -1;

	snprintf(path, sizeof path, "/proc/self/fd/%d", d->fd);
	errno = EINVAL;
	switch (d->ask.work) {
	case FC_CLERK_OWNER:
		return owner(d);
	case FC_CLERK_CHOWN:
		r = fchownat(d->fd, "", d->ask.uid, d->ask.gid, AT_EMPTY_PATH);
		break;
	case FC_CLERK_GET_XATTR:
		if (fc_clerk_is_list(d->ask.name) || !strcmp(d->ask.name, "security.capability"))
			r = (int)getxattr(path, d->ask.name, d->answer.value, sizeof d->answer.value);
		break;
	case FC_CLERK_SET_XATTR:
		if (fc_clerk_is_list(d->ask.name))
			r = setxattr(path, d->ask.name, d->said, d->size, (int)d->ask.flags);
		break;
	}
	return r < 0 ? -errno : r;
}

/* Unless whoever has asked is dead, and another session has asked in the same box since. */
static void publish(const struct desk *d, int result)
{
	static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
	struct fc_clerk_box *box = &boxes[d->ask.box];

	pthread_mutex_lock(&one);
	if (fc_load(&box->asked) == d->ask.serial) {
		fc_store(&box->result, result);
		box->uid = d->answer.uid;
		box->gid = d->answer.gid;
		box->dev = d->answer.dev;
		box->ino = d->answer.ino;
		if (d->ask.work == FC_CLERK_GET_XATTR && result > 0)
			memcpy(box->value, d->answer.value, (size_t)result);
		fc_store_release(&box->answered, d->ask.serial);
		fc_futex_wake(&box->answered, INT32_MAX);
	}
	pthread_mutex_unlock(&one);
}

/* ---- threads ---- */

static uint32_t waiting; /* for a question */
static uint32_t threads;

static bool is_over(void)
{
	struct pollfd p = { .fd = FC_FD_CLERK };

	return poll(&p, 1, 0) > 0 && (p.revents & POLLHUP);
}

/* A question, or false: this was none. */
static bool receive(struct desk *d)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	struct iovec iov[2] = { { &d->ask, sizeof d->ask }, { d->said, sizeof d->said } };
	/* room for one descriptor: the kernel closes what else there is */
	struct msghdr m = {
		.msg_iov = iov, .msg_iovlen = 2, .msg_control = control, .msg_controllen = CMSG_LEN(sizeof(int))
	};
	ssize_t n = recvmsg(FC_FD_CLERK, &m, MSG_CMSG_CLOEXEC);
	const struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&m);

	if (n == 0 && is_over())
		_exit(0);
	d->fd = -1;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&d->fd, CMSG_DATA(c), sizeof d->fd);
	if (n < (ssize_t)sizeof d->ask || d->ask.box >= FC_SESSIONS_MAX * FC_CLERK_BOXES)
		return false;
	d->size = (size_t)n - sizeof d->ask;
	d->ask.name[FC_CLERK_NAME - 1] = '\0';
	return true;
}

static void *serve(void *first);

/* Before something that may take for ever: somebody else is there for the next question. If there can be no other, it waits. */
static void see_that_one_waits(void)
{
	pthread_t thread;

	if (fc_load(&waiting))
		return;
	if (fc_faa(&threads, 1u) < CLERKS_MAX && !pthread_create(&thread, NULL, serve, NULL))
		pthread_detach(thread);
	else
		fc_faa(&threads, -1u);
}

static void *serve(void *first)
{
	struct desk *d = mmap(NULL, sizeof *d, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (d == MAP_FAILED)
		return first;
	for (;;) {
		bool asked;

		fc_faa(&waiting, 1u);
		asked = receive(d);
		fc_faa(&waiting, -1u);
		if (asked) {
			if (d->ask.work != FC_CLERK_OWNER)
				see_that_one_waits();
			/* without a file: there was no number left for it here */
			publish(d, d->fd < 0 ? -EMFILE : work(d));
		}
		if (d->fd >= 0)
			close(d->fd);
	}
}

static int enter_fence(void)
{
	static const int allowed[] = {
		SCMP_SYS(recvmsg),
		SCMP_SYS(close),
		SCMP_SYS(statx),
		SCMP_SYS(fchownat),
		SCMP_SYS(getxattr),
		SCMP_SYS(setxattr),
		SCMP_SYS(poll),
		SCMP_SYS(write),
		SCMP_SYS(exit_group),
		/* threads */
		SCMP_SYS(futex),
		SCMP_SYS(munmap),
		SCMP_SYS(madvise),
		SCMP_SYS(brk),
		SCMP_SYS(rseq),
		SCMP_SYS(set_robust_list),
		SCMP_SYS(rt_sigprocmask),
		SCMP_SYS(rt_sigaction),
		SCMP_SYS(exit),
#ifdef FC_FENCE_SANITIZED
		SCMP_SYS(clock_nanosleep),
		SCMP_SYS(nanosleep),
		SCMP_SYS(sched_yield),
		SCMP_SYS(mmap),
		SCMP_SYS(mprotect),
		SCMP_SYS(sigaltstack),
		SCMP_SYS(gettid),
		SCMP_SYS(sched_getaffinity),
		SCMP_SYS(prlimit64),
		SCMP_SYS(prctl),
#endif
	};
	const struct {
		int nr;
		struct scmp_arg_cmp when;
	} rule[] = {
		{ SCMP_SYS(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0) },
		{ SCMP_SYS(mprotect), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0) },
		{ SCMP_SYS(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD) },
	};
	scmp_filter_ctx ctx = seccomp_init(FC_FENCE_OTHERS);
	int r = ctx ? seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) : -1;

	for (unsigned i = 0; i < sizeof allowed / sizeof allowed[0] && r == 0; i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
	for (unsigned i = 0; i < sizeof rule / sizeof rule[0] && r == 0; i++)
		r = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, rule[i].nr, 1, &rule[i].when);
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return r;
}

static void clerk(const struct fc_identity *id, pid_t supervisor)
{
	if (fc_helper_settle(id, 0, supervisor) || enter_fence() || write(FC_FD_CLERK, "", 1) != 1)
		_exit(1);
	serve(NULL);
}

/* ---- the supervisor's side ---- */

struct fc_clerk_box *fc_clerk_start(const struct fc_identity *id)
{
	char ready;

	boxes = mmap(NULL, FC_SESSIONS_MAX * FC_CLERK_BOXES * sizeof *boxes, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (boxes != MAP_FAILED && fc_helper_start(FC_FD_CLERK, "farcall-clerk", clerk, id) == 0) {
		/* it says so when it is there */
		if (read(FC_FD_CLERK, &ready, 1) == 1)
			return boxes;
		errno = ECHILD;
	}
	fc_log(FC_LOG_ERROR, "cannot start the clerk, who knows other users' ids: %s", strerror(errno));
	return NULL;
}
