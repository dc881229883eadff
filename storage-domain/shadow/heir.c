/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * heir.c - the shadow of a client's child, without a fork: a process of the reserve that the supervisor has set aside for the session before,
 * its heir, gets in one message what fork(2) would have left it (its estate): the open files under their numbers, directory, umask,
 * identity. It answers the client in its parent's stead, which does not wait for it.
 *
 * The estate is of one instant. While it is put together no call of the client's may run: workers that sleep are kept asleep; where some are awake,
 * the heir waits for a second message, the seal, that says that none of them has run anything meanwhile. If they have, another estate
 * replaces the first. Where that does not help either, the heir is told to end, with what it has got, before anything is answered. Then, and where
 * there is more than one message carries, or something mapped, or no heir, the shadow forks (offspring.c).
 *
 * The two have a way to each other, a socket pair under numbers that are not the client's: a descriptor that came later would be under
 * one of them for a moment, and what is written to the way decides who the child is. The supervisor gives the end to one heir after the other.
 *
 * An heir that has come to nothing, for whatever reason, ends. If it has not answered, the supervisor says so, and the shadow forks then.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/atomic.h"
#include "common/doorbell.h"
#include "common/rawcall.h"
#include "storage-domain/budget.h"
#include "storage-domain/fds.h"
#include "storage-domain/roster.h"
#include "storage-domain/shadow/link.h"
#include "storage-domain/shadow/shadow_main.h"
#include "storage-domain/shadow/transport.h"
#include "storage-domain/table.h"

#define FC_ESTATE_FILES 248       /* a message carries 253 descriptors */
#define FC_ESTATE_EXTRA 2         /* the client's connection, the directory */
#define FC_COMING_NS 100000000ull /* how long an heir is waited for that is being made */
#define FC_ESTATE_TRIES 4
#define REFUSALS 100 /* of which each takes 10 ms */

struct estate {
	uint32_t id;     /* the heir's session: others' messages may be left in the way */
	bool sealed;     /* no second message follows */
	bool keeps;      /* a directory comes along */
	uint32_t serial; /* of the client's FORK */
	uint32_t umask, descriptors_end, descriptors_top;
	uint32_t count;
	uint64_t file_size, files, pipe_bytes; /* its limit; what the session holds of the domain */
	struct fc_cred cred;
	struct {
		uint32_t fd, number; /* in ascending order; what the client calls it (shadow.h) */
	} open[FC_ESTATE_FILES];
};

struct seal {
	uint32_t id;
};

/* No estate is sealed: who has got one ends. */
struct revocation {
	uint32_t id, nothing;
};

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int) * (FC_ESTATE_FILES + FC_ESTATE_EXTRA)) + CMSG_SPACE(sizeof(struct ucred))];
};

/* ---- both ---- */

int fc_heir_begin(struct fc_shadow *s)
{
	s->heir.given = 0;
	s->heir.told = s->heir.lost = false;
	return fc_shadow_pair(FC_FD_WAY, FC_FD_WAY_END);
}

/* ---- the parent ---- */

/* What is open, and where. False: too much, or it cannot be told. */
static bool list(const struct fc_shadow *s, struct estate *e)
{
	uint32_t top = fc_load(&s->descriptors_top);

	if (s->place == FC_PLACE_LOST || top > FC_TABLE_FIRST || fc_load(&s->mapped))
		return false; /* what is mapped a fork takes along */
	e->count = 0;
	for (uint32_t fd = FC_DOMAIN_FD_FIRST; fd < top; fd++) {
		if (fc_call(SYS_fcntl, fd, F_GETFD) < 0)
			continue;
		if (e->count == FC_ESTATE_FILES)
			return false;
		e->open[e->count].fd = fd;
		e->open[e->count++].number = fc_load(&s->numbers[fd]);
	}
	e->keeps = s->place == FC_PLACE_KEPT;
	e->umask = s->umask;
	e->descriptors_top = top;
	e->descriptors_end = fc_load(&s->descriptors_end);
	/* the heir must be able to go there by itself, as nobody but the domain */
	return !e->keeps || fc_call(SYS_faccessat2, FC_FD_CWD, "", X_OK, AT_EMPTY_PATH | AT_EACCESS) == 0;
}

