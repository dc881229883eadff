/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shadow_main.c - the control thread of a shadow process: makes the process what it must be, then serves the session's control
 * messages until one side goes. Requests for system calls are the workers'.
 *
 * It ends when the supervisor does, which it sees by its link. It never has a descriptor of the client's making in the table that it shares with
 * the workers: see memory.h's receive.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/atomic.h"
#include "common/doorbell.h"
#include "common/queue.h"
#include "storage-domain/supervisor/confine.h"
#include "storage-domain/exec/post.h"
#include "storage-domain/fds.h"
#include "storage-domain/shadow/errand.h"
#include "storage-domain/shadow/link.h"
#include "storage-domain/log.h"
#include "storage-domain/roster.h"
#include "storage-domain/shadow/shadow_main.h"
#include "storage-domain/shadow/transport.h"
#include "storage-domain/table.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

/* ---- ends ---- */

/* Without destructors: what is mapped is written back, descriptors and locks go with the process. */
static void end(int status) __attribute__((noreturn));
static void end(int status)
{
	fc_maps_end();
	_exit(status);
}

/* The session is over, and the process ends with it. */
static void write_posted(struct fc_shadow *s)
{
	if (fc_load(&s->posts.at) && fc_cred_apply(&s->cred) == 0 && !fc_posts_run(s, fc_post_by_number))
		fc_posts_flush(s);
}

/* The control thread: nobody waits for what is written now. */
static void leave(struct fc_shadow *s) __attribute__((noreturn));
static void leave(struct fc_shadow *s)
{
	write_posted(s);
	fc_leases_void(s); /* a file that is leased may still be mapped by the client */
	end(0);
}

void fc_shadow_poison(struct fc_shadow *s, const char *why)
{
	struct fc_request_area *area = s->area;

	(void)fc_xchg(&s->cut_off, true);
	fc_log(FC_LOG_WARNING, "session %u (process %u, user %u) is cut off: %s", s->slot->id, s->slot->client_pid,
	       s->slot->uid, why);
	fc_faa(&s->shared->cut_off, 1);
	if (area) {
		fc_store_release(&area->header.poisoned, 1);
		for (unsigned i = 0; i < FC_ENTRIES; i++) {
			uint32_t state = fc_load(&area->entry[i].state);

			if (state == FC_QUEUED || state == FC_ASLEEP)
				fc_entry_complete(s->bell, &area->entry[i], -EIO);
		}
	}
	end(1);
}

/* ---- answers ---- */

void fc_shadow_answer(struct fc_shadow *s, const struct fc_packet *request, int status, const uint64_t arg[3], int fd)
{
	struct fc_msg m = { .type = request->head.type, .serial = request->head.serial, .status = status };
	int r;

	if (arg)
		memcpy(m.arg, arg, 3 * sizeof arg[0]);
	r = fc_control_send(FC_FD_CLIENT, &m, NULL, &fd, fd >= 0, MSG_DONTWAIT);
	if (r == -EAGAIN)
		fc_shadow_poison(s, "it does not take its answers");
	if (r == -EPIPE || r == -ECONNRESET) {
		/* it has gone; the control thread sees that now, if it has not, and writes what has been posted */
		shutdown(FC_FD_CLIENT, SHUT_RDWR);
		return;
	}
	if (r < 0)
		end(1); /* whoever it is for sees the session end, and need not wait for what never comes */
}

void fc_shadow_tell(struct fc_msg m, int fd)
{
	if (fc_control_send(FC_FD_LINK, &m, NULL, &fd, fd >= 0, 0) < 0)
		end(0); /* the supervisor is dead */
}

static void tell(struct fc_msg m)
{
	fc_shadow_tell(m, -1);
}

/* ---- the client's messages ---- */

static void areas(struct fc_shadow *s, struct fc_packet *p)
{
	int r;

	if (p->has_sender && (uint32_t)p->sender.pid != s->slot->client_pid) {
		s->slot->client_pid = p->sender.pid;
		tell((struct fc_msg){ .type = FC_LINK_CLIENT, .arg = { p->sender.pid } });
	}
	if (p->head.arg[1])
		fc_maps_end();
	r = fc_areas_set(s, p);
	if (r == -EPROTO)
		fc_shadow_poison(s, "its areas are not what they must be");
	if (r == -ETIMEDOUT)
		end(1);
	fc_shadow_answer(s, p, r, NULL, -1);
	if (r == 0)
		fc_workers_spare(s);
}

