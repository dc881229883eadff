/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * control.c - what a front end's requests do. Its sessions are sessions like any other, but the supervisor holds the client's end
 * of each one's connection (the proxy), and passes requests and answers on.
 *
 * Requests that concern the same session wait for each other, so that they take effect in the order they came in and each shadow
 * has one message at a time. DETACH alone does not wait: it ends the session, and with it whatever it would have waited for.
 *
 *   FREE --ATTACH, parent's FORK--> COMING --answered--> LIVE --shadow dead--> DEAD --DETACH--> FREE
 *                                      |                   |  (`dead` bell)
 *                                      | failed            | DETACH: shadow killed; answered, and FREE, when it is buried
 *                                      +--> FREE
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xen/io/xenbus.h>

#include "storage-domain/supervisor/exports.h"
#include "storage-domain/xen/front.h"
#include "storage-domain/log.h"
#include "storage-domain/xen/check.h"
#include "storage-domain/xen/shadow.h"

static char text[FC_XEN_TEXT_MAX]; /* of the request at hand */

static struct fc_remote *remote_of(struct fc_front *f, const struct fc_call *c)
{
	return &f->remote[c->q.session];
}

static uint32_t number_of(const struct fc_remote *r)
{
	return (uint32_t)(r - r->front->remote);
}

static void finish_with(struct fc_supervisor *v, struct fc_front *f, struct fc_call *c, int status, uint64_t value0,
			uint64_t value1)
{
	struct fc_xen_response response = {
		.id = c->q.id,
		.type = c->q.type,
		.status = status,
		.value = { value0, value1 },
	};

	c->used = false;
	fc_front_respond(v, f, &response);
}

static void finish(struct fc_supervisor *v, struct fc_front *f, struct fc_call *c, int status)
{
	finish_with(v, f, c, status, 0, 0);
}

/* The request that the shadow of session `number` is working on; null if none. */
static struct fc_call *started(struct fc_front *f, uint32_t number)
{
	for (unsigned i = 0; i < FC_CALLS_MAX; i++) {
		struct fc_call *c = &f->call[i];

		if (c->used && c->started && c->q.type != FC_XEN_DETACH && fc_xen_request_of_session(&c->q) &&
		    c->q.session == number)
			return c;
	}
	return NULL;
}

/* ---- requests about the domain ---- */

static void hello(struct fc_supervisor *v, struct fc_front *f, struct fc_call *c)
{
	size_t size = fc_exports_text(&v->exports, text, sizeof text);
	int status = 0;

	if (c->q.arg[0] != FC_ABI_MAJOR || c->q.arg[2] != FC_XEN_VERSION)
		status = -EPROTONOSUPPORT;
	else if (size > c->q.text_size)
		status = -EMSGSIZE;
	else
		status = fc_gntdev_write(f->domid, c->q.text, text, (uint32_t)size);
	finish_with(v, f, c, status, v->shared->generation, v->exports.count | (uint64_t)FC_ABI_MINOR << 32);
}

void fc_calls_stat(struct fc_supervisor *v)
{
	static union {
		struct fc_stat_domain domain;
		char room[FC_STAT_ROOM];
	} figures;

	for (unsigned i = 0; i < FC_FRONTS_MAX * FC_CALLS_MAX; i++) {
		struct fc_front *f = &v->xen->front[i / FC_CALLS_MAX];
		struct fc_call *c = &f->call[i % FC_CALLS_MAX];
		size_t bytes;
		uint32_t size;

		if (f->state != FC_FRONT_CONNECTED || !c->used || c->q.type != FC_XEN_STAT)
			continue;
		bytes = fc_stat_fill(v, c->q.arg[0] == UINT64_MAX ? 0 : (uid_t)c->q.arg[0], &figures.domain);
		size = bytes < c->q.text_size ? (uint32_t)bytes : c->q.text_size;
		finish_with(v, f, c, fc_gntdev_write(f->domid, c->q.text, &figures, size), bytes, 0);
	}
}

/* ---- requests that a shadow answers ---- */

