/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * session.c - the supervisor's knowledge of each shadow and its client: who they are, what they say on the link, and what
 * follows from either's death.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/atomic.h"
#include "storage-domain/shadow/link.h"
#include "storage-domain/log.h"
#include "storage-domain/supervisor/supervisor.h"

#define WRITE_BACK_MS 10000 /* how long a session may take for it at its end */

static void link_ready(struct fc_supervisor *v, struct fc_watch *w, uint32_t events);

static struct fc_roster_slot *slot_of(struct fc_supervisor *v, const struct fc_session *s)
{
	return &v->shared->slot[s - v->session];
}

struct fc_session *fc_session_by_token(struct fc_supervisor *v, const uint64_t token[2])
{
	for (unsigned i = 0; i < v->used; i++) {
		struct fc_session *s = &v->session[i];

		if (s->state == FC_SESSION_LIVE && s->token[0] == token[0] && s->token[1] == token[1])
			return s;
	}
	return NULL;
}

uint32_t fc_tasks_max(uint64_t threads)
{
	return threads < UINT32_MAX / 8 ? (uint32_t)(4 * threads + 16) : UINT32_MAX;
}

static bool fits(const struct fc_supervisor *v, uid_t payer, uint64_t files, uint64_t tasks)
{
	unsigned all = 0, mine = 0, heirs = 0;

	for (unsigned i = 0; i < v->used; i++) {
		const struct fc_session *s = &v->session[i];
		bool withdrawn = s->unused && s->state == FC_SESSION_DYING;

		all += s->state != FC_SESSION_NONE && !withdrawn;
		mine += s->state >= FC_SESSION_LIVE && s->payer == payer && !withdrawn;
		heirs += (s->state == FC_SESSION_HEIR || s->state == FC_SESSION_KEPT) && s->payer == payer;
	}
	if ((uint64_t)(mine + 1) * FC_TASKS_BASE > tasks)
		return false;
	return mine + heirs < FC_SESSIONS_MAX - all && fc_budget_fits(v->shared, payer, FC_TASKS, FC_TASKS_BASE) &&
	       fc_budget_fits(v->shared, payer, FC_FILES, files + FC_FILES_STEP);
}

/* Heirs give way to sessions. */
bool fc_session_fits(struct fc_supervisor *v, uid_t payer, uint64_t files, uint64_t tasks)
{
	return fits(v, payer, files, tasks) || (fc_heirs_withdraw(v, payer) && fits(v, payer, files, tasks));
}

struct fc_session *fc_session_claim(struct fc_supervisor *v)
{
	for (unsigned i = 0; i < FC_SESSIONS_MAX; i++) {
		if (v->session[i].state != FC_SESSION_NONE)
			continue;
		if (i >= v->used) {
			v->used = i + 1;
			fc_store_release(&v->shared->used, v->used);
		}
		return &v->session[i];
	}
	return NULL;
}

static void leave_state(struct fc_supervisor *v, const struct fc_session *s)
{
	v->reserved -= s->state == FC_SESSION_POOLED;
	v->heirs -= s->state == FC_SESSION_HEIR || s->state == FC_SESSION_KEPT;
}

/* One that has something to write back. */
static bool tell_to_end(struct fc_supervisor *v, struct fc_session *s)
{
	struct fc_msg m = { .type = FC_LINK_END };
	const struct fc_roster_slot *slot = slot_of(v, s);

	if ((!fc_load(&slot->mapped) && !fc_load(&slot->posts)) ||
	    fc_control_send(s->link.fd, &m, NULL, NULL, 0, MSG_DONTWAIT) < 0)
		return false;
	s->state = FC_SESSION_DYING;
	s->end_ms = fc_now_ms() + WRITE_BACK_MS;
	v->ending++;
	return true;
}

void fc_session_kill(struct fc_supervisor *v, struct fc_session *s)
{
	if (s->end_ms) /* it is writing, and somebody else has heard of its client's death */
		return;
	if (s->state == FC_SESSION_LIVE && tell_to_end(v, s))
		return;
	leave_state(v, s);
	s->state = FC_SESSION_DYING;
	if (s->shadow.fd >= 0)
		pidfd_send_signal(s->shadow.fd, SIGKILL, NULL, 0);
}