static void map(struct fc_shadow *s, struct fc_packet *p)
{
	const uint64_t size = p->head.arg[0];
	uint64_t arg[3] = { 0 };
	void *at;
	int r;

	if (!size || size > FC_MAP_MAX || size % FC_PAGE_SIZE)
		fc_shadow_poison(s, "a mapping is not what it must be");
	r = s->memory->map_shared(p, size, &at);
	if (r == -EPROTO)
		fc_shadow_poison(s, "a mapping is not what it must be");
	if (r == 0) {
		r = fc_maps_offer(s, at, size);
		if (r < 0)
			fc_memory_unmap(s, at, size);
		else
			arg[0] = (uint64_t)r;
	}
	fc_shadow_answer(s, p, r < 0 ? r : 0, arg, -1);
}

static void unmap(struct fc_shadow *s, const struct fc_packet *p)
{
	if (!s->foreign)
		fc_shadow_poison(s, "it wants memory back that is its own");
	fc_shadow_answer(s, p, fc_maps_return(p->head.arg[0]), NULL, -1);
}

static void grow(struct fc_shadow *s, struct fc_packet *p)
{
	int r = fc_areas_grow(s, p);

	if (r == -EPROTO)
		fc_shadow_poison(s, "a data segment is not what it must be");
	fc_shadow_answer(s, p, r, NULL, -1);
}

int fc_shadow_pair(int one, int other)
{
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	r = dup3(pair[0], one, O_CLOEXEC) < 0 || dup3(pair[1], other, O_CLOEXEC) < 0 ? -errno : 0;
	close(pair[0]);
	close(pair[1]);
	return r;
}

int fc_shadow_limit_file_size(uint64_t bytes)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_FSIZE, &limit))
		return -errno;
	limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
	return setrlimit(RLIMIT_FSIZE, &limit) ? -errno : 0;
}

static void shrink(struct fc_shadow *s, const struct fc_packet *p)
{
	if (fc_areas_shrink(s, p->head.arg[0]) < 0)
		fc_shadow_poison(s, "it shrinks its data area to a length that it cannot have");
	if (s->foreign) /* whose kernel wants its pages back */
		fc_shadow_answer(s, p, 0, NULL, -1);
}

static void bye(struct fc_shadow *s, const struct fc_packet *p)
{
	fc_maps_end();
	if (fc_workers_bar(s) < 0)
		end(1); /* the client sees the connection end, when the process has */
	write_posted(s);
	close_range(FC_DOMAIN_FD_FIRST, ~0u, 0);
	fc_leases_void(s);
	s->over = s->untouched;
	if (s->over) { /* said before the client can end, which the supervisor would see */
		fc_heir_return(s);
		tell((struct fc_msg){ .type = FC_LINK_FREE });
	}
	fc_shadow_answer(s, p, 0, NULL, -1);
	if (!s->over)
		end(0);
	if (dup3(FC_FD_NULL, FC_FD_CLIENT, O_CLOEXEC) < 0)
		end(0);
}

void fc_shadow_fork(struct fc_shadow *s, const struct fc_packet *p)
{
	int r;

	if (!s->foreign)
		fc_heir_before_fork(s);
	r = fc_offspring_make(s, p);
	if (r < 0)
		fc_shadow_answer(s, p, r, NULL, -1);
}

static void fork_client(struct fc_shadow *s, const struct fc_packet *p)
{
	if (s->foreign || !fc_heir_give(s, p))
		fc_shadow_fork(s, p);
}

bool fc_shadow_believes(const struct fc_shadow *s, const struct fc_packet *p)
{
	return s->foreign || (p->has_sender && (p->sender.uid == s->cred.ruid || p->sender.uid == 0));
}

