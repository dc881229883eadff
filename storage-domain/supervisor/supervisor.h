/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * supervisor.h - the state of the domain's main process: one thread, one epoll loop, no request ever passes through it.
 * supervisor.c owns the loop and the socket, connection.c what is said on fresh connections, session.c the shadows, reserve.c
 * their making, stat.c the figures, page.c the domain page, xen.c and front.c the front ends of other Xen domains.
 */
#ifndef FC_DOMAIN_SUPERVISOR_H
#define FC_DOMAIN_SUPERVISOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/control.h"
#include "storage-domain/budget.h"
#include "storage-domain/supervisor/identity.h"
#include "storage-domain/supervisor/peer.h"
#include "storage-domain/roster.h"

#define FC_CONNECTIONS_MAX 256
#define FC_CONNECTIONS_PER_UID 64
#define FC_CONNECTION_MS 5000 /* how long a connection may exist without becoming a session */
#define FC_SAMPLE_MS 200      /* how long shadows may take to answer before the figures go out without them */
#define FC_RESERVE 3
#define FC_KEPT_MOST 4        /* of one session */
#define FC_HEIR_IDLE_MS 10000 /* after which one that waits, or is kept, is given up */

struct fc_supervisor;
struct fc_transport;
struct fc_xen;

/* One descriptor in the epoll set. */
struct fc_watch {
	int fd; /* -1: none */
	void (*ready)(struct fc_supervisor *v, struct fc_watch *w, uint32_t events);
};

#define fc_owner(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

enum fc_waiting { FC_WAIT_NOTHING, FC_WAIT_GONE, FC_WAIT_CRED, FC_WAIT_STAT };

/* A fresh connection: it asks one thing and goes, or becomes a session. */
struct fc_connection {
	struct fc_watch watch; /* fd -1: this place is free */
	uid_t uid;
	uint64_t deadline_ms;
	uint64_t order;          /* as they came */
	enum fc_waiting waiting; /* for what its answer waits */
	uint32_t serial;
	pid_t pid; /* GONE: whose sessions; CRED: the client */
};

/* KEPT: it has been an heir, and will be one again, of the same session only. HEIR: it waits for its client. */
enum fc_session_state {
	FC_SESSION_NONE,
	FC_SESSION_POOLED,
	FC_SESSION_KEPT,
	FC_SESSION_HEIR,
	FC_SESSION_LIVE,
	FC_SESSION_DYING
};

struct fc_session;

/* Who speaks for the clients of sessions that have no connection to this machine. */
struct fc_session_owner {
	/* The shadow has answered the CRED that fc_session_cred sent. */
	void (*cred_done)(struct fc_supervisor *v, struct fc_session *s, int status);
	/* The session is over, and nothing of it left; *s is free when this returns. */
	void (*over)(struct fc_supervisor *v, struct fc_session *s);
};

/* Whom a client's process is taken for, by those who want to look into it, or what it is as one of them. */
struct fc_session_ids {
	uid_t ruid, fsuid;
	gid_t rgid, fsgid;
	bool traces; /* it may look into anybody's */
};

/* A shadow and, once it has one, its client. The index in `session` is its roster slot. */
struct fc_session {
	enum fc_session_state state;
	uint32_t id;
	uint64_t token[2];
	uid_t uid;   /* the client's real uid: whose the session is */
	uid_t payer; /* whose budget it is */
	pid_t shadow_pid, client_pid;
	pid_t claimed_pid; /* of a client that was dead before it could be looked at: its parent's word, and for its parent only */
	struct fc_watch shadow; /* pidfd */
	struct fc_watch client; /* pidfd; none until the client is known */
	struct fc_watch link;
	uint32_t parent; /* id of the session this was forked from */
	bool heir;       /* of `parent`, whose client it has not answered yet (heirs.c) */
	bool unused;     /* the same, or kept by it */
	uint64_t unused_since_ms;
	int way; /* to its own heirs; -1: it has not forked */
	bool forked;
	struct fc_connection *cred; /* whose CRED the shadow is carrying out */
	uint32_t cred_serial;       /* of the last CRED sent to the shadow */
	uint64_t end_ms;            /* it has been told to END, and is killed then; 0: it has not */
	bool sampling;              /* has not answered SAMPLE yet */
	bool gone_wanted;           /* the shadow waits for the answer to GONE */
	pid_t gone_pid;
	uint32_t gone_serial;
	struct fc_session_ids ids;
	uint32_t other; /* id of the session whose shadow is showing something to this one; 0: none */
	uint32_t other_serial;
	const struct fc_session_owner
		*owner; /* null: clients speak for themselves. Those forked from it have the same */
	void *owner_data;
};