int fc_sessions_expire(struct fc_supervisor *v)
{
	const uint64_t now = fc_now_ms();
	int next = -1;

	for (unsigned i = 0; i < v->used && v->ending; i++) {
		struct fc_session *s = &v->session[i];

		if (s->end_ms && s->end_ms <= now) {
			fc_log(FC_LOG_WARNING,
			       "session %u does not end: what was mapped or posted there may not have been written",
			       s->id);
			v->ending--;
			s->end_ms = 0;
			fc_session_kill(v, s);
		} else if (s->end_ms && (next < 0 || (int)(s->end_ms - now) < next)) {
			next = (int)(s->end_ms - now);
		}
	}
	return next;
}

/* ---- GONE ---- */

/* Is this a session of `pid`, as far as that concerns the asker? What `pid` is, others' children included, is the kernel's word; of a
 * child that was gone too early there is only its parent's. */
static bool concerns(const struct fc_session *s, const struct fc_asker *a, pid_t pid)
{
	if (s->state < FC_SESSION_LIVE)
		return false;
	if (s->client_pid == pid)
		return a->uid == 0 || a->uid == s->uid;
	return s->claimed_pid == pid && a->id && s->parent == a->id;
}

int fc_gone(struct fc_supervisor *v, const struct fc_asker *asker, pid_t pid)
{
	bool waiting = false, alive = false;

	if (pid <= 0)
		return -EINVAL;
	for (unsigned i = 0; i < v->used; i++) {
		struct fc_session *s = &v->session[i];

		if (!concerns(s, asker, pid))
			continue;
		/* one whose process nobody has looked at is as dead as its parent says */
		if (s->state == FC_SESSION_LIVE && s->client.fd >= 0 && !fc_pidfd_dead(s->client.fd)) {
			alive = true;
			continue;
		}
		fc_session_kill(v, s);
		waiting = true;
	}
	return waiting ? 1 : alive ? -EBUSY : 0;
}

static bool gone_left(const struct fc_supervisor *v, const struct fc_asker *asker, pid_t pid)
{
	for (unsigned i = 0; i < v->used; i++)
		if (v->session[i].state == FC_SESSION_DYING && concerns(&v->session[i], asker, pid))
			return true;
	return false;
}

static void gone_answer_session(struct fc_supervisor *v, struct fc_session *s, int status)
{
	struct fc_msg m = { .type = FC_LINK_GONE, .serial = s->gone_serial, .status = status };

	s->gone_wanted = false;
	if (fc_control_send(s->link.fd, &m, NULL, NULL, 0, MSG_DONTWAIT) < 0)
		fc_session_kill(v, s);
}

/* A session has been buried: tell whoever waited for it and for no other. */
void fc_gone_tell(struct fc_supervisor *v)
{
	for (unsigned i = 0; i < FC_CONNECTIONS_MAX; i++) {
		struct fc_connection *c = &v->connection[i];
		struct fc_asker asker = { .uid = c->uid };
		struct fc_msg m = { .type = FC_MSG_GONE, .serial = c->serial };

		if (c->watch.fd >= 0 && c->waiting == FC_WAIT_GONE && !gone_left(v, &asker, c->pid))
			fc_connection_answer(v, c, &m, NULL, NULL, 0);
	}
	for (unsigned i = 0; i < v->used; i++) {
		struct fc_session *s = &v->session[i];
		struct fc_asker asker = { .uid = s->uid, .id = s->id };

		if (s->state == FC_SESSION_LIVE && s->gone_wanted && !gone_left(v, &asker, s->gone_pid))
			gone_answer_session(v, s, 0);
	}
}

/* ---- deaths ---- */

static void cred_answer(struct fc_supervisor *v, struct fc_session *s, int status)
{
	struct fc_connection *c = s->cred;
	struct fc_msg m = { .type = FC_MSG_CRED, .status = status };

	s->cred = NULL;
	if (s->owner)
		s->owner->cred_done(v, s, status);
	if (!c)
		return;
	m.serial = c->serial;
	fc_connection_answer(v, c, &m, NULL, NULL, 0);
}