static void client_message(struct fc_shadow *s, struct fc_packet *p)
{
	static const uint8_t parts[FC_MSG_TYPES] = { [FC_MSG_AREAS] = 2, [FC_MSG_GROW] = 1, [FC_MSG_MAP] = 1 };
	const uint64_t *arg = p->head.arg;
	unsigned n = p->head.type < FC_MSG_TYPES ? parts[p->head.type] : 0;

	if (p->head.type != FC_MSG_BYE)
		s->untouched = false;
	if (!s->foreign && fc_errand_is(p)) {
		fc_errand_answer(p);
		return;
	}
	if (!fc_shadow_believes(s, p))
		fc_shadow_poison(s, "a message from another user");
	if (n ? !s->memory->complete(p, n) : p->nfds || p->head.size)
		fc_shadow_poison(s, "malformed control message");
	switch (p->head.type) {
	case FC_MSG_AREAS:
		areas(s, p);
		break;
	case FC_MSG_MAP:
		map(s, p);
		break;
	case FC_MSG_UNMAP:
		unmap(s, p);
		break;
	case FC_MSG_GROW:
		grow(s, p);
		break;
	case FC_MSG_SHRINK:
		shrink(s, p);
		break;
	case FC_MSG_FORK:
		fork_client(s, p);
		break;
	case FC_MSG_FORKED:
		tell((struct fc_msg){ .type = FC_LINK_FORKED, .arg = { arg[0], arg[1] } });
		break;
	case FC_MSG_RLIMIT:
		fc_shadow_answer(s, p, fc_shadow_limit_file_size(arg[0]), NULL, -1);
		break;
	case FC_MSG_GONE:
		/* answered when the supervisor answers */
		tell((struct fc_msg){ .type = FC_LINK_GONE, .serial = p->head.serial, .arg = { arg[0] } });
		break;
	case FC_MSG_BYE:
		bye(s, p);
		break;
	case FC_MSG_MEMORY:
		if (s->foreign)
			fc_shadow_poison(s, "it wants memory, and has its own");
		fc_lend(s, p);
		break;
	case FC_MSG_HAND:
		if (s->foreign)
			fc_shadow_poison(s, "it wants a file, and is elsewhere");
		fc_hand_over(s, p);
		break;
	case FC_MSG_LEASE:
	case FC_MSG_RETURN:
		fc_hand_over(s, p);
		break;
	case FC_MSG_OTHER:
		fc_other_ask(s, p);
		break;
	case FC_MSG_PASS:
		fc_pass_ask(s, p);
		break;
	default:
		fc_shadow_poison(s, "unknown control message");
	}
}

/* ---- the supervisor's messages ---- */

int fc_cred_unpack(struct fc_cred *c, const struct fc_packet *p)
{
	int64_t groups = (int64_t)p->head.arg[3];
	size_t size = groups > 0 ? groups * sizeof c->group[0] : 0;

	if (p->nfds || groups < -1 || groups > (int64_t)(sizeof c->group / sizeof c->group[0]) || p->head.size != size)
		return -EPROTO;
	c->ruid = (uid_t)p->head.arg[0];
	c->fsuid = p->head.arg[0] >> 32;
	c->rgid = (gid_t)p->head.arg[1];
	c->fsgid = p->head.arg[1] >> 32;
	c->caps = p->head.arg[2];
	c->ngroups = (int)groups;
	memcpy(c->group, p->text, size);
	return 0;
}

static int take_cred(struct fc_shadow *s, const struct fc_packet *p)
{
	int r;

	pthread_mutex_lock(&s->cred_lock);
	r = fc_cred_unpack(&s->cred, p);
	fc_faa(&s->cred_generation, 1);
	pthread_mutex_unlock(&s->cred_lock);
	return r;
}