/* A client that is to get a session. */
struct fc_newcomer {
	const struct fc_cred *cred;
	const char *comm;
	int connection;
	uint32_t serial; /* of its ATTACH */
	uint64_t umask, file_size;
	uint64_t files, threads; /* what its RLIMIT_NOFILE and RLIMIT_NPROC allow it; UINT64_MAX: no limit */
	const void *text;        /* what else its transport has to say to the shadow */
	uint16_t text_size;
};

#define FC_TICKETS_MAX 256

/* A file on its way from one client to another. */
struct fc_ticket {
	struct fc_watch end;
	int file;
	uint64_t cookie, ino; /* of the end that travels */
	uid_t payer;
	bool used;
};

struct fc_supervisor {
	/* set by main.c */
	struct fc_exports exports;
	bool privileged;
	bool any_root;
	struct fc_identity identity;
	struct fc_clerk_box *clerk; /* storage-domain/clerk.h; null: this domain knows all ids */
	struct fc_capacity capacity;
	int listen_fd; /* -1: clients come by `xen` alone */
	const struct fc_transport *transport;
	struct fc_xen *xen; /* front ends; null on a domain for this machine */

	struct fc_domain_shared *shared;
	struct fc_domain_page *page;
	int page_fd; /* read-only */
	int epoll;
	struct fc_watch listen, signals;
	bool listening; /* false while out of descriptors */
	bool stop;
	uint64_t started_ns;
	uint32_t last_id;
	uint64_t attached;
	struct fc_stat_counters total;               /* of sessions that have ended */
	unsigned sampling;                           /* sessions whose SAMPLE is outstanding */
	unsigned ending;                             /* sessions that have been told to end */
	bool stat_wanted;                            /* somebody waits for the figures */
	void (*stat_ready)(struct fc_supervisor *v); /* tell those who have no connection */
	uint64_t sample_deadline_ms;
	unsigned reserved;
	unsigned heirs;            /* that wait or are kept */
	uint64_t reserve_retry_ms; /* after a failure: not before then */
	unsigned connections;
	uint64_t connected; /* ever */
	struct fc_connection connection[FC_CONNECTIONS_MAX];
	struct fc_ticket ticket[FC_TICKETS_MAX];
	struct fc_session *session; /* FC_SESSIONS_MAX; not in the memory of shadows */
	uint32_t used;              /* those from here on have never been one */
};

/* ---- supervisor.c ---- */

/* Fill in the rest of *v: shared memory, page, epoll, reserve. Single-threaded and confined already. Returns 0, or -1 after
 * logging; either way fc_supervisor_fini is due. */
int fc_supervisor_init(struct fc_supervisor *v);

/* Serve until SIGTERM, SIGINT, SIGHUP or STOP. */
void fc_supervisor_run(struct fc_supervisor *v);

/* Mark the domain dead, end all shadows and wait for them. */
void fc_supervisor_fini(struct fc_supervisor *v);

/* Put a descriptor into the epoll set, or take it out and close it. */
int fc_watch_add(struct fc_supervisor *v, struct fc_watch *w, int fd,
		 void (*ready)(struct fc_supervisor *, struct fc_watch *, uint32_t));
void fc_watch_close(struct fc_supervisor *v, struct fc_watch *w);
/* The same without closing it: the caller has it now. */
int fc_watch_take(struct fc_supervisor *v, struct fc_watch *w);