void fc_session_clear(struct fc_supervisor *v, struct fc_session *s)
{
	fc_log(FC_LOG_DEBUG, "session %u of process %d is over", s->id, s->client_pid);
	if (!s->owner)
		cred_answer(v, s, -ESRCH);
	v->sampling -= s->sampling;
	v->ending -= s->end_ms != 0;
	fc_other_gone(v, s);
	fc_heir_buried(v, s);
	fc_heir_withdraw(v, s);
	if (s->way >= 0)
		close(s->way);
	fc_watch_close(v, &s->client);
	fc_roster_clear(v->shared, s - v->session, &v->total);
	if (s->owner)
		s->owner->over(v, s);
	*s = (struct fc_session){
		.shadow = s->shadow, .link = s->link, .shadow_pid = s->shadow_pid, .client.fd = -1, .way = -1
	};
}

/*
 * A session is over when its shadow is dead and nobody holds the other end of the link any more: a child that the shadow was just
 * forking, and of which we have not heard yet, has copies of its descriptors, and of the link.
 */
static void bury(struct fc_supervisor *v, struct fc_session *s)
{
	if (s->shadow.fd >= 0 || s->link.fd >= 0)
		return;
	fc_session_clear(v, s);
	fc_gone_tell(v);
}

static void shadow_ready(struct fc_supervisor *v, struct fc_watch *w, uint32_t events)
{
	struct fc_session *s = fc_owner(w, struct fc_session, shadow);

	(void)events;
	if (s->state == FC_SESSION_POOLED) {
		fc_log(FC_LOG_ERROR, "a shadow process ended before it had a client");
		v->reserve_retry_ms = fc_now_ms() + 1000;
	}
	leave_state(v, s);
	s->state = FC_SESSION_DYING;
	fc_watch_close(v, w);
	bury(v, s);
}

/* The client is dead. If it has taken its leave before, its shadow need not die, and has said so before that. */
static void client_died(struct fc_supervisor *v, struct fc_session *s)
{
	if (fc_heir_is_free(s))
		link_ready(v, &s->link, EPOLLIN);
	else
		fc_session_kill(v, s);
}

static void client_ready(struct fc_supervisor *v, struct fc_watch *w, uint32_t events)
{
	struct fc_session *s = fc_owner(w, struct fc_session, client);

	(void)events;
	fc_watch_close(v, w);
	client_died(v, s);
}

int fc_session_watch_client(struct fc_supervisor *v, struct fc_session *s, pid_t pid, int pidfd)
{
	int r;

	fc_watch_close(v, &s->client);
	r = fc_watch_add(v, &s->client, pidfd, client_ready);
	if (r < 0) {
		close(pidfd);
		return r;
	}
	s->client_pid = pid;
	slot_of(v, s)->client_pid = pid;
	return 0;
}

void fc_session_foreign_pid(struct fc_supervisor *v, struct fc_session *s, pid_t pid)
{
	s->client_pid = pid;
	slot_of(v, s)->client_pid = pid;
}

/* The session goes live: id and token. Returns 0 or -errno. */
static int name_session(struct fc_supervisor *v, struct fc_session *s, uid_t uid, uid_t payer)
{
	if (getrandom(s->token, sizeof s->token, 0) != sizeof s->token)
		return -EIO;
	if (!++v->last_id)
		v->last_id = 1;
	s->id = v->last_id;
	s->uid = uid;
	s->payer = payer;
	s->state = FC_SESSION_LIVE;
	return 0;
}

/* The first number that the client's descriptors may not have. Paths that are being walked use a few, too; but of those that a process
 * may have some are always its own: standard input, the connection to us. */
static uint32_t descriptors_max(uint64_t files)
{
	const uint32_t most = FC_DOMAIN_FD_MAX - FC_DOMAIN_FD_FIRST;

	return FC_DOMAIN_FD_FIRST + (files < most ? (uint32_t)files : most);
}

void fc_session_limit(struct fc_supervisor *v, const struct fc_session *s, uint64_t files, uint64_t threads)
{
	struct fc_roster_slot *slot = slot_of(v, s);

	fc_store(&slot->tasks_max, fc_tasks_max(threads));
	fc_store(&slot->descriptors_max, descriptors_max(files));
}

