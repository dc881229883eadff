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

/* Ask about the file behind `fd`, and wait for the answer whatever signals come: as natively, a change that has been begun is not left alone.
 * The caller holds the lock of the session's box. Returns the answer's result, or NO_CLERK. */
static int ask(struct fc_clerk_box *box, struct fc_clerk_ask *q, const void *value, size_t size, int fd)
{
	int r;

	q->serial = ++box->asked;
	r = send_question(q, value, size, fd);
	if (r < 0)
		return r == -EPIPE || r == -ECONNRESET ? NO_CLERK : r;
	for (;;) {
		uint32_t seen = fc_load_acquire(&box->answered);

		if (seen == q->serial)
			return fc_load(&box->result);
		fc_futex_wait(&box->answered, seen, now_ns() + LOOK_NS);
		if (fc_load_acquire(&box->answered) == seen && clerk_gone())
			return NO_CLERK;
	}
}

/* ---- the file ---- */

/* A call that has been run. */
struct call {
	struct fc_exec *x;
	const struct fc_row *row;
	const long *a;
	bool follow;
};

/* The call's first file as a descriptor; *opened: to be closed again. -errno. */
static int open_target(const struct call *c, bool *opened)
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
	*opened = (path && *path) || dirfd == AT_FDCWD;
	if (!*opened)
		return dirfd;
	return (int)fc_call(SYS_openat, dirfd, path && *path ? path : ".", how, 0);
}

static struct fc_clerk_box *box_of(const struct call *c)
{
	return &c->x->s->clerk[c->x->s->slot - c->x->s->shared->slot];
}

/* Ask about the call's file. The answer stays in the session's box until the caller has done with it. */
static int consult(const struct call *c, struct fc_clerk_ask *q, const void *said, size_t size)
{
	bool opened;
	int fd = open_target(c, &opened), r = fd;

	pthread_mutex_lock(&c->x->s->clerk_lock);
	q->box = (uint32_t)(box_of(c) - c->x->s->clerk);
	if (fd >= 0)
		r = ask(box_of(c), q, said, size, fd);
	if (fd >= 0 && opened)
		fc_call(SYS_close, fd);
	return r;
}

static void done(const struct call *c)
{
	pthread_mutex_unlock(&c->x->s->clerk_lock);
}

/* ---- owners ---- */

static bool foreign(uint32_t uid, uint32_t gid)
{
	return uid == FC_OVERFLOW_ID || gid == FC_OVERFLOW_ID;
}

/* Who owns what stat(2) has found, if it is still the same: *uid and *gid, and true. */
static bool find_owner(const struct call *c, uint64_t dev, uint64_t ino, uint32_t *uid, uint32_t *gid)
{
	struct fc_clerk_ask q = { .work = FC_CLERK_OWNER };
	struct fc_clerk_box *box = box_of(c);
	bool known = consult(c, &q, NULL, 0) == 0 && box->dev == dev && box->ino == ino;

	if (known) {
		*uid = box->uid;
		*gid = box->gid;
	}
	done(c);
	return known;
}

static void correct_stat(const struct call *c, void *shared)
{
	struct stat st;

	fc_exec_fetch(&st, shared, sizeof st);
	if (foreign(st.st_uid, st.st_gid) && find_owner(c, st.st_dev, st.st_ino, &st.st_uid, &st.st_gid))
		memcpy(shared, &st, sizeof st);
}

static void correct_statx(const struct call *c, void *shared)
{
	struct statx st;

	fc_exec_fetch(&st, shared, sizeof st);
	if ((st.stx_mask & (STATX_UID | STATX_GID)) && foreign(st.stx_uid, st.stx_gid) &&
	    find_owner(c, makedev(st.stx_dev_major, st.stx_dev_minor), st.stx_ino, &st.stx_uid, &st.stx_gid))
		memcpy(shared, &st, sizeof st);
}

static int64_t change_owner(const struct call *c, long uid, long gid)
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

static bool is_list(const struct attribute *t)
{
	return !strcmp(t->name, "system.posix_acl_access") || !strcmp(t->name, "system.posix_acl_default");
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

static int64_t get_attribute(const struct call *c, int64_t result)
{
	struct fc_clerk_ask q = { .work = FC_CLERK_GET_XATTR };
	struct attribute t;
	int r;

	if (result <= 0 && result != -EOVERFLOW)
		return result;
	t = attribute_of(c);
	if (!(is_list(&t) ? result > 0 && t.size && names_nobody(t.value, (uint64_t)result)
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

static int64_t set_attribute(const struct call *c)
{
	struct attribute t = attribute_of(c);
	struct fc_clerk_ask q = { .work = FC_CLERK_SET_XATTR, .flags = t.flags };
	int r;

	if (!is_list(&t) || !t.value || t.size > FC_CLERK_VALUE)
		return -EINVAL;
	memcpy(q.name, t.name, sizeof q.name);
	fc_block_begin(c->x->worker);
	r = consult(c, &q, t.value, t.size);
	done(c);
	return r == NO_CLERK ? -EINVAL : r;
}

int64_t fc_clerk_correct(struct fc_exec *x, const struct fc_row *row, const long a[6], bool follow, int64_t result)
{
	const struct call c = { x, row, a, follow };

	switch (row->nr) {
	case SYS_fstat:
		if (result == 0)
			correct_stat(&c, (void *)a[1]);
		return result;
	case SYS_newfstatat:
		if (result == 0)
			correct_stat(&c, (void *)a[2]);
		return result;
	case SYS_statx:
		if (result == 0)
			correct_statx(&c, (void *)a[4]);
		return result;
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
