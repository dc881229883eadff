/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * connection.c - what is said on a fresh connection, before it is a session or instead: HELLO, ATTACH, CRED, GONE, STAT,
 * STOP. A peer that breaks the protocol is told -EPROTO and hung up on. Who is admitted is decided here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "storage-domain/caps.h"
#include "storage-domain/supervisor/exports.h"
#include "storage-domain/shadow/link.h"
#include "storage-domain/log.h"
#include "storage-domain/supervisor/stranger.h"
#include "storage-domain/supervisor/supervisor.h"
#include "storage-domain/supervisor/lookout.h"

/* Its place is free, and the caller has its socket. */
static int let_go(struct fc_supervisor *v, struct fc_connection *c)
{
	if (c->waiting == FC_WAIT_CRED)
		for (unsigned i = 0; i < v->used; i++)
			if (v->session[i].cred == c)
				v->session[i].cred = NULL;
	c->waiting = FC_WAIT_NOTHING;
	v->connections--;
	return fc_watch_take(v, &c->watch);
}

void fc_connection_close(struct fc_supervisor *v, struct fc_connection *c)
{
	if (c->watch.fd >= 0)
		fc_stranger_close(let_go(v, c));
}

void fc_connection_answer(struct fc_supervisor *v, struct fc_connection *c, struct fc_msg *m, const char *text,
			  const int *fds, int nfds)
{
	/* the limit is not renewed by talking, but time spent waiting for us is not the peer's */
	if (c->waiting != FC_WAIT_NOTHING)
		c->deadline_ms = fc_now_ms() + FC_CONNECTION_MS;
	c->waiting = FC_WAIT_NOTHING;
	/* a peer that does not take its answers is not worth waiting for */
	if (fc_control_send(c->watch.fd, m, text, fds, nfds, MSG_DONTWAIT) < 0 || m->status == -EPROTO)
		fc_connection_close(v, c);
}

static void answer_status(struct fc_supervisor *v, struct fc_connection *c, const struct fc_packet *p, int status)
{
	struct fc_msg m = { .type = p->head.type, .serial = p->head.serial, .status = status };

	fc_connection_answer(v, c, &m, NULL, NULL, 0);
}

/* ---- who may ---- */

/* Who runs as the domain's own user could signal it: that is nobody's client. */
static bool is_ours(const struct fc_supervisor *v, const struct fc_peer *p)
{
	const struct fc_identity *id = &v->identity;

	return id->own && (p->ruid == id->uid || p->euid == id->uid || p->suid == id->uid || p->fsuid == id->uid);
}

/* Without privilege the domain has one identity, its own, and lends it to nobody else. */
static bool may_come(const struct fc_supervisor *v, const struct fc_peer *p)
{
	if (v->privileged)
		return !is_ours(v, p);
	return p->euid == geteuid() && p->fsuid == geteuid() && p->egid == getegid() && p->fsgid == getegid();
}

/* Whom its system shows other files shall not see these through us. */
static int admit(const struct fc_supervisor *v, const struct fc_peer *p)
{
	if (!may_come(v, p))
		return -EPERM;
	return v->any_root || p->proven & FC_LOOKOUT_ROOT ? 0 : -EXDEV;
}

/*
 * `real` and `effective` have the kernel's word (SCM_CREDENTIALS of this message, SO_PEERCRED). Saved and file-system ids
 * would come from the process' status alone, which may be that of a setuid program it has executed since it connected.
 */
static bool may_be(const struct fc_peer *p, uint64_t cap, uint64_t id, uint32_t real, uint32_t effective)
{
	return id == real || id == effective || p->caps & cap;
}

/* The identity a session gets. `fsuid`, `fsgid`: what the client asks for, UINT64_MAX for the effective ones. */
static int make_cred(const struct fc_supervisor *v, int sock, const struct fc_peer *p, uint64_t fsuid, uint64_t fsgid,
		     struct fc_cred *cred)
{
	if (fsuid == UINT64_MAX)
		fsuid = p->euid;
	if (fsgid == UINT64_MAX)
		fsgid = p->egid;
	if (fsuid >= UINT32_MAX || fsgid >= UINT32_MAX)
		return -EINVAL;
	if (!may_be(p, FC_CAP(SETUID), fsuid, p->ruid, p->euid) || !may_be(p, FC_CAP(SETGID), fsgid, p->rgid, p->egid))
		return -EPERM;
	if (!v->privileged && (fsuid != geteuid() || fsgid != getegid()))
		return -EPERM;
	cred->ruid = p->ruid;
	/* all that one user calls others in a namespace of his are himself */
	cred->payer = p->maker == FC_LOOKOUT_NOBODY ? p->ruid : p->maker;
	cred->rgid = p->rgid;
	cred->fsuid = fsuid;
	cred->fsgid = fsgid;
	cred->caps = p->caps & FC_CAPS_FILES;
	cred->traces = p->caps & FC_CAP(SYS_PTRACE);
	cred->ngroups = -1;
	return v->privileged ? fc_peer_groups(sock, cred) : 0;
}