/* The session's line in the roster, as far as it is not the same for its parent's. */
static void fill_slot(struct fc_supervisor *v, struct fc_session *s, uint64_t tasks)
{
	struct fc_roster_slot *slot = slot_of(v, s);
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	slot->owner = s->payer;
	slot->shadow_pid = s->shadow_pid;
	slot->client_pid = s->client_pid;
	slot->started_ns = ts.tv_sec * 1000000000ull + ts.tv_nsec;
	slot->held[FC_TASKS] = tasks;
	slot->id = s->id;
}

static void fill_slot_of_newcomer(struct fc_supervisor *v, struct fc_session *s, const struct fc_newcomer *n)
{
	struct fc_roster_slot *slot = slot_of(v, s);

	slot->uid = n->cred->fsuid;
	fc_session_limit(v, s, n->files, n->threads);
	slot->held[FC_FILES] = FC_FILES_STEP;
	strncpy(slot->comm, n->comm, sizeof slot->comm - 1);
	fill_slot(v, s, FC_TASKS_BASE);
}

/* What may become of its descriptors is as for its parent's. */
static void fill_slot_of_child(struct fc_supervisor *v, struct fc_session *s, const struct fc_session *parent,
			       uint64_t tasks)
{
	struct fc_roster_slot *slot = slot_of(v, s), *from = slot_of(v, parent);

	slot->uid = from->uid;
	slot->tasks_max = from->tasks_max;
	slot->descriptors_max = from->descriptors_max;
	memcpy(slot->comm, from->comm, sizeof slot->comm);
	fill_slot(v, s, tasks);
}

static void set_ids(struct fc_session *s, const struct fc_cred *c)
{
	s->ids = (struct fc_session_ids){ c->ruid, c->fsuid, c->rgid, c->fsgid, c->traces };
}

int fc_session_begin(struct fc_supervisor *v, struct fc_session *s, const struct fc_newcomer *n)
{
	struct fc_msg cred = fc_cred_pack(n->cred), m;
	int r = name_session(v, s, n->cred->ruid, n->cred->payer);

	set_ids(s, n->cred);
	fill_slot_of_newcomer(v, s, n);
	if (r == 0)
		r = fc_control_send(s->link.fd, &cred, (const char *)n->cred->group, NULL, 0, MSG_DONTWAIT);
	m = (struct fc_msg){
		.type = FC_LINK_SESSION,
		.size = n->text_size,
		.serial = n->serial,
		.arg = { s->token[0], s->token[1], s->id, n->umask, n->file_size },
	};
	if (r == 0)
		r = fc_control_send(s->link.fd, &m, n->text, &n->connection, 1, MSG_DONTWAIT);
	if (r < 0)
		fc_session_kill(v, s);
	else
		v->attached++;
	return r;
}

int fc_session_cred(struct fc_supervisor *v, struct fc_session *s, const struct fc_cred *cred)
{
	struct fc_msg m = fc_cred_pack(cred);
	int r;

	fc_heir_withdraw(v, s); /* which is somebody else */
	m.serial = ++s->cred_serial;
	r = fc_control_send(s->link.fd, &m, (const char *)cred->group, NULL, 0, MSG_DONTWAIT);
	if (r < 0)
		return r;
	s->uid = cred->ruid;
	s->payer = cred->payer;
	set_ids(s, cred);
	slot_of(v, s)->owner = cred->payer;
	slot_of(v, s)->uid = cred->fsuid;
	return 0;
}

/* ---- what a shadow says ---- */

int fc_session_name_child(struct fc_supervisor *v, struct fc_session *s, const struct fc_session *parent,
			  uint64_t tasks)
{
	int r = name_session(v, s, parent->uid, parent->payer);

	fill_slot_of_child(v, s, parent, tasks);
	s->parent = parent->id;
	s->ids = parent->ids;
	s->owner = parent->owner;
	return r;
}

