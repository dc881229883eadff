/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clerk.c - when the clerk has to be asked, and asking it: see exec/clerk.h. */
#define _GNU_SOURCE
#include "storage-domain/exec/clerk.h"

#include <endian.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "common/atomic.h"
#include "common/doorbell.h"
#include "common/rawcall.h"
#include "storage-domain/clerk.h"
#include "storage-domain/exec/host.h"
#include "storage-domain/fds.h"
#include "storage-domain/log.h"
#include "storage-domain/roster.h"

#define LOOK_NS 1000000000ull /* how often to look whether there still is a clerk */
#define NO_ID UINT32_MAX      /* how a list of the kernel's calls whom it cannot name */
#define NO_CLERK (-10000)     /* no errno: there is none any more */

/* ---- asking ---- */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static int send_question(const struct fc_clerk_ask *q, const void *value, size_t size, int fd)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .head = { .cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	struct iovec iov[2] = { { (void *)q, sizeof *q }, { (void *)value, size } };
	const struct msghdr m = {
		.msg_iov = iov, .msg_iovlen = 2, .msg_control = &control, .msg_controllen = sizeof control
	};
	int64_t r;

	memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
	do
		r = fc_call(SYS_sendmsg, FC_FD_CLERK, &m, MSG_NOSIGNAL);
	while (r == -EINTR);
	return r < 0 ? (int)r : 0;
}

static bool clerk_gone(void)
{
	struct pollfd p = { .fd = FC_FD_CLERK };

	return fc_call(SYS_poll, &p, 1, 0) > 0 && p.revents;
}

static int no_clerk(void)
{
	static bool said;

	if (!said)
		fc_log(FC_LOG_ERROR,
		       "the clerk is gone: other users' files are nobody's from now on; start the domain anew");
	said = true;
	return NO_CLERK;
}

/* Ask about the file behind `fd`, and wait for the answer whatever signals come: as natively, a change that has been begun is not left alone.
 * The caller holds the lock of the session's box. Returns the answer's result, or NO_CLERK. */
static int ask(struct fc_clerk_box *box, struct fc_clerk_ask *q, const void *value, size_t size, int fd)
{
	int r;

	q->serial = fc_load(&box->asked) + 1;
	fc_store(&box->asked, q->serial);
	r = send_question(q, value, size, fd);
	if (r < 0)
		return r == -EPIPE || r == -ECONNRESET ? no_clerk() : r;
	for (;;) {
		uint32_t seen = fc_load_acquire(&box->answered);

		if (seen == q->serial)
			return fc_load(&box->result);
		fc_futex_wait(&box->answered, seen, now_ns() + LOOK_NS);
		if (fc_load_acquire(&box->answered) == seen && clerk_gone())
			return no_clerk();
	}
}

/* ---- the file ---- */

enum { OWNERS, CHANGES };

/* A call that has been run. */
struct call {
	struct fc_exec *x;
	const struct fc_row *row;
	const long *a;
	bool follow;
	int fd;        /* its first file, while there is a question about it; -errno */
	unsigned desk; /* which of its session's boxes it uses */
};

/* The call's first file as a descriptor. `opened`, where a child of a fork finds it: to be closed again; -1: it is the client's. */
static int open_target(const struct call *c, int *opened)
{
	const int how = O_PATH | O_CLOEXEC | (c->follow ? 0 : O_NOFOLLOW);
	const char *path = NULL;
	int dirfd = AT_FDCWD;

	for (int i = 0; i < 2 && !path; i++) {
		const unsigned kind = c->row->arg[i].kind;

		if (kind == FC_KIND_FD || kind == FC_KIND_DIRFD)
			dirfd = (int)c->a[i];
		if (kind == FC_KIND_PATH || kind == FC_KIND_PATH_OPT)
			path = (const char *)c->a[i];
	}
	*opened = -1;
	if (dirfd != AT_FDCWD && !(path && *path))
		return dirfd;
	return *opened = (int)fc_call(SYS_openat, dirfd, path && *path ? path : ".", how, 0);
}

static struct fc_clerk_box *box_of(const struct call *c)
{
	const struct fc_shadow *s = c->x->s;