static int send_on(const void *bytes, size_t size, const int *fds, unsigned count)
{
	static union control c;
	struct iovec iov = { (void *)bytes, size };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (count) {
		m.msg_control = &c;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		c.align = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
					    .cmsg_type = SCM_RIGHTS,
					    .cmsg_len = CMSG_LEN(sizeof(int) * count) };
		memcpy(CMSG_DATA(&c.align), fds, sizeof(int) * count);
	}
	return (int)fc_call(SYS_sendmsg, FC_FD_WAY, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int send_estate(const struct estate *e)
{
	int fds[FC_ESTATE_FILES + FC_ESTATE_EXTRA];
	unsigned n = e->count;

	for (unsigned i = 0; i < n; i++)
		fds[i] = (int)e->open[i].fd;
	fds[n++] = FC_FD_CLIENT;
	if (e->keeps)
		fds[n++] = FC_FD_CWD;
	return send_on(e, offsetof(struct estate, open) + e->count * sizeof e->open[0], fds, n);
}

/* As it is at one instant. 0 or -errno: there was none, or it does not go into a message. `left`: the heir may have got another one. */
static int bequeath(struct fc_shadow *s, struct estate *e, bool *left)
{
	struct timespec moment = { .tv_nsec = 20000 };
	const struct seal seal = { e->id };
	uint64_t before, after;
	int r = -EAGAIN;
	bool awake = fc_workers_hold(s);

	e->sealed = !awake;
	for (int i = 0; i < FC_ESTATE_TRIES && r == -EAGAIN; i++) {
		if (!fc_workers_still(s, &before)) { /* one that has just answered, or a call that takes its time */
			fc_call(SYS_nanosleep, &moment, 0);
			continue;
		}
		r = list(s, e) ? send_estate(e) : -E2BIG;
		*left |= r >= 0;
		if (r >= 0 && awake)
			r = fc_workers_still(s, &after) && before == after ? send_on(&seal, sizeof seal, NULL, 0)
									   : -EAGAIN;
	}
	fc_workers_release(s);
	return r < 0 ? r : 0;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* The heir: FC_NEXT_NONE if there is none, or none that waits. One that is being made is there soon, or the supervisor says that there is none. */
static uint64_t find(const struct fc_shadow *s)
{
	uint64_t next = fc_load_acquire(&s->slot->next), slot;

	if (next == FC_NEXT_COMING) {
		fc_futex_wait((const uint32_t *)&s->slot->next, FC_NEXT_COMING, now_ns() + FC_COMING_NS);
		next = fc_load_acquire(&s->slot->next);
	}
	slot = (uint32_t)next - 2;
	if (next <= FC_NEXT_COMING || slot >= FC_SESSIONS_MAX ||
	    fc_load(&s->shared->slot[slot].heir) != FC_HEIR_WAITS(next >> 32))
		return FC_NEXT_NONE;
	return next;
}

/* What an heir has got that does not come to be one stays open in it, and locked, when all that the client knows of is closed: it is to end before
 * anything else is answered. */
static bool take_back(uint32_t id)
{
	const struct revocation r = { .id = id };

	return send_on(&r, sizeof r, NULL, 0) >= 0;
}

bool fc_heir_give(struct fc_shadow *s, const struct fc_packet *request)
{
	static struct estate e;
	struct rlimit size;
	bool left = false;

	uint64_t next = find(s);

	if (next == FC_NEXT_NONE || getrlimit(RLIMIT_FSIZE, &size))
		return false;
	e.id = next >> 32;
	e.serial = request->head.serial;
	e.file_size = size.rlim_cur;
	e.files = fc_load(&s->slot->held[FC_FILES]);
	e.pipe_bytes = s->slot->pipe_bytes;
	fc_cred_get(s, &e.cred);
	fc_store(&s->slot->next,
		 (uint64_t)FC_NEXT_COMING); /* before it can be used, after which the supervisor says more */
	if (bequeath(s, &e, &left) < 0 && !(left && take_back(e.id))) {
		fc_cas(&s->slot->next, (uint64_t)FC_NEXT_COMING, next); /* or it has come to nothing meanwhile */
		return false;
	}
	s->heir.given = e.id;
	s->heir.asked = request->head.serial;
	return true;
}

void fc_heir_before_fork(struct fc_shadow *s)
{
	if (s->foreign || s->heir.told)
		return;
	fc_shadow_tell((struct fc_msg){ .type = FC_LINK_WAY }, FC_FD_WAY_END);
	s->heir.told = true;
}

void fc_heir_news(struct fc_shadow *s, const struct fc_packet *p)
{
	if (s->heir.given && p->head.arg[0] == s->heir.given)
		s->heir.lost = true;
}

/* The supervisor has looked for what nobody takes any more, but it may have been sent after that. */
static void clear_way(void)
{
	char byte;
	struct iovec iov = { &byte, sizeof byte };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	while (fc_call(SYS_recvmsg, FC_FD_WAY_END, &m, MSG_DONTWAIT) > 0)
		;
}

void fc_heir_instead(struct fc_shadow *s)
{
	struct fc_packet request = { .head = { .type = FC_MSG_FORK, .serial = s->heir.asked } };

	if (!s->heir.lost)
		return;
	s->heir.lost = false;
	s->heir.given = 0;
	clear_way();
	fc_shadow_fork(s, &request);
}

/* ---- the heir ---- */

/* One descriptor as another number. */
static bool move(int from, int to)
{
	if (from == to)
		return true;
	return dup3(from, to, O_CLOEXEC) == to && close(from) == 0;
}

/* What has come under the lowest numbers, in the order of the numbers where it belongs: so none of them is in another's way, from the last on. */
static bool place(const struct estate *e, const int *fds, unsigned count)
{
	unsigned n = e->count;

	if (count != n + 1 + e->keeps || !move(fds[n], FC_FD_ASKER) || (e->keeps && !move(fds[n + 1], FC_FD_CWD)))
		return false;
	while (n-- > 0)
		if (fds[n] > (int)e->open[n].fd || !move(fds[n], (int)e->open[n].fd))
			return false;
	return true;
}

/* The next message: its size, and what has come along. Takes no more than fits. */
static ssize_t receive(struct estate *e, int *fds, unsigned *count)
{
	static union control c;
	struct iovec iov = { e, sizeof *e };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof c };
	ssize_t size = fc_call(SYS_recvmsg, FC_FD_PARENT, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	*count = 0;
	if (size < 0 || m.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		return size == -EAGAIN ? size : -EPROTO;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		*count = (unsigned)((h->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(h), *count * sizeof(int));
	}
	return size;
}

static bool is_whole(const struct estate *e, size_t size)
{
	return size >= offsetof(struct estate, open) && e->count <= FC_ESTATE_FILES &&
	       size == offsetof(struct estate, open) + e->count * sizeof e->open[0];
}

/* Something has come: true once there is an estate, and it is sealed. */
static bool inherit(struct estate *e, uint32_t id)
{
	static struct estate got;
	int fds[FC_ESTATE_FILES + FC_ESTATE_EXTRA];
	unsigned count;
	ssize_t size = receive(&got, fds, &count);

	if (size == -EAGAIN)
		return false;
	if (size < (ssize_t)sizeof(struct seal)) /* its parent is gone */
		_exit(0);
	if (got.id != id) { /* was for one that did not live to get it */
		for (unsigned i = 0; i < count; i++)
			close(fds[i]);
		return false;
	}
	if (size == sizeof(struct seal))
		return e->id == id;
	if (size == sizeof(struct revocation))
		_exit(0);
	/* in place of an earlier one, whose files would be in its way */
	if (!is_whole(&got, (size_t)size) || e->id || !place(&got, fds, count))
		_exit(1);
	*e = got;
	return e->sealed;
}

/* An earlier estate has not been sealed, if this is another one and no seal. */
static void forget_unsealed(struct estate *e)
{
	char head[offsetof(struct estate, open)];
	struct iovec iov = { head, sizeof head };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (!e->id || fc_call(SYS_recvmsg, FC_FD_PARENT, &m, MSG_PEEK | MSG_DONTWAIT) <= (long)sizeof(struct seal))
		return;
	close_range(FC_DOMAIN_FD_FIRST, ~0u, 0);
	e->id = 0;
}

/* What it holds of the domain from now on. False: that is too much. */
static bool pay(const struct fc_shadow *s, const struct estate *e)
{
	s->slot->pipe_bytes = e->pipe_bytes;
	fc_faa(&s->slot->held[FC_BYTES], e->pipe_bytes);
	return fc_budget_take(s->shared, s->slot, FC_TASKS, FC_TASKS_BASE - FC_TASKS_HEIR) &&
	       fc_budget_take(s->shared, s->slot, FC_FILES, e->files);
}

/* The session is that of the client's child. False: not so. */
static bool succeed(struct fc_shadow *s, const struct estate *e, const struct fc_packet *p)
{
	const struct fc_packet session = { .head = { .type = FC_LINK_SESSION } };

	for (unsigned i = 0; i < e->count; i++)
		s->numbers[e->open[i].fd] = e->open[i].number;
	s->cred = e->cred;
	fc_faa(&s->cred_generation, 1);
	s->descriptors_end = e->descriptors_end;
	s->descriptors_top = e->descriptors_top;
	s->umask = e->umask;
	s->place = e->keeps ? FC_PLACE_KEPT : FC_PLACE_FIRST;
	umask(s->umask);
	return pay(s, e) && fc_shadow_limit_file_size(e->file_size) == 0 && s->transport->begin(s, &session) == 0 &&
	       (!e->keeps || fc_call(SYS_fchdir, FC_FD_CWD) == 0) &&
	       fc_cas(&s->slot->heir, FC_HEIR_WAITS(p->head.arg[2]), FC_HEIR_ANSWERED(p->head.arg[2]));
}

static bool settle_in(const struct fc_packet *p)
{
	int client[2], on = 1;

	if (dup3(p->fd[0], FC_FD_PARENT, O_CLOEXEC) < 0 || close(p->fd[0]) ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, client))
		return false;
	return setsockopt(client[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0 && move(client[1], FC_FD_CLIENT) &&
	       move(client[0], FC_FD_CHILD);
}

static void leave_way(void)
{
	static const int done_with[] = { FC_FD_PARENT, FC_FD_ASKER, FC_FD_CHILD };

	for (unsigned i = 0; i < sizeof done_with / sizeof done_with[0]; i++)
		if (dup3(FC_FD_NULL, done_with[i], O_CLOEXEC) < 0)
			_exit(1);
}

/* Nobody else answers any more: it is said as soon as there is memory to say it. */
static void refuse(struct fc_msg m)
{
	const struct timespec moment = { .tv_nsec = 10000000 };

	m.status = -EAGAIN;
	for (int i = 0; i < REFUSALS && fc_control_send(FC_FD_ASKER, &m, NULL, NULL, 0, MSG_DONTWAIT) < 0; i++)
		nanosleep(&moment, NULL);
	_exit(1);
}

void fc_heir_be(struct fc_shadow *s, const struct fc_packet *p)
{
	static struct estate e;
	struct pollfd fds[2] = { { .fd = FC_FD_LINK, .events = POLLIN }, { .fd = FC_FD_PARENT, .events = POLLIN } };
	struct fc_msg m = { .type = FC_MSG_FORK, .arg = { p->head.arg[0], p->head.arg[1], p->head.arg[2] } };
	const int child = FC_FD_CHILD;

	e.id = 0;
	if (!settle_in(p))
		_exit(1);
	do {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents) /* the supervisor has nothing to say to an heir: it is dead */
			_exit(0);
		forget_unsealed(&e);
	} while (!inherit(&e, (uint32_t)p->head.arg[2]));
	if (!succeed(s, &e, p))
		_exit(1);
	m.serial = e.serial;
	if (fc_control_send(FC_FD_ASKER, &m, NULL, &child, 1, MSG_DONTWAIT) < 0)
		refuse(m);
	leave_way();
	s->untouched = true;
}

/* ---- and back ---- */

void fc_heir_return(struct fc_shadow *s)
{
	for (uint32_t fd = FC_DOMAIN_FD_FIRST; fd < s->descriptors_top; fd++)
		s->numbers[fd] = 0;
	if (chdir("/") || dup3(FC_FD_NULL, FC_FD_CWD, O_CLOEXEC) < 0)
		_exit(0);
	s->place = FC_PLACE_FIRST;
	s->untouched = false;
}