/* A process that the sender's own shadow has forked introduces itself: the shadow of a client's child. */
static int adopt(struct fc_supervisor *v, struct fc_session *parent, struct fc_packet *p)
{
	uint64_t files = slot_of(v, parent)->held[FC_FILES];
	struct fc_session *s =
		fc_session_fits(v, parent->payer, files, slot_of(v, parent)->tasks_max) ? fc_session_claim(v) : NULL;
	struct fc_msg m = { .type = FC_LINK_FORK, .status = -EAGAIN };
	int link = p->fd[0], pidfd = -1, r;
	struct fc_roster_slot *slot;

	p->fd[0] = -1;
	if (s && p->has_sender)
		pidfd = pidfd_open(p->sender.pid, 0);
	if (pidfd < 0) {
		fc_control_send(link, &m, NULL, NULL, 0, MSG_DONTWAIT);
		close(link);
		return 0;
	}
	r = fc_session_open(v, s, p->sender.pid, pidfd, link);
	if (r < 0)
		return r == -EPROTO ? r : 0;
	r = fc_session_name_child(v, s, parent, FC_TASKS_BASE);
	slot = slot_of(v, s);
	slot->held[FC_FILES] = files; /* its descriptors are its parent's */
	slot->held[FC_BYTES] = slot->pipe_bytes = slot_of(v, parent)->pipe_bytes;
	m = (struct fc_msg){
		.type = FC_LINK_FORK,
		.status = r,
		.arg = { s->token[0], s->token[1], s->id, s - v->session },
	};
	if (r == 0)
		r = fc_control_send(s->link.fd, &m, NULL, NULL, 0, MSG_DONTWAIT);
	if (r < 0)
		fc_session_kill(v, s);
	else
		v->attached++;
	if (parent->forked)
		fc_heir_offer(v, parent);
	parent->forked = true; /* most fork once, and an heir costs as much as a fork */
	return 0;
}

/* The client of `s` is process `pid`, by the kernel's word. */
static void set_client(struct fc_supervisor *v, struct fc_session *s, pid_t pid)
{
	int pidfd;

	if (s->client_pid == pid)
		return;
	pidfd = pid > 0 ? pidfd_open(pid, 0) : -1;
	if (pidfd >= 0 && fc_session_watch_client(v, s, pid, pidfd) == 0)
		return;
	/* already dead, and reaped; a GONE for it is to find this session all the same, and wait for its end */
	s->client_pid = pid > 0 ? pid : 0;
	slot_of(v, s)->client_pid = s->client_pid;
	client_died(v, s);
}

/* The client of `parent` says that it has forked process `pid`, which is the client of its child `s`. That is so if it is a child of that
 * very process. If there is no such process any more, or the parent has not been seen yet, so be it, for all that it means to the
 * parent alone. */
static void claim_client(struct fc_supervisor *v, const struct fc_session *parent, struct fc_session *s, pid_t pid)
{
	int r;

	if (fc_heir_is_free(s)) {
		link_ready(v, &s->link, EPOLLIN);
		return;
	}
	r = pid > 0 ? fc_peer_is_child(pid, parent->client_pid, parent->uid) : -EINVAL;
	if (r == 1) {
		set_client(v, s, pid);
		return;
	}
	if (r == -ESRCH || !parent->client_pid)
		s->claimed_pid = pid;
	if (r == -ESRCH)
		client_died(v, s);
	if (r == 0)
		fc_log(FC_LOG_INFO, "session %u: process %d is no child of its client", parent->id, pid);
}

static void forked(struct fc_supervisor *v, const struct fc_session *parent, uint32_t id, pid_t pid)
{
	for (unsigned i = 0; i < v->used; i++) {
		struct fc_session *s = &v->session[i];

		/* once the child has spoken for itself, its parent has no say any more */
		if (s->state == FC_SESSION_LIVE && s->id == id && s->parent == parent->id && !s->client_pid)
			claim_client(v, parent, s, pid);
	}
}

static void session_gone(struct fc_supervisor *v, struct fc_session *s, const struct fc_packet *p)
{
	const struct fc_asker asker = { .uid = s->uid, .id = s->id };
	int r = fc_gone(v, &asker, (pid_t)p->head.arg[0]);

	s->gone_wanted = true;
	s->gone_pid = (pid_t)p->head.arg[0];
	s->gone_serial = p->head.serial;
	if (r <= 0)
		gone_answer_session(v, s, r);
}