	return &s->clerk[(s->slot - s->shared->slot) * FC_CLERK_BOXES + c->desk];
}

/* Ask about the call's file. File and answer are there until the caller has done with them. */
static int consult(struct call *c, struct fc_clerk_ask *q, const void *said, size_t size)
{
	struct fc_shadow *s = c->x->s;

	pthread_mutex_lock(&s->clerk_lock[c->desk]);
	c->fd = open_target(c, &s->clerk_fd[c->desk]);
	q->box = (uint32_t)(box_of(c) - s->clerk);
	return c->fd < 0 ? c->fd : ask(box_of(c), q, said, size, c->fd);
}

static void done(const struct call *c)
{
	struct fc_shadow *s = c->x->s;
	int *opened = &s->clerk_fd[c->desk];

	if (*opened >= 0)
		fc_call(SYS_close, *opened);
	*opened = -1;
	pthread_mutex_unlock(&s->clerk_lock[c->desk]);
}

/* ---- owners ---- */

static bool foreign(uint32_t uid, uint32_t gid)
{
	return uid == FC_OVERFLOW_ID || gid == FC_OVERFLOW_ID;
}

/* Whose file it is cannot be said: for want of memory the call fails, else it stays nobody's. */
static int64_t unknown(int r)
{
	return r == -ENOMEM || r == -ENOBUFS ? -ENOMEM : 0;
}

static int64_t correct_stat(struct call *c, void *shared)
{
	struct fc_clerk_ask q = { .work = FC_CLERK_OWNER };
	const struct fc_clerk_box *box;
	struct stat st;
	int r;

	fc_exec_fetch(&st, shared, sizeof st);
	if (!foreign(st.st_uid, st.st_gid))
		return 0;
	c->desk = OWNERS;
	box = box_of(c);
	r = consult(c, &q, NULL, 0);
	/* another file has the name by now: then it is about that one */
	if (r == 0 && (box->dev != st.st_dev || box->ino != st.st_ino))
		r = (int)fc_call(SYS_newfstatat, c->fd, "", &st, AT_EMPTY_PATH);
	if (r == 0) {
		st.st_uid = box->uid;
		st.st_gid = box->gid;
		memcpy(shared, &st, sizeof st);
	}
	done(c);
	return unknown(r);
}

static int64_t correct_statx(struct call *c, void *shared)
{
	struct fc_clerk_ask q = { .work = FC_CLERK_OWNER };
	const struct fc_clerk_box *box;
	struct statx st;
	int r;

	fc_exec_fetch(&st, shared, sizeof st);
	if (!(st.stx_mask & (STATX_UID | STATX_GID)) || !foreign(st.stx_uid, st.stx_gid))
		return 0;
	c->desk = OWNERS;
	box = box_of(c);
	r = consult(c, &q, NULL, 0);
	if (r == 0 && (box->dev != makedev(st.stx_dev_major, st.stx_dev_minor) || box->ino != st.stx_ino))
		r = (int)fc_call(SYS_statx, c->fd, "", c->a[2] | AT_EMPTY_PATH, c->a[3], &st);
	if (r == 0) {
		st.stx_uid = box->uid;
		st.stx_gid = box->gid;
		memcpy(shared, &st, sizeof st);
	}
	done(c);
	return unknown(r);
}

static int64_t change_owner(struct call *c, long uid, long gid)
{
	struct fc_clerk_ask q = { .work = FC_CLERK_CHOWN, .uid = (uint32_t)uid, .gid = (uint32_t)gid };
	int r;

	fc_block_begin(c->x->worker);
	r = consult(c, &q, NULL, 0);
	done(c);
	return r == NO_CLERK ? -EPERM : r;
}

/* ---- extended attributes ---- */

struct attribute {
	char name[FC_CLERK_NAME]; /* empty: a longer one, which is none of these */
	char *value;              /* in the data area, or null */
	uint64_t size;
	uint32_t flags;
};