/* Pass it on. If that fails the session ends, and the request with it. */
static void pass(struct fc_supervisor *v, const struct fc_remote *r, struct fc_msg *m, const void *with)
{
	if (fc_control_send(r->proxy.fd, m, with, NULL, 0, MSG_DONTWAIT) < 0)
		fc_session_kill(v, r->session);
}

/* AREAS, GROW, MAP: the shadow reads the list of grants itself. */
static void pass_list(struct fc_supervisor *v, const struct fc_remote *r, const struct fc_call *c, uint16_t type,
		      uint64_t size, bool fresh)
{
	struct fc_msg m = {
		.type = type,
		.size = (uint16_t)(fc_xen_text_pages(c->q.text_size) * sizeof c->q.text[0]),
		.arg = { size, fresh },
	};

	pass(v, r, &m, c->q.text);
}

static void fork_session(struct fc_supervisor *v, struct fc_front *f, struct fc_remote *r, struct fc_call *c)
{
	struct fc_remote *child = &f->remote[c->q.arg[0]];
	struct fc_msg m = { .type = FC_MSG_FORK, .arg = { c->q.arg[0] } };

	if (child->state != FC_REMOTE_FREE) {
		finish(v, f, c, -EBUSY);
		return;
	}
	child->state = FC_REMOTE_COMING;
	pass(v, r, &m, NULL);
}

static int read_cred(const struct fc_front *f, const struct fc_call *c, struct fc_cred *cred, char comm[16])
{
	int r = fc_gntdev_read(f->domid, c->q.text, text, c->q.text_size);

	return r < 0 ? r : fc_xen_cred_take(text, c->q.text_size, cred, comm);
}

static void change_cred(struct fc_supervisor *v, struct fc_front *f, struct fc_remote *r, struct fc_call *c)
{
	struct fc_cred cred;
	char comm[16];
	int status = read_cred(f, c, &cred, comm);

	if (status == 0)
		status = fc_session_cred(v, r->session, &cred);
	if (status < 0)
		finish(v, f, c, status);
}

/* Of ATTACH and RLIMIT. Root's are not limits (peer.c has the same for clients on this machine). */
static void read_limits(const struct fc_call *c, uid_t uid, uint64_t *files, uint64_t *threads)
{
	*files = uid ? c->q.arg[3] : UINT64_MAX;
	*threads = uid ? c->q.arg[4] : UINT64_MAX;
}

static void to_shadow(struct fc_supervisor *v, struct fc_front *f, struct fc_remote *r, struct fc_call *c)
{
	struct fc_msg m = { .arg = { c->q.arg[0], c->q.arg[0] } };
	uint64_t files, threads;

	switch (c->q.type) {
	case FC_XEN_AREAS:
		fc_session_foreign_pid(v, r->session, (pid_t)c->q.arg[0]);
		pass_list(v, r, c, FC_MSG_AREAS, FC_DATA_MIN, c->q.arg[1]);
		break;
	case FC_XEN_GROW:
		pass_list(v, r, c, FC_MSG_GROW, c->q.arg[0], false);
		break;
	case FC_XEN_MAP:
		pass_list(v, r, c, FC_MSG_MAP, c->q.arg[0], false);
		break;
	case FC_XEN_UNMAP:
		m.type = FC_MSG_UNMAP;
		pass(v, r, &m, NULL);
		break;
	case FC_XEN_LEASE:
	case FC_XEN_RETURN:
		m.type = c->q.type == FC_XEN_LEASE ? FC_MSG_LEASE : FC_MSG_RETURN;
		m.arg[1] = c->q.arg[1];
		pass(v, r, &m, NULL);
		break;
	case FC_XEN_SHRINK:
		m.type = FC_MSG_SHRINK;
		pass(v, r, &m, NULL);
		break;
	case FC_XEN_RLIMIT:
		read_limits(c, r->session->uid, &files, &threads);
		fc_session_limit(v, r->session, files, threads);
		m.type = FC_MSG_RLIMIT;
		pass(v, r, &m, NULL);
		break;
	case FC_XEN_FORK:
		fork_session(v, f, r, c);
		break;
	case FC_XEN_CRED:
		change_cred(v, f, r, c);
		break;
	case FC_XEN_FORKED:
		fc_session_foreign_pid(v, r->session, (pid_t)c->q.arg[0]);
		finish(v, f, c, 0);
		break;
	default:
		finish(v, f, c, -EINVAL);
	}
}

