/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * local.c - a domain on the same machine: a Unix socket for control (control.h), memfds for the areas, futexes to
 * sleep on.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/atomic.h"
#include "common/control.h"
#include "common/rawcall.h"
#include "libc-shim/native.h"
#include "libc-shim/process/beyond.h"
#include "libc-shim/process/process.h"
#include "libc-shim/process/sandbox.h"
#include "libc-shim/request/request.h"
#include "libc-shim/session/session.h"
#include "libc-shim/shim.h"
#include "libc-shim/text.h"
#include "libc-shim/transport/local.h"
#include "libc-shim/transport/transport.h"

#define BUSY_NS 5000000000ull /* how long a domain without places is asked again */
#define BUSY_FIRST_NS 1000000
#define BUSY_LAST_NS 100000000

static void drop_descriptors(struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = CMSG_LEN(0); at + sizeof(int) <= c->cmsg_len; at += sizeof(int))
			fc_call(SYS_close, *(int *)((char *)c + at));
	}
}

/*
 * recvmsg for messages that bring descriptors. Where the process may have no more the kernel would throw them away: so it is
 * asked for a copy of the message first, and for another one beyond the limit if something is missing.
 */
static long receive(int sock, struct msghdr *m, int flags)
{
	const long a[6] = { sock, (long)m, flags | MSG_PEEK };
	size_t room = m->msg_controllen;
	struct msghdr rest = { 0 };
	long r = fc_call(SYS_recvmsg, sock, m, flags | MSG_PEEK);

	if (r >= 0 && m->msg_flags & MSG_CTRUNC) {
		drop_descriptors(m);
		m->msg_controllen = room;
		r = shim_beyond(shim_process(), SYS_recvmsg, a);
	}
	if (r >= 0 && m->msg_flags & MSG_CTRUNC) { /* not even there: then it has brought none */
		drop_descriptors(m);
		m->msg_controllen = 0;
		m->msg_flags &= ~MSG_CTRUNC;
	}
	if (r > 0) {
		long taken;

		do
			taken = fc_call(SYS_recvmsg, sock, &rest, MSG_DONTWAIT);
		while (taken == -EINTR);
		if (taken < 0) { /* it is there still, and the next to look takes it for a late one */
			drop_descriptors(m);
			return taken;
		}
	}
	return r;
}

/* Why a message has not gone out, or no socket is made. If it is for want of memory that says nothing about the domain, and another time
 * there may be some. */
static int shortage(int r)
{
	return r == -ENOBUFS || r == -ETOOMANYREFS ? -ENOMEM : r;
}

/* The next answer, to a message of that type: its status, or -errno of the connection. */
static int take_answer(int sock, unsigned type, struct fc_packet *answer)
{
	int r;

	answer->nfds = 0;
	r = fc_control_recv_by(receive, sock, answer, 0);
	if (r < 0)
		return r;
	if (answer->head.type == type && answer->head.status <= 0 && answer->head.status >= -4095)
		return answer->head.status;
	fc_packet_drop(answer);
	return -EPROTO;
}

static void drop(struct fc_packet *p)
{
	for (int i = 0; i < p->nfds; i++) {
		shim_done_with(shim_process(), p->fd[i]);
		p->fd[i] = -1;
	}
	fc_packet_drop(p);
}

static int connect_to(const char *path)
{
	int sock = (int)shim_make_fd(shim_process(), SYS_socket, AF_UNIX, FC_CONTROL_SOCKET, 0, 0);
	int r = sock < 0 ? sock : fc_control_connect_socket(sock, path);

	if (sock >= 0 && r < 0)
		shim_done_with(shim_process(), sock);
	return r < 0 ? shortage(r) : sock;
}

/*
 * Send a request and wait for its answer, which is in s->packet then. -ENOMEM: it has not been sent. -ETIMEDOUT: the answer has not come in
 * time, or could not be taken, and whenever it comes it is passed over, with what it brings. Else 0 or -errno, of the connection.
 */
static int exchange(struct shim_session *s, struct fc_msg *m, const char *text, const int *fds, int nfds)
{
	m->serial = ++s->serial;
	int r = shortage(fc_control_send(s->sock, m, text, fds, nfds, 0));

	if (r < 0)
		return r;
	while ((r = fc_control_recv_by(receive, s->sock, &s->packet, 0)) == 0 && s->packet.head.serial != m->serial) {
		fc_packet_drop(&s->packet);
		if (!s->owed) /* no end of answers to what nobody has asked */
			return -EPROTO;
		s->owed--;
	}
	if (r == 0)
		s->told = false; /* it has read that far */
	if (r != -EAGAIN && r != -ENOMEM)
		return r;
	s->owed += m->type == FC_MSG_HAND ? 2 : 1; /* it has an answer more, if there is a file */
	return -ETIMEDOUT;
}