/* The kernel has read it, but that was earlier. */
static void take_name(const struct fc_exec *x, char name[FC_CLERK_NAME], uint64_t offset)
{
	for (unsigned n = 0; n < FC_CLERK_NAME; n++) {
		const char *at = fc_exec_locate(x, offset + n, 1);

		if (!at)
			break;
		name[n] = fc_load(at);
		if (!name[n])
			return;
	}
	name[0] = '\0';
}

static struct attribute attribute_of(const struct call *c)
{
	const bool at = c->row->nr == SYS_setxattrat || c->row->nr == SYS_getxattrat;
	const struct fc_xattr_args *args = &c->x->xattr;
	struct attribute t = { .value = at ? (char *)args->value : (char *)c->a[2],
			       .size = at ? args->size : (uint64_t)c->a[3],
			       .flags = at ? args->flags : (uint32_t)c->a[4] };

	take_name(c->x, t.name, c->x->e.arg[at ? 3 : 1]);
	return t;
}

/* Does the list name somebody whom the kernel could not name here? */
static bool names_nobody(const char *shared, uint64_t size)
{
	struct posix_acl_xattr_entry e;

	for (uint64_t at = sizeof(struct posix_acl_xattr_header); at + sizeof e <= size; at += sizeof e) {
		fc_exec_fetch(&e, shared + at, sizeof e);
		if (e.e_id == htole32(NO_ID) && (e.e_tag == htole16(ACL_USER) || e.e_tag == htole16(ACL_GROUP)))
			return true;
	}
	return false;
}

static int64_t get_attribute(struct call *c, int64_t result)
{
	struct fc_clerk_ask q = { .work = FC_CLERK_GET_XATTR };
	struct attribute t;
	int r;

	if (result <= 0 && result != -EOVERFLOW)
		return result;
	t = attribute_of(c);
	if (!(fc_clerk_is_list(t.name) ? result > 0 && t.size && names_nobody(t.value, (uint64_t)result)
				       : result == -EOVERFLOW && !strcmp(t.name, "security.capability")))
		return result;
	memcpy(q.name, t.name, sizeof q.name);
	fc_block_begin(c->x->worker);
	r = consult(c, &q, NULL, 0);
	if (r > 0 && t.size)
		r = (uint64_t)r > t.size || r > FC_CLERK_VALUE ? -ERANGE
							       : (memcpy(t.value, box_of(c)->value, (size_t)r), r);
	done(c);
	return r == NO_CLERK ? result : r;
}

static int64_t set_attribute(struct call *c)
{
	struct attribute t = attribute_of(c);
	struct fc_clerk_ask q = { .work = FC_CLERK_SET_XATTR, .flags = t.flags };
	int r;

	if (!fc_clerk_is_list(t.name) || !t.value || t.size > FC_CLERK_VALUE)
		return -EINVAL;
	memcpy(q.name, t.name, sizeof q.name);
	fc_block_begin(c->x->worker);
	r = consult(c, &q, t.value, t.size);
	done(c);
	return r == NO_CLERK ? -EINVAL : r;
}

int64_t fc_clerk_correct(struct fc_exec *x, const struct fc_row *row, const long a[6], bool follow, int64_t result)
{
	struct call c = { .x = x, .row = row, .a = a, .follow = follow, .desk = CHANGES };

	switch (row->nr) {
	case SYS_fstat:
		return result == 0 ? correct_stat(&c, (void *)a[1]) : result;
	case SYS_newfstatat:
		return result == 0 ? correct_stat(&c, (void *)a[2]) : result;
	case SYS_statx:
		return result == 0 ? correct_statx(&c, (void *)a[4]) : result;
	case SYS_fchown:
		return result == -EINVAL ? change_owner(&c, a[1], a[2]) : result;
	case SYS_fchownat:
		return result == -EINVAL && !(a[4] & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
			       ? change_owner(&c, a[2], a[3])
			       : result;
	case SYS_getxattr:
	case SYS_lgetxattr:
	case SYS_fgetxattr:
	case SYS_getxattrat:
		return get_attribute(&c, result);
	case SYS_setxattr:
	case SYS_lsetxattr:
	case SYS_fsetxattr:
	case SYS_setxattrat:
		return result == -EINVAL ? set_attribute(&c) : result;
	default:
		return result;
	}
}