/* ---- answers ---- */

static void run(struct fc_supervisor *v, struct fc_front *f);
static void proxy_ready(struct fc_supervisor *v, struct fc_watch *w, uint32_t events);

/* The forked session that says it is the child which FORK asked for. */
static struct fc_session *find_child(struct fc_supervisor *v, const struct fc_session *parent, uint64_t id)
{
	for (unsigned i = 0; i < v->used; i++) {
		struct fc_session *s = &v->session[i];

		if (s->state == FC_SESSION_LIVE && s->id == id && s->parent == parent->id &&
		    s->owner == parent->owner && !s->owner_data)
			return s;
	}
	return NULL;
}

/* The child's shadow has answered: its connection is the new session's. Returns the status of FORK. */
static int bind_child(struct fc_supervisor *v, const struct fc_remote *r, struct fc_remote *child, struct fc_packet *p)
{
	struct fc_session *s = find_child(v, r->session, p->head.arg[2]);
	int status;

	if (!s)
		return -EAGAIN; /* it has died in the meantime */
	status = fc_watch_add(v, &child->proxy, p->fd[0], proxy_ready);
	if (status < 0) {
		fc_session_kill(v, s);
		return status;
	}
	p->fd[0] = -1;
	child->session = s;
	child->state = FC_REMOTE_LIVE;
	s->owner_data = child;
	return 0;
}

static bool answers(const struct fc_call *c, const struct fc_packet *p)
{
	static const uint16_t type[FC_XEN_TYPES] = {
		[FC_XEN_ATTACH] = FC_MSG_ATTACH, [FC_XEN_AREAS] = FC_MSG_AREAS, [FC_XEN_GROW] = FC_MSG_GROW,
		[FC_XEN_SHRINK] = FC_MSG_SHRINK, [FC_XEN_FORK] = FC_MSG_FORK,   [FC_XEN_RLIMIT] = FC_MSG_RLIMIT,
		[FC_XEN_MAP] = FC_MSG_MAP,       [FC_XEN_UNMAP] = FC_MSG_UNMAP, [FC_XEN_LEASE] = FC_MSG_LEASE,
		[FC_XEN_RETURN] = FC_MSG_RETURN,
	};
	int fds = c->q.type == FC_XEN_FORK && p->head.status == 0;

	return type[c->q.type] && type[c->q.type] == p->head.type && p->nfds == fds && p->head.status <= 0;
}

/* A shadow's answer, as far as its client's kernel wants to know it. */
static void pass_back(struct fc_supervisor *v, struct fc_front *f, struct fc_call *c, int status, const uint64_t arg[3])
{
	if (c->q.type == FC_XEN_LEASE)
		finish_with(v, f, c, status, arg[1], arg[2]);
	else
		finish_with(v, f, c, status, c->q.type == FC_XEN_MAP ? arg[0] : 0, 0);
}

/* What a shadow says as to its client. Returns 0 or -EPROTO. */
static int take_answer(struct fc_supervisor *v, struct fc_remote *r, struct fc_packet *p)
{
	struct fc_front *f = r->front;
	struct fc_call *c = started(f, number_of(r));
	int status = p->head.status;

	if (!c || !answers(c, p))
		return -EPROTO;
	if (c->q.type == FC_XEN_FORK) {
		struct fc_remote *child = &f->remote[c->q.arg[0]];

		if (status == 0)
			status = bind_child(v, r, child, p);
		if (status < 0)
			child->state = FC_REMOTE_FREE;
	}
	if (c->q.type == FC_XEN_ATTACH && status < 0) {
		c->status = status; /* answered when the shadow is dead */
		return 0;
	}
	if (c->q.type == FC_XEN_ATTACH)
		r->state = FC_REMOTE_LIVE;
	pass_back(v, f, c, status, p->head.arg);
	return 0;
}