uint64_t fc_now_ms(void);

/* ---- connection.c ---- */

/* Take over an accepted socket; if there are too many, one that is idle is closed for it, or, if there is none, it. */
void fc_connection_open(struct fc_supervisor *v, int fd);
void fc_connection_close(struct fc_supervisor *v, struct fc_connection *c);

/* Send an answer and close, or go on to the next request. */
void fc_connection_answer(struct fc_supervisor *v, struct fc_connection *c, struct fc_msg *m, const char *text,
			  const int *fds, int nfds);

/* Close those that have taken too long. Returns milliseconds until the next will have, or -1. */
int fc_connections_expire(struct fc_supervisor *v);

/* ---- session.c ---- */

struct fc_session *fc_session_by_token(struct fc_supervisor *v, const uint64_t token[2]);

/* May `payer` have one more session, with as many files open, and no more threads here than `tasks`? See budget.h. */
bool fc_session_fits(struct fc_supervisor *v, uid_t payer, uint64_t files, uint64_t tasks);

/* What its RLIMIT_NPROC allows a user of threads here: each session costs a few besides those that serve, and those that end linger. */
uint32_t fc_tasks_max(uint64_t threads);

/* From now on the session is that of process `pid`, and ends with it. The pidfd is taken over also on error. Returns 0 or
 * -errno. */
int fc_session_watch_client(struct fc_supervisor *v, struct fc_session *s, pid_t pid, int pidfd);

/* The shadow gets its client: name, identity, connection; it answers the client's ATTACH. Returns 0 or -errno, after which
 * the session is on its way out. */
int fc_session_begin(struct fc_supervisor *v, struct fc_session *s, const struct fc_newcomer *n);

/* Tell the shadow its client's new identity. It answers later (fc_session.cred, owner->cred_done). Returns 0 or -errno. */
int fc_session_cred(struct fc_supervisor *v, struct fc_session *s, const struct fc_cred *cred);

/* The client's RLIMIT_NOFILE, hard, and RLIMIT_NPROC, soft; UINT64_MAX: none. */
void fc_session_limit(struct fc_supervisor *v, const struct fc_session *s, uint64_t files, uint64_t threads);

/* The client of a session on another machine is process `pid` there, which is for show. */
void fc_session_foreign_pid(struct fc_supervisor *v, struct fc_session *s, pid_t pid);

/* Kill the shadow; one that has something to write back is told to end, and killed if it does not in time, however often it is to be killed until then.
 * What was its client's is gone when the loop sees it dead. */
void fc_session_kill(struct fc_supervisor *v, struct fc_session *s);

/* Kill those whose time is over. Returns in how many milliseconds the next one's is, -1: there is none. */
int fc_sessions_expire(struct fc_supervisor *v);

/* Start watching a shadow. Takes over both descriptors also on error. Returns 0 or -errno (-EPROTO: `link` is no link). */
int fc_session_open(struct fc_supervisor *v, struct fc_session *s, pid_t shadow_pid, int pidfd, int link);

/* Who says that a process is dead. */
struct fc_asker {
	uid_t uid;
	uint32_t id; /* of its session; 0: none */
};

/* End the sessions of the dead process `pid`, as far as they are the asker's: its user's, its own children's, or anybody's if it is
 * root. Returns 0 (none is left), 1 (whoever waits for FC_WAIT_GONE or has `gone_wanted` is answered when the last one is), -EBUSY
 * (that process lives). */
int fc_gone(struct fc_supervisor *v, const struct fc_asker *asker, pid_t pid);

/* Set up a place that a child of `parent` is to have: name, roster slot, identity. 0 or -errno. */
int fc_session_name_child(struct fc_supervisor *v, struct fc_session *s, const struct fc_session *parent,
			  uint64_t tasks);