/* A control request on the session's connection. 0 or -errno, the answer is in s->packet; -ETIMEDOUT: the answer is late; -ENOMEM: it may be that
 * nobody was asked. */
int shim_local_ask_about(struct shim_session *s, struct fc_msg m, const char *text, const int *fds, int nfds)
{
	const unsigned type = m.type;
	int r = -EPERM;

	if (!shim_sandbox_talks())
		return r;
	r = exchange(s, &m, text, fds, nfds);
	if (r == -ETIMEDOUT || r == -ENOMEM)
		return r;
	if (r < 0) { /* of the connection, not an answer */
		shim_session_fail(s, r == -EAGAIN ? "it takes no messages any more" : "it has ended the session");
		return -EIO;
	}
	if (type != FC_MSG_FORK && type != FC_MSG_MEMORY && type != FC_MSG_HAND && type != FC_MSG_LEASE &&
	    type != FC_MSG_PASS)
		drop(&s->packet); /* no other answer brings descriptors */
	int status = s->packet.head.status;
	if (s->packet.head.type != type || status > 0 || status < -4095 || status == -ETIMEDOUT) {
		shim_session_fail(s, "it sent an answer that cannot be");
		return -EIO;
	}
	return status;
}

int shim_local_ask(struct shim_session *s, unsigned type, uint64_t arg0, uint64_t arg1, const int *fds, int nfds)
{
	return shim_local_ask_about(s, (struct fc_msg){ .type = (uint16_t)type, .arg = { arg0, arg1 } }, NULL, fds,
				    nfds);
}

/* The same without an answer. */
int shim_local_tell(struct shim_session *s, unsigned type, uint64_t arg0, uint64_t arg1)
{
	struct fc_msg m = { .type = (uint16_t)type, .arg = { arg0, arg1 } };

	if (!shim_sandbox_talks())
		return -EPERM;
	s->told = true;
	return fc_control_send(s->sock, &m, NULL, NULL, 0, 0);
}