static int identify(struct fc_supervisor *v, struct fc_connection *c, const struct fc_packet *p, struct fc_peer *peer)
{
	int r;

	if (!p->has_sender)
		return -EPROTO;
	r = fc_peer_identify(c->watch.fd, p->sender.pid, p->sender.uid, p->sender.gid, peer);
	if (r == 0) {
		r = admit(v, peer);
		if (r < 0)
			close(peer->pidfd);
	}
	return r;
}

/* ---- requests ---- */

static void hello(struct fc_supervisor *v, struct fc_connection *c, const struct fc_packet *p)
{
	struct fc_msg m = { .type = FC_MSG_HELLO, .serial = p->head.serial };
	char text[FC_MSG_TEXT];

	m.status = p->head.arg[0] == FC_ABI_MAJOR ? 0 : -EPROTONOSUPPORT;
	m.size = fc_exports_text(&v->exports, text, sizeof text);
	m.arg[0] = FC_ABI_MAJOR;
	m.arg[1] = FC_ABI_MINOR;
	m.arg[2] = v->shared->generation;
	m.arg[3] = v->exports.count;
	fc_connection_answer(v, c, &m, text, &v->page_fd, m.status == 0);
}

/* Give the connection to a shadow. Returns 0: the shadow answers; or -errno. Takes over peer->pidfd. */
static int hand_over(struct fc_supervisor *v, struct fc_connection *c, const struct fc_packet *p, struct fc_peer *peer,
		     const struct fc_cred *cred)
{
	struct fc_newcomer n = {
		.cred = cred,
		.comm = peer->comm,
		.connection = c->watch.fd,
		.serial = p->head.serial,
		.umask = p->head.arg[0],
		.file_size = p->head.arg[1],
		.files = peer->files,
		.threads = peer->threads,
	};
	struct fc_session *s = fc_reserve_take(v);
	int r;

	if (!s) {
		close(peer->pidfd);
		return -EAGAIN;
	}
	r = fc_session_watch_client(v, s, peer->pid, peer->pidfd);
	if (r < 0)
		fc_session_kill(v, s);
	return r < 0 ? r : fc_session_begin(v, s, &n);
}

static void attach(struct fc_supervisor *v, struct fc_connection *c, const struct fc_packet *p)
{
	struct fc_cred cred;
	struct fc_peer peer;
	int r = identify(v, c, p, &peer);

	if (r == 0) {
		/* the file-system ids as they are: a client that has changed them apart from the effective ones
		 * stays with what its kernel would check */
		r = make_cred(v, c->watch.fd, &peer, peer.fsuid, peer.fsgid, &cred);
		if (r == 0 && !fc_session_fits(v, cred.payer, 0, fc_tasks_max(peer.threads)))
			r = -EAGAIN;
		if (r < 0)
			close(peer.pidfd);
		else
			r = hand_over(v, c, p, &peer, &cred);
	}
	if (fc_peer_in_want(r))
		r = -EAGAIN; /* of ours, that is: it may come again */
	if (r < 0) {
		fc_log(FC_LOG_INFO, "process %d of user %u not admitted: %s", p->sender.pid, c->uid, strerror(-r));
		answer_status(v, c, p, r);
		return;
	}
	close(let_go(v, c)); /* the shadow has it */
}

/* The client has changed its identity: its shadow follows, and says when it has. */
static int follow(struct fc_supervisor *v, struct fc_connection *c, const struct fc_packet *p, struct fc_session *s,
		  struct fc_peer *peer)
{
	struct fc_cred cred;
	int r = make_cred(v, c->watch.fd, peer, p->head.arg[2], p->head.arg[3], &cred);

	/* a forked child may come here before anybody has said which process it is: the token says it */
	if (r == 0 && s->client_pid && s->client_pid != peer->pid)
		r = -EPERM;
	if (r == 0 && s->cred)
		r = -EBUSY;
	if (r == 0 && !s->client_pid) {
		r = fc_session_watch_client(v, s, peer->pid, peer->pidfd);
		peer->pidfd = -1;
	}
	if (r == 0)
		r = fc_session_cred(v, s, &cred);
	if (r < 0)
		return r;
	s->cred = c;
	c->waiting = FC_WAIT_CRED;
	c->serial = p->head.serial;
	return 0;
}

static void credentials(struct fc_supervisor *v, struct fc_connection *c, const struct fc_packet *p)
{
	struct fc_session *s = fc_session_by_token(v, p->head.arg);
	struct fc_peer peer;
	int r = identify(v, c, p, &peer);

	if (r == 0) {
		r = s ? follow(v, c, p, s, &peer) : -ESRCH;
		if (peer.pidfd >= 0)
			close(peer.pidfd);
	}
	if (r < 0)
		answer_status(v, c, p, r);
}