/* Whatever waits for the end of a session, or for something of it, is told that there will be nothing; *s loses all but its shadow. */
void fc_session_clear(struct fc_supervisor *v, struct fc_session *s);
/* Is it a socket on which messages come with who has sent them? */
bool fc_session_is_way(int sock);
/* GONE: answer those that wait for what is over now. */
void fc_gone_tell(struct fc_supervisor *v);

/* ---- heirs.c ---- */

/* WAY: where the session's heirs are to be reached. 0, or -EPROTO. */
int fc_heir_way(struct fc_session *s, struct fc_packet *p);

/* The session has forked: give it an heir, if it has none, and may have one. */
void fc_heir_offer(struct fc_supervisor *v, struct fc_session *parent);

/* Before anything else is looked at: those that have answered are live, and their parents get others; who has waited for too long ends. */
void fc_heirs_look(struct fc_supervisor *v);

/* End those that wait or are kept: of a session; of a user. The latter returns whether there were any. */
void fc_heir_withdraw(struct fc_supervisor *v, const struct fc_session *parent);
bool fc_heirs_withdraw(struct fc_supervisor *v, uid_t payer);

/* An heir is dead: its parent is told, if it has not answered. */
void fc_heir_buried(struct fc_supervisor *v, const struct fc_session *s);

/* Is FREE what its shadow has said last? */
bool fc_heir_is_free(const struct fc_session *s);
/* FREE: a session that has never been used is over, and its shadow may be kept. */
void fc_heir_returned(struct fc_supervisor *v, struct fc_session *s);

/* Milliseconds until fc_heirs_look is due, or -1. */
int fc_heirs_due_ms(const struct fc_supervisor *v);

/* ---- other.c ---- */

/* The live session of a client on this machine; null: it is none. */
struct fc_session *fc_other_client(struct fc_supervisor *v, pid_t pid);
/* A client wants to look at what another has open; a shadow has shown it; a session is over. */
void fc_other_asked(struct fc_supervisor *v, struct fc_session *asker, const struct fc_packet *p);
void fc_other_shown(struct fc_supervisor *v, const struct fc_session *s, struct fc_packet *p);
void fc_other_gone(struct fc_supervisor *v, const struct fc_session *s);

/* ---- pass.c ---- */

/* A client sends a file to another one; a client has got a ticket. */
void fc_pass_asked(struct fc_supervisor *v, struct fc_session *s, struct fc_packet *p);
void fc_pass_claimed(struct fc_supervisor *v, struct fc_session *s, const struct fc_packet *p);

/* ---- reserve.c ---- */

/* Fork shadows until FC_RESERVE wait. Failure is logged and left for the next time. */
void fc_reserve_fill(struct fc_supervisor *v);

/* A shadow for a new client: from the reserve, or forked now. Null: the domain is full. */
struct fc_session *fc_reserve_take(struct fc_supervisor *v);

/* A free place in `session`, its slot marked used; null if there is none. */
struct fc_session *fc_session_claim(struct fc_supervisor *v);

/* ---- stat.c ---- */

/* Ask the shadows for samples on behalf of a connection that waits for FC_WAIT_STAT. */
void fc_stat_begin(struct fc_supervisor *v);

/* Answer those who wait, if all samples are in or the time is up. */
void fc_stat_finish(struct fc_supervisor *v);

/* Fill memory that has room for FC_STAT_ROOM bytes, with what `uid` may see: root all, others their own sessions. Returns the bytes
 * used. */
#define FC_STAT_ROOM (sizeof(struct fc_stat_domain) + FC_SESSIONS_MAX * sizeof(struct fc_stat_session))
size_t fc_stat_fill(struct fc_supervisor *v, uid_t uid, struct fc_stat_domain *d);

/* Milliseconds until fc_stat_finish is due, or -1. */
int fc_stat_due_ms(const struct fc_supervisor *v);

/* ---- page.c ---- */

/* Make the domain page. Returns 0 or -errno. */
int fc_page_create(struct fc_supervisor *v, uint64_t generation);
void fc_page_state(struct fc_supervisor *v, uint32_t state);

#endif