static void proxy_ready(struct fc_supervisor *v, struct fc_watch *w, uint32_t events)
{
	struct fc_remote *r = fc_owner(w, struct fc_remote, proxy);
	struct fc_packet p;
	int status = fc_control_recv(w->fd, &p, MSG_DONTWAIT);

	(void)events;
	if (status == -EAGAIN)
		return;
	if (status == 0) {
		status = take_answer(v, r, &p);
		fc_packet_drop(&p);
	}
	if (status < 0) {
		if (status != -EPIPE)
			fc_log(FC_LOG_ERROR, "the shadow of session %u answers what nobody has asked: it is killed",
			       r->session->id);
		fc_watch_close(v, w);
		fc_session_kill(v, r->session);
	}
	run(v, r->front);
}

static void cred_done(struct fc_supervisor *v, struct fc_session *s, int status)
{
	struct fc_remote *r = s->owner_data;
	struct fc_call *c = r ? started(r->front, number_of(r)) : NULL;

	if (!c || c->q.type != FC_XEN_CRED)
		return;
	finish(v, r->front, c, status);
	run(v, r->front);
}

/* ---- the end of a session ---- */

/* The last things a shadow has said: of these, a child that it has made counts. */
static void take_last_words(struct fc_supervisor *v, struct fc_remote *r)
{
	struct fc_packet p;

	while (r->proxy.fd >= 0 && fc_control_recv(r->proxy.fd, &p, MSG_DONTWAIT) == 0) {
		take_answer(v, r, &p);
		fc_packet_drop(&p);
	}
	fc_watch_close(v, &r->proxy);
}

static void fail_call(struct fc_supervisor *v, struct fc_front *f, struct fc_call *c)
{
	if (c->q.type == FC_XEN_FORK && f->remote[c->q.arg[0]].state == FC_REMOTE_COMING)
		f->remote[c->q.arg[0]].state = FC_REMOTE_FREE;
	finish(v, f, c, c->status ? c->status : -EIO);
}

static struct fc_call *detaching(struct fc_front *f, uint32_t number)
{
	for (unsigned i = 0; i < FC_CALLS_MAX; i++) {
		struct fc_call *c = &f->call[i];

		if (c->used && c->started && c->q.type == FC_XEN_DETACH && c->q.session == number)
			return c;
	}
	return NULL;
}

static bool all_over(const struct fc_front *f)
{
	for (unsigned i = 0; i < FC_XEN_SESSIONS; i++)
		if (f->remote[i].session)
			return false;
	return true;
}

static void over(struct fc_supervisor *v, struct fc_session *s)
{
	struct fc_remote *r = s->owner_data;
	struct fc_front *f = r ? r->front : NULL;
	struct fc_call *c, *detach;

	if (!r)
		return; /* a child that never was its client's */
	take_last_words(v, r);
	r->session = NULL;
	if (f->state == FC_FRONT_ENDING && all_over(f)) {
		fc_front_over(v, f);
		fc_xenbus_state(v, f, XenbusStateClosed);
		return;
	}
	c = started(f, number_of(r));
	if (c)
		fail_call(v, f, c);
	detach = detaching(f, number_of(r));
	if (detach) {
		r->state = FC_REMOTE_FREE;
		finish(v, f, detach, 0);
	} else if (r->state == FC_REMOTE_COMING) {
		r->state = FC_REMOTE_FREE;
	} else {
		r->state = FC_REMOTE_DEAD;
		if (f->state == FC_FRONT_CONNECTED)
			fc_front_ring(v, f, f->bells->dead, number_of(r));
	}
	run(v, f);
}

static const struct fc_session_owner owner = { .cred_done = cred_done, .over = over };

/* ---- requests that begin and end sessions ---- */