static void set_timeouts(int sock)
{
	struct timeval limit = { 10, 0 };

	fc_call(SYS_setsockopt, sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	fc_call(SYS_setsockopt, sock, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

/* HELLO and the question that is to follow, at once: so the domain need not be waited for twice. */
static int greet(int sock, const struct fc_msg *question, struct fc_packet *packet)
{
	struct fc_msg hello = { .type = FC_MSG_HELLO, .arg = { FC_ABI_MAJOR, FC_ABI_MINOR } }, m = *question;
	int r = fc_control_send(sock, &hello, NULL, NULL, 0, 0);

	if (r == 0)
		r = fc_control_send(sock, &m, NULL, NULL, 0, 0);
	return r < 0 ? shortage(r) : take_answer(sock, FC_MSG_HELLO, packet);
}

/*
 * A fresh connection to a domain that has said HELLO, and has been asked the question, or -errno: -EAGAIN if it does not answer in time,
 * -EPIPE if it hangs up, -EIO after one line on stderr. `known`: we have a session there, so whose domain it is has been judged, and need
 * not be told to us in whatever user namespace we are by now.
 */
static int dial(unsigned domain, bool known, const struct fc_msg *question, struct fc_packet *packet)
{
	const char *path = shim.config.domain[domain].address;
	int sock = shim_sandbox_talks() ? connect_to(path) : -EPERM;
	unsigned uid;

	if (sock == -EPERM && fc_guard) /* a sandbox does not let us: it says nothing about the domain */
		return sock;
	if (sock == -EMFILE || sock == -ENFILE || sock == -ENOMEM || sock == -EAGAIN)
		return sock;
	if (sock < 0) {
		shim_say(path, ": cannot reach this storage domain: is it running, and may you connect to it?", NULL);
		return -EIO;
	}
	if (!known && !shim.config.domain[domain].trusted && !fc_control_trusted(sock, &uid)) {
		shim_say(path,
			 ": this storage domain is run neither by root nor by you: it is not used without "
			 "--trust-domain",
			 NULL);
		shim_done_with(shim_process(), sock);
		return -EIO;
	}
	set_timeouts(sock);
	int r = greet(sock, question, packet);
	drop(packet); /* the domain page: the connection itself says when the domain is gone */
	if (r == -EAGAIN || r == -EPIPE || r == -ENOMEM) {
		shim_done_with(shim_process(), sock);
		return r;
	}
	if (r < 0) {
		shim_say(path,
			 r == -EPROTONOSUPPORT ? ": this storage domain speaks another version: restart it with this "
						 "farcall's own `farcall serve`"
					       : ": this storage domain does not answer as one",
			 NULL);
		shim_done_with(shim_process(), sock);
		return -EIO;
	}
	return sock;
}

/*
 * Ask on a fresh connection. A domain that has no places left hangs up on whoever waits longest: that is not its answer, and is tried
 * again for a while. Returns the connection, and the answer's status in *status; or as dial.
 */
static int ask_fresh(struct shim_session *s, const struct fc_msg *question, bool known, int *status)
{
	uint64_t pause = BUSY_FIRST_NS, deadline = shim_now_ns() + BUSY_NS;

	for (;;) {
		int sock = dial(s->domain, known, question, &s->packet);

		if (sock >= 0) {
			fc_store(&shim.minor[s->domain], (uint32_t)s->packet.head.arg[1]);
			*status = take_answer(sock, question->type, &s->packet);
			drop(&s->packet);
			if (*status != -EPIPE)
				return sock;
			shim_done_with(shim_process(), sock);
			sock = -EPIPE;
		}
		if (sock != -EPIPE)
			return sock;
		if (shim_now_ns() > deadline) {
			shim_say(shim.config.domain[s->domain].address,
				 ": this storage domain hangs up again and again", NULL);
			return -EIO;
		}
		shim_wait_ns(pause);
		if (pause < BUSY_LAST_NS)
			pause *= 2;
	}
}

static const char *refusal(int error)
{
	switch (error) {
	case -EPERM:
		return "it does not admit this user (a domain that does not run as root serves its own user only)";
	case -EXDEV:
		return "it does not admit programs in another mount namespace or chroot (farcall serve --any-root "
		       "would)";
	case -EAGAIN:
		return "this user has as many processes there as are for one";
	default:
		return "it refused this process";
	}
}

static int attach(struct shim_session *s)
{
	struct shim_process *p = shim_process();
	struct fc_msg m = { .type = FC_MSG_ATTACH };
	struct rlimit64 size = { RLIM64_INFINITY, RLIM64_INFINITY };
	int r = 0;

	fc_call(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, &size);
	m.arg[0] = p->umask;
	m.arg[1] = size.rlim_cur;
	m.arg[2] = size.rlim_max;
	int sock = ask_fresh(s, &m, false, &r);
	if (sock == -EIO)
		s->state = SHIM_SESSION_DEAD;
	if (sock < 0)
		return sock;
	if (r < 0)
		shim_done_with(shim_process(), sock);
	if (r == -EAGAIN ||
	    r == -ENOMEM) /* late, or there is no room for one more now: a later call may have more luck */
		return r;
	if (r < 0) {
		shim_session_fail(s, refusal(r));
		return -EIO;
	}
	s->sock = shim_hide_fd(p, sock);
	if (s->sock < 0)
		return s->sock;
	s->token[0] = s->packet.head.arg[0];
	s->token[1] = s->packet.head.arg[1];
	shim_spares_fit(p); /* one less is to be kept for this */
	return 0;
}

/* Ask for a descriptor. Returns it or -errno; -EMFILE: it was sent, and there was no room for it. */
int shim_local_ask_for(struct shim_session *s, struct fc_msg m)
{
	int r = shim_local_ask_about(s, m, NULL, NULL, 0);

	if (r == 0 && s->packet.nfds == 1) {
		r = s->packet.fd[0];
		s->packet.fd[0] = -1;
	} else if (r == 0 && s->packet.nfds) {
		shim_session_fail(s, "it sent an answer that cannot be");
		r = -EIO;
	} else if (r == 0) {
		r = -EMFILE;
	}
	drop(&s->packet);
	return r;
}

int shim_local_ask_for_one(struct shim_session *s, unsigned type, uint64_t arg)
{
	return shim_local_ask_for(s, (struct fc_msg){ .type = (uint16_t)type, .arg = { arg } });
}

/* A memfd that the domain has made: it has no limit of file sizes to keep to. */
static int memory(struct shim_session *s, size_t size)
{
	return shim_local_ask_for_one(s, FC_MSG_MEMORY, size);
}

/* The second part of an answer. 0 or -errno. */
int shim_local_ask_on(struct shim_session *s, unsigned type)
{
	int r = fc_control_recv_by(receive, s->sock, &s->packet, 0);

	if (r == -EAGAIN || r == -ENOMEM) { /* whenever it comes it is passed over */
		s->owed++;
		return 0;
	}
	if (r == 0)
		drop(&s->packet);
	if (r == 0 && s->packet.head.type == type && s->packet.head.serial == s->serial)
		return 0;
	shim_session_fail(s, r < 0 ? "it has ended the session" : "it sent an answer that cannot be");
	return -EIO;
}

static int fork_session(struct shim_session *s, struct shim_offspring *o)
{
	int r = shim_local_ask(s, FC_MSG_FORK, 0, 0, NULL, 0);

	if (r == 0 && s->packet.nfds == 1) {
		o->sock = s->packet.fd[0];
		s->packet.fd[0] = -1;
		o->token[0] = s->packet.head.arg[0];
		o->token[1] = s->packet.head.arg[1];
		o->id = s->packet.head.arg[2];
	}
	fc_packet_drop(&s->packet);
	return r == -ETIMEDOUT || (r == 0 && o->sock < 0) ? -EAGAIN : r;
}

static void forked(struct shim_session *s, uint64_t id, int pid)
{
	shim_local_tell(s, FC_MSG_FORKED, id, (uint64_t)pid);
}

/* On a fresh connection, where the domain's kernel sees for itself who we are now. */
static int cred(struct shim_session *s, uint64_t fsuid, uint64_t fsgid)
{
	struct fc_msg m = { .type = FC_MSG_CRED, .arg = { s->token[0], s->token[1], fsuid, fsgid } };
	int r, sock = ask_fresh(s, &m, true, &r);

	if (sock < 0) {
		shim_session_fail(s, "it could not be told about a change of user");
		return -EIO;
	}
	shim_done_with(shim_process(), sock);
	if (r < 0)
		shim_session_fail(s, "it did not follow a change of user");
	return r < 0 ? -EIO : 0;
}

/* By a request that changes nothing. What the domain met only after the change would be from somebody else. */
static void settle(struct shim_session *s)
{
	struct rlimit64 size;

	if ((s->told || s->owed) && fc_call(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, &size) == 0)
		shim_local_ask(s, FC_MSG_RLIMIT, size.rlim_cur, size.rlim_max, NULL, 0);
}

static int rlimit(struct shim_session *s, uint64_t soft, uint64_t hard)
{
	int r = shim_local_ask(s, FC_MSG_RLIMIT, soft, hard, NULL, 0);

	if (r == -ENOMEM)
		shim_session_fail(s, "it could not be told about a limit of file sizes");
	return r == -ETIMEDOUT ? 0 : r; /* it is on its way */
}

static void gone(struct shim_session *s, int pid)
{
	struct fc_msg m = { .type = FC_MSG_GONE, .arg = { (uint64_t)pid } };

	if (shim_is_attached(s)) {
		shim_local_ask(s, FC_MSG_GONE, (uint64_t)pid, 0, NULL, 0);
		return;
	}
	int r, sock = ask_fresh(s, &m, false, &r);
	if (sock >= 0)
		shim_done_with(shim_process(), sock);
}

static int other(struct shim_session *s, int pid, int number, int self, struct shim_other *o)
{
	const struct fc_msg m = { .type = FC_MSG_OTHER, .arg = { (uint64_t)pid, (uint64_t)number, (uint64_t)self } };
	int r = shim_local_ask_about(s, m, NULL, NULL, 0);

	*o = (struct shim_other){ (int64_t)s->packet.head.arg[0], (int64_t)s->packet.head.arg[1],
				  (int64_t)s->packet.head.arg[2] };
	return r == -ETIMEDOUT ? -EAGAIN : r;
}

static void bye(struct shim_session *s)
{
	struct fc_msg m = { .type = FC_MSG_BYE };

	if (shim_sandbox_talks())
		exchange(s, &m, NULL, NULL, 0);
}

/* For one that may not poll, but read. It is not waited for, and what else comes is of no interest any more. */
static bool has_hung_up(int sock)
{
	char byte;

	long r = fc_call(SYS_read, sock, &byte, 1);

	return r <= 0 && r != -EAGAIN && r != -EINTR;
}

static void deafen(struct shim_session *s, bool deaf)
{
	s->deaf = fc_call(SYS_fcntl, s->sock, F_SETFL, deaf ? O_NONBLOCK : 0) == 0 && deaf;
}

static const char *lost(struct shim_session *s)
{
	struct pollfd p = { .fd = s->sock,
			    .events = POLLRDHUP }; /* late answers may lie before the end of the connection */
	long r = fc_call(SYS_poll, &p, 1, 0);

	if (unlikely(r == -EPERM) && s->deaf)
		return has_hung_up(p.fd) ? "it has ended the session" : NULL;
	/* or has it another number now? */
	return r > 0 && p.fd == fc_load(&s->sock) ? "it has ended the session" : NULL;
}

const struct shim_transport shim_transport_local = {
	.bell = &fc_bell_local_ops,
	.keeps = true,
	.deafen = deafen,
	.attach = attach,
	.memory = memory,
	.hand = shim_local_hand,
	.lease = shim_local_lease,
	.give_back = shim_local_give_back,
	.pass = shim_local_pass,
	.claim = shim_local_claim,
	.bind = shim_local_bind,
	.watch = shim_local_watch,
	.map = shim_local_map,
	.areas = shim_local_areas,
	.grow = shim_local_grow,
	.shrink = shim_local_shrink,
	.fork = fork_session,
	.forked = forked,
	.settle = settle,
	.cred = cred,
	.rlimit = rlimit,
	.gone = gone,
	.other = other,
	.bye = bye,
	.lost = lost,
};