static int link_message(struct fc_supervisor *v, struct fc_session *s, struct fc_packet *p)
{
	int fds = p->head.type == FC_LINK_FORK || p->head.type == FC_LINK_PASS || p->head.type == FC_LINK_WAY ||
				  (p->head.type == FC_LINK_SHOWN && !p->head.status)
			  ? 1
			  : 0;

	if (p->nfds != fds || s->state < FC_SESSION_LIVE)
		return -EPROTO;
	if (s->owner && p->head.type >= FC_LINK_CLIENT)
		return -EPROTO; /* whose client is who is not for a shadow to say */
	if (s->state == FC_SESSION_DYING)
		return 0; /* a child that says hello is not answered: its link ends, and so does it */
	switch (p->head.type) {
	case FC_LINK_FORK:
		return adopt(v, s, p);
	case FC_LINK_CRED:
		/* not the answer to an earlier one, whose asker has hung up */
		if (p->head.serial == s->cred_serial)
			cred_answer(v, s, p->head.status);
		return 0;
	case FC_LINK_SAMPLE:
		v->sampling -= s->sampling;
		s->sampling = false;
		return 0;
	case FC_LINK_CLIENT:
		set_client(v, s, (pid_t)p->head.arg[0]);
		return 0;
	case FC_LINK_FORKED:
		forked(v, s, (uint32_t)p->head.arg[0], (pid_t)p->head.arg[1]);
		return 0;
	case FC_LINK_GONE:
		session_gone(v, s, p);
		return 0;
	case FC_LINK_OTHER:
		fc_other_asked(v, s, p);
		return 0;
	case FC_LINK_SHOWN:
		fc_other_shown(v, s, p);
		return 0;
	case FC_LINK_PASS:
		fc_pass_asked(v, s, p);
		return 0;
	case FC_LINK_CLAIM:
		fc_pass_claimed(v, s, p);
		return 0;
	case FC_LINK_WAY:
		return fc_heir_way(s, p);
	case FC_LINK_FREE:
		fc_heir_returned(v, s);
		return 0;
	default:
		return -EPROTO;
	}
}

static void link_ready(struct fc_supervisor *v, struct fc_watch *w, uint32_t events)
{
	struct fc_session *s = fc_owner(w, struct fc_session, link);
	struct fc_packet p;
	int r = fc_control_recv(w->fd, &p, MSG_DONTWAIT);

	(void)events;
	if (r == -EAGAIN)
		return;
	if (r == 0) {
		r = link_message(v, s, &p);
		fc_packet_drop(&p);
	}
	if (r == 0)
		return;
	if (r != -EPIPE)
		fc_log(FC_LOG_ERROR, "the shadow of session %u does not keep to its protocol: it is killed", s->id);
	fc_watch_close(v, w);
	fc_session_kill(v, s);
	bury(v, s);
}

bool fc_session_is_way(int sock)
{
	int domain = 0, type = 0;
	socklen_t size = sizeof domain;

	return !getsockopt(sock, SOL_SOCKET, SO_DOMAIN, &domain, &size) && domain == AF_UNIX &&
	       !getsockopt(sock, SOL_SOCKET, SO_TYPE, &type, &size) && type == SOCK_SEQPACKET;
}

int fc_session_open(struct fc_supervisor *v, struct fc_session *s, pid_t shadow_pid, int pidfd, int link)
{
	int on = 1, r;

	/* a link is made by a shadow when it forks: that it is one is not taken for granted */
	if (!fc_session_is_way(link) || setsockopt(link, SOL_SOCKET, SO_PASSCRED, &on, sizeof on)) {
		close(link);
		close(pidfd);
		return -EPROTO;
	}
	r = fc_watch_add(v, &s->shadow, pidfd, shadow_ready);
	if (r < 0) {
		close(pidfd);
		close(link);
		return r;
	}
	r = fc_watch_add(v, &s->link, link, link_ready);
	if (r < 0) {
		fc_watch_close(v, &s->shadow);
		close(link);
		return r;
	}
	s->shadow_pid = shadow_pid;
	s->way = -1;
	s->state = FC_SESSION_LIVE;
	return 0;
}