/* Give a new session to a shadow. Returns 0: it will answer, or its end will; or -errno. */
static int attach(struct fc_supervisor *v, struct fc_front *f, struct fc_remote *r, struct fc_call *c)
{
	struct fc_xen_place place = { f->domid, c->q.session, (uint32_t)f->bells_port, f->bells_ref };
	struct fc_cred cred;
	char comm[16];
	struct fc_newcomer n = {
		.cred = &cred,
		.comm = comm,
		.umask = c->q.arg[1],
		.file_size = c->q.arg[2],
		.text = &place,
		.text_size = sizeof place,
	};
	struct fc_session *s;
	int pair[2], status = read_cred(f, c, &cred, comm);

	if (status < 0)
		return status;
	read_limits(c, cred.ruid, &n.files, &n.threads);
	if (!fc_session_fits(v, cred.payer, 0, fc_tasks_max(n.threads)))
		return -EAGAIN;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	s = fc_reserve_take(v);
	status = s ? fc_watch_add(v, &r->proxy, pair[0], proxy_ready) : -EAGAIN;
	if (status < 0) {
		if (s)
			fc_session_kill(v, s);
		close(pair[0]);
		close(pair[1]);
		return status;
	}
	s->owner = &owner;
	s->owner_data = r;
	r->session = s;
	r->state = FC_REMOTE_COMING;
	fc_session_foreign_pid(v, s, (pid_t)c->q.arg[0]);
	n.connection = pair[1];
	c->status = fc_session_begin(v, s, &n);
	close(pair[1]);
	return 0;
}

static void start_attach(struct fc_supervisor *v, struct fc_front *f, struct fc_remote *r, struct fc_call *c)
{
	int status = r->state == FC_REMOTE_FREE ? attach(v, f, r, c) : -EBUSY;

	if (status == 0)
		return;
	fc_log(FC_LOG_INFO, "process %u of domain %u not admitted: %s", (unsigned)c->q.arg[0], f->domid,
	       strerror(-status));
	finish(v, f, c, status);
}

static void start_detach(struct fc_supervisor *v, struct fc_front *f, struct fc_remote *r, struct fc_call *c)
{
	if (r->session) {
		fc_session_kill(v, r->session);
		return;
	}
	r->state = FC_REMOTE_FREE;
	finish(v, f, c, 0);
}

/* ---- which comes when ---- */

static bool must_wait(const struct fc_front *f, const struct fc_call *c)
{
	if (!fc_xen_request_of_session(&c->q) || (c->q.type == FC_XEN_DETACH && f->remote[c->q.session].session))
		return false;
	for (unsigned i = 0; i < FC_CALLS_MAX; i++) {
		const struct fc_call *other = &f->call[i];

		if (other->used && other->order < c->order &&
		    (fc_xen_request_concerns(&other->q, c->q.session) ||
		     (c->q.type == FC_XEN_FORK && fc_xen_request_concerns(&other->q, (uint32_t)c->q.arg[0]))))
			return true;
	}
	return false;
}

static void start(struct fc_supervisor *v, struct fc_front *f, struct fc_call *c)
{
	struct fc_remote *r = remote_of(f, c);

	c->started = true;
	switch (c->q.type) {
	case FC_XEN_HELLO:
		hello(v, f, c);
		break;
	case FC_XEN_PING:
		finish(v, f, c, 0);
		break;
	case FC_XEN_STAT:
		fc_stat_begin(v);
		break;
	case FC_XEN_ATTACH:
		start_attach(v, f, r, c);
		break;
	case FC_XEN_DETACH:
		start_detach(v, f, r, c);
		break;
	default:
		if (r->state == FC_REMOTE_LIVE)
			to_shadow(v, f, r, c);
		else
			finish(v, f, c, r->state == FC_REMOTE_DEAD ? -EIO : -ESRCH);
	}
}

/* Start whatever need not wait any longer, oldest first. */
static void run(struct fc_supervisor *v, struct fc_front *f)
{
	for (;;) {
		struct fc_call *next = NULL;

		for (unsigned i = 0; i < FC_CALLS_MAX && f->state == FC_FRONT_CONNECTED; i++) {
			struct fc_call *c = &f->call[i];

			if (c->used && !c->started && (!next || c->order < next->order) && !must_wait(f, c))
				next = c;
		}
		if (!next)
			return;
		start(v, f, next);
	}
}

void fc_call_take(struct fc_supervisor *v, struct fc_front *f, const struct fc_xen_request *q)
{
	unsigned i = 0;

	if (!fc_xen_request_ok(q)) {
		fc_front_break(v, f, "a malformed request");
		return;
	}
	while (i < FC_CALLS_MAX && f->call[i].used)
		i++;
	if (i == FC_CALLS_MAX) {
		fc_front_break(v, f, "more requests than the ring holds");
		return;
	}
	f->call[i] = (struct fc_call){ .used = true, .order = ++f->order, .q = *q };
	run(v, f);
}