static void gone(struct fc_supervisor *v, struct fc_connection *c, const struct fc_packet *p)
{
	const struct fc_asker asker = { .uid = c->uid };
	int r = fc_gone(v, &asker, (pid_t)p->head.arg[0]);

	if (r <= 0) {
		answer_status(v, c, p, r);
		return;
	}
	c->waiting = FC_WAIT_GONE;
	c->pid = (pid_t)p->head.arg[0];
	c->serial = p->head.serial;
}

static void stop(struct fc_supervisor *v, struct fc_connection *c, const struct fc_packet *p)
{
	bool may = c->uid == (v->privileged ? 0 : geteuid());

	answer_status(v, c, p, may ? 0 : -EPERM);
	v->stop = v->stop || may;
}

static void request(struct fc_supervisor *v, struct fc_connection *c, const struct fc_packet *p)
{
	switch (p->head.type) {
	case FC_MSG_HELLO:
		hello(v, c, p);
		break;
	case FC_MSG_ATTACH:
		attach(v, c, p);
		break;
	case FC_MSG_CRED:
		credentials(v, c, p);
		break;
	case FC_MSG_GONE:
		gone(v, c, p);
		break;
	case FC_MSG_STAT:
		c->waiting = FC_WAIT_STAT;
		c->serial = p->head.serial;
		fc_stat_begin(v);
		break;
	case FC_MSG_STOP:
		stop(v, c, p);
		break;
	default:
		answer_status(v, c, p, -EPROTO);
	}
}

/* ---- coming and going ---- */

static void connection_ready(struct fc_supervisor *v, struct fc_watch *w, uint32_t events)
{
	struct fc_connection *c = fc_owner(w, struct fc_connection, watch);
	struct fc_packet p = { .nfds = 0 };
	int r = fc_stranger_recv(w->fd, &p);

	(void)events;
	if (r == -EAGAIN)
		return;
	if (r == -EPIPE) {
		fc_connection_close(v, c);
		return;
	}
	/* no request of a fresh connection carries text, and there is one at a time */
	if (r == 0 && (p.head.size || c->waiting != FC_WAIT_NOTHING))
		r = -EPROTO;
	if (r == 0) {
		request(v, c, &p);
		return;
	}
	if (r != -EPROTO)
		p.head = (struct fc_msg){ 0 };
	fc_log(FC_LOG_INFO, "user %u: not a request: hanging up", c->uid);
	answer_status(v, c, &p, -EPROTO);
}

/* Of two connections, the older one that is idle; `a` may be null. */
static struct fc_connection *idler(struct fc_connection *a, struct fc_connection *b)
{
	if (b->waiting != FC_WAIT_NOTHING)
		return a;
	return !a || b->order < a->order ? b : a;
}

/*
 * A place for one more connection of `uid`. Where there is none, or it has as many as are left for others (budget.h), whoever of its own
 * waits longest without having been asked anything has to go, or of all if it has none: so that nobody can keep others out by
 * doing nothing. Null: all are being served.
 */
static struct fc_connection *place(struct fc_supervisor *v, uid_t uid)
{
	struct fc_connection *free = NULL, *own = NULL, *any = NULL;
	unsigned same = 0;

	for (unsigned i = 0; i < FC_CONNECTIONS_MAX; i++) {
		struct fc_connection *c = &v->connection[i];

		if (c->watch.fd < 0) {
			free = c;
			continue;
		}
		any = idler(any, c);
		if (c->uid != uid)
			continue;
		same++;
		own = idler(own, c);
	}
	if (same >= FC_CONNECTIONS_PER_UID || (same && same >= FC_CONNECTIONS_MAX - v->connections))
		free = own;
	else if (!free)
		free = any;
	if (free)
		fc_connection_close(v, free);
	return free;
}

void fc_connection_open(struct fc_supervisor *v, int fd)
{
	struct fc_connection *c;
	uid_t uid;
	int on = 1;

	if (fc_peer_uid(fd, &uid) < 0 || setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on))
		goto refuse;
	c = place(v, uid);
	if (!c || fc_watch_add(v, &c->watch, fd, connection_ready) < 0)
		goto refuse;
	c->uid = uid;
	c->waiting = FC_WAIT_NOTHING;
	c->deadline_ms = fc_now_ms() + FC_CONNECTION_MS;
	c->order = v->connected++;
	v->connections++;
	return;
refuse:
	fc_stranger_close(fd);
}

int fc_connections_expire(struct fc_supervisor *v)
{
	uint64_t now = v->connections ? fc_now_ms() : 0, next = UINT64_MAX;

	for (unsigned i = 0; v->connections && i < FC_CONNECTIONS_MAX; i++) {
		struct fc_connection *c = &v->connection[i];

		if (c->watch.fd < 0 || c->waiting != FC_WAIT_NOTHING)
			continue;
		if (c->deadline_ms <= now)
			fc_connection_close(v, c);
		else if (c->deadline_ms < next)
			next = c->deadline_ms;
	}
	return next == UINT64_MAX ? -1 : (int)(next - now);
}