/* Those of the client. Asked one by one: a directory of them would itself be one that the client can use. */
static uint32_t open_descriptors(const struct fc_shadow *s)
{
	const int top = (int)fc_load(&s->descriptors_top);
	uint32_t n = 0;

	for (int fd = FC_DOMAIN_FD_FIRST; fd < top; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void sample(struct fc_shadow *s)
{
	s->slot->descriptors = open_descriptors(s);
	s->slot->queue_depth = s->area ? fc_queue_depth(&s->area->queue) : 0;
	tell((struct fc_msg){ .type = FC_LINK_SAMPLE });
}

static void link_message(struct fc_shadow *s, struct fc_packet *p)
{
	struct fc_packet question = { .head = { .type = FC_MSG_GONE, .serial = p->head.serial } };

	switch (p->head.type) {
	case FC_LINK_CRED:
		tell((struct fc_msg){ .type = FC_LINK_CRED, .serial = p->head.serial, .status = take_cred(s, p) });
		break;
	case FC_LINK_SAMPLE:
		sample(s);
		break;
	case FC_LINK_GONE:
		fc_shadow_answer(s, &question, p->head.status, NULL, -1);
		break;
	case FC_LINK_OTHER:
	case FC_LINK_CLAIM:
		fc_other_answer(s, p);
		break;
	case FC_LINK_PASS:
		fc_pass_answer(s, p);
		break;
	case FC_LINK_HEIR:
		fc_heir_news(s, p);
		break;
	case FC_LINK_END:
		leave(s);
	case FC_LINK_SHOW:
		fc_other_show(s, p);
		break;
	default:
		end(1);
	}
}

/* ---- life ---- */

void fc_shadow_serve_link(struct fc_shadow *s)
{
	struct fc_packet p;
	int r;

	while ((r = fc_control_recv(FC_FD_LINK, &p, MSG_DONTWAIT)) == 0)
		link_message(s, &p);
	if (r != -EAGAIN)
		leave(s); /* without a supervisor there is no domain */
}

/* Before its first areas: no worker has been there, and nothing has been opened. */
static bool is_new(const struct fc_shadow *s)
{
	return !s->workers && fc_load(&s->descriptors_top) == FC_DOMAIN_FD_FIRST;
}

/* Until the session is over, and the process has not ended with it. */
static void serve(struct fc_shadow *s)
{
	struct pollfd fds[2] = { { .fd = FC_FD_LINK, .events = POLLIN }, { .fd = FC_FD_CLIENT, .events = POLLIN } };
	struct fc_packet p;

	s->over = false;
	while (!s->over) {
		int r;

		if (poll(fds, 2, -1) < 0)
			continue;
		/* what was said before the client's message counts for it */
		fc_shadow_serve_link(s);
		fc_heir_instead(s);
		if (fds[1].revents) {
			r = s->memory->receive(&p, is_new(s));
			if (r == -EPROTO)
				fc_shadow_poison(s, "malformed control message");
			if (r < 0 && r != -EAGAIN)
				leave(s); /* the client has gone */
			if (r == 0) {
				client_message(s, &p);
				s->memory->discard();
			}
		}
	}
}

/* Wait in the pool for a client: its identity, then its connection. */
static void await_session(struct fc_shadow *s)
{
	struct fc_packet p, attach = { .head = { .type = FC_MSG_ATTACH } };
	int on = 1, r;

	if (fc_control_recv(FC_FD_LINK, &p, 0) < 0)
		end(0);
	if (p.head.type == FC_LINK_HEIR && p.nfds == 1 && !s->foreign) {
		fc_heir_be(s, &p);
		return;
	}
	if (p.head.type != FC_LINK_CRED || take_cred(s, &p) < 0)
		end(0);
	if (fc_control_recv(FC_FD_LINK, &p, 0) < 0 || p.head.type != FC_LINK_SESSION || p.nfds != 1)
		end(0);
	if (dup3(p.fd[0], FC_FD_CLIENT, O_CLOEXEC) < 0 || fc_shadow_limit_file_size(p.head.arg[4]) < 0)
		end(1);
	if (!s->foreign && setsockopt(FC_FD_CLIENT, SOL_SOCKET, SO_PASSCRED, &on, sizeof on))
		end(1);
	/* off so far (listen.c): a client's descriptors are its own shadow's affair only. Older kernels have never had it off. */
	setsockopt(FC_FD_CLIENT, SOL_SOCKET, SO_PASSRIGHTS, &on, sizeof on);
	close(p.fd[0]);
	s->descriptors_end = FC_DOMAIN_FD_FIRST + (uint32_t)s->slot->held[FC_FILES];
	if (s->descriptors_end > s->slot->descriptors_max)
		s->descriptors_end = s->slot->descriptors_max;
	s->descriptors_top = FC_DOMAIN_FD_FIRST;
	s->umask = p.head.arg[3] & 0777;
	umask(s->umask);
	attach.head.serial = p.head.serial;
	r = s->transport->begin(s, &p);
	fc_shadow_answer(s, &attach, r, p.head.arg, -1);
	if (r < 0)
		end(1);
}

/* The session is over, and the next will be one that this one is the heir of. What the supervisor has said before is of no interest any more. */
static void await_parent(struct fc_shadow *s)
{
	struct fc_packet p;

	for (;;) {
		if (fc_control_recv(FC_FD_LINK, &p, 0) < 0)
			end(0);
		if (p.head.type == FC_LINK_HEIR && p.nfds == 1)
			break;
		fc_packet_drop(&p);
	}
	fc_heir_be(s, &p);
}

/* Every number below FC_DOMAIN_FD_FIRST is in use from here on, and nothing else is open. */
static int arrange_fds(const struct fc_exports *exports, uint32_t keep, int link)
{
	int high = fcntl(link, F_DUPFD_CLOEXEC, FC_DOMAIN_FD_FIRST);

	if (high < 0)
		return -errno;
	for (int fd = 0; fd < FC_DOMAIN_FD_FIRST; fd++) {
		bool export = fd >= FC_FD_EXPORT && fd < FC_FD_EXPORT + (int)exports->count;

		if (!export && !(keep >> fd & 1) && fd != FC_FD_NULL && fd != FC_FD_LOG &&
		    dup3(fd == FC_FD_PROC ? FC_FD_PROC_OWN : FC_FD_NULL, fd, O_CLOEXEC) < 0)
			return -errno;
	}
	if (dup3(high, FC_FD_LINK, O_CLOEXEC) < 0)
		return -errno;
	return close_range(FC_DOMAIN_FD_FIRST, ~0u, 0) ? -errno : 0;
}

static int arrange_signals(void)
{
	sigset_t asked;

	sigemptyset(&asked);
	sigaddset(&asked, SIGIO); /* lease.c waits for it */
	/* SIGTERM and the like stay blocked: it is the supervisor that ends its shadows */
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || signal(SIGXFSZ, SIG_IGN) == SIG_ERR ||
	    sigprocmask(SIG_BLOCK, &asked, NULL))
		return -errno;
	return 0;
}

/* Nobody waits for a shadow's own children. */
static int disown(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	return signal(SIGCHLD, SIG_IGN) == SIG_ERR || sigprocmask(SIG_UNBLOCK, &set, NULL) ? -errno : 0;
}

static struct fc_shadow shadow;

int fc_shadow_prepare(const struct fc_exports *exports, const struct fc_transport *transport,
		      struct fc_domain_shared *shared, struct fc_clerk_box *clerk, int link)
{
	static uint32_t numbers[FC_DOMAIN_FD_MAX];
	struct fc_shadow *s = &shadow;
	int r;

	pthread_mutex_init(&s->cred_lock, NULL);
	pthread_mutex_init(&s->pipe_lock, NULL);
	pthread_mutex_init(&s->place_lock, NULL);
	s->exports = exports;
	s->shared = shared;
	s->clerk = clerk;
	s->numbers = numbers;
	fc_shadow_clerk_init(s);
	fc_posts_init(s);
	s->transport = transport;
	s->foreign = transport->foreign;
	s->memory = transport->memory;
	s->cost = transport->cost;
	fc_errand_init(s);
	r = arrange_signals();
	if (r == 0)
		r = arrange_fds(exports, transport->fds | (clerk ? 1u << FC_FD_CLERK : 0), link);
	return r < 0 ? r : fc_seccomp_enter();
}

/* What each shadow has for itself. */
static int begin(struct fc_shadow *s, int link)
{
	int r = disown();

	if (r == 0 && (dup3(link, FC_FD_LINK, O_CLOEXEC) < 0 || close_range(FC_DOMAIN_FD_FIRST, ~0u, 0)))
		r = -errno;
	fc_table_begin(s);
	if (r == 0)
		r = fc_hand_begin();
	return r == 0 && !s->foreign ? fc_heir_begin(s) : r;
}

void fc_shadow_main(uint32_t index, int link)
{
	struct fc_shadow *s = &shadow;
	int r;

	s->slot = &s->shared->slot[index];
	fc_roster_adopt(index);
	prctl(PR_SET_NAME, "farcall-shadow", 0, 0, 0); /* for ps(1) */
	r = begin(s, link);
	if (r < 0) {
		fc_log(FC_LOG_ERROR, "a shadow process cannot start: %s", strerror(-r));
		end(1);
	}
	await_session(s);
	for (;;) {
		serve(s);
		await_parent(s);
	}
}
